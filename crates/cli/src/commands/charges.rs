use std::fmt::Write as _;
use std::io::BufWriter;

use billing::ChargeId;
use billing::correction;
use billing::decision::ChargeState;
use lake::{Filter, Sort};
use workflow::listing::{self, ExportFormat, ListedCharge};
use workflow::story::{self, Story, charge_story};

use super::Door;
use super::words::{count, grouped, moment, or_dash};
use crate::args::{ChargeCommand, ChargeExportArgs, ChargeFilter, ChargeFormat, ChargeListArgs, StateName};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: ChargeCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        ChargeCommand::List(args) => list(&args, door).await,
        ChargeCommand::Export(args) => export(&args, door).await,
        ChargeCommand::Show { charge } => show(charge, door).await,
    }
}

async fn list(args: &ChargeListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let (filter, sort) = (filter(&args.filter), sort(args));
    if door.output.is_json() && args.limit.is_none() {
        let charges = listing::list(&installation, &filter, &sort, None, args.offset).await?;
        return Ok(door.output.data(&charges, |charges| table(charges, door))?);
    }
    let limit = args.limit.unwrap_or(SHOWN);
    let page = listing::page(&installation, &filter, &sort, limit, args.offset).await?;
    door.output.data(&page.charges, |charges| table(charges, door))?;
    if !door.output.is_json() && !page.charges.is_empty() {
        let shown = page.charges.len() as u64;
        let all = count(page.total, "charge", "charges");
        let which = if shown == page.total { all } else { format!("{} of {all}", grouped(shown)) };
        let sums = [page.list_cost, page.billed_cost].map(|sum| exact(sum, door.currency()));
        door.output.message(&format!("{which}; list cost {}, billed cost {} in all", sums[0], sums[1]));
    }
    Ok(())
}

/// So many rows a person reads.
const SHOWN: usize = 100;

fn sort(args: &ChargeListArgs) -> Vec<Sort> {
    let by = |(column, largest): (&str, bool)| Sort {
        column: column.to_owned(),
        descending: largest != args.reverse,
    };
    // By id the other way round is by its two numbers.
    let ids = ["import", "row"].map(|column| by((column, false))).to_vec();
    match args.sort.column() {
        Some(column) => vec![by(column)],
        None if args.reverse => ids,
        None => Vec::new(),
    }
}

fn filter(args: &ChargeFilter) -> Filter {
    Filter {
        text: args.find.clone(),
        fund_org: args.fund_org.clone(),
        service_name: args.service.clone(),
        states: args.state.iter().copied().map(ChargeState::from).collect(),
        charged_from: args.from,
        charged_to: args.to,
        ..super::review::filter(&args.filter)
    }
}

impl From<StateName> for ChargeState {
    fn from(name: StateName) -> ChargeState {
        match name {
            StateName::Billable => ChargeState::Billable,
            StateName::Held => ChargeState::Held,
            StateName::Rejected => ChargeState::Rejected,
            StateName::Deferred => ChargeState::Deferred,
        }
    }
}

async fn export(args: &ChargeExportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let filter = filter(&args.filter);
    let format = match args.format {
        ChargeFormat::Csv => ExportFormat::Csv,
        ChargeFormat::Parquet => ExportFormat::Parquet,
    };
    let Some(path) = &args.output else {
        listing::export(&installation, &filter, format, BufWriter::new(std::io::stdout())).await?;
        return Ok(());
    };
    let rows = listing::export_to(&installation, &filter, format, path).await?;
    door.output.message(&format!("{} in `{}`", count(rows, "charge", "charges"), path.display()));
    Ok(())
}

fn table(charges: &[ListedCharge], door: &Door) -> String {
    if charges.is_empty() {
        return "no charge is like that\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("charge"),
        Column::text("PI"),
        Column::text("project"),
        Column::text("fund_org"),
        Column::text("service"),
        Column::text("resource"),
        Column::number("list cost"),
        Column::number("billed cost"),
        Column::text("state"),
    ]);
    for charge in charges {
        table.row([
            charge.id.to_string(),
            or_dash(charge.pi_email.as_deref()),
            or_dash(charge.project_id.as_deref()),
            or_dash(charge.fund_org.as_deref()),
            or_dash(charge.service_name.as_deref()),
            or_dash(charge.resource_name.as_deref().or(charge.resource_id.as_deref())),
            charge.list_cost.map_or_else(|| "–".to_owned(), |cost| exact(cost, door.currency())),
            exact(charge.billed_cost, door.currency()),
            charge.state.name().to_owned(),
        ]);
    }
    table.render()
}

async fn show(id: ChargeId, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let mut story = charge_story(&installation, id).await?;
    if story.has_more_records {
        door.output.message("looking through its delivery for the records that it was made of …");
        story.made_of = story::records(&installation, &story).await?;
    }
    Ok(door.output.data(&story, |story| told(story, door))?)
}

/// A charge's whole story.
pub fn told(story: &Story, door: &Door) -> String {
    let charge = &story.charge;
    let mut text = format!(
        "charge {} of {} in {}: {}, {}\n",
        charge.id,
        charge.source,
        charge.period,
        exact(charge.cost, door.currency()),
        charge.state.name()
    );
    for flag in charge.flags.iter() {
        let word = if charge.state == ChargeState::Held { "held" } else { "flag" };
        let _ = writeln!(text, "  {word}: {flag}, {}", flag.reason());
    }
    if let Some(detail) = charge.flag_detail.as_ref().filter(|_| !charge.flags.is_empty()) {
        let _ = writeln!(text, "  {detail}");
    }
    if charge.billed_in != charge.period {
        let _ = writeln!(text, "  billed in {}", charge.billed_in);
    }
    if let Some(number) = &story.statement {
        let _ = writeln!(text, "  on statement {number}");
    }
    let column = |name: &str| story.columns.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    if let Some(period) = column(correction::CORRECTS_PERIOD) {
        let charge = column(correction::CORRECTS);
        let what =
            charge.map_or("a charge that was not billed before".to_owned(), |id| format!("charge {id}"));
        let _ = writeln!(text, "  corrects {what}, {period}");
    }
    let _ = match story.delivered.line {
        0 => writeln!(text, "\nas delivered: {}: {}", story.delivered.file, story.delivered.text),
        line => writeln!(
            text,
            "\nas delivered: {}, line {line} (sha256 {})",
            story.delivered.file, story.delivered.sha256
        ),
    };
    for (column, value) in story.delivered.columns.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {column:<26} {value}");
    }
    records(story, &mut text);
    made_of_it(story, &mut text);
    decisions(story, &mut text);
    text
}

/// So many of the system's own records are listed; `--json` has a thousand.
const RECORDS: usize = 10;

fn records(story: &Story, text: &mut String) {
    let Some(behind) = &story.made_of else { return };
    let _ = writeln!(text, "\nmade of {}:", count(behind.count, "record", "records"));
    for record in behind.records.iter().take(RECORDS) {
        let _ = writeln!(text, "  {}:{}  {}", record.file, record.line, record.text);
    }
    let more = behind.count.saturating_sub(RECORDS as u64);
    if 0 < more {
        let _ = writeln!(text, "  and {} more", grouped(more));
    }
}

fn made_of_it(story: &Story, text: &mut String) {
    let charge = &story.charge;
    let _ = writeln!(text, "\nwhat was made of it:");
    for (name, value) in
        [("pi_email", &charge.pi_email), ("project_id", &charge.project_id), ("fund_org", &charge.fund_org)]
    {
        let _ = writeln!(text, "  {name:<26} {}", or_dash(value.as_deref()));
    }
    if let Some(fallback) = &story.fallback {
        let from = or_dash(fallback.from.as_deref());
        let _ = writeln!(text, "  the fallback fund, instead of {from}: {}", fallback.reason());
    }
    for given in &story.attributed_by {
        let note = given.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let _ = writeln!(
            text,
            "  by {}{} ({}, {}), written by {} on {}{note}",
            if given.rule.0 < 0 { "" } else { "rule " },
            given.rule,
            given.subject,
            given.days,
            given.by,
            given.at.strftime("%Y-%m-%d")
        );
    }
    if let Some(priced) = &story.priced_by {
        let note = priced.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let _ = writeln!(text, "  {:<26} {} {} at {}", "priced", priced.quantity, priced.unit, priced.price);
        let _ = writeln!(
            text,
            "  by rate {} ({}), version {}, written by {} on {}{note}",
            priced.rate,
            priced.subject,
            priced.version,
            priced.by,
            priced.at.strftime("%Y-%m-%d")
        );
    }
}

fn decisions(story: &Story, text: &mut String) {
    if !story.decisions.is_empty() {
        let _ = writeln!(text, "\ndecisions:");
    }
    for said in &story.decisions {
        let what = match &said.decision {
            billing::decision::Decision::Approve => "approved".to_owned(),
            billing::decision::Decision::Reject => "rejected".to_owned(),
            billing::decision::Decision::Defer { to } => format!("deferred to {to}"),
            billing::decision::Decision::Reassign { change } => format!("reassigned to {change}"),
        };
        let note = said.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let undone = said.undone_by.map_or_else(String::new, |number| format!(" (undone by act {number})"));
        let outdated =
            if said.outdated { " (about an earlier delivery; the charge has changed since)" } else { "" };
        let _ = writeln!(
            text,
            "  {} by {}, act {}: {what}{note}{undone}{outdated}",
            moment(said.at),
            said.by,
            said.number
        );
    }
}

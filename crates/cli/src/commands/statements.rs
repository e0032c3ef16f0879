use std::fmt::Write as _;

use anyhow::Context as _;
use billing::StatementNumber;
use billing::rate::RatedUse;
use billing::statement::StatementState;
use lake::{Filter, TotalsRow};
use money::{Amount, Currency, Minor};
use serde::Serialize;
use workflow::drafts::write_drafts;
use workflow::generate::{Change, Generated, Issued, generate};
use workflow::report::{ReportRequest, report};
use workflow::send::{Outcome, send};
use workflow::send_again::send_again;
use workflow::statements::{self, StatementDetail, StatementEmail, StatementStanding};

use super::words::{count, joined, moment, or_dash};
use super::{Door, statement_diff};
use crate::args::{GenerateArgs, SendArgs, ShowArgs, StatementCommand, StatementFilter};
use crate::output::{Column, Refusal, Table, exact, posted};

pub async fn run_generate(args: &GenerateArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let bar = std::sync::OnceLock::new();
    let progress = |done: usize, total: usize| {
        let bar = bar.get_or_init(|| door.output.progress("statements", total as u64));
        bar.set(done as u64);
    };
    let generated = if args.draft {
        write_drafts(&installation, &door.stamp(), args.period, &progress).await?
    } else {
        generate(&installation, &door.stamp(), args.period, args.dry_run, &progress).await?
    };
    drop(bar);
    door.output.data(&generated.statements, |issued| issued_table(issued, args.dry_run, door))?;
    said(&generated, args, door);
    if args.send {
        let outcome = send(&installation, &door.stamp(), args.period, false, &|_, _| {}).await?;
        return sent(&outcome, door, true);
    }
    Ok(())
}

fn said(generated: &Generated, args: &GenerateArgs, door: &Door) {
    let changed =
        generated.statements.iter().filter(|issued| issued.change != Change::Unchanged).count() as u64;
    let happened = if args.draft { "would change" } else { "changed" };
    for issued in &generated.statements {
        if let Change::Replaced(words) = &issued.change {
            let who = format!("{}, {}", issued.pi_email, issued.project_id);
            door.output.message(&format!("{} ({who}) {happened}: {}", issued.number, words.join("; ")));
        }
    }
    if 0 < generated.held.rows {
        let held = count(generated.held.rows, "charge is", "charges are");
        let cost = exact(generated.held.cost, door.currency());
        door.output.warning(&format!("{held} held for review and on no statement: {cost}"));
    }
    for alert in &generated.alerts {
        door.output.warning(alert);
    }
    if args.dry_run {
        door.output.message("dry run: nothing was issued");
        return;
    }
    if args.draft {
        let written = count(generated.rendered as u64, "draft was", "drafts were");
        door.output.message(&format!("{written} written; nothing was issued, and nothing can be sent"));
        return;
    }
    let issued = count(changed, "statement is", "statements are");
    let rendered = count(generated.rendered as u64, "document", "documents");
    door.output.message(&format!("{issued} new or changed; {rendered} rendered"));
    if !args.send {
        door.output.hint(&format!("next is `focus-billing send --period {}`", args.period));
    }
}

/// A column that stands only where somebody else pays.
const SUBSIDY: &str = "subsidy";

fn issued_table(issued: &[Issued], dry_run: bool, door: &Door) -> String {
    if issued.is_empty() {
        return "nothing is billable: there are no statements to make\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("statement"),
        Column::text("PI"),
        Column::text("project"),
        Column::number("list"),
        Column::number("discount"),
        Column::number(SUBSIDY),
        Column::number("amount due"),
        Column::text(if dry_run { "would be" } else { "file" }),
    ]);
    for statement in issued {
        let last = match (&statement.change, &statement.path) {
            (Change::New, _) if dry_run => "new".to_owned(),
            (Change::Replaced(words), _) if dry_run => words.join("; "),
            (Change::Unchanged, _) if dry_run => "unchanged".to_owned(),
            (_, path) => or_dash(path.as_deref()),
        };
        let number = if statement.version == 0 {
            statement.number.to_string()
        } else {
            format!("{} v{}", statement.number, statement.version)
        };
        table.row([
            number,
            statement.pi_email.clone(),
            statement.project_id.clone(),
            posted(statement.totals.list, door.currency()),
            posted(statement.totals.discount, door.currency()),
            posted(statement.totals.subsidy, door.currency()),
            posted(statement.totals.due, door.currency()),
            last,
        ]);
    }
    let sum = |of: fn(&Issued) -> Minor| posted(issued.iter().map(of).sum(), door.currency());
    table.total([
        count(issued.len() as u64, "statement", "statements"),
        String::new(),
        String::new(),
        sum(|issued| issued.totals.list),
        sum(|issued| issued.totals.discount),
        sum(|issued| issued.totals.subsidy),
        sum(|issued| issued.totals.due),
        String::new(),
    ]);
    if issued.iter().all(|issued| issued.totals.subsidy.is_zero()) {
        table.drop_column(SUBSIDY);
    }
    table.render()
}

pub async fn run(command: StatementCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        StatementCommand::List(filter) => list(&filter, door).await,
        StatementCommand::Diff { before, after } => {
            drop(installation);
            statement_diff::run(&before, after.as_deref(), door).await
        }
        StatementCommand::Zip { period, output } => {
            let files = statements::bundle(&installation, period).await?;
            let shown = output.display();
            let file = std::fs::File::options().write(true).create_new(true).open(&output);
            let file = file.with_context(|| format!("cannot write `{shown}`"))?;
            statements::write_bundle(&files, std::io::BufWriter::new(file))?;
            let documents = count(files.len() as u64, "document is", "documents are");
            door.output.message(&format!("{documents} in {shown}"));
            Ok(())
        }
        StatementCommand::Show { number, version } => {
            let detail = statements::show(&installation, &StatementNumber(number), version).await?;
            Ok(door.output.data(&Shown::of(&detail), |_| show(&detail, door))?)
        }
    }
}

/// `statements list --json`.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    standing: &'a StatementStanding,
    number: &'a StatementNumber,
    version: u32,
    list_cost: String,
    discount: String,
    subsidy: String,
    amount_due: String,
}

async fn list(filter: &StatementFilter, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let mut rows = statements::list(&installation, filter.period, filter.pi.as_deref(), true).await?;
    rows.retain(|one| filter.project.as_ref().is_none_or(|project| *project == one.row.project_id));
    let places = door.currency().code.places();
    let listed: Vec<Listed<'_>> = rows
        .iter()
        .map(|standing| (standing, &standing.row))
        .map(|(standing, row)| Listed {
            standing,
            number: &row.id.number,
            version: row.id.version,
            list_cost: row.totals.list.decimal(places),
            discount: row.totals.discount.decimal(places),
            subsidy: row.totals.subsidy.decimal(places),
            amount_due: row.totals.due.decimal(places),
        })
        .collect();
    Ok(door.output.data(&listed, |_| list_table(&rows, door))?)
}

pub fn list_table(rows: &[StatementStanding], door: &Door) -> String {
    if rows.is_empty() {
        return "no statements were issued yet; `focus-billing generate --period YYYY-MM` makes them\n"
            .to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("statement"),
        Column::text("period"),
        Column::text("PI"),
        Column::text("project"),
        Column::number("list"),
        Column::number("discount"),
        Column::number(SUBSIDY),
        Column::number("amount due"),
        Column::text("state"),
    ]);
    for StatementStanding { row, state, .. } in rows {
        table.row([
            format!("{} v{}", row.id.number, row.id.version),
            row.period.to_string(),
            row.pi_email.clone(),
            row.project_id.clone(),
            posted(row.totals.list, door.currency()),
            posted(row.totals.discount, door.currency()),
            posted(row.totals.subsidy, door.currency()),
            posted(row.totals.due, door.currency()),
            life(state),
        ]);
    }
    if rows.iter().all(|row| row.row.totals.subsidy.is_zero()) {
        table.drop_column(SUBSIDY);
    }
    table.render()
}

/// `superseded by v2`
fn life(state: &StatementState) -> String {
    match state {
        StatementState::Superseded { by_version, .. } => format!("superseded by v{by_version}"),
        _ => state.name().to_owned(),
    }
}

/// `statements show --json`: the model as issued, with its documents and versions.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    statement: &'a billing::statement::Statement,
    #[serde(flatten)]
    state: &'a StatementState,
    documents: &'a [ledger::StatementDocument],
    versions: Vec<u32>,
    /// The versions with what became of each.
    history: &'a [StatementStanding],
    emails: &'a [StatementEmail],
}

impl Shown<'_> {
    fn of(detail: &StatementDetail) -> Shown<'_> {
        Shown {
            statement: &detail.statement,
            state: &detail.state,
            documents: &detail.documents,
            versions: detail.versions.iter().map(|one| one.row.id.version).collect(),
            history: &detail.versions,
            emails: &detail.emails,
        }
    }
}

/// `cpu v1: 1500 core-hour at 0.1 = 150.00, free units -10.00`
fn rated(used: &RatedUse, currency: &Currency) -> String {
    let amount = |amount: Amount| posted(amount.round(currency.code.places()), currency);
    let RatedUse { code, version, quantity, unit, price, .. } = used;
    let adjusted = used.adjustments().map(|(what, by)| format!("{what} {}", amount(by)));
    let priced = format!("{code} v{version}: {quantity} {unit} at {price} = {}", amount(used.cost));
    joined(std::iter::once(priced).chain(adjusted))
}

pub fn show(detail: &StatementDetail, door: &Door) -> String {
    let statement = &detail.statement;
    let mut text = format!(
        "statement {} v{}, {}, issued {}\n  PI               {}\n  project          {}\n  fund_org         {}\n",
        statement.number,
        statement.version,
        statement.period.name(),
        statement.issued_on,
        statement.pi_email,
        statement.project_id,
        or_dash(Some(statement.fund_orgs.join(", ").as_str()).filter(|text| !text.is_empty())),
    );
    let _ = writeln!(text, "  state            {}", life(&detail.state));
    if let Some(replaces) = &statement.replaces {
        let _ = writeln!(text, "  replaces         {replaces}");
    }
    if let StatementState::Superseded { by_version, why, .. } = &detail.state {
        let why = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let _ = writeln!(text, "  replaced by      version {by_version}{why}");
    }
    let mut table = Table::new(vec![
        Column::text("service"),
        Column::text("source"),
        Column::text("fund_org"),
        Column::text("account"),
        Column::number("charges"),
        Column::number("list"),
        Column::number("discount"),
        Column::number(SUBSIDY),
        Column::number("due"),
    ]);
    let currency = door.currency();
    for line in &statement.lines {
        table.row([
            or_dash(line.group.service_name.as_deref()),
            line.group.source.clone(),
            or_dash(line.group.fund_org.as_deref()),
            or_dash(line.group.account_code.as_deref()),
            line.group.charges.to_string(),
            posted(line.list, currency),
            posted(line.discount, currency),
            posted(line.subsidy, currency),
            posted(line.due, currency),
        ]);
    }
    let totals = statement.totals;
    let blank = String::new;
    table.total([
        "total".to_owned(),
        blank(),
        blank(),
        blank(),
        blank(),
        posted(totals.list, currency),
        posted(totals.discount, currency),
        posted(totals.subsidy, currency),
        posted(totals.due, currency),
    ]);
    if statement.lines.iter().all(|line| line.subsidy.is_zero()) {
        table.drop_column(SUBSIDY);
    }
    let _ = write!(text, "\n{}", table.render());
    for used in &statement.rates {
        let _ = writeln!(text, "\nrate {}", rated(used, currency));
    }
    for note in &statement.notes {
        let _ = writeln!(text, "\n{note}");
    }
    for document in &detail.documents {
        let _ = writeln!(text, "\n{} instance/documents/{}", document.kind, document.path);
    }
    for email in &detail.emails {
        let (state, at) = (email.state.name(), moment(email.stamp.at));
        let _ = writeln!(text, "\ne-mail to {}: {state} {at} by {}", email.to, email.stamp.by);
    }
    text
}

pub async fn run_send(args: &SendArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    if let Some(number) = &args.again {
        let reason = args.reason.as_deref().unwrap_or_default();
        return sent(&send_again(&installation, &door.stamp(), number, reason).await?, door, false);
    }
    // clap lets no other command line through.
    let Some(period) = args.period else { return Err(Refusal::new("no period was given")) };
    let bar = std::sync::OnceLock::new();
    let progress = |done: usize, total: usize| {
        bar.get_or_init(|| door.output.progress("messages", total as u64)).set(done as u64);
    };
    let outcome = send(&installation, &door.stamp(), period, args.retry_uncertain, &progress).await?;
    drop(bar);
    sent(&outcome, door, false)
}

fn sent(outcome: &Outcome, door: &Door, after_generate: bool) -> Result<(), Refusal> {
    if !after_generate || !door.output.is_json() {
        door.output.data(outcome, sent_lines)?;
    }
    if outcome.failed.is_empty() && outcome.uncertain.is_empty() {
        return Ok(());
    }
    let failed = outcome.failed.iter().map(|delivery| format!("{}: {}", delivery.pi_email, delivery.detail));
    let uncertain = outcome
        .uncertain
        .iter()
        .map(|delivery| format!("{}: uncertain: {}", delivery.pi_email, delivery.detail));
    let mut refusal = Refusal::new(format!(
        "{} not sent, {} uncertain",
        count(outcome.failed.len() as u64, "message was", "messages were"),
        outcome.uncertain.len()
    ))
    .with_details(failed.chain(uncertain).collect());
    if !outcome.failed.is_empty() {
        refusal = refusal.with_hint("`focus-billing send` again sends what was refused, and nothing twice");
    }
    if !outcome.uncertain.is_empty() {
        refusal = refusal.with_hint(
            "ask the PI or the mail server; `send --retry-uncertain` sends again what may have arrived",
        );
    }
    Err(refusal)
}

fn sent_lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for delivery in &outcome.sent {
        let _ =
            writeln!(text, "{}: {} ({})", delivery.pi_email, delivery.statements.join(", "), delivery.detail);
    }
    let sent = count(outcome.sent.len() as u64, "message was", "messages were");
    let _ = writeln!(text, "{sent} sent; {} had been sent before", outcome.already_sent);
    text
}

/// A PI's month by project.
pub async fn run_show(args: &ShowArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let request = ReportRequest {
        period: Some(args.period),
        by: vec!["project_id".to_owned(), "state".to_owned()],
        filter: Filter { pi_email: Some(args.pi.clone()), ..Filter::default() },
        ..ReportRequest::default()
    };
    let rows = report(&installation, &request).await?;
    if rows.is_empty() {
        return Err(Refusal::new(format!("{} has no charges in {}", args.pi, args.period)).with_hint(
            format!(
                "`focus-billing report --period {} --by pi_email --state all` shows who has",
                args.period
            ),
        ));
    }
    let data: Vec<ProjectMonth<'_>> = rows.iter().map(ProjectMonth::of).collect();
    Ok(door.output.data(&data, |data| project_table(data, door))?)
}

#[derive(Serialize)]
struct ProjectMonth<'a> {
    project_id: Option<&'a str>,
    state: Option<&'a str>,
    charges: u64,
    list_cost: money::Amount,
    billed_cost: money::Amount,
}

impl ProjectMonth<'_> {
    fn of(row: &TotalsRow) -> ProjectMonth<'_> {
        let key = |at: usize| row.keys.get(at).and_then(Option::as_deref);
        ProjectMonth {
            project_id: key(0),
            state: key(1),
            charges: row.rows,
            list_cost: row.list_cost,
            billed_cost: row.billed_cost,
        }
    }
}

/// A sum with the currency's symbol: the one figure of a table that says what the others are in.
fn with_symbol(amount: money::Amount, currency: &money::Currency) -> String {
    let sign = if amount.is_negative() { "-" } else { "" };
    format!("{sign}{}{}", currency.symbol, exact(amount.abs(), currency))
}

fn project_table(rows: &[ProjectMonth<'_>], door: &Door) -> String {
    let mut table = Table::new(vec![
        Column::text("project"),
        Column::text("state"),
        Column::number("charges"),
        Column::number("list cost"),
        Column::number("billed cost"),
    ]);
    for row in rows {
        table.row([
            or_dash(row.project_id),
            or_dash(row.state),
            row.charges.to_string(),
            exact(row.list_cost, door.currency()),
            exact(row.billed_cost, door.currency()),
        ]);
    }
    // What was rejected is shown, and is in no total.
    let counted = || rows.iter().filter(|row| row.state != Some("rejected"));
    let total =
        |of: fn(&ProjectMonth<'_>) -> money::Amount| with_symbol(counted().map(of).sum(), door.currency());
    table.total([
        "total".to_owned(),
        String::new(),
        counted().map(|row| row.charges).sum::<u64>().to_string(),
        total(|row| row.list_cost),
        total(|row| row.billed_cost),
    ]);
    table.render()
}

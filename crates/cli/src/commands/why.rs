use std::fmt::Write as _;

use workflow::why::{
    Became, LineOf, LineStory, Link, MonthOf, Packed, StatementChain, Sum, Why, evidence, why,
};

use super::Door;
use super::words::count;
use crate::args::WhyArgs;
use crate::output::{Refusal, exact, posted};

/// So many charges of a statement are followed to their lines.
const LINKS: usize = 20;

pub async fn run(args: &WhyArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    if let Some(path) = &args.evidence {
        let packed = evidence(&installation, &args.reference, path).await?;
        return Ok(door.output.data(&packed, told_packed)?);
    }
    let chain = why(&installation, &args.reference, args.period, LINKS).await?;
    Ok(door.output.data(&chain, |chain| told(chain, door))?)
}

fn told(chain: &Why, door: &Door) -> String {
    match chain {
        Why::Charge(story) => super::charges::told(story, door),
        Why::Import(detail) => super::imports::show(detail, "", door),
        Why::Statement(chain) => statement(chain, door),
        Why::Line(story) => line(story, door),
        Why::Month(month) => month_of(month, door),
        Why::Journal(chain) => {
            let mut text = format!("journal {}\n", chain.document);
            for row in &chain.lines {
                let line = &row.posted;
                let side = match line.side {
                    billing::journal::Side::Debit => "debit",
                    billing::journal::Side::Credit => "credit",
                };
                let _ = writeln!(
                    text,
                    "  line {:<4} {side:<6} {:>14}  {} account {}, {} [{}]",
                    row.line,
                    posted(line.amount, door.currency()),
                    line.fund_org,
                    line.account,
                    line.description,
                    line.reference_id
                );
            }
            for file in &chain.files {
                let _ = writeln!(
                    text,
                    "  {} file {}{} (sha256 {})",
                    file.format,
                    file.path,
                    if file.copy { ", a copy" } else { "" },
                    file.sha256
                );
            }
            let _ = writeln!(text, "\nit posts these statements; `focus-billing why NUMBER` follows each:");
            for number in &chain.statements {
                let _ = writeln!(text, "  {number}");
            }
            let _ = writeln!(text, "\nfrom the charges of:");
            for delivered in &chain.delivered {
                let files = delivered.files.join(", ");
                let _ = writeln!(text, "  import {} of {}: {files}", delivered.import, delivered.source);
            }
            text
        }
    }
}

fn statement(chain: &StatementChain, door: &Door) -> String {
    let mut text = super::statements::show(&chain.detail, door);
    let charges = count(chain.charge_count, "charge", "charges");
    let has_month = chain.detail.statement.rates.iter().any(|used| !used.adjustment().is_zero());
    let month = if has_month { ", with what the rates above change for the month" } else { "" };
    let _ = writeln!(text, "\nit is the sum of {charges}{month}:");
    for link in &chain.charges {
        text.push_str(&charge(link, door));
    }
    let more = chain.charge_count.saturating_sub(chain.charges.len() as u64);
    if 0 < more {
        let statement = &chain.detail.statement;
        let _ = writeln!(
            text,
            "  … and {more} more: `focus-billing charges list --period {} --pi {} --project {}`",
            statement.period, statement.pi_email, statement.project_id
        );
    }
    if !chain.journal_lines.is_empty() {
        let _ = writeln!(text, "\nit was posted by:");
        for row in &chain.journal_lines {
            let amount = posted(row.posted.amount, door.currency());
            let _ = writeln!(
                text,
                "  journal {} line {}: {amount} on {}",
                row.document, row.line, row.posted.fund_org
            );
        }
    }
    text
}

fn charge(link: &Link, door: &Door) -> String {
    let charge = &link.charge;
    let service = charge.service_name.as_deref().unwrap_or("–");
    let resource = charge.resource_id.as_deref().unwrap_or("–");
    let delivered = match link.delivered.line {
        0 => format!("{}: {}", link.delivered.file, link.delivered.text),
        number => format!("{} line {number}", link.delivered.file),
    };
    format!(
        "  {:<8} {:>14}  {service}, {resource}: {delivered}\n",
        charge.id.to_string(),
        exact(charge.cost, door.currency()),
    )
}

fn told_packed(packed: &Packed) -> String {
    let numbers: Vec<&str> = packed.statements.iter().map(|number| number.0.as_str()).collect();
    format!(
        "{}: {}, {} behind {}\n  sha256 {}\n",
        packed.path,
        count(packed.files, "file", "files"),
        count(packed.charges, "charge", "charges"),
        numbers.join(", "),
        packed.sha256
    )
}

fn line(story: &LineStory, door: &Door) -> String {
    let mut text = String::new();
    for of in &story.deliveries {
        if !text.is_empty() {
            text.push('\n');
        }
        let place = format!("{} line {}", story.file, story.line);
        let _ = writeln!(text, "{place}, in import {} of {}: {}", of.import, of.source, became(of, door));
    }
    text
}

fn became(of: &LineOf, door: &Door) -> String {
    match &of.became {
        Became::Charge { story } => {
            format!("it is a charge\n{}", super::charges::told(story, door).trim_end())
        }
        Became::Gone { charge, state, by_import, reason, successor } => {
            let mut text =
                format!("it was charge {charge}, and counts no more: the import was {}", state.name());
            if let Some(by) = by_import {
                let _ = write!(text, " by import {by}");
            }
            if let Some(reason) = reason {
                let _ = write!(text, " ({reason})");
            }
            match successor {
                Some(charge) => {
                    let _ = write!(text, "\n  charge {charge} is in its place now");
                }
                None => text.push_str("\n  nothing that counts now is in its place"),
            }
            text
        }
        Became::Quarantined { text: row, problems } => {
            let mut text = "it could not be a charge, and was kept aside".to_owned();
            for problem in problems {
                let value =
                    if problem.value.is_empty() { String::new() } else { format!("`{}` ", problem.value) };
                let _ = write!(text, "\n  {}: {value}{}", problem.column, problem.message);
            }
            let _ = write!(text, "\n  as delivered: {row}");
            text
        }
        Became::LeftOut { period, columns } => {
            let period = period.as_deref().unwrap_or("its period");
            let mut text = format!("it was read and made no charge: {period} took no imports then");
            for (column, value) in columns.iter().filter(|(_, value)| !value.is_empty()) {
                let _ = write!(text, "\n  {column:<26} {value}");
            }
            text
        }
        Became::Used { usage } => {
            format!("what was used of it is in {usage}, made of this file and kept beside it")
        }
        Became::Header => "it is the header".to_owned(),
        Became::NoRow { rows } => {
            format!("no row begins there; the file has {}", count(*rows, "row", "rows"))
        }
        Became::Pruned => {
            "the delivered bytes were removed by `lake prune`, with the charges made of them".to_owned()
        }
    }
}

fn month_of(month: &MonthOf, door: &Door) -> String {
    let sum = |sum: &Sum| {
        format!("{}, {}", count(sum.charges, "charge", "charges"), exact(sum.cost, door.currency()))
    };
    let kind = if month.is_pi { "PI" } else { "project" };
    let mut text = format!("{kind} {} in {}\n", month.subject, month.period);
    for standing in &month.standing {
        let mut state = standing.state.clone();
        if let Some(period) = &standing.billed_in {
            let _ = write!(state, " to {period}");
        }
        if let Some(flags) = &standing.flags {
            let _ = write!(state, " ({flags})");
        }
        let _ = writeln!(text, "  {state}: {}", sum(&standing.sum));
    }
    if month.standing.is_empty() {
        text.push_str("  no charges\n");
    }
    for number in &month.statements {
        let _ = writeln!(text, "  on statement {number}");
    }
    for reassigned in &month.reassigned {
        let to = if reassigned.to.is_empty() { "nobody" } else { &reassigned.to };
        let _ = writeln!(text, "  reassigned to {to}: {}", sum(&reassigned.sum));
    }
    for dead in &month.dead {
        let (import, state) = (dead.import, dead.state.name());
        let _ =
            writeln!(text, "  in import {import} of {}, which was {state}: {}", dead.source, sum(&dead.sum));
    }
    if 0 < month.nameless.charges {
        let _ = writeln!(text, "  held because they name no {kind}: {}", sum(&month.nameless));
    }
    for source in &month.missing_sources {
        let _ = writeln!(
            text,
            "  {source} has delivered nothing for {}, and had charges of it before",
            month.period
        );
    }
    if let Some(period) = month.last_seen {
        let _ = writeln!(text, "  the latest month before with charges of it: {period}");
    }
    text
}

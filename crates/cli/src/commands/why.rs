use std::fmt::Write as _;

use workflow::why::{Link, StatementChain, Why, why};

use super::Door;
use super::words::count;
use crate::args::WhyArgs;
use crate::output::{Refusal, exact, posted};

/// So many charges of a statement are followed to their lines.
const LINKS: usize = 20;

pub async fn run(args: &WhyArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let chain = why(&installation, &args.reference, LINKS).await?;
    Ok(door.output.data(&chain, |chain| told(chain, door))?)
}

fn told(chain: &Why, door: &Door) -> String {
    match chain {
        Why::Charge(story) => super::charges::told(story, door),
        Why::Import(detail) => super::imports::show(detail, "", door),
        Why::Statement(chain) => statement(chain, door),
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
    let _ = writeln!(text, "\nit is the sum of {}:", count(chain.charge_count, "charge", "charges"));
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

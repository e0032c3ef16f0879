use std::fmt::Write as _;

use ledger::{ImportFilter, PartState};
use workflow::imports::{self, ImportDetail, ImportSummary};

use super::Door;
use super::words::{count, joined, moment};
use crate::args::{ImportCommand, WithdrawArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: ImportCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        ImportCommand::List => {
            let imports = imports::list(&installation, &ImportFilter::default()).await?;
            Ok(door.output.data(&imports, |imports| list(imports, door))?)
        }
        ImportCommand::Show(args) => {
            let detail = imports::show(&installation, args.import).await?;
            let is_there = |file: &String| !detail.pruned.iter().any(|pruned| pruned.file.path == *file);
            let quarantined = if detail.summary.row.quarantine_file.as_ref().is_some_and(is_there) {
                String::from_utf8_lossy(&imports::quarantined(&installation, args.import).await?).into_owned()
            } else {
                String::new()
            };
            Ok(door.output.data(&detail, |detail| show(detail, &quarantined, door))?)
        }
        ImportCommand::Reread(args) => super::ingest::run_reread(&args, door).await,
        ImportCommand::Withdraw(args) => withdraw(args, door).await,
    }
}

async fn withdraw(args: WithdrawArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let import = args.import.import;
    let detail = imports::show(&installation, import).await?;
    let billed = exact(detail.summary.row.costs.billed_cost, door.currency());
    let charges = count(detail.summary.row.charges, "charge", "charges");
    door.output.confirm(&format!("withdraw import {import}: {charges}, billed {billed}?"), args.yes)?;
    imports::withdraw(&installation, &door.stamp(), import, &args.reason).await?;
    door.output.message(&format!("import {import} is withdrawn: {charges}, billed {billed}, count no more"));
    Ok(())
}

fn state(summary: &ImportSummary) -> &'static str {
    let live = summary.parts.iter().filter(|part| part.state == PartState::Live).count();
    match (live, summary.parts.first().map(|part| part.state)) {
        (0, Some(PartState::Withdrawn)) => "withdrawn",
        (0, Some(_)) => "superseded",
        (live, _) if live == summary.parts.len() => "live",
        _ => "partly live",
    }
}

fn list(imports: &[ImportSummary], door: &Door) -> String {
    if imports.is_empty() {
        return "nothing was imported yet; `focus-billing ingest FILE` begins\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("import"),
        Column::text("source"),
        Column::text("periods"),
        Column::text("files"),
        Column::number("charges"),
        Column::number("held"),
        Column::number("quarantined"),
        Column::number("billed cost"),
        Column::text("state"),
        Column::text("when (UTC)"),
    ]);
    for summary in imports {
        let row = &summary.row;
        let mut periods: Vec<_> = summary.parts.iter().map(|part| part.part.key.period).collect();
        periods.dedup();
        table.row([
            row.import.to_string(),
            row.source_name.to_string(),
            joined(periods),
            joined(summary.files.iter().map(|file| &file.name)),
            row.charges.to_string(),
            row.flagged.to_string(),
            row.quarantined.to_string(),
            exact(row.costs.billed_cost, door.currency()),
            state(summary).to_owned(),
            moment(row.committed.at),
        ]);
    }
    table.render()
}

pub fn show(detail: &ImportDetail, quarantined: &str, door: &Door) -> String {
    let (row, currency) = (&detail.summary.row, door.currency());
    let mut text = format!(
        "import {} of {}, {}, by {} at {} UTC\n",
        row.import,
        row.source_name,
        state(&detail.summary),
        row.committed.by,
        moment(row.committed.at)
    );
    let _ = writeln!(
        text,
        "  rows             {} delivered, {} charges, {} quarantined",
        row.rows, row.charges, row.quarantined
    );
    for (name, amount) in [
        ("list cost", row.costs.list_cost),
        ("contracted cost", row.costs.contracted_cost),
        ("billed cost", row.costs.billed_cost),
        ("effective cost", row.costs.effective_cost),
    ] {
        let _ = writeln!(text, "  {name:<16} {}", exact(amount, currency));
    }
    for file in &detail.summary.files {
        let _ = writeln!(
            text,
            "  file             {} ({}, {} bytes, sha256 {})",
            file.name,
            file.format,
            super::words::grouped(file.size_bytes),
            file.sha256
        );
    }
    for pruned in &detail.pruned {
        let _ = writeln!(text, "  {:<16} {}", imports::when(pruned), pruned.file.path);
    }
    for note in &row.notes {
        let _ = writeln!(text, "  note             {note}");
    }
    for event in detail.events.iter().filter(|event| event.state != PartState::Live) {
        let account = if event.key.account.is_empty() {
            String::new()
        } else {
            format!(" (account {})", event.key.account)
        };
        let what = match (&event.by_import, &event.reason) {
            (Some(by), _) => format!("{} by import {by}", event.state.name()),
            (None, Some(reason)) => format!("{}: {reason}", event.state.name()),
            (None, None) => event.state.name().to_owned(),
        };
        let _ = writeln!(text, "  import {} {}{account} {what}", event.key.import, event.key.period);
    }
    let mut parts = Table::new(vec![
        Column::text("period"),
        Column::text("billing account"),
        Column::number("charges"),
        Column::number("held"),
        Column::number("billed cost"),
        Column::text("state"),
    ]);
    for part in &detail.summary.parts {
        let account = if part.part.key.account.is_empty() { "–" } else { &part.part.key.account };
        parts.row([
            part.part.key.period.to_string(),
            account.to_owned(),
            part.part.rows.to_string(),
            part.part.flagged.to_string(),
            exact(part.part.billed_cost, currency),
            part.state.name().to_owned(),
        ]);
    }
    let _ = write!(text, "\n{}", parts.render());
    if !detail.flags.is_empty() {
        let mut flags =
            Table::new(vec![Column::text("flag"), Column::number("charges"), Column::number("billed cost")]);
        for sum in &detail.flags {
            flags.row([sum.flag.clone(), sum.rows.to_string(), exact(sum.billed_cost, currency)]);
        }
        let _ = write!(text, "\n{}", flags.render());
    }
    if !quarantined.is_empty() {
        let _ = write!(text, "\nquarantined rows, as CSV:\n{quarantined}");
    }
    text
}

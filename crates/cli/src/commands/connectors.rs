use std::fmt::Write as _;

use billing::SourceName;
use connectors::Reconciliation;
use money::grouped;
use workflow::connectors::{Checked, Converted, KnownKind, Request, check, convert, list};
use workflow::import::GivenFile;

use super::Door;
use super::words::{count, joined};
use crate::args::{ConnectorCommand, ConvertArgs};
use crate::output::{Column, Refusal, Table};

pub fn run_convert(args: ConvertArgs, door: &Door) -> Result<(), Refusal> {
    let request = Request {
        kind: args.kind,
        files: args.files.into_iter().map(GivenFile::from).collect(),
        period: args.period,
        source: args.source.map(SourceName),
        output: args.output,
    };
    let converted = convert(&door.config.settings, &request)?;
    for note in &converted.reconciliation.notes {
        door.output.message(&format!("note: {note}"));
    }
    Ok(door.output.data(&converted, told)?)
}

fn told(converted: &Converted) -> String {
    let Reconciliation { period, rows, .. } = &converted.reconciliation;
    let of = converted.source.as_ref().map_or_else(
        || ", with no source's options: none is of this kind".to_owned(),
        |source| format!(", with the options of {source}"),
    );
    let mut text = format!(
        "{}: {} of {period}{of}\n\n",
        converted.output.display(),
        count(*rows, "row of usage", "rows of usage")
    );
    text.push_str(&reconciled(&converted.reconciliation));
    text
}

/// What was read, and what became of it.
pub fn reconciled(reconciliation: &Reconciliation) -> String {
    let mut table = Table::new(vec![
        Column::text("what became of it"),
        Column::number("records"),
        Column::number("seconds"),
        Column::number("core-seconds"),
    ]);
    for line in &reconciliation.lines {
        let counted = &line.counted;
        table.row([
            line.what.to_string(),
            grouped(counted.records),
            grouped(counted.elapsed_seconds),
            grouped(counted.core_seconds),
        ]);
    }
    let read = &reconciliation.read;
    table.total([
        "read".to_owned(),
        grouped(read.records),
        grouped(read.elapsed_seconds),
        grouped(read.core_seconds),
    ]);
    let mut text = table.render();
    if !reconciliation.is_even() {
        let (records, seconds, core_seconds) = reconciliation.difference();
        let _ = writeln!(text, "these differ by {records}, {seconds}, {core_seconds}: please report this");
    }
    text
}

pub async fn run(command: ConnectorCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        ConnectorCommand::List => {
            Ok(door.output.data(&list(&door.config.settings), |kinds| listed(kinds))?)
        }
        ConnectorCommand::Check { source } => {
            let installation = door.installation().await?;
            let checked = check(&installation, &SourceName(source)).await?;
            Ok(door.output.data(&checked, checked_in_words)?)
        }
    }
}

fn listed(kinds: &[KnownKind]) -> String {
    let mut table = Table::new(vec![Column::text("kind"), Column::text("reads"), Column::text("sources")]);
    for kind in kinds {
        let sources = if kind.sources.is_empty() { "–".to_owned() } else { joined(&kind.sources) };
        table.row([kind.kind.clone(), kind.reads.to_owned(), sources]);
    }
    table.render()
}

fn checked_in_words(checked: &Checked) -> String {
    if checked.findings.is_empty() {
        return format!("{} ({}): what it delivers can be billed\n", checked.source, checked.kind);
    }
    let mut text = format!("{} ({}):\n", checked.source, checked.kind);
    for finding in &checked.findings {
        let _ = writeln!(text, "  {finding}");
    }
    text
}

use std::fmt::Write as _;

use billing::journal::{JournalLine, JournalState, Side};
use ledger::JournalRecord;
use workflow::journals::{self, Answer, JournalDetail, JournalSummary};

use super::Door;
use super::journal::control;
use super::words::{joined, moment, or_dash};
use crate::args::JournalCommand;
use crate::output::{Column, Refusal, Table, posted};

pub async fn run(command: JournalCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let (journal, answer) = match command {
        JournalCommand::List { period } => {
            let journals = journals::list(&installation, period).await?;
            return Ok(door.output.data(&journals, |journals| list(journals, door))?);
        }
        JournalCommand::Show(journal) => {
            let detail = journals::show(&installation, &journal.document).await?;
            return Ok(door.output.data(&detail, |detail| show(detail, door))?);
        }
        JournalCommand::Accept { journal, note } => (journal, Answer::Accept { note }),
        JournalCommand::Reject { journal, reason } => (journal, Answer::Reject { reason }),
        JournalCommand::Waive { journal, reason } => (journal, Answer::Waive { reason }),
    };
    let record = journals::answer(&installation, &door.stamp(), &journal.document, &answer).await?;
    door.output
        .data(&record, |record| format!("{} is {}\n", record.journal.document, state(&record.state)))?;
    if !record.state.stands() {
        let period = record.journal.period;
        door.output.hint(&format!("`focus-billing export-journal --period {period}` posts its money again"));
    }
    Ok(())
}

/// `rejected, replaced by J-2025-01-2`
fn state(state: &JournalState) -> String {
    match state {
        JournalState::Rejected { replaced_by: Some(by), .. } => format!("rejected, replaced by {by}"),
        _ => state.name().to_owned(),
    }
}

/// What accounting or somebody said about it.
fn words(state: &JournalState) -> Option<&str> {
    match state {
        JournalState::Exported => None,
        JournalState::Accepted { note, .. } => note.as_deref(),
        JournalState::Rejected { reason, .. } | JournalState::Waived { reason, .. } => Some(reason),
    }
}

fn list(journals: &[JournalSummary], door: &Door) -> String {
    if journals.is_empty() {
        return "no journal was exported yet; `focus-billing export-journal --period YYYY-MM` makes one\n"
            .to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("journal"),
        Column::text("period"),
        Column::text("state"),
        Column::number("lines"),
        Column::number("debits"),
        Column::number("credits"),
        Column::number("hash total"),
        Column::text("exported"),
        Column::text("said"),
    ]);
    for summary in journals {
        let JournalRecord { journal, state: at, .. } = &summary.record;
        table.row([
            journal.document.clone(),
            journal.period.to_string(),
            state(at),
            summary.totals.lines.to_string(),
            posted(summary.totals.debits, door.currency()),
            posted(summary.totals.credits, door.currency()),
            summary.totals.hash_total.to_string(),
            moment(journal.recorded.at),
            or_dash(words(at)),
        ]);
    }
    table.render()
}

fn show(detail: &JournalDetail, door: &Door) -> String {
    let JournalRecord { journal, state: at, replaces, events } = &detail.summary.record;
    let mut text = format!(
        "journal {}, {}, {}\n{}",
        journal.document,
        journal.period.name(),
        state(at),
        control(&detail.summary.totals, door)
    );
    if !replaces.is_empty() {
        let _ = writeln!(text, "  posts again     {}", replaces.join(", "));
    }
    let _ = write!(text, "\n{}", lines_table(&detail.general_ledger, door));
    let _ = writeln!(text, "\nit posts {}", joined(&detail.statements));
    for file in &detail.files {
        let copy = if file.copy { ", a copy" } else { "" };
        let _ = writeln!(text, "{} file {}{copy}", file.format, file.path);
    }
    let recorded = &journal.recorded;
    let _ = writeln!(text, "\n{}  exported by {}", moment(recorded.at), recorded.by);
    for event in events {
        let by = event.by_document.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        let note = event.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let (at, who) = (moment(event.stamp.at), &event.stamp.by);
        let _ = writeln!(text, "{at}  {}{by}, {who}{note}", event.kind.name());
    }
    text
}

/// Debits and credits beside each other.
pub fn lines_table<'a>(lines: impl IntoIterator<Item = &'a JournalLine>, door: &Door) -> String {
    let mut table = Table::new(vec![
        Column::text("fund_org"),
        Column::text("account"),
        Column::number("debit"),
        Column::number("credit"),
        Column::text("description"),
        Column::text("reference"),
    ]);
    for line in lines {
        let amount = posted(line.amount, door.currency());
        let (debit, credit) = match line.side {
            Side::Debit => (amount, String::new()),
            Side::Credit => (String::new(), amount),
        };
        table.row([
            line.fund_org.clone(),
            line.account.clone(),
            debit,
            credit,
            line.description.clone(),
            line.reference_id.clone(),
        ]);
    }
    table.render()
}

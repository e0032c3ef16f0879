use billing::journal::{ControlTotals, Journal};
use workflow::journal::{Exported, Format, Preview, Request, export, preview};

use super::Door;
use super::journals::lines_table;
use super::words::{count, joined};
use crate::args::{ExportArgs, JournalFormat};
use crate::output::{Refusal, posted};

pub async fn run(args: ExportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    if args.dry_run {
        return dry_run(preview(&installation, args.period).await?.as_ref(), door);
    }
    let format = match args.format {
        JournalFormat::Detail => Format::Detail,
        JournalFormat::Summary => Format::Summary,
        JournalFormat::Gl => Format::Gl,
        JournalFormat::Template => Format::Template,
    };
    let here = |path: std::path::PathBuf| std::path::absolute(&path).unwrap_or(path);
    let request = Request {
        period: args.period,
        format,
        template: args.template.map(here),
        output: args.output.map(here),
        document: args.document,
    };
    let exported = export(&installation, &door.stamp(), &request).await?;
    for note in &exported.notes {
        door.output.message(&format!("note: {note}"));
    }
    if !exported.replaces.is_empty() {
        let (document, rejected) = (&exported.document, exported.replaces.join(", "));
        door.output.message(&format!("{document} posts again what accounting rejected as {rejected}"));
    }
    if exported.copy {
        let (document, format) = (&exported.document, exported.format);
        let bytes = if exported.same_bytes {
            "with the same bytes"
        } else {
            "with other bytes: the template or the configuration has changed since"
        };
        door.output.message(&format!("this is a COPY: {document} was exported as {format} before, {bytes}"));
    } else {
        let document = &exported.document;
        door.output.hint(&format!(
            "when accounting has answered: `focus-billing journals accept {document}`, or `reject`"
        ));
    }
    Ok(door.output.data(&exported, |exported| said(exported, door))?)
}

/// What is to be posted, and what the configuration lacks for it.
fn dry_run(preview: &Preview, door: &Door) -> Result<(), Refusal> {
    let lines = || preview.journal.iter().flat_map(Journal::lines);
    door.output.data(preview, |preview| match &preview.journal {
        Some(_) => format!("{}\n{}", lines_table(lines(), door), control(&preview.totals, door)),
        None if preview.missing.is_some() => String::new(),
        None if preview.standing.is_empty() => {
            "there is nothing to post: no statement was issued\n".to_owned()
        }
        None => format!("there is nothing left to post: {} stands\n", joined(&preview.standing)),
    })?;
    if let Some(missing) = &preview.missing {
        return Err(workflow::WorkflowError::from(missing.clone()).into());
    }
    if !preview.replaces.is_empty() {
        door.output.message(&format!("it posts again what was rejected as {}", joined(&preview.replaces)));
    }
    let again = preview.postings.iter().filter(|one| one.posted_before).count() as u64;
    if 0 < again {
        let statements = count(again, "statement", "statements");
        door.output.message(&format!("of {statements} only what changed since it was posted"));
    }
    door.output.message("dry run: nothing was recorded");
    Ok(())
}

fn said(exported: &Exported, door: &Door) -> String {
    let copy = if exported.copy { ", COPY" } else { "" };
    format!(
        "journal {}, {}{copy}\n{}  sha256          {}\n  file            {}\n",
        exported.document,
        exported.format,
        control(&exported.totals, door),
        exported.sha256,
        exported.path
    )
}

/// The control totals, a line each.
pub fn control(totals: &ControlTotals, door: &Door) -> String {
    let currency = door.currency();
    format!(
        "  lines           {}\n  debits          {}\n  credits         {}\n  balance         {}\n  \
         document total  {}\n  hash total      {}\n",
        totals.lines,
        posted(totals.debits, currency),
        posted(totals.credits, currency),
        posted(totals.balance(), currency),
        posted(totals.document_total(), currency),
        totals.hash_total
    )
}

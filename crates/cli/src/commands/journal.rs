use billing::journal::ControlTotals;
use workflow::journal::{Exported, Format, Request, export};

use super::Door;
use crate::args::{ExportArgs, JournalFormat};
use crate::output::{Refusal, posted};

pub async fn run(args: ExportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
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

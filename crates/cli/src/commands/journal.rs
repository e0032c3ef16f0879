use workflow::journal::{Exported, Format, Request, export};

use super::Door;
use super::words::count;
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
    };
    let exported = export(&installation, &door.stamp(), &request).await?;
    for note in &exported.notes {
        door.output.message(&format!("note: {note}"));
    }
    if exported.copy {
        let (document, format) = (&exported.document, exported.format);
        door.output.message(&format!(
            "this is a COPY: {document} was exported as {format} before, with the same bytes"
        ));
    }
    Ok(door.output.data(&exported, |exported| said(exported, door))?)
}

fn said(exported: &Exported, door: &Door) -> String {
    let currency = door.currency();
    let copy = if exported.copy { ", COPY" } else { "" };
    format!(
        "journal {}, {}: {}{copy}\n  debits   {}\n  credits  {}\n  sha256   {}\n  file     {}\n",
        exported.document,
        exported.format,
        count(exported.lines, "line", "lines"),
        posted(exported.debits, currency),
        posted(exported.credits, currency),
        exported.sha256,
        exported.path
    )
}

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use billing::LedgerNumber;
use ledger::{AuditFilter, AuditRow};
use serde::Serialize;
use workflow::audit::{self, Anchor, AnchorRef, ExportFormat, Verified};

use super::Door;
use crate::args::{AuditCommand, AuditFormat, AuditRows};
use crate::output::{Column, Refusal, Table};

pub async fn run(command: AuditCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        AuditCommand::List(rows) => {
            let rows = audit::list(&installation, &filter(rows)).await?;
            Ok(door.output.data(&rows, |rows| list(rows))?)
        }
        AuditCommand::Export { format, rows, host } => {
            let format = match format {
                AuditFormat::Json => ExportFormat::Json,
                AuditFormat::Csv => ExportFormat::Csv,
                AuditFormat::Splunk => ExportFormat::Splunk,
            };
            let text = audit::export(&installation, &filter(rows), format, &host).await?;
            Ok(door.output.text(&text)?)
        }
        AuditCommand::Anchor { output } => {
            let anchor = audit::anchor(&installation).await?;
            match output {
                Some(path) => write_anchor(&anchor, &path, door),
                None => Ok(door.output.data(&anchor, anchored)?),
            }
        }
        AuditCommand::Verify { anchor } => {
            let anchor = anchor.map(|text| read_anchor(&text)).transpose()?;
            let found = audit::verify(&installation, anchor.as_ref()).await?;
            door.output.data(&Told::of(&found), |_| verified(&found))?;
            if found.is_sound() {
                return Ok(());
            }
            Err(Refusal::new("the audit chain is broken").with_details(findings(&found)))
        }
    }
}

fn filter(rows: AuditRows) -> AuditFilter {
    AuditFilter {
        act: rows.act,
        by: rows.by,
        subject: rows.subject,
        text: rows.find,
        since: rows.since,
        until: rows.until,
        from: rows.from.map(LedgerNumber),
        to: rows.to.map(LedgerNumber),
        limit: rows.limit.map(|limit| limit as u64),
    }
}

/// An anchor that is there already is never overwritten: it may be the proof that is wanted.
fn write_anchor(anchor: &Anchor, path: &Path, door: &Door) -> Result<(), Refusal> {
    let text = serde_json::to_string_pretty(anchor)? + "\n";
    let shown = path.display();
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("cannot write the anchor to `{shown}`"))?;
    std::io::Write::write_all(&mut file, text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write the anchor to `{shown}`"))?;
    door.output.message(&format!("the chain up to act {} is anchored in {shown}", anchor.number));
    door.output.hint("keep it where nobody who can write to the ledger can change it");
    Ok(())
}

fn read_anchor(text: &str) -> Result<AnchorRef, Refusal> {
    match std::fs::read_to_string(text) {
        Ok(content) => Ok(AnchorRef::read(&content).map_err(workflow::WorkflowError::from)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            AnchorRef::read(text).map_err(|_| Refusal::new(format!("`{text}` is no file and no hash")))
        }
        Err(error) => {
            Err(Refusal::from(anyhow::Error::from(error).context(format!("cannot read the anchor `{text}`"))))
        }
    }
}

#[derive(Serialize)]
struct Told {
    sound: bool,
    rows: u64,
    head: i64,
    head_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchored: Option<LedgerNumber>,
    findings: Vec<String>,
}

impl Told {
    fn of(found: &Verified) -> Told {
        Told {
            sound: found.is_sound(),
            rows: found.check.rows,
            head: found.check.head.0,
            head_hash: found.check.head_hash.clone(),
            anchored: found.anchored,
            findings: findings(found),
        }
    }
}

fn findings(found: &Verified) -> Vec<String> {
    let anchor = found.not_anchored.iter().map(|why| format!("the chain does not contain the anchor: {why}"));
    found.check.findings.iter().map(ToString::to_string).chain(anchor).collect()
}

fn anchored(anchor: &Anchor) -> String {
    let Anchor { number, entries, hash, at, .. } = anchor;
    format!("act {number} of {entries}, done at {at}, with hash\n{hash}\n")
}

fn list(rows: &[AuditRow]) -> String {
    let mut table = Table::new(vec![
        Column::number("number"),
        Column::text("when (UTC)"),
        Column::text("who"),
        Column::text("act"),
        Column::text("subject"),
    ]);
    for row in rows {
        let at = row.at.get(..16).unwrap_or(&row.at).replace('T', " ");
        table.row([row.number.to_string(), at, row.by.clone(), row.act.clone(), row.subject.clone()]);
    }
    table.render()
}

fn verified(found: &Verified) -> String {
    let mut text = String::new();
    let check = &found.check;
    let what = if check.is_sound() { "sound" } else { "BROKEN" };
    let _ = writeln!(
        text,
        "the audit chain is {what}: {} acts, the last with hash {}",
        check.rows, check.head_hash
    );
    if let Some(number) = found.anchored {
        let _ = writeln!(text, "it contains the anchor: nothing up to act {number} was changed since");
    }
    text
}

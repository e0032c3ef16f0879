use std::fmt::Write as _;

use ledger::{AuditCheck, AuditFilter, AuditRow};
use serde::Serialize;
use workflow::audit;

use super::Door;
use crate::args::AuditCommand;
use crate::output::{Column, Refusal, Table};

pub async fn run(command: AuditCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        AuditCommand::List { limit } => {
            let limit = limit.map(|limit| limit as u64);
            let rows = audit::list(&installation, &AuditFilter { limit, ..AuditFilter::default() }).await?;
            Ok(door.output.data(&rows, |rows| list(rows))?)
        }
        AuditCommand::Verify => {
            let check = audit::verify(&installation).await?;
            door.output.data(&Verified::of(&check), |_| verified(&check))?;
            if check.is_sound() {
                return Ok(());
            }
            let findings = check.findings.iter().map(ToString::to_string).collect();
            Err(Refusal::new("the audit chain is broken").with_details(findings))
        }
    }
}

#[derive(Serialize)]
struct Verified {
    sound: bool,
    rows: u64,
    head: i64,
    head_hash: String,
    findings: Vec<String>,
}

impl Verified {
    fn of(check: &AuditCheck) -> Verified {
        Verified {
            sound: check.is_sound(),
            rows: check.rows,
            head: check.head.0,
            head_hash: check.head_hash.clone(),
            findings: check.findings.iter().map(ToString::to_string).collect(),
        }
    }
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

fn verified(check: &AuditCheck) -> String {
    let mut text = String::new();
    let what = if check.is_sound() { "sound" } else { "BROKEN" };
    let _ = writeln!(
        text,
        "the audit chain is {what}: {} acts, the last with hash {}",
        check.rows, check.head_hash
    );
    text
}

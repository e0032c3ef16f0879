use billing::decision::ChargeState;
use lake::TotalsRow;
use workflow::report::{ReportRequest, report_over};
use workflow::shapes::{SUMS, report_rows, sums};

use super::Door;
use super::words::or_dash;
use crate::args::{ReportArgs, ReportFormat, ReportState};
use crate::output::{Column, Refusal, Table, exact};

/// The figures of a row: how many charges, and their sums.
const FIGURES: [&str; 6] = ["rows", SUMS[0], SUMS[1], SUMS[2], SUMS[3], SUMS[4]];

pub async fn run(args: ReportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let states = match args.state {
        ReportState::Billable => vec![ChargeState::Billable],
        ReportState::Held => vec![ChargeState::Held],
        ReportState::Rejected => vec![ChargeState::Rejected],
        ReportState::Deferred => vec![ChargeState::Deferred],
        ReportState::All => Vec::new(),
    };
    let request = ReportRequest { by: args.by.clone(), states, ..ReportRequest::default() };
    let rows = report_over(&installation, &request, &args.period).await?;
    let format = if door.output.is_json() { ReportFormat::Json } else { args.format };
    let text = match format {
        ReportFormat::Table => table(&args.by, &rows, door),
        ReportFormat::Csv => csv(&args.by, &rows),
        ReportFormat::Json => json(&args.by, &rows)?,
    };
    Ok(door.output.text(&text)?)
}

fn table(by: &[String], rows: &[TotalsRow], door: &Door) -> String {
    if rows.is_empty() {
        return "no charge is like that\n".to_owned();
    }
    let mut columns: Vec<Column> = by.iter().map(|name| Column::text(name)).collect();
    columns.extend(FIGURES.map(|name| Column::number(&name.replace('_', " "))));
    let mut table = Table::new(columns);
    let shown = |row: &TotalsRow| {
        let sums = sums(row).map(|amount| exact(amount, door.currency()));
        std::iter::once(row.rows.to_string()).chain(sums).collect::<Vec<_>>()
    };
    let mut total: Option<TotalsRow> = None;
    for row in rows {
        table.row(row.keys.iter().map(|key| or_dash(key.as_deref())).chain(shown(row)));
        match &mut total {
            Some(total) => total.add(row),
            None => total = Some(row.clone()),
        }
    }
    if let Some(total) = total.filter(|_| !by.is_empty()) {
        let names =
            std::iter::once("total".to_owned()).chain(std::iter::repeat_n(String::new(), by.len() - 1));
        table.total(names.chain(shown(&total)));
    }
    table.render()
}

/// For machines: nothing is escaped but what CSV needs.
fn csv(by: &[String], rows: &[TotalsRow]) -> String {
    let mut text = by.iter().map(String::as_str).chain(FIGURES).map(cell).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in rows {
        let keys = row.keys.iter().map(|key| cell(key.as_deref().unwrap_or_default()));
        let sums = sums(row).map(|amount| amount.to_string());
        let line: Vec<String> = keys.chain(std::iter::once(row.rows.to_string())).chain(sums).collect();
        text.push_str(&line.join(","));
        text.push('\n');
    }
    text
}

/// RFC 4180.
pub(super) fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn json(by: &[String], rows: &[TotalsRow]) -> Result<String, Refusal> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&report_rows(by, rows))?))
}

use billing::decision::ChargeState;
use lake::TotalsRow;
use money::Amount;
use workflow::report::{ReportRequest, report_over};

use super::Door;
use super::words::or_dash;
use crate::args::{ReportArgs, ReportFormat, ReportState};
use crate::output::{Column, Refusal, Table, exact};

const SUMS: [&str; 6] = ["rows", "list_cost", "contracted_cost", "billed_cost", "effective_cost", "discount"];

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

fn amounts(row: &TotalsRow) -> [Amount; 5] {
    [row.list_cost, row.contracted_cost, row.billed_cost, row.effective_cost, row.discount]
}

fn table(by: &[String], rows: &[TotalsRow], door: &Door) -> String {
    if rows.is_empty() {
        return "no charge is like that\n".to_owned();
    }
    let mut columns: Vec<Column> = by.iter().map(|name| Column::text(name)).collect();
    columns.extend(SUMS.map(|name| Column::number(&name.replace('_', " "))));
    let mut table = Table::new(columns);
    let figures = |row: &TotalsRow| {
        let sums = amounts(row).map(|amount| exact(amount, door.currency()));
        std::iter::once(row.rows.to_string()).chain(sums).collect::<Vec<_>>()
    };
    let mut total: Option<TotalsRow> = None;
    for row in rows {
        table.row(row.keys.iter().map(|key| or_dash(key.as_deref())).chain(figures(row)));
        match &mut total {
            Some(total) => total.add(row),
            None => total = Some(row.clone()),
        }
    }
    if let Some(total) = total.filter(|_| !by.is_empty()) {
        let names =
            std::iter::once("total".to_owned()).chain(std::iter::repeat_n(String::new(), by.len() - 1));
        table.total(names.chain(figures(&total)));
    }
    table.render()
}

/// For machines: nothing is escaped but what CSV needs.
fn csv(by: &[String], rows: &[TotalsRow]) -> String {
    let mut text = by.iter().map(String::as_str).chain(SUMS).map(cell).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in rows {
        let keys = row.keys.iter().map(|key| cell(key.as_deref().unwrap_or_default()));
        let sums = amounts(row).map(|amount| amount.to_string());
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
    let objects: Vec<serde_json::Map<String, serde_json::Value>> = rows
        .iter()
        .map(|row| {
            let keys = by.iter().cloned().zip(row.keys.iter().map(|key| serde_json::json!(key)));
            let rows = std::iter::once(("rows".to_owned(), serde_json::json!(row.rows)));
            let sums = SUMS[1..].iter().map(|name| (*name).to_owned());
            let sums = sums.zip(amounts(row).map(|amount| serde_json::json!(amount)));
            keys.chain(rows).chain(sums).collect()
        })
        .collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&objects)?))
}

use billing::Period;
use billing::payers::Shares;
use workflow::payers::{Payers, PayersRequest, payers};
use workflow::shapes::{SHARES, payer_rows, shares as shares_of};

use super::Door;
use super::report::cell;
use super::words::{joined, or_dash};
use crate::args::{PayersArgs, ReportFormat};
use crate::output::{Column, Refusal, Table, posted};

pub async fn run(args: PayersArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let request = PayersRequest {
        periods: args.period,
        fiscal_year: args.fiscal_year,
        by: args.by,
        drafts: args.drafts,
    };
    let payers = payers(&installation, &request).await?;
    tell(&payers, door);
    let names: Vec<&str> = request.by.iter().map(|key| key.name()).collect();
    let format = if door.output.is_json() { ReportFormat::Json } else { args.format };
    let text = match format {
        ReportFormat::Table => table(&names, &payers, door),
        ReportFormat::Csv => csv(&names, &payers, door),
        ReportFormat::Json => {
            let told = payer_rows(&request, &payers, door.currency().code.places());
            format!("{}\n", serde_json::to_string_pretty(&told)?)
        }
    };
    Ok(door.output.text(&text)?)
}

/// What the figures are of, where that is not plain.
fn tell(payers: &Payers, door: &Door) {
    let list = |periods: &[Period]| joined(periods.iter().map(ToString::to_string));
    if !payers.drafts.is_empty() {
        door.output.message(&format!("as it would be billed today: {}", list(&payers.drafts)));
    }
    if !payers.left_out.is_empty() {
        let periods = list(&payers.left_out);
        door.output.message(&format!("no statements yet, not counted: {periods} (`--drafts` counts them)"));
    }
}

fn table(names: &[&str], payers: &Payers, door: &Door) -> String {
    if payers.rows.is_empty() {
        return "nothing was billed\n".to_owned();
    }
    let mut columns: Vec<Column> = names.iter().map(|name| Column::text(name)).collect();
    columns.extend(SHARES.map(|name| Column::number(&name.replace('_', " "))));
    let mut table = Table::new(columns);
    let shown = |shares: &Shares| shares_of(shares).map(|amount| posted(amount, door.currency()));
    let mut total = Shares::default();
    for row in &payers.rows {
        total.add(&row.shares);
        table.row(row.keys.iter().map(|key| or_dash(key.as_deref())).chain(shown(&row.shares)));
    }
    if let Some(blank) = names.len().checked_sub(1) {
        let names = std::iter::once("total".to_owned()).chain(std::iter::repeat_n(String::new(), blank));
        table.total(names.chain(shown(&total)));
    }
    table.render()
}

fn decimals(shares: &Shares, door: &Door) -> [String; 4] {
    let places = door.currency().code.places();
    shares_of(shares).map(|amount| amount.decimal(places))
}

/// For machines: nothing is escaped but what CSV needs.
fn csv(names: &[&str], payers: &Payers, door: &Door) -> String {
    let mut text = names.iter().copied().chain(SHARES).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in &payers.rows {
        let keys = row.keys.iter().map(|key| cell(key.as_deref().unwrap_or_default()));
        text.push_str(&keys.chain(decimals(&row.shares, door)).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

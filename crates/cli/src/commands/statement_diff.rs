use billing::statement::{LineDifference, LineFigures, LineKind};
use money::Minor;
use workflow::statements::{ComparedStatements, compare};

use super::Door;
use super::words::{count, or_dash};
use crate::output::{Column, Refusal, Table, posted};

/// `statements diff`.
pub async fn run(before: &str, after: Option<&str>, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let compared = compare(&installation, before, after).await?;
    Ok(door.output.data(&compared, |compared| told(compared, door))?)
}

fn told(compared: &ComparedStatements, door: &Door) -> String {
    let ComparedStatements { before, after, project_id, difference } = compared;
    let [before, after] = [before, after].map(|id| format!("{} v{}", id.number, id.version));
    let mut table = Table::new(vec![
        Column::text("line"),
        Column::text("service"),
        Column::text("source"),
        Column::text("fund_org"),
        Column::text("account"),
        Column::number("charges"),
        Column::number("due before"),
        Column::number("due after"),
        Column::number("difference"),
    ]);
    for line in &difference.lines {
        table.row(row(line, door));
    }
    let currency = door.currency();
    let (was, is) = (difference.before.due, difference.after.due);
    let mut total = vec!["amount due".to_owned()];
    total.resize(6, String::new());
    total.extend([posted(was, currency), posted(is, currency), signed(is - was, door)]);
    table.total(total);
    let unchanged = count(difference.unchanged as u64, "line is", "lines are");
    format!("{project_id}: {before} and {after}\n\n{}{unchanged} the same\n", table.render())
}

fn row(line: &LineDifference, door: &Door) -> [String; 9] {
    let due = |figures: &Option<LineFigures>| {
        figures.map_or_else(String::new, |figures| posted(figures.due, door.currency()))
    };
    let charges = |figures: &Option<LineFigures>| figures.map_or(0, |figures| figures.charges);
    let (was, is) = (charges(&line.before), charges(&line.after));
    let service = or_dash(line.service_name.as_deref());
    [
        line.what().to_owned(),
        if line.kind == LineKind::Usage { service } else { format!("{service} ({})", line.kind.name()) },
        line.source.clone(),
        or_dash(line.fund_org.as_deref()),
        or_dash(line.account_code.as_deref()),
        if was == is { is.to_string() } else { format!("{was} → {is}") },
        due(&line.before),
        due(&line.after),
        signed(line.due(), door),
    ]
}

/// With a plus where it is more.
fn signed(amount: Minor, door: &Door) -> String {
    let plus = if Minor::ZERO < amount { "+" } else { "" };
    format!("{plus}{}", posted(amount, door.currency()))
}

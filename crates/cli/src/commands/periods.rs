use std::fmt::Write as _;

use billing::Period;
use workflow::periods::{self, Missing, NotSettled, PeriodSummary};

use super::Door;
use super::words::{count, moment};
use crate::args::PeriodCommand;
use crate::output::{Column, Refusal, Table, exact, posted};

pub async fn run(command: PeriodCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let stamp = door.stamp();
    match command {
        PeriodCommand::List => {
            let periods = periods::list(&installation).await?;
            Ok(door.output.data(&periods, |periods| list(periods, door))?)
        }
        PeriodCommand::Show(args) => {
            let summary = periods::show(&installation, args.period).await?;
            door.output.data(&summary, |summary| show(summary, door))?;
            if summary.record.state.name() == "closed" {
                missing(periods::missing(&installation, args.period).await?.as_ref(), door);
            }
            Ok(())
        }
        PeriodCommand::Open(args) => {
            periods::open(&installation, &stamp, args.period).await?;
            said(door, args.period, "is open");
            Ok(())
        }
        PeriodCommand::Close(args) => {
            periods::close(&installation, &stamp, args.period, args.notes.as_deref()).await?;
            said(door, args.period, "is closed");
            door.output.hint(&format!("next is `focus-billing generate --period {}`", args.period));
            Ok(())
        }
        PeriodCommand::Reopen(args) => {
            periods::reopen(&installation, &stamp, args.period, &args.reason).await?;
            said(door, args.period, "is open again");
            Ok(())
        }
        PeriodCommand::Finalize(args) => {
            periods::finalize(&installation, &stamp, args.period, args.notes.as_deref()).await?;
            said(door, args.period, "is finalized");
            Ok(())
        }
    }
}

/// What stands between a closed period and being final.
fn missing(missing: &Missing, door: &Door) {
    let NotSettled { unposted, rejected, unanswered } = &missing.not_settled;
    let counted = |number: u64, one: &str, many: &str| (0 < number).then(|| count(number, one, many));
    let parts: Vec<String> = [
        counted(missing.held, "charge held", "charges held"),
        counted(missing.without_statements, "charge on no statement", "charges on no statement"),
        counted(unposted.len() as u64, "statement not posted", "statements not posted"),
        counted(rejected.len() as u64, "journal rejected", "journals rejected"),
        counted(unanswered.len() as u64, "journal without an answer", "journals without an answer"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !parts.is_empty() {
        door.output.hint(&format!("before it can be finalized: {}", parts.join(", ")));
    }
}

fn said(door: &Door, period: Period, what: &str) {
    door.output.message(&format!("{period} {what}"));
}

fn list(periods: &[PeriodSummary], door: &Door) -> String {
    if periods.is_empty() {
        return "no period is open yet; `focus-billing ingest FILE` opens the periods of its rows\n"
            .to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::text("state"),
        Column::number("charges"),
        Column::number("cost"),
        Column::number("held"),
        Column::number("held cost"),
        Column::number("statements"),
        Column::number("amount due"),
    ]);
    for summary in periods {
        let totals = &summary.totals;
        table.row([
            summary.record.period.to_string(),
            summary.record.state.name().to_owned(),
            totals.charges.rows.to_string(),
            exact(totals.charges.cost, door.currency()),
            totals.held.rows.to_string(),
            exact(totals.held.cost, door.currency()),
            summary.statements.to_string(),
            posted(summary.amount_due, door.currency()),
        ]);
    }
    table.render()
}

fn show(summary: &PeriodSummary, door: &Door) -> String {
    let mut text = format!("{} is {}\n\n", summary.record.period, summary.record.state.name());
    let mut table = Table::new(vec![
        Column::text("charges"),
        Column::number("count"),
        Column::number("list cost"),
        Column::number("cost"),
    ]);
    let totals = &summary.totals;
    for (name, sum) in [
        ("billable", totals.billable),
        ("held for review", totals.held),
        ("rejected", totals.rejected),
        ("deferred to later", totals.deferred),
    ] {
        table.row([
            name.to_owned(),
            sum.rows.to_string(),
            exact(sum.list_cost, door.currency()),
            exact(sum.cost, door.currency()),
        ]);
    }
    let all = totals.charges;
    table.total([
        "all".to_owned(),
        all.rows.to_string(),
        exact(all.list_cost, door.currency()),
        exact(all.cost, door.currency()),
    ]);
    text.push_str(&table.render());
    if 0 < totals.deferred_here.rows {
        let sum = totals.deferred_here;
        let _ = writeln!(
            text,
            "\ndeferred here from earlier periods: {} charges, {}",
            sum.rows,
            exact(sum.cost, door.currency())
        );
    }
    if 0 < summary.statements {
        let _ = writeln!(
            text,
            "\n{} statements, {} due",
            summary.statements,
            posted(summary.amount_due, door.currency())
        );
    }
    text.push('\n');
    for event in &summary.record.events {
        let note = event.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let _ =
            writeln!(text, "{}  {} by {}{note}", moment(event.stamp.at), event.act.name(), event.stamp.by);
    }
    text
}

use std::fmt::Write as _;

use billing::Period;
use billing::period::{NextAct, PeriodState, StepState};
use money::Amount;
use workflow::overview::{Change, MissingSource, MonthOf, Overview, Slices, Value, current_period, overview};

use super::Door;
use super::words::{count, grouped, joined, or_dash};
use crate::args::OverviewArgs;
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(args: &OverviewArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let period = match args.period {
        Some(period) => period,
        None => current_period(&installation).await?.ok_or_else(|| {
            Refusal::new("no period is open yet").with_hint("`ingest FILE` opens the periods of its rows")
        })?,
    };
    let overview = overview(&installation, period).await?;
    door.output.data(&*overview, |overview| told(overview, door))?;
    if !door.output.is_json()
        && let Some(next) = overview.next
    {
        door.output.hint(&format!("next is {}", way_on(next, period)));
    }
    Ok(())
}

fn way_on(next: NextAct, period: Period) -> String {
    match next {
        NextAct::Import => "`focus-billing ingest FILE`".to_owned(),
        NextAct::Review => format!("`focus-billing review list --period {period}`"),
        NextAct::Close => format!("`focus-billing periods close {period}`"),
        NextAct::Reopen => format!(
            "`focus-billing periods reopen {period} --reason …` to decide them, or `review defer` to bill them next month"
        ),
        NextAct::Generate => format!("`focus-billing generate --period {period}`"),
        NextAct::Send => format!("`focus-billing send --period {period}`"),
        NextAct::SettleMessages => {
            format!("`focus-billing send --period {period} --retry-uncertain`, when they did not arrive")
        }
        NextAct::Export => format!("`focus-billing export-journal --period {period}`"),
        NextAct::Answer => "`focus-billing journals accept DOCUMENT`, when accounting has".to_owned(),
        NextAct::Finalize => format!("`focus-billing periods finalize {period}`"),
    }
}

fn told(overview: &Overview, door: &Door) -> String {
    let mut text = format!("{} is {}\n\n", overview.period.name(), overview.state.name());
    for standing in &overview.checklist {
        let mark = match standing.state {
            StepState::Done => "✓",
            StepState::Next => "→",
            StepState::Possible | StepState::Blocked => "·",
        };
        let _ = writeln!(text, "  {mark} {:<10} {}", standing.step.name(), standing.why);
    }
    text.push('\n');
    text.push_str(&money(overview, door));
    text.push_str(&sources(&overview.missing_sources));
    let changes = &overview.changes;
    if let Some(against) = changes.against {
        for (name, rows) in
            [("PI", &changes.by_pi), ("service", &changes.by_service), ("source", &changes.by_source)]
        {
            text.push_str(&changed(name, against, rows, door));
        }
    }
    text.push_str(&slices("service", &overview.by_service, door));
    text.push_str(&slices("source", &overview.by_source, door));
    text.push_str(&value(&overview.value, door));
    text.push_str(&trend(overview, door));
    text
}

fn money(overview: &Overview, door: &Door) -> String {
    let (money, work) = (overview.money, overview.work);
    let billed = match (overview.issued, &overview.state) {
        (true, _) => "billed",
        (false, PeriodState::Open) => "to bill, as it is",
        (false, _) => "to bill",
    };
    let mut table = Table::new(vec![Column::text(overview.currency.as_str()), Column::number("amount")]);
    for (name, amount) in [
        ("list price", money.list),
        ("discount", money.discount),
        ("subsidies", money.subsidy),
        ("credits", money.credits),
    ] {
        table.row([name.to_owned(), exact(amount, door.currency())]);
    }
    table.total([billed.to_owned(), exact(money.billed, door.currency())]);
    let mut text = table.render();
    let _ = writeln!(
        text,
        "{} of {} in {}",
        count(work.billable, "charge", "charges"),
        count(work.resources, "resource", "resources"),
        count(work.projects, "project", "projects")
    );
    if 0 < work.held {
        let held = count(work.held, "charge", "charges");
        let _ = writeln!(text, "held for review: {held}, {}", exact(money.held, door.currency()));
    }
    text
}

fn sources(missing: &[MissingSource]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let said = missing.iter().map(|missing| match missing.last {
        Some(last) => format!("{} (last for {last})", missing.source),
        None => missing.source.clone(),
    });
    format!("\nnot delivered yet: {}\n", joined(said))
}

fn changed(name: &str, against: Period, changes: &[Change], door: &Door) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec![
        Column::text(&format!("{name}, against {against}")),
        Column::number("before"),
        Column::number("now"),
        Column::number("difference"),
    ]);
    for change in changes {
        let sign = if change.difference < Amount::ZERO { "" } else { "+" };
        table.row([
            or_dash(change.name.as_deref()),
            exact(change.before, door.currency()),
            exact(change.now, door.currency()),
            format!("{sign}{}", exact(change.difference, door.currency())),
        ]);
    }
    format!("\n{}", table.render())
}

fn slices(name: &str, slices: &Slices, door: &Door) -> String {
    if slices.largest.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec![
        Column::text(name),
        Column::number("charges"),
        Column::number("list price"),
        Column::number("cost"),
    ]);
    for slice in slices.largest.iter().chain(&slices.others) {
        let name = match slice.count {
            1 => or_dash(slice.name.as_deref()),
            others => format!("{others} others"),
        };
        table.row([
            name,
            grouped(slice.spend.charges),
            exact(slice.spend.list, door.currency()),
            exact(slice.spend.cost, door.currency()),
        ]);
    }
    format!("\n{}", table.render())
}

fn value(value: &Value, door: &Door) -> String {
    let mut text = format!(
        "\nvalue delivered: {} at list price for {}\n",
        exact(value.list, door.currency()),
        exact(value.billed, door.currency())
    );
    for payer in &value.payers {
        let _ =
            writeln!(text, "  {} paid {} ({})", payer.payer, exact(payer.paid, door.currency()), payer.name);
    }
    text
}

fn trend(overview: &Overview, door: &Door) -> String {
    let known: Vec<_> = overview.trend.iter().filter(|month| month.of != MonthOf::Nothing).collect();
    if known.len() < 2 {
        return String::new();
    }
    let mut table = Table::new(vec![
        Column::text("month"),
        Column::number("list price"),
        Column::number("billed"),
        Column::text("by"),
    ]);
    for month in known {
        table.row([
            month.period.to_string(),
            exact(month.list, door.currency()),
            exact(month.billed, door.currency()),
            match month.of {
                MonthOf::Statements => "statements",
                MonthOf::Drafts => "drafts",
                MonthOf::Charges | MonthOf::Nothing => "charges",
            }
            .to_owned(),
        ]);
    }
    format!("\n{}", table.render())
}

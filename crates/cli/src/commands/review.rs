use billing::decision::Reassignment;
use billing::unusual::{Mode, UnusualCost};
use lake::Filter;
use workflow::review::{self, Act, Decided, Queue, Selection};
use workflow::unusual::{Tried, try_rule as tried};

use super::Door;
use super::words::{count, moment, or_dash};
use crate::args::{DecisionArgs, ReviewCommand, ReviewFilter, RulesCommand, TryArgs, UndoArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: ReviewCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        ReviewCommand::List(filter) => list(&filter, door).await,
        ReviewCommand::Approve(args) => decide(Act::Approve, &args, door).await,
        ReviewCommand::Reject(args) => decide(Act::Reject, &args, door).await,
        ReviewCommand::Defer(args) => decide(Act::Defer(args.to), &args.decision, door).await,
        ReviewCommand::Reassign(args) => {
            let act = Act::Reassign(Reassignment::from(&args.change));
            decide(act, &args.decision, door).await
        }
        ReviewCommand::Rules(RulesCommand::Try(args)) => try_rule(&args, door).await,
        ReviewCommand::Rules(RulesCommand::Patterns(args)) => super::patterns::run(args, door).await,
        ReviewCommand::Undo(args) => undo(&args, door).await,
        ReviewCommand::History(args) => history(args.limit, door).await,
    }
}

/// Which charges, in the lake's words.
pub fn filter(args: &ReviewFilter) -> Filter {
    Filter {
        import: args.import,
        ids: args.ids.clone(),
        flags: args.flags.clone(),
        source: args.source.clone(),
        pi_email: args.pi.clone(),
        project_id: args.project.clone(),
        period: args.period,
        amount_min: args.min_amount,
        amount_max: args.max_amount,
        ..Filter::default()
    }
}

/// Decisions are made in the period that bills a charge, which for a deferred one is not its own.
fn billed(args: &ReviewFilter) -> Filter {
    Filter { period: None, billed_in: args.period, ..filter(args) }
}

async fn list(args: &ReviewFilter, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let queue = review::list(&installation, &billed(args), None).await?;
    if door.output.is_json() {
        return Ok(door.output.data(&queue.charges, |_| String::new())?);
    }
    door.output.text(&table(&queue, door))?;
    if !queue.charges.is_empty() {
        door.output.hint(
            "`focus-billing charges show CHARGE` shows what the file said; `review approve`, `reject`, `defer` or `reassign --id CHARGE` decides",
        );
    }
    Ok(())
}

fn table(queue: &Queue, door: &Door) -> String {
    if queue.charges.is_empty() {
        return "nothing is held for review\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("charge"),
        Column::text("PI"),
        Column::text("project"),
        Column::text("service"),
        Column::text("resource"),
        Column::number("cost"),
        Column::text("why"),
    ]);
    for charge in &queue.charges {
        let mut why: Vec<String> = charge.flags.iter().map(|flag| flag.name().to_owned()).collect();
        if let Some(detail) = &charge.flag_detail {
            why.push(format!("({detail})"));
        }
        table.row([
            charge.id.to_string(),
            or_dash(charge.pi_email.as_deref()),
            or_dash(charge.project_id.as_deref()),
            or_dash(charge.service_name.as_deref()),
            or_dash(charge.resource_name.as_deref().or(charge.resource_id.as_deref())),
            exact(charge.cost, door.currency()),
            why.join(" "),
        ]);
    }
    let total = count(queue.total, "charge", "charges");
    let empty = String::new;
    table.total([total, empty(), empty(), empty(), empty(), exact(queue.cost, door.currency()), empty()]);
    table.render()
}

async fn decide(act: Act, args: &DecisionArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let filter = billed(&args.filter);
    let selection = review::select(&installation, act, &filter).await?;
    if !selection.charges.is_empty() {
        door.output.confirm(&question(&selection, door), args.yes || is_single(&selection, &args.filter))?;
    }
    let decided =
        review::decide(&installation, &door.stamp(), &selection, &filter, args.note.as_deref()).await?;
    told(&decided, door)
}

/// A single charge that was named needs no question.
fn is_single(selection: &Selection, filter: &ReviewFilter) -> bool {
    filter.ids.len() == 1 && selection.charges.len() == 1
}

fn question(selection: &Selection, door: &Door) -> String {
    let charges = count(selection.charges.len() as u64, "charge", "charges");
    format!("{} {charges}, {} in all?", selection.act.name(), exact(selection.cost(), door.currency()))
}

fn told(decided: &Decided, door: &Door) -> Result<(), Refusal> {
    for skipped in &decided.skipped {
        door.output.message(&skipped.line());
    }
    let past = match decided.act {
        "approve" => "approved",
        "reject" => "rejected",
        "defer" => "deferred",
        "reassign" => "reassigned",
        _ => "taken back the decisions about",
    };
    let charges = count(decided.charges, "charge", "charges");
    let cost = exact(decided.cost, door.currency());
    Ok(door
        .output
        .data(decided, |decided| format!("{past} {charges}, {cost} in all (act {})\n", decided.number))?)
}

async fn undo(args: &UndoArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    if let Some(act) = args.act {
        let decided = review::undo_act(&installation, &door.stamp(), billing::LedgerNumber(act)).await?;
        return told(&decided, door);
    }
    let filter = filter(&args.filter);
    let (charges, cost) = review::select_undo(&installation, &filter).await?;
    if 1 < charges {
        let question = format!(
            "undo the decisions about {}, {} in all?",
            count(charges, "charge", "charges"),
            exact(cost, door.currency())
        );
        door.output.confirm(&question, args.yes)?;
    }
    let decided = review::undo(&installation, &door.stamp(), &filter).await?;
    told(&decided, door)
}

async fn history(limit: usize, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let (acts, _) = review::history(&installation, limit, 0).await?;
    Ok(door.output.data(&acts, |acts| {
        if acts.is_empty() {
            return "nothing was decided yet\n".to_owned();
        }
        let mut table = Table::new(vec![
            Column::number("act"),
            Column::text("when (UTC)"),
            Column::text("who"),
            Column::text("what"),
            Column::number("charges"),
            Column::number("still stand"),
            Column::number("cost"),
            Column::text("note"),
        ]);
        for act in acts {
            table.row([
                act.number.to_string(),
                moment(act.at),
                act.by.clone(),
                act.kind.clone(),
                act.charges.to_string(),
                if act.kind == "undo" { "–".to_owned() } else { act.standing.to_string() },
                exact(act.cost, door.currency()),
                or_dash(act.note.as_deref()),
            ]);
        }
        table.render()
    })?)
}

async fn try_rule(args: &TryArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let configured = installation.settings.review.unusual_cost;
    let rule = UnusualCost {
        ratio_percent: args.ratio.unwrap_or(configured.ratio_percent),
        minimum: args.minimum.unwrap_or(configured.minimum),
        months: args.months.unwrap_or(configured.months),
        ..configured
    };
    let tried = tried(&installation, &rule, args.period).await?;
    door.output.data(&tried, |tried| told_trial(tried, &rule, door))?;
    if !tried.found.is_empty() && configured.mode == Mode::Off {
        door.output.hint("`review: { unusual_cost: { mode: inform } }` in the configuration tells of it at imports; `hold` has it reviewed");
    }
    Ok(())
}

fn told_trial(tried: &Tried, rule: &UnusualCost, door: &Door) -> String {
    let money = |amount| exact(amount, door.currency());
    let times = |percent: i128| format!("{}.{:02}", percent / 100, percent % 100);
    let rule = format!(
        "at least {} times the median of up to {} months before, and {} above it",
        times(i128::from(rule.ratio_percent)),
        rule.months,
        money(rule.minimum)
    );
    if tried.periods.is_empty() {
        return format!("{rule}: no month has three months before it to be held against\n");
    }
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::text("project"),
        Column::text("service"),
        Column::number("cost"),
        Column::number("median"),
        Column::number("months"),
        Column::number("times"),
    ]);
    for found in &tried.found {
        let unusual = &found.unusual;
        table.row([
            found.period.to_string(),
            unusual.project_id.clone(),
            unusual.service_name.clone(),
            money(unusual.cost),
            money(unusual.median),
            unusual.months.to_string(),
            unusual.ratio_percent().map_or_else(|| "–".to_owned(), times),
        ]);
    }
    let shown = if tried.found.is_empty() { String::new() } else { table.render() + "\n" };
    format!(
        "{shown}{rule}: {} of {} in {}, {} in all\n",
        tried.found.len(),
        count(tried.looked_at, "use of a service by a project", "uses of a service by a project"),
        count(tried.periods.len() as u64, "month", "months"),
        money(tried.cost)
    )
}

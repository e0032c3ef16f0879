use billing::SourceName;
use billing::credit::{Alert, Credit, CreditId, Standing, moved_on};
use ledger::RuleRow;
use money::Amount;
use workflow::credits::{self, Balances, Change, Move};

use super::words::joined;
use super::{Door, funding, given};
use crate::args::{
    CreditAddArgs, CreditCommand, CreditEndArgs, CreditListArgs, CreditMoveArgs, CreditShowArgs, SureArgs,
};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: CreditCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        CreditCommand::List(args) => list(&args, door).await,
        CreditCommand::Add(args) => add(*args, door).await,
        CreditCommand::Move(args) => move_on(args, door).await,
        CreditCommand::End(args) => end(args, door).await,
        CreditCommand::Show(args) => show(&args, door).await,
        CreditCommand::Paid(args) => given::by_credit(&args, door).await,
    }
}

async fn add(args: CreditAddArgs, door: &Door) -> Result<(), Refusal> {
    let credit = Credit {
        id: CreditId::default(),
        kind: args.kind.into(),
        name: args.name,
        payer: args.payer,
        account_code: args.account_code,
        amount: args.amount,
        order: args.order,
        pis: args.pi,
        projects: args.project,
        sources: args.source.into_iter().map(SourceName).collect(),
        services: args.service,
        from: args.from,
        to: args.to,
        moved_from: None,
        note: args.note,
    };
    let amount = exact(credit.amount, door.currency());
    let what = format!("grant `{}`, {amount} paid by {}, to {}", credit.name, credit.payer, holders(&credit));
    change(&Change::Add(Box::new(credit)), &what, args.sure, door).await
}

async fn move_on(args: CreditMoveArgs, door: &Door) -> Result<(), Refusal> {
    let part = Move {
        from: args.credit,
        amount: args.amount,
        pis: args.to_pi,
        projects: args.to_project,
        note: args.note,
    };
    let amount = exact(part.amount, door.currency());
    let what = format!("move {amount} of credit {} to {}", part.from, whose(&part.pis, &part.projects));
    change(&Change::Move(part), &what, args.sure, door).await
}

async fn end(args: CreditEndArgs, door: &Door) -> Result<(), Refusal> {
    let what = format!("end credit {} with {}", args.credit, args.last);
    let end = Change::End { credit: args.credit, last: args.last, note: args.note };
    change(&end, &what, args.sure, door).await
}

async fn change(change: &Change, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effects = credits::preview(&installation, change).await?;
    if !funding::agreed(&effects, what, sure, door)? {
        return Ok(());
    }
    let (credit, number) = credits::change(&installation, &door.stamp(), change).await?;
    let words = match change {
        Change::Add(_) => format!("credit {credit} is granted"),
        Change::Move(part) => format!("credit {credit} is taken from credit {}", part.from),
        Change::End { last, .. } => format!("credit {credit} ends with {last}"),
    };
    funding::done((credit, number), &words, &effects, door)
}

fn whose(pis: &[String], projects: &[String]) -> String {
    let named = [("PI", pis), ("project", projects)];
    let named = named.into_iter().filter(|(_, list)| !list.is_empty());
    let named = joined(named.map(|(what, list)| format!("{what} {}", list.join(" or "))));
    if named.is_empty() { "nobody yet".to_owned() } else { named }
}

fn holders(credit: &Credit) -> String {
    whose(&credit.pis, &credit.projects)
}

async fn list(args: &CreditListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let today = billing::Period::of(door.stamp().day());
    let all = credits::list(&installation).await?;
    let known: Vec<Credit> = all.iter().map(|row| row.rule.clone()).collect();
    let mut rows = all;
    rows.retain(|row| args.all || row.rule.to.is_none_or(|to| today <= to));
    Ok(door.output.data(&rows, |rows| table(rows, &known, door))?)
}

const NONE: &str = "there are no credits; `focus-billing credits add` grants one\n";

fn table(rows: &[RuleRow<Credit>], all: &[Credit], door: &Door) -> String {
    if rows.is_empty() {
        return NONE.to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("credit"),
        Column::text("name"),
        Column::text("kind"),
        Column::text("payer"),
        Column::number("amount"),
        Column::number("moved on"),
        Column::text("held by"),
        Column::text("for"),
        Column::text("when"),
        Column::number("order"),
    ]);
    for RuleRow { rule: credit, .. } in rows {
        let to = credit.to.map_or_else(String::new, |to| format!(" to {to}"));
        let part = credit.moved_from.map_or_else(String::new, |from| format!(" (of {from})"));
        table.row([
            credit.id.to_string(),
            format!("{}{part}", credit.name),
            credit.kind.name().to_owned(),
            credit.payer.clone(),
            exact(credit.amount, door.currency()),
            exact(moved_on(all, credit.id), door.currency()),
            holders(credit),
            limits(credit),
            format!("from {}{to}", credit.from),
            credit.order.to_string(),
        ]);
    }
    table.render()
}

fn limits(credit: &Credit) -> String {
    let sources: Vec<String> = credit.sources.iter().map(ToString::to_string).collect();
    let named = [("source", &sources), ("service", &credit.services)];
    let named = named.into_iter().filter(|(_, list)| !list.is_empty());
    let named = joined(named.map(|(what, list)| format!("{what} {}", list.join(" or "))));
    if named.is_empty() { "everything".to_owned() } else { named }
}

async fn show(args: &CreditShowArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let Balances { period, credits } = credits::balances(&installation, args.period).await?;
    if args.period.is_none() && !door.output.is_json() {
        door.output.message(&format!("as {period} leaves them:"));
    }
    Ok(door.output.data(&credits, |credits| balance_table(credits, door))?)
}

fn balance_table(credits: &[Standing], door: &Door) -> String {
    if credits.is_empty() {
        return "no credit is in force in this period\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("credit"),
        Column::text("name"),
        Column::text("held by"),
        Column::number("amount"),
        Column::number("moved on"),
        Column::number("used before"),
        Column::number("used now"),
        Column::number("left"),
        Column::text("until"),
        Column::text(ALERTS),
    ]);
    let amount = |amount: Amount| exact(amount, door.currency());
    for standing in credits {
        let credit = &standing.credit;
        table.row([
            credit.id.to_string(),
            credit.name.clone(),
            holders(credit),
            amount(credit.amount),
            amount(standing.moved_on),
            amount(standing.drawn_before),
            amount(standing.drawn),
            amount(standing.left),
            credit.to.map_or_else(|| "–".to_owned(), |to| to.to_string()),
            joined(standing.alerts.iter().map(Alert::to_string)),
        ]);
    }
    if credits.iter().all(|standing| standing.alerts.is_empty()) {
        table.drop_column(ALERTS);
    }
    table.render()
}

/// A column that stands only where there is something to say.
const ALERTS: &str = "note";

use std::fmt::Write as _;

use billing::SourceName;
use billing::subsidy::{Scope, SubsidyId, SubsidyRule, Tier, Window};
use ledger::RuleRow;
use workflow::subsidies::{self, Balance, Change};

use super::words::{joined, or_dash};
use super::{Door, funding, given};
use crate::args::{
    SubsidyAddArgs, SubsidyCommand, SubsidyEndArgs, SubsidyListArgs, SubsidyShowArgs, SureArgs,
};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: SubsidyCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        SubsidyCommand::List(args) => list(&args, door).await,
        SubsidyCommand::Add(args) => add(*args, door).await,
        SubsidyCommand::End(args) => end(args, door).await,
        SubsidyCommand::Show(args) => show(&args, door).await,
        SubsidyCommand::Paid(args) => given::by_subsidy(&args, door).await,
    }
}

async fn add(args: SubsidyAddArgs, door: &Door) -> Result<(), Refusal> {
    let flat = args.percent.map(|percent| Tier { up_to: None, percent });
    let rule = SubsidyRule {
        id: SubsidyId::default(),
        name: args.name,
        payer: args.payer,
        account_code: args.account_code,
        order: args.order,
        stacks: !args.alone,
        sources: args.source.into_iter().map(SourceName).collect(),
        services: args.service,
        pis: args.pi,
        projects: args.project,
        tiers: flat.into_iter().chain(args.tier).collect(),
        cap: args.cap,
        carries_over: args.carry_over,
        scope: args.per.into(),
        window: args.every.into(),
        from: args.from,
        to: args.to,
        note: args.note,
        opening: Vec::new(),
    };
    let what = format!("write the subsidy `{}`, paid by {}", rule.name, rule.payer);
    change(&Change::Add(Box::new(rule)), &what, args.sure, door).await
}

async fn end(args: SubsidyEndArgs, door: &Door) -> Result<(), Refusal> {
    let what = format!("end subsidy {} with {}", args.rule, args.last);
    change(&Change::End { rule: args.rule, last: args.last, note: args.note }, &what, args.sure, door).await
}

async fn change(change: &Change, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effects = subsidies::preview(&installation, change).await?;
    if !funding::agreed(&effects, what, sure, door)? {
        return Ok(());
    }
    let (rule, number) = subsidies::change(&installation, &door.stamp(), change).await?;
    let words = match change {
        Change::Add(_) => format!("subsidy {rule} is written"),
        Change::End { last, .. } => format!("subsidy {rule} ends with {last}"),
    };
    funding::done((rule, number), &words, &effects, door)
}

async fn list(args: &SubsidyListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let today = billing::Period::of(door.stamp().day());
    let mut rows = subsidies::list(&installation).await?;
    rows.retain(|row| args.all || row.rule.to.is_none_or(|to| today <= to));
    if door.output.is_json() {
        return Ok(door.output.data(&rows, |_| String::new())?);
    }
    Ok(door.output.text(&table(&rows, door))?)
}

fn table(rows: &[RuleRow<SubsidyRule>], door: &Door) -> String {
    if rows.is_empty() {
        return "there are no subsidies; `focus-billing subsidies add` writes one\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("rule"),
        Column::text("name"),
        Column::text("payer"),
        Column::text("pays"),
        Column::text("for"),
        Column::text("when"),
        Column::number("order"),
    ]);
    for RuleRow { rule, .. } in rows {
        let to = rule.to.map_or_else(String::new, |to| format!(" to {to}"));
        table.row([
            rule.id.to_string(),
            rule.name.clone(),
            rule.payer.clone(),
            pays(rule, door),
            whom(rule),
            format!("from {}{to}", rule.from),
            rule.order.to_string(),
        ]);
    }
    table.render()
}

/// `100% up to 500, per project and fiscal year`.
fn pays(rule: &SubsidyRule, door: &Door) -> String {
    let tier = |tier: &Tier| match tier.up_to {
        Some(end) => format!("{}% up to {}", tier.percent, exact(end, door.currency())),
        None => format!("{}%", tier.percent),
    };
    let mut text = joined(rule.tiers.iter().map(tier));
    if let Some(cap) = rule.cap {
        let _ = write!(text, ", at most {}", exact(cap, door.currency()));
    }
    let is_counted = rule.cap.is_some() || rule.tiers.iter().any(|tier| tier.up_to.is_some());
    if is_counted {
        let scope = match rule.scope {
            Scope::Project => "project",
            Scope::Pi => "PI",
            Scope::User => "user",
            Scope::All => "everybody together",
        };
        let window = match rule.window {
            Window::Month => " and month",
            Window::Quarter => " and quarter",
            Window::Year => " and year",
            Window::FiscalYear => " and fiscal year",
            Window::Once => ", once",
        };
        let carried = if rule.carries_over { ", carried over" } else { "" };
        let _ = write!(text, ", per {scope}{window}{carried}");
    } else if rule.scope == Scope::User {
        text.push_str(" of what names its user");
    }
    text
}

fn whom(rule: &SubsidyRule) -> String {
    let sources: Vec<String> = rule.sources.iter().map(ToString::to_string).collect();
    let named =
        [("source", &sources), ("service", &rule.services), ("PI", &rule.pis), ("project", &rule.projects)];
    let named: Vec<String> = named
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("{what} {}", list.join(" or ")))
        .collect();
    if named.is_empty() { "everything".to_owned() } else { named.join(", ") }
}

async fn show(args: &SubsidyShowArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let balances = subsidies::balances(&installation, args.period).await?;
    Ok(door.output.data(&balances, |balances| balance_table(balances, door))?)
}

/// Columns that stand only where a rule carries over, or counts by them.
const CARRIED: &str = "carried over";
const USER: &str = "user";
const OWNER: [&str; 2] = ["PI", "project"];
const NO_USER: &str = "(not named)";

fn balance_table(balances: &[Balance], door: &Door) -> String {
    if balances.is_empty() {
        return "no subsidy pays anything of this period\n".to_owned();
    }
    let by_user = |balance: &Balance| balance.counts_by == Scope::User;
    let mut table = Table::new(vec![
        Column::number("rule"),
        Column::text("name"),
        Column::text(OWNER[0]),
        Column::text(OWNER[1]),
        Column::text(USER),
        Column::text("counted over"),
        Column::number(CARRIED),
        Column::number("cost seen"),
        Column::number("paid"),
        Column::number("left"),
    ]);
    for balance in balances {
        let over = match (balance.first, balance.last) {
            (first, last) if first == last => first.to_string(),
            (first, last) if last.year() == 9999 => format!("from {first}"),
            (first, last) => format!("{first} to {last}"),
        };
        table.row([
            balance.rule.to_string(),
            balance.name.clone(),
            or_dash(balance.pi_email.as_deref()),
            or_dash(balance.project_id.as_deref()),
            or_dash(balance.user.as_deref().or(by_user(balance).then_some(NO_USER))),
            over,
            balance.carried.map_or_else(|| "–".to_owned(), |carried| exact(carried, door.currency())),
            exact(balance.seen, door.currency()),
            exact(balance.paid, door.currency()),
            balance.left.map_or_else(|| "–".to_owned(), |left| exact(left, door.currency())),
        ]);
    }
    if balances.iter().all(|balance| balance.carried.is_none()) {
        table.drop_column(CARRIED);
    }
    if !balances.iter().any(by_user) {
        table.drop_column(USER);
    } else if balances.iter().all(by_user) {
        for name in OWNER {
            table.drop_column(name);
        }
    }
    table.render()
}

use billing::SourceName;
use billing::split::{Share, SplitId, SplitPart, SplitRule};
use ledger::RuleRow;
use workflow::splits::{self, Change};

use super::words::joined;
use super::{Door, funding, given};
use crate::args::{SplitAddArgs, SplitCommand, SplitEndArgs, SplitListArgs, SureArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: SplitCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        SplitCommand::List(args) => list(&args, door).await,
        SplitCommand::Add(args) => add(args, door).await,
        SplitCommand::End(args) => end(args, door).await,
        SplitCommand::Carried(args) => given::carried(&args, door).await,
    }
}

async fn add(args: SplitAddArgs, door: &Door) -> Result<(), Refusal> {
    let charge = match args.charge {
        Some(id) => Some(splits::charge(&door.installation().await?, id).await?),
        None => None,
    };
    let (charge, first) = charge.unzip();
    let rule = SplitRule {
        id: SplitId::default(),
        source: args.source.map(SourceName),
        pi_email: args.pi,
        project_id: args.project,
        charge,
        parts: args.parts,
        from: args.from.or(first).unwrap_or_default(),
        to: args.to,
        note: args.note,
    };
    let what = format!("split {} over {}", whose(&rule), shares(&rule, door));
    change(&Change::Add(Box::new(rule)), &what, args.sure, door).await
}

async fn end(args: SplitEndArgs, door: &Door) -> Result<(), Refusal> {
    let what = format!("end split {} on {}", args.rule, args.on);
    change(&Change::End { rule: args.rule, on: args.on, note: args.note }, &what, args.sure, door).await
}

async fn change(change: &Change, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effects = splits::preview(&installation, change).await?;
    if !funding::agreed(&effects, what, sure, door)? {
        return Ok(());
    }
    let (rule, number) = splits::change(&installation, &door.stamp(), change).await?;
    let words = match change {
        Change::Add(_) => format!("split {rule} is written"),
        Change::End { on, .. } => format!("split {rule} ends on {on}"),
    };
    funding::done((rule, number), &words, &effects, door)
}

/// `PI ada@example.edu, project looms`.
fn whose(rule: &SplitRule) -> String {
    let source = rule.source.as_ref().map(ToString::to_string);
    let charge = rule.charge.as_ref().map(|charge| charge.id.to_string());
    let named =
        [("charge", &charge), ("source", &source), ("PI", &rule.pi_email), ("project", &rule.project_id)];
    let named = named.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
    named.collect::<Vec<_>>().join(", ")
}

pub fn shares(rule: &SplitRule, door: &Door) -> String {
    joined(rule.parts.iter().map(|SplitPart { fund_org, share }| match share {
        Share::UpTo(amount) => format!("{fund_org} up to {}", exact(*amount, door.currency())),
        Share::Percent(percent) => format!("{fund_org} {percent}%"),
    }))
}

async fn list(args: &SplitListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let today = door.stamp().day();
    let mut rows = splits::list(&installation).await?;
    rows.retain(|row| args.all || row.rule.to.is_none_or(|to| today <= to));
    Ok(door.output.data(&rows, |rows| table(rows, door))?)
}

fn table(rows: &[RuleRow<SplitRule>], door: &Door) -> String {
    if rows.is_empty() {
        return "there are no splits; `focus-billing splits add` writes one\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("rule"),
        Column::text("for"),
        Column::text("over"),
        Column::text("when"),
        Column::text("note"),
    ]);
    for RuleRow { rule, .. } in rows {
        let to = rule.to.map_or_else(String::new, |to| format!(" to {to}"));
        table.row([
            rule.id.to_string(),
            whose(rule),
            shares(rule, door),
            format!("from {}{to}", rule.from),
            rule.note.clone(),
        ]);
    }
    table.render()
}

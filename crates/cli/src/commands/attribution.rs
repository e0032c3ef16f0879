use std::fmt::Write as _;

use billing::SourceName;
use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use ledger::RuleRow;
use workflow::attribution::{self, Change, Tested, Unreached, days, file};

use super::words::{count, joined, or_dash};
use super::{Door, given, reading};
use crate::args::{
    AddArgs, AttributionCommand, EndArgs, GivesArgs, RuleExportArgs, RuleFileArgs, RuleListArgs,
    RuleTestArgs, SureArgs, UnreachedArgs,
};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: AttributionCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        AttributionCommand::List(args) => list(&args, door).await,
        AttributionCommand::Add(args) => add(*args, door).await,
        AttributionCommand::End(args) => end(args, door).await,
        AttributionCommand::Import(args) => import(&args, door).await,
        AttributionCommand::Export(args) => export(&args, door).await,
        AttributionCommand::Test(args) => test(&args, door).await,
        AttributionCommand::Apply => reading::apply(door).await,
        AttributionCommand::Reached(args) => given::attributed(&args, door).await,
        AttributionCommand::Unreached(args) => unreached(&args, door).await,
    }
}

fn gives(args: GivesArgs) -> Attribution {
    Attribution {
        pi_email: args.pi,
        project_id: args.project,
        fund_org: args.fund_org,
        cost_center: args.cost_center,
        account_code: args.account_code,
        reference_1: args.reference_1,
        reference_2: args.reference_2,
        end_date: args.end_date.map(|day| day.to_string()),
        reconciliation_end: args.reconciliation_end.map(|day| day.to_string()),
        fallback_fund_org: args.fallback_fund_org,
        customer_class: args.customer_class,
        usage_user: args.usage_user,
    }
}

async fn add(args: AddArgs, door: &Door) -> Result<(), Refusal> {
    let rule = AttributionRule {
        id: RuleId(0),
        source: args.source.map(SourceName),
        key: args.key,
        value: args.value,
        gives: gives(args.gives),
        from: args.from,
        to: args.to,
        note: args.note.clone(),
    };
    let what = format!("write the rule {}", rule.subject());
    change(Change { add: vec![rule], note: args.note, ..Change::default() }, &what, args.sure, door).await
}

async fn end(args: EndArgs, door: &Door) -> Result<(), Refusal> {
    let what = format!("end rule {} on {}", args.rule, args.on);
    change(
        Change { end: vec![(args.rule, args.on)], note: args.note, ..Change::default() },
        &what,
        args.sure,
        door,
    )
    .await
}

async fn import(args: &RuleFileArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rules = file::read(&args.file)?;
    let read = rules.len();
    let add = attribution::new_rules(&installation, rules).await?;
    if add.is_empty() {
        door.output.message(&format!("all {read} rules are there already: nothing changed"));
        return Ok(());
    }
    let known = read - add.len();
    if 0 < known {
        door.output.message(&format!("{known} of {read} rules are there already"));
    }
    let what = format!("write {}", count(add.len() as u64, "rule", "rules"));
    change(Change { add, ..Change::default() }, &what, args.sure, door).await
}

/// Show what it would change, ask, record, and read again what it concerns.
async fn change(change: Change, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effect = attribution::preview(&installation, &door.stamp(), &change).await?;
    if !reading::agreed(&effect, what, sure, door)? {
        return Ok(());
    }
    let number = attribution::change(&installation, &door.stamp(), &change).await?;
    reading::done(&installation, number, &effect, "the attribution table has changed", door).await
}

async fn list(args: &RuleListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let today = door.stamp().day();
    let mut rows = attribution::list(&installation).await?;
    rows.retain(|row| args.all || row.rule.to.is_none_or(|to| today <= to));
    if let Some(source) = &args.source {
        let key = SourceName(source.clone()).key();
        rows.retain(|row| row.rule.source.as_ref().is_none_or(|source| source.key() == key));
    }
    Ok(door.output.data(&rows, |rows| table(rows))?)
}

fn table(rows: &[RuleRow<AttributionRule>]) -> String {
    if rows.is_empty() {
        return "there are no rules; `focus-billing attribution add` writes one\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("rule"),
        Column::text("source"),
        Column::text("key"),
        Column::text("value"),
        Column::text("gives"),
        Column::text("when"),
        Column::text("note"),
    ]);
    for RuleRow { rule, .. } in rows {
        table.row([
            rule.id.to_string(),
            rule.source.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string),
            rule.key.to_string(),
            rule.value.clone(),
            fields(&rule.gives),
            days(rule),
            rule.note.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

fn fields(given: &Attribution) -> String {
    let both = Attribution::FIELDS.into_iter().zip(given.values());
    joined(both.filter_map(|(name, value)| Some(format!("{name} {}", value?))))
}

async fn export(args: &RuleExportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rules: Vec<AttributionRule> =
        attribution::list(&installation).await?.into_iter().map(|row| row.rule).collect();
    let text = file::write(&rules)?;
    let Some(path) = &args.output else { return Ok(door.output.text(&text)?) };
    std::fs::write(path, text)
        .map_err(|error| Refusal::new(format!("cannot write `{}`: {error}", path.display())))?;
    door.output.message(&format!("{} in {}", count(rules.len() as u64, "rule", "rules"), path.display()));
    Ok(())
}

async fn test(args: &RuleTestArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let on = args.on.unwrap_or_else(|| door.stamp().day());
    let mut tags: [Option<String>; Attribution::COUNT] = Default::default();
    for (key, value) in &args.with {
        if let RuleKey::Field(field) = key {
            tags[*field] = Some(value.clone());
        }
    }
    let tags = Attribution::from_values(tags);
    let source = SourceName(args.source.clone());
    let tested = attribution::test(&installation, &source, &tags, &args.with, on).await?;
    Ok(door.output.data(&tested, |Tested { attribution, rules }| {
        let mut text = match rules.as_slice() {
            [] => format!("on {on} no rule fits\n"),
            rules => format!("on {on} by rule {}\n", joined(rules)),
        };
        for (name, value) in Attribution::FIELDS.into_iter().zip(attribution.values()) {
            if let Some(value) = value {
                let _ = writeln!(text, "  {name:<18} {value}");
            }
        }
        text
    })?)
}

async fn unreached(args: &UnreachedArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rows = attribution::unreached(&installation, args.period).await?;
    if door.output.is_json() {
        return Ok(door.output.data(&rows, |_| String::new())?);
    }
    door.output.text(&unreached_table(&rows, door))?;
    if !rows.is_empty() {
        door.output.hint(
            "`focus-billing attribution add` says whose an account is; `review reassign`, whose a charge is",
        );
    }
    Ok(())
}

fn unreached_table(rows: &[Unreached], door: &Door) -> String {
    if rows.is_empty() {
        return "every charge has a PI, a project and a fund\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("source"),
        Column::text("billing account"),
        Column::text("sub-account"),
        Column::number("charges"),
        Column::number("billed cost"),
    ]);
    for row in rows {
        table.row([
            row.source.clone(),
            or_dash(row.billing_account_id.as_deref()),
            or_dash(row.sub_account_id.as_deref()),
            row.charges.to_string(),
            exact(row.billed_cost, door.currency()),
        ]);
    }
    table.render()
}

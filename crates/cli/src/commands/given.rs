//! What rules gave: charges to owners, prices to charges, money to statements.

use billing::attribution_table::RuleId;
use billing::credit::CreditId;
use billing::rate::RateId;
use billing::split::SplitId;
use billing::subsidy::SubsidyId;
use money::Amount;
use workflow::given::{self, Paid, Reached};

use super::Door;
use super::words::or_dash;
use crate::args::{PaidArgs, ReachedArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn attributed(args: &ReachedArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rows = given::attributed(&installation, args.period, RuleId(args.rule)).await?;
    Ok(door.output.data(&rows, |rows| reached(rows, "reached", door))?)
}

pub async fn rated(args: &ReachedArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rows = given::rated(&installation, args.period, RateId(args.rule)).await?;
    Ok(door.output.data(&rows, |rows| reached(rows, "priced", door))?)
}

fn reached(rows: &[Reached], verb: &str, door: &Door) -> String {
    if rows.is_empty() {
        return format!("no charge of this period was {verb} by it\n");
    }
    let mut table = Table::new(vec![
        Column::text("source"),
        Column::text("PI"),
        Column::text("project"),
        Column::number("charges"),
        Column::number("cost"),
    ]);
    for row in rows {
        table.row([
            row.source.to_string(),
            or_dash(row.pi_email.as_deref()),
            or_dash(row.project_id.as_deref()),
            row.charges.to_string(),
            exact(row.cost, door.currency()),
        ]);
    }
    table.render()
}

pub async fn carried(args: &ReachedArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rows = given::by_split(&installation, args.period, SplitId(args.rule)).await?;
    Ok(door.output.data(&rows, |rows| {
        if rows.is_empty() {
            return "no issued statement of this period has its funds\n".to_owned();
        }
        let mut table = Table::new(vec![
            Column::text("fund_org"),
            Column::text("PI"),
            Column::text("project"),
            Column::number("cost"),
        ]);
        for row in rows {
            let cost = exact(row.cost, door.currency());
            table.row([row.fund_org.clone(), row.pi_email.clone(), row.project_id.clone(), cost]);
        }
        table.render()
    })?)
}

pub async fn by_subsidy(args: &PaidArgs, door: &Door) -> Result<(), Refusal> {
    let rows = given::by_subsidy(&door.installation().await?, SubsidyId(args.rule)).await?;
    Ok(door.output.data(&rows, |rows| paid(rows, door))?)
}

pub async fn by_credit(args: &PaidArgs, door: &Door) -> Result<(), Refusal> {
    let rows = given::by_credit(&door.installation().await?, CreditId(args.rule)).await?;
    Ok(door.output.data(&rows, |rows| paid(rows, door))?)
}

fn paid(rows: &[Paid], door: &Door) -> String {
    if rows.is_empty() {
        return "no issued statement has it\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::text("PI"),
        Column::text("project"),
        Column::number("cost seen"),
        Column::number("paid"),
    ]);
    let mut line = |first: String, pi: &str, project: &str, [seen, paid]: [Amount; 2]| {
        let amount = |amount| exact(amount, door.currency());
        table.row([first, pi.to_owned(), project.to_owned(), amount(seen), amount(paid)]);
    };
    for row in rows {
        line(row.period.to_string(), &row.pi_email, &row.project_id, [row.seen, row.paid]);
    }
    let sum = |of: fn(&Paid) -> Amount| rows.iter().map(of).sum();
    line("all".to_owned(), "", "", [sum(|row| row.seen), sum(|row| row.paid)]);
    table.render()
}

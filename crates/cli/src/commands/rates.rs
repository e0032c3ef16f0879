use std::fmt::Write as _;

use billing::SourceName;
use billing::rate::{Rate, RateId};
use jiff::civil::Date;
use ledger::RuleRow;
use money::Amount;
use workflow::rates::{self, Change, PriceChange, Trial, difference, file};

use super::words::{count, joined, or_dash};
use super::{Door, given, reading};
use crate::args::{
    RateAddArgs, RateCommand, RateDiffArgs, RateEndArgs, RateFileArgs, RateImportArgs, RateListArgs,
    RateTryArgs, RuleExportArgs, SureArgs,
};
use crate::output::{Column, Refusal, Table, posted};

pub async fn run(command: RateCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        RateCommand::List(args) => list(&args, door).await,
        RateCommand::Add(args) => add(*args, door).await,
        RateCommand::End(args) => end(args, door).await,
        RateCommand::Import(args) => import(&args, door).await,
        RateCommand::Export(args) => export(&args, door).await,
        RateCommand::Check(args) => check(&args, door).await,
        RateCommand::Diff(args) => diff(&args, door).await,
        RateCommand::Try(args) => try_rates(&args, door).await,
        RateCommand::Priced(args) => given::rated(&args, door).await,
        RateCommand::Apply => reading::apply(door).await,
    }
}

fn today(door: &Door) -> Date {
    door.stamp().day()
}

async fn add(args: RateAddArgs, door: &Door) -> Result<(), Refusal> {
    let rate = Rate {
        id: RateId::default(),
        code: args.code,
        source: args.subject.source.map(SourceName),
        service: args.subject.service,
        sku: args.subject.sku,
        class: args.subject.class,
        unit: args.unit,
        price: args.price,
        list_price: args.list_price,
        above: args.above,
        free: args.free,
        minimum: args.minimum,
        prorate: args.prorate,
        account_code: args.account_code,
        from: args.from,
        to: args.to,
        note: args.note.clone(),
    };
    let what = format!("write the rate {}", rate.subject());
    let change = Change { add: vec![rate], replacing: args.replacing, note: args.note, ..Change::default() };
    make(change, &what, args.sure, door).await
}

async fn end(args: RateEndArgs, door: &Door) -> Result<(), Refusal> {
    let what = format!("end rate {} on {}", args.rate, args.on);
    let change = Change { end: vec![(args.rate, args.on)], note: args.note, ..Change::default() };
    make(change, &what, args.sure, door).await
}

/// The rates of a file that the book does not have yet, said how many.
async fn of_file(args: &RateFileArgs, door: &Door) -> Result<Option<Change>, Refusal> {
    let installation = door.installation().await?;
    let rates = file::read(&args.file)?;
    let read = rates.len();
    let add = rates::new_rates(&installation, rates).await?;
    if add.is_empty() {
        door.output.message(&format!("all {read} rates are there already: nothing changes"));
        return Ok(None);
    }
    let known = read - add.len();
    if 0 < known {
        door.output.message(&format!("{known} of {read} rates are there already"));
    }
    Ok(Some(Change { add, replacing: args.replacing, ..Change::default() }))
}

async fn import(args: &RateImportArgs, door: &Door) -> Result<(), Refusal> {
    let Some(change) = of_file(&args.rates, door).await? else { return Ok(()) };
    let what = format!("write {}", count(change.add.len() as u64, "rate", "rates"));
    make(change, &what, args.sure, door).await
}

async fn check(args: &RateFileArgs, door: &Door) -> Result<(), Refusal> {
    let Some(change) = of_file(args, door).await? else { return Ok(()) };
    let installation = door.installation().await?;
    rates::preview(&installation, &door.stamp(), &change).await?;
    let rates = count(change.add.len() as u64, "rate", "rates");
    door.output.message(&format!("nothing is wrong: {rates} could be written"));
    Ok(())
}

/// Show what it would change, ask, record, and read again what it concerns.
async fn make(change: Change, what: &str, sure: SureArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let effect = rates::preview(&installation, &door.stamp(), &change).await?;
    if !reading::agreed(&effect, what, sure, door)? {
        return Ok(());
    }
    let number = rates::change(&installation, &door.stamp(), &change).await?;
    reading::done(&installation, number, &effect, "the rate book has changed", door).await
}

async fn list(args: &RateListArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let today = today(door);
    let mut rows = rates::list(&installation).await?;
    rows.retain(|row| match args.on {
        Some(day) => row.rule.is_in_force(day),
        None => args.all || row.rule.to.is_none_or(|to| today <= to),
    });
    Ok(door.output.data(&rows, |rows| table(rows))?)
}

fn table(rows: &[RuleRow<Rate>]) -> String {
    if rows.is_empty() {
        return "there are no rates; `focus-billing rates add` writes one\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::number("rate"),
        Column::text("code"),
        Column::text("for"),
        Column::text("unit"),
        Column::number("price"),
        Column::text("by month and project"),
        Column::text("when"),
        Column::text("note"),
    ]);
    for RuleRow { rule: rate, .. } in rows {
        table.row([
            rate.id.to_string(),
            rate.code.clone(),
            whom(rate),
            rate.unit.to_string(),
            price(rate),
            pooled(rate),
            when(rate),
            rate.note.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

fn whom(rate: &Rate) -> String {
    let source = rate.source.as_ref().map(|source| source.0.clone());
    let named = [("", &source), ("service ", &rate.service), ("SKU ", &rate.sku), ("class ", &rate.class)];
    let named: Vec<String> =
        named.into_iter().filter_map(|(what, name)| Some(format!("{what}{}", name.as_ref()?))).collect();
    if named.is_empty() { "everything".to_owned() } else { named.join(", ") }
}

fn price(rate: &Rate) -> String {
    let list = rate.list_price.map_or_else(String::new, |list| format!(" (list {list})"));
    format!("{}{list}", rate.price)
}

fn pooled(rate: &Rate) -> String {
    let free = rate.free.map(|free| format!("{free} free"));
    let above = rate.above.iter().map(|tier| format!("above {} at {}", tier.quantity, tier.price));
    let minimum = rate.minimum.map(|minimum| format!("at least {minimum}"));
    joined(free.into_iter().chain(above).chain(minimum))
}

fn when(rate: &Rate) -> String {
    rate.to.map_or_else(|| format!("from {}", rate.from), |to| format!("{} to {to}", rate.from))
}

async fn export(args: &RuleExportArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let rates: Vec<Rate> = rates::list(&installation).await?.into_iter().map(|row| row.rule).collect();
    let text = file::write(&rates)?;
    let Some(path) = &args.output else { return Ok(door.output.text(&text)?) };
    std::fs::write(path, text)
        .map_err(|error| Refusal::new(format!("cannot write `{}`: {error}", path.display())))?;
    door.output.message(&format!("{} in {}", count(rates.len() as u64, "rate", "rates"), path.display()));
    Ok(())
}

/// The latest day on which one of the rates begins.
fn latest(rates: &[Rate]) -> Option<Date> {
    rates.iter().map(|rate| rate.from).max()
}

async fn diff(args: &RateDiffArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let book: Vec<Rate> = rates::list(&installation).await?.into_iter().map(|row| row.rule).collect();
    let other = match &args.file {
        Some(path) => file::read(path)?,
        None => book.clone(),
    };
    let first = args.from.unwrap_or_else(|| today(door));
    let second = args.to.or_else(|| latest(&other)).unwrap_or(first);
    let on = |rates: Vec<Rate>, day: Date| -> Vec<Rate> {
        rates.into_iter().filter(|rate| rate.is_in_force(day)).collect()
    };
    let changes = difference(&on(book, first), &on(other, second));
    Ok(door.output.data(&changes, |changes| match changes.as_slice() {
        [] => format!("the rates of {first} and {second} are the same\n"),
        changes => format!("from {first} to {second}:\n{}", diff_table(changes)),
    })?)
}

fn diff_table(changes: &[PriceChange]) -> String {
    let mut table = Table::new(vec![
        Column::text("code"),
        Column::text("unit"),
        Column::number("price"),
        Column::number("then"),
        Column::text("by month and project"),
        Column::text("then"),
    ]);
    for PriceChange { code, before, after } in changes {
        let of = |rate: &Option<Rate>, words: fn(&Rate) -> String| {
            rate.as_ref().map_or_else(|| "-".to_owned(), words)
        };
        let unit = after.as_ref().or(before.as_ref()).map(|rate| rate.unit.to_string());
        table.row([
            code.clone(),
            unit.unwrap_or_default(),
            of(before, price),
            of(after, price),
            of(before, pooled),
            of(after, pooled),
        ]);
    }
    table.render()
}

async fn try_rates(args: &RateTryArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let book = file::read(&args.file)?;
    let on = args.on.or_else(|| latest(&book)).unwrap_or_else(|| today(door));
    let trial = rates::try_rates(&installation, &book, on, args.from, args.to.unwrap_or(args.from)).await?;
    Ok(door.output.data(&trial, |trial| trial_table(trial, door))?)
}

fn trial_table(trial: &Trial, door: &Door) -> String {
    let places = door.currency().code.places();
    let amount = |amount: Amount| posted(amount.round(places), door.currency());
    let mut table = Table::new(vec![
        Column::text("PI"),
        Column::text("fund_org"),
        Column::number("charges"),
        Column::number("billed"),
        Column::number("would be"),
        Column::number("difference"),
    ]);
    for row in &trial.rows {
        table.row([
            row.pi_email.clone(),
            or_dash(row.fund_org.as_deref()),
            row.charges.to_string(),
            amount(row.billed),
            amount(row.would_be),
            amount(row.would_be - row.billed),
        ]);
    }
    table.row([
        "all".to_owned(),
        String::new(),
        trial.rows.iter().map(|row| row.charges).sum::<u64>().to_string(),
        amount(trial.billed),
        amount(trial.would_be),
        amount(trial.would_be - trial.billed),
    ]);
    let mut text = table.render();
    for row in &trial.unpriced {
        let named = [("service", &row.service_name), ("SKU", &row.sku_id), ("unit", &row.unit)];
        let named = named.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        let of = joined(std::iter::once(row.source.clone()).chain(named));
        let charges = count(row.charges, "charge", "charges");
        let _ = writeln!(text, "no rate for {of}: {charges}, billed {}", amount(row.billed));
    }
    text
}

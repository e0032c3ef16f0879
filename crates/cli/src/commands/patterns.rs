//! `review rules patterns`: patterns of the review on real charges, before they are configured.

use std::fmt::Write as _;

use workflow::patterns::{Hits, TriedPattern, TriedPatterns, as_yaml, try_patterns};

use super::Door;
use super::words::count;
use crate::args::PatternArgs;
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(args: PatternArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let configured = &installation.settings.review;
    let mut patterns = configured.clone();
    if !args.flag_pattern.is_empty() {
        patterns.flag_patterns = args.flag_pattern;
    }
    if !args.fund_org_pattern.is_empty() {
        patterns.fund_org_patterns = args.fund_org_pattern;
    }
    let tried = try_patterns(&installation, &patterns, args.period).await?;
    door.output.data(&tried, |tried| told(tried, door))?;
    if patterns != *configured {
        door.output.hint("to have it so, write into the configuration:");
        for line in as_yaml(&patterns).lines() {
            door.output.message(&format!("  {line}"));
        }
    }
    Ok(())
}

fn told(tried: &TriedPatterns, door: &Door) -> String {
    let hits = |hits: &Hits| {
        format!("{}, {}", count(hits.rows, "charge", "charges"), exact(hits.cost, door.currency()))
    };
    let mut text = format!("of {}:\n", hits(&tried.charges));
    let _ = writeln!(text, "  would be flagged         {}", hits(&tried.flagged));
    let _ = writeln!(text, "  with a fund not allowed  {}", hits(&tried.refused));
    for (name, patterns) in
        [("flag pattern", &tried.flag_patterns), ("fund pattern", &tried.fund_org_patterns)]
    {
        if !patterns.is_empty() {
            let _ = write!(text, "\n{}", table(name, patterns, door));
        }
    }
    if !tried.refused_funds.is_empty() {
        let mut table = Table::new(vec![
            Column::text("fund not allowed"),
            Column::number("charges"),
            Column::number("cost"),
        ]);
        for fund in &tried.refused_funds {
            let cost = exact(fund.hits.cost, door.currency());
            table.row([fund.fund_org.clone(), fund.hits.rows.to_string(), cost]);
        }
        let _ = write!(text, "\n{}", table.render());
    }
    text
}

fn table(name: &'static str, patterns: &[TriedPattern], door: &Door) -> String {
    let mut table = Table::new(vec![
        Column::text(name),
        Column::number("charges"),
        Column::number("cost"),
        Column::text("for example"),
    ]);
    for one in patterns {
        table.row([
            one.pattern.clone(),
            one.hits.rows.to_string(),
            exact(one.hits.cost, door.currency()),
            one.examples.join(", "),
        ]);
    }
    table.render()
}

//! Patterns of the review tried on real charges before they are configured: what they would match. It
//! changes nothing; the rule is that of imports (`billing::intake`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use billing::Period;
use billing::settings::{ReviewPatterns, ReviewSettings};
use lake::Filter;
use money::Amount;
use regex::Regex;
use serde::Serialize;

use crate::charges::{Scope, charges};
use crate::{Installation, Refusal, WorkflowError};

/// What patterns would have found among the charges that count.
#[derive(Clone, Debug, Serialize)]
pub struct TriedPatterns {
    /// `None`: all periods.
    pub period: Option<Period>,
    /// What was looked at.
    pub charges: Hits,
    /// Found by any of `flag_patterns`.
    pub flagged: Hits,
    pub flag_patterns: Vec<TriedPattern>,
    /// Charges whose fund no pattern allows; none where there are no patterns.
    pub refused: Hits,
    /// Their funds, the most charges first.
    pub refused_funds: Vec<RefusedFund>,
    pub fund_org_patterns: Vec<TriedPattern>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hits {
    pub rows: u64,
    pub cost: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub struct TriedPattern {
    pub pattern: String,
    pub hits: Hits,
    /// Some of the texts that it matches.
    pub examples: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RefusedFund {
    pub fund_org: String,
    pub hits: Hits,
}

/// Texts that are shown of what a pattern matches, and funds that none allows.
const EXAMPLES: usize = 5;
const FUNDS: usize = 20;
/// Funds that are told apart; a fund for each charge is no fund.
const FUNDS_KNOWN: usize = 100_000;

/// Hold patterns that need not be the configured ones against the charges of a period, or of all.
///
/// # Errors
/// Every pattern that cannot be used; a period that was never opened.
pub async fn try_patterns(
    installation: &Installation,
    patterns: &ReviewSettings,
    period: Option<Period>,
) -> Result<TriedPatterns, WorkflowError> {
    let compiled = patterns.patterns().map_err(|bad| {
        let count = if bad.len() == 1 { "a pattern" } else { "some patterns" };
        Refusal::new(format!("{count} cannot be used")).details(bad.iter().map(ToString::to_string))
    })?;
    let mut reader = installation.ledger.read().await?;
    if let Some(period) = period {
        crate::periods::load(&mut reader, period).await?;
    }
    let scope = Scope { period, import: None };
    let view = charges(installation, &mut reader, scope, &installation.settings, None).await?;
    drop(reader);
    let mut trial = Trial::new(patterns, &compiled);
    let filter = Filter { period, ..Filter::default() };
    view.each(&COLUMNS, &filter, |texts, cost| trial.see(texts, cost)).await?;
    Ok(trial.finish(period))
}

/// Where flag patterns are searched, as in `billing::intake`, and then the fund.
const COLUMNS: [&str; 4] = ["service_name", "resource_id", "resource_name", "fund_org"];

struct Trial<'a> {
    compiled: &'a ReviewPatterns,
    tried: TriedPatterns,
    refused_funds: BTreeMap<String, Hits>,
}

impl<'a> Trial<'a> {
    fn new(patterns: &ReviewSettings, compiled: &'a ReviewPatterns) -> Trial<'a> {
        let empty = |texts: &[String]| {
            let one = |text: &String| TriedPattern {
                pattern: text.clone(),
                hits: Hits::default(),
                examples: Vec::new(),
            };
            texts.iter().map(one).collect()
        };
        Trial {
            compiled,
            tried: TriedPatterns {
                period: None,
                charges: Hits::default(),
                flagged: Hits::default(),
                flag_patterns: empty(&patterns.flag_patterns),
                refused: Hits::default(),
                refused_funds: Vec::new(),
                fund_org_patterns: empty(&patterns.fund_org_patterns),
            },
            refused_funds: BTreeMap::new(),
        }
    }

    fn see(&mut self, texts: &[Option<&str>], cost: Amount) {
        self.tried.charges.add(cost);
        let [searched @ .., fund_org] = texts else { return };
        let texts: Vec<&str> = searched.iter().copied().flatten().collect();
        if count(&self.compiled.flag, &mut self.tried.flag_patterns, &texts, cost) {
            self.tried.flagged.add(cost);
        }
        // A fund that is missing has a flag of its own.
        let Some(fund_org) = fund_org.map(str::trim).filter(|text| !text.is_empty()) else { return };
        let is_allowed = count(&self.compiled.fund_org, &mut self.tried.fund_org_patterns, &[fund_org], cost);
        if is_allowed || self.compiled.fund_org.is_empty() {
            return;
        }
        self.tried.refused.add(cost);
        if self.refused_funds.len() < FUNDS_KNOWN || self.refused_funds.contains_key(fund_org) {
            self.refused_funds.entry(fund_org.to_owned()).or_default().add(cost);
        }
    }

    fn finish(self, period: Option<Period>) -> TriedPatterns {
        let fund = |(fund_org, hits)| RefusedFund { fund_org, hits };
        let mut refused_funds: Vec<RefusedFund> = self.refused_funds.into_iter().map(fund).collect();
        refused_funds.sort_by_key(|fund| std::cmp::Reverse(fund.hits.rows));
        refused_funds.truncate(FUNDS);
        TriedPatterns { period, refused_funds, ..self.tried }
    }
}

/// Count a charge for every pattern that one of its texts matches. Returns whether any does.
fn count(patterns: &[Regex], tried: &mut [TriedPattern], texts: &[&str], cost: Amount) -> bool {
    let mut any = false;
    for (regex, tried) in patterns.iter().zip(tried) {
        let Some(text) = texts.iter().find(|text| regex.is_match(text)) else { continue };
        any = true;
        tried.hits.add(cost);
        if tried.examples.len() < EXAMPLES && !tried.examples.iter().any(|known| known == text) {
            tried.examples.push((*text).to_owned());
        }
    }
    any
}

impl Hits {
    fn add(&mut self, cost: Amount) {
        self.rows += 1;
        self.cost += cost;
    }
}

/// The patterns as they stand in a configuration.
#[must_use]
pub fn as_yaml(patterns: &ReviewSettings) -> String {
    let mut yaml = "review:\n".to_owned();
    for (key, texts) in
        [("flag_patterns", &patterns.flag_patterns), ("fund_org_patterns", &patterns.fund_org_patterns)]
    {
        if texts.is_empty() {
            let _ = writeln!(yaml, "  {key}: []");
            continue;
        }
        let _ = writeln!(yaml, "  {key}:");
        for text in texts {
            // What JSON quotes, YAML reads back as it was.
            let _ = writeln!(yaml, "    - {}", serde_json::Value::from(text.as_str()));
        }
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flag: &[&str], fund_org: &[&str]) -> ReviewSettings {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        ReviewSettings {
            flag_patterns: texts(flag),
            fund_org_patterns: texts(fund_org),
            ..ReviewSettings::default()
        }
    }

    #[test]
    fn every_pattern_is_counted_and_a_charge_once_for_all() {
        let settings = settings(&["gpu", "test", "never"], &["phys-"]);
        let compiled = settings.patterns().unwrap();
        let mut trial = Trial::new(&settings, &compiled);
        let cost = Amount::from_units(5);
        trial.see(&[Some("Compute"), Some("GPU-test-1"), None, Some("PHYS-1")], cost);
        trial.see(&[Some("Compute"), Some("cpu-1"), Some("a test"), Some("CHEM-1")], cost);
        trial.see(&[Some("Compute"), None, None, None], cost);
        let tried = trial.finish(None);
        let rows = |patterns: &[TriedPattern]| patterns.iter().map(|one| one.hits.rows).collect::<Vec<_>>();
        assert_eq!(rows(&tried.flag_patterns), [1, 2, 0]);
        assert_eq!(tried.flag_patterns[1].examples, ["GPU-test-1", "a test"]);
        assert_eq!((tried.charges.rows, tried.flagged.rows), (3, 2));
        assert_eq!(rows(&tried.fund_org_patterns), [1]);
        // In any case, as imports do; a missing fund is no refused one.
        assert_eq!((tried.refused.rows, tried.refused_funds[0].fund_org.as_str()), (1, "CHEM-1"));
    }

    #[test]
    fn what_is_to_be_pasted_reads_back_as_it_was() {
        let yaml = as_yaml(&settings(&["^a\\d+ \"b\""], &[]));
        assert_eq!(
            yaml,
            "review:\n  flag_patterns:\n    - \"^a\\\\d+ \\\"b\\\"\"\n  fund_org_patterns: []\n"
        );
    }
}

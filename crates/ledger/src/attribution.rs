//! The attribution table. Rules are written once; what changes of one is its last day, by a row of its own.

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId};
use billing::period::Stamp;
use billing::{LedgerNumber, SourceName};
use jiff::civil::Date;
use serde_json::json;

use crate::books::{Table, Value, canonical_json};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const ATTRIBUTION_RULE: Table = Table {
    name: "attribution_rule",
    columns: &[
        "rule_id",
        "source_name",
        "rule_key",
        "value",
        "gives",
        "valid_from",
        "valid_to",
        "note",
        "at",
        "by_user",
    ],
};

pub(crate) const ATTRIBUTION_END: Table =
    Table { name: "attribution_end", columns: &["rule_id", "valid_to", "note", "at", "by_user"] };

/// A rule as it stands, with who wrote it and who said when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributionRuleRow {
    pub rule: AttributionRule,
    pub number: LedgerNumber,
    pub written: Stamp,
    pub ended: Option<AttributionEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributionEnd {
    pub number: LedgerNumber,
    pub note: Option<String>,
    pub stamp: Stamp,
}

fn date(row: &Cells, column: &str) -> Result<Option<Date>, LedgerError> {
    let Some(text) = row.opt_text(column)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| LedgerError::unreadable(column, text))
}

fn read_rule(row: &Cells) -> Result<AttributionRuleRow, LedgerError> {
    let (key, gives) = (row.text("rule_key")?, row.text("gives")?);
    let gives: Attribution =
        serde_json::from_str(&gives).map_err(|_| LedgerError::unreadable("attribution_rule.gives", gives))?;
    let rule = AttributionRule {
        id: RuleId(row.int("rule_id")?),
        source: row.opt_text("source_name")?.map(SourceName),
        key: key.parse().map_err(|_| LedgerError::unreadable("attribution_rule.rule_key", key))?,
        value: row.text("value")?,
        gives,
        from: date(row, "valid_from")?,
        to: date(row, "valid_to")?,
        note: row.opt_text("note")?,
    };
    Ok(AttributionRuleRow { rule, number: row.number()?, written: row.stamp()?, ended: None })
}

const RULES: &str = "SELECT number, rule_id, source_name, rule_key, value, gives, valid_from, valid_to, note,
    at, by_user FROM attribution_rule WHERE number <= $1";

const ENDS: &str =
    "SELECT number, rule_id, valid_to, note, at, by_user FROM attribution_end WHERE number <= $1";

impl Reader {
    /// All rules, by number, as they stood then.
    pub async fn attribution_rules(
        &mut self,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<AttributionRuleRow>, LedgerError> {
        let mut rules = self.rows(Query::new(RULES).until(as_of).then("ORDER BY rule_id"), read_rule).await?;
        let ends = Query::new(ENDS).until(as_of).then("ORDER BY number, seq");
        let ends = self
            .rows(ends, |row| {
                let end = AttributionEnd {
                    number: row.number()?,
                    note: row.opt_text("note")?,
                    stamp: row.stamp()?,
                };
                Ok((RuleId(row.int("rule_id")?), date(row, "valid_to")?, end))
            })
            .await?;
        for (id, to, end) in ends {
            if let Ok(at) = rules.binary_search_by_key(&id, |known| known.rule.id) {
                rules[at].rule.to = to;
                rules[at].ended = Some(end);
            }
        }
        Ok(rules)
    }
}

impl Tx {
    /// Write rules; their ids are given here, in order. Returns the first.
    pub async fn record_attribution_rules(
        &mut self,
        rules: &[AttributionRule],
        written: &Stamp,
    ) -> Result<RuleId, LedgerError> {
        let last = self
            .row(Query::new("SELECT COALESCE(MAX(rule_id), 0) AS last FROM attribution_rule"), |row| {
                row.int("last")
            })
            .await?;
        let first = last.unwrap_or_default() + 1;
        let row = |(id, rule): (i64, &AttributionRule)| -> Vec<Value> {
            vec![
                id.into(),
                rule.source.as_ref().map(|source| source.0.as_str()).into(),
                rule.key.to_string().into(),
                rule.value.as_str().into(),
                canonical_json(&json!(rule.gives)).into(),
                day(rule.from),
                day(rule.to),
                (&rule.note).into(),
                written.at.into(),
                written.by.as_str().into(),
            ]
        };
        self.insert(&ATTRIBUTION_RULE, (first..).zip(rules).map(row).collect::<Vec<_>>()).await?;
        Ok(RuleId(first))
    }

    /// Say the last day of a rule.
    pub async fn end_attribution_rule(
        &mut self,
        id: RuleId,
        last_day: Date,
        note: Option<&str>,
        said: &Stamp,
    ) -> Result<(), LedgerError> {
        let row =
            vec![id.0.into(), day(Some(last_day)), note.into(), said.at.into(), said.by.as_str().into()];
        self.insert_one(&ATTRIBUTION_END, row).await?;
        Ok(())
    }
}

fn day(day: Option<Date>) -> Value {
    Value::Text(day.map(|day| day.to_string()))
}

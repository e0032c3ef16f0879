//! Splits over funds. A rule is written once; what changes of one is its last day, by a row of its own.

use billing::LedgerNumber;
use billing::period::Stamp;
use billing::split::{SplitId, SplitRule};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use crate::books::{Table, canonical_json};
use crate::error::LedgerError;
use crate::query::{Query, Reader};
use crate::tx::Tx;

pub(crate) const SPLIT_RULE: Table =
    Table { name: "split_rule", columns: &["rule_id", "rule", "at", "by_user"] };

pub(crate) const SPLIT_END: Table =
    Table { name: "split_end", columns: &["rule_id", "last_day", "note", "at", "by_user"] };

/// A rule as it stands, with who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitRow {
    #[serde(flatten)]
    pub rule: SplitRule,
    pub number: LedgerNumber,
    pub written: Stamp,
}

impl Reader {
    /// All rules, by number, as they stood then.
    pub async fn split_rules(&mut self, as_of: Option<LedgerNumber>) -> Result<Vec<SplitRow>, LedgerError> {
        let query =
            Query::new("SELECT number, rule_id, rule, at, by_user FROM split_rule WHERE number <= $1");
        let mut rules = self
            .rows(query.until(as_of).then("ORDER BY rule_id"), |row| {
                let text = row.text("rule")?;
                let rule: SplitRule = serde_json::from_str(&text)
                    .map_err(|_| LedgerError::unreadable("split_rule.rule", text))?;
                let rule = SplitRule { id: SplitId(row.int("rule_id")?), ..rule };
                Ok(SplitRow { rule, number: row.number()?, written: row.stamp()? })
            })
            .await?;
        let query = Query::new("SELECT rule_id, last_day FROM split_end WHERE number <= $1");
        let ends = self
            .rows(query.until(as_of).then("ORDER BY number, seq"), |row| {
                let day = row.text("last_day")?;
                let day: Date =
                    day.parse().map_err(|_| LedgerError::unreadable("split_end.last_day", day))?;
                Ok((SplitId(row.int("rule_id")?), day))
            })
            .await?;
        for (id, day) in ends {
            if let Ok(at) = rules.binary_search_by_key(&id, |known| known.rule.id) {
                rules[at].rule.to = Some(day);
            }
        }
        Ok(rules)
    }
}

impl Tx {
    /// Write a rule; its id is given here.
    pub async fn record_split_rule(
        &mut self,
        rule: &SplitRule,
        written: &Stamp,
    ) -> Result<SplitId, LedgerError> {
        let last = self
            .row(Query::new("SELECT COALESCE(MAX(rule_id), 0) AS last FROM split_rule"), |row| {
                row.int("last")
            })
            .await?;
        let rule = SplitRule { id: SplitId(last.unwrap_or_default() + 1), ..rule.clone() };
        let text = canonical_json(&json!(rule));
        let row = vec![rule.id.0.into(), text.into(), written.at.into(), written.by.as_str().into()];
        self.insert_one(&SPLIT_RULE, row).await?;
        Ok(rule.id)
    }

    /// Say the last day of a rule.
    pub async fn end_split_rule(
        &mut self,
        id: SplitId,
        last_day: Date,
        note: &str,
        said: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = vec![
            id.0.into(),
            last_day.to_string().into(),
            note.into(),
            said.at.into(),
            said.by.as_str().into(),
        ];
        self.insert_one(&SPLIT_END, row).await?;
        Ok(())
    }
}

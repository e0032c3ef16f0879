//! Subsidy rules. A rule is written once; what changes of one is its last period, by a row of its own.

use billing::period::Stamp;
use billing::subsidy::{SubsidyId, SubsidyRule};
use billing::{LedgerNumber, Period};
use serde::Serialize;
use serde_json::json;

use crate::books::{Table, canonical_json};
use crate::error::LedgerError;
use crate::query::{Query, Reader};
use crate::tx::Tx;

pub(crate) const SUBSIDY_RULE: Table =
    Table { name: "subsidy_rule", columns: &["rule_id", "rule", "at", "by_user"] };

pub(crate) const SUBSIDY_END: Table =
    Table { name: "subsidy_end", columns: &["rule_id", "last_period", "note", "at", "by_user"] };

/// A rule as it stands, with who wrote it and who said when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubsidyRow {
    #[serde(flatten)]
    pub rule: SubsidyRule,
    pub number: LedgerNumber,
    pub written: Stamp,
    pub ended: Option<SubsidyEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubsidyEnd {
    pub number: LedgerNumber,
    pub note: Option<String>,
    pub stamp: Stamp,
}

impl Reader {
    /// All rules, by number, as they stood then.
    pub async fn subsidy_rules(
        &mut self,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<SubsidyRow>, LedgerError> {
        let query =
            Query::new("SELECT number, rule_id, rule, at, by_user FROM subsidy_rule WHERE number <= $1");
        let mut rules = self
            .rows(query.until(as_of).then("ORDER BY rule_id"), |row| {
                let text = row.text("rule")?;
                let rule: SubsidyRule = serde_json::from_str(&text)
                    .map_err(|_| LedgerError::unreadable("subsidy_rule.rule", text))?;
                let rule = SubsidyRule { id: SubsidyId(row.int("rule_id")?), ..rule };
                Ok(SubsidyRow { rule, number: row.number()?, written: row.stamp()?, ended: None })
            })
            .await?;
        let query = Query::new(
            "SELECT number, rule_id, last_period, note, at, by_user FROM subsidy_end WHERE number <= $1",
        );
        let ends = self
            .rows(query.until(as_of).then("ORDER BY number, seq"), |row| {
                let end =
                    SubsidyEnd { number: row.number()?, note: row.opt_text("note")?, stamp: row.stamp()? };
                Ok((SubsidyId(row.int("rule_id")?), row.period("last_period")?, end))
            })
            .await?;
        for (id, last, end) in ends {
            if let Ok(at) = rules.binary_search_by_key(&id, |known| known.rule.id) {
                rules[at].rule.to = Some(last);
                rules[at].ended = Some(end);
            }
        }
        Ok(rules)
    }
}

impl Tx {
    /// Write a rule; its id is given here.
    pub async fn record_subsidy_rule(
        &mut self,
        rule: &SubsidyRule,
        written: &Stamp,
    ) -> Result<SubsidyId, LedgerError> {
        let last = self
            .row(Query::new("SELECT COALESCE(MAX(rule_id), 0) AS last FROM subsidy_rule"), |row| {
                row.int("last")
            })
            .await?;
        let rule = SubsidyRule { id: SubsidyId(last.unwrap_or_default() + 1), ..rule.clone() };
        let text = canonical_json(&json!(rule));
        let row = vec![rule.id.0.into(), text.into(), written.at.into(), written.by.as_str().into()];
        self.insert_one(&SUBSIDY_RULE, row).await?;
        Ok(rule.id)
    }

    /// Say the last period of a rule.
    pub async fn end_subsidy_rule(
        &mut self,
        id: SubsidyId,
        last: Period,
        note: Option<&str>,
        said: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = vec![id.0.into(), last.into(), note.into(), said.at.into(), said.by.as_str().into()];
        self.insert_one(&SUBSIDY_END, row).await?;
        Ok(())
    }
}

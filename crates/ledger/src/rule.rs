//! Rules that people write: of the attribution table, rates, splits, subsidies, credits, and the addresses of
//! people. A rule is written once; what changes
//! of one is where it ends, said later by a row of its own. One pair of tables holds all kinds.

use std::fmt::Display;

use billing::LedgerNumber;
use billing::attribution_table::{AttributionRule, RuleId};
use billing::credit::{Credit, CreditId};
use billing::people::PersonAddress;
use billing::period::Stamp;
use billing::rate::{Rate, RateId};
use billing::split::{SplitId, SplitRule};
use billing::subsidy::{SubsidyId, SubsidyRule};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::books::{Table, Value, canonical_json};
use crate::error::LedgerError;
use crate::query::{Query, Reader};
use crate::tx::Tx;

pub(crate) const RULE: Table = Table { name: "rule", columns: &["kind", "rule_id", "rule", "at", "by_user"] };

pub(crate) const RULE_END: Table =
    Table { name: "rule_end", columns: &["kind", "rule_id", "ends", "note", "at", "by_user"] };

/// A kind of rule: numbered from 1, kept as JSON, ended by a day or a period.
pub trait Rule: Serialize + DeserializeOwned + Clone + Send {
    const KIND: &'static str;

    #[must_use]
    fn numbered(self, id: i64) -> Self;

    /// With its last day or period; `None` where the text is not one.
    #[must_use]
    fn ending(self, last: &str) -> Option<Self>;
}

impl Rule for AttributionRule {
    const KIND: &'static str = "attribution";

    fn numbered(self, id: i64) -> AttributionRule {
        AttributionRule { id: RuleId(id), ..self }
    }

    fn ending(self, last: &str) -> Option<AttributionRule> {
        Some(AttributionRule { to: Some(last.parse().ok()?), ..self })
    }
}

impl Rule for Rate {
    const KIND: &'static str = "rate";

    fn numbered(self, id: i64) -> Rate {
        Rate { id: RateId(id), ..self }
    }

    fn ending(self, last: &str) -> Option<Rate> {
        Some(Rate { to: Some(last.parse().ok()?), ..self })
    }
}

impl Rule for SplitRule {
    const KIND: &'static str = "split";

    fn numbered(self, id: i64) -> SplitRule {
        SplitRule { id: SplitId(id), ..self }
    }

    fn ending(self, last: &str) -> Option<SplitRule> {
        Some(SplitRule { to: Some(last.parse().ok()?), ..self })
    }
}

impl Rule for SubsidyRule {
    const KIND: &'static str = "subsidy";

    fn numbered(self, id: i64) -> SubsidyRule {
        SubsidyRule { id: SubsidyId(id), ..self }
    }

    fn ending(self, last: &str) -> Option<SubsidyRule> {
        Some(SubsidyRule { to: Some(last.parse().ok()?), ..self })
    }
}

impl Rule for PersonAddress {
    const KIND: &'static str = "address";

    fn numbered(self, id: i64) -> PersonAddress {
        PersonAddress { id, ..self }
    }

    /// An address does not end; another becomes current.
    fn ending(self, _: &str) -> Option<PersonAddress> {
        None
    }
}

impl Rule for Credit {
    const KIND: &'static str = "credit";

    fn numbered(self, id: i64) -> Credit {
        Credit { id: CreditId(id), ..self }
    }

    fn ending(self, last: &str) -> Option<Credit> {
        Some(Credit { to: Some(last.parse().ok()?), ..self })
    }
}

/// A rule as it stands, with who wrote it and who said where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRow<T> {
    #[serde(flatten)]
    pub rule: T,
    pub number: LedgerNumber,
    pub written: Stamp,
    pub ended: Option<RuleEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleEnd {
    pub number: LedgerNumber,
    pub note: Option<String>,
    pub stamp: Stamp,
}

impl Reader {
    /// The last act that wrote or ended a rule of any kind; 0 where there is none.
    pub async fn last_rule_act(&mut self) -> Result<LedgerNumber, LedgerError> {
        let query = Query::new(
            "SELECT COALESCE(MAX(number), 0) AS last FROM (SELECT MAX(number) AS number FROM rule \
             UNION ALL SELECT MAX(number) AS number FROM rule_end) AS said",
        );
        let last = self.row(query, |row| row.int("last")).await?;
        Ok(LedgerNumber(last.unwrap_or_default()))
    }

    /// All rules of a kind, by number, as they stood then.
    pub async fn rules<T: Rule>(
        &mut self,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<RuleRow<T>>, LedgerError> {
        let query = Query::new("SELECT number, rule_id, rule, at, by_user FROM rule WHERE number <= $1");
        let mut rules = self
            .rows(query.until(as_of).and("kind =", T::KIND).then("ORDER BY rule_id"), |row| {
                let text = row.text("rule")?;
                let rule: T =
                    serde_json::from_str(&text).map_err(|_| LedgerError::unreadable("rule.rule", text))?;
                let rule = rule.numbered(row.int("rule_id")?);
                let row = RuleRow { rule, number: row.number()?, written: row.stamp()?, ended: None };
                Ok(row)
            })
            .await?;
        let query =
            Query::new("SELECT number, rule_id, ends, note, at, by_user FROM rule_end WHERE number <= $1");
        let ends = self
            .rows(query.until(as_of).and("kind =", T::KIND).then("ORDER BY number, seq"), |row| {
                let end = RuleEnd { number: row.number()?, note: row.opt_text("note")?, stamp: row.stamp()? };
                Ok((row.int("rule_id")?, row.text("ends")?, end))
            })
            .await?;
        for (id, last, end) in ends {
            // Numbers are given without gaps, from 1.
            let at = usize::try_from(id - 1).ok().filter(|at| *at < rules.len());
            let at = at.ok_or_else(|| LedgerError::missing("rule", id))?;
            let ended = rules[at].rule.clone().ending(&last);
            rules[at].rule = ended.ok_or_else(|| LedgerError::unreadable("rule_end.ends", last))?;
            rules[at].ended = Some(end);
        }
        Ok(rules)
    }
}

impl Tx {
    /// Write rules; their numbers are given here, in order. Returns them.
    pub async fn write_rules<T: Rule>(
        &mut self,
        rules: &[T],
        written: &Stamp,
    ) -> Result<Vec<i64>, LedgerError> {
        let query = Query::new("SELECT COALESCE(MAX(rule_id), 0) AS last FROM rule WHERE kind = $1");
        let last = self.row(query.bind(T::KIND), |row| row.int("last")).await?.unwrap_or_default();
        let ids: Vec<i64> = (last + 1..).take(rules.len()).collect();
        let row = |(id, rule): (&i64, &T)| -> Vec<Value> {
            let text = canonical_json(&json!(rule.clone().numbered(*id)));
            vec![T::KIND.into(), (*id).into(), text.into(), written.at.into(), written.by.as_str().into()]
        };
        let rows: Vec<Vec<Value>> = ids.iter().zip(rules).map(row).collect();
        self.insert(&RULE, rows).await?;
        Ok(ids)
    }

    /// Say the last day or period of a rule.
    pub async fn end_rule<T: Rule>(
        &mut self,
        id: i64,
        last: impl Display,
        note: Option<&str>,
        said: &Stamp,
    ) -> Result<(), LedgerError> {
        let row = vec![
            T::KIND.into(),
            id.into(),
            last.to_string().into(),
            note.into(),
            said.at.into(),
            said.by.as_str().into(),
        ];
        self.insert_one(&RULE_END, row).await?;
        Ok(())
    }
}

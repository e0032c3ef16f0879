//! What of a period was found unusual.

use billing::unusual::{Unusual, UnusualCost};
use billing::{LedgerNumber, Period};
use serde_json::json;

use crate::books::{Table, canonical_json};
use crate::error::LedgerError;
use crate::query::{Query, Reader};
use crate::tx::Tx;

pub(crate) const UNUSUAL_COST: Table = Table { name: "unusual_cost", columns: &["period", "rule", "found"] };

/// What was found in a period, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusualRow {
    pub number: LedgerNumber,
    pub rule: UnusualCost,
    pub found: Vec<Unusual>,
}

impl Reader {
    /// What counts: the latest of the period. `None` when it was never looked at.
    pub async fn find_unusual(
        &mut self,
        period: Period,
        as_of: Option<LedgerNumber>,
    ) -> Result<Option<UnusualRow>, LedgerError> {
        let query = Query::new("SELECT number, rule, found FROM unusual_cost WHERE number <= $1")
            .until(as_of)
            .and("period =", period)
            .then("ORDER BY number DESC, seq DESC LIMIT 1");
        let rows = self
            .rows(query, |row| {
                let unreadable = |column| move |_| LedgerError::unreadable(column, "what is no JSON of it");
                Ok(UnusualRow {
                    number: row.number()?,
                    rule: serde_json::from_str(row.str("rule")?).map_err(unreadable("unusual_cost.rule"))?,
                    found: serde_json::from_str(row.str("found")?)
                        .map_err(unreadable("unusual_cost.found"))?,
                })
            })
            .await?;
        Ok(rows.into_iter().next())
    }
}

impl Tx {
    /// Record what was found in a period; nothing is a finding, too.
    pub async fn record_unusual(
        &mut self,
        period: Period,
        rule: &UnusualCost,
        found: &[Unusual],
    ) -> Result<(), LedgerError> {
        let (rule, found) = (canonical_json(&json!(rule)), canonical_json(&json!(found)));
        self.insert_one(&UNUSUAL_COST, vec![period.into(), rule.into(), found.into()]).await?;
        Ok(())
    }
}

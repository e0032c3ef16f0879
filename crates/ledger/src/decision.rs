//! Decisions: what people said about charges. Append-only; an undo is a row of its own.
//!
//! A decision is keyed by source, fingerprint, ordinal and content digest, so that `workflow` finds it
//! again on a charge of a later delivery: as long as nothing about the charge changed, it applies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use billing::decision::Decision;
use billing::period::Stamp;
use billing::{ChargeId, ContentDigest, Fingerprint, LedgerNumber, Period, SourceName};
use money::Amount;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::books::{Table, Value, canonical_json, feed};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const DECISION_ACT: Table = Table {
    name: "decision_act",
    columns: &["kind", "note", "filter", "decided_count", "cost", "list_digest", "at", "by_user"],
};

pub(crate) const DECISION: Table = Table {
    name: "decision",
    columns: &[
        "source_key",
        "fingerprint",
        "ordinal",
        "content_digest",
        "import_id",
        "charge_row",
        "period",
        "deferred_to",
        "decision",
    ],
};

pub(crate) const DECISION_UNDO: Table =
    Table { name: "decision_undo", columns: &["undone_number", "undone_seq"] };

/// What all decisions of one act have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDecisionAct {
    /// `approve`, `reject`, `defer`, `reassign`, `undo`.
    pub kind: String,
    pub note: Option<String>,
    /// The filter or the ids the person gave.
    pub filter: serde_json::Value,
    /// The exact cost, on the billing basis, of all charges decided about.
    pub cost: Amount,
    pub stamp: Stamp,
}

/// One charge, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDecision {
    pub source: SourceName,
    pub fingerprint: Fingerprint,
    /// Among twins of equal fingerprint, by cost and row.
    pub ordinal: u32,
    pub content_digest: ContentDigest,
    pub charge: ChargeId,
    /// The billing period the charge was delivered for.
    pub period: Period,
    pub decision: Decision,
}

/// An act of review, as recorded: one a ledger number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionAct {
    pub number: LedgerNumber,
    pub kind: String,
    pub note: Option<String>,
    /// Canonical JSON.
    pub filter: String,
    pub count: u64,
    pub cost: Amount,
    /// SHA-256 over the charges and what was decided about each, in order.
    pub list_digest: String,
    pub stamp: Stamp,
}

/// A decision, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    pub id: DecisionId,
    pub act: Arc<DecisionAct>,
    pub source_key: Arc<str>,
    pub fingerprint: Fingerprint,
    pub ordinal: u32,
    pub content_digest: ContentDigest,
    pub charge: ChargeId,
    pub period: Period,
    pub decision: Decision,
    /// The act that undid it, up to the number that was asked for.
    pub undone_by: Option<LedgerNumber>,
}

/// A decision's place: the act, and its place in it. Later places count before earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DecisionId {
    pub number: LedgerNumber,
    pub n: i64,
}

/// `None` and empty do not filter.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    pub periods: Vec<Period>,
    pub sources: Vec<SourceName>,
    /// Deferred into this period.
    pub deferred_to: Option<Period>,
    pub fingerprint: Option<Fingerprint>,
    /// Of one act.
    pub number: Option<LedgerNumber>,
    /// Also those that were undone.
    pub undone: bool,
}

const ACTS: &str = "SELECT number, kind, note, filter, decided_count, cost, list_digest, at, by_user
    FROM decision_act WHERE number <= $1";

const DECISIONS: &str = "SELECT decision.number, decision.seq, decision.source_key, decision.fingerprint,
    decision.ordinal, decision.content_digest, decision.import_id, decision.charge_row, decision.period,
    decision.decision, undo.number AS undone_by
    FROM decision
    LEFT JOIN decision_undo undo ON undo.undone_number = decision.number
      AND undo.undone_seq = decision.seq AND undo.number <= $1
    WHERE decision.number <= $1";

fn read_act(row: &Cells) -> Result<DecisionAct, LedgerError> {
    Ok(DecisionAct {
        number: row.number()?,
        kind: row.text("kind")?,
        note: row.opt_text("note")?,
        filter: row.text("filter")?,
        count: row.count("decided_count")?,
        cost: row.amount("cost")?,
        list_digest: row.text("list_digest")?,
        stamp: row.stamp()?,
    })
}

/// Reads rows; what repeats from row to row is kept once.
struct DecisionReader {
    acts: BTreeMap<LedgerNumber, Arc<DecisionAct>>,
    sources: HashMap<String, Arc<str>>,
    /// The last decision and its text: a bulk act says the same about all its charges.
    last: Option<(String, Decision)>,
}

impl DecisionReader {
    fn read(&mut self, row: &Cells) -> Result<DecisionRow, LedgerError> {
        let id = DecisionId { number: row.number()?, n: row.int("seq")? };
        let act = self.acts.get(&id.number).cloned();
        let act = act.ok_or_else(|| LedgerError::missing("decision act", id.number))?;
        let source = row.str("source_key")?;
        if !self.sources.contains_key(source) {
            self.sources.insert(source.to_owned(), Arc::from(source));
        }
        Ok(DecisionRow {
            id,
            act,
            source_key: Arc::clone(&self.sources[source]),
            fingerprint: Fingerprint(row.bits("fingerprint")?),
            ordinal: row.small("ordinal")?,
            content_digest: ContentDigest(row.bits("content_digest")?),
            charge: ChargeId { import: row.import("import_id")?, row: row.int("charge_row")? },
            period: row.period("period")?,
            decision: self.decision(row.str("decision")?)?,
            undone_by: row.opt_int("undone_by")?.map(LedgerNumber),
        })
    }

    fn decision(&mut self, text: &str) -> Result<Decision, LedgerError> {
        match &self.last {
            Some((same, decision)) if same == text => Ok(decision.clone()),
            _ => {
                let decision: Decision = serde_json::from_str(text)
                    .map_err(|_| LedgerError::unreadable("decision.decision", text))?;
                self.last = Some((text.to_owned(), decision.clone()));
                Ok(decision)
            }
        }
    }
}

impl Reader {
    /// Decisions as of a number, oldest first: the last about a charge counts. Without
    /// [`undone`](DecisionFilter::undone) those that an act up to that number undid are left out.
    pub async fn decisions_for(
        &mut self,
        filter: &DecisionFilter,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<DecisionRow>, LedgerError> {
        let acts = self.list_decision_acts(as_of).await?;
        let acts = acts.into_iter().map(|act| (act.number, Arc::new(act))).collect();
        let mut reader = DecisionReader { acts, sources: HashMap::new(), last: None };
        let fingerprint = filter.fingerprint.map(|fingerprint| fingerprint.0.cast_signed());
        let query = Query::new(DECISIONS)
            .until(as_of)
            .and_in("decision.period", filter.periods.iter().copied())
            .and_in("decision.source_key", filter.sources.iter().map(SourceName::key))
            .and_some("decision.deferred_to =", filter.deferred_to)
            .and_some("decision.fingerprint =", fingerprint)
            .and_some("decision.number =", filter.number);
        let query = if filter.undone { query } else { query.then("AND undo.number IS NULL") };
        let query = query.then("ORDER BY decision.number, decision.seq");
        self.rows(query, |row| reader.read(row)).await
    }

    /// Acts of review, undoings among them, oldest first.
    pub async fn list_decision_acts(
        &mut self,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<DecisionAct>, LedgerError> {
        self.rows(Query::new(ACTS).until(as_of).then("ORDER BY number"), read_act).await
    }

    /// How many decisions of each act nobody has undone, of the acts from the first number to the last.
    pub async fn count_standing_decisions(
        &mut self,
        first: LedgerNumber,
        last: LedgerNumber,
    ) -> Result<BTreeMap<LedgerNumber, u64>, LedgerError> {
        let query = Query::new(
            "SELECT decision.number, COUNT(*) AS standing FROM decision
             LEFT JOIN decision_undo undo ON undo.undone_number = decision.number
               AND undo.undone_seq = decision.seq
             WHERE decision.number <= $1",
        );
        let query = query.until(Some(last)).and("decision.number >=", first.0);
        let query = query.then("AND undo.number IS NULL GROUP BY decision.number");
        let counted = self.rows(query, |row| Ok((row.number()?, row.count("standing")?))).await?;
        Ok(counted.into_iter().collect())
    }
}

impl Tx {
    /// Record what was decided; one act of review a transaction. Returns the list digest, for the audit
    /// row.
    ///
    /// # Errors
    /// [`LedgerError::Exists`] for a second act of review in one transaction.
    pub async fn record_decisions(
        &mut self,
        act: &NewDecisionAct,
        decisions: &[NewDecision],
    ) -> Result<String, LedgerError> {
        let mut texts = DecisionTexts::default();
        let mut hash = Sha256::new();
        let mut rows: Vec<Vec<Value>> = Vec::with_capacity(decisions.len());
        for new in decisions {
            let text = texts.text(&new.decision)?;
            feed(&mut hash, new.charge.to_string().as_bytes());
            feed(&mut hash, text.as_bytes());
            rows.push(decision_row(new, text));
        }
        let digest = hex::encode(hash.finalize());
        self.insert_act(act, decisions.len(), &digest).await?;
        self.insert(&DECISION, rows).await?;
        Ok(digest)
    }

    /// Undo all decisions of an act that are not undone yet. Returns them.
    ///
    /// # Errors
    /// [`LedgerError::NothingToUndo`].
    pub async fn undo_act(
        &mut self,
        number: LedgerNumber,
        act: &NewDecisionAct,
    ) -> Result<Vec<DecisionRow>, LedgerError> {
        let decisions = self.standing_decisions(number).await?;
        if decisions.is_empty() {
            return Err(LedgerError::NothingToUndo(number));
        }
        let ids: Vec<DecisionId> = decisions.iter().map(|decision| decision.id).collect();
        self.insert_undo(&ids, act).await?;
        Ok(decisions)
    }

    /// Undo single decisions. Returns the list digest.
    ///
    /// # Errors
    /// [`LedgerError::NotStanding`] for what is undone already or no decision.
    pub async fn undo_decisions(
        &mut self,
        decisions: &[DecisionId],
        act: &NewDecisionAct,
    ) -> Result<String, LedgerError> {
        let numbers: BTreeSet<LedgerNumber> = decisions.iter().map(|id| id.number).collect();
        let mut standing = BTreeSet::new();
        for number in numbers {
            standing.extend(self.standing_decisions(number).await?.into_iter().map(|decision| decision.id));
        }
        // Each can be undone once: a second mention of it finds it gone.
        if let Some(id) = decisions.iter().find(|id| !standing.remove(id)) {
            return Err(LedgerError::NotStanding { number: id.number, n: id.n });
        }
        self.insert_undo(decisions, act).await
    }

    async fn standing_decisions(&mut self, number: LedgerNumber) -> Result<Vec<DecisionRow>, LedgerError> {
        let filter = DecisionFilter { number: Some(number), ..DecisionFilter::default() };
        self.decisions_for(&filter, None).await
    }

    async fn insert_undo(
        &mut self,
        decisions: &[DecisionId],
        act: &NewDecisionAct,
    ) -> Result<String, LedgerError> {
        let mut hash = Sha256::new();
        for id in decisions {
            feed(&mut hash, format!("{}.{}", id.number, id.n).as_bytes());
        }
        let digest = hex::encode(hash.finalize());
        self.insert_act(act, decisions.len(), &digest).await?;
        let rows: Vec<Vec<Value>> = decisions.iter().map(|id| vec![id.number.into(), id.n.into()]).collect();
        self.insert(&DECISION_UNDO, rows).await?;
        Ok(digest)
    }

    async fn insert_act(
        &mut self,
        act: &NewDecisionAct,
        count: usize,
        digest: &str,
    ) -> Result<(), LedgerError> {
        let number = self.number();
        let query = Query::new("SELECT number FROM decision_act WHERE number = $1").bind(number);
        if self.row(query, |row| row.int("number")).await?.is_some() {
            return Err(LedgerError::exists("decision act", number));
        }
        let row = vec![
            (&act.kind).into(),
            (&act.note).into(),
            canonical_json(&act.filter).into(),
            u64::try_from(count).unwrap_or(u64::MAX).into(),
            act.cost.into(),
            digest.into(),
            act.stamp.at.into(),
            act.stamp.by.as_str().into(),
        ];
        self.insert_one(&DECISION_ACT, row).await?;
        Ok(())
    }
}

/// Decisions as JSON; the last is kept, because a bulk act says the same about all its charges.
#[derive(Default)]
struct DecisionTexts {
    last: Option<(Decision, String)>,
}

impl DecisionTexts {
    fn text(&mut self, decision: &Decision) -> Result<String, LedgerError> {
        match &self.last {
            Some((same, text)) if same == decision => Ok(text.clone()),
            _ => {
                let value = serde_json::to_value(decision)
                    .map_err(|error| LedgerError::unreadable("decision.decision", error))?;
                let text = canonical_json(&value);
                self.last = Some((decision.clone(), text.clone()));
                Ok(text)
            }
        }
    }
}

fn decision_row(new: &NewDecision, text: String) -> Vec<Value> {
    let deferred_to = match &new.decision {
        Decision::Defer { to } => Some(*to),
        Decision::Approve | Decision::Reject | Decision::Reassign { .. } => None,
    };
    vec![
        new.source.key().into(),
        new.fingerprint.0.cast_signed().into(),
        new.ordinal.into(),
        new.content_digest.0.cast_signed().into(),
        new.charge.import.into(),
        new.charge.row.into(),
        new.period.into(),
        deferred_to.into(),
        text.into(),
    ]
}

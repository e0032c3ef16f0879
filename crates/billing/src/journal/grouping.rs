//! The same journal, with its lines summed for the formats.

use std::collections::{BTreeMap, BTreeSet};

use money::Minor;
use serde::{Deserialize, Serialize};

use super::description::Described;
use super::{Descriptions, Journal, JournalEntry, JournalLine, Party, Side};

/// Which lines of a journal become one. Payers are never netted against sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// A line per posted line.
    Detail,
    /// A line per PI, project, `fund_org` and account, over all sources: one entry.
    Summary,
    /// A line per source, `fund_org` and account.
    Gl,
}

/// What the lines that become one have in common, in the order in which they are listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    party: Party,
    source_name: Option<String>,
    pi_email: Option<String>,
    project_id: Option<String>,
    fund_org: String,
    account: String,
}

impl Key {
    fn of(line: &JournalLine, grouping: Grouping) -> Key {
        let summary = grouping == Grouping::Summary;
        let of_person = |value: &Option<String>| value.clone().filter(|_| summary);
        Key {
            party: line.party,
            source_name: (!summary || line.party == Party::Source).then(|| line.source_name.clone()),
            pi_email: of_person(&line.pi_email),
            project_id: of_person(&line.project_id),
            fund_org: line.fund_org.clone(),
            account: line.account.clone(),
        }
    }
}

impl Journal {
    /// This journal with its lines summed. Every sum nets debits and credits of the same key: a negative
    /// net swaps sides, a net of zero is left out. What differs among the lines that became one (PI,
    /// project) is left out of the new line, its description is written anew, and its reference is the
    /// document's id where there was more than one statement.
    #[must_use]
    pub fn grouped(&self, grouping: Grouping, descriptions: &Descriptions) -> Journal {
        let entries = match grouping {
            Grouping::Detail => self.entries.clone(),
            Grouping::Gl => self
                .entries
                .iter()
                .map(|entry| JournalEntry {
                    source_name: entry.source_name.clone(),
                    lines: self.summed(entry.lines.iter(), grouping, descriptions),
                })
                .collect(),
            Grouping::Summary => {
                let names: BTreeSet<&str> = self.entries.iter().map(JournalEntry::source_name).collect();
                let source_name = names.into_iter().collect::<Vec<_>>().join(", ");
                vec![JournalEntry { source_name, lines: self.summed(self.lines(), grouping, descriptions) }]
            }
        };
        // Sums of balanced entries balance; what netted out altogether is no entry.
        let entries = entries.into_iter().filter(|entry| !entry.lines.is_empty()).collect();
        Journal { document: self.document.clone(), period: self.period, entries }
    }

    fn summed<'a>(
        &self,
        lines: impl Iterator<Item = &'a JournalLine>,
        grouping: Grouping,
        descriptions: &Descriptions,
    ) -> Vec<JournalLine> {
        let mut sums: BTreeMap<Key, Vec<&JournalLine>> = BTreeMap::new();
        for line in lines {
            sums.entry(Key::of(line, grouping)).or_default().push(line);
        }
        sums.into_iter().filter_map(|(key, lines)| self.merged(key, &lines, descriptions)).collect()
    }

    fn merged(&self, key: Key, lines: &[&JournalLine], descriptions: &Descriptions) -> Option<JournalLine> {
        let net: Minor = lines.iter().map(|line| line.debit_less_credit()).sum();
        let first = lines.first().filter(|_| !net.is_zero())?;
        let common = |value: fn(&JournalLine) -> Option<&String>| {
            value(first).filter(|text| lines.iter().all(|line| value(line) == Some(*text))).cloned()
        };
        let sources: BTreeSet<&str> = lines.iter().map(|line| line.source_name.as_str()).collect();
        let source_name = sources.into_iter().collect::<Vec<_>>().join(", ");
        let pi_email = common(|line| line.pi_email.as_ref());
        let project_id = common(|line| line.project_id.as_ref());
        let described = Described {
            source: &source_name,
            period: self.period,
            fund_org: &key.fund_org,
            pi_email: pi_email.as_deref(),
            project_id: project_id.as_deref(),
        };
        let description = match key.party {
            Party::Payer => descriptions.debit(&described),
            Party::Source => descriptions.credit(&described),
        };
        Some(JournalLine {
            side: if net.is_negative() { Side::Credit } else { Side::Debit },
            party: key.party,
            amount: net.abs(),
            segments: first.segments.clone(),
            description,
            reference_id: common(|line| Some(&line.reference_id)).unwrap_or_else(|| self.document.clone()),
            fund_org: key.fund_org,
            account: key.account,
            source_name,
            pi_email,
            project_id,
        })
    }
}

//! What a document posts: the posted lines of statements, whole the first time, and after a change only
//! new minus old. What accounting rejected counts as never posted.

use std::collections::BTreeMap;

use money::Minor;
use serde::{Deserialize, Serialize};

use crate::StatementNumber;
use crate::statement::{LineKey, PostedLeg, PostedLine, Statement, line_key};
use crate::subsidy::Leg;

/// What one document posts of one statement. The amounts of a line are what it adds to what was posted
/// before; the charges are those that the line has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    pub number: StatementNumber,
    /// The version that is posted in full with this document.
    pub version: u32,
    pub pi_email: String,
    pub project_id: String,
    pub lines: Vec<PostedLine>,
}

impl Posting {
    /// All of a statement, as the first document that posts it does.
    #[must_use]
    pub fn whole(statement: &Statement) -> Posting {
        Posting {
            number: statement.number.clone(),
            version: statement.version,
            pi_email: statement.pi_email.clone(),
            project_id: statement.project_id.clone(),
            lines: statement.lines.iter().map(without_users).collect(),
        }
    }

    /// Whether money moves.
    #[must_use]
    pub fn moves_money(&self) -> bool {
        self.lines.iter().any(moves_money)
    }

    /// What the payers owe by it: amounts due and subsidies.
    #[must_use]
    pub fn sum(&self) -> Minor {
        self.lines.iter().map(|line| line.due + line.subsidy).sum()
    }
}

pub(super) fn moves_money(line: &PostedLine) -> bool {
    !line.due.is_zero() || line.legs.iter().any(|leg| !leg.amount.is_zero())
}

/// What is still to be posted, so that documents come to what `statements` (each in its current version)
/// say: current minus `posted`, the postings of all documents that stand, line by line. Empty when
/// nothing is to be posted.
///
/// A statement of which nothing was posted yet is posted with all its lines, those of zero as well; of
/// others only lines whose money changed are.
#[must_use]
pub fn to_post<'a>(statements: &[Statement], posted: impl IntoIterator<Item = &'a Posting>) -> Vec<Posting> {
    let mut before: BTreeMap<&StatementNumber, BTreeMap<LineKey, PostedLine>> = BTreeMap::new();
    for posting in posted {
        let lines = before.entry(&posting.number).or_default();
        for line in &posting.lines {
            match lines.get_mut(&line_key(line)) {
                Some(sum) => *sum = less(line.clone(), Some(negated(sum))),
                None => drop(lines.insert(line_key(line), line.clone())),
            }
        }
    }
    let postings: Vec<Posting> = statements
        .iter()
        .map(|statement| match before.remove(&statement.number) {
            None => Posting::whole(statement),
            Some(before) => Posting { lines: difference(statement, before), ..Posting::whole(statement) },
        })
        .filter(|posting| !posting.lines.is_empty())
        .collect();
    if postings.iter().any(Posting::moves_money) { postings } else { Vec::new() }
}

/// The lines of a statement minus what was posted of them; lines that are gone come last, negative.
fn difference(statement: &Statement, mut before: BTreeMap<LineKey, PostedLine>) -> Vec<PostedLine> {
    let mut lines: Vec<PostedLine> = statement
        .lines
        .iter()
        .map(|line| less(without_users(line), before.remove(&line_key(line))))
        .collect();
    lines.extend(before.values().map(negated));
    lines.retain(moves_money);
    lines
}

fn less(mut line: PostedLine, old: Option<PostedLine>) -> PostedLine {
    if let Some(old) = old {
        line.group.list_cost = line.group.list_cost - old.group.list_cost;
        line.group.cost = line.group.cost - old.group.cost;
        line.list = line.list - old.list;
        line.discount = line.discount - old.discount;
        line.subsidy = line.subsidy - old.subsidy;
        line.due = line.due - old.due;
        let negative = negated(&old);
        for leg in negative.legs {
            let same = |known: &&mut PostedLeg| is_same_leg(known, &leg);
            match line.legs.iter_mut().find(same) {
                Some(known) => add_leg(known, &leg),
                None => line.legs.push(leg),
            }
        }
        line.legs.retain(|leg| !leg.amount.is_zero());
    }
    line
}

/// Accounting asks who pays, and not of whose use.
fn without_users(line: &PostedLine) -> PostedLine {
    let mut legs: Vec<PostedLeg> = Vec::new();
    for leg in &line.legs {
        let leg = PostedLeg { leg: Leg { user: None, ..leg.leg.clone() }, ..*leg };
        match legs.iter_mut().find(|known| is_same_leg(known, &leg)) {
            Some(known) => add_leg(known, &leg),
            None => legs.push(leg),
        }
    }
    PostedLine { legs, ..line.clone() }
}

/// The same payer pays it from the same account by the same rule.
fn is_same_leg(one: &PostedLeg, other: &PostedLeg) -> bool {
    let key = |leg: &PostedLeg| (leg.leg.by, leg.leg.payer.clone(), leg.leg.account_code.clone());
    key(one) == key(other)
}

fn add_leg(sum: &mut PostedLeg, leg: &PostedLeg) {
    sum.leg.seen += leg.leg.seen;
    sum.leg.paid += leg.leg.paid;
    sum.amount += leg.amount;
}

fn negated(line: &PostedLine) -> PostedLine {
    let mut line = line.clone();
    line.group.list_cost = -line.group.list_cost;
    line.group.cost = -line.group.cost;
    line.list = -line.list;
    line.discount = -line.discount;
    line.subsidy = -line.subsidy;
    line.due = -line.due;
    for leg in &mut line.legs {
        (leg.leg.seen, leg.leg.paid, leg.amount) = (-leg.leg.seen, -leg.leg.paid, -leg.amount);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::testing::{any_groups, group, statement};
    use crate::statement::{LineKind, PostingGroup};

    fn usage(service: &str, cost: &str) -> PostingGroup {
        group(service, LineKind::Usage, cost, cost)
    }

    fn version(version: u32, groups: Vec<PostingGroup>) -> Statement {
        Statement { version, ..statement(groups) }
    }

    /// `EC2 1.50; S3 -2.00`
    fn shown(postings: &[Posting]) -> String {
        let line = |line: &PostedLine| {
            format!("{} {}", line.group.service_name.as_deref().unwrap_or("-"), line.due.decimal(2))
        };
        let lines = postings.iter().flat_map(|posting| &posting.lines).map(line);
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn only_the_difference_is_posted() {
        let first = version(1, vec![usage("EC2", "10"), usage("S3", "5"), usage("Free", "0")]);
        let posted = to_post(std::slice::from_ref(&first), []);
        assert_eq!(shown(&posted), "EC2 10.00; Free 0.00; S3 5.00");
        assert_eq!(to_post(std::slice::from_ref(&first), &posted), []);

        let second = version(2, vec![usage("EC2", "12.5"), usage("GPU", "1"), usage("Free", "0")]);
        let more = to_post(std::slice::from_ref(&second), &posted);
        assert_eq!(shown(&more), "EC2 2.50; GPU 1.00; S3 -5.00");
        assert_eq!(more[0].version, 2);
        let all: Vec<&Posting> = posted.iter().chain(&more).collect();
        assert_eq!(to_post(std::slice::from_ref(&second), all), []);
    }

    /// The first document is rejected after a second one posted the difference: what is left is what the
    /// first one posted, and the two together are the statement.
    #[test]
    fn what_was_rejected_is_posted_again_beside_what_stands() {
        let first = version(1, vec![usage("EC2", "10"), usage("S3", "5")]);
        let second = version(2, vec![usage("EC2", "12.5")]);
        let rejected = to_post(std::slice::from_ref(&first), []);
        let stands = to_post(std::slice::from_ref(&second), &rejected);
        let again = to_post(std::slice::from_ref(&second), &stands);
        assert_eq!(shown(&again), "EC2 10.00; S3 5.00");
        let both: Vec<&Posting> = stands.iter().chain(&again).collect();
        assert_eq!(both.iter().map(|posting| posting.sum()).sum::<Minor>(), second.totals.due);
        assert_eq!(to_post(std::slice::from_ref(&second), both), []);
    }

    #[test]
    fn what_moves_no_money_needs_no_document() {
        let free = version(1, vec![usage("EC2", "0.001")]);
        assert_eq!(to_post(std::slice::from_ref(&free), []), []);
        let first = version(1, vec![group("EC2", LineKind::Usage, "10", "8")]);
        let posted = to_post(std::slice::from_ref(&first), []);
        let dearer = version(2, vec![group("EC2", LineKind::Usage, "11", "8")]);
        assert_eq!(to_post(&[dearer], &posted), [], "a list price is stated, not posted");
    }

    proptest! {
        /// However a statement changes and whatever accounting rejects, the documents that stand come to
        /// what the statement says, line by line.
        #[test]
        fn documents_come_to_the_statement(
            versions in prop::collection::vec((any_groups(), any::<bool>()), 1..6),
        ) {
            let mut standing: Vec<Posting> = Vec::new();
            let mut last = Vec::new();
            for (n, (groups, rejected)) in (1..).zip(versions) {
                last = vec![version(n, groups)];
                let more = to_post(&last, &standing);
                if !rejected {
                    standing.extend(more);
                }
            }
            standing.extend(to_post(&last, &standing));
            prop_assert_eq!(to_post(&last, &standing), []);
            let mut sums: BTreeMap<LineKey, Minor> = BTreeMap::new();
            for line in standing.iter().flat_map(|posting| &posting.lines) {
                *sums.entry(line_key(line)).or_default() += line.due;
            }
            sums.retain(|_, sum| !sum.is_zero());
            let due = last[0].lines.iter().filter(|line| !line.due.is_zero());
            let expected: BTreeMap<LineKey, Minor> = due.map(|line| (line_key(line), line.due)).collect();
            prop_assert_eq!(sums, expected);
        }
    }
}

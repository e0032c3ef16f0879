//! Two statements beside each other, line by line: two versions, or two months of a project.

use std::collections::BTreeMap;

use money::Minor;
use serde::Serialize;

use super::{LineKey, LineKind, PostedLine, Statement, Totals, line_key};

/// What stands in `after` and not in `before`, and the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementDifference {
    /// Lines that are added, gone or changed, in the order of `after`; what is gone comes last.
    pub lines: Vec<LineDifference>,
    /// Lines that are the same on both.
    pub unchanged: usize,
    pub before: Totals,
    pub after: Totals,
}

/// A line that differs. `before` is `None` for one that was added, `after` for one that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineDifference {
    pub service_name: Option<String>,
    pub kind: LineKind,
    pub source: String,
    pub fund_org: Option<String>,
    pub account_code: Option<String>,
    pub before: Option<LineFigures>,
    pub after: Option<LineFigures>,
}

/// What a reader sees of a line, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LineFigures {
    pub charges: u64,
    pub list: Minor,
    pub discount: Minor,
    pub subsidy: Minor,
    pub due: Minor,
}

impl LineDifference {
    /// `added`, `gone` or `changed`.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (Some(_), None) => "gone",
            (Some(_), Some(_)) => "changed",
        }
    }

    /// The amount due after less that before, in minor units.
    #[must_use]
    pub fn due(&self) -> Minor {
        let due = |figures: &Option<LineFigures>| figures.map_or(Minor::ZERO, |figures| figures.due);
        due(&self.after) - due(&self.before)
    }

    fn new((service_name, kind, source, fund_org, account_code): LineKey) -> LineDifference {
        LineDifference { service_name, kind, source, fund_org, account_code, before: None, after: None }
    }
}

impl From<&PostedLine> for LineFigures {
    fn from(line: &PostedLine) -> LineFigures {
        let PostedLine { group, list, discount, subsidy, due, legs: _ } = line;
        LineFigures { charges: group.charges, list: *list, discount: *discount, subsidy: *subsidy, due: *due }
    }
}

/// The lines that differ. Exact sums below a minor unit do not count.
#[must_use]
pub fn difference(before: &Statement, after: &Statement) -> StatementDifference {
    let mut old: BTreeMap<LineKey, LineFigures> =
        before.lines.iter().map(|line| (line_key(line), LineFigures::from(line))).collect();
    let mut lines = Vec::new();
    let mut unchanged = 0;
    for line in &after.lines {
        let (was, is) = (old.remove(&line_key(line)), LineFigures::from(line));
        if was == Some(is) {
            unchanged += 1;
        } else {
            lines.push(LineDifference {
                before: was,
                after: Some(is),
                ..LineDifference::new(line_key(line))
            });
        }
    }
    let gone = old.into_iter();
    lines.extend(gone.map(|(key, was)| LineDifference { before: Some(was), ..LineDifference::new(key) }));
    StatementDifference { lines, unchanged, before: before.totals, after: after.totals }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::statement::testing::{any_groups, group, statement};

    #[test]
    fn lines_are_added_gone_changed_or_the_same() {
        let usage = |service: &str, cost: &str| group(service, LineKind::Usage, cost, cost);
        let before = statement(vec![usage("EC2", "10"), usage("S3", "5"), usage("GPU", "8")]);
        let after = statement(vec![usage("EC2", "12.5"), usage("S3", "5.001"), usage("Lambda", "2")]);
        let difference = difference(&before, &after);
        let shown = |figures: &Option<LineFigures>| {
            figures.map_or_else(|| "-".to_owned(), |figures| figures.due.decimal(2))
        };
        let lines = difference.lines.iter().map(|line| {
            let service = line.service_name.as_deref().unwrap_or("-");
            let due = line.due().decimal(2);
            format!("{} {service}: {} {} ({due})", line.what(), shown(&line.before), shown(&line.after))
        });
        assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        changed EC2: 10.00 12.50 (2.50)
        added Lambda: - 2.00 (2.00)
        gone GPU: 8.00 - (-8.00)
        ");
        assert_eq!(difference.unchanged, 1);
    }

    proptest! {
        #[test]
        fn differences_add_up_to_the_difference(before in any_groups(), after in any_groups()) {
            let (before, after) = (statement(before), statement(after));
            let found = difference(&before, &after);
            let sum: Minor = found.lines.iter().map(LineDifference::due).sum();
            prop_assert_eq!(sum, after.totals.due - before.totals.due);
            let after_lines = found.lines.iter().filter(|line| line.after.is_some()).count();
            prop_assert_eq!(after_lines + found.unchanged, after.lines.len());
            let same = difference(&after, &after);
            prop_assert_eq!((same.lines.len(), same.unchanged), (0, after.lines.len()));
        }
    }
}

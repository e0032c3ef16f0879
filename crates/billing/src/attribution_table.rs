//! The attribution table: whose a cloud account, a label, a path, a key or an alias is, and from when to when.
//!
//! A rule names a key (a column, a tag, or a field that the tags gave) and a value, and gives fields of the
//! attribution. Of the rules that fit a charge each field takes the first that gives it, in the order of
//! [`AttributionTable`]; whether a tag or the table says more is a setting. Charges are judged by the start
//! of their charge period.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::attribution::{Attribution, field_text, pi_email_text};
use crate::people::PersonId;
use crate::{Period, SourceName};

/// "Rule 14"; numbers are given once and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub i64);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Below zero, it is the address of a person that gave the field.
        match self.0 {
            ..0 => PersonId(-self.0).fmt(f),
            id => id.fmt(f),
        }
    }
}

/// What of a charge a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RuleKey {
    /// A field that the tags gave: an alias of a person, the fund of a project.
    Field(usize),
    /// `tag:NAME`: a tag of the file, in any case.
    Tag(String),
    /// A column of the file, in `snake_case`: `sub_account_id`, `x_resource_group_name`.
    Column(String),
}

const TAG: &str = "tag:";

impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleKey::Field(field) => f.write_str(Attribution::FIELDS[*field]),
            RuleKey::Tag(name) => write!(f, "{TAG}{name}"),
            RuleKey::Column(name) => f.write_str(name),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key; keys are columns (sub_account_id, resource_id), tags (tag:Department) and fields (pi_email, project_id, fund_org)"
)]
pub struct BadRuleKey(String);

impl From<RuleKey> for String {
    fn from(key: RuleKey) -> String {
        key.to_string()
    }
}

impl TryFrom<String> for RuleKey {
    type Error = BadRuleKey;

    fn try_from(text: String) -> Result<RuleKey, BadRuleKey> {
        text.parse()
    }
}

impl FromStr for RuleKey {
    type Err = BadRuleKey;

    /// Columns in any spelling: `SubAccountId` is `sub_account_id`.
    fn from_str(text: &str) -> Result<RuleKey, BadRuleKey> {
        let text = text.trim();
        if let Some(name) = text.get(..TAG.len()).filter(|start| start.eq_ignore_ascii_case(TAG)) {
            let name = text[name.len()..].trim().to_lowercase();
            return if name.is_empty() { Err(BadRuleKey(text.to_owned())) } else { Ok(RuleKey::Tag(name)) };
        }
        let is_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
        let name = focus::snake_case(text);
        if name.is_empty() || !text.chars().all(is_word) {
            return Err(BadRuleKey(text.to_owned()));
        }
        let field = Attribution::FIELDS.iter().position(|field| *field == name);
        Ok(field.map_or(RuleKey::Column(name), RuleKey::Field))
    }
}

/// A rule, as a person wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributionRule {
    pub id: RuleId,
    /// Of every source, where `None`.
    pub source: Option<SourceName>,
    pub key: RuleKey,
    /// In any case; with `*` at its end, whatever begins so.
    pub value: String,
    pub gives: Attribution,
    /// First and last day of the charge periods that it is for; `None`: without a bound.
    pub from: Option<Date>,
    pub to: Option<Date>,
    pub note: Option<String>,
}

/// What is wrong with a rule by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    #[error("a rule needs a value")]
    NoValue,
    #[error("`{0}` would fit everything")]
    FitsEverything(String),
    #[error("a rule gives at least one field, such as a PI or a project")]
    GivesNothing,
    #[error("{field} `{text}` is not a date; write 2025-01-31")]
    NotADate { field: &'static str, text: String },
    #[error("it ends on {to}, before it begins on {from}")]
    EndsFirst { from: Date, to: Date },
}

impl AttributionRule {
    /// The rule with its texts in one spelling, or what is wrong with it.
    ///
    /// # Errors
    /// [`BadRule`].
    pub fn checked(mut self) -> Result<AttributionRule, BadRule> {
        let value = field_text(&self.value).ok_or(BadRule::NoValue)?;
        self.value = String::from(value);
        if self.value == "*" {
            return Err(BadRule::FitsEverything(self.value));
        }
        let gives = self.gives.values().map(|value| value.and_then(field_text).map(str::to_owned));
        self.gives = Attribution::from_values(gives);
        self.gives.pi_email = self.gives.pi_email.as_deref().and_then(pi_email_text);
        self.gives.usage_user = self.gives.usage_user.as_deref().and_then(pi_email_text);
        if self.gives == Attribution::default() {
            return Err(BadRule::GivesNothing);
        }
        for (field, date) in
            [("end_date", &self.gives.end_date), ("reconciliation_end", &self.gives.reconciliation_end)]
        {
            if let Some(text) = date.as_ref().filter(|text| text.parse::<Date>().is_err()) {
                return Err(BadRule::NotADate { field, text: text.clone() });
            }
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            return Err(BadRule::EndsFirst { from, to });
        }
        Ok(self)
    }

    /// Whether the two could be meant by the same charge, and neither says more than the other.
    #[must_use]
    pub fn rivals(&self, other: &AttributionRule) -> bool {
        let source = |rule: &AttributionRule| rule.source.as_ref().map(SourceName::key);
        self.key == other.key
            && self.value.to_lowercase() == other.value.to_lowercase()
            && source(self) == source(other)
            && self.from.is_none_or(|from| other.to.is_none_or(|to| from <= to))
            && other.from.is_none_or(|from| self.to.is_none_or(|to| from <= to))
    }

    /// `AWS sub_account_id 1234`, for messages.
    #[must_use]
    pub fn subject(&self) -> String {
        let source = self.source.as_ref().map_or_else(String::new, |source| format!("{source} "));
        format!("{source}{} `{}`", self.key, self.value)
    }

    /// Whether a charge of these days can be meant.
    #[must_use]
    pub fn touches(&self, first: Date, last: Date) -> bool {
        self.from.is_none_or(|from| from <= last) && self.to.is_none_or(|to| first <= to)
    }
}

/// The table as it stands, and as it stood when each finalized period was: what comes late for one of these
/// belongs to whom it belonged then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributionRecord {
    pub now: Vec<AttributionRule>,
    pub finalized: BTreeMap<Period, Vec<AttributionRule>>,
}

/// Which of the two says more, where a tag and the table both give a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precedence {
    /// The table fills what the tags leave open.
    #[default]
    Tags,
    Table,
}

/// The rules that can be meant by charges of one source, ready to be looked up.
///
/// Order: fields before tags before columns (`billing_account_id` last), rules of this source before those
/// of any, exact values before beginnings, longer beginnings before shorter ones.
#[derive(Clone, Debug, Default)]
pub struct AttributionTable {
    rules: Vec<Compiled>,
    keys: Vec<KeyRules>,
    /// Addresses that are not current, in lower case, with what is.
    people: HashMap<String, Vec<usize>>,
    /// The instants at which another address becomes current.
    eras: Vec<i64>,
    precedence: Precedence,
}

#[derive(Clone, Debug)]
struct Compiled {
    rule: AttributionRule,
    /// Microseconds since 1970: the first instant, and the first after.
    from: i64,
    until: i64,
}

#[derive(Clone, Debug)]
struct KeyRules {
    key: RuleKey,
    /// By the value in lower case.
    exact: HashMap<String, Vec<usize>>,
    /// Beginnings in lower case, the longest first.
    beginnings: Vec<(String, Vec<usize>)>,
}

/// The rules that fit a value, in order; which of them is in force depends on the day.
pub type Fitting = Box<[usize]>;

impl AttributionTable {
    #[must_use]
    pub fn of_source(
        rules: &[AttributionRule],
        source: &SourceName,
        precedence: Precedence,
    ) -> AttributionTable {
        let is_meant =
            |rule: &&AttributionRule| rule.source.as_ref().is_none_or(|of| of.key() == source.key());
        let mut meant: Vec<&AttributionRule> = rules.iter().filter(is_meant).collect();
        meant.sort_by_key(|rule| (rule.source.is_none(), rule.id));
        let mut table = AttributionTable { precedence, ..AttributionTable::default() };
        for rule in meant {
            let at = table.rules.len();
            table.rules.push(Compiled::of(rule));
            if rule.id.0 < 0 {
                table.people.entry(rule.value.to_lowercase()).or_default().push(at);
                table.eras.extend(rule.from.map(micros));
                continue;
            }
            let known = table.keys.iter().position(|known| known.key == rule.key);
            let key = known.unwrap_or_else(|| {
                let key = rule.key.clone();
                table.keys.push(KeyRules { key, exact: HashMap::new(), beginnings: Vec::new() });
                table.keys.len() - 1
            });
            table.keys[key].add(&rule.value, at);
        }
        table.eras.sort_unstable();
        table.eras.dedup();
        table.keys.sort_by_key(|known| {
            (known.key == RuleKey::Column("billing_account_id".to_owned()), known.key.clone())
        });
        table
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.has_people()
    }

    #[must_use]
    pub fn has_people(&self) -> bool {
        !self.people.is_empty()
    }

    /// Between which changes of addresses an instant lies.
    #[must_use]
    pub fn era(&self, at: i64) -> usize {
        self.eras.partition_point(|era| *era <= at)
    }

    /// In the order in which they count.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &RuleKey> {
        self.keys.iter().map(|known| &known.key)
    }

    /// The rules of the `key`-th key that fit a value; empty when none does.
    #[must_use]
    pub fn fitting(&self, key: usize, value: &str) -> Fitting {
        let (known, value) = (&self.keys[key], value.trim().to_lowercase());
        let beginnings = known.beginnings.iter().filter(|(start, _)| value.starts_with(start.as_str()));
        let all = known.exact.get(&value).into_iter().chain(beginnings.map(|(_, rules)| rules)).flatten();
        let mut all: Vec<usize> = all.copied().collect();
        // A rule of this source with a beginning before one of any source with the value.
        all.sort_by_key(|&at| self.rules[at].rule.source.is_none());
        all.into()
    }

    /// The first of the fitting rules that is in force at an instant (microseconds since 1970).
    #[must_use]
    pub fn in_force(&self, fitting: &[usize], at: i64) -> Option<usize> {
        fitting.iter().copied().find(|&rule| (self.rules[rule].from..self.rules[rule].until).contains(&at))
    }

    /// What the tags gave, with rules laid over it in order, and the address of the PI that is current at the
    /// instant; and the rules that gave something.
    #[must_use]
    pub fn laid_over(&self, tags: &Attribution, rules: &[usize], at: i64) -> (Attribution, Vec<RuleId>) {
        let mut used = Vec::new();
        let values = std::array::from_fn(|field| {
            let giving = |at: &&usize| self.rules[**at].rule.gives.values()[field].is_some();
            let own = |at: &&usize| self.rules[**at].rule.key == RuleKey::Field(field);
            let delivered = tags.values()[field];
            let rule = match rules.iter().filter(giving).find(own) {
                // What is an alias gives way to what it is an alias of.
                Some(alias) => Some(alias),
                None if delivered.is_some() && self.precedence == Precedence::Tags => None,
                None => rules.iter().find(giving),
            };
            if let Some(&rule) = rule {
                used.push(self.rules[rule].rule.id);
            }
            let given = rule.and_then(|&rule| self.rules[rule].rule.gives.values()[field]);
            given.or(delivered).map(str::to_owned)
        });
        let mut attribution = Attribution::from_values(values);
        let known =
            attribution.pi_email.as_ref().and_then(|address| self.people.get(&address.to_lowercase()));
        if let Some(rule) = known.and_then(|fitting| self.in_force(fitting, at)) {
            let Compiled { rule, .. } = &self.rules[rule];
            attribution.pi_email.clone_from(&rule.gives.pi_email);
            used.push(rule.id);
        }
        // Persons after rules.
        used.sort_unstable_by_key(|id| (id.0 < 0, id.0.abs()));
        used.dedup();
        (attribution, used)
    }

    /// Who has a charge with these values of the keys, on a day; for trying the table out.
    #[must_use]
    pub fn attribute(
        &self,
        tags: &Attribution,
        value: impl Fn(&RuleKey) -> Option<String>,
        on: Date,
    ) -> (Attribution, Vec<RuleId>) {
        let rules: Vec<usize> = (0..self.keys.len())
            .filter_map(|key| {
                let value = match &self.keys[key].key {
                    RuleKey::Field(field) => tags.values()[*field].map(str::to_owned),
                    other => value(other),
                }?;
                self.in_force(&self.fitting(key, &value), micros(on))
            })
            .collect();
        self.laid_over(tags, &rules, micros(on))
    }
}

impl KeyRules {
    fn add(&mut self, value: &str, at: usize) {
        let value = value.to_lowercase();
        let Some(start) = value.strip_suffix('*') else {
            self.exact.entry(value).or_default().push(at);
            return;
        };
        match self.beginnings.iter_mut().find(|(known, _)| known == start) {
            Some((_, rules)) => rules.push(at),
            None => self.beginnings.push((start.to_owned(), vec![at])),
        }
        self.beginnings.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
    }
}

impl Compiled {
    fn of(rule: &AttributionRule) -> Compiled {
        let after = |day: Date| day.tomorrow().map_or(i64::MAX, micros);
        Compiled {
            from: rule.from.map_or(i64::MIN, micros),
            until: rule.to.map_or(i64::MAX, after),
            rule: rule.clone(),
        }
    }
}

/// The first instant of a day, UTC.
fn micros(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).map_or(i64::MIN, |start| start.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: i64, source: &str, key: &str, value: &str, gives: &[(usize, &str)]) -> AttributionRule {
        let mut values: [Option<String>; Attribution::COUNT] = Default::default();
        for (field, text) in gives {
            values[*field] = Some((*text).to_owned());
        }
        AttributionRule {
            id: RuleId(id),
            source: (!source.is_empty()).then(|| SourceName(source.to_owned())),
            key: key.parse().unwrap(),
            value: value.to_owned(),
            gives: Attribution::from_values(values),
            from: None,
            to: None,
            note: None,
        }
    }

    const PI: usize = 0;
    const PROJECT: usize = 1;
    const FUND: usize = 2;

    fn during(mut rule: AttributionRule, from: &str, to: &str) -> AttributionRule {
        rule.from = (!from.is_empty()).then(|| from.parse().unwrap());
        rule.to = (!to.is_empty()).then(|| to.parse().unwrap());
        rule
    }

    /// `pi/project/fund by rules`.
    fn who(
        rules: &[AttributionRule],
        precedence: Precedence,
        tags: [&str; 3],
        values: &[(&str, &str)],
        on: &str,
    ) -> String {
        let table = AttributionTable::of_source(rules, &SourceName("aws".to_owned()), precedence);
        let mut given: [Option<String>; Attribution::COUNT] = Default::default();
        for (at, text) in tags.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            given[at] = Some((*text).to_owned());
        }
        let value = |key: &RuleKey| {
            values.iter().find(|(name, _)| *name == key.to_string()).map(|(_, value)| (*value).to_owned())
        };
        let (found, by) = table.attribute(&Attribution::from_values(given), value, on.parse().unwrap());
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let by: Vec<String> = by.iter().map(RuleId::to_string).collect();
        format!(
            "{}/{}/{} by {}",
            or(&found.pi_email),
            or(&found.project_id),
            or(&found.fund_org),
            by.join(" ")
        )
    }

    #[test]
    fn each_field_takes_the_first_rule_that_gives_it() {
        let rules = [
            rule(1, "", "sub_account_id", "111", &[(PI, "ada"), (PROJECT, "looms")]),
            rule(2, "AWS", "SubAccountId", "111", &[(PROJECT, "engines")]),
            rule(3, "", "sub_account_id", "11*", &[(PI, "bo"), (FUND, "F-1")]),
            rule(4, "", "sub_account_id", "1*", &[(FUND, "F-2")]),
            rule(5, "Azure", "sub_account_id", "111", &[(PI, "cy")]),
            rule(6, "", "tag:Department", "physics", &[(FUND, "P-1")]),
            rule(7, "", "billing_account_id", "b", &[(PI, "zoe"), (PROJECT, "rest"), (FUND, "R-1")]),
        ];
        let account = [("sub_account_id", "111")];
        for (name, rules, tags, values, expected) in [
            ("the source's own before any", &rules[..2], ["", "", ""], &account[..], "-/engines/- by 2"),
            (
                "exact before a beginning",
                &[rules[0].clone(), rules[2].clone()],
                ["", "", ""],
                &account,
                "ada/looms/- by 1",
            ),
            ("the longer beginning", &rules[2..4], ["", "", ""], &account, "bo/-/F-1 by 3"),
            ("another source's is not meant", &rules[4..5], ["", "", ""], &account, "-/-/- by "),
            ("tags are filled up", &rules[..1], ["eve", "", ""], &account, "eve/looms/- by 1"),
            ("nothing fits", &rules, ["", "", ""], &[("sub_account_id", "999")], "-/-/- by "),
            (
                "a tag before a column, the billing account last",
                &rules,
                ["", "", ""],
                &[("sub_account_id", "111"), ("tag:department", "Physics"), ("billing_account_id", "B")],
                "zoe/engines/P-1 by 2 6 7",
            ),
        ] {
            assert_eq!(who(rules, Precedence::Tags, tags, values, "2025-01-05"), expected, "{name}");
        }
        let table = who(&rules[..1], Precedence::Table, ["eve", "", "F"], &account, "2025-01-05");
        assert_eq!(table, "ada/looms/F by 1");
    }

    #[test]
    fn an_alias_gives_way_to_what_it_is_an_alias_of() {
        let rules = [
            rule(1, "", "pi_email", "ada.l@old.edu", &[(PI, "ada@example.edu")]),
            rule(2, "", "project_id", "looms", &[(FUND, "F-9"), (PROJECT, "jacquard")]),
        ];
        let found = who(&rules, Precedence::Tags, ["ADA.L@old.edu", "looms", ""], &[], "2025-01-05");
        assert_eq!(found, "ada@example.edu/jacquard/F-9 by 1 2");
    }

    #[test]
    fn a_rule_is_in_force_from_its_first_to_its_last_day() {
        let rules = [
            during(rule(1, "", "sub_account_id", "1", &[(PI, "ada")]), "", "2025-01-31"),
            during(rule(2, "", "sub_account_id", "1", &[(PI, "bo")]), "2025-02-01", "2025-02-02"),
        ];
        let pi = |on: &str| who(&rules, Precedence::Tags, ["", "", ""], &[("sub_account_id", "1")], on);
        let found = ["2025-01-31", "2025-02-01", "2025-02-02", "2025-02-03"].map(pi);
        assert_eq!(found, ["ada/-/- by 1", "bo/-/- by 2", "bo/-/- by 2", "-/-/- by "]);
    }

    #[test]
    fn two_rules_cannot_say_different_things_of_the_same_day() {
        let old = during(rule(1, "AWS", "sub_account_id", "1a", &[(PI, "ada")]), "2025-01-01", "2025-03-31");
        for (source, value, from, to, rivals) in [
            ("aws", "1A", "2025-03-31", "", true),
            ("AWS", "1a", "2025-04-01", "", false),
            ("AWS", "1a", "", "2024-12-31", false),
            ("AWS", "1a", "", "", true),
            ("", "1a", "", "", false),
            ("AWS", "1a*", "", "", false),
        ] {
            let new = during(rule(2, source, "sub_account_id", value, &[(PI, "bo")]), from, to);
            assert_eq!(
                (old.rivals(&new), new.rivals(&old)),
                (rivals, rivals),
                "{source} {value} {from} {to}"
            );
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_not_taken() {
        let good = || rule(1, "", "tag:Team", " x ", &[(PI, " Ada@Example.edu ")]);
        let kept = good().checked().unwrap();
        assert_eq!((kept.value.as_str(), kept.gives.pi_email.as_deref()), ("x", Some("ada@example.edu")));
        let wrong = |change: fn(&mut AttributionRule)| {
            let mut rule = good();
            change(&mut rule);
            rule.checked().unwrap_err().to_string()
        };
        assert_eq!(wrong(|rule| rule.value = " ".to_owned()), "a rule needs a value");
        assert_eq!(wrong(|rule| rule.value = "*".to_owned()), "`*` would fit everything");
        assert_eq!(
            wrong(|rule| rule.gives = Attribution::default()),
            "a rule gives at least one field, such as a PI or a project"
        );
        assert_eq!(
            wrong(|rule| rule.gives.end_date = Some("30.6.2025".to_owned())),
            "end_date `30.6.2025` is not a date; write 2025-01-31"
        );
        assert_eq!(
            wrong(|rule| (rule.from, rule.to) = ("2025-02-01".parse().ok(), "2025-01-01".parse().ok())),
            "it ends on 2025-01-01, before it begins on 2025-02-01"
        );
        assert_eq!("tag:Team".parse::<RuleKey>().unwrap().to_string(), "tag:team");
        assert_eq!("PI_Email".parse::<RuleKey>().unwrap(), RuleKey::Field(PI));
        assert!("tag:".parse::<RuleKey>().is_err() && "a b".parse::<RuleKey>().is_err());
    }
}

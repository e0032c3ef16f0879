//! The journal of a period: every posted line debits its `fund_org`, every source is credited once.

use std::collections::BTreeMap;

use money::Minor;
use regex::Regex;

use super::description::Described;
use super::postings::moves_money;
use super::{
    BadDescription, Descriptions, Journal, JournalEntry, JournalLine, Party, Posting, Side, Unbalanced,
};
use crate::attribution::{AttributionRules, FundOrg, field_text};
use crate::pattern::{Anchor, BadPattern, compile_pattern};
use crate::settings::{Basis, Delivery, Settings, SourceSettings};
use crate::statement::{PostedLeg, PostedLine, Statement};
use crate::{Period, SourceName, StatementNumber};

/// The posted lines of one issued statement.
#[derive(Clone, Copy, Debug)]
pub struct StatementLines<'a> {
    pub number: &'a StatementNumber,
    pub pi_email: &'a str,
    pub project_id: &'a str,
    pub lines: &'a [PostedLine],
}

impl<'a> From<&'a Statement> for StatementLines<'a> {
    fn from(statement: &'a Statement) -> StatementLines<'a> {
        StatementLines {
            number: &statement.number,
            pi_email: &statement.pi_email,
            project_id: &statement.project_id,
            lines: &statement.lines,
        }
    }
}

impl<'a> From<&'a Posting> for StatementLines<'a> {
    fn from(posting: &'a Posting) -> StatementLines<'a> {
        StatementLines {
            number: &posting.number,
            pi_email: &posting.pi_email,
            project_id: &posting.project_id,
            lines: &posting.lines,
        }
    }
}

/// Why a journal cannot be made. All reasons are found before anything is written; what is missing in
/// the configuration is printed ready to paste by [`settings_to_paste`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotPost {
    #[error("source `{source_name}` has no `fund_org` to credit under imports.known_sources")]
    NoCreditFundOrg { source_name: String },
    #[error(
        "source `{source_name}` has no `account_code` under imports.known_sources, and journal.default_account is empty"
    )]
    NoAccount { source_name: String },
    #[error("statement {number}: charges of source `{source_name}` have no fund_org to debit")]
    NoDebitFundOrg { number: StatementNumber, source_name: String },
    #[error("fund_org `{fund_org}` of {place} does not match journal.fund_org_regex")]
    UnparsedFundOrg { fund_org: String, place: String },
    #[error("account code `{account}` of {place} does not match journal.account_code_regex")]
    AccountMismatch { account: String, place: String },
    #[error("statement {number}: a subsidy on charges of source `{source_name}` has nobody who pays it")]
    SubsidyWithoutPayer { number: StatementNumber, source_name: String },
    #[error(transparent)]
    BadPattern(#[from] BadPattern),
    #[error(transparent)]
    BadDescription(#[from] BadDescription),
    /// A defect of the program, refused rather than written.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
}

impl Journal {
    /// Make the journal of a period: a debit for every posted line that is not zero, and one credit per
    /// source for what its debits come to. A negative net swaps sides. Lines are ordered by source, PI,
    /// project and statement, whatever order they come in.
    ///
    /// The account of a debit is the charges' own account code, else the source's, else
    /// `journal.default_account`; that of a credit is the source's, else the default.
    ///
    /// # Errors
    /// Every reason at once, each only once.
    pub fn from_statements(
        period: Period,
        document: String,
        statements: &[StatementLines<'_>],
        settings: &Settings,
    ) -> Result<Journal, Vec<CannotPost>> {
        let mut chart = Chart::compile(settings)?;
        let mut sorted: Vec<&StatementLines<'_>> = statements.iter().collect();
        sorted.sort_by_key(|statement| (statement.pi_email, statement.project_id, statement.number));
        let mut sources: BTreeMap<String, (String, Vec<JournalLine>)> = BTreeMap::new();
        for statement in sorted {
            for line in statement.lines {
                let legs: Minor = line.legs.iter().map(|leg| leg.amount).sum();
                if line.subsidy != legs {
                    chart.refuse(CannotPost::SubsidyWithoutPayer {
                        number: statement.number.clone(),
                        source_name: line.group.source.clone(),
                    });
                }
                if !moves_money(line) {
                    continue;
                }
                let source = SourceName(line.group.source.clone());
                let source_name = chart.source(&source).map_or(&source.0, |known| &known.name.0).clone();
                let (_, lines) =
                    sources.entry(source.key()).or_insert_with(|| (source_name.clone(), Vec::new()));
                if !line.due.is_zero() {
                    lines.extend(chart.debit(period, statement, line, &source_name));
                }
                for leg in line.legs.iter().filter(|leg| !leg.amount.is_zero()) {
                    lines.extend(chart.debit_leg(period, statement, line, leg, &source_name));
                }
            }
        }
        let mut entries = Vec::new();
        for (_, (source_name, mut lines)) in sources {
            let net: Minor = lines.iter().map(JournalLine::debit_less_credit).sum();
            lines.extend(chart.credit(period, &document, &source_name, net));
            entries.push((source_name, lines));
        }
        if !chart.problems.is_empty() {
            return Err(chart.problems);
        }
        let entries = entries
            .into_iter()
            .map(|(source_name, lines)| JournalEntry::balanced(source_name, lines))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|unbalanced| vec![unbalanced.into()])?;
        Ok(Journal { document, period, entries })
    }
}

/// What a fund owes of a statement.
struct Owed<'a> {
    fund_org: Option<&'a str>,
    account: Option<&'a str>,
    amount: Minor,
    /// What is said to be wrong when it cannot be posted.
    place: String,
}

/// What the configuration says about funds and accounts, and everything found missing on the way.
struct Chart<'a> {
    settings: &'a Settings,
    attribution: AttributionRules,
    account_code: Option<Regex>,
    descriptions: Descriptions,
    problems: Vec<CannotPost>,
}

impl<'a> Chart<'a> {
    fn compile(settings: &'a Settings) -> Result<Chart<'a>, Vec<CannotPost>> {
        let attribution = AttributionRules::compile(settings);
        let account_code = account_code_regex(&settings.journal.account_code_regex);
        let descriptions = Descriptions::compile(&settings.journal);
        match (attribution, account_code, descriptions) {
            (Ok(attribution), Ok(account_code), Ok(descriptions)) => {
                Ok(Chart { settings, attribution, account_code, descriptions, problems: Vec::new() })
            }
            (attribution, account_code, descriptions) => {
                let patterns = attribution.err().into_iter().chain(account_code.err()).map(CannotPost::from);
                let texts = descriptions.err().into_iter().flatten().map(CannotPost::from);
                Err(patterns.chain(texts).collect())
            }
        }
    }

    fn refuse(&mut self, problem: CannotPost) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn source(&self, name: &SourceName) -> Option<&'a SourceSettings> {
        self.settings.sources.iter().find(|source| source.name == *name)
    }

    /// What the PI's fund owes of a line.
    fn debit(
        &mut self,
        period: Period,
        statement: &StatementLines<'_>,
        line: &PostedLine,
        source_name: &str,
    ) -> Option<JournalLine> {
        let fund_org = line.group.fund_org.as_deref().and_then(field_text);
        if fund_org.is_none() {
            let (number, source_name) = (statement.number.clone(), source_name.to_owned());
            self.refuse(CannotPost::NoDebitFundOrg { number, source_name });
        }
        let owed = Owed {
            fund_org,
            account: line.group.account_code.as_deref(),
            amount: line.due,
            place: format!("statement {}", statement.number),
        };
        self.owed(period, statement, &owed, source_name)
    }

    /// What a subsidy or a credit pays is debited to its payer, on the statement of the PI it pays for.
    fn debit_leg(
        &mut self,
        period: Period,
        statement: &StatementLines<'_>,
        line: &PostedLine,
        PostedLeg { leg, amount }: &PostedLeg,
        source_name: &str,
    ) -> Option<JournalLine> {
        let owed = Owed {
            fund_org: Some(&leg.payer),
            account: leg.account_code.as_deref().or(line.group.account_code.as_deref()),
            amount: *amount,
            place: format!("{} `{}`", leg.by, leg.name),
        };
        self.owed(period, statement, &owed, source_name)
    }

    fn owed(
        &mut self,
        period: Period,
        statement: &StatementLines<'_>,
        owed: &Owed<'_>,
        source_name: &str,
    ) -> Option<JournalLine> {
        let place = || owed.place.clone();
        let parsed = owed.fund_org.and_then(|fund_org| self.parse_fund_org(fund_org, place));
        let account = match owed.account.and_then(field_text) {
            Some(account) => self.check_account(account, place),
            None => self.source_account(source_name),
        };
        let (fund_org, parsed, account) = (owed.fund_org?, parsed?, account?);
        let described = Described {
            source: source_name,
            period,
            fund_org,
            pi_email: Some(statement.pi_email),
            project_id: Some(statement.project_id),
        };
        Some(JournalLine {
            side: if owed.amount.is_negative() { Side::Credit } else { Side::Debit },
            party: Party::Payer,
            amount: owed.amount.abs(),
            fund_org: fund_org.to_owned(),
            segments: parsed.segments,
            account,
            description: self.descriptions.debit(&described),
            reference_id: statement.number.to_string(),
            source_name: source_name.to_owned(),
            pi_email: Some(statement.pi_email.to_owned()),
            project_id: Some(statement.project_id.to_owned()),
        })
    }

    /// The source's line for a net of its payers; none for a net of zero, but its settings must be there
    /// all the same: they may not depend on the month.
    fn credit(
        &mut self,
        period: Period,
        document: &str,
        source_name: &str,
        net: Minor,
    ) -> Option<JournalLine> {
        let known = self.source(&SourceName(source_name.to_owned()));
        let fund_org = known.and_then(|known| known.fund_org.as_deref()).and_then(field_text);
        if fund_org.is_none() {
            self.refuse(CannotPost::NoCreditFundOrg { source_name: source_name.to_owned() });
        }
        let parsed =
            fund_org.and_then(|fund_org| self.parse_fund_org(fund_org, || format!("source `{source_name}`")));
        let account = self.source_account(source_name);
        let (fund_org, parsed, account) = (fund_org?, parsed?, account?);
        let described = Described { source: source_name, period, fund_org, pi_email: None, project_id: None };
        (!net.is_zero()).then(|| JournalLine {
            side: if net.is_negative() { Side::Debit } else { Side::Credit },
            party: Party::Source,
            amount: net.abs(),
            fund_org: fund_org.to_owned(),
            segments: parsed.segments,
            account,
            description: self.descriptions.credit(&described),
            reference_id: document.to_owned(),
            source_name: source_name.to_owned(),
            pi_email: None,
            project_id: None,
        })
    }

    fn parse_fund_org(&mut self, fund_org: &str, place: impl Fn() -> String) -> Option<FundOrg> {
        let parsed = self.attribution.parse_fund_org(fund_org);
        if parsed.is_none() {
            self.refuse(CannotPost::UnparsedFundOrg { fund_org: fund_org.to_owned(), place: place() });
        }
        parsed
    }

    fn source_account(&mut self, source_name: &str) -> Option<String> {
        let known = self.source(&SourceName(source_name.to_owned()));
        let default = field_text(&self.settings.journal.default_account);
        if let Some(account) = known.and_then(|known| known.account_code.as_deref()).and_then(field_text) {
            return self.check_account(account, || format!("source `{source_name}`"));
        }
        let Some(account) = default else {
            self.refuse(CannotPost::NoAccount { source_name: source_name.to_owned() });
            return None;
        };
        self.check_account(account, || "journal.default_account".to_owned())
    }

    fn check_account(&mut self, account: &str, place: impl Fn() -> String) -> Option<String> {
        if self.account_code.as_ref().is_some_and(|regex| !regex.is_match(account)) {
            self.refuse(CannotPost::AccountMismatch { account: account.to_owned(), place: place() });
            return None;
        }
        Some(account.to_owned())
    }
}

/// Compile `journal.account_code_regex`, which matches from the start; empty is no check.
pub(crate) fn account_code_regex(pattern: &str) -> Result<Option<Regex>, BadPattern> {
    if pattern.is_empty() {
        return Ok(None);
    }
    compile_pattern("journal.account_code_regex", None, pattern, Anchor::Start, false).map(Some)
}

/// The YAML that is missing, as the whole list of known sources so that it can replace the one that is
/// there: values to fill in are empty, and an empty value is refused as a missing one is. `None` where
/// the configuration lacks nothing.
#[must_use]
pub fn settings_to_paste(problems: &[CannotPost], settings: &Settings) -> Option<String> {
    if !problems.iter().any(|problem| missing_of_source(problem).is_some()) {
        return None;
    }
    let mut sources = settings.sources.clone();
    for name in problems.iter().filter_map(missing_of_source) {
        if !sources.iter().any(|source| source.name == SourceName(name.clone())) {
            sources.push(SourceSettings::new(name, &name.to_lowercase()));
        }
    }
    let lacking = |source: &SourceSettings, lacks: fn(&CannotPost) -> bool| {
        problems
            .iter()
            .filter(|problem| lacks(problem))
            .filter_map(missing_of_source)
            .any(|name| SourceName(name.clone()) == source.name)
    };
    let mut yaml = vec!["imports:".to_owned(), "  known_sources:".to_owned()];
    for source in &sources {
        yaml.push(format!("    - name: {}", yaml_text(&source.name.0)));
        yaml.push(format!("      pattern: {}", yaml_text(&source.pattern)));
        let no_fund_org = lacking(source, |problem| matches!(problem, CannotPost::NoCreditFundOrg { .. }));
        let no_account = lacking(source, |problem| matches!(problem, CannotPost::NoAccount { .. }));
        let account_note = "the account to post to (or set journal.default_account)";
        yaml.extend(yaml_entry(
            "fund_org",
            source.fund_org.as_deref(),
            no_fund_org,
            "the fund_org to credit",
        ));
        yaml.extend(yaml_entry("account_code", source.account_code.as_deref(), no_account, account_note));
        match source.delivery {
            Delivery::Ask => {}
            Delivery::Snapshot => yaml.push("      delivery: snapshot".to_owned()),
            Delivery::Increment => yaml.push("      delivery: increment".to_owned()),
        }
        match source.basis {
            Basis::Billed => {}
            Basis::Effective => yaml.push("      basis: effective".to_owned()),
            Basis::Contracted => yaml.push("      basis: contracted".to_owned()),
        }
    }
    Some(yaml.join("\n") + "\n")
}

fn missing_of_source(problem: &CannotPost) -> Option<&String> {
    match problem {
        CannotPost::NoCreditFundOrg { source_name } | CannotPost::NoAccount { source_name } => {
            Some(source_name)
        }
        _ => None,
    }
}

fn yaml_entry(key: &str, value: Option<&str>, missing: bool, note: &str) -> Option<String> {
    if missing {
        return Some(format!("      {key}: \"\"  # fill in: {note}"));
    }
    value.map(|value| format!("      {key}: {}", yaml_text(value)))
}

/// A YAML scalar that reads back as this text: bare words stay bare, the rest is quoted as in JSON.
fn yaml_text(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if bare { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

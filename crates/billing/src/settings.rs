//! The settings that rules need. `cli` reads the YAML once and fills these; the ledger keeps the
//! effective configuration by digest, so that a closed period is computed with what it was closed with.

use money::Currency;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::SourceName;
use crate::attribution::{fund_org_pattern, fund_org_regex};
use crate::attribution_table::Precedence;
use crate::journal::{BadDescription, BadDocumentFormat, Descriptions, DocumentFormat, JournalLimits};
use crate::pattern::{Anchor, BadPattern, compile_pattern};
use crate::unusual::UnusualCost;

/// Everything of the configuration that a rule may depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub currency: Currency,
    pub tag_mapping: TagMapping,
    pub review: ReviewSettings,
    pub sources: Vec<SourceSettings>,
    pub journal: JournalSettings,
    /// False for showback without journals: takes the fund flags away.
    pub require_fund_org: bool,
    #[serde(default)]
    pub attribution: AttributionSettings,
    #[serde(default)]
    pub subsidies: SubsidySettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsidySettings {
    /// The first month of the institution's fiscal year, 1 to 12.
    pub fiscal_year_start: u8,
}

impl Default for SubsidySettings {
    fn default() -> SubsidySettings {
        SubsidySettings { fiscal_year_start: 7 }
    }
}

/// How the attribution table is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributionSettings {
    pub precedence: Precedence,
}

/// Which tag gives which field: names in order of preference; empty switches the field off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagMapping {
    pub pi_email: Vec<String>,
    pub project_id: Vec<String>,
    pub fund_org: Vec<String>,
    pub cost_center: Vec<String>,
    pub account_code: Vec<String>,
    pub reference_1: Vec<String>,
    pub reference_2: Vec<String>,
    pub end_date: Vec<String>,
    pub reconciliation_end: Vec<String>,
    #[serde(default)]
    pub fallback_fund_org: Vec<String>,
    #[serde(default)]
    pub customer_class: Vec<String>,
    #[serde(default)]
    pub usage_user: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSettings {
    /// Searched, case-insensitive, in service name, resource id and resource name.
    pub flag_patterns: Vec<String>,
    /// A `fund_org` must match at least one from its start; none means that any will do.
    pub fund_org_patterns: Vec<String>,
    #[serde(default)]
    pub unusual_cost: UnusualCost,
}

/// A known source (`imports.known_sources[]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSettings {
    pub name: SourceName,
    /// Part of the file name that says that a file is of this source; case-insensitive.
    pub pattern: String,
    /// The `fund_org` that is credited. Needed for journals only.
    pub fund_org: Option<String>,
    pub account_code: Option<String>,
    pub delivery: Delivery,
    pub basis: Basis,
    #[serde(default)]
    pub priced_by: PricedBy,
    /// The system whose own files are this source's deliveries; without it they are FOCUS files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorSettings>,
}

/// A connector and what is said about it, as it was written: what the options mean is the connector's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorSettings {
    /// `slurm`, …
    pub kind: String,
    /// Single values are texts, as they were written.
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// How a source delivers (FOCUS 1.4 calls it `DeliveryHandling`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Each delivery holds the whole period so far and supersedes the one before.
    Snapshot,
    /// Each delivery holds only new rows.
    Increment,
    /// Not said: overlap is looked for, and refused unless it is clear.
    #[default]
    Ask,
}

/// Who says what the source's charges cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PricedBy {
    /// The delivered files.
    #[default]
    File,
    /// The rate book: the files say what was used.
    Rates,
}

/// Which cost is billed. Never the list cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    #[default]
    Billed,
    Effective,
    Contracted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalSettings {
    /// Named groups `fund` and `orgn`, and any other for templates. `(?P<name>…)` or `(?<name>…)`.
    pub fund_org_regex: String,
    /// Accounts must match, when not empty.
    pub account_code_regex: String,
    pub template: String,
    pub default_account: String,
    pub debit_description: String,
    pub credit_description: String,
    /// How documents are numbered: see [`DocumentFormat`].
    pub document_format: String,
    /// The lengths of the texts of the ledger that takes the journal.
    pub limits: JournalLimits,
}

impl Default for Settings {
    fn default() -> Settings {
        let known =
            [("AWS", "aws"), ("Azure", "azure"), ("GCP", "gcp"), ("HPC", "hpc"), ("Storage", "storage")];
        Settings {
            currency: Currency { code: money::CurrencyCode::USD, symbol: "$".to_owned() },
            tag_mapping: TagMapping::default(),
            review: ReviewSettings::default(),
            sources: known.map(|(name, pattern)| SourceSettings::new(name, pattern)).to_vec(),
            journal: JournalSettings::default(),
            require_fund_org: true,
            attribution: AttributionSettings::default(),
            subsidies: SubsidySettings::default(),
        }
    }
}

/// A setting that no rule could work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error(transparent)]
    Description(#[from] BadDescription),
    #[error(transparent)]
    DocumentFormat(#[from] BadDocumentFormat),
}

impl BadSetting {
    /// The key as a path, `review.flag_patterns[2]`.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            BadSetting::Pattern(bad) => bad.place(),
            BadSetting::Description(bad) => bad.key.to_owned(),
            BadSetting::DocumentFormat(_) => "journal.document_format".to_owned(),
        }
    }
}

impl Settings {
    /// Every pattern and template that cannot be compiled, for `config check`: the rules themselves
    /// refuse the first they meet.
    #[must_use]
    pub fn problems(&self) -> Vec<BadSetting> {
        let patterns = self.review.patterns().err().into_iter().flatten();
        let mut problems: Vec<BadSetting> = patterns.map(BadSetting::from).collect();
        problems.extend(fund_org_regex(&self.journal.fund_org_regex).err().map(BadSetting::from));
        let account_code = crate::journal::account_code_regex(&self.journal.account_code_regex);
        problems.extend(account_code.err().map(BadSetting::from));
        let descriptions = Descriptions::compile(&self.journal).err().into_iter().flatten();
        problems.extend(descriptions.map(BadSetting::from));
        let document_format = DocumentFormat::compile(&self.journal.document_format);
        problems.extend(document_format.err().map(BadSetting::from));
        problems
    }
}

/// The patterns of a [`ReviewSettings`], as imports use them.
#[derive(Clone, Debug)]
pub struct ReviewPatterns {
    pub flag: Vec<Regex>,
    pub fund_org: Vec<Regex>,
}

impl ReviewSettings {
    /// # Errors
    /// Every pattern that cannot be used.
    pub fn patterns(&self) -> Result<ReviewPatterns, Vec<BadPattern>> {
        let mut bad = Vec::new();
        let mut compile = |texts: &[String], compile: fn(usize, &str) -> Result<Regex, BadPattern>| {
            let compiled = texts.iter().enumerate().map(|(index, text)| compile(index, text));
            compiled.filter_map(|one| one.map_err(|wrong| bad.push(wrong)).ok()).collect()
        };
        let flag = compile(&self.flag_patterns, |index, text| {
            compile_pattern("review.flag_patterns", Some(index), text, Anchor::Anywhere, true)
        });
        let fund_org = compile(&self.fund_org_patterns, fund_org_pattern);
        if bad.is_empty() { Ok(ReviewPatterns { flag, fund_org }) } else { Err(bad) }
    }
}

impl SourceSettings {
    #[must_use]
    pub fn new(name: &str, pattern: &str) -> SourceSettings {
        SourceSettings {
            name: SourceName(name.to_owned()),
            pattern: pattern.to_owned(),
            fund_org: None,
            account_code: None,
            delivery: Delivery::default(),
            basis: Basis::default(),
            priced_by: PricedBy::default(),
            connector: None,
        }
    }
}

impl Default for TagMapping {
    fn default() -> TagMapping {
        let one = |name: &str| vec![name.to_owned()];
        TagMapping {
            pi_email: one("pi_email"),
            project_id: vec!["project".to_owned(), "project_id".to_owned()],
            fund_org: one("fund_org"),
            cost_center: one("cost_center"),
            account_code: one("account_code"),
            reference_1: Vec::new(),
            reference_2: Vec::new(),
            end_date: one("end_date"),
            reconciliation_end: one("reconciliation_end"),
            fallback_fund_org: one("fallback_fund_org"),
            customer_class: one("customer_class"),
            usage_user: vec!["usage_user".to_owned(), "user".to_owned()],
        }
    }
}

impl Default for JournalSettings {
    fn default() -> JournalSettings {
        let description = "{source} {period} Research Computing Charges";
        JournalSettings {
            fund_org_regex: "^(?P<orgn>[^-]+)-(?P<fund>.+)$".to_owned(),
            account_code_regex: String::new(),
            template: "journal_gl.csv".to_owned(),
            default_account: String::new(),
            debit_description: description.to_owned(),
            credit_description: description.to_owned(),
            document_format: DocumentFormat::DEFAULT.to_owned(),
            limits: JournalLimits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_pattern_and_template_is_listed_with_its_key() {
        let mut settings = Settings::default();
        assert_eq!(settings.problems(), []);
        settings.review.flag_patterns = vec!["ok".into(), "(".into(), "[".into()];
        settings.review.fund_org_patterns = vec!["*".into()];
        settings.journal.fund_org_regex = "x".into();
        settings.journal.account_code_regex = "(".into();
        settings.journal.debit_description = "{x}".into();
        settings.journal.credit_description = "{".into();
        settings.journal.document_format = "J".into();
        let places: Vec<String> = settings.problems().iter().map(BadSetting::place).collect();
        assert_eq!(
            places,
            [
                "review.flag_patterns[1]",
                "review.flag_patterns[2]",
                "review.fund_org_patterns[0]",
                "journal.fund_org_regex",
                "journal.account_code_regex",
                "journal.debit_description",
                "journal.credit_description",
                "journal.document_format",
            ]
        );
    }
}

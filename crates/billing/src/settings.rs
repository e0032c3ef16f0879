//! The settings that rules need. `cli` reads the YAML once and fills these; the ledger keeps the
//! effective configuration by digest, so that a closed period is computed with what it was closed with.

use money::Currency;
use serde::{Deserialize, Serialize};

use crate::SourceName;

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
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSettings {
    /// Searched, case-insensitive, in service name, resource id and resource name.
    pub flag_patterns: Vec<String>,
    /// A fund_org must match at least one from its start; none means that any will do.
    pub fund_org_patterns: Vec<String>,
}

/// A known source (`imports.known_sources[]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSettings {
    pub name: SourceName,
    /// Part of the file name that says that a file is of this source; case-insensitive.
    pub pattern: String,
    /// The fund_org that is credited. Needed for journals only.
    pub fund_org: Option<String>,
    pub account_code: Option<String>,
    pub delivery: Delivery,
    pub basis: Basis,
}

/// How a source delivers (FOCUS 1.4 calls it DeliveryHandling).
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
pub struct JournalSettings {
    /// Named groups `fund` and `orgn`, and any other for templates. `(?P<name>…)` or `(?<name>…)`.
    pub fund_org_regex: String,
    /// Accounts must match, when not empty.
    pub account_code_regex: String,
    pub template: String,
    pub default_account: String,
    pub debit_description: String,
    pub credit_description: String,
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
        }
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
        }
    }
}

//! `accounts.json` of Slurm and `projects.json` of `PowerScale`: whose an account or a path is.

use std::collections::BTreeMap;

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use serde::Deserialize;
use serde_json::Value;

use super::{Read, Wanted, parsed, said};

/// Where the names of a file are looked for.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    column: &'static str,
    what: &'static str,
    /// Whether the system that delivers writes names in lower case.
    lower_case: bool,
}

pub(super) const SLURM: Kind = Kind { column: "sub_account_id", what: "accounts", lower_case: true };
pub(super) const PATHS: Kind = Kind { column: "resource_name", what: "paths", lower_case: false };

#[derive(Deserialize)]
struct File {
    #[serde(alias = "projects")]
    accounts: BTreeMap<String, Owner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    pi_email: Option<String>,
    project_id: Option<String>,
    fund_org: Option<String>,
}

pub(super) fn read(file: Value, wanted: &Wanted, kind: Kind) -> Result<Read, String> {
    let File { accounts } = parsed(file)?;
    let key = wanted.key.clone().unwrap_or_else(|| RuleKey::Column(kind.column.to_owned()));
    let mut read = Read::default();
    read.notes.push(format!(
        "{} are looked for in `{key}`; charges of others are held for review, where they were left out or billed to nobody",
        kind.what
    ));
    if kind.lower_case && accounts.keys().any(|name| name.chars().any(char::is_uppercase)) {
        read.notes.push("names are compared in any case: Slurm writes them in lower case, so that those with capitals were never found".to_owned());
    }
    let rule = |(value, owner): (String, Owner)| AttributionRule {
        id: RuleId(0),
        source: wanted.source.clone(),
        key: key.clone(),
        value,
        gives: Attribution {
            pi_email: said(owner.pi_email),
            project_id: said(owner.project_id),
            fund_org: said(owner.fund_org),
            ..Attribution::default()
        },
        from: None,
        to: None,
        note: None,
    };
    read.attribution = accounts.into_iter().map(rule).collect();
    Ok(read)
}

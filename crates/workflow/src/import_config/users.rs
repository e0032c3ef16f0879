//! `projects.json` of the `OpenAI` integration: projects with their users.

use std::collections::BTreeMap;

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use serde::Deserialize;
use serde_json::Value;

use super::{Read, Wanted, parsed, said};

/// The tag that names who used what.
const USER: &str = "usage_user";

#[derive(Deserialize)]
struct File {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(rename = "project_id")]
    id: String,
    pi_email: Option<String>,
    fund_org: Option<String>,
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    email: String,
}

pub(super) fn read(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let File { projects } = parsed(file)?;
    let key = wanted.key.clone().unwrap_or_else(|| RuleKey::Tag(USER.to_owned()));
    let mut read = Read::default();
    read.notes.push(format!("users are looked for in `{key}`, in any case; their roles are not used"));
    read.notes.push(
        "charges of users of no project are held for review; they were billed to `unassigned`".to_owned(),
    );
    let mut by_user: BTreeMap<String, AttributionRule> = BTreeMap::new();
    for project in projects {
        let gives = Attribution {
            pi_email: said(project.pi_email),
            project_id: said(Some(project.id.clone())),
            fund_org: said(project.fund_org),
            ..Attribution::default()
        };
        if let (Some(project), Some(pi)) = (&gives.project_id, &gives.pi_email) {
            read.owners.insert(project.clone(), pi.clone());
        }
        for User { email } in project.users {
            let user = email.trim().to_lowercase();
            let rule = AttributionRule {
                id: RuleId(0),
                source: wanted.source.clone(),
                key: key.clone(),
                // Looked for elsewhere, they are not known from their own tag.
                gives: Attribution { usage_user: wanted.key.as_ref().map(|_| user.clone()), ..gives.clone() },
                value: user,
                from: None,
                to: None,
                note: None,
            };
            if let Some(before) = by_user.insert(rule.value.clone(), rule) {
                let other = before.gives.project_id.unwrap_or_default();
                read.notes.push(format!(
                    "`{}` is a user of `{other}` and of `{}`: the last one counts, as it did",
                    before.value, project.id
                ));
            }
        }
    }
    for rule in by_user.values() {
        read.users.insert(rule.value.clone(), rule.gives.project_id.clone().unwrap_or_default());
    }
    read.attribution = by_user.into_values().collect();
    Ok(read)
}

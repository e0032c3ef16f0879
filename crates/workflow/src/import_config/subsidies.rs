//! `subsidies.json` of the `OpenAI` integration: who pays up to a cap.

use billing::SourceName;
use billing::subsidy::{Percent, Scope, SubsidyId, SubsidyRule, Tier, Window};
use money::Amount;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Read, Wanted, parsed};

#[derive(Deserialize)]
struct File {
    subsidies: Vec<Subsidy>,
}

#[derive(Deserialize)]
struct Subsidy {
    name: String,
    description: Option<String>,
    fund_org: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    cap_amount: Number,
    period: Option<String>,
    fiscal_year_start: Option<String>,
    #[serde(default)]
    applies_to_services: Vec<String>,
    #[serde(default)]
    eligible_projects: Vec<String>,
    enabled: Option<bool>,
}

pub(super) fn read(file: Value, wanted: &Wanted, fiscal_year_start: u8) -> Result<Read, String> {
    let File { subsidies } = parsed(file)?;
    let from = wanted.from.ok_or("subsidies need a first billing period: `--from 2025-07`")?;
    let mut read = Read::default();
    read.notes.push("the payer is a leg of each line; it was a row of its own under the PI's name, which doubled the list cost".to_owned());
    let enabled = subsidies.iter().filter(|subsidy| subsidy.enabled != Some(false)).count();
    if 1 < enabled {
        read.notes.push(format!(
            "all {enabled} count, in their order, each of what the one before left; only the first did"
        ));
    }
    for (order, subsidy) in (1_i64..).zip(subsidies) {
        let name = subsidy.name.clone();
        if subsidy.enabled == Some(false) {
            read.notes.push(format!("`{name}` is not enabled: no rule is written"));
            continue;
        }
        let cap = Amount::parse_total(&subsidy.cap_amount.to_string())
            .ok_or_else(|| format!("`{name}`: `{}` is not an amount", subsidy.cap_amount))?;
        let mut note = |what: String| read.notes.push(format!("`{name}`: {what}"));
        let scope = scope(subsidy.kind.as_deref(), &mut note);
        let window = window(subsidy.period.as_deref(), &mut note)?;
        let start = subsidy.fiscal_year_start.as_deref().and_then(|text| text.get(..2)?.parse::<u8>().ok());
        if let Some(month) = start.filter(|month| window == Window::FiscalYear && *month != fiscal_year_start)
        {
            note(format!(
                "its fiscal year begins in month {month}, the configuration's in {fiscal_year_start}: set `subsidies: {{ fiscal_year_start: {month} }}`"
            ));
        }
        read.subsidies.push(SubsidyRule {
            id: SubsidyId::default(),
            name: subsidy.name,
            payer: subsidy.fund_org,
            account_code: None,
            order,
            stacks: true,
            sources: wanted.source.iter().map(|source| SourceName(source.0.clone())).collect(),
            services: subsidy.applies_to_services,
            pis: Vec::new(),
            projects: subsidy.eligible_projects,
            tiers: vec![Tier { up_to: Some(cap), percent: Percent::ALL }],
            cap: None,
            scope,
            window,
            carries_over: false,
            from,
            to: None,
            note: subsidy.description,
            opening: Vec::new(),
        });
    }
    Ok(read)
}

fn scope(kind: Option<&str>, note: &mut impl FnMut(String)) -> Scope {
    let scope = match kind {
        None | Some("per_project_cap") => return Scope::Project,
        Some("per_pi_cap") => Scope::Pi,
        Some("per_user_cap") => Scope::User,
        Some("global_cap" | "global_pool") => Scope::All,
        Some(other) => {
            note(format!("type `{other}` is not known here; it is counted per project, as all types were"));
            return Scope::Project;
        }
    };
    let kind = kind.unwrap_or_default();
    note(format!("type `{kind}` counts as it says; every type was counted per project"));
    scope
}

fn window(period: Option<&str>, note: &mut impl FnMut(String)) -> Result<Window, String> {
    let window = match period {
        Some("fiscal_year") => return Ok(Window::FiscalYear),
        None | Some("year" | "annual" | "calendar_year") => return Ok(Window::Year),
        Some("month" | "monthly") => Window::Month,
        Some("quarter" | "quarterly") => Window::Quarter,
        Some("once" | "grant") => Window::Once,
        Some(other) => {
            return Err(format!("period `{other}` is none of month, quarter, year, fiscal_year and once"));
        }
    };
    note(format!(
        "period `{}` counts as it says; it was taken for a calendar year",
        period.unwrap_or_default()
    ));
    Ok(window)
}

//! `.openchargeback.json` of a folder on Qumulo: whose its project is, and until when.

use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Read, Wanted, parsed, said};

#[derive(Deserialize)]
struct File {
    pi_email: Option<String>,
    project_id: Option<String>,
    fund_org: Option<String>,
    cost_center: Option<String>,
    reference_1: Option<String>,
    reference_2: Option<String>,
    end_date: Option<String>,
    reconciliation_end: Option<String>,
    active: Option<bool>,
    free_gb: Option<Number>,
    subsidy_percent: Option<Number>,
    daily_credit: Option<Number>,
    notes: Option<String>,
}

pub(super) fn read(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let file: File = parsed(file)?;
    let project = said(file.project_id).ok_or("it names no project_id")?;
    let mut read = Read::default();
    if file.active == Some(false) {
        read.notes.push(format!(
            "`{project}` is not active: no rule is written, and its charges are held for review"
        ));
        return Ok(read);
    }
    for (name, value) in [
        ("free_gb", file.free_gb),
        ("subsidy_percent", file.subsidy_percent),
        ("daily_credit", file.daily_credit),
    ] {
        let value = value.map(|number| number.to_string()).unwrap_or_default();
        if value.chars().any(|digit| ('1'..='9').contains(&digit)) {
            read.notes.push(format!(
                "{name} {value} is a price, which is not read here: what a subsidy pays is written with `subsidies add`"
            ));
        }
    }
    let key = wanted.key.clone().unwrap_or(RuleKey::Field(1));
    read.attribution.push(AttributionRule {
        id: RuleId(0),
        source: wanted.source.clone(),
        key,
        value: project,
        gives: Attribution {
            pi_email: said(file.pi_email),
            fund_org: said(file.fund_org),
            cost_center: said(file.cost_center),
            reference_1: said(file.reference_1),
            reference_2: said(file.reference_2),
            end_date: said(file.end_date),
            reconciliation_end: said(file.reconciliation_end),
            ..Attribution::default()
        },
        from: None,
        to: None,
        note: said(file.notes),
    });
    Ok(read)
}

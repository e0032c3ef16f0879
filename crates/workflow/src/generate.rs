//! Make the statements of a closed period. Number and model are committed first; the documents are
//! rendered after and kept by digest, so that an interrupted run is finished by the next.

use std::collections::{BTreeMap, BTreeSet};

use billing::period::PeriodAct;
use billing::rate::RatedUse;
use billing::settings::Settings;
use billing::statement::{
    Award, PostedLine, ResourceGroup, Statement, Totals, by_service, changed, fallback_notes, held_note,
    paid_notes, post_resources, post_subsidized,
};
use billing::{LedgerNumber, Period, StatementNumber};
use futures::TryStreamExt;
use lake::{Filter, Project, Resource, View};
use ledger::{AuditEvent, NewStatement, StatementRow, StatementVersion};
use money::{CurrencyCode, Minor};
use serde::Serialize;
use serde_json::json;

use crate::charges::{Scope, charges};
use crate::funding::Funding;
use crate::installation::RULES_VERSION;
use crate::render::{pdf_path, render_missing};
use crate::usage::Funded;
use crate::{Actor, Installation, WorkflowError, funding, periods, usage};

/// A statement of the period, as it stands after the act; the shape of `generate --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Issued {
    pub number: StatementNumber,
    pub version: u32,
    pub period: Period,
    pub pi_email: String,
    pub project_id: String,
    pub list_cost: String,
    pub discount: String,
    pub subsidy: String,
    pub amount_due: String,
    pub currency: CurrencyCode,
    pub path: Option<String>,
    #[serde(skip)]
    pub totals: Totals,
    /// What this act did.
    #[serde(skip)]
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    New,
    /// A further version, and what changed.
    Replaced(Vec<String>),
    Unchanged,
}

/// What `generate` came to.
#[derive(Clone, Debug)]
pub struct Generated {
    pub statements: Vec<Issued>,
    /// Charges of the period that are not on any statement because they are held, and their sum.
    pub held: crate::report::Sum,
    /// Credits that are used up, nearly so, or about to expire.
    pub alerts: Vec<String>,
    pub rendered: usize,
}

/// Statements are computed from a snapshot and recorded only if the books still are that; else they are
/// computed anew.
const ATTEMPTS: usize = 5;

/// PI and project.
pub type Owner = (String, String);

/// # Errors
/// A period that is not closed (a dry run may look at an open one); what could not be read or written.
pub async fn generate(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    dry_run: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Generated, WorkflowError> {
    let mut drafts = draft(installation, period, dry_run).await?;
    if dry_run {
        let statements = drafts.drafts.into_iter().map(|draft| draft.described()).collect();
        return Ok(Generated { statements, held: drafts.held, alerts: drafts.alerts, rendered: 0 });
    }
    let mut attempts = 1;
    let mut statements = loop {
        match issue(installation, actor, period, &drafts).await? {
            Some(statements) => break statements,
            // Somebody else did something meanwhile: another month, or the same statements.
            None if attempts < ATTEMPTS => drafts = draft(installation, period, dry_run).await?,
            None => {
                let refusal = crate::Refusal::new("the books changed while the statements were computed");
                return Err(refusal.hint("try again").into());
            }
        }
        attempts += 1;
    };
    let all_resources = drafts.take_all_resources();
    let rendered = render_missing(installation, actor, period, all_resources, progress).await?;
    let mut reader = installation.ledger.read().await?;
    for issued in &mut statements {
        let id = StatementVersion { number: issued.number.clone(), version: issued.version };
        issued.path = pdf_path(installation, &mut reader, &id).await?;
    }
    Ok(Generated { statements, held: drafts.held, alerts: drafts.alerts, rendered })
}

/// The statements a period comes to, before numbers.
pub struct Drafts {
    pub drafts: Vec<Draft>,
    pub held: crate::report::Sum,
    pub alerts: Vec<String>,
    pub computed_at: LedgerNumber,
    pub configuration_digest: String,
}

/// A statement without a number, and what it was before.
pub struct Draft {
    pub statement: Statement,
    pub before: Option<StatementRow>,
    pub change: Change,
    /// All resources, where there are more than the statement lists.
    pub all_resources: Option<Vec<u8>>,
}

impl Drafts {
    fn take_all_resources(&mut self) -> BTreeMap<Owner, Vec<u8>> {
        let long = self.drafts.iter_mut().filter_map(|draft| {
            let owner = (draft.statement.pi_email.clone(), draft.statement.project_id.clone());
            Some((owner, draft.all_resources.take()?))
        });
        long.collect()
    }
}

pub(crate) async fn draft(
    installation: &Installation,
    period: Period,
    dry_run: bool,
) -> Result<Drafts, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let act = if dry_run { PeriodAct::Look } else { PeriodAct::Generate };
    let record = periods::require(&mut reader, period, act).await?;
    let settings = installation.settings_of(&mut reader, period).await?;
    let view = charges(installation, &mut reader, Scope::period(period), &settings, None).await?;
    let before: BTreeMap<Owner, StatementRow> = reader
        .current_statements(period, None)
        .await?
        .into_iter()
        .map(|row| ((row.pi_email.clone(), row.project_id.clone()), row))
        .collect();
    let mut funding = funding::of_period(&mut reader, period, &settings, None).await?;
    let had_one = before.keys().cloned().collect();
    let statements = compute(&view, period, &settings, had_one, &mut funding).await?;
    let mut drafts = Vec::with_capacity(statements.len());
    for (statement, all_resources) in statements {
        let owner = (statement.pi_email.clone(), statement.project_id.clone());
        let before = before.get(&owner).cloned();
        let change = match &before {
            None => Change::New,
            Some(row) => {
                let old = reader.load_statement(&row.id).await?;
                changed(&old, &statement).map_or(Change::Unchanged, Change::Replaced)
            }
        };
        drafts.push(Draft { statement, before, change, all_resources });
    }
    let held = crate::report::state_totals(&view, period).await?.held;
    let configuration_digest = record.closed_with().unwrap_or(&installation.configuration.digest).to_owned();
    let alerts = funding.credits.alerts(&settings.currency);
    Ok(Drafts { drafts, held, alerts, computed_at: reader.head(), configuration_digest })
}

/// What the books of a period come to: a statement for each PI and project with something billed, and a
/// statement of nothing for those that had one and have no charges any more.
///
/// # Errors
/// What the lake could not read.
pub async fn compute(
    view: &View,
    period: Period,
    settings: &Settings,
    had_one: BTreeSet<Owner>,
    funding: &mut Funding,
) -> Result<Vec<(Statement, Option<Vec<u8>>)>, WorkflowError> {
    let (apart, mut owners) = usage::of_period(view, period, funding).await?;
    for owner in had_one {
        owners.entry(owner).or_default();
    }
    let projects: BTreeMap<Owner, Project> = view
        .projects(period)
        .await?
        .into_iter()
        .map(|project| ((project.pi_email.clone(), project.project_id.clone()), project))
        .collect();
    let late = with_deferred(view, period).await?;
    let mut resources = std::pin::pin!(view.resources(period, None).await?);
    let mut next = resources.try_next().await?;
    let mut statements = Vec::with_capacity(owners.len());
    for (owner, usage) in owners {
        let mut own: Vec<ResourceGroup> = Vec::new();
        // Both come in the order of PI and project.
        while let Some(resource) =
            next.take_if(|resource| (&resource.pi_email, &resource.project_id) == (&owner.0, &owner.1))
        {
            own.push(resource_group(resource));
            next = resources.try_next().await?;
        }
        let funded = usage.funded(&owner, period, &apart, funding);
        own.extend(funded.rates.iter().filter_map(RatedUse::resource));
        let facts = Facts { project: projects.get(&owner), has_deferred: late.contains(&owner) };
        statements.push(build(owner, period, settings, funded, own, &facts, funding));
    }
    Ok(statements)
}

/// What statements of a period would post, without their resources and documents.
pub(crate) async fn post(
    view: &View,
    period: Period,
    settings: &Settings,
    funding: &mut Funding,
) -> Result<Vec<(Owner, Vec<PostedLine>, Totals)>, WorkflowError> {
    let places = settings.currency.code.places();
    let (apart, owners) = usage::of_period(view, period, funding).await?;
    let posted = owners.into_iter().map(|(owner, usage)| {
        let Funded { groups, users, .. } = usage.funded(&owner, period, &apart, funding);
        let (lines, totals) =
            post_subsidized(groups, places, |groups| funding.legs(&owner.0, &owner.1, groups, &users));
        (owner, lines, totals)
    });
    Ok(posted.collect())
}

fn resource_group(resource: Resource) -> ResourceGroup {
    ResourceGroup {
        service_name: resource.service_name,
        resource_id: resource.resource_id,
        resource_name: resource.resource_name,
        kind: resource.kind,
        charges: resource.charges,
        quantity: resource.quantity,
        unit: resource.unit,
        list_cost: resource.list_cost,
        cost: resource.cost,
    }
}

struct Facts<'a> {
    project: Option<&'a Project>,
    /// Whether charges of earlier periods are billed with it.
    has_deferred: bool,
}

fn build(
    (pi_email, project_id): Owner,
    period: Period,
    settings: &Settings,
    Funded { groups, users, rates }: Funded,
    resources: Vec<ResourceGroup>,
    facts: &Facts<'_>,
    funding: &mut Funding,
) -> (Statement, Option<Vec<u8>>) {
    let places = settings.currency.code.places();
    let fund_orgs: BTreeSet<String> = groups.iter().filter_map(|group| group.fund_org.clone()).collect();
    let (lines, totals) =
        post_subsidized(groups, places, |groups| funding.legs(&pi_email, &project_id, groups, &users));
    let posted = post_resources(resources, &by_service(&lines), places);
    let resources = || posted.listed.iter().chain(&posted.not_listed);
    let all = posted.rest.is_some().then(|| documents::statement_csv(resources(), &settings.currency));
    let mut notes: Vec<String> = paid_notes(&lines, &settings.currency).collect();
    notes.extend(funding.credits.notes(&funding.people.key(&pi_email), &project_id, &settings.currency));
    if let Some(project) = facts.project {
        notes.extend(award_notes(project, period, &lines));
        notes.extend(held_note(project.held_charges, project.held_cost.round(places), &settings.currency));
    }
    if facts.has_deferred {
        notes.push("Charges of earlier periods that were deferred to this one are included.".to_owned());
    }
    let statement = Statement {
        number: StatementNumber(String::new()),
        version: 0,
        replaces: None,
        issued_on: period.last_day(),
        period,
        pi_email,
        project_id,
        fund_orgs: fund_orgs.into_iter().collect(),
        references: facts.project.map(|project| project.references.clone()).unwrap_or_default(),
        currency: settings.currency.clone(),
        lines,
        totals,
        rates,
        resources: posted.listed,
        rest: posted.rest,
        notes,
    };
    (statement, all)
}

fn award_notes(project: &Project, period: Period, lines: &[PostedLine]) -> Vec<String> {
    let date = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
    let award = Award {
        end: date(&project.end_date),
        reconciliation_end: date(&project.reconciliation_end),
        fallback: project.fallback_fund_org.clone(),
    };
    let mut notes = fallback_notes(&project.fallbacks, lines);
    // That it ended is said by what is billed elsewhere.
    if notes.is_empty() || award.end.is_some_and(|end| period.last_day() <= end) {
        notes.extend(award.notes(period));
    }
    notes
}

/// Owners with charges that earlier periods deferred to this one.
async fn with_deferred(view: &View, period: Period) -> Result<BTreeSet<Owner>, WorkflowError> {
    let filter = Filter {
        states: vec![billing::decision::ChargeState::Billable],
        billed_in: Some(period),
        ..Filter::default()
    };
    let by = ["pi_email".to_owned(), "project_id".to_owned(), "period".to_owned()];
    let own = period.to_string();
    let late = view.totals(&by, &filter).await?.into_iter().filter_map(|row| match row.keys.as_slice() {
        [Some(pi), Some(project), Some(of)] if *of != own => Some((pi.clone(), project.clone())),
        _ => None,
    });
    Ok(late.collect())
}

/// Record what is new or has changed, in one transaction; `None` if the books are no longer what it was
/// computed from.
async fn issue(
    installation: &Installation,
    actor: &Actor,
    period: Period,
    drafts: &Drafts,
) -> Result<Option<Vec<Issued>>, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    periods::require(&mut tx, period, PeriodAct::Generate).await?;
    if tx.head() != drafts.computed_at {
        return Ok(None);
    }
    let (mut statements, mut new) = (Vec::new(), Vec::new());
    for draft in &drafts.drafts {
        let mut issued = draft.described();
        if draft.change != Change::Unchanged {
            let mut statement = draft.statement.clone();
            statement.issued_on = actor.day();
            statement.number =
                tx.allot_statement_number(period, &statement.pi_email, &statement.project_id).await?;
            statement.version = draft.before.as_ref().map_or(1, |row| row.id.version + 1);
            statement.replaces = draft.replaces();
            let record = NewStatement {
                statement: &statement,
                computed_at: drafts.computed_at,
                configuration_digest: &drafts.configuration_digest,
                rule_version: RULES_VERSION,
            };
            tx.record_statement(&record, actor).await?;
            issued.number = statement.number;
            issued.version = statement.version;
            new.push(format!("{} v{}", issued.number, issued.version));
        }
        statements.push(issued);
    }
    if !new.is_empty() {
        let due: Minor = statements.iter().map(|issued| issued.totals.due).sum();
        let detail = json!({ "issued": new, "statements": statements.len(), "amount_due_minor": due });
        tx.commit(AuditEvent::new(actor, "statements.issued", period, detail)).await?;
    }
    Ok(Some(statements))
}

impl Draft {
    pub(crate) fn replaces(&self) -> Option<String> {
        match (&self.before, &self.change) {
            (Some(row), Change::Replaced(words)) => {
                Some(format!("version {} ({})", row.id.version, words.join("; ")))
            }
            _ => None,
        }
    }

    pub(crate) fn described(&self) -> Issued {
        let statement = &self.statement;
        let places = statement.currency.code.places();
        let totals = statement.totals;
        let known = self.before.as_ref().map(|row| row.id.clone());
        Issued {
            number: known
                .as_ref()
                .map_or_else(|| StatementNumber("draft".to_owned()), |id| id.number.clone()),
            version: known.map_or(0, |id| id.version),
            period: statement.period,
            pi_email: statement.pi_email.clone(),
            project_id: statement.project_id.clone(),
            list_cost: totals.list.decimal(places),
            discount: totals.discount.decimal(places),
            subsidy: totals.subsidy.decimal(places),
            amount_due: totals.due.decimal(places),
            currency: statement.currency.code,
            path: None,
            totals,
            change: self.change.clone(),
        }
    }
}

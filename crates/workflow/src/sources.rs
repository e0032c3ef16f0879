//! Who supplies charges: sources of the configuration, and those that imports have named.

use billing::SourceName;
use billing::settings::{Basis, Delivery, PricedBy, Settings, SourceSettings};
use billing::source_guess::near_name;
use ledger::{AuditEvent, LedgerNumber, NewSource, Reader, Tx};
use serde::Serialize;
use serde_json::json;

use crate::connectors::{Checked, checked};
use crate::{Actor, Installation, Refusal, WorkflowError, reading};

#[derive(Clone, Debug, Serialize)]
pub struct SourceSummary {
    pub name: SourceName,
    pub description: Option<String>,
    /// Whether `imports.known_sources` has it.
    pub configured: bool,
    pub pattern: Option<String>,
    pub fund_org: Option<String>,
    pub account_code: Option<String>,
    pub delivery: Delivery,
    pub basis: Basis,
    pub priced_by: PricedBy,
    /// The system whose own files it delivers, and what keeps its usage from being billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<Checked>,
    pub last_import: Option<LastImport>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LastImport {
    pub import: billing::ImportId,
    pub at: jiff::Timestamp,
    pub charges: u64,
}

/// Sources of the ledger and of the configuration, by name.
///
/// # Errors
/// What the ledger could not read.
pub async fn list(installation: &Installation) -> Result<Vec<SourceSummary>, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let mut sources: Vec<SourceSummary> = Vec::new();
    for source in reader.list_sources().await? {
        let settings = find_settings(&installation.settings, &source.name);
        let last_import = match source.last_import {
            Some(import) => {
                let row = reader.load_import(import).await?;
                Some(LastImport { import, at: row.committed.at, charges: row.charges })
            }
            None => None,
        };
        sources.push(SourceSummary::new(source.name, source.description, settings, last_import));
    }
    for settings in &installation.settings.sources {
        if !sources.iter().any(|source| source.name == settings.name) {
            sources.push(SourceSummary::new(settings.name.clone(), None, Some(settings), None));
        }
    }
    if installation.settings.sources.iter().any(|own| own.connector.is_some()) {
        let rules = reading::record(&mut reader, None).await?;
        for source in &mut sources {
            let own = find_settings(&installation.settings, &source.name);
            source.connector = own.and_then(|own| checked(&installation.settings, own, &rules));
        }
    }
    sources.sort_by_key(|source| source.name.key());
    Ok(sources)
}

impl SourceSummary {
    fn new(
        name: SourceName,
        description: Option<String>,
        settings: Option<&SourceSettings>,
        last_import: Option<LastImport>,
    ) -> SourceSummary {
        SourceSummary {
            name,
            description,
            configured: settings.is_some(),
            pattern: settings.map(|settings| settings.pattern.clone()),
            fund_org: settings.and_then(|settings| settings.fund_org.clone()),
            account_code: settings.and_then(|settings| settings.account_code.clone()),
            delivery: settings.map(|settings| settings.delivery).unwrap_or_default(),
            basis: settings.map(|settings| settings.basis).unwrap_or_default(),
            priced_by: settings.map(|settings| settings.priced_by).unwrap_or_default(),
            connector: None,
            last_import,
        }
    }
}

/// Name a source before its first import; also one whose name is close to another's.
///
/// # Errors
/// A name that is known already, in any case.
pub async fn add(
    installation: &Installation,
    actor: &Actor,
    name: &SourceName,
    description: Option<&str>,
) -> Result<LedgerNumber, WorkflowError> {
    let mut tx = installation.ledger.begin().await?;
    if let Some(known) = tx.find_source(name).await? {
        return Err(Refusal::new(format!("source `{}` is known already", known.name)).into());
    }
    check_name(name)?;
    let name = find_settings(&installation.settings, name).map_or(name, |settings| &settings.name);
    create(&mut tx, actor, name, description).await?;
    let event = AuditEvent::new(actor, "source.added", name, json!({ "description": description }));
    Ok(tx.commit(event).await?)
}

pub(crate) async fn create(
    tx: &mut Tx,
    actor: &Actor,
    name: &SourceName,
    description: Option<&str>,
) -> Result<(), WorkflowError> {
    let source = NewSource { name: name.clone(), description: description.map(str::to_owned) };
    Ok(tx.create_source(&source, actor).await?)
}

/// A source as it is spelled in the books or the configuration.
pub struct ResolvedSource {
    pub name: SourceName,
    /// In the ledger already.
    pub known: bool,
}

/// The same name in another case is the same source; one letter off a known name is refused.
///
/// # Errors
/// An empty name, or one that is probably misspelled.
pub async fn resolve(
    reader: &mut Reader,
    settings: &Settings,
    name: &SourceName,
) -> Result<ResolvedSource, WorkflowError> {
    check_name(name)?;
    let text = name.0.trim();
    if let Some(source) = reader.find_source(name).await? {
        return Ok(ResolvedSource { name: source.name, known: true });
    }
    if let Some(settings) = find_settings(settings, name) {
        return Ok(ResolvedSource { name: settings.name.clone(), known: false });
    }
    let mut known: Vec<String> =
        reader.list_sources().await?.into_iter().map(|source| source.name.0).collect();
    known.extend(settings.sources.iter().map(|source| source.name.0.clone()));
    if let Some(near) = near_name(text, known.iter().map(String::as_str)) {
        let refusal = Refusal::new(format!("source `{text}` is not known, but `{near}` is"));
        return Err(refusal
            .hint(format!("`--source {near}` if that is meant"))
            .hint(format!("`sources add {text}` if it really is another source"))
            .into());
    }
    Ok(ResolvedSource { name: SourceName(text.to_owned()), known: false })
}

fn check_name(name: &SourceName) -> Result<(), Refusal> {
    let text = name.0.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Refusal::new(format!("`{}` is not a source name", name.0.escape_debug())));
    }
    Ok(())
}

#[must_use]
pub fn find_settings<'a>(settings: &'a Settings, name: &SourceName) -> Option<&'a SourceSettings> {
    settings.sources.iter().find(|source| source.name == *name)
}

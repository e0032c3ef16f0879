//! What systems say in their own words, made into FOCUS files by hand: nothing is imported, and no books are
//! needed. Imports do the same on the way in (`import/convert.rs`).

use std::fs::File;
use std::io::{BufWriter, Seek as _};
use std::path::{Path, PathBuf};

use billing::intake::ReadingRules;
use billing::settings::{ConnectorSettings, Delivery, PricedBy, Settings, SourceSettings};
use billing::{Period, SourceName};
use connectors::{Connector, ConvertError, Kind, RawFile, Reconciliation};
use serde::Serialize;
use serde_json::Map;
use tempfile::NamedTempFile;

use crate::import::GivenFile;
use crate::import::convert::{connector_of, refused, write_usage};
use crate::{Installation, Refusal, WorkflowError, reading, sources};

/// What `convert` is asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: Kind,
    pub files: Vec<GivenFile>,
    pub period: Period,
    /// Whose options; those of the one source of this kind when `None`.
    pub source: Option<SourceName>,
    /// FOCUS CSV, or Parquet where its name says so.
    pub output: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Converted {
    /// The source whose options were used; none where no source is of this kind.
    pub source: Option<SourceName>,
    pub output: PathBuf,
    #[serde(flatten)]
    pub reconciliation: Reconciliation,
}

/// Make a FOCUS file of usage. It is there whole or not at all.
///
/// # Errors
/// A source that is unknown or of another kind; everything that is wrong with the files.
pub fn convert(settings: &Settings, request: &Request) -> Result<Converted, WorkflowError> {
    let source = source_of(settings, request)?;
    let connector = match &source {
        Some(source) => connector_of(settings, source)?,
        None => None,
    };
    let connector = match connector {
        Some(connector) => connector,
        None => plain(request.kind)?,
    };
    let (mut raw, mut wrong) = (Vec::new(), Vec::new());
    for GivenFile { name, path } in &request.files {
        match File::open(path) {
            Ok(file) => raw.push(RawFile::new(name, file)),
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::new("cannot read what is to be converted").details(wrong).into());
    }
    let folder = request.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let failed = |error| WorkflowError::file("write", &request.output, error);
    let out = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let names: Vec<&str> = request.files.iter().map(|file| file.name.as_str()).collect();
    let reconciliation =
        written(connector.as_ref(), raw, request, out.as_file()).map_err(|error| match error {
            ConvertError::Sink(error) => failed(error),
            error => refused(&names, &error).into(),
        })?;
    out.persist(&request.output).map_err(|error| failed(error.error))?;
    Ok(Converted { source, output: request.output.clone(), reconciliation })
}

fn written(
    connector: &dyn Connector,
    raw: Vec<RawFile<'_>>,
    request: &Request,
    out: &File,
) -> Result<Reconciliation, ConvertError> {
    let is_parquet = request.output.extension().is_some_and(|own| own.eq_ignore_ascii_case("parquet"));
    if !is_parquet {
        return write_usage(connector, raw, request.period, BufWriter::with_capacity(1 << 18, out));
    }
    let mut csv = tempfile::tempfile().map_err(ConvertError::Sink)?;
    let reconciliation =
        write_usage(connector, raw, request.period, BufWriter::with_capacity(1 << 18, &csv))?;
    let parquet = csv.rewind().and_then(|()| lake::usage_parquet(&csv, out.try_clone()?));
    parquet.map_err(ConvertError::Sink)?;
    Ok(reconciliation)
}

/// A connector with nothing said about it.
fn plain(kind: Kind) -> Result<Box<dyn Connector>, WorkflowError> {
    connectors::configured(kind, &Map::new()).map_err(|bad| {
        Refusal::new(format!("no source is of `kind: {kind}`, and it has options that must be said"))
            .details(bad.iter().map(ToString::to_string))
            .into()
    })
}

fn source_of(settings: &Settings, request: &Request) -> Result<Option<SourceName>, WorkflowError> {
    let kind = request.kind;
    if let Some(name) = &request.source {
        let Some(own) = sources::find_settings(settings, name) else {
            let known = settings.sources.iter().map(|own| own.name.to_string()).collect::<Vec<_>>();
            return Err(Refusal::new(format!("source `{name}` is not configured"))
                .hint(format!("there are {}", known.join(", ")))
                .into());
        };
        return match &own.connector {
            Some(connector) if is_of(connector, kind) => Ok(Some(own.name.clone())),
            Some(connector) => {
                Err(Refusal::new(format!("source `{}` is of `kind: {}`", own.name, connector.kind)).into())
            }
            None => Err(Refusal::new(format!("source `{}` has no connector", own.name))
                .hint(format!("give it `kind: {kind}` under imports.known_sources"))
                .into()),
        };
    }
    let of_kind: Vec<&SourceSettings> = of_kind(settings, kind).collect();
    match of_kind.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.name.clone())),
        several => {
            let names: Vec<String> = several.iter().map(|own| own.name.to_string()).collect();
            Err(Refusal::new(format!("{} sources are of `kind: {kind}`: {}", names.len(), names.join(", ")))
                .hint(format!("say whose options are meant: `--source {}`", several[0].name))
                .into())
        }
    }
}

fn is_of(connector: &ConnectorSettings, kind: Kind) -> bool {
    connector.kind.parse() == Ok(kind)
}

fn of_kind(settings: &Settings, kind: Kind) -> impl Iterator<Item = &SourceSettings> {
    settings.sources.iter().filter(move |own| own.connector.as_ref().is_some_and(|own| is_of(own, kind)))
}

/// A system that is read, and the sources that are of it.
#[derive(Clone, Debug, Serialize)]
pub struct KnownKind {
    pub kind: String,
    pub reads: &'static str,
    pub sources: Vec<SourceName>,
}

#[must_use]
pub fn list(settings: &Settings) -> Vec<KnownKind> {
    let known = |kind: Kind| KnownKind {
        kind: kind.to_string(),
        reads: kind.describe(),
        sources: of_kind(settings, kind).map(|own| own.name.clone()).collect(),
    };
    Kind::ALL.into_iter().map(known).collect()
}

/// What somebody should look at before a source's files are billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub source: SourceName,
    pub kind: String,
    /// Each with the way on.
    pub findings: Vec<String>,
}

/// Whether a source with a connector would bill what it delivers.
///
/// # Errors
/// A source without a connector; books that cannot be read.
pub async fn check(installation: &Installation, source: &SourceName) -> Result<Checked, WorkflowError> {
    let own = sources::find_settings(&installation.settings, source);
    let mut reader = installation.ledger.read().await?;
    let rules = reading::record(&mut reader, None).await?;
    match own.and_then(|own| checked(&installation.settings, own, &rules)) {
        Some(checked) => Ok(checked),
        None => Err(Refusal::new(format!("source `{source}` has no connector"))
            .hint(
                "`connectors list` shows which there are; a source gets one by `kind` under imports.known_sources",
            )
            .into()),
    }
}

/// The same of a source as it is configured; `None` without a connector.
pub(crate) fn checked(settings: &Settings, own: &SourceSettings, rules: &ReadingRules) -> Option<Checked> {
    let connector = own.connector.as_ref()?;
    let for_it = |of: &Option<SourceName>| of.as_ref().is_none_or(|of| of.key() == own.name.key());
    let is_unrated = !rules.rates.iter().any(|rate| for_it(&rate.source));
    let is_unattributed = !rules.attribution.now.iter().any(|rule| for_it(&rule.source));
    let found = [
        (
            own.priced_by == PricedBy::File,
            "it is `priced_by: file`, but a connector says what was used, not what it costs: make it `rates`",
        ),
        (
            own.priced_by == PricedBy::Rates && is_unrated,
            "no rate prices it, so that all its charges would be held: `rates add`",
        ),
        (
            is_unattributed,
            "no rule says whose its accounts are; where its tags do not say it either, charges are held: `attribution add`",
        ),
        (
            own.fund_org.is_none() && settings.require_fund_org,
            "it has no `fund_org`, so that no journal can credit it",
        ),
        (
            own.delivery != Delivery::Snapshot,
            "each of its deliveries holds a whole month: say `delivery: snapshot`, and a later one takes the place of the one before",
        ),
    ];
    Some(Checked {
        source: own.name.clone(),
        kind: connector.kind.clone(),
        findings: found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words.to_owned()).collect(),
    })
}

//! The pack that an auditor asks for: everything behind a statement or a journal in one ZIP file, from what was
//! sent out down to the delivered rows. The same books make the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::path::Path;

use billing::attribution_table::AttributionRule;
use billing::credit::Credit;
use billing::decision::ChargeState;
use billing::people::PersonAddress;
use billing::rate::Rate;
use billing::split::SplitRule;
use billing::subsidy::SubsidyRule;
use billing::{ImportId, LedgerNumber, StatementNumber};
use focus::Source;
use lake::{ChargeRow, Filter};
use ledger::{
    AuditFilter, AuditRow, DecisionFilter, DeliveredFile, EmailFilter, Reader, StatementFilter, StatementRow,
    StatementVersion,
};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::charges::{Scope, charges};
use crate::import::chain;
use crate::story::delivered_row;
use crate::{Installation, Refusal, WorkflowError};

/// What the pack holds.
#[derive(Clone, Debug, Serialize)]
pub struct Packed {
    pub path: String,
    pub files: u64,
    pub statements: Vec<StatementNumber>,
    pub charges: u64,
    pub size_bytes: u64,
    pub sha256: String,
}

/// What is behind what.
struct Subject {
    name: String,
    statements: Vec<StatementRow>,
    journals: Vec<String>,
}

/// Write the pack of a statement (of one version, or the current) or of a journal to a new file.
///
/// # Errors
/// A reference that is neither; a file that is there already or cannot be written; damaged evidence.
pub async fn evidence(
    installation: &Installation,
    reference: &str,
    path: &Path,
) -> Result<Packed, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let subject = subject(&mut reader, reference.trim()).await?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() {
        return Err(Refusal::new(format!("`{}` is there already", path.display()))
            .hint("an evidence pack is never written over another file")
            .into());
    }
    // Under its name only when it is whole.
    let failed = |source| WorkflowError::file("write", path, source);
    let file = tempfile::Builder::new().prefix(".tmp-evidence-").tempfile_in(folder).map_err(failed)?;
    let mut pack = Pack::new(file.as_file().try_clone().map_err(failed)?);
    let charges = pack.fill(installation, &mut reader, &subject).await?;
    let files = pack.finish()?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(Packed {
        path: path.display().to_string(),
        files,
        statements: subject.statements.into_iter().map(|row| row.id.number).collect(),
        charges,
        size_bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(&bytes)),
    })
}

async fn subject(reader: &mut Reader, reference: &str) -> Result<Subject, WorkflowError> {
    if let Some(row) = reader.find_journal(reference).await? {
        let mut statements = Vec::new();
        for (number, version) in crate::journal::versions_of(reader, &row.document).await? {
            statements.extend(reader.find_statement(&number, Some(version)).await?);
        }
        let name = row.document.clone();
        return Ok(Subject { name, statements, journals: vec![row.document] });
    }
    let (number, version) = super::statement_reference(reference);
    let Some(row) = reader.find_statement(&number, version).await? else {
        return Err(Refusal::new(format!("`{reference}` is no statement and no journal"))
            .hint(
                "an evidence pack is of a statement such as S-2025-01-0001 or a journal such as J-2025-01-1",
            )
            .into());
    };
    let lines = reader.find_journal_lines(&row.id.number.0).await?;
    let journals: BTreeSet<String> = lines.into_iter().map(|line| line.document).collect();
    let name = format!("{} v{}", row.id.number, row.id.version);
    Ok(Subject { name, statements: vec![row], journals: journals.into_iter().collect() })
}

/// A ZIP file with a list of digests at its end.
struct Pack<W: Write + Seek> {
    zip: ZipWriter<W>,
    sums: BTreeMap<String, String>,
}

impl<W: Write + Seek> Pack<W> {
    fn new(out: W) -> Pack<W> {
        Pack { zip: ZipWriter::new(out), sums: BTreeMap::new() }
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), WorkflowError> {
        let failed = |error: std::io::Error| WorkflowError::file("write", Path::new(name), error);
        self.zip
            .start_file(name, SimpleFileOptions::default())
            .map_err(|error| failed(std::io::Error::other(error)))?;
        self.zip.write_all(bytes).map_err(failed)?;
        self.sums.insert(name.to_owned(), hex::encode(Sha256::digest(bytes)));
        Ok(())
    }

    fn add_json(&mut self, name: &str, value: &impl Serialize) -> Result<(), WorkflowError> {
        let text = serde_json::to_string_pretty(value);
        let text = text.map_err(|error| WorkflowError::Internal(format!("{name}: {error}")))?;
        self.add(name, (text + "\n").as_bytes())
    }

    fn finish(mut self) -> Result<u64, WorkflowError> {
        let mut sums = String::new();
        for (name, sum) in &self.sums {
            let _ = writeln!(sums, "{sum}  {name}");
        }
        self.add("SHA256SUMS", sums.as_bytes())?;
        let files = self.sums.len() as u64;
        let finished = self.zip.finish();
        finished.map_err(|error| WorkflowError::Internal(format!("the ZIP file: {error}")))?;
        Ok(files)
    }

    async fn fill(
        &mut self,
        installation: &Installation,
        reader: &mut Reader,
        subject: &Subject,
    ) -> Result<u64, WorkflowError> {
        let mut acts = BTreeSet::new();
        let mut imports: BTreeSet<ImportId> = BTreeSet::new();
        let mut all = Vec::new();
        for row in &subject.statements {
            acts.insert(row.ledger_number);
            self.statement(installation, reader, row).await?;
            all.extend(charges_of(installation, reader, row).await?);
        }
        imports.extend(all.iter().map(|charge| charge.id.import));
        let files = self.charges(installation, reader, &all).await?;
        self.decisions(reader, &all, &mut acts).await?;
        self.journals(installation, reader, &subject.journals, &mut acts).await?;
        for import in &imports {
            acts.extend(reader.find_import(*import).await?.map(|row| row.number));
        }
        let digests: BTreeSet<&str> =
            subject.statements.iter().map(|row| row.configuration_digest.as_str()).collect();
        for digest in digests {
            let text = reader.load_configuration(digest).await?;
            self.add(&format!("configuration/{digest}.json"), text.as_bytes())?;
        }
        self.rules(reader, subject, &mut acts).await?;
        let audit = audit(reader, subject, &acts).await?;
        self.add_json("audit.json", &audit)?;
        let head = reader.find_audit(reader.head()).await?;
        let read_me = read_me(subject, all.len(), &files, head.as_ref());
        self.add("README.txt", read_me.as_bytes())?;
        Ok(all.len() as u64)
    }

    /// Whose charges are, what they cost and who pays, as it stood when the last of the statements was computed.
    async fn rules(
        &mut self,
        reader: &mut Reader,
        subject: &Subject,
        acts: &mut BTreeSet<LedgerNumber>,
    ) -> Result<(), WorkflowError> {
        let as_of = subject.statements.iter().map(|row| row.computed_at).max();
        let attribution = reader.rules::<AttributionRule>(as_of).await?;
        let rates = reader.rules::<Rate>(as_of).await?;
        let splits = reader.rules::<SplitRule>(as_of).await?;
        let subsidies = reader.rules::<SubsidyRule>(as_of).await?;
        let people = reader.rules::<PersonAddress>(as_of).await?;
        acts.extend(attribution.iter().map(|row| row.number));
        acts.extend(rates.iter().map(|row| row.number));
        acts.extend(splits.iter().map(|row| row.number));
        acts.extend(subsidies.iter().map(|row| row.number));
        let credits = reader.rules::<Credit>(as_of).await?;
        acts.extend(credits.iter().map(|row| row.number));
        acts.extend(people.iter().map(|row| row.number));
        let pays = splits.len() + subsidies.len() + credits.len();
        if attribution.is_empty() && people.is_empty() && rates.is_empty() && pays == 0 {
            return Ok(());
        }
        let rules = json!({
            "attribution": attribution,
            "people": people,
            "rates": rates,
            "splits": splits,
            "subsidies": subsidies,
            "credits": credits,
        });
        self.add_json("rules.json", &rules)
    }

    async fn statement(
        &mut self,
        installation: &Installation,
        reader: &mut Reader,
        row: &StatementRow,
    ) -> Result<(), WorkflowError> {
        let StatementVersion { number, version } = &row.id;
        self.add_json(&format!("statements/{number}-v{version}.record.json"), row)?;
        let model = reader.load_statement_model(&row.id).await?;
        self.add(&format!("statements/{number}-v{version}.json"), model.as_bytes())?;
        let filter = StatementFilter { period: Some(row.period), ..StatementFilter::default() };
        let documents = reader.list_statement_documents(&filter).await?;
        for document in documents.into_iter().filter(|document| document.id == row.id) {
            let path = installation.folders.documents.join(&document.path);
            let bytes = read(&path, &document.sha256)?;
            self.add(&format!("statements/{number}-v{version}.{}", document.kind), &bytes)?;
        }
        let filter = EmailFilter { period: Some(row.period), ..EmailFilter::default() };
        let mut emails = reader.list_messages(&filter).await?;
        emails.retain(|record| record.message.statements.contains(&row.id));
        if !emails.is_empty() {
            self.add_json(&format!("statements/{number}-v{version}.emails.json"), &emails)?;
        }
        Ok(())
    }

    /// The charges, and the rows that they were made of. Returns the delivered files.
    async fn charges(
        &mut self,
        installation: &Installation,
        reader: &mut Reader,
        charges: &[ChargeRow],
    ) -> Result<Vec<(ImportId, DeliveredFile)>, WorkflowError> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for charge in charges {
            names.extend(charge.delivered.iter().map(|(name, _)| name.as_str()));
        }
        let own = ["charge", "source", "period", "billed_in", "state", "cost"];
        let mut table = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| WorkflowError::Internal(format!("charges.csv: {error}"));
        table.write_record(own.iter().copied().chain(names.iter().copied())).map_err(failed)?;
        for charge in charges {
            let values: BTreeMap<&str, &str> =
                charge.delivered.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let own = [
                charge.id.to_string(),
                charge.source.clone(),
                charge.period.to_string(),
                charge.billed_in.to_string(),
                charge.state.name().to_owned(),
                charge.cost.to_string(),
            ];
            let delivered = names.iter().map(|name| values.get(name).copied().unwrap_or_default().to_owned());
            table.write_record(own.into_iter().chain(delivered)).map_err(failed)?;
        }
        let bytes = table.into_inner().map_err(|error| WorkflowError::Internal(error.to_string()))?;
        self.add("charges.csv", &bytes)?;
        self.rows(installation, reader, charges).await
    }

    async fn rows(
        &mut self,
        installation: &Installation,
        reader: &mut Reader,
        charges: &[ChargeRow],
    ) -> Result<Vec<(ImportId, DeliveredFile)>, WorkflowError> {
        let mut by_import: BTreeMap<ImportId, Vec<&ChargeRow>> = BTreeMap::new();
        for charge in charges {
            by_import.entry(charge.id.import).or_default().push(charge);
        }
        let mut table = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| WorkflowError::Internal(format!("delivered-rows.csv: {error}"));
        table.write_record(["charge", "file", "sha256", "line", "row"]).map_err(failed)?;
        let mut delivered = Vec::new();
        for (import, charges) in by_import {
            let files = reader.list_delivered_files(import).await?;
            for (charge, text) in texts(installation, &files, charges)? {
                let file = usize::try_from(charge.file).ok().and_then(|at| files.get(at));
                let (name, sha256) = file.map_or(("", ""), |file| (&file.name, &file.sha256));
                let record = [&charge.id.to_string(), name, sha256, &charge.line.to_string(), text.as_str()];
                table.write_record(record).map_err(failed)?;
            }
            delivered.extend(files.into_iter().map(|file| (import, file)));
        }
        let bytes = table.into_inner().map_err(|error| WorkflowError::Internal(error.to_string()))?;
        self.add("delivered-rows.csv", &bytes)?;
        Ok(delivered)
    }

    async fn decisions(
        &mut self,
        reader: &mut Reader,
        charges: &[ChargeRow],
        acts: &mut BTreeSet<LedgerNumber>,
    ) -> Result<(), WorkflowError> {
        let fingerprints: BTreeSet<_> = charges.iter().map(|charge| charge.fingerprint).collect();
        let periods: BTreeSet<_> = charges.iter().map(|charge| charge.period).collect();
        let filter = DecisionFilter {
            periods: periods.into_iter().collect(),
            undone: true,
            ..DecisionFilter::default()
        };
        let mut said = Vec::new();
        for row in reader.decisions_for(&filter, None).await? {
            if !fingerprints.contains(&row.fingerprint) {
                continue;
            }
            acts.insert(row.id.number);
            acts.extend(row.undone_by);
            said.push(json!({
                "number": row.id.number, "charge": row.charge, "period": row.period,
                "decision": row.decision, "note": row.act.note, "by": row.act.stamp.by,
                "at": row.act.stamp.at, "undone_by": row.undone_by,
            }));
        }
        self.add_json("decisions.json", &said)
    }

    async fn journals(
        &mut self,
        installation: &Installation,
        reader: &mut Reader,
        documents: &[String],
        acts: &mut BTreeSet<LedgerNumber>,
    ) -> Result<(), WorkflowError> {
        for document in documents {
            let Some(record) = reader.find_journal_record(document).await? else { continue };
            acts.insert(record.journal.ledger_number);
            acts.extend(record.events.iter().map(|event| event.number));
            let lines = reader.list_journal_lines(document).await?;
            let value = json!({ "journal": record, "lines": lines });
            self.add_json(&format!("journals/{document}.json"), &value)?;
            let mut seen = BTreeSet::new();
            for export in reader.list_journal_exports(Some(document)).await? {
                if !seen.insert(export.sha256.clone()) {
                    continue;
                }
                let folder = export.sha256.get(..2).unwrap_or_default();
                let path =
                    installation.folders.documents.join(folder).join(format!("{}.journal", export.sha256));
                let name = Path::new(&export.path).file_name().unwrap_or_default().to_string_lossy();
                self.add(&format!("journals/{document}/{name}"), &read(&path, &export.sha256)?)?;
            }
        }
        Ok(())
    }
}

/// The charges that a version of a statement was summed from, as of then.
async fn charges_of(
    installation: &Installation,
    reader: &mut Reader,
    row: &StatementRow,
) -> Result<Vec<ChargeRow>, WorkflowError> {
    let settings = installation.kept_settings(reader, &row.configuration_digest).await?;
    let scope = Scope::period(row.period);
    let view = charges(installation, reader, scope, &settings, Some(row.computed_at)).await?;
    let filter = Filter {
        pi_email: Some(row.pi_email.clone()),
        project_id: Some(row.project_id.clone()),
        billed_in: Some(row.period),
        states: vec![ChargeState::Billable],
        ..Filter::default()
    };
    let mut all = view.charges(&filter, &[], None, 0).await?;
    all.sort_by_key(|charge| charge.id);
    Ok(all)
}

/// The delivered text of each charge of one import: of CSV in one walk through each file.
fn texts<'a>(
    installation: &Installation,
    files: &[DeliveredFile],
    charges: Vec<&'a ChargeRow>,
) -> Result<Vec<(&'a ChargeRow, String)>, WorkflowError> {
    let mut texts = Vec::with_capacity(charges.len());
    let mut by_file: BTreeMap<i64, Vec<&ChargeRow>> = BTreeMap::new();
    for charge in charges {
        by_file.entry(charge.file).or_default().push(charge);
    }
    for (at, mut charges) in by_file {
        let file = usize::try_from(at).ok().and_then(|at| files.get(at));
        let is_text = file.is_some_and(|file| file.format != "parquet");
        let (rows, others): (Vec<_>, Vec<_>) =
            charges.drain(..).partition(|charge| is_text && 0 < charge.byte_len);
        for charge in others {
            texts.push((charge, delivered_row(installation, files, charge)?.text));
        }
        if let Some(file) = file.filter(|_| !rows.is_empty()) {
            texts.extend(walk(installation, file, rows)?);
        }
    }
    texts.sort_by_key(|(charge, _)| charge.id);
    Ok(texts)
}

fn walk<'a>(
    installation: &Installation,
    file: &DeliveredFile,
    mut rows: Vec<&'a ChargeRow>,
) -> Result<Vec<(&'a ChargeRow, String)>, WorkflowError> {
    rows.sort_by_key(|charge| charge.byte_offset);
    let unreadable = |error: &dyn std::error::Error| Refusal::new(format!("{}: {}", file.name, chain(error)));
    let sha256 = crate::verify::digest(&file.sha256).map_err(Refusal::new)?;
    let bytes = installation.lake.delivered_reader(&sha256)?;
    let mut source = Source::from_reader(bytes).map_err(|error| unreadable(&error))?;
    let (mut texts, mut rows) = (Vec::with_capacity(rows.len()), rows.into_iter().peekable());
    while let Some(block) = source.next_block().map_err(|error| unreadable(&error))? {
        let end = block.byte_offset + block.bytes.len() as u64;
        let in_block = |charge: &&ChargeRow| u64::try_from(charge.byte_offset).is_ok_and(|at| at < end);
        while let Some(charge) = rows.next_if(in_block) {
            let start =
                u64::try_from(charge.byte_offset).unwrap_or_default().saturating_sub(block.byte_offset);
            let start = usize::try_from(start).unwrap_or_default();
            let stop = start.saturating_add(usize::try_from(charge.byte_len).unwrap_or_default());
            let text = block.bytes.get(start..stop.min(block.bytes.len())).unwrap_or_default();
            texts.push((charge, String::from_utf8_lossy(text).trim_end_matches(['\r', '\n']).to_owned()));
        }
        if rows.peek().is_none() {
            break;
        }
    }
    Ok(texts)
}

/// The acts behind the subject, and those about its period and its documents.
async fn audit(
    reader: &mut Reader,
    subject: &Subject,
    acts: &BTreeSet<LedgerNumber>,
) -> Result<Vec<AuditRow>, WorkflowError> {
    let mut subjects: BTreeSet<String> = subject.journals.iter().cloned().collect();
    for row in &subject.statements {
        subjects.insert(row.period.to_string());
        subjects.insert(row.id.number.to_string());
    }
    let mut rows = reader.list_audit(&AuditFilter::default()).await?;
    rows.retain(|row| acts.contains(&row.number) || subjects.contains(&row.subject));
    Ok(rows)
}

fn read(path: &Path, sha256: &str) -> Result<Vec<u8>, WorkflowError> {
    let bytes = std::fs::read(path).map_err(|source| WorkflowError::file("read", path, source))?;
    if hex::encode(Sha256::digest(&bytes)) != sha256 {
        return Err(Refusal::new(format!("`{}` is not what was issued", path.display()))
            .hint("`verify` lists everything that differs")
            .into());
    }
    Ok(bytes)
}

fn read_me(
    subject: &Subject,
    charges: usize,
    files: &[(ImportId, DeliveredFile)],
    head: Option<&AuditRow>,
) -> String {
    let mut text = format!(
        "Evidence of {}

statements/            each statement as it was issued (PDF), the figures it was made of (JSON), its record
                       in the ledger, and the e-mails that carried it
journals/              the documents that post it: lines, accounting's answers, the files as handed out
charges.csv            the {charges} charges that were summed: what was made of each delivered row
delivered-rows.csv     the same rows as the provider delivered them, with file and line
decisions.json         what people decided about these charges
configuration/         the configuration that the figures were computed with, by its SHA-256
rules.json             whose charges are, what they cost and who pays: the rules that people wrote
audit.json             the acts behind all this, from the chained audit trail
SHA256SUMS             the digest of every file here: `sha256sum --check SHA256SUMS`

To check: the sum of `cost` in charges.csv, rounded once for each line of the statement, is the statement's
amount due, with what others pay of it; where its figures have `rates` with free units, tiers or a minimum, these
are added first. `focus-billing verify` does the same for everything that was ever issued.

",
        subject.name
    );
    text.push_str("The delivered files, by the SHA-256 of their bytes:\n");
    for (import, file) in files {
        let _ =
            writeln!(text, "  {}  {} ({} bytes, import {import})", file.sha256, file.name, file.size_bytes);
    }
    if let Some(head) = head {
        let _ = writeln!(text, "\nThe audit chain then ended with act {}: {}", head.number, head.hash);
    }
    text
}

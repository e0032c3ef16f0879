//! Read the delivered bytes again: they are what was delivered, and the charges made of them under the kept
//! configuration are those that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use billing::correction::is_of_corrections;
use billing::intake::{Desk, Intake, IntakeOptions, PartIdentity, Sums, identities};
use billing::{LedgerNumber, Period};
use focus::{Block, Source};
use lake::{LiveFile, ViewSpec};
use ledger::{DeliveredFile, ImportMode, ImportRow, Part, PartFilter, Reader};

use super::{Check, Progress, Verifying, import_place};
use crate::import::convert::{Conversion, is_raw};
use crate::import::{chain, earlier_charges};
use crate::imports::first_reading;
use crate::{Refusal, WorkflowError};

/// What came of reading a delivery again.
#[derive(Default)]
struct Read {
    sums: Sums,
    identities: BTreeMap<(Period, Option<String>), PartIdentity>,
    /// Delivered and quarantined rows by file.
    rows: u64,
    quarantined: u64,
}

impl Verifying<'_> {
    pub(super) async fn delivered(
        &mut self,
        reader: &mut Reader,
        imports: &[ImportRow],
    ) -> Result<(), WorkflowError> {
        let mut files = Vec::new();
        for row in imports {
            let of_import = reader.list_delivered_files(row.import).await?;
            // What was pruned counts no more, and nothing was issued from it.
            if !of_import.iter().any(|file| self.is_pruned(row.import, &lake::delivery_path(&file.sha256))) {
                files.push((row, of_import));
            }
        }
        let bytes_total = files.iter().flat_map(|(_, files)| files).map(|file| file.size_bytes).sum();
        let mut bytes = 0;
        for (row, files) in files {
            (self.progress)(Progress { step: "delivered bytes", bytes, bytes_total });
            self.findings.count(Check::Delivered, files.len() as u64);
            bytes += files.iter().map(|file| file.size_bytes).sum::<u64>();
            if self.bytes(row, &files) {
                let compared = self.read_again(reader, row, &files).await;
                self.findings.keep(Check::Delivered, import_place(row), compared);
            }
        }
        Ok(())
    }

    /// Whether the kept bytes are the delivered ones.
    fn bytes(&mut self, row: &ImportRow, files: &[DeliveredFile]) -> bool {
        let mut all = true;
        for file in files {
            let place = format!("{} of {}", file.name, import_place(row));
            let checked = match super::files::digest(&file.sha256) {
                Ok(sha256) => tokio::task::block_in_place(|| self.installation.lake.check_delivery(&sha256))
                    .map_err(|error| chain(&error)),
                Err(what) => Err(what),
            };
            if let Err(what) = checked {
                all = false;
                self.findings.differ(Check::Delivered, place, what);
            }
        }
        all
    }

    async fn read_again(
        &mut self,
        reader: &mut Reader,
        row: &ImportRow,
        files: &[DeliveredFile],
    ) -> Result<(), WorkflowError> {
        let intake = self.intake_of(reader, row).await?;
        let mut all = Read::default();
        let (raw, focus): (Vec<&DeliveredFile>, Vec<_>) = files.iter().partition(|file| is_raw(file));
        if !raw.is_empty() {
            self.convert_again(reader, row, &raw, &focus).await?;
        }
        for file in focus {
            let read = tokio::task::block_in_place(|| self.file(&intake, file))?;
            let place = format!("{} of {}", file.name, import_place(row));
            self.findings.compare(Check::Delivered, &place, "rows", &file.rows, &read.rows);
            let what = "rows that are no charges";
            self.findings.compare(Check::Delivered, &place, what, &file.quarantined, &read.quarantined);
            all.add(read)?;
        }
        let filter = PartFilter { import: Some(row.import), ..PartFilter::default() };
        let parts: Vec<Part> =
            reader.list_parts(&filter, None).await?.into_iter().map(|(part, _)| part).collect();
        // Adjustments are not read but computed; what they come to is checked with the parts.
        let parts: Vec<Part> =
            parts.into_iter().filter(|part| !is_of_corrections(&part.key.account)).collect();
        self.sums_again(row, &parts, &all);
        self.identities_again(reader, row, &all).await
    }

    /// Raw files under the options of then: they make the usage that is kept beside them.
    async fn convert_again(
        &mut self,
        reader: &mut Reader,
        row: &ImportRow,
        raw: &[&DeliveredFile],
        made: &[&DeliveredFile],
    ) -> Result<(), WorkflowError> {
        let settings = self.settings(reader, &row.configuration_digest).await?;
        let again = Conversion::of_import(&settings, row)?;
        let sha256 = tokio::task::block_in_place(|| again.digest(self.installation, raw))?;
        let kept = made.first().map_or("", |file| file.sha256.as_str());
        let place = import_place(row);
        self.findings.compare(Check::Delivered, &place, "usage made of its files", &kept, &sha256.as_str());
        Ok(())
    }

    /// The rules that the import was read with, as they were then.
    async fn intake_of(&mut self, reader: &mut Reader, row: &ImportRow) -> Result<Intake, WorkflowError> {
        let settings = self.settings(reader, &row.configuration_digest).await?;
        let mut options =
            IntakeOptions { expected_periods: row.expected_periods.clone(), ..IntakeOptions::default() };
        let before = Some(LedgerNumber(row.number.0 - 1));
        options.rules = crate::reading::record(reader, before).await?;
        if row.left_out.is_some_and(|rows| rows > 0) {
            let periods = reader.list_periods(before).await?.into_iter();
            options.leave_out =
                periods.filter(|record| !record.state.is_open()).map(|record| record.period).collect();
        }
        let first = first_reading(reader, row.clone()).await?;
        if first.mode == ImportMode::Append {
            let (source, import) = (&row.source_name, first.import);
            options.earlier =
                earlier_charges(self.installation, reader, &settings, source, import, before).await?;
        }
        let intake = Intake::compile(&settings, &row.source_name, options);
        Ok(intake.map_err(|error| Refusal::new(error.to_string()))?)
    }

    /// On every core; the order of blocks does not matter here.
    fn file(&self, intake: &Intake, file: &DeliveredFile) -> Result<Read, WorkflowError> {
        let unreadable = |error: &dyn std::error::Error| Refusal::new(chain(error));
        let sha256 = super::files::digest(&file.sha256).map_err(Refusal::new)?;
        let bytes = self.installation.lake.delivered_reader(&sha256)?;
        let mut source = Source::from_reader(bytes).map_err(|error| unreadable(&error))?;
        let first = source.next_block().map_err(|error| unreadable(&error))?;
        let header = source.header().clone();
        let cells = first.clone().map(|block| block.cells(&header).0);
        let context = intake
            .file(file.ordinal, &header, cells.as_ref())
            .map_err(|missing| Refusal::new(missing.to_string()))?;
        drop(cells);
        let blocks = Mutex::new((first, source));
        let next = || -> Result<Option<Block>, WorkflowError> {
            let mut blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
            match blocks.0.take() {
                Some(first) => Ok(Some(first)),
                None => Ok(blocks.1.next_block().map_err(|error| unreadable(&error))?),
            }
        };
        let work = || -> Result<Read, WorkflowError> {
            let (mut desk, mut read) = (Desk::new(intake), Read::default());
            while let Some(block) = next()? {
                let (cells, mut problems) = block.cells(&header);
                let taken = desk.charges(intake, &context, &cells);
                problems.extend(taken.problems.iter().cloned());
                let bad = problems.iter().map(|problem| problem.line).collect::<BTreeSet<_>>().len() as u64;
                let left_out: u64 = taken.left_out.values().map(|sums| sums.rows).sum();
                read.rows += taken.columns.rows as u64 + left_out + bad;
                read.quarantined += bad;
                for (key, identity) in identities(&taken.columns) {
                    read.identities.entry(key).or_default().merge(&identity);
                }
                read.sums.add(&taken).map_err(|error| Refusal::new(error.to_string()))?;
            }
            Ok(read)
        };
        let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut all = Read::default();
            for thread in threads {
                let stopped = |_| WorkflowError::Internal("reading again stopped in the middle".to_owned());
                all.add(thread.join().map_err(stopped)??)?;
            }
            Ok(all)
        })
    }

    fn sums_again(&mut self, row: &ImportRow, parts: &[Part], read: &Read) {
        let check = Check::Delivered;
        let mut again = read.sums.parts.clone();
        for part in parts {
            let account = Some(part.key.account.clone()).filter(|account| !account.is_empty());
            let sums = again.remove(&(part.key.period, account)).unwrap_or_default();
            let place = part_place(row, part.key.period, &part.key.account);
            self.findings.compare(check, &place, "charges", &part.rows, &sums.rows);
            self.findings.compare(check, &place, "flagged charges", &part.flagged, &sums.flagged_rows);
            let costs = [
                ("list cost", part.list_cost, sums.list_cost),
                ("contracted cost", part.contracted_cost, sums.contracted_cost),
                ("billed cost", part.billed_cost, sums.billed_cost),
                ("effective cost", part.effective_cost, sums.effective_cost),
                ("billed cost of flagged", part.flagged_cost, sums.flagged_billed),
                ("sum of |billed cost|", part.billed_magnitude, sums.billed_magnitude),
            ];
            for (what, expected, found) in costs {
                self.findings.compare(check, &place, what, &expected, &found);
            }
        }
        for ((period, account), sums) in again {
            let place = part_place(row, period, &account.unwrap_or_default());
            let what =
                format!("{} charges come of the delivered bytes that the ledger does not have", sums.rows);
            self.findings.differ(check, place, what);
        }
    }

    /// Charge by charge: place, identity and content are those of the charge files.
    async fn identities_again(
        &mut self,
        reader: &mut Reader,
        row: &ImportRow,
        read: &Read,
    ) -> Result<(), WorkflowError> {
        let files =
            reader.list_charge_files(Some(row.import), None).await?.into_iter().map(|file| LiveFile {
                path: file.path,
                import: file.import,
                source: row.source_name.0.clone(),
                period: file.period,
                accounts: None,
                basis: billing::settings::Basis::default(),
            });
        let view = self.installation.lake.view(ViewSpec { files: files.collect(), ..ViewSpec::default() })?;
        let mut kept = view.identities().await?;
        kept.retain(|(_, _, account), _| !account.as_deref().is_some_and(is_of_corrections));
        for ((period, account), again) in &read.identities {
            let found = kept.remove(&(row.import, *period, account.clone())).unwrap_or_default();
            if found != *again {
                let place = part_place(row, *period, account.as_deref().unwrap_or_default());
                let what = format!(
                    "the charges read again are not those that are kept ({} and {} of them)",
                    again.rows, found.rows
                );
                self.findings.differ(Check::Delivered, place, what);
            }
        }
        for ((_, period, account), found) in kept {
            let place = part_place(row, period, &account.unwrap_or_default());
            let what = format!("{} charges are kept that the delivered bytes do not have", found.rows);
            self.findings.differ(Check::Delivered, place, what);
        }
        Ok(())
    }
}

impl Read {
    fn add(&mut self, other: Read) -> Result<(), WorkflowError> {
        self.rows += other.rows;
        self.quarantined += other.quarantined;
        for (key, sums) in &other.sums.parts {
            let merged = self.sums.parts.entry(key.clone()).or_default().merge(sums);
            merged.map_err(|error| Refusal::new(error.to_string()))?;
        }
        for (key, identity) in other.identities {
            self.identities.entry(key).or_default().merge(&identity);
        }
        Ok(())
    }
}

fn part_place(row: &ImportRow, period: Period, account: &str) -> String {
    let account = if account.is_empty() { String::new() } else { format!(", account {account}") };
    format!("{} in {period}{account}", import_place(row))
}

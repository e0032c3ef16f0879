//! Prove the books: everything that was issued is computed again from facts and decisions as of then, and
//! compared to the cent; every file is read; every sum is taken twice.
//!
//! What is wrong is listed, never repaired. Start with [`verify`]; `files.rs` reads files, `sums.rs` has the
//! equations, `statements.rs` and `journals.rs` compute again, `deep.rs` reads delivered bytes.

mod deep;
mod files;
mod journals;
mod statements;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use billing::settings::Settings;
use billing::{ImportId, Period};
use ledger::{AuditFinding, ImportFilter, ImportRow, Reader};
use serde::Serialize;

pub(crate) use files::digest;

use crate::import::chain;
use crate::{Installation, WorkflowError};

/// What is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Only this period; the audit chain is always looked at whole. `None`: all.
    pub period: Option<Period>,
    /// Read the delivered bytes again, too.
    pub deep: bool,
}

/// One kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    Audit,
    ChargeFiles,
    Evidence,
    Documents,
    Imports,
    Parts,
    Statements,
    Periods,
    Journals,
    Delivered,
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckMade {
    pub check: Check,
    /// How many things were looked at.
    pub count: u64,
    pub what: &'static str,
    pub differences: u64,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub check: Check,
    /// The thing: `statement S-2025-01-0001 v1`, a path.
    pub place: String,
    /// A sentence, with the values.
    pub what: String,
    pub expected: Option<String>,
    pub found: Option<String>,
}

/// What verifying came to; the shape of `verify --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    pub sound: bool,
    pub period: Option<Period>,
    pub deep: bool,
    /// The head of the audit chain that was verified.
    pub head: i64,
    pub head_hash: String,
    pub checks: Vec<CheckMade>,
    pub differences: Vec<Difference>,
}

/// How far a step is.
#[derive(Clone, Debug)]
pub struct Progress {
    pub step: &'static str,
    pub bytes: u64,
    pub bytes_total: u64,
}

pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

impl Check {
    /// In the order in which they are made and told.
    pub const ALL: [Check; 10] = [
        Check::Audit,
        Check::ChargeFiles,
        Check::Evidence,
        Check::Documents,
        Check::Imports,
        Check::Parts,
        Check::Statements,
        Check::Periods,
        Check::Journals,
        Check::Delivered,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Check::Audit => "audit chain",
            Check::ChargeFiles => "charge files",
            Check::Evidence => "evidence",
            Check::Documents => "documents",
            Check::Imports => "imports",
            Check::Parts => "parts",
            Check::Statements => "statements",
            Check::Periods => "periods",
            Check::Journals => "journals",
            Check::Delivered => "delivered bytes",
        }
    }

    /// What was looked at.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Check::Audit => "the chain of acts, and every row of the books by the digest of its act",
            Check::ChargeFiles => "size and SHA-256; of quarantined rows the number",
            Check::Evidence => "delivered files kept whole, by length and index",
            Check::Documents => "size and SHA-256 of what was issued",
            Check::Imports => "rows delivered = charges + quarantined + left out",
            Check::Parts => "counts and sums of what is live: the ledger = the charge files",
            Check::Statements => "every version computed again, equal to the last digit",
            Check::Periods => "by source: charges = posted + held + rejected + deferred, but for rounding",
            Check::Journals => "made again; debits = credits; payers = amounts due + subsidies",
            Check::Delivered => "SHA-256 of the delivered bytes, and the same charges when read again",
        }
    }

    /// What to do about a difference.
    #[must_use]
    pub const fn way_on(self) -> &'static str {
        match self {
            Check::Audit => {
                "audit chain: somebody wrote to the ledger past the program; `audit list` shows the acts, \
                 a backup has the ledger as it was"
            }
            Check::ChargeFiles => {
                "charge files: restore them from a backup of the lake; what counts of the delivery can also be \
                 made again from its kept bytes (`imports reread`)"
            }
            Check::Evidence | Check::Delivered => {
                "delivered files: restore them from a backup of the lake, or deliver the same file again"
            }
            Check::Documents => "documents: restore them from a backup of `instance/documents`",
            Check::Parts => "parts: `imports reread` makes the charges again from the delivered bytes",
            Check::Imports => {
                "imports: `imports show` has what was recorded, the quarantined rows among it; a backup has the \
                 ledger as it was"
            }
            Check::Statements => {
                "statements: `why` shows the charges behind one; while its period can be reopened, `generate` \
                 issues a version that follows from the books"
            }
            Check::Periods => "periods: `report --period` shows where the charges stand",
            Check::Journals => {
                "journals: `why` shows the statements behind one; tell accounting which lines differ"
            }
        }
    }
}

/// Collects what checks find.
#[derive(Default)]
struct Findings {
    counts: BTreeMap<Check, u64>,
    differences: Vec<Difference>,
}

impl Findings {
    fn count(&mut self, check: Check, things: u64) {
        *self.counts.entry(check).or_default() += things;
    }

    fn differ(&mut self, check: Check, place: impl fmt::Display, what: impl fmt::Display) {
        self.differences.push(Difference {
            check,
            place: place.to_string(),
            what: what.to_string(),
            expected: None,
            found: None,
        });
    }

    /// Tell that two values are not the same, if they are not.
    fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        check: Check,
        place: impl fmt::Display,
        what: &str,
        expected: &T,
        found: &T,
    ) {
        if expected != found {
            let (expected, found) = (expected.to_string(), found.to_string());
            self.differences.push(Difference {
                check,
                place: place.to_string(),
                what: format!("{what}: {expected} expected, {found} found"),
                expected: Some(expected),
                found: Some(found),
            });
        }
    }

    /// What cannot be computed is a finding, too: a file that is gone, a row that cannot be read.
    fn keep<T>(
        &mut self,
        check: Check,
        place: impl fmt::Display,
        result: Result<T, WorkflowError>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.differ(check, place, format!("cannot be computed: {}", chain(&error)));
                None
            }
        }
    }

    fn checks(&self, deep: bool) -> Vec<CheckMade> {
        let made = Check::ALL.into_iter().filter(|check| deep || *check != Check::Delivered);
        made.map(|check| CheckMade {
            check,
            count: self.counts.get(&check).copied().unwrap_or(0),
            what: check.what(),
            differences: self.differences.iter().filter(|found| found.check == check).count() as u64,
        })
        .collect()
    }
}

/// What all checks share.
struct Verifying<'a> {
    installation: &'a Installation,
    request: Request,
    findings: Findings,
    /// Kept settings by digest.
    settings: BTreeMap<String, Arc<Settings>>,
    /// Files of the lake that were removed on purpose, and whose they were.
    pruned: BTreeSet<(ImportId, String)>,
    progress: OnProgress<'a>,
}

impl Verifying<'_> {
    /// The settings that were kept under a digest.
    async fn settings(&mut self, reader: &mut Reader, digest: &str) -> Result<Arc<Settings>, WorkflowError> {
        if let Some(known) = self.settings.get(digest) {
            return Ok(Arc::clone(known));
        }
        let settings = Arc::new(self.installation.kept_settings(reader, digest).await?);
        self.settings.insert(digest.to_owned(), Arc::clone(&settings));
        Ok(settings)
    }

    fn is_pruned(&self, import: ImportId, path: &str) -> bool {
        self.pruned.contains(&(import, path.to_owned()))
    }

    fn step(&self, step: &'static str) {
        (self.progress)(Progress { step, bytes: 0, bytes_total: 0 });
    }
}

/// Verify the books. Nothing is changed, except that disposable overlays are written to the lake.
///
/// # Errors
/// A period that was never opened; a ledger that cannot be opened. What is wrong with the books is in
/// [`Verified::differences`].
pub async fn verify(
    installation: &Installation,
    request: Request,
    progress: OnProgress<'_>,
) -> Result<Verified, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    if let Some(period) = request.period {
        crate::periods::load(&mut reader, period).await?;
    }
    let mut verifying = Verifying {
        installation,
        request,
        findings: Findings::default(),
        settings: BTreeMap::new(),
        pruned: BTreeSet::new(),
        progress,
    };
    let (head, head_hash) = verifying.audit(&mut reader).await?;
    verifying.all(&mut reader).await;
    let Verifying { findings, .. } = verifying;
    Ok(Verified {
        sound: findings.differences.is_empty(),
        period: request.period,
        deep: request.deep,
        head,
        head_hash,
        checks: findings.checks(request.deep),
        differences: findings.differences,
    })
}

impl Verifying<'_> {
    /// Every check but the first. What stops one of them, a row that cannot be read for example, is a
    /// finding, and the others are made all the same.
    async fn all(&mut self, reader: &mut Reader) {
        let period = self.request.period;
        let filter = ImportFilter { period, ..ImportFilter::default() };
        let imports = reader.list_imports(&filter).await.map_err(WorkflowError::from);
        let imports = self.findings.keep(Check::Imports, "the list of imports", imports).unwrap_or_default();
        let pruned = reader.list_pruned_files(None).await.map_err(WorkflowError::from);
        let pruned = self.findings.keep(Check::ChargeFiles, "the list of pruned files", pruned);
        self.pruned = pruned.into_iter().flatten().map(|row| (row.file.import, row.file.path)).collect();
        let looked = self.files(reader, &imports).await;
        self.findings.keep(Check::ChargeFiles, "the list of files", looked);
        self.step("sums");
        let added = self.imports(reader, &imports).await;
        self.findings.keep(Check::Imports, "the sums of imports", added);
        let added = self.parts(reader).await;
        self.findings.keep(Check::Parts, "the sums of parts", added);
        let periods = reader.list_periods(None).await.map_err(WorkflowError::from);
        let periods = self.findings.keep(Check::Periods, "the list of periods", periods).unwrap_or_default();
        for record in periods.iter().filter(|record| period.is_none_or(|only| only == record.period)) {
            self.step("statements");
            let computed = self.period(reader, record.period).await;
            self.findings.keep(Check::Statements, format!("statements of {}", record.period), computed);
            self.step("journals");
            let computed = self.journals(reader, record.period).await;
            self.findings.keep(Check::Journals, format!("journals of {}", record.period), computed);
            let computed = self.kept_sums(reader, record.period).await;
            self.findings.keep(Check::Periods, format!("kept sums of {}", record.period), computed);
        }
        if self.request.deep {
            let read = self.delivered(reader, &imports).await;
            self.findings.keep(Check::Delivered, "the delivered files", read);
        }
    }

    async fn audit(&mut self, reader: &mut Reader) -> Result<(i64, String), WorkflowError> {
        self.step("audit chain");
        let check = reader.verify_books().await?;
        self.findings.count(Check::Audit, check.rows);
        for finding in check.findings {
            let number = finding_number(&finding);
            let act = match reader.find_audit(number).await? {
                Some(row) => format!("act {number} ({} of {})", row.act, row.subject),
                None => format!("act {number}"),
            };
            self.findings.differ(Check::Audit, act, finding);
        }
        Ok((check.head.0, check.head_hash))
    }
}

fn finding_number(finding: &AuditFinding) -> billing::LedgerNumber {
    match finding {
        AuditFinding::Edited { number }
        | AuditFinding::Unchained { number, .. }
        | AuditFinding::Removed { number }
        | AuditFinding::Inserted { number, .. }
        | AuditFinding::BooksChanged { number }
        | AuditFinding::BooksUnknown { number, .. } => *number,
        AuditFinding::HeadMismatch { head } => *head,
    }
}

fn import_place(row: &ImportRow) -> String {
    format!("import {} of {}", row.import, row.source_name)
}

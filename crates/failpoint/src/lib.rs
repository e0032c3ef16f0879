//! Named places where a test can have the process killed: around every sync, rename and commit of an import.
//!
//! `FOCUS_BILLING_ABORT_AT=NAME` or `NAME:COUNT` aborts at the first, or the count-th, time that the process
//! comes by. Only with the feature `enabled`, which the tests of `cli` turn on for all crates below it;
//! without it [`hit`] is an empty function and the variable is not read. Start with [`NAMES`].

/// Whether this build has failpoints.
pub const ENABLED: bool = cfg!(feature = "enabled");

/// All places, in the order in which an import first comes by.
pub const NAMES: &[&str] = &[
    // Its number and lease.
    "ledger.bookkeeping.recorded",
    "ledger.bookkeeping.committed",
    // Each of its files: charges, then the delivered bytes.
    "lake.folder.made",
    "lake.file.complete",
    "lake.file.written",
    "lake.file.synced",
    "lake.file.renamed",
    "lake.file.kept",
    // The rows it sets aside.
    "workflow.quarantine.written",
    "workflow.quarantine.renamed",
    "workflow.quarantine.kept",
    // What it does with them.
    "workflow.import.read",
    "workflow.import.settled",
    "workflow.import.evidence_kept",
    // It counts.
    "ledger.act.recorded",
    "ledger.act.audited",
    "ledger.act.committed",
    "workflow.import.recorded",
];

/// Places of other acts than an import, in the order in which each comes by.
pub const OTHERS: &[&str] = &[
    // An older ledger is opened.
    "ledger.upgrade.copied",
    "ledger.upgrade.kept",
    // Statements are rendered, each document once.
    "workflow.render.kept",
    // An e-mail was handed over, and the books do not know it yet.
    "workflow.send.handed_over",
    // A journal is written: for the books, then for people.
    "workflow.export.kept",
    "workflow.export.written",
    // A ledger is copied.
    "ledger.copy.recorded",
    "ledger.copy.proven",
    // A backup is made.
    "workflow.backup.ledger_kept",
    "workflow.backup.file_kept",
    "workflow.backup.files_kept",
    "workflow.backup.listed",
    // A backup is put back.
    "workflow.restore.file_kept",
    "workflow.restore.ledger_kept",
    // Deliveries are pruned.
    "workflow.prune.recorded",
    "workflow.prune.file_removed",
];

/// Come by the place `name`, which is one of [`NAMES`] or [`OTHERS`].
#[cfg(feature = "enabled")]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static ABORT_AT: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static HITS: AtomicUsize = AtomicUsize::new(0);
    let known = |name: &str| NAMES.contains(&name) || OTHERS.contains(&name);
    assert!(known(name), "failpoint `{name}` is not listed");
    let abort_at = ABORT_AT.get_or_init(|| {
        let text = std::env::var("FOCUS_BILLING_ABORT_AT").ok()?;
        let (wanted, count) = text.split_once(':').unwrap_or((&text, "1"));
        match count.parse() {
            Ok(count) if known(wanted) && 0 < count => Some((wanted.to_owned(), count)),
            // A kill that silently never comes would make a test say nothing.
            _ => panic!("FOCUS_BILLING_ABORT_AT: `{text}` is no failpoint and count"),
        }
    });
    if let Some((wanted, count)) = abort_at
        && wanted == name
        && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        std::process::abort();
    }
}

/// Come by the place `name`: nothing happens in this build.
#[cfg(not(feature = "enabled"))]
#[inline]
pub fn hit(_name: &str) {}

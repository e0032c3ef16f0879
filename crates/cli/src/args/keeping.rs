//! `ledger`, `lake`, `backup`, `restore`: where an installation is kept.

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(super) const BACKUP_EXAMPLES: &str = "Examples:\n  focus-billing backup /mnt/backup/billing\n  focus-billing backup /mnt/backup/billing --quiet";
pub(super) const RESTORE_EXAMPLES: &str =
    "Example:\n  focus-billing restore /mnt/backup/billing --home /srv/billing-restored";

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Copy the ledger into an empty database: SQLite to PostgreSQL, or back
    #[command(
        after_help = "Examples:\n  focus-billing ledger copy --to postgres://billing@db.example.edu/billing\n  \
                            focus-billing ledger copy --to instance/ledger.db"
    )]
    Copy {
        /// The empty database: a postgres:// URL, or the path of a new file; may hold ${VARIABLES}
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum LakeCommand {
    /// Remove deliveries that count no more, but never what was issued from
    #[command(after_help = "Example:\n  focus-billing lake prune --older-than 400 --dry-run")]
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Only what was superseded or withdrawn more than so many days ago
    #[arg(long, value_name = "DAYS")]
    pub older_than: u32,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The folder of the backup; the next one into it copies only what is new
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder of the backup; it is put into the home, which must be empty
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

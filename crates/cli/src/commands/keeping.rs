//! Where an installation is kept: another database, a backup, less of a lake.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ledger::{Copied, Location, PrunedKind};
use serde_json::json;
use workflow::backup::{self, BackedUp, restore::Restored};
use workflow::prune::{self, Pruned};
use workflow::{Actor, ledger_copy};

use super::Door;
use super::words::{count, moment};
use crate::args::{BackupArgs, GlobalArgs, LakeCommand, LedgerCommand, PruneArgs, RestoreArgs};
use crate::config::text_of_option;
use crate::output::{Output, Refusal};

pub async fn run_ledger(command: LedgerCommand, door: &Door) -> Result<(), Refusal> {
    let LedgerCommand::Copy { to } = command;
    let target = Location::from_setting(&text_of_option(&to, "--to").resolve()?, &door.config.home);
    let installation = door.installation().await?;
    let copied = ledger_copy::copy(&installation, &door.stamp(), &target).await?;
    let from = installation.ledger.location().to_string();
    let tables: Vec<_> =
        copied.tables.iter().map(|(name, rows)| json!({ "name": name, "rows": rows })).collect();
    let data = json!({
        "from": from, "to": target.to_string(), "head": copied.head, "head_hash": copied.head_hash,
        "rows": copied.rows(), "tables": tables, "configuration": database_yaml(&to, &target),
    });
    Ok(door.output.data(&data, |_| told(&copied, &from, &to, &target))?)
}

fn told(copied: &Copied, from: &str, to: &str, target: &Location) -> String {
    let tables = copied.tables.iter().filter(|(_, rows)| 0 < *rows).count();
    format!(
        "copied {} of {tables} tables from `{from}`\n  to `{target}`, up to act {}; chain, digests and counts are \
         the same\n\nTo use it, stop everything that uses the old ledger, and write into the configuration \
         instead\nof what `database` says now:\n\n{}",
        count(copied.rows(), "row", "rows"),
        copied.head,
        database_yaml(to, target)
    )
}

/// What to paste. A password is not repeated.
fn database_yaml(to: &str, target: &Location) -> String {
    match target {
        Location::Sqlite(_) => format!("database:\n  path: {to}\n"),
        Location::Postgres(url) => {
            let login = url
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('@'))
                .map_or("", |(login, _)| login);
            if to.contains("${") || !(login.contains(':') || url.contains("password=")) {
                return format!("database:\n  url: \"{to}\"\n");
            }
            "database:\n  url: ${LEDGER_URL}   # the URL that you gave, from the environment: it has a password\n"
                .to_owned()
        }
    }
}

pub async fn run_lake(command: LakeCommand, door: &Door) -> Result<(), Refusal> {
    let LakeCommand::Prune(args) = command;
    let installation = door.installation().await?;
    let PruneArgs { older_than, dry_run, yes } = args;
    let would = prune::prune(&installation, &door.stamp(), older_than, true).await?;
    if dry_run {
        return Ok(door.output.data(&would, |would| pruned(would, "would be removed"))?);
    }
    if !would.files.is_empty() {
        let question = format!("remove {} ({}) for good?", files(&would), size(would.size_bytes));
        door.output.confirm(&question, yes)?;
    }
    let done = prune::prune(&installation, &door.stamp(), older_than, false).await?;
    door.output.data(&done, |done| pruned(done, "were removed"))?;
    if done.postponed {
        door.output.warning("an import is running: the files stay until the next `lake prune`");
    }
    Ok(())
}

fn files(pruned: &Pruned) -> String {
    let paths: std::collections::BTreeSet<&str> =
        pruned.files.iter().map(|file| file.path.as_str()).collect();
    let imports = count(pruned.imports.len() as u64, "import", "imports");
    format!("{} of {imports}", count(paths.len() as u64, "file", "files"))
}

fn pruned(pruned: &Pruned, verb: &str) -> String {
    let mut text = if pruned.files.is_empty() {
        "nothing is to be removed\n".to_owned()
    } else {
        format!("{} {verb}: {}\n", files(pruned), size(pruned.size_bytes))
    };
    for file in &pruned.files {
        let what = match file.kind {
            PrunedKind::Charges => "charges",
            PrunedKind::Delivery => "delivered bytes",
            PrunedKind::Quarantine => "quarantined rows",
        };
        let _ = writeln!(text, "  import {}: {what}, {}, {}", file.import, file.path, size(file.size_bytes));
    }
    if 0 < pruned.kept_as_evidence {
        let kept = count(pruned.kept_as_evidence, "file counts", "files count");
        let _ = writeln!(text, "{kept} no more and stays: statements or journals were computed from it");
    }
    text
}

pub async fn run_backup(args: BackupArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let request = backup::Request {
        folder: std::path::absolute(&args.folder)?,
        configuration: door.config.file.clone(),
        beside: door.config.institution.logo.iter().cloned().collect(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let done = backup::backup(&installation, &door.stamp(), &request).await?;
    Ok(door.output.data(&done, backed_up)?)
}

fn backed_up(done: &BackedUp) -> String {
    format!(
        "backed up to `{}`, up to act {}: {}, {}\n  new in it: {}, {}\n",
        done.folder.display(),
        done.head,
        count(done.files, "file", "files"),
        size(done.size_bytes),
        count(done.copied_files, "file", "files"),
        size(done.copied_bytes)
    )
}

/// There is no installation yet, and no configuration to read.
pub async fn run_restore(
    args: &RestoreArgs,
    global: &GlobalArgs,
    output: Output,
    actor: &Actor,
) -> Result<(), Refusal> {
    let home = global.home.clone().unwrap_or_else(|| PathBuf::from("."));
    let (folder, home) = (std::path::absolute(&args.folder)?, std::path::absolute(&home)?);
    let done = backup::restore::restore(&folder, &home, actor).await?;
    output.data(&done, restored)?;
    if let Some(aside) = &done.configuration_aside {
        output.warning(&format!(
            "the configuration names another ledger than the restored `{}`: it is kept as `{}`",
            done.ledger.display(),
            aside.display()
        ));
        output.hint("to use the restored one, take `database` out of it and rename it to `config.yaml`; or go on in PostgreSQL: then also `ledger copy --to URL`");
    }
    Ok(())
}

fn restored(done: &Restored) -> String {
    format!(
        "restored into `{}`: {}, {}, every digest as in the backup of {} UTC by {}, up to act {}\n  the ledger is \
         proven; that it was restored is its next act\n",
        done.home.display(),
        count(done.files, "file", "files"),
        size(done.size_bytes),
        moment(done.made_at),
        done.made_by,
        done.head
    )
}

/// `532 bytes`, `12 kB`, `3.4 GB`: decimal units, rounded down.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if unit <= bytes {
            let (whole, tenth) = (bytes / unit, bytes % unit / (unit / 10));
            return if whole < 10 { format!("{whole}.{tenth} {name}") } else { format!("{whole} {name}") };
        }
    }
    count(bytes, "byte", "bytes")
}

/// What opening an older ledger did, in a line.
pub fn upgraded(upgraded: &ledger::Upgraded, home: &Path) -> String {
    let kept = match &upgraded.kept {
        Some(path) => {
            let shown = path.strip_prefix(home).unwrap_or(path).display();
            format!("; as it was, it is kept as `{shown}`")
        }
        None => String::new(),
    };
    format!("the ledger was upgraded from schema {} to {}{kept}", upgraded.from, upgraded.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (52_345, "52 kB"),
            (3_450_000_000, "3.4 GB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn what_to_paste_has_no_password() {
        let yaml = |to: &str| database_yaml(to, &Location::from_setting(to, Path::new("/srv")));
        assert_eq!(yaml("new.db"), "database:\n  path: new.db\n");
        assert_eq!(
            yaml("postgres://office@db/billing"),
            "database:\n  url: \"postgres://office@db/billing\"\n"
        );
        for secret in ["postgres://office:s3cret@db/b", "postgres://db/b?password=s3cret"] {
            assert!(!yaml(secret).contains("s3cret"));
            assert!(yaml(secret).contains("${LEDGER_URL}"));
        }
    }
}

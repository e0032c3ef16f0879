//! Backed up and put back.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;

use super::{billed, said};
use crate::support::{Engine, Home, engines, entries, exact, project, row, text};

/// Restore the backup of `home` into an installation of its own. Its ledger is a file.
fn restored(home: &Home) -> Home {
    let there = Home::bare_on(Engine::Sqlite);
    let backup = home.path().join("backup");
    there.ok(&format!("restore '{}'", backup.display()));
    there
}

#[test]
fn what_is_restored_says_the_same() {
    for engine in engines() {
        let home = billed(engine);
        home.write("instance/templates/own/journal.csv", "{{ a template }}");
        let before = said(&home);
        let first = home.json("backup backup");
        let copied = first["copied_files"].as_u64().unwrap();
        assert_eq!(first["files"], json!(copied + 1), "all of it, and the ledger");

        let there = restored(&home);
        if engine == Engine::Postgres {
            // The configuration names the server, which went on: the restored ledger is not mixed up with it.
            assert!(!there.path().join("config.yaml").exists());
            let kept = there.read("config.yaml.from-backup");
            there.write("config.yaml", kept.split("database:").next().unwrap());
        }
        assert_eq!(said(&there), before);
        assert_eq!(there.tree("instance/documents"), home.tree("instance/documents"));
        assert_eq!(there.tree("instance/lake/deliveries"), home.tree("instance/lake/deliveries"));
        assert_eq!(there.read("instance/templates/own/journal.csv"), "{{ a template }}");
        there.ok("audit verify");
        let last = entries(&there.json("audit list")).pop().unwrap();
        assert_eq!(text(&last, "act"), "installation.restored");
        // And it goes on.
        there.open("2025-02");
        there.focus(
            "hpc_2025-02.csv",
            &[crate::support::row_of("2025-02", "j", "CPU", "1", "1", &project("g"))],
        );
        there.ok("ingest hpc_2025-02.csv");
    }
}

#[test]
fn the_next_backup_copies_what_is_new_and_shares_no_file_with_the_lake() {
    let home = billed(Engine::Sqlite);
    home.ok("backup backup");
    let again = home.json("backup backup");
    assert_eq!((&again["copied_files"], &again["copied_bytes"]), (&json!(0), &json!(0)));
    home.open("2025-02");
    home.focus("hpc_2025-02.csv", &[crate::support::row_of("2025-02", "j", "CPU", "1", "1", &project("g"))]);
    home.ok("ingest hpc_2025-02.csv");
    home.write("config.yaml", format!("{}# changed\n", home.read("config.yaml")));
    let more = home.json("backup backup");
    assert_eq!(more["copied_files"], json!(3), "charges, delivered bytes, configuration");
    assert_eq!(home.tree("backup/ledger").len(), 1, "the ledger of the backup before is gone");
    assert_eq!(home.tree("backup/configuration").len(), 1);

    for path in home.tree("backup").keys() {
        let links = std::fs::metadata(home.path().join(path)).unwrap().nlink();
        assert_eq!(links, 1, "{} is linked", path.display());
    }
    assert!(restored(&home).read("config.yaml").ends_with("# changed\n"));
}

#[test]
fn a_backup_while_others_import_is_of_one_moment() {
    for engine in engines() {
        let home = Home::on(engine);
        for n in 1..=6 {
            home.focus(&format!("hpc-{n}.csv"), &[row(&format!("job-{n}"), "CPU", "1", "1", &project("g"))]);
        }
        for n in 1..=6 {
            let importing = home.start(&format!("ingest hpc-{n}.csv --append"));
            let backed_up = home.json("backup backup");
            let imported = home.answer(&importing.wait_with_output().unwrap());
            assert_eq!(imported.code, 0, "{}", imported.stderr);
            let there = restored(&home);
            there.write("config.yaml", "");
            let imports = entries(&there.json("imports list")).len();
            assert!((n - 1..=n).contains(&imports), "{imports} imports in backup {n}");
            let head = entries(&there.json("audit list")).len();
            assert_eq!(backed_up["head"], json!(head - 1), "and then it was restored");
            assert_eq!(there.billed("all"), exact(&imports.to_string()));
            there.ok("audit verify");
        }
    }
}

#[test]
fn a_backup_that_is_killed_leaves_the_one_before() {
    let home = billed(Engine::Sqlite);
    let points = [
        "ledger.copy.recorded",
        "ledger.copy.proven",
        "workflow.backup.ledger_kept",
        "workflow.backup.file_kept",
        "workflow.backup.files_kept",
        "workflow.backup.listed",
    ];
    // The first backup: until it is whole there is none.
    for point in ["ledger.copy.recorded", "workflow.backup.file_kept:3"] {
        kill(&home, "backup backup", point);
        let refused = Home::bare_on(Engine::Sqlite)
            .refused(&format!("restore '{}'", home.path().join("backup").display()));
        assert!(refused.contains("it is no backup, or not a whole one"), "{refused}");
    }
    let known = home.json("backup backup");
    assert!(known["copied_files"].as_u64() < known["files"].as_u64(), "what was copied is used: {known}");
    let said = |home: &Home| home.ok("report --by period,source --state all --format csv");
    let mut said_before = said(&home);
    for (n, point) in points.into_iter().enumerate() {
        home.reopen("2025-01", "late");
        home.focus(&format!("hpc-{n}.csv"), &[row(&format!("job-{n}"), "CPU", "1", "1", &project("g"))]);
        home.ok(&format!("ingest hpc-{n}.csv --append"));
        home.close("2025-01");
        kill(&home, "backup backup", point);
        let now = said(&home);
        let expected = if point.ends_with("listed") { &now } else { &said_before };
        let there = restored(&home);
        assert_eq!(&said(&there), expected, "{point}");
        there.ok("audit verify");
        home.ok("backup backup");
        assert_eq!(said(&restored(&home)), now, "repeated after {point}");
        said_before = now;
    }
}

#[test]
fn restoring_that_is_killed_can_be_repeated() {
    let home = billed(Engine::Sqlite);
    home.ok("backup backup");
    let there = Home::bare_on(Engine::Sqlite);
    let line = format!("restore '{}'", home.path().join("backup").display());
    for point in [
        "workflow.restore.file_kept:2",
        "ledger.act.recorded",
        "ledger.act.committed",
        "workflow.restore.ledger_kept",
    ] {
        kill(&there, &line, point);
    }
    there.ok(&line);
    assert_eq!(said(&there), said(&home));
    there.ok("audit verify");
    let acts = entries(&there.json("audit list"));
    let restorings = acts.iter().filter(|act| text(act, "act") == "installation.restored").count();
    assert_eq!(restorings, 1);
}

fn kill(home: &Home, line: &str, point: &str) {
    let output = home.command(line).env("FOCUS_BILLING_ABORT_AT", point).output().unwrap();
    let answer = home.answer(&output);
    assert_eq!(answer.code, -1, "`{line}` did not come by {point}: {}", answer.stderr);
}

#[test]
fn what_is_no_place_and_no_backup_is_refused() {
    let home = billed(Engine::Sqlite);
    home.write("elsewhere/notes.txt", "mine");
    assert_snapshot!(home.refused("backup elsewhere"), @"
    error: `HOME/elsewhere` is no backup: it holds `notes.txt`; nothing was written
    hint: name a new folder, or one that `backup` made
    ");
    assert_snapshot!(home.refused("restore elsewhere --home fresh"), @"
    error: `HOME/elsewhere` has no `manifest.json`, so it is no backup, or not a whole one
    hint: a backup that was interrupted can be made again into the same folder
    ");
    home.ok("backup backup");
    assert_snapshot!(home.refused("restore backup --home elsewhere"), @"
    error: `HOME/elsewhere` is not empty: it holds `notes.txt`; nothing was restored
    hint: `--home FOLDER` names an empty or a new folder
    ");
    let other = Home::new();
    let refused = other.refused(&format!("backup '{}'", home.path().join("backup").display()));
    assert!(refused.contains("is the backup of another installation"), "{refused}");
}

#[test]
fn damage_is_found_before_it_is_done() {
    let home = billed(Engine::Sqlite);
    home.ok("backup backup");
    let some = |part: &str| {
        home.tree(part).into_keys().find(|path| path.extension().is_some_and(|e| e == "parquet")).unwrap()
    };
    let kept = some("backup/files");
    flip(&home.path().join(&kept));
    let refused = home.refused("restore backup --home fresh").replace(&kept.display().to_string(), "FILE");
    assert_snapshot!(refused, @"
    error: the backup is damaged: `HOME/FILE` is not what was backed up; the restoring is not complete
    hint: restore from another backup, into another empty folder
    ");
    // The lake is damaged: no backup is made of it, and the one before stays.
    let manifest = home.read("backup/manifest.json");
    std::fs::remove_file(home.path().join(&kept)).unwrap();
    let fact = some("instance/lake/charges");
    flip(&home.path().join(&fact));
    let refused = home.refused("backup backup").replace(&fact.display().to_string(), "FILE");
    assert_snapshot!(refused, @"
    error: `HOME/FILE` is not what was written: it is damaged
    hint: put it back from the last backup, which stays as it is
    ");
    std::fs::remove_file(home.path().join(&fact)).unwrap();
    let refused = home.refused("backup backup").replace(&fact.display().to_string(), "FILE");
    assert_snapshot!(refused, @"
    error: `HOME/FILE` is missing, so the installation cannot be backed up whole
    hint: put it back from the last backup; if deliveries are being pruned just now, run this again
    ");
    assert_eq!(home.read("backup/manifest.json"), manifest);
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

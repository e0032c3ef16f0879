//! Room in the lake, and what is never given up for it.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Engine, Home, engines, entries, project, row, text};

/// A command of a later day.
fn later(home: &Home, line: &str) -> String {
    let output = home.command(line).env("FOCUS_BILLING_NOW", "2100-01-01T00:00:00Z").output().unwrap();
    let answer = home.answer(&output);
    assert_eq!(answer.code, 0, "`{line}`: {}", answer.stderr);
    answer.stdout
}

fn deliver(home: &Home, cost: &str, how: &str) {
    home.focus("aws_2025-01.csv", &[row("i-1", "Compute", cost, cost, &project("genome"))]);
    home.ok(&format!("ingest aws_2025-01.csv {how}"));
}

/// Three deliveries: the first replaced before anything was issued, the second billed and then replaced.
fn three_deliveries(engine: Engine) -> Home {
    let home = Home::on(engine);
    deliver(&home, "1", "");
    deliver(&home, "2", "--replace 1");
    home.bill_january();
    home.gl("2025-01");
    home.reopen("2025-01", "a better file");
    deliver(&home, "3", "--replace 2");
    home
}

#[test]
fn what_nothing_was_issued_from_goes_and_the_evidence_stays() {
    for engine in engines() {
        let home = three_deliveries(engine);
        let (acts, before) =
            (entries(&home.json("audit list")).len(), home.tree("instance/lake/charges").len());
        assert_eq!(home.ok("lake prune --older-than 1 --yes"), "nothing is to be removed\n", "it was today");
        let would: serde_json::Value =
            serde_json::from_str(&later(&home, "lake prune --older-than 30 --dry-run --json")).unwrap();
        assert_eq!((&would["imports"], &would["kept_as_evidence"]), (&json!([1]), &json!(1)));
        assert_eq!(would["files"].as_array().map(Vec::len), Some(2), "{would}");
        assert_eq!(entries(&home.json("audit list")).len(), acts, "a dry run is no act");

        let told = later(&home, "lake prune --older-than 30 --yes");
        assert!(told.contains("2 files of 1 import were removed"), "{told}");
        assert!(told.contains("1 file counts no more and stays"), "{told}");
        assert_eq!(home.tree("instance/lake/charges").len(), before - 1);
        assert_eq!(home.tree("instance/lake/deliveries").len(), 2);
        let last = entries(&home.json("audit list")).pop().unwrap();
        assert_eq!((text(&last, "act"), text(&last, "subject")), ("lake.pruned", "lake"));
        assert_eq!(
            later(&home, "lake prune --older-than 30 --yes").lines().next(),
            Some("nothing is to be removed")
        );
        assert_eq!(entries(&home.json("audit list")).len(), acts + 1, "nothing to do is no act");

        // What is left says so, and what was issued can still be followed.
        let shown = home.ok("imports show 1");
        assert!(shown.contains("pruned on 2100-01-01 by casey"), "{shown}");
        let refused = home.refused("charges show 1:1");
        assert!(refused.contains("charges of import 1 were pruned on 2100-01-01 by casey"), "{refused}");
        home.ok("imports list");
        home.ok("charges list --period 2025-01");
        home.ok("why S-2025-01-0001");
        home.ok("why 1");
        home.ok("audit verify");
        home.ok("backup backup");
        home.close("2025-01");
        home.generate("2025-01");
    }
}

#[test]
fn bytes_that_were_delivered_again_stay() {
    let home = Home::new();
    deliver(&home, "1", "");
    home.ok("imports withdraw 1 --reason 'wrong source' --yes");
    later(&home, "lake prune --older-than 30 --dry-run");
    deliver(&home, "1", "");
    let told = later(&home, "lake prune --older-than 30 --yes");
    assert!(told.contains("import 1: charges"), "{told}");
    assert!(!told.contains("delivered bytes"), "{told}");
    home.ok("why 2:1");
}

#[test]
fn pruning_that_is_killed_is_finished_by_the_next() {
    let home = three_deliveries(Engine::Sqlite);
    let killed = home
        .command("lake prune --older-than 30 --yes")
        .env("FOCUS_BILLING_NOW", "2100-01-01T00:00:00Z")
        .env("FOCUS_BILLING_ABORT_AT", "workflow.prune.file_removed")
        .output()
        .unwrap();
    assert!(!killed.status.success());
    assert!(home.ok("imports show 1").contains("pruned on"));
    home.ok("audit verify");
    later(&home, "lake prune --older-than 30 --yes");
    assert_eq!(home.tree("instance/lake/deliveries").len(), 2);
    assert_eq!(home.tree("instance/lake/charges").len(), 2);
}

#[test]
fn nobody_is_asked_in_vain() {
    let home = three_deliveries(Engine::Sqlite);
    let output = home
        .command("lake prune --older-than 30")
        .env("FOCUS_BILLING_NOW", "2100-01-01T00:00:00Z")
        .output()
        .unwrap();
    assert_snapshot!(home.answer(&output).stderr, @"error: nobody is there to ask: add --yes to go on without a question");
    assert_eq!(home.tree("instance/lake/deliveries").len(), 3);
}

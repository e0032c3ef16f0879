//! Killed while statements are made, sent or posted: what was issued follows from the books (`verify`), and the
//! act is simply repeated. An e-mail that may have gone out is not sent again unless somebody says so.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::on_two_threads;
use crate::support::{Home, entries, row, tags, text};

/// Three PIs with a project each, and January closed.
fn closed() -> Home {
    let home = Home::new();
    let rows = ["ada", "bo", "cy"].map(|pi| {
        row(&format!("vm-{pi}"), "Compute", "12", "10", &tags(&format!("{pi}@x.edu"), pi, "PHYS-1001"))
    });
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    home.close("2025-01");
    home
}

/// What must be the same in the end, however the way there was: without times and numbers of acts.
fn outcome(home: &Home) -> Value {
    let mut statements = entries(&home.json("statements list"));
    for statement in &mut statements {
        for field in ["sent", "sent_at", "issued"] {
            statement.as_object_mut().unwrap().remove(field);
        }
    }
    let journals: Vec<Value> = entries(&home.json("journals list"))
        .into_iter()
        .map(|journal| serde_json::json!([journal["document"], journal["debit_total"], journal["state"]]))
        .collect();
    let letters: Vec<String> = home.eml().into_iter().map(|(name, _)| name).collect();
    serde_json::json!([statements, journals, letters])
}

/// How often each message was begun to be sent.
fn sendings(home: &Home) -> Vec<usize> {
    let mut count = std::collections::BTreeMap::<String, usize>::new();
    for act in entries(&home.json("audit list")) {
        if text(&act, "act") == "email.sending" {
            *count.entry(text(&act, "subject").to_owned()).or_default() += 1;
        }
    }
    count.into_values().collect()
}

struct Act {
    line: &'static str,
    base: Home,
    /// Where it can be killed.
    points: &'static [&'static str],
}

fn acts() -> Vec<Act> {
    let commit = ["ledger.act.recorded", "ledger.act.audited", "ledger.act.committed"];
    let (to_bill, to_send, to_post) = (closed(), closed(), closed());
    to_send.generate("2025-01");
    to_post.generate("2025-01");
    let points =
        |own: &[&'static str]| -> &'static [&'static str] { Vec::leak([commit.as_slice(), own].concat()) };
    vec![
        Act { line: "generate --period 2025-01", base: to_bill, points: points(&["workflow.render.kept"]) },
        Act { line: "send --period 2025-01", base: to_send, points: points(&["workflow.send.handed_over"]) },
        Act {
            line: "export-journal --period 2025-01 --format gl",
            base: to_post,
            points: points(&["workflow.export.kept", "workflow.export.written"]),
        },
    ]
}

fn kill_and_repeat(act: &Act, at: Option<&str>, after: Option<Duration>, expected: &Value) -> bool {
    let home = Home::copy_of(&act.base);
    let mut command = home.command(act.line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(point) = at {
        command.env("FOCUS_BILLING_ABORT_AT", point);
    }
    let mut child = command.spawn().unwrap();
    if let Some(delay) = after {
        std::thread::sleep(delay);
        let _ = child.kill();
    }
    let ended = !child.wait().unwrap().success();
    let place = format!("`{}` killed at {at:?} {after:?}", act.line);
    let verified = home.run("verify");
    assert_eq!(verified.code, 0, "{place}: {}{}", verified.stdout, verified.stderr);
    let before = sendings(&home);
    let repeated = home.run(act.line);
    if act.line.starts_with("send") {
        let repeated = sendings(&home);
        assert!(
            repeated.iter().all(|times| *times == 1),
            "{place}: sent again: {before:?}, then {repeated:?}"
        );
        home.ok("send --period 2025-01 --retry-uncertain");
    } else {
        assert_eq!(repeated.code, 0, "{place} and repeated: {}", repeated.stderr);
    }
    assert_eq!(&outcome(&home), expected, "{place} and repeated");
    home.ok("verify --deep");
    ended
}

#[test]
fn statements_e_mails_and_journals_survive_a_kill() {
    let at_random = if std::env::var_os("FOCUS_BILLING_LONG").is_some() { 100 } else { 4 };
    for act in acts() {
        let undisturbed = Home::copy_of(&act.base);
        let started = Instant::now();
        undisturbed.ok(act.line);
        let whole = started.elapsed();
        let expected = outcome(&undisturbed);
        let kills = on_two_threads(act.points, |_, name| {
            let counts = (1..=3).map(|count| format!("{name}:{count}"));
            counts.take_while(|point| kill_and_repeat(&act, Some(point), None, &expected)).count()
        });
        assert!(
            kills.iter().all(|kills| 0 < *kills),
            "`{}` does not come by {:?}: {kills:?}",
            act.line,
            act.points
        );
        let delays: Vec<Duration> = (0..at_random).map(|n| whole * n / at_random).collect();
        let ended = on_two_threads(&delays, |_, delay| kill_and_repeat(&act, None, Some(*delay), &expected));
        println!(
            "`{}`: {} kills at places, {} of {} at any time ended it before it was done",
            act.line,
            kills.iter().sum::<usize>(),
            ended.iter().filter(|ended| **ended).count(),
            ended.len()
        );
    }
}

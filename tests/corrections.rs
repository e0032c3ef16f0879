//! A provider changes a month that is finalized: what was issued stays, and the difference is billed in an open
//! month, once, after somebody looked at it.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use support::{Home, amount, entries, exact, is_said, project, row, row_of, text, texts};

/// January 2025 with three charges of two projects, finalized; February is open.
fn finalized() -> Home {
    let home = Home::with("");
    let rows = [
        row("vm-1", "Compute", "10", "8", &project("genome")),
        row("vm-2", "Compute", "20", "16", &project("genome")),
        row("vm-3", "Storage", "5", "5", &project("climate")),
    ];
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
    home.bill_january();
    home.gl("2025-01");
    home.finalize("2025-01");
    home.open("2025-02");
    home
}

fn corrected() -> Vec<String> {
    vec![
        row("vm-1", "Compute", "12", "9.5", &project("genome")),
        row("vm-2", "Compute", "20", "16", &project("genome")),
        row("vm-4", "Storage", "1", "0.75", &project("climate")),
    ]
}

fn adjustments(home: &Home) -> Vec<(String, String, String, String)> {
    let charges = home.charges("--period 2025-02");
    let of = |charge: &serde_json::Value, name: &str| text(charge, name).to_owned();
    let mut found: Vec<_> = charges
        .iter()
        .map(|c| {
            (of(c, "resource_id"), of(c, "service_name"), of(c, "billed_cost"), texts(&c["flags"]).join(" "))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_delivery_for_a_finalized_period_becomes_adjustments() {
    let home = finalized();
    let statements = home.json("statements list --period 2025-01");
    home.focus("aws_2025-01.csv", &corrected());

    let would_be = home.json("ingest aws_2025-01.csv --dry-run");
    assert_eq!(would_be["adjustments"], 3);
    assert!(home.charges("--period 2025-02").is_empty(), "a dry run stored something");

    let told = home.json("ingest aws_2025-01.csv");
    assert_eq!(told["adjustments"], 3, "{told}");
    let notes = texts(&told["notes"]).join("\n");
    assert!(
        notes.contains(
            "2025-01 is finalized, and what was delivered (3 rows) is not what was billed: 3 adjustments (billed -2.75) held in 2025-02 for review"
        ),
        "{notes}"
    );
    let owned = |r: &str, s: &str, b: &str, f: &str| (r.to_owned(), s.to_owned(), b.to_owned(), f.to_owned());
    let genome = "Correction of 2025-01 (S-2025-01-0002): Compute";
    let climate = "Correction of 2025-01 (S-2025-01-0001): Storage";
    assert_eq!(
        adjustments(&home),
        [
            owned("vm-1", genome, "1.5", "correction"),
            owned("vm-3", climate, "-5", "correction"),
            owned("vm-4", climate, "0.75", "correction"),
        ]
    );
    assert_eq!(home.json("statements list --period 2025-01"), statements, "what was issued changed");

    // The same again changes nothing, and neither does the same content in other bytes.
    assert!(is_said(&home.json("ingest aws_2025-01.csv")["unchanged"]));
    let mut rows = corrected();
    rows.reverse();
    home.focus("aws_2025-01.csv", &rows);
    let told = home.json("ingest aws_2025-01.csv");
    assert!(is_said(&told["unchanged"]), "{told}");
    assert_eq!(home.charges("--period 2025-02").len(), 3);

    // A further change is held against the original and the correction together.
    home.focus(
        "aws_2025-01.csv",
        &[
            row("vm-1", "Compute", "12", "9", &project("genome")),
            row("vm-2", "Compute", "20", "16", &project("genome")),
            row("vm-4", "Storage", "1", "0.75", &project("climate")),
        ],
    );
    assert_eq!(home.json("ingest aws_2025-01.csv")["adjustments"], 1);
    let all = home.report("--period 2025-02 --state all");
    assert_eq!(all.sum("billed_cost"), exact("-3.25"));
}

#[test]
fn adjustments_are_reviewed_billed_and_followed_back() {
    let home = finalized();
    home.focus("aws_2025-01.csv", &corrected());
    home.ok("ingest aws_2025-01.csv");
    // An ordinary delivery of February neither supersedes them nor is mixed up with them.
    home.focus("aws_2025-02.csv", &[row_of("2025-02", "vm-1", "Compute", "3", "2", &project("genome"))]);
    home.ok("ingest aws_2025-02.csv");
    home.decide("approve", "--period 2025-02 --flag correction");
    home.close("2025-02");
    let statements = home.generate("2025-02");
    let due: Vec<_> = statements.iter().map(|s| (text(s, "project_id"), amount(s, "amount_due"))).collect();
    assert_eq!(due, [("climate", exact("-4.25")), ("genome", exact("3.5"))]);
    let lines = home.statement_lines(text(&statements[1], "number"));
    let services: Vec<&str> = lines.iter().map(|line| text(line, "service_name")).collect();
    assert_eq!(services, ["Compute", "Correction of 2025-01 (S-2025-01-0002): Compute"]);

    // A charge that is gone has no row; what it corrects is named.
    let gone =
        home.charges("--period 2025-02").into_iter().find(|c| text(c, "resource_id") == "vm-3").unwrap();
    let story = home.ok(&format!("charges show {}", text(&gone, "id")));
    assert!(story.contains("corrects charge 1:3, 2025-01"), "{story}");
    assert!(story.contains("does not have charge 1:3 any more"), "{story}");
    // The others lead to the line that says so.
    let dearer = home
        .charges("--period 2025-02")
        .into_iter()
        .find(|c| text(c, "resource_id") == "vm-1" && text(c, "service_name").starts_with("Correction"));
    let story = home.ok(&format!("charges show {}", text(&dearer.unwrap(), "id")));
    assert!(story.contains("aws_2025-01.csv, line 2"), "{story}");
    home.ok("audit verify");
    home.ok("verify --deep");
}

#[test]
fn who_was_billed_gets_it_back() {
    let home = Home::with("");
    home.focus("aws_2025-01.csv", &[row("vm-1", "Compute", "10", "8", "{}")]);
    home.ok("ingest aws_2025-01.csv");
    home.reassign(
        "--period 2025-01",
        &support::Change {
            pi: Some("ada@example.edu"),
            project: Some("looms"),
            fund_org: Some("MATH-1"),
            ..support::Change::default()
        },
    );
    home.bill_january();
    home.gl("2025-01");
    home.finalize("2025-01");
    home.open("2025-02");
    home.focus("aws_2025-01.csv", &[row("vm-1", "Compute", "10", "6", "{}")]);
    home.ok("ingest aws_2025-01.csv");
    let charges = home.charges("--period 2025-02");
    assert_eq!(charges.len(), 1);
    assert_eq!(text(&charges[0], "pi_email"), "ada@example.edu");
    assert_eq!(amount(&charges[0], "billed_cost"), exact("-2"));
    assert_eq!(texts(&charges[0]["flags"]), ["correction"]);
}

#[test]
fn without_an_open_period_and_after_a_loss_nothing_is_adjusted() {
    let home = finalized();
    home.ok("periods close 2025-02");
    home.focus("aws_2025-01.csv", &corrected());
    let words = home.refused("ingest aws_2025-01.csv");
    assert!(words.contains("no later period is open") && words.contains("periods open"), "{words}");
    home.reopen("2025-02", "for the corrections");
    home.focus("aws_2025-01.csv", &[row("vm-1", "Compute", "10", "8", &project("genome"))]);
    let words = home.refused("ingest aws_2025-01.csv");
    assert!(words.contains("more than half is lost") && words.contains("--force"), "{words}");
    assert_eq!(entries(&home.json("imports list")).len(), 1);
    assert_eq!(home.json("ingest aws_2025-01.csv --force")["adjustments"], 2);
    // Withdrawn while its period is open, it never was.
    home.ok("imports withdraw 2 --reason 'the wrong file' --yes");
    assert!(home.charges("--period 2025-02").is_empty());
}

#[test]
fn a_row_that_says_it_corrects_is_billed_in_the_billing_period_it_arrives_in() {
    let home = finalized();
    // FOCUS: ChargeClass `Correction` is about an earlier billing period; the row is of this one.
    let credit = row_of("2025-02", "vm-1", "Compute", "-2", "-2", &project("genome"));
    let credit = credit.replacen("2025-02-01,2025-02-01,", "2025-01-05,2025-01-06,", 1);
    home.write("aws_2025-02.csv", format!("{},ChargeClass\n{credit},Correction\n", support::HEADER));
    let answer = home.json("ingest aws_2025-02.csv");
    assert_eq!(
        (&answer["periods"], &answer["flagged"]),
        (&serde_json::json!(["2025-02"]), &serde_json::json!(0))
    );
    let by_period = home.report("--by period,charge_class --state billable");
    assert_eq!(by_period.sum_where("billed_cost", "charge_class", "Correction"), exact("-2"));
    assert_eq!(by_period.sum_where("billed_cost", "period", "2025-02"), exact("-2"));
}

#[test]
fn a_source_that_came_too_late_is_corrected_as_often_as_it_delivers() {
    let home = Home::with("");
    home.focus("hpc_2025-01.csv", &[row("job-1", "Compute", "4", "4", &project("genome"))]);
    home.ok("ingest hpc_2025-01.csv --source HPC");
    home.bill_january();
    home.gl("2025-01");
    home.finalize("2025-01");
    home.open("2025-02");
    let late = |rows: &[String]| {
        home.focus("aws_2025-01.csv", rows);
        home.json("ingest aws_2025-01.csv --source AWS --force")
    };
    // Nothing of the source was billed: the whole of its month is a correction.
    let vm = |name: &str, cost: &str| row(name, "Compute", cost, cost, &project("genome"));
    assert_eq!(late(&[vm("vm-1", "10"), vm("vm-2", "7"), vm("vm-3", "5")])["adjustments"], 3);
    // Held against the corrections so far: one dearer, one gone, one as it was, one new.
    assert_eq!(late(&[vm("vm-1", "12"), vm("vm-3", "5"), vm("vm-4", "1")])["adjustments"], 3);
    let all = home.report("--period 2025-02 --state all");
    assert_eq!(all.sum("billed_cost"), exact("18"));
    let gone: Vec<_> = adjustments(&home).into_iter().filter(|(resource, ..)| resource == "vm-2").collect();
    let services: Vec<&str> = gone.iter().map(|(_, service, ..)| service.as_str()).collect();
    let genome = "Correction of 2025-01 (S-2025-01-0001): Compute";
    assert_eq!(services, [genome, genome]);
    // Back again, it is found among the corrections of its account, and once more nothing changes.
    let mut whole = [vm("vm-1", "12"), vm("vm-2", "7"), vm("vm-3", "5"), vm("vm-4", "1")];
    assert_eq!(late(&whole)["adjustments"], 1);
    whole.reverse();
    assert!(is_said(&late(&whole)["unchanged"]));
    assert_eq!(home.report("--period 2025-02 --state all").sum("billed_cost"), exact("25"));
    home.ok("verify --deep");
}

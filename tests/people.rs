//! People: a PI whose address changes is one person, in filters, reports, pools and mail.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Change, Home, engines, entries, exact, row_of, tags, text};

const OLD: &str = "a.lovelace@old.example.edu";
const NEW: &str = "ada@example.edu";

fn deliver(home: &Home, period: &str, rows: &[(&str, &str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(pi, resource, cost)| {
            row_of(period, resource, "Compute", cost, cost, &tags(pi, "looms", "MATH-1"))
        })
        .collect();
    let name = format!("aws_{period}.csv");
    home.focus(&name, &rows);
    home.ok(&format!("ingest {name}"));
}

fn bill(home: &Home, period: &str) -> Vec<String> {
    home.close(period);
    let statements = home.generate(period);
    statements
        .iter()
        .map(|s| format!("{} {} {}", text(s, "pi_email"), text(s, "subsidy"), text(s, "amount_due")))
        .collect()
}

#[test]
fn a_pi_whose_address_changes_keeps_one_history() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok(&format!("subsidies add Provost --payer PROV-1 --tier 100:100 --per pi --every year --pi {OLD} --from 2025-01 --yes"));
        for period in ["2025-01", "2025-02", "2025-03"] {
            home.open(period);
        }
        deliver(&home, "2025-01", &[(OLD, "vm-1", "70")]);
        assert_eq!(bill(&home, "2025-01"), [format!("{OLD} 70.00 0.00")]);
        // In February some files have the old address and some the new one.
        deliver(
            &home,
            "2025-02",
            &[(OLD, "vm-1", "40"), (NEW, "vm-2", "5"), ("bo@example.edu", "vm-3", "1")],
        );
        let preview = home.ok(&format!("people add 'Ada Lovelace' {NEW} --also {OLD} --dry-run"));
        assert_eq!(home.json("people list"), serde_json::json!([]), "a dry run wrote something");
        let added = home.ok(&format!("people add 'Ada Lovelace' {NEW} --also {OLD} --yes"));
        let listed = home.ok("people list");
        let report = home.ok("report --by pi_email");
        insta::allow_duplicates! {
            assert_snapshot!(preview, @r"
            would read again import 2: 1 charge with another owner or price; held 0 before, 0 after
            PI                          project  charges  then  billed cost   then
            ──────────────────────────  ───────  ───────  ────  ───────────  ─────
            a.lovelace@old.example.edu  looms          1     0        40.00   0.00
            ada@example.edu             looms          1     2         5.00  45.00
            ");
            assert_snapshot!(added, @r"
            P-1 Ada Lovelace
              a.lovelace@old.example.edu
              ada@example.edu (current)
            ");
            assert_snapshot!(listed, @r"
            person  name          current address  also
            ──────  ────────────  ───────────────  ──────────────────────────
            P-1     Ada Lovelace  ada@example.edu  a.lovelace@old.example.edu
            ");
            assert_snapshot!(report, @r"
            pi_email         rows  list cost  contracted cost  billed cost  effective cost  discount
            ───────────────  ────  ─────────  ───────────────  ───────────  ──────────────  ────────
            ada@example.edu     3     115.00           115.00       115.00          115.00      0.00
            bo@example.edu      1       1.00             1.00         1.00            1.00      0.00
            ───────────────  ────  ─────────  ───────────────  ───────────  ──────────────  ────────
            total               4     116.00           116.00       116.00          116.00      0.00
            ");
        }
        // January is as it was issued; all of Ada's is found by either address and by the number.
        for who in [OLD, NEW, "P-1", "A.Lovelace@OLD.example.edu"] {
            assert_eq!(home.charges(&format!("--pi {who}")).len(), 3, "{who}");
            assert_eq!(entries(&home.json(&format!("statements list --pi {who}"))).len(), 1, "{who}");
            assert!(home.ok(&format!("show {who} --period 2025-02")).contains("looms"), "{who}");
            let why = home.ok(&format!("why {who} --period 2025-01"));
            assert!(why.contains("S-2025-01-0001"), "{why}");
        }
        let charges = home.charges("--period 2025-02 --pi P-1");
        let shown = home.ok(&format!("charges show {}", text(&charges[0], "id")));
        assert!(shown.contains("by P-1 (Ada Lovelace, always), written by casey"), "{shown}");
        // One statement; the first 100 of the year went on from January.
        assert_eq!(
            bill(&home, "2025-02"),
            [format!("{NEW} 30.00 15.00"), "bo@example.edu 0.00 1.00".to_owned()]
        );
        let balances = home.ok("subsidies show 2025-02");
        insta::allow_duplicates! { assert_snapshot!(balances, @r"
        rule  name     PI               project  counted over        cost seen    paid  left
        ────  ───────  ───────────────  ───────  ──────────────────  ─────────  ──────  ────
           1  Provost  ada@example.edu  –        2025-01 to 2025-12     115.00  100.00  0.00
        "); }
        let payers = home.ok("payers --by pi_email");
        insta::allow_duplicates! { assert_snapshot!(payers, @r"
        pi_email         list price  discount  subsidy    due
        ───────────────  ──────────  ────────  ───────  ─────
        ada@example.edu      115.00      0.00   100.00  15.00
        bo@example.edu         1.00      0.00     0.00   1.00
        ───────────────  ──────────  ────────  ───────  ─────
        total                116.00      0.00   100.00  16.00
        "); }
        // What was issued to the old address goes to the new one.
        home.ok("send --period 2025-01");
        let (_, message) = home.eml().remove(0);
        assert!(
            message.contains(&format!("To: {NEW}")) || message.contains(&format!("To: <{NEW}>")),
            "{message}"
        );
        // Who reassigns to an old address means the person.
        deliver(&home, "2025-03", &[("bo@example.edu", "vm-4", "2")]);
        home.reassign("--period 2025-03", &Change { pi: Some(OLD), ..Change::default() });
        assert_eq!(bill(&home, "2025-03"), [format!("{NEW} 0.00 2.00")]);
        home.gl("2025-01");
        home.ok("verify --deep");
    }
}

#[test]
fn an_address_may_begin_with_a_month_and_two_may_turn_out_to_be_one() {
    let home = Home::with("");
    home.open("2025-02");
    home.ok(&format!("people add 'Ada Lovelace' {OLD} --yes"));
    home.ok("people add 'A. Byron' byron@example.edu --yes");
    deliver(&home, "2025-01", &[(NEW, "vm-1", "10")]);
    deliver(&home, "2025-02", &[(OLD, "vm-1", "20"), ("byron@example.edu", "vm-2", "30")]);
    home.ok(&format!("people address P-1 {NEW} --from 2025-02-15 --note 'she moved' --yes"));
    let found = |home: &Home| {
        let charges = home.charges("");
        let pis: Vec<String> =
            charges.iter().map(|c| format!("{} {}", text(c, "period"), text(c, "pi_email"))).collect();
        pis.join("\n")
    };
    assert_snapshot!(found(&home), @r"
    2025-01 a.lovelace@old.example.edu
    2025-02 ada@example.edu
    2025-02 byron@example.edu
    ");
    home.ok("people merge P-2 --into P-1 --yes");
    assert_snapshot!(found(&home), @r"
    2025-01 a.lovelace@old.example.edu
    2025-02 ada@example.edu
    2025-02 ada@example.edu
    ");
    assert_snapshot!(home.ok("people show byron@example.edu"), @r"
    P-1 Ada Lovelace
      byron@example.edu
      a.lovelace@old.example.edu
      ada@example.edu from 2025-02-15 (current)
    ");
    assert_eq!(home.report("--period 2025-02 --by pi_email").sum("billed_cost"), exact("50"));
    let said: Vec<String> = [
        "people add Bo P-1 --yes",
        "people add Eve ada@example.edu --yes",
        "people address P-7 eve@example.edu --yes",
        "people show P-9",
        "people merge P-1 --into P-1 --yes",
    ]
    .iter()
    .map(|line| home.run(line).stderr)
    .collect();
    assert_snapshot!(said.join("\n"), @r"
    error: invalid value 'P-1' for '<EMAIL>': not an e-mail address such as maren.okafor@example.edu

    For more information, try '--help'.

    `ada@example.edu` is an address of P-1 (Ada Lovelace); if they are one: `people merge`
    error: `Eve` cannot be added

    P-7 is not known
    error: P-7 cannot have this address

    error: nobody has `P-9`
    hint: `people list` shows who is known

    P-1 cannot be merged into itself
    error: P-1 cannot be merged into P-1
    ");
}

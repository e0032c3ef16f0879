//! A month at a glance: what is done, what comes next, and the money; and where it was kept.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

use insta::assert_snapshot;
use support::{CONFIG, Home, amount, engines, entries, project, row_of, text};

fn deliver(home: &Home, period: &str, source: &str, rows: &[(&str, &str, &str, &str)]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(resource, name, list, cost)| {
            let service = if resource.starts_with("vm") { "Compute" } else { "Storage" };
            row_of(period, resource, service, list, cost, &project(name))
        })
        .collect();
    let name = format!("{source}_{period}.csv");
    home.focus(&name, &rows);
    home.ok(&format!("ingest {name}"));
}

/// The letters of the steps, and what comes next.
fn steps(home: &Home, period: &str) -> String {
    let overview = home.json(&format!("overview --period {period}"));
    let letters: String = entries(&overview["checklist"])
        .iter()
        .map(|step| match text(step, "state") {
            "done" => 'd',
            "next" => 'N',
            "possible" => 'p',
            _ => '-',
        })
        .collect();
    format!("{letters} {}", overview["next"].as_str().unwrap_or("nothing"))
}

#[test]
fn a_month_tells_what_is_done_and_what_comes_next() {
    for engine in engines() {
        let home = Home::bare_on(engine);
        home.write("config.yaml", CONFIG);
        home.ok(
            "subsidies add College --payer SCI-1 --percent 40 --order 1 --source AWS --from 2025-05 --yes",
        );
        deliver(&home, "2025-05", "aws", &[("vm-1", "genome", "120", "100"), ("disk-1", "genome", "8", "8")]);
        deliver(&home, "2025-05", "hpc", &[("vm-7", "course", "80", "80.005")]);
        home.close("2025-05");
        home.generate("2025-05");
        deliver(&home, "2025-06", "aws", &[("vm-1", "genome", "240", "200"), ("vm-2", "", "5", "5")]);
        let june = home.ok("overview --period 2025-06");
        insta::allow_duplicates! {
            assert_snapshot!(june, @"");
        }
        assert_eq!(steps(&home, "2025-06"), "Np----- import");
        deliver(&home, "2025-06", "hpc", &[("vm-7", "course", "80", "80")]);
        assert_eq!(steps(&home, "2025-06"), "dN----- review");
        home.decide("reject", "--period 2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddN---- close");
        home.close("2025-06");
        assert_eq!(steps(&home, "2025-06"), "dddN--- generate");
        home.generate("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddNp- send");
        home.ok("send --period 2025-06 --yes");
        assert_eq!(steps(&home, "2025-06"), "dddddN- export");
        home.ok("export-journal --period 2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddN answer");
        home.settle("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddN finalize");
        home.finalize("2025-06");
        assert_eq!(steps(&home, "2025-06"), "ddddddd nothing");
        let overview = home.json("overview --period 2025-06");
        let money = &overview["money"];
        let across = amount(money, "list") - amount(money, "discount") - amount(money, "subsidy");
        assert_eq!(across - amount(money, "credits"), amount(money, "billed"));
        assert_eq!(
            amount(money, "billed"),
            support::due(&entries(&home.json("statements list --period 2025-06")))
        );
        home.ok("verify");
    }
}

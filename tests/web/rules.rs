//! Rules and people: a change is shown with what it would do, then written as it was shown.

use super::support::web::{Reply, Server, Visitor};
use super::support::{Home, project, row};

/// January with two projects and an account that nobody owns.
fn office() -> (Home, Server) {
    let home = Home::new();
    home.focus(
        "aws_2025-01.csv",
        &[
            row("vm-1", "Compute", "1000", "1000", &project("genome")),
            row("vm-2", "Compute", "200", "200", &project("looms")),
            row("vm-3", "Storage", "30", "30", "{}"),
        ],
    );
    home.ok("ingest aws_2025-01.csv");
    home.accounts();
    let server = home.serve();
    (home, server)
}

/// Where a form that was looked at is written, from the page that shows what it would do.
fn write(visitor: &mut Visitor, looked: &str) -> String {
    let page = visitor.get(looked);
    assert_eq!(page.status, 200, "{looked}: {}", page.words());
    let text = page.text();
    let action = between(&text, "<form method=\"post\" action=\"", "\" class=\"actions\"");
    let preview = between(&text, "name=\"preview\" value=\"", "\"");
    let reply = visitor.post(&action, &[("preview", &preview), ("step", "write")]);
    arrive(visitor, &reply).1
}

/// The page that a form leads to, by way of its work where that takes long: its address and words.
fn arrive(visitor: &mut Visitor, reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 303, "{}", reply.words());
    let mut to = reply.location().to_owned();
    let mut said = String::new();
    if to.starts_with("/jobs/") {
        said = visitor.job(&to);
        let page = visitor.get(&to).text();
        to = between(&page, "<a class=\"button primary\" href=\"", "\" autofocus");
    }
    let words = format!("{said} {}", visitor.page(&to));
    (to, words)
}

fn between(text: &str, start: &str, end: &str) -> String {
    text.split(start)
        .find_map(|rest| {
            let (found, _) = rest.split_once(end)?;
            (!found.contains('>')).then(|| found.to_owned())
        })
        .unwrap_or_else(|| panic!("no {start} in {text}"))
}

/// Send a form, and see the page that shows what it would do. Returns its address and words.
fn look(visitor: &mut Visitor, path: &str, fields: &[(&str, &str)]) -> (String, String) {
    let reply = visitor.post(path, fields);
    arrive(visitor, &reply)
}

const PROVOST: [(&str, &str); 6] = [
    ("name", "Provost"),
    ("payer", "PROV-1"),
    ("up_to", "500"),
    ("percent", "100"),
    ("every", "fiscal-year"),
    ("from", "2025-01"),
];

#[test]
fn a_subsidy_is_looked_at_changed_and_written() {
    let (home, server) = office();
    let mut admin = server.sign_in("admin");
    assert!(admin.page("/subsidies").contains("Nobody pays for others yet"));
    // What is wrong is said at once, beside what was typed.
    let refused =
        admin.post("/subsidies/new", &[("name", "Provost"), ("percent", "140"), ("order", "first")]);
    assert_eq!(refused.status, 422);
    let words = refused.words();
    for problem in
        ["`140` is not a percentage", "`first` is not a whole number", "first billing period is missing"]
    {
        assert!(words.contains(problem), "{problem}: {words}");
    }
    assert!(refused.text().contains("value=\"Provost\""), "what was typed stays");
    let (looked, words) = look(&mut admin, "/subsidies/new", &PROVOST);
    assert!(
        words.contains("Write the subsidy `Provost`, paid by PROV-1? Nothing is written yet."),
        "{words}"
    );
    assert!(words.contains("2025-01 2 $0.00 $700.00 $1,200.00 $500.00"), "{words}");
    assert_eq!(home.json("subsidies list"), serde_json::json!([]), "looking wrote something");
    // Change something: the form is as it was typed.
    let preview = looked.rsplit('/').next().unwrap().to_owned();
    let form = admin.post("/subsidies/new", &[("preview", &preview), ("step", "edit")]);
    assert_eq!(form.status, 200);
    assert!(form.text().contains("name=\"payer\" value=\"PROV-1\""), "{}", form.text());
    let words = write(&mut admin, &looked);
    assert!(words.contains("subsidy 1 is written"), "{words}");
    assert!(words.contains("Pays 100% up to $500.00, per project and fiscal year"), "{words}");
    assert!(words.contains("written (act") && words.contains("admin"), "{words}");
    // Sent twice, it is not written twice.
    let again = admin.post("/subsidies/new", &[("preview", &preview), ("step", "write")]);
    let (_, words) = arrive(&mut admin, &again);
    assert!(
        words.contains("Rules were changed since you looked at this, so nothing was written."),
        "{words}"
    );
    assert_eq!(home.json("subsidies list").as_array().unwrap().len(), 1);
    let words = admin.page("/subsidies/balances?period=2025-01");
    assert!(words.contains("genome 2024-07 to 2025-06 – $1,000.00 $500.00 $0.00"), "{words}");
    assert!(words.contains("looms 2024-07 to 2025-06 – $200.00 $200.00 $300.00"), "{words}");
    home.bill_january();
    let words = admin.page("/subsidies/1");
    assert!(words.contains("Paid $700.00"), "{words}");
    let (looked, words) =
        look(&mut admin, "/subsidies/1/end", &[("last", "2025-01"), ("note", "the fund is spent")]);
    assert!(words.contains("End the subsidy `Provost` with 2025-01?"), "{words}");
    let words = write(&mut admin, &looked);
    assert!(words.contains("ended with 2025-01") && words.contains("the fund is spent"), "{words}");
    assert!(admin.page("/subsidies?show=ended").contains("Provost"));
    assert!(!admin.page("/subsidies?show=later").contains("Provost"));
    let file = admin.get("/subsidies?show=all&as=csv");
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"subsidies.csv\""));
    assert!(
        file.text().starts_with("Name,Payer,Pays,For,When,Order,State\nProvost,PROV-1,"),
        "{}",
        file.text()
    );
    home.ok("verify --deep");
}

#[test]
fn a_credit_is_granted_moved_and_ended() {
    let (home, server) = office();
    let mut admin = server.sign_in("admin");
    let form = [
        ("name", "Programme"),
        ("kind", "award"),
        ("amount", "5000"),
        ("payer", "VPR-1"),
        ("from", "2025-01"),
    ];
    let refused = admin.post("/credits/new", &form);
    assert_eq!(refused.status, 422);
    assert!(
        refused.words().contains("name a PI or a project, or say that it is kept back"),
        "{}",
        refused.words()
    );
    let mut kept_back = form.to_vec();
    kept_back.push(("kept_back", "yes"));
    let (looked, words) = look(&mut admin, "/credits/new", &kept_back);
    assert!(words.contains("No statement of an open period would be another."), "{words}");
    write(&mut admin, &looked);
    assert!(admin.page("/credits/1/move").contains("Move a part of Programme"));
    let (looked, words) = look(
        &mut admin,
        "/credits/1/move",
        &[("amount", "300"), ("project", ""), ("project", "genome"), ("note", "round one")],
    );
    assert!(words.contains("2025-01 1 $0.00 $300.00"), "{words}");
    let words = write(&mut admin, &looked);
    assert!(words.contains("credit 2 is taken from credit 1"), "{words}");
    let refused =
        admin.post("/credits/1/move", &[("amount", "4800"), ("project", "looms"), ("note", "too much")]);
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("credit 1 has $4,700.00 left"), "{}", refused.words());
    let words = admin.page("/credits/1");
    assert!(words.contains("Granted $5,000.00 Moved on $300.00"), "{words}");
    assert!(words.contains("$300.00 moved on to project genome, as credit 2"), "{words}");
    let words = admin.page("/credits/balances?period=2025-01");
    assert!(words.contains("project genome $300.00 $0.00 $0.00 $300.00 $0.00 – used up"), "{words}");
    let (looked, _) = look(&mut admin, "/credits/2/end", &[("last", "2025-03"), ("note", "over")]);
    assert!(write(&mut admin, &looked).contains("credit 2 ends with 2025-03"));
    home.bill_january();
    assert!(admin.page("/credits/2").contains("Used by issued statements $300.00 Left $0.00"));
}

#[test]
fn a_rule_of_attribution_is_tried_written_read_in_and_ended() {
    let home = Home::new();
    let header = super::support::HEADER.replace("ResourceId", "SubAccountId,ResourceId");
    let line = |account: &str, cost: &str, tags: &str| {
        row("vm", "Compute", cost, cost, tags).replacen(",vm,vm,", &format!(",{account},vm,vm,"), 1)
    };
    let rows = [line("1111", "700", "{}"), line("2222", "5", "{}"), line("3333", "9", &project("genome"))];
    home.write("aws_2025-01.csv", format!("{header}\n{}\n", rows.join("\n")));
    home.ok("ingest aws_2025-01.csv");
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let page = reviewer.get("/attribution/unreached?period=2025-01");
    assert!(page.words().contains("AWS – 1111 1 $700.00 Write a rule AWS – 2222"), "{}", page.words());
    let form = "/attribution/new?source=AWS&key=sub_account_id&value=1111";
    assert!(page.text().contains(&form.replace('&', "&#38;")), "{}", page.text());
    assert!(reviewer.get(form).text().contains("name=\"value\" value=\"1111\""));
    let words = reviewer.page("/attribution/test?source=AWS&key=sub_account_id&value=1111");
    assert!(words.contains("No rule fits: the charge would belong to nobody"), "{words}");
    let (looked, words) = look(
        &mut reviewer,
        "/attribution/new",
        &[
            ("source", "AWS"),
            ("key", "SubAccountId"),
            ("value", "1111"),
            ("gives", "Ada@example.edu"),
            ("gives", "looms"),
            ("gives", "MATH-1"),
        ],
    );
    assert!(words.contains("gives PI Ada@example.edu, project looms, fund MATH-1"), "{words}");
    assert!(words.contains("Held for review before 2 Held for review then 1"), "{words}");
    assert!(words.contains("ada@example.edu looms 0 1 $0.00 $700.00"), "{words}");
    let words = write(&mut reviewer, &looked);
    assert!(
        words.contains("the attribution table has changed") && words.contains("1 import was read again"),
        "{words}"
    );
    let words = reviewer.page("/attribution/1?period=2025-01");
    assert!(
        words.contains("What it reached in 2025-01 Period 2025-01 (open) Show Charges 1 Cost $700.00"),
        "{words}"
    );
    let words = reviewer.page("/attribution/test?source=AWS&key=sub_account_id&value=1111&on=2025-01-10");
    assert!(words.contains("By rule 1 PI ada@example.edu project looms fund MATH-1"), "{words}");
    let file = reviewer.get("/attribution/export").text();
    assert!(file.starts_with("source,key,value,pi_email,"), "{file}");
    let file = format!("{file}AWS,sub_account_id,2222,bo@example.edu,yarn,CS-2,,,,,,,,,,,,\n");
    let reply = reviewer.upload("/attribution/import", &[], &[("<b>.csv", file.as_bytes())]);
    let (looked, words) = arrive(&mut reviewer, &reply);
    assert!(words.contains("1 of 2 rules are there already.") && words.contains("Write 1 rule?"), "{words}");
    write(&mut reviewer, &looked);
    assert_eq!(home.json("attribution list").as_array().unwrap().len(), 2);
    let reply = reviewer.upload("/attribution/import", &[], &[("<b>.csv", b"key,value\nsub account,\n")]);
    assert_eq!(reply.status, 422);
    assert!(reply.words().contains("cannot read rules from `<b>.csv`"), "{}", reply.words());
    assert!(!reply.text().contains("<b>.csv"), "a name is text");
    let (looked, words) =
        look(&mut reviewer, "/attribution/2/end", &[("last", "2025-01-15"), ("note", "moved")]);
    assert!(words.contains("End the rule AWS sub_account_id `2222` on 2025-01-15?"), "{words}");
    assert!(write(&mut reviewer, &looked).contains("ended with 2025-01-15"));
    home.ok("verify --deep");
}

#[test]
fn rates_are_tried_compared_and_written() {
    let home = Home::bare();
    let config = super::support::CONFIG
        .replace("pattern: hpc,", "pattern: hpc, delivery: snapshot, priced_by: rates,");
    home.write("config.yaml", config);
    home.open("2025-01");
    home.ok("rates add cpu --service Compute --unit core-hour --price 0.01 --from 2025-01-01 --yes");
    let tags = project("genome").replace('"', "\"\"");
    home.write(
        "hpc_2025-01.csv",
        format!(
            "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ServiceName,ResourceId,ConsumedQuantity,ConsumedUnit,Tags\n\
             2025-01-01,2025-02-01,2025-01-01,2025-01-02,Compute,n1,1000,core-hours,\"{tags}\"\n"
        ),
    );
    home.ok("ingest hpc_2025-01.csv");
    home.accounts();
    let server = home.serve();
    let mut admin = server.sign_in("admin");
    assert!(admin.page("/rates").contains("cpu rate 1 service Compute core-hour 0.01 0.01"));
    let words = admin.page("/rates/1?period=2025-01");
    assert!(
        words.contains("What it priced in 2025-01 Period 2025-01 (open) Show Charges 1 Cost $10.00"),
        "{words}"
    );
    let file = b"code,service,unit,price,from\ncpu,Compute,core-hour,0.015,2025-07-01\n";
    let fields = [("to_do", "try"), ("first", "2025-01"), ("last", "2025-01")];
    let reply = admin.upload("/rates/import", &fields, &[("next.csv", file)]);
    let (tried, words) = arrive(&mut admin, &reply);
    assert!(words.contains("Billed $10.00 Would be $15.00 Difference $5.00"), "{words}");
    let csv = admin.get(&format!("{tried}/csv")).text();
    assert_eq!(csv.lines().nth(1), Some("pi@example.edu,PHYS-1001,1,10,15,5"), "{csv}");
    let reply = admin.upload("/rates/import", &[("to_do", "diff")], &[("next.csv", file)]);
    assert!(reply.words().contains("cpu core-hour 0.01 0.015"), "{}", reply.words());
    let reply = admin.upload("/rates/import", &[("to_do", "try")], &[("next.csv", file)]);
    assert_eq!(reply.status, 422);
    assert!(reply.words().contains("first month is missing"), "{}", reply.words());
    let reply = admin.upload("/rates/import", &[], &[("next.csv", file)]);
    assert_eq!(reply.status, 422, "it does not say that it takes the place of the first");
    assert!(reply.words().contains("rate 1 has the same code on the same days"), "{}", reply.words());
    let reply = admin.upload("/rates/import", &[("replacing", "yes")], &[("next.csv", file)]);
    let (looked, _) = arrive(&mut admin, &reply);
    assert!(write(&mut admin, &looked).contains("the rate book has changed"));
    let words = admin.page("/rates/diff?from=2025-06-30&to=2025-07-01");
    assert!(words.contains("cpu core-hour 0.01 0.015"), "{words}");
    let (looked, words) = look(
        &mut admin,
        "/rates/new",
        &[
            ("code", "disk"),
            ("unit", "TB-month"),
            ("price", "31"),
            ("prorate", "day"),
            ("above_quantity", "10"),
            ("above_price", "28"),
            ("from", "2025-01-01"),
        ],
    );
    assert!(words.contains("Write the rate disk (TB-month) at 31?"), "{words}");
    write(&mut admin, &looked);
    assert!(admin.page("/rates/3").contains("By month and project above 10 at 28 Prorated by day"));
    let reply = admin.post("/rates/apply", &[]);
    assert!(arrive(&mut admin, &reply).1.contains("everything was read with the rules as they stand"));
    home.ok("verify --deep");
}

#[test]
fn a_project_is_split_and_people_are_one() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let parts = [
        ("project", "genome"),
        ("fund", "NSF-9"),
        ("share", "400"),
        ("fund", "MATH-1"),
        ("share", "60%"),
        ("fund", "CS-2"),
        ("share", "40%"),
        ("from", "2025-01-01"),
        ("note", "agreed"),
    ];
    let (looked, words) = look(&mut reviewer, "/splits/new", &parts);
    assert!(
        words.contains("Split project genome over NSF-9 up to $400.00, MATH-1 60%, CS-2 40%?"),
        "{words}"
    );
    assert!(words.contains("2025-01 1 $0.00 $0.00"), "{words}");
    write(&mut reviewer, &looked);
    let (looked, words) = look(
        &mut reviewer,
        "/people/new",
        &[("name", "Ada Lovelace"), ("address", "ada@example.edu"), ("also", "pi@example.edu"), ("also", "")],
    );
    assert!(words.contains("pi@example.edu genome 1 0"), "{words}");
    let words = write(&mut reviewer, &looked);
    assert!(words.contains("P-1 is written down") && words.contains("Ada Lovelace P-1"), "{words}");
    let refused = reviewer.post("/people/P-1/address", &[("address", "ada at home")]);
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("`ada at home` is not an e-mail address"), "{}", refused.words());
    let (looked, _) =
        look(&mut reviewer, "/people/new", &[("name", "A. Lovelace"), ("address", "al@example.edu")]);
    write(&mut reviewer, &looked);
    let (looked, words) = look(&mut reviewer, "/people/P-2/merge", &[("into", "P-1"), ("note", "the same")]);
    assert!(words.contains("Merge P-2 into P-1?"), "{words}");
    let words = write(&mut reviewer, &looked);
    assert!(words.contains("merged") && words.contains("al@example.edu"), "{words}");
    home.decide("reject", "--flag missing_pi_email");
    home.bill_january();
    let words = reviewer.page("/people/P-1");
    assert!(words.contains("2025-01 $1,200.00 $0.00 $1,200.00"), "{words}");
    let words = reviewer.page("/splits/1?period=2025-01");
    assert!(words.contains("CS-2 ada@example.edu genome $240.00"), "{words}");
    assert!(words.contains("NSF-9 ada@example.edu genome $400.00"), "{words}");
    assert!(reviewer.page("/people?q=lovelace").contains("Ada Lovelace P-1"));
}

#[test]
fn files_of_integrations_become_rules() {
    let (home, server) = office();
    let mut admin = server.sign_in("admin");
    let file = br#"{"accounts": {"looms": {"piEmail": "ada@example.edu", "projectId": "looms", "fundOrg": "MATH-1"}}}"#;
    let reply = admin.upload("/import-config", &[("source", "HPC")], &[("accounts.json", file)]);
    let (looked, words) = arrive(&mut admin, &reply);
    assert!(words.contains("HPC sub_account_id `looms` gives PI ada@example.edu"), "{words}");
    assert!(write(&mut admin, &looked).contains("the rules are written"));
    let reply = admin.upload("/import-config", &[("source", "HPC")], &[("accounts.json", file)]);
    assert!(reply.words().contains("all of it is there already"), "{}", reply.words());
    let reply = admin.upload("/import-config", &[], &[("odd.json", b"{}"), ("none.json", b"x")]);
    assert_eq!(reply.status, 422);
    assert!(
        reply.words().contains("odd.json: it is none of")
            && reply.words().contains("none.json: it is not JSON")
    );
    assert_eq!(home.json("attribution list").as_array().unwrap().len(), 1);
}

#[test]
fn forms_of_rules_are_guarded_and_harmless() {
    let (home, server) = office();
    let mut admin = server.sign_in("admin");
    // An upload proves its token itself.
    let csrf = std::mem::take(&mut admin.csrf);
    let reply = admin.upload("/rates/import", &[], &[("a.csv", b"code,unit,price,from\n")]);
    assert_eq!(reply.status, 403, "{}", reply.words());
    assert_eq!(admin.post_bare("/rates/import", &[("pasted", "code")]).status, 403);
    admin.csrf = csrf;
    let large = vec![b'x'; 3 << 20];
    assert_eq!(admin.upload("/rates/import", &[], &[("a.csv", &large)]).status, 413);
    let reply = admin.upload("/rates/import", &[], &[("a.csv", &[0xff, 0xfe, 0x00])]);
    assert!(reply.words().contains("`a.csv` is not text in UTF-8"), "{}", reply.words());
    // What a person may not write, nobody writes through a preview of somebody else.
    let (looked, _) = look(&mut admin, "/subsidies/new", &PROVOST);
    let preview = looked.rsplit('/').next().unwrap().to_owned();
    let mut reviewer = server.sign_in("reviewer");
    for path in ["/subsidies/new", "/splits/new"] {
        let reply = reviewer.post(path, &[("preview", &preview), ("step", "write")]);
        assert!([403, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
    assert_eq!(home.json("subsidies list"), serde_json::json!([]));
    // Names are words.
    let name = "<script>alert(1)</script>";
    let mut form = PROVOST.to_vec();
    form[0] = ("name", name);
    let (looked, words) = look(&mut admin, "/subsidies/new", &form);
    assert!(words.contains(name), "{words}");
    assert!(!admin.get(&looked).text().contains(name));
    write(&mut admin, &looked);
    for path in ["/subsidies", "/subsidies/1", "/subsidies/balances"] {
        assert!(!admin.get(path).text().contains(name), "{path}");
    }
    let reply = admin.get("/subsidies/99");
    assert_eq!(reply.status, 404);
    assert!(reply.words().contains("there is no subsidy 99"), "{}", reply.words());
}

//! From a closed month to a final one in the browser: statements, e-mails, journals, reports, audit.

use std::io::{Cursor, Read as _};

use super::support::web::{Reply, Visitor};
use super::support::{CONFIG, Home, row, tags};

const ANN: &str = "ann@x.edu";
const BOB: &str = "bob@x.edu";

/// Two PIs, two sources; one project has a slash in its name, and one service is a formula.
fn delivered() -> Home {
    let home = Home::new();
    home.accounts();
    let aws = [
        row("i-1", "Compute", "100", "80", &tags(ANN, "genome", "PHYS-1001")),
        row("i-2", "Storage", "20.50", "20.50", &tags(ANN, "genome", "PHYS-1001")),
        row("i-3", "=HYPERLINK(1)", "9", "9", &tags(BOB, "ocean/<b>ice</b>", "BIO-2002")),
    ];
    home.focus("aws_2025-01.csv", &aws);
    home.focus("hpc_2025-01.csv", &[row("job-1", "CPU", "40", "30", &tags(ANN, "genome", "PHYS-1001"))]);
    home.ok("ingest aws_2025-01.csv");
    home.ok("ingest hpc_2025-01.csv");
    home
}

/// Begin work with a form, wait for it, and see what it says.
fn work(visitor: &mut Visitor, path: &str, fields: &[(&str, &str)]) -> (String, String) {
    let reply = visitor.post(path, fields);
    assert_eq!(reply.status, 303, "{path}: {}", reply.words());
    let job = reply.location().to_owned();
    let words = visitor.job(&job);
    (job, words)
}

fn file(visitor: &mut Visitor, path: &str) -> Reply {
    let reply = visitor.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.words());
    reply
}

#[track_caller]
fn says(words: &str, all: &[&str]) {
    for expected in all {
        assert!(words.contains(expected), "`{expected}` is missing in:\n{words}");
    }
}

const JANUARY: (&str, &str) = ("period", "2025-01");

#[test]
fn a_month_is_billed_from_pages() {
    let home = delivered();
    let server = home.serve();
    let mut office = server.sign_in("reviewer");
    says(&office.page("/statements"), &["No statement was issued yet for 2025-01", "See what they would be"]);

    // Looked at first: nothing is issued.
    let (job, said) = work(&mut office, "/statements/preview", &[JANUARY]);
    says(&said, &["2 new, 0 changed, 0 unchanged; nothing was issued"]);
    let look = job.replace("/jobs/", "/statements/previews/");
    says(&office.page(&look), &[ANN, "ocean/<b>ice</b>", "$139.50", "new"]);
    let (job, said) = work(&mut office, "/statements/drafts", &[JANUARY]);
    says(&said, &["2 new"]);
    let draft = file(&mut office, &format!("{}/0/pdf", job.replace("/jobs/", "/statements/previews/")));
    assert!(draft.body.starts_with(b"%PDF"));
    assert_eq!(home.json("statements list --period 2025-01"), serde_json::json!([]));
    let (_, said) = work(&mut office, "/statements/generate", &[JANUARY]);
    says(&said, &["cannot generate statements", "open"]);

    office.act("/periods/2025-01/close", &[]);
    let (_, said) = work(&mut office, "/statements/generate", &[JANUARY]);
    says(&said, &["2 new, 0 changed, 0 unchanged; 2 documents rendered"]);
    let list = office.page("/statements?period=2025-01");
    says(&list, &["S-2025-01-0001", ANN, "PHYS-1001", "$130.50", "issued", "2 not sent yet"]);
    says(&office.page("/statements?find=bio-2002"), &[BOB, "1 in all"]);
    says(&office.page("/statements?find=nobody"), &["No statement is like that"]);
    statement_is_read(&mut office);

    let outgoing = office.page("/emails/outgoing?period=2025-01");
    says(&outgoing, &["To be sent 2", ANN, "S-2025-01-0001_v1.pdf", "Amount due", "Send 2 messages"]);
    assert!(home.eml().is_empty(), "looking sends nothing");
    let (_, said) = work(&mut office, "/emails/send", &[JANUARY]);
    says(&said, &["2 sent; 0 had been sent before"]);
    assert_eq!(home.eml().len(), 2);
    says(&office.page("/emails/outgoing?period=2025-01"), &["Nothing waits to be sent"]);
    message_is_read(&mut office);
    statement_goes_again(&home, &mut office);
    journal_is_answered(&home, &mut office);
    finalized(&home, &mut server.sign_in("admin"), &mut office);
}

fn statement_is_read(office: &mut Visitor) {
    let words = office.page("/statements/S-2025-01-0001");
    says(
        &words,
        &["List price $160.50", "Discount $30.00", "Amount due $130.50", "Compute", "HPC", "PHYS-1001"],
    );
    says(&words, &["No message has carried this version yet", "No journal posts it yet"]);
    let html = office.get("/statements/S-2025-01-0002").text();
    assert!(!html.contains("<b>ice"), "markup of a project's name");
    assert!(html.contains("/projects/ocean%2F%3Cb%3Eice%3C%2Fb%3E"), "a link with a slash in a name");
    let pdf = file(office, "/statements/S-2025-01-0001/pdf");
    assert!(pdf.body.starts_with(b"%PDF"));
    assert_eq!(pdf.header("x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(pdf.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'self'"));
    let kept = file(office, "/statements/S-2025-01-0001/pdf?download=true");
    let name = "attachment; filename=\"2025-01_ann-x.edu_genome_S-2025-01-0001_v1.pdf\"";
    assert!(kept.header("content-disposition").unwrap().starts_with(name));
    assert_eq!(kept.header("x-frame-options"), Some("DENY"));
    let lines = file(office, "/statements/S-2025-01-0002/lines.csv").text();
    says(&lines, &["'=HYPERLINK(1)", ",9.00,0.00,0.00,9.00"]);
    says(
        &file(office, "/statements/list.csv?period=2025-01").text(),
        &["S-2025-01-0002,1,2025-01,bob@x.edu"],
    );
    let zip = file(office, "/statements/all.zip?period=2025-01").body;
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    assert_eq!(zip.len(), 2);
    let mut first = Vec::new();
    zip.by_index(0).unwrap().read_to_end(&mut first).unwrap();
    assert_eq!(first, pdf.body, "the ZIP has what was issued");
}

fn message_is_read(office: &mut Visitor) {
    let list = office.get("/emails?period=2025-01").text();
    let (_, rest) = list.split_once("href=\"/emails/2025-01.").expect("a link to a message");
    let path = format!("/emails/2025-01.{}", rest.split_once('"').unwrap().0);
    says(
        &office.page(&path),
        &["The digest that was recorded when it was made proves these words", "statement"],
    );
    let html = file(office, &format!("{path}/html"));
    assert!(html.header("content-security-policy").unwrap().starts_with("sandbox; default-src 'none'"));
    says(&office.page("/emails?state=failed"), &["No message is like that"]);
}

fn statement_goes_again(home: &Home, office: &mut Visitor) {
    let path = "/statements/S-2025-01-0001/send-again";
    assert_eq!(office.post(path, &[("reason", " ")]).status, 400);
    let (_, said) = work(office, path, &[("reason", "the PI lost it")]);
    says(&said, &["1 sent"]);
    assert_eq!(home.eml().len(), 3);
    let list = office.get("/emails?find=S-2025-01-0001").text();
    for link in list.split("href=\"/emails/2025-01.").skip(1) {
        let path = format!("/emails/2025-01.{}", link.split_once('"').unwrap().0);
        says(&office.page(&path), &["proves these words"]);
    }
    says(&office.page("/audit?text=lost+it"), &["email.sending", "email.sent"]);
}

fn journal_is_answered(home: &Home, office: &mut Visitor) {
    let words = office.page("/journals/preview?period=2025-01");
    says(
        &words,
        &["Debits $139.50", "Credits $139.50", "Balance $0.00", "IT-AWS", "IT-HPC", "AWS: balance $0.00"],
    );
    assert_eq!(home.journals("2025-01"), [""; 0], "looking records nothing");
    let gl = [JANUARY, ("format", "gl")];
    let words = office.act("/journals", &gl);
    says(&words, &["J-2025-01-1 is written as gl", "exported", "S-2025-01-0001"]);
    assert_eq!(office.post("/journals", &[JANUARY, ("format", "xml")]).status, 400);
    let html = office.get("/journals/J-2025-01-1").text();
    let (_, rest) = html.split_once("/journals/J-2025-01-1/files/").unwrap();
    let sha256 = rest.split_once('"').unwrap().0.to_owned();
    let kept = file(office, &format!("/journals/J-2025-01-1/files/{sha256}"));
    assert_eq!(kept.text(), home.read("instance/output/journals/J-2025-01-1_gl.csv"));
    assert_eq!(office.get("/journals/J-2025-01-1/files/..%2F..%2Fledger.db").status, 404);
    says(
        &office.act("/journals/J-2025-01-1/copy", &[("format", "gl")]),
        &["this is a COPY", "with the same bytes"],
    );

    let refused = office.post("/journals/J-2025-01-1/reject", &[("reason", "")]);
    assert_eq!(refused.status, 422);
    says(&refused.words(), &["no reason was given"]);
    let words = office.act("/journals/J-2025-01-1/reject", &[("reason", "fund 1001 has ended")]);
    says(&words, &["rejected", "fund 1001 has ended", "The next journal"]);
    says(
        &office.page("/journals/preview?period=2025-01"),
        &["posts again what accounting rejected as J-2025-01-1"],
    );
    office.act("/journals", &gl);
    says(&office.page("/journals?state=rejected"), &["replaced by J-2025-01-2"]);
    says(&office.act("/journals/J-2025-01-2/accept", &[("note", "JV 10442")]), &["accepted", "JV 10442"]);
    says(&office.page("/statements/S-2025-01-0001"), &["J-2025-01-1", "J-2025-01-2", "accepted", "sent"]);
}

fn finalized(home: &Home, admin: &mut Visitor, office: &mut Visitor) {
    says(&admin.page("/periods/2025-01/finalize"), &["Nothing is missing"]);
    let refused = admin.post("/periods/2025-01/finalize", &[("confirm", "2025-02"), ("notes", "signed off")]);
    assert_eq!(refused.status, 422);
    says(&refused.words(), &["type 2025-01 into the field; `2025-02` was typed"]);
    assert!(refused.text().contains("value=\"signed off\""), "what was typed stays");
    admin.act("/periods/2025-01/finalize", &[("confirm", "2025-01"), ("notes", "signed off")]);
    assert_eq!(home.period_state("2025-01"), "finalized");
    let period = office.page("/periods/2025-01");
    says(&period, &["aws_2025-01.csv", ANN, "period.finalized", "signed off", "J-2025-01-2", "reviewer"]);
}

#[test]
fn what_changed_since_a_version_stands_in_the_page() {
    let home = delivered();
    home.bill_january();
    home.reopen("2025-01", "a late file");
    home.focus("late.csv", &[row("i-9", "Network", "5", "5", &tags(ANN, "genome", "PHYS-1001"))]);
    home.ok("ingest late.csv --source AWS --append");
    let server = home.serve();
    let mut office = server.sign_in("reviewer");
    let (job, said) = work(&mut office, "/statements/preview", &[JANUARY]);
    says(&said, &["0 new, 1 changed, 1 unchanged"]);
    let look = job.replace("/jobs/", "/statements/previews/");
    let changed = office.page(&format!("{look}?change=changed"));
    says(&changed, &["$135.50, was $130.50", "1 in all"]);
    home.close("2025-01");
    says(&office.page(&look), &["Make 1 new or changed statement"]);
    work(&mut office, "/statements/generate", &[JANUARY]);
    let words = office.page("/statements/S-2025-01-0001");
    says(&words, &["What changed since version 1", "Network", "added", "+$5.00", "version 2"]);
    let first = office.page("/statements/S-2025-01-0001?version=1");
    says(&first, &["A later version stands in place of this one", "superseded"]);
    assert!(!office.page("/statements").contains("superseded by"));
    says(&office.page("/statements?state=superseded"), &["by v2: amount due"]);
    assert_eq!(office.get("/statements/S-2025-01-0001?version=9").status, 404);
}

#[test]
fn what_is_missing_before_the_end_is_listed_at_once() {
    let home = delivered();
    let home_without = tags(ANN, "lost", "");
    home.focus("more_hpc.csv", &[row("job-9", "CPU", "3", "3", &home_without)]);
    home.ok("ingest more_hpc.csv --source HPC --append");
    home.bill_january();
    let server = home.serve();
    let mut admin = server.sign_in("admin");
    let words = admin.page("/periods/2025-01/finalize");
    says(&words, &["1 charge without a decision", "2 statements not posted yet", "S-2025-01-0001 v1"]);
    let refused = admin.post("/periods/2025-01/finalize", &[("confirm", "2025-01")]);
    assert_eq!(refused.status, 422);
    says(&refused.words(), &["cannot finalize 2025-01", "held"]);
}

#[test]
fn reports_come_to_what_statements_say() {
    let home = delivered();
    home.bill_january();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    let words = viewer.page("/reports?period=2025-01");
    says(
        &words,
        &["List price of what was delivered $169.50", "Discount $30.00", "Charged $139.50", "PHYS-1001"],
    );
    says(&viewer.page("/reports?by=pi_email&by=source&over=all"), &["PI Source", ANN, "AWS", "$120.50"]);
    says(&viewer.page("/reports?by=fiscal_year&over=FY2025"), &["Fiscal year", "2025"]);
    let wrong = viewer.get("/reports?by=colour");
    assert_eq!(wrong.status, 422);
    says(&wrong.words(), &["`colour` is not one of payer"]);
    let csv = file(&mut viewer, "/reports/payers.csv?by=service_name&over=all").text();
    says(&csv, &["service_name,list_price,discount,subsidy,due", "'=HYPERLINK(1),9.00,0.00,0.00,9.00"]);

    says(
        &viewer.page("/reports/charges?by=service_name&by=source"),
        &["Compute AWS 1 $100.00", "Total 4 $169.50"],
    );
    says(&viewer.page("/reports/charges?by=pi_email&state=held"), &["No charge is like that"]);
    let wrong = viewer.get("/reports/charges?by=colour");
    assert_eq!(wrong.status, 422);
    says(&wrong.words(), &["there is no column `colour`"]);
    let csv = file(&mut viewer, "/reports/charges.csv?by=service_name").text();
    says(&csv, &["service_name,rows,list_cost", "'=HYPERLINK(1),1,9,9,9,9,0"]);
}

#[test]
fn every_act_is_found_handed_out_and_proven() {
    let home = delivered();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    says(&viewer.page("/audit"), &["import.committed", "period.opened", "casey"]);
    says(&viewer.page("/audit?act=import"), &["import.committed"]);
    assert!(!viewer.page("/audit?act=period").contains("import.committed 2"));
    says(&viewer.page("/audit?by=nobody"), &["No act is like that"]);
    says(&viewer.page("/audit?since=2001-01-01&until=2001-12-31"), &["No act is like that"]);
    assert_eq!(viewer.get("/audit?since=yesterday").status, 422);
    says(&viewer.page("/audit?text=HPC_2025"), &["import.committed"]);
    says(&viewer.page("/audit?text=%25"), &["No act is like that"]);
    says(&viewer.page("/audit/1"), &["Act 1", "none: it is the first"]);
    assert_eq!(viewer.get("/audit/999").status, 404);
    let all = file(&mut viewer, "/audit/export?format=json&act=import").json();
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert!(file(&mut viewer, "/audit/export?format=splunk").text().starts_with("{\"time\":"));
    assert!(file(&mut viewer, "/audit/export?format=csv").text().starts_with("number,at,by"));
    assert_eq!(viewer.get("/audit/export?format=xml").status, 400);

    let anchor = file(&mut viewer, "/audit/anchor").text();
    let (job, said) = work(&mut viewer, "/audit/verify", &[("anchor", &anchor)]);
    says(&said, &["the chain is sound"]);
    let proven = viewer.page(&job.replace("/jobs/", "/audit/verified/"));
    says(&proven, &["sound", "the chain contains it"]);
    let another = "0".repeat(64);
    let (job, said) = work(&mut viewer, "/audit/verify", &[("anchor", &another)]);
    says(&said, &["the chain is BROKEN"]);
    says(
        &viewer.page(&job.replace("/jobs/", "/audit/verified/")),
        &["The chain does not contain the anchor"],
    );
    assert_eq!(viewer.post("/audit/verify", &[("anchor", "an anchor")]).status, 422);

    let (job, said) = work(&mut viewer, "/verify", &[("period", ""), ("deep", "true")]);
    says(&said, &["the books hold"]);
    says(&viewer.page(&job.replace("/jobs/", "/verify/")), &["the books hold", "delivered bytes", "ok"]);
    says(&viewer.page("/verify"), &["Reports since the server was started", "sound"]);
}

/// Pages go by number: what is done meanwhile moves nothing.
#[test]
fn a_long_chain_is_paged() {
    let home = Home::new();
    home.accounts();
    for number in 0..60 {
        home.open(&format!("{}-{:02}", 2019 + number / 12, number % 12 + 1));
    }
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    let html = viewer.get("/audit?act=period").text();
    let (_, rest) =
        html.split_once("<a class=\"button\" href=\"/audit?act=period&#38;before=").expect("more");
    let before = rest.split_once('"').unwrap().0.to_owned();
    let next = viewer.page(&format!("/audit?act=period&before={before}"));
    says(&next, &["2019-01", "Latest"]);
    assert!(!next.contains("2023-12"));
}

#[test]
fn a_failed_message_says_why() {
    let home = Home::new();
    let relay = "smtp: { host: 127.0.0.1, port: 9, use_tls: false }\n";
    home.write("config.yaml", CONFIG.replace("dev_mode: true\n", relay));
    home.accounts();
    home.focus("aws.csv", &[row("i-1", "Compute", "10", "10", &tags(ANN, "genome", "PHYS-1001"))]);
    home.ok("ingest aws.csv");
    home.bill_january();
    let server = home.serve();
    let mut office = server.sign_in("reviewer");
    let (_, said) = work(&mut office, "/emails/send", &[JANUARY]);
    says(&said, &["1 not sent, 0 uncertain", ANN]);
    says(&office.page("/emails"), &["1 message did not go out", "failed", "the message was not sent"]);
    says(&office.page("/emails/outgoing?period=2025-01"), &["To be sent 1"]);
}

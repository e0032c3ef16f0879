//! The API, as programs use it over the wire.

use serde_json::{Value, json};

use super::support::web::{Reply, Server, Visitor};
use super::support::{Home, row, tags};

#[path = "api/examples.rs"]
mod examples;
#[path = "api/garbage.rs"]
mod garbage;
#[path = "api/lists.rs"]
mod lists;

/// A program with a token that is made on the command line.
pub fn program(home: &Home, server: &Server, owner: &str, scope: &str) -> Visitor {
    let made = home.json(&format!("tokens add program --owner {owner} --scope {scope}"));
    with_token(server, made["secret"].as_str().unwrap())
}

fn with_token(server: &Server, secret: &str) -> Visitor {
    let mut visitor = server.visitor();
    visitor.bearer = Some(secret.to_owned());
    visitor
}

/// One request of a program, with a JSON body where one is given.
#[expect(clippy::needless_pass_by_value, reason = "bodies are written where they are sent")]
pub fn ask(program: &mut Visitor, request: &str, body: Value) -> Reply {
    let (method, path) = request.split_once(' ').unwrap();
    let text = if body.is_null() { String::new() } else { body.to_string() };
    program.ask(method, path, &[("content-type", "application/json")], text.as_bytes())
}

/// The answer of a request that must be taken.
fn told(program: &mut Visitor, request: &str, body: Value) -> Value {
    let reply = ask(program, request, body);
    assert!((200..300).contains(&reply.status), "{request}: {} {}", reply.status, reply.text());
    reply.json()
}

/// The job of a request, once it has ended.
fn worked(program: &mut Visitor, begun: &Value) -> Value {
    let at = begun["at"].as_str().unwrap_or_else(|| panic!("no job: {begun}")).to_owned();
    loop {
        let job = told(program, &format!("GET {at}"), Value::Null);
        if job["state"] != "running" {
            return job;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn refused(reply: &Reply) -> String {
    let error = &reply.json()["error"];
    assert!(error["request"].is_string(), "{error}");
    format!("{} {}", reply.status, error["message"].as_str().unwrap())
}

const FILE: &str = "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ListCost,\
ContractedCost,BilledCost,EffectiveCost,ResourceId,ResourceName,ServiceName,Tags";

fn delivery() -> Vec<u8> {
    let ann = |project: &str| tags("ann@x.edu", project, "PHYS-1001");
    let rows = [
        row("i-1", "Compute", "100", "80", &ann("genome")),
        row("training-1", "Compute", "50", "50", &ann("course")),
        row("i-4", "Compute", "10", "10", "{}"),
    ];
    format!("{FILE}\n{}\n", rows.join("\n")).into_bytes()
}

#[test]
fn a_month_from_the_file_to_the_final_period_by_a_program() {
    let home = Home::with("review: { flag_patterns: [training] }\n");
    home.accounts();
    let server = home.serve();
    let mut office = program(&home, &server, "reviewer", "review");

    let upload = |office: &mut Visitor, query: &str| {
        let path = format!("/api/v1/imports?name=aws_2025-01.csv{query}");
        let reply = office.ask("POST", &path, &[("content-type", "text/csv")], &delivery());
        assert_eq!(reply.status, 202, "{}", reply.text());
        worked(office, &reply.json())
    };
    let tried = upload(&mut office, "&dry_run=true");
    assert_eq!((&tried["state"], &tried["result"]["charges"]), (&json!("ended"), &json!(3)), "{tried}");
    assert_eq!(told(&mut office, "GET /api/v1/imports", Value::Null)["total"], 0);
    let taken = upload(&mut office, "");
    assert_eq!(taken["result"]["import"], 1, "{taken}");
    assert!(upload(&mut office, "")["said"].as_str().unwrap().contains("nothing to import"));

    let queue = told(&mut office, "GET /api/v1/review?period=2025-01", Value::Null);
    assert_eq!((&queue["total"], queue["items"].as_array().unwrap().len()), (&json!(2), 2), "{queue}");
    let by_pattern = json!({ "charges": { "period": "2025-01", "flag": ["pattern_match"] } });
    let seen = told(&mut office, "POST /api/v1/review/approve?dry_run=true", by_pattern.clone());
    assert_eq!((&seen["charges"], &seen["cost"]), (&json!(1), &json!("50")));
    let decided = told(&mut office, "POST /api/v1/review/approve", by_pattern);
    assert_eq!((&decided["act"], &decided["charges"]), (&json!("approve"), &json!(1)));
    let change = json!({
        "charges": { "id": ["1:3"] },
        "change": { "pi_email": "Bob@x.edu", "project_id": "proteome", "fund_org": "BIO-2002" },
    });
    told(&mut office, "POST /api/v1/review/reassign", change);
    let undone = told(&mut office, "POST /api/v1/review/undo", json!({ "charges": { "id": ["1:3"] } }));
    assert_eq!(undone["charges"], 1);
    told(
        &mut office,
        "POST /api/v1/review/reject",
        json!({ "charges": { "id": ["1:3"] }, "note": "unknown" }),
    );
    let all = ask(&mut office, "POST /api/v1/review/approve", json!({ "charges": {} }));
    assert_eq!(refused(&all), "400 charges: say which: by id, period, flag or another field");

    let closed = told(&mut office, "POST /api/v1/periods/2025-01/close", json!({ "notes": "all there" }));
    assert_eq!(closed["state"], "closed", "{closed}");
    let begun = told(&mut office, "POST /api/v1/periods/2025-01/generate", Value::Null);
    let made = worked(&mut office, &begun);
    assert_eq!(made["result"]["statements"].as_array().unwrap().len(), 2, "{made}");
    let pdf = office.get("/api/v1/statements/S-2025-01-0001/pdf");
    assert_eq!((pdf.status, pdf.header("content-type")), (200, Some("application/pdf")));
    assert!(pdf.body.starts_with(b"%PDF"));
    let begun = told(&mut office, "POST /api/v1/periods/2025-01/send", Value::Null);
    assert_eq!(worked(&mut office, &begun)["result"]["sent"].as_array().unwrap().len(), 1);

    let journal = told(&mut office, "POST /api/v1/periods/2025-01/journal", json!({ "format": "gl" }));
    let document = journal["document"].as_str().unwrap().to_owned();
    let file = office.get(&format!("/api/v1/journals/{document}/file?format=gl"));
    assert_eq!(ledger::sha256_hex(&file.body), journal["sha256"].as_str().unwrap());
    told(&mut office, &format!("POST /api/v1/journals/{document}/accept"), json!({ "note": "4711" }));

    let finalize = "POST /api/v1/periods/2025-01/finalize";
    let no = ask(&mut office, finalize, Value::Null);
    assert_eq!(refused(&no), "403 this needs the role admin, and you are a reviewer");
    let mut admin = program(&home, &server, "admin", "admin");
    assert_eq!(told(&mut admin, finalize, Value::Null)["state"], "finalized");
    let again = ask(&mut office, "POST /api/v1/periods/2025-01/reopen", json!({ "reason": "late" }));
    assert_eq!(again.status, 422, "{}", again.text());
    let begun = told(&mut office, "POST /api/v1/verify", json!({ "deep": true }));
    assert_eq!(worked(&mut office, &begun)["result"]["sound"], true);
    let acts = told(&mut office, "GET /api/v1/audit?by=reviewer&limit=1000", Value::Null);
    assert!(acts["items"].as_array().unwrap().iter().any(|act| act["act"] == "period.closed"), "{acts}");
}

#[test]
fn files_come_as_a_form_too_and_a_bad_one_is_refused_row_by_row() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut office = program(&home, &server, "reviewer", "review");
    let bad = String::from_utf8(delivery()).unwrap().replace("80", "12;50");
    let files: &[(&str, &[u8])] = &[("../../aws_2025-01.csv", bad.as_bytes())];
    let reply = office.upload("/api/v1/imports?source=AWS", &[], files);
    let job = worked(&mut office, &reply.json());
    assert_eq!(job["state"], "refused", "{job}");
    let details = job["error"]["details"].to_string();
    assert!(details.contains("aws_2025-01.csv:2: BilledCost"), "{details}");
    assert!(!job.to_string().contains("uploads"), "where files are is nobody's business: {job}");
    let folder = home.path().join("instance/uploads");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing is left of an upload");
    let nameless = office.ask("POST", "/api/v1/imports", &[("content-type", "text/csv")], b"x");
    assert_eq!(refused(&nameless), "400 name: say what the file is called, such as aws_2025-01.csv");
    let mut office = program(&home, &server, "admin", "admin");
    let configuration = br#"{"accounts": {"phys-ann": {"piEmail": "ann@x.edu", "projectId": "genome"}}}"#;
    let files: &[(&str, &[u8])] = &[("accounts.json", configuration)];
    let reply = office.upload("/api/v1/import-config?source=HPC&dry_run=true", &[], files);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["planned"]["attribution"][0]["value"], "phys-ann", "{}", reply.text());
    assert!(!reply.text().contains("uploads"), "{}", reply.text());
}

#[test]
fn rules_of_who_pays_are_previewed_written_listed_and_ended() {
    let home = Home::new();
    let ann = tags("ann@x.edu", "genome", "PHYS-1");
    let rows = [row("i-1", "Compute", "100", "80", &ann), row("i-2", "Compute", "7", "7", "{}")];
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
    home.accounts();
    let server = home.serve();
    let mut office = program(&home, &server, "admin", "admin");
    let rule = json!({
        "name": "Provost", "payer": "PROV-1", "from": "2025-01",
        "tiers": [{ "up_to": "500", "percent": "50" }],
    });
    let effect = told(&mut office, "POST /api/v1/subsidies?dry_run=true", rule.clone());
    assert_eq!(effect[0]["period"], "2025-01", "{effect}");
    assert_eq!(told(&mut office, "GET /api/v1/subsidies", Value::Null)["total"], 0);
    assert_eq!(told(&mut office, "POST /api/v1/subsidies", rule)["rule"], 1);
    let balances = told(&mut office, "GET /api/v1/subsidies/balances?period=2025-01", Value::Null);
    assert_eq!(balances["items"][0]["paid"], "40", "{balances}");
    told(&mut office, "POST /api/v1/subsidies/1/end", json!({ "last": "2025-01" }));
    let all = told(&mut office, "GET /api/v1/subsidies?all=true", Value::Null);
    assert_eq!((&all["total"], &all["items"][0]["to"]), (&json!(1), &json!("2025-01")));

    let rule = json!({ "key": "resource_id", "value": "i-2", "gives": { "project_id": "proteome" } });
    let written = told(&mut office, "POST /api/v1/attribution", rule);
    assert_eq!(worked(&mut office, &written)["result"]["read_again"][0]["replaces"], 1, "{written}");
    let charges = told(&mut office, "GET /api/v1/charges?project=proteome", Value::Null);
    assert_eq!(charges["total"], 1, "{charges}");
    let csv = office.get("/api/v1/attribution/export");
    assert!(csv.text().starts_with("source,key,value"), "{}", csv.text());
    let known = office.ask("POST", "/api/v1/attribution/import", &[], &csv.body);
    assert_eq!(known.json()["number"], Value::Null, "what was written out reads in as nothing new");
    let bad = office.ask("POST", "/api/v1/rates/check", &[], b"code,unit\ncpu,furlong\n");
    assert_eq!(bad.status, 422, "{}", bad.text());
    assert!(!bad.text().contains("uploads"), "{}", bad.text());
}

#[test]
fn a_token_does_what_its_scope_allows_and_no_more_than_its_owner() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let close = "POST /api/v1/periods/2025-01/close";
    let mut reads = program(&home, &server, "admin", "read");
    assert_eq!(told(&mut reads, "GET /api/v1/me", Value::Null)["role"], "viewer");
    assert_eq!(
        refused(&ask(&mut reads, close, Value::Null)),
        "403 this needs the role reviewer, and you are a viewer"
    );
    assert_eq!(ask(&mut reads, "GET /api/v1/users", Value::Null).status, 403);

    let mut reviews = program(&home, &server, "admin", "review");
    let wish = json!({ "name": "more", "scope": "admin" });
    let more = ask(&mut reviews, "POST /api/v1/tokens", wish);
    assert_eq!(more.status, 422, "{}", more.text());
    assert!(more.text().contains("cannot give `admin`"), "{}", more.text());
    let own =
        told(&mut reviews, "POST /api/v1/tokens", json!({ "name": "less", "scope": "read", "days": 1 }));
    let mut less = with_token(&server, own["secret"].as_str().unwrap());
    assert_eq!(told(&mut less, "GET /api/v1/periods", Value::Null)["total"], 1);
    assert_eq!(told(&mut reviews, "GET /api/v1/tokens", Value::Null)["total"], 3);
    assert_eq!(ask(&mut reviews, "GET /api/v1/tokens?all=true", Value::Null).status, 403);

    told(&mut reviews, &format!("DELETE /api/v1/tokens/{}", own["id"]), Value::Null);
    let gone = ask(&mut less, "GET /api/v1/periods", Value::Null);
    assert_eq!(refused(&gone), "401 you are not signed in");
    assert_eq!(gone.header("www-authenticate"), Some("Bearer"));

    let mut reviewer = program(&home, &server, "reviewer", "review");
    told(&mut reviewer, close, Value::Null);
    home.ok("users set-role reviewer viewer");
    let reopen = ask(&mut reviewer, "POST /api/v1/periods/2025-01/reopen", json!({ "reason": "late" }));
    assert_eq!(reopen.status, 403, "a role counts at once, for tokens too");
    home.ok("users remove reviewer --yes");
    assert_eq!(ask(&mut reviewer, "GET /api/v1/me", Value::Null).status, 401);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server of a story has the clock of the machine")]
fn a_token_is_good_until_its_last_day_and_for_the_api_alone() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let secret = |days: &str, made: &str| {
        let line = format!("tokens add t --owner viewer --scope read --expires {days} --json");
        let output = home.command(&line).env("FOCUS_BILLING_NOW", made).output().unwrap();
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        made["secret"].as_str().unwrap().to_owned()
    };
    let now = jiff::Timestamp::now();
    let before = |hours: i64| (now - jiff::SignedDuration::from_hours(hours)).to_string();
    for (days, made, status) in [("30d", before(24 * 31), 401), ("30d", before(24 * 29), 200)] {
        let mut one = with_token(&server, &secret(days, &made));
        assert_eq!(one.get("/api/v1/periods").status, status, "{days} since {made}");
        assert_eq!(one.get("/periods").status, 303, "pages are for people");
    }
    for wrong in ["", "ocb_0000", "Basic"] {
        let mut one = with_token(&server, wrong);
        assert_eq!(one.get("/api/v1/periods").status, 401, "{wrong}");
    }
}

#[test]
fn a_session_may_use_the_api_with_the_token_of_its_pages() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    assert_eq!(reviewer.get("/api/v1/periods").json()["items"][0]["period"], "2025-01");
    let path = "/api/v1/periods/2025-01/close";
    let bare = reviewer.ask("POST", path, &[("content-type", "application/json")], b"{}");
    assert_eq!(bare.status, 403, "{}", bare.text());
    assert!(bare.text().contains("X-CSRF-Token"), "{}", bare.text());
    let csrf = reviewer.csrf.clone();
    let elsewhere = [("x-csrf-token", csrf.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(reviewer.ask("POST", path, &elsewhere, b"{}").status, 403);
    assert_eq!(home.period_state("2025-01"), "open");
    assert_eq!(reviewer.ask("POST", path, &[("x-csrf-token", &csrf)], b"{}").status, 200);
    assert_eq!(home.period_state("2025-01"), "closed");
}

#[test]
fn accounts_are_kept_by_programs_of_admins() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut admin = program(&home, &server, "admin", "admin");
    let new = json!({ "name": "Maria", "email": "maria@x.edu", "role": "viewer" });
    let made = told(&mut admin, "POST /api/v1/users", new.clone());
    let password = made["password"].as_str().unwrap().to_owned();
    assert_eq!(ask(&mut admin, "POST /api/v1/users", new).status, 422, "the name is taken");
    let mut maria = server.visitor();
    assert_eq!(maria.post("/sign-in", &[("name", "maria"), ("password", &password)]).status, 303);
    assert_eq!(maria.get("/api/v1/periods").status, 401, "her own password is to come first");
    let sessions = told(&mut admin, "GET /api/v1/users/maria/sessions", Value::Null);
    assert_eq!(sessions["total"], 1);
    assert!(!sessions.to_string().contains(&maria.csrf) || maria.csrf.is_empty());
    told(&mut admin, "POST /api/v1/users/maria", json!({ "email": "m@x.edu" }));
    told(&mut admin, "POST /api/v1/users/maria/role", json!({ "role": "reviewer" }));
    assert_eq!(told(&mut admin, "DELETE /api/v1/users/maria/sessions", Value::Null)["ended"], 1);
    let another = told(&mut admin, "POST /api/v1/users/maria/password", Value::Null);
    assert_ne!(another["password"], made["password"]);
    let users = told(&mut admin, "GET /api/v1/users", Value::Null);
    let maria = users["items"].as_array().unwrap().iter().find(|user| user["name"] == "maria").unwrap();
    assert_eq!((&maria["email"], &maria["role"]), (&json!("m@x.edu"), &json!("reviewer")));
    assert!(!users.to_string().contains("argon2"), "no hash leaves the server");
    told(&mut admin, "DELETE /api/v1/users/maria", Value::Null);
    let gone = ask(&mut admin, "DELETE /api/v1/users/maria", Value::Null);
    assert_eq!(gone.status, 422);
}

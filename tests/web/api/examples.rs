//! The document shows what a real month of sample data answers. What it shows is kept in
//! `crates/web/src/api/examples.json`; with `WRITE_EXAMPLES=1` this story writes it anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use web::api::Answers;

use super::super::support::Home;
use super::super::support::web::Visitor;
use super::{program, worked};

struct Office {
    program: Visitor,
    examples: BTreeMap<String, Value>,
}

impl Office {
    /// Ask, and keep the answer as the example of the operation.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are written where they are sent")]
    fn ask(&mut self, operation: &str, request: &str, body: Value) -> Value {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(operation, request, "application/json", &bytes)
    }

    fn send(&mut self, operation: &str, path: &str, kind: &str, body: &[u8]) -> Value {
        let (method, _) = operation.split_once(' ').unwrap();
        let reply = self.program.ask(method, &format!("/api/v1{path}"), &[("content-type", kind)], body);
        assert!((200..300).contains(&reply.status), "{operation} {path}: {} {}", reply.status, reply.text());
        let told = reply.json();
        let key = operation.replace(' ', " /api/v1");
        self.examples.entry(key).or_insert_with(|| shortened(&told));
        // What is read again is looked at before anything else is asked.
        if told["effect"].is_object() && told["at"].is_string() {
            self.ended(&told);
        }
        told
    }

    /// The same for a read of an address without values.
    fn get(&mut self, path: &str) -> Value {
        self.ask(&format!("GET {}", path.split('?').next().unwrap()), path, Value::Null)
    }

    /// What is begun must end well.
    fn work(&mut self, operation: &str, request: &str, body: Value) -> Value {
        let begun = self.ask(operation, request, body);
        self.ended(&begun)
    }

    fn ended(&mut self, begun: &Value) -> Value {
        let job = worked(&mut self.program, begun);
        assert_eq!(job["state"], "ended", "{job}");
        job["result"].clone()
    }

    fn import(&mut self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample_data").join(name);
        let bytes = std::fs::read(path).unwrap();
        let begun = self.send("POST /imports", &format!("/imports?name={name}"), "text/csv", &bytes);
        self.ended(&begun);
    }
}

/// One item of each list, and no long texts; nothing that opens a door.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let short = |(name, value): (&String, &Value)| {
                let hidden = ["secret", "password"].contains(&name.as_str());
                (name.clone(), if hidden { json!("…") } else { shortened(value) })
            };
            Value::Object(fields.iter().map(short).collect())
        }
        Value::Array(items) => Value::Array(items.iter().take(1).map(shortened).collect()),
        Value::String(text) if 90 < text.chars().count() => {
            json!(format!("{}…", text.chars().take(80).collect::<String>()))
        }
        value => value.clone(),
    }
}

/// Where two values are of different shapes: other names, or a text where a list is.
fn differences(path: &str, one: &Value, two: &Value, found: &mut Vec<String>) {
    match (one, two) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(one), Value::Object(two)) => {
            for name in one.keys().chain(two.keys()) {
                match (one.get(name), two.get(name)) {
                    (Some(one), Some(two)) => differences(&format!("{path}.{name}"), one, two, found),
                    _ => found.push(format!("{path}.{name}")),
                }
            }
        }
        (Value::Array(one), Value::Array(two)) => {
            if let (Some(one), Some(two)) = (one.first(), two.first()) {
                differences(&format!("{path}[]"), one, two, found);
            }
        }
        (one, two) if std::mem::discriminant(one) != std::mem::discriminant(two) => {
            found.push(format!("{path}: {one} and {two}"));
        }
        _ => {}
    }
}

#[test]
fn the_document_shows_what_a_month_answers() {
    let home = Home::bare();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample_data/config.yaml");
    home.write("config.yaml", std::fs::read_to_string(sample).unwrap());
    home.accounts();
    let server = home.serve();
    let mut office = Office { program: program(&home, &server, "admin", "admin"), examples: BTreeMap::new() };
    month(&mut office);
    rules(&mut office);
    issue(&mut office);
    accounts(&mut office);

    let missing: Vec<String> = web::api::operations()
        .iter()
        .filter(|operation| !matches!(operation.answers, Answers::File(_)))
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .filter(|key| !office.examples.contains_key(key))
        .collect();
    assert!(missing.is_empty(), "without an example: {missing:#?}");
    let kept: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src/api/examples.json");
    if std::env::var_os("WRITE_EXAMPLES").is_some() {
        std::fs::write(&kept, serde_json::to_string_pretty(&office.examples).unwrap() + "\n").unwrap();
        return;
    }
    let text = std::fs::read_to_string(&kept).unwrap();
    let shown: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for key in shown.keys().chain(office.examples.keys()) {
        match (shown.get(key), office.examples.get(key)) {
            (Some(shown), Some(told)) => differences(key, shown, told, &mut found),
            _ => found.push(key.clone()),
        }
    }
    found.dedup();
    assert!(
        found.is_empty(),
        "examples are out of date (WRITE_EXAMPLES=1 writes them):\n{}",
        found.join("\n")
    );
}

fn month(office: &mut Office) {
    for period in ["2025-01", "2025-12"] {
        office.ask("POST /periods", "/periods", json!({ "period": period }));
    }
    for name in ["aws_2025-01.csv", "azure_2025-01.csv", "hpc_2025-01.csv", "aws_2025-12.csv"] {
        office.import(name);
    }
    office.get("/imports");
    office.ask("GET /imports/{import}", "/imports/1", Value::Null);
    office.get("/periods");
    office.ask("GET /periods/{period}", "/periods/2025-01", Value::Null);
    office.get("/sources");
    office.ask("POST /sources", "/sources", json!({ "name": "Sequencing" }));
    office.get("/review?period=2025-01");
    let pattern =
        json!({ "charges": { "period": "2025-01", "flag": ["pattern_match"] }, "note": "workshop" });
    office.ask("POST /review/approve", "/review/approve", pattern.clone());
    let approved = office.get("/charges?period=2025-01&state=billable&limit=1000");
    let training = |charge: &&Value| charge["resource_id"].as_str().is_some_and(|id| id.contains("training"));
    let id = approved["items"].as_array().unwrap().iter().find(training).unwrap()["id"].clone();
    office.ask("POST /review/undo", "/review/undo", json!({ "charges": { "id": [id] } }));
    let held = office.get("/review?period=2025-01&limit=1000");
    let ids: Vec<String> = held["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|charge| charge["flags"].as_array().unwrap().iter().any(|flag| flag == "missing_pi_email"))
        .map(|charge| charge["id"].as_str().unwrap().to_owned())
        .collect();
    let one = |at: usize| json!({ "id": [ids[at]] });
    office.ask("POST /review/reject", "/review/reject", json!({ "charges": one(0), "note": "test account" }));
    office.ask("POST /review/defer", "/review/defer", json!({ "charges": one(1), "to": "2025-12" }));
    let change = json!({ "pi_email": "maren.okafor@example.edu", "project_id": "soil-microbiome", "fund_org": "BIO-21502" });
    office.ask("POST /review/reassign", "/review/reassign", json!({ "charges": one(2), "change": change }));
    office.get("/review/rules/try?period=2025-12");
    office.get("/review/rules/patterns?flag_pattern=training");
    office.get("/review/history");
    office.get("/charges?sort=-billed_cost");
    office.ask("GET /charges/{charge}", "/charges/1:1", Value::Null);
}

fn rules(office: &mut Office) {
    let rule = json!({
        "source": "AWS", "key": "resource_id", "value": "sandbox-*",
        "gives": { "project_id": "soil-microbiome" }, "from": "2025-01-01", "note": "as agreed",
    });
    office.ask("POST /attribution", "/attribution", rule);
    office.get("/attribution");
    let values = json!({ "source": "AWS", "with": { "resource_id": "sandbox-test" }, "on": "2025-01-15" });
    office.ask("POST /attribution/test", "/attribution/test", values);
    office.get("/attribution/unreached");
    let csv = b"source,key,value,project_id\nAWS,resource_id,nothing-like-it,river-genomes\n";
    office.send("POST /attribution/import", "/attribution/import", "text/csv", csv);
    let reached = "/attribution/1/reached?period=2025-01";
    office.ask("GET /attribution/{rule}/reached", reached, Value::Null);
    office.ask("POST /attribution/{rule}/end", "/attribution/2/end", json!({ "on": "2025-06-30" }));
    office.work("POST /attribution/apply", "/attribution/apply", Value::Null);

    let rate = json!({
        "code": "cpu", "source": "Sequencing", "unit": "core-hour", "price": "0.012", "from": "2025-07-01",
        "above": [{ "quantity": "1000", "price": "0.010" }],
    });
    office.ask("POST /rates", "/rates", rate);
    office.get("/rates");
    let csv = b"code,source,unit,price,from\ngpu,Sequencing,GPU-hour,1.10,2025-07-01\n";
    office.send("POST /rates/check", "/rates/check", "text/csv", csv);
    office.send("POST /rates/import", "/rates/import", "text/csv", csv);
    office.get("/rates/diff?from=2025-06-30&to=2025-07-01");
    office.send("POST /rates/diff", "/rates/diff?from=2025-07-01", "text/csv", csv);
    let of_hpc = b"code,source,unit,price,from\ngpu,HPC,GPU-hour,1.10,2025-07-01\n";
    let tried = office.send("POST /rates/try", "/rates/try?from=2025-01", "text/csv", of_hpc);
    office.ended(&tried);
    office.ask("GET /rates/{rate}/priced", "/rates/1/priced?period=2025-01", Value::Null);
    office.ask("POST /rates/{rate}/end", "/rates/2/end", json!({ "on": "2025-12-31", "note": "new prices" }));
    office.work("POST /rates/apply", "/rates/apply", Value::Null);

    let subsidy = json!({
        "name": "Provost's research fund", "payer": "PROV-10001", "from": "2025-01",
        "tiers": [{ "up_to": "500", "percent": "50" }], "window": "fiscal-year",
    });
    office.ask("POST /subsidies", "/subsidies", subsidy);
    office.get("/subsidies?all=true");
    office.get("/subsidies/balances?period=2025-01");
    office.ask("POST /subsidies/{rule}/end", "/subsidies/1/end", json!({ "last": "2025-12" }));
    let credit = json!({
        "name": "AWS research credits", "amount": "500", "payer": "RCS-10010",
        "projects": ["glacier-genomics"], "from": "2025-01",
    });
    office.ask("POST /credits", "/credits", credit);
    let part = json!({ "amount": "100", "projects": ["soil-microbiome"], "note": "agreed by mail" });
    office.ask("POST /credits/{credit}/move", "/credits/1/move", part);
    office.get("/credits?all=true");
    office.get("/credits/balances?period=2025-01");
    office.ask("POST /credits/{credit}/end", "/credits/2/end", json!({ "last": "2025-12" }));
    let share = |fund: &str, percent: &str| json!({ "fund_org": fund, "share": { "percent": percent } });
    let split = json!({
        "project_id": "soil-microbiome", "from": "2025-01-01", "note": "as agreed",
        "parts": [share("BIO-21502", "60"), share("GEO-33014", "40")],
    });
    office.ask("POST /splits", "/splits", split);
    office.get("/splits?all=true");
    let end = json!({ "on": "2025-12-31", "note": "the second grant has ended" });
    office.ask("POST /splits/{rule}/end", "/splits/1/end", end);
    for (name, address) in [("Ada Okafor", "ada@example.edu"), ("A. Okafor", "a.okafor@example.edu")] {
        office.ask("POST /people", "/people", json!({ "name": name, "address": address }));
    }
    let address = json!({ "address": "ada@new.example.edu" });
    office.ask("POST /people/{person}/address", "/people/P-1/address", address);
    office.ask("POST /people/{person}/merge", "/people/P-2/merge", json!({ "into": "P-1" }));
    office.get("/people");
    office.ask("GET /people/{person}", "/people/P-1", Value::Null);
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"accounts.json\"\r\n\r\n\
        {\"accounts\": {\"phys-ada\": {\"piEmail\": \"ada@example.edu\", \"projectId\": \"optics\"}}}\r\n--b--\r\n";
    let path = "/import-config?source=Sequencing";
    office.send("POST /import-config", path, "multipart/form-data; boundary=b", form.as_bytes());
}

/// The import of each source that counts: rules have taken the place of earlier ones.
fn live(office: &mut Office) -> BTreeMap<String, i64> {
    let imports = office.get("/imports?limit=1000");
    let is_live =
        |import: &&Value| import["parts"].as_array().unwrap().iter().any(|part| part["state"] == "live");
    let of_january = imports["items"].as_array().unwrap().iter().filter(is_live);
    of_january
        .map(|import| {
            (import["source_name"].as_str().unwrap().to_owned(), import["import"].as_i64().unwrap())
        })
        .collect()
}

fn issue(office: &mut Office) {
    let close = "POST /periods/{period}/close";
    let generate = "POST /periods/{period}/generate";
    let journal = "POST /periods/{period}/journal";
    office.ask(close, "/periods/2025-01/close", json!({ "notes": "all files are there" }));
    office.work(generate, "/periods/2025-01/generate", Value::Null);
    office.work("POST /periods/{period}/send", "/periods/2025-01/send", Value::Null);
    let again = json!({ "reason": "the PI has lost it" });
    office.work("POST /statements/{number}/send", "/statements/S-2025-01-0001/send", again);
    let first = office.ask(journal, "/periods/2025-01/journal", json!({ "format": "gl" }));
    let document = first["document"].as_str().unwrap().to_owned();
    let reason = json!({ "reason": "a fund is closed" });
    office.ask("POST /journals/{journal}/reject", &format!("/journals/{document}/reject"), reason);
    office.ask("POST /periods/{period}/reopen", "/periods/2025-01/reopen", json!({ "reason": "late file" }));
    let withdrawn = json!({ "reason": "wrong source" });
    let live = live(office);
    let path = format!("/imports/{}/withdraw", live["HPC"]);
    office.ask("POST /imports/{import}/withdraw", &path, withdrawn);
    let path = format!("/imports/{}/reread", live["Azure"]);
    office.work("POST /imports/{import}/reread", &path, Value::Null);
    office.ask(close, "/periods/2025-01/close", Value::Null);
    office.work(generate, "/periods/2025-01/generate", Value::Null);
    let second = office.ask(journal, "/periods/2025-01/journal", Value::Null);
    let document = second["document"].as_str().unwrap().to_owned();
    let reason = json!({ "reason": "posted by hand" });
    office.ask("POST /journals/{journal}/waive", &format!("/journals/{document}/waive"), reason);
    office.get("/journals");
    office.ask("GET /journals/{journal}", &format!("/journals/{document}"), Value::Null);

    let statements = office.get("/statements?period=2025-01&limit=1000");
    let changed = statements["items"].as_array().unwrap().iter().find(|one| one["version"] == 2).unwrap();
    let number = changed["number"].as_str().unwrap().to_owned();
    let pi = changed["pi_email"].as_str().unwrap().to_owned();
    office.ask("GET /statements/{number}", &format!("/statements/{number}"), Value::Null);
    office.ask("GET /statements/{number}/diff", &format!("/statements/{number}/diff"), Value::Null);
    office.ask("GET /pis/{pi}/month", &format!("/pis/{pi}/month?period=2025-01"), Value::Null);
    office.ask("GET /pis/{pi}", &format!("/pis/{pi}"), Value::Null);
    office.ask("GET /projects/{project}", "/projects/soil-microbiome", Value::Null);
    office.get("/pis?fiscal_year=2025");
    office.get("/projects?period=2025-01");
    office.get("/overview?period=2025-01");
    office.ask("GET /subsidies/{rule}/paid", "/subsidies/1/paid", Value::Null);
    office.ask("GET /credits/{credit}/paid", "/credits/1/paid", Value::Null);
    office.ask("GET /splits/{rule}/carried", "/splits/1/carried?period=2025-01", Value::Null);
    let messages = office.get("/emails?period=2025-01");
    let message = messages["items"][0]["message_id"].as_str().unwrap();
    let message = message.trim_matches(['<', '>']).to_owned();
    office.ask("GET /emails/{message}", &format!("/emails/{message}"), Value::Null);
    office.get("/report?by=source&period=2025-01");
    office.get("/payers?fiscal_year=2025");
    let counts = office.get("/charges?period=2025-01&limit=1");
    let id = counts["items"][0]["id"].as_str().unwrap().to_owned();
    office.get(&format!("/why?reference={id}"));
    let proven = office.work("POST /verify", "/verify", json!({ "period": "2025-01" }));
    assert_eq!(proven["sound"], true, "{proven}");

    let held = office.get("/review?period=2025-12&limit=1000");
    let ids: Vec<&Value> = held["items"].as_array().unwrap().iter().map(|charge| &charge["id"]).collect();
    let all = json!({ "charges": { "id": ids }, "note": "not to be billed" });
    office.ask("POST /review/reject", "/review/reject", all);
    office.ask(close, "/periods/2025-12/close", Value::Null);
    office.work(generate, "/periods/2025-12/generate", Value::Null);
    let last = office.ask(journal, "/periods/2025-12/journal", Value::Null);
    let document = last["document"].as_str().unwrap();
    let accept = format!("/journals/{document}/accept");
    office.ask("POST /journals/{journal}/accept", &accept, json!({ "note": "posted as 4711" }));
    office.ask("POST /periods/{period}/finalize", "/periods/2025-12/finalize", Value::Null);
    office.get("/jobs");
    office.ask("GET /jobs/{job}", "/jobs/1", Value::Null);
    office.get("/audit?limit=1");
    office.get("/audit/anchor");
    office.get("/audit/verify");
    office.get("/configuration");
}

fn accounts(office: &mut Office) {
    office.get("/me");
    let token = json!({ "name": "monthly export", "scope": "read", "days": 90 });
    let made = office.ask("POST /tokens", "/tokens", token);
    office.get("/tokens");
    office.ask("DELETE /tokens/{token}", &format!("/tokens/{}", made["id"]), Value::Null);
    let user = json!({ "name": "maria", "email": "maria@example.edu", "role": "viewer" });
    office.ask("POST /users", "/users", user);
    office.get("/users");
    office.ask("POST /users/{name}", "/users/maria", json!({ "email": "maria.lopez@example.edu" }));
    office.ask("POST /users/{name}/role", "/users/maria/role", json!({ "role": "reviewer" }));
    office.ask("POST /users/{name}/password", "/users/maria/password", Value::Null);
    office.ask("GET /users/{name}/sessions", "/users/admin/sessions", Value::Null);
    office.ask("DELETE /users/{name}/sessions", "/users/viewer/sessions", Value::Null);
    office.ask("DELETE /users/{name}", "/users/maria", Value::Null);
    // A second factor is set up at a browser; what takes it away answers as the other acts do.
    office.examples.insert("DELETE /api/v1/users/{name}/second-factor".to_owned(), json!({ "number": 42 }));
}

//! Whatever is sent, nothing breaks: no answer of the 500s, and every refusal is JSON with words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::support::web::Visitor;
use super::super::support::{Home, row, tags};
use super::program;

const PLACES: [&str; 14] = [
    "none-such",
    "0",
    "1",
    "-1",
    "99999999999999999999999",
    "2025-01",
    "2025-13",
    "1:1",
    "S-2025-01-0001",
    "P-1",
    "%00",
    "..%2f..%2fetc%2fpasswd",
    "';DROP%20TABLE%20charge;--",
    "%ff%fe",
];

const VALUES: [&str; 9] =
    ["", "none-such", "-1", "99999999999999999999", "1e999", "%00", "true", "2025-01", "%F0%9F%92%A9"];

fn bodies() -> Vec<Vec<u8>> {
    let deep = "[".repeat(5000);
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(100_000));
    let texts =
        ["{", "[]", "null", "7", "\"x\"", "{\"\": {}}", "{\"reason\": {\"a\": [1e400]}}", &deep, &long];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(vec![0xff, 0x00, 0xfe]);
    bodies
}

/// The example of a body with each of its values in turn another.
fn bent(example: &Value) -> Vec<Value> {
    let Some(fields) = example.as_object() else { return Vec::new() };
    let others =
        [json!(null), json!(-1), json!(""), json!("x"), json!([]), json!({}), json!("9".repeat(400))];
    let mut bent = vec![example.clone()];
    for (name, value) in fields {
        for other in &others {
            let mut one = example.clone();
            one[name] = other.clone();
            bent.push(one);
        }
        for inner in self::bent(value) {
            let mut one = example.clone();
            one[name] = inner;
            bent.push(one);
        }
    }
    bent
}

struct Garbage {
    program: Visitor,
    asked: usize,
    wrong: Vec<String>,
}

impl Garbage {
    fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) {
        let reply = self.program.ask(method, path, &[("content-type", kind)], body);
        self.asked += 1;
        let is_json = serde_json::from_slice::<Value>(&reply.body).is_ok_and(|told| {
            reply.status < 400 || told["error"]["message"].as_str().is_some_and(|words| !words.is_empty())
        });
        let is_file = reply.status == 200 && !reply.body.is_empty();
        if 500 <= reply.status || !(is_json || is_file) {
            let body = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            self.wrong.push(format!("{method} {path} {body}: {} {}", reply.status, reply.text()));
        }
    }
}

#[test]
fn garbage_is_refused_with_words() {
    let home = Home::new();
    let ann = tags("ann@x.edu", "genome", "PHYS-1001");
    home.focus(
        "aws_2025-01.csv",
        &[row("i-1", "Compute", "100", "80", &ann), row("i-2", "X", "1", "1", "{}")],
    );
    home.ok("ingest aws_2025-01.csv");
    home.accounts();
    let server = home.serve();
    let mut program = program(&home, &server, "admin", "admin");
    let document = program.get("/api/openapi.json").json();
    let mut garbage = Garbage { program, asked: 0, wrong: Vec::new() };
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, described) in operations.as_object().unwrap() {
            try_all(&mut garbage, path, &method.to_uppercase(), described);
        }
    }
    assert!(garbage.wrong.is_empty(), "of {}:\n{}", garbage.asked, garbage.wrong.join("\n"));
    assert!(1000 < garbage.asked, "{}", garbage.asked);
}

fn try_all(garbage: &mut Garbage, path: &str, method: &str, described: &Value) {
    let parameters: BTreeMap<&str, &Value> = described["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| (parameter["name"].as_str().unwrap(), parameter))
        .collect();
    let content = described["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    let (kind, example) = content
        .map_or(("application/json", &Value::Null), |(kind, content)| (kind.as_str(), &content["example"]));
    let at = |place: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { place } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    for place in PLACES {
        garbage.send(method, &at(place), kind, if example.is_null() { b"" } else { b"{}" });
        if !path.contains('{') {
            break;
        }
    }
    let somewhere = at("1");
    for name in parameters.keys() {
        for value in VALUES {
            garbage.send(method, &format!("{somewhere}?{name}={value}"), kind, b"");
        }
    }
    garbage.send(method, &format!("{somewhere}?none-such=1&&=&%ff"), kind, b"");
    if method == "GET" {
        return;
    }
    for body in bodies() {
        garbage.send(method, &somewhere, kind, &body);
        garbage.send(method, &at("2025-01"), "text/plain", &body);
    }
    for body in bent(example) {
        garbage.send(method, &somewhere, "application/json", body.to_string().as_bytes());
    }
}

//! What there is in pages, commands, the API and its document is the same.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use serde_json::Value;

use super::super::support::{Home, row, tags};
use super::program;

/// Commands that are of the machine they run on, and why the API has none of them.
const NOT_BY_API: &[(&str, &str)] = &[
    ("demo", "makes an installation of its own"),
    ("web", "is what serves the API"),
    ("backup", "writes to a folder of the server"),
    ("restore", "is for an empty home, where nothing serves yet"),
    ("ledger copy", "needs the address and the password of another database"),
    ("lake prune", "removes files for good, while nobody imports"),
    ("config init", "writes a file for an editor"),
    ("config check", "reads a file that is being edited"),
    ("convert", "writes a file for a person; what is uploaded for a source with a connector is converted"),
    ("connectors list", "is of the program; `sources list` has the connector of each source"),
    ("connectors check", "what it finds stands with each source of `sources list`"),
    ("completions", "is for a shell"),
    ("version", "is in the document"),
];

fn leaves(command: &clap::Command, before: &str, found: &mut BTreeSet<String>) {
    for sub in command.get_subcommands() {
        let name = format!("{before}{}", sub.get_name());
        if sub.has_subcommands() {
            leaves(sub, &format!("{name} "), found);
        } else {
            found.insert(name);
        }
    }
}

fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    leaves(&cli::args::Cli::command(), "", &mut found);
    found
}

/// `generate --draft` is `generate`.
fn bare(act: &str) -> String {
    act.split(" --").next().unwrap_or_default().to_owned()
}

#[test]
fn every_command_is_in_the_api_or_says_why_not() {
    let commands = commands();
    let of_api: BTreeSet<String> = web::api::operations()
        .iter()
        .filter(|operation| !operation.command.is_empty())
        .map(|operation| operation.command.to_owned())
        .collect();
    let elsewhere: BTreeSet<String> = NOT_BY_API.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unknown: Vec<_> = of_api.union(&elsewhere).filter(|name| !commands.contains(*name)).collect();
    assert!(unknown.is_empty(), "no commands: {unknown:?}");
    let missing: Vec<_> =
        commands.iter().filter(|name| !of_api.contains(*name) && !elsewhere.contains(*name)).collect();
    assert!(missing.is_empty(), "neither in the API nor with a reason: {missing:?}");
    let both: Vec<_> = of_api.intersection(&elsewhere).collect();
    assert!(both.is_empty(), "in the API, with a reason why not: {both:?}");
}

#[test]
fn every_act_of_a_page_is_a_command_and_an_act_of_the_api_and_the_other_way_round() {
    let (listed, _) = web::routes().build();
    let (of_api, of_pages): (Vec<_>, Vec<_>) = listed
        .iter()
        .filter_map(|route| Some((route.path, bare(route.act?))))
        .partition(|(path, _)| path.starts_with("/api/"));
    let of_api: BTreeSet<String> = of_api.into_iter().map(|(_, act)| act).collect();
    let commands = commands();
    // A command that changes no books may be a form of a page that does more.
    let known: BTreeSet<String> =
        web::api::operations().iter().map(|operation| operation.command.to_owned()).collect();
    for (path, act) in &of_pages {
        assert!(commands.contains(act), "{path}: there is no command `{act}`");
        assert!(known.contains(act), "{path}: the API cannot do `{act}`");
    }
    let of_pages: BTreeSet<String> = of_pages.into_iter().map(|(_, act)| act).collect();
    let missing: Vec<_> = of_api.difference(&of_pages).collect();
    assert!(missing.is_empty(), "no page does {missing:?}");
}

/// A reviewer could write rates by the API, which pages let admins alone do.
#[test]
fn an_act_needs_the_same_role_by_the_api_as_by_a_page() {
    let (listed, _) = web::routes().build();
    let (of_api, of_pages): (Vec<_>, Vec<_>) = listed
        .iter()
        .filter_map(|route| Some((bare(route.act?), route)))
        .partition(|(_, route)| route.path.starts_with("/api/"));
    for (act, route) in of_api {
        let mut pages = of_pages.iter().filter(|(known, _)| *known == act);
        assert!(
            pages.any(|(_, page)| page.access == route.access),
            "{}: {:?}, and no page has it so",
            route.path,
            route.access
        );
    }
}

#[test]
fn the_document_has_every_route_and_nothing_else() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    assert_eq!(
        server.visitor().get("/api/openapi.json").status,
        401,
        "what there is, is told to those who may"
    );
    let document = server.sign_in("viewer").get("/api/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described: BTreeSet<(String, String)> = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "two operations are called {id}");
            let holes = path.matches('{').count();
            let in_path = operation["parameters"].as_array().into_iter().flatten();
            assert_eq!(in_path.filter(|one| one["in"] == "path").count(), holes, "{path}");
            assert!(operation["summary"].as_str().is_some_and(|words| !words.is_empty()), "{path}");
        }
    }
    let (listed, _) = web::routes().build();
    let routes: BTreeSet<(String, String)> = listed
        .iter()
        .filter(|route| route.path.starts_with("/api/v1/"))
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    assert_eq!(described, routes);
    assert_refs(&document, &document);

    let page = server.sign_in("viewer").get("/api/docs");
    assert_eq!(page.status, 200);
    assert!(page.body.len() < 300_000, "{} bytes", page.body.len());
    let text = page.text();
    for (method, path) in &routes {
        assert!(text.contains(&format!("<code>{path}</code>")), "{method} {path} is not on the page");
    }
    assert_eq!(server.visitor().get("/api/docs").status, 303, "who is not signed in is asked to");
}

/// Whatever is referred to is there.
fn assert_refs(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
            }
            fields.values().for_each(|value| assert_refs(document, value));
        }
        Value::Array(values) => values.iter().for_each(|value| assert_refs(document, value)),
        _ => {}
    }
}

/// January, billed, sent and posted, with a rule of each kind.
fn billed() -> Home {
    let home = Home::with("review: { flag_patterns: [training] }\n");
    let ann = |project: &str| tags("ann@x.edu", project, "PHYS-1001");
    home.focus(
        "aws_2025-01.csv",
        &[
            row("i-1", "Compute", "100", "80", &ann("genome")),
            row("i-2", "Storage", "20.005", "20.005", &ann("genome")),
            row("training-1", "Compute", "50", "50", &ann("course")),
        ],
    );
    home.ok("attribution add --key project_id --value genome --cost-center CC-7 --from 2025-01-01 --yes");
    home.ok("ingest aws_2025-01.csv");
    home.ok("subsidies add Provost --payer PROV-1 --percent 10 --from 2025-01 --yes");
    home.ok("credits add Grant --payer IT-1 --amount 50 --project genome --from 2025-01 --yes");
    home.ok("splits add PHYS-1001:60% PHYS-2:40% --project course --from 2025-01-01 --note agreed --yes");
    home.ok("people add Ann ann@x.edu --yes");
    home.ok("review approve --period 2025-01 --yes");
    home.ok("periods close 2025-01");
    home.ok("generate --period 2025-01");
    home.ok("send --period 2025-01");
    home.ok("export-journal --period 2025-01");
    home.accounts();
    home
}

/// Reads, and the commands that they answer as.
const SAME: &[(&str, &str)] = &[
    ("/periods", "periods list"),
    ("/periods/2025-01", "periods show 2025-01"),
    ("/imports", "imports list"),
    ("/imports/1", "imports show 1"),
    ("/sources", "sources list"),
    ("/review", "review list"),
    ("/review/rules/try", "review rules try"),
    ("/charges", "charges list"),
    ("/charges?sort=-billed_cost&limit=2", "charges list --sort billed-cost --limit 2"),
    ("/charges/1:1", "charges show 1:1"),
    ("/statements", "statements list"),
    ("/statements/S-2025-01-0001", "statements show S-2025-01-0001"),
    ("/journals", "journals list"),
    ("/report", "report"),
    (
        "/report?by=pi_email&by=project_id&period=2025-01&state=all",
        "report --by pi_email,project_id --period 2025-01 --state all",
    ),
    ("/payers", "payers"),
    ("/payers?by=payer&fiscal_year=2025&drafts=true", "payers --by payer --fiscal-year 2025 --drafts"),
    ("/overview", "overview"),
    ("/overview?period=2025-01", "overview --period 2025-01"),
    ("/projects", "projects list"),
    ("/projects?fiscal_year=2025", "projects list --fiscal-year 2025"),
    ("/projects/genome", "projects show genome"),
    ("/pis", "pis list"),
    ("/pis/Ann@x.edu", "pis show ann@x.edu"),
    ("/pis/ann@x.edu/month?period=2025-01", "show ann@x.edu --period 2025-01"),
    ("/emails", "emails list"),
    ("/emails?state=sent&period=2025-01", "emails list --state sent --period 2025-01"),
    ("/review/history", "review history"),
    ("/review/rules/patterns", "review rules patterns"),
    (
        "/review/rules/patterns?flag_pattern=i-[12]&flag_pattern=course&period=2025-01",
        "review rules patterns --flag-pattern i-[12] --flag-pattern course --period 2025-01",
    ),
    ("/charges?pi=Ann@x.edu&state=billable", "charges list --pi ann@x.edu --state billable"),
    ("/charges?from=2025-01-01&to=2025-01-01", "charges list --from 2025-01-01 --to 2025-01-01"),
    ("/attribution/1/reached?period=2025-01", "attribution reached 1 --period 2025-01"),
    ("/rates/1/priced?period=2025-01", "rates priced 1 --period 2025-01"),
    ("/subsidies/1/paid", "subsidies paid 1"),
    ("/credits/1/paid", "credits paid 1"),
    ("/splits/1/carried?period=2025-01", "splits carried 1 --period 2025-01"),
    ("/why?reference=1:1", "why 1:1"),
    ("/why?reference=S-2025-01-0001", "why S-2025-01-0001"),
    ("/attribution", "attribution list"),
    ("/attribution/unreached", "attribution unreached"),
    ("/rates", "rates list"),
    ("/rates/diff", "rates diff"),
    ("/subsidies", "subsidies list --all"),
    ("/subsidies/balances?period=2025-01", "subsidies show 2025-01"),
    ("/credits", "credits list --all"),
    ("/credits/balances", "credits show"),
    ("/splits", "splits list"),
    ("/people", "people list"),
    ("/people/P-1", "people show P-1"),
    ("/audit?limit=1000", "audit list"),
    ("/audit/anchor", "audit anchor"),
    ("/audit/verify", "audit verify"),
    ("/users", "users list"),
    ("/tokens?all=true", "tokens list"),
    ("/users/viewer/sessions", "users sessions viewer"),
];

/// The shape of `--json` is promised once.
#[test]
fn reads_answer_as_their_commands_do() {
    let home = billed();
    let server = home.serve();
    let mut office = program(&home, &server, "admin", "admin");
    let journal = home.json("journals list")[0]["document"].as_str().unwrap().to_owned();
    for (path, command) in SAME {
        let reply = office.get(&format!("/api/v1{path}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let told = reply.json();
        let told = told.get("items").cloned().unwrap_or(told);
        assert_eq!(told, home.json(command), "{path} is not as `{command} --json`");
    }
    let sent = home.json("emails list")[0]["message_id"].as_str().unwrap().to_owned();
    let id = sent.trim_matches(['<', '>']);
    let shown = office.get(&format!("/api/v1/emails/{id}")).json();
    assert_eq!(shown, home.json(&format!("emails show {id}")));
    assert_eq!(office.get("/api/v1/emails?state=lost").status, 400);
    let shown = office.get(&format!("/api/v1/journals/{journal}")).json();
    assert_eq!(shown, home.json(&format!("journals show {journal}")));
    let first = office.get("/api/v1/charges?limit=1&offset=1").json();
    assert_eq!(
        (first["total"].as_u64(), first["items"][0]["id"].as_str()),
        (Some(3), Some("1:2")),
        "{first}"
    );
    let end = office.get("/api/v1/audit?limit=1").json();
    let last = home.json("audit list --limit 1");
    assert_eq!(end["items"], last, "pages of the chain begin at its end");
}

#[test]
fn files_are_those_of_commands() {
    let home = billed();
    let server = home.serve();
    let mut office = program(&home, &server, "admin", "admin");
    let csv = office.get("/api/v1/charges/export?project=genome");
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    assert_eq!(csv.text(), home.ok("charges export --project genome"));
    let parquet = office.get("/api/v1/charges/export?format=parquet&period=2025-01");
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(office.get("/api/v1/charges/export?format=xlsx").status, 400);
    let zip = office.get("/api/v1/statements/zip?period=2025-01");
    assert_eq!((zip.status, zip.header("content-type")), (200, Some("application/zip")));
    assert!(zip.body.starts_with(b"PK"));
    assert_eq!(office.get("/api/v1/statements/zip?period=2024-01").status, 422);
}

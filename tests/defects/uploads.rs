//! Files that are sent in a browser, and patterns that are tried there.

use std::time::{Duration, Instant};

use super::support::web::{Server, Visitor};
use super::support::{HEADER, Home, row, tags};

fn reviewer(home: &Home) -> (Server, Visitor) {
    home.accounts();
    let server = home.serve();
    let reviewer = server.sign_in("reviewer");
    (server, reviewer)
}

fn file(rows: &[String]) -> Vec<u8> {
    format!("{HEADER}\n{}\n", rows.join("\n")).into_bytes()
}

fn charge(resource: &str) -> String {
    row(resource, "Compute", "1", "1", &tags("ada@example.edu", "apollo", "PHYS-1"))
}

fn look(reviewer: &mut Visitor, address: &str) -> String {
    loop {
        let words = reviewer.page(address);
        if !words.contains("the work goes on") {
            return words;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Three "Import" links asked an address that took only forms.
#[test]
fn defect_34_links_around_imports_lead_to_pages() {
    let home = Home::new();
    std::fs::write(home.path().join("aws_2025-01.csv"), file(&[charge("i-1")])).unwrap();
    home.ok("ingest aws_2025-01.csv");
    let (_server, mut reviewer) = reviewer(&home);
    let ours = ["/imports", "/sources", "/settings", "/help", "/periods"];
    for page in ["/", "/imports", "/imports/new", "/imports/1", "/sources", "/settings", "/help", "/help/web"]
    {
        let text = reviewer.get(page).text();
        let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for link in links.filter(|link| ours.iter().any(|our| link.starts_with(our))) {
            let address = link.split('#').next().unwrap_or_default().replace("&#38;", "&");
            assert_eq!(reviewer.get(&address).status, 200, "{page} → {link}");
        }
    }
}

/// `/health` was answered after 12.6 s while a file of 10,000 rows came in.
#[test]
fn defect_38_an_import_does_not_hold_the_server_up() {
    let home = Home::new();
    let (server, mut reviewer) = reviewer(&home);
    let rows: Vec<String> = (0..10_000).map(|at| charge(&format!("i-{at}"))).collect();
    let reply = reviewer.upload("/imports/uploads", &[], &[("aws_2025-01.csv", &file(&rows))]);
    let address = reply.location().to_owned();
    let keeper = std::thread::spawn(move || {
        look(&mut reviewer, &address);
        assert_eq!(reviewer.post(&format!("{address}/0/keep"), &[]).status, 303);
        look(&mut reviewer, &address)
    });
    let mut visitor = server.visitor();
    while !keeper.is_finished() {
        let asked = Instant::now();
        assert_eq!(visitor.get("/health").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "/health took {:?}", asked.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(keeper.join().unwrap().contains("10,000 charges of AWS"));
}

/// Saving patterns rewrote the configuration, comments and all, at a guessed place.
#[test]
fn defect_41_trying_patterns_leaves_the_configuration_as_it_is() {
    let home = Home::with("# why we look at these\nreview: { flag_patterns: [\"training\"] }\n");
    let before = home.read("config.yaml");
    let (_server, mut reviewer) = reviewer(&home);
    let reply = reviewer.post("/settings/patterns", &[("flag_patterns", "gpu"), ("period", "")]);
    assert_eq!(reply.status, 200);
    assert!(reply.words().contains("- \"gpu\""), "what to write is shown: {}", reply.words());
    assert_eq!(home.read("config.yaml"), before);
}

/// The test used the saved patterns, on the hundred dearest charges, in another case than imports do.
#[test]
fn defect_42_what_is_tried_is_the_edited_text_on_every_charge() {
    let home = Home::with("review: { flag_patterns: [\"training\"], fund_org_patterns: [\"CHEM-\"] }\n");
    let mut rows: Vec<String> = (0..150)
        .map(|at| {
            row(&format!("i-{at}"), "Compute", "99", "99", &tags("ada@example.edu", "apollo", "phys-1"))
        })
        .collect();
    rows.push(row("cheap-gpu", "Compute", "0.01", "0.01", &tags("ada@example.edu", "apollo", "Phys-2")));
    std::fs::write(home.path().join("aws_2025-01.csv"), file(&rows)).unwrap();
    home.ok("ingest aws_2025-01.csv");
    let (_server, mut reviewer) = reviewer(&home);
    let fields = [("flag_patterns", "CHEAP"), ("fund_org_patterns", "PHYS-"), ("period", "2025-01")];
    let words = reviewer.post("/settings/patterns", &fields).words();
    assert!(words.contains("1 of 151 charges ($0.01 of $14,850.01) would be flagged; 0 ("), "{words}");
    assert!(words.contains("PHYS- 151 $14,850.01"), "in any case, as imports do: {words}");
}

/// `<img src=x onerror=…>.csv` ran in the administrator's session.
#[test]
fn defect_44_a_file_name_is_text() {
    let home = Home::new();
    let (_server, mut reviewer) = reviewer(&home);
    let name = "<img src=x onerror=alert(1)>aws_2025-01.csv";
    let reply = reviewer.upload("/imports/uploads", &[], &[(name, &file(&[charge("i-1")]))]);
    let address = reply.location().to_owned();
    look(&mut reviewer, &address);
    assert_eq!(reviewer.post(&format!("{address}/0/keep"), &[]).status, 303);
    look(&mut reviewer, &address);
    for page in [address.as_str(), "/imports", "/imports/1", "/imports/2", "/imports/new"] {
        let text = reviewer.get(page).text();
        assert!(!text.contains("<img src=x"), "{page}: {text}");
    }
    let listed = reviewer.get("/imports").text();
    assert!(listed.contains("&#60;img src=x onerror=alert(1)&#62;aws_2025-01.csv"), "{listed}");
}

/// `(a+)+$` against 26 letters took six seconds for one row.
#[test]
fn defect_48_patterns_take_linear_time() {
    let home = Home::new();
    let letters = format!("{}!", "a".repeat(5000));
    std::fs::write(home.path().join("aws_2025-01.csv"), file(&[charge(&letters)])).unwrap();
    home.ok("ingest aws_2025-01.csv");
    let (_server, mut reviewer) = reviewer(&home);
    let asked = Instant::now();
    let reply = reviewer.post("/settings/patterns", &[("flag_patterns", "(a+)+$"), ("period", "2025-01")]);
    assert!(reply.words().contains("0 of 1 charges"), "{}", reply.words());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// There was no limit, and all of a file was held in memory.
#[test]
fn defect_51_uploads_are_limited_and_leave_nothing_when_refused() {
    let home = Home::with("web: { upload_limit_mb: 1 }\n");
    let (_server, mut reviewer) = reviewer(&home);
    let large = vec![b'x'; 3 << 20];
    let reply = reviewer.upload("/imports/uploads", &[], &[("aws_2025-01.csv", &large)]);
    assert_eq!(reply.status, 413);
    let left = std::fs::read_dir(home.path().join("instance/uploads")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

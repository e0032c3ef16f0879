//! Deciding in the browser: previews, undo, two people at once; charges, projects and the first page.

use super::support::web::{Server, Visitor};
use super::support::{Home, project, row, tags};

const PATTERNS: &str = "review:\n  flag_patterns: [\"gpu\"]\n";

fn held() -> (Home, Server) {
    let home = Home::with(PATTERNS);
    home.accounts();
    home.focus(
        "aws.csv",
        &[
            row("gpu-1", "GPU", "10.00", "8.00", &project("genome")),
            row("gpu-2", "GPU", "20.00", "16.00", &project("genome")),
            row("vm-1", "Compute", "5.00", "5.00", &project("genome")),
            row("vm-<b>2</b>", "Compute", "7.00", "7.00", &tags("pi@example.edu", "genome", "")),
        ],
    );
    home.ok("ingest aws.csv");
    let server = home.serve();
    (home, server)
}

/// The value of the field of a form on the page that was last seen.
fn field(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = html.split_once(&start).unwrap_or_else(|| panic!("no field `{name}`")).1;
    rest.split_once('"').unwrap().0.to_owned()
}

fn states(visitor: &mut Visitor) -> String {
    let list = |state: &str, visitor: &mut Visitor| {
        let html = visitor.get(&format!("/charges?period=2025-01&state={state}")).words();
        let found = html.split("Charges found ").nth(1).unwrap_or_default().to_owned();
        format!("{state} {}", found.split(' ').next().unwrap_or_default())
    };
    ["billable", "held", "rejected"].map(|state| list(state, visitor)).join(", ")
}

#[test]
fn many_are_decided_from_a_preview_and_an_act_is_taken_back() {
    let (_home, server) = held();
    let mut reviewer = server.sign_in("reviewer");
    let queue = reviewer.page("/review?period=2025-01");
    for said in
        ["gpu-1", "a pattern of review.flag_patterns matches", "missing_fund_org 1", "3 in all", "$31.00"]
    {
        assert!(queue.contains(said), "{said}: {queue}");
    }
    assert!(!reviewer.get("/review").text().contains("<b>2</b>"), "names are text");
    assert_eq!(states(&mut reviewer), "billable 1, held 3, rejected 0");
    let filter = "period=2025-01";
    let all =
        [("act", "approve"), ("of", "all"), ("filter", filter), ("back", "/review?period=2025-01&page=1")];
    let preview = reviewer.post("/review/preview", &all);
    assert_eq!(preview.status, 200);
    let words = preview.words();
    assert!(words.contains("Approve 2 charges") && words.contains("$24.00"), "{words}");
    assert!(words.contains("1 charge left alone: `missing_fund_org`"), "{words}");
    assert_eq!(states(&mut reviewer), "billable 1, held 3, rejected 0", "a preview changes nothing");
    // Without a preview, many are not decided.
    assert_eq!(reviewer.post("/review/approve", &all).status, 400);
    let (seen, digest) = (field(&preview.text(), "seen"), field(&preview.text(), "digest"));
    let confirmed = [&all[..], &[("seen", &seen), ("digest", &digest), ("note", "workshop")]].concat();
    let after = reviewer.act("/review/approve", &confirmed);
    assert!(after.contains("Approved 2 charges, $24.00 in all"), "{after}");
    assert!(after.contains("Your latest act: approve, 2 charges"), "{after}");
    assert_eq!(states(&mut reviewer), "billable 3, held 1, rejected 0");
    // The same form again: the charges that it confirmed are not what is found now.
    assert_eq!(reviewer.post("/review/approve", &confirmed).status, 422);
    let history = reviewer.get("/review/history");
    assert!(history.words().contains("workshop"), "{}", history.words());
    let number = field(&history.text(), "number");
    let undone = reviewer.act("/review/undo", &[("number", &number), ("back", "/review/history")]);
    assert!(undone.contains("Took back the decisions about 2 charges, $24.00"), "{undone}");
    assert_eq!(states(&mut reviewer), "billable 1, held 3, rejected 0");
    assert_eq!(reviewer.post("/review/undo", &[("number", &number)]).status, 422, "nothing of it stands");
}

#[test]
fn two_people_at_one_charge_are_told_of_each_other() {
    let (home, server) = held();
    home.account("other", "reviewer");
    let (mut one, mut other) = (server.sign_in("reviewer"), server.sign_in("other"));
    let seen = field(&one.get("/charges/1:1").text(), "seen");
    let theirs = field(&other.get("/charges/1:1").text(), "seen");
    let back = "/charges/1:1";
    let first = other.act("/review/reject", &[("charge", "1:1"), ("seen", &theirs), ("back", back)]);
    assert!(first.contains("Rejected 1 charge"), "{first}");
    let late = one.post("/review/approve", &[("charge", "1:1"), ("seen", &seen), ("back", back)]);
    assert_eq!(late.status, 422);
    let words = late.words();
    assert!(words.contains("decided about while you looked at it, so nothing was changed"), "{words}");
    assert!(words.contains("rejected by `other`") && words.contains("it is rejected now"), "{words}");
    // What was decided about another charge does not matter.
    let fine = one.post("/review/approve", &[("charge", "1:2"), ("seen", &seen), ("back", back)]);
    assert_eq!(fine.status, 303, "{}", fine.words());
    let undone = one.act("/review/undo", &[("charge", "1:1"), ("back", back)]);
    assert!(undone.contains("Took back the decisions about 1 charge"), "{undone}");
}

#[test]
fn a_charge_without_a_fund_is_given_one_as_suggested() {
    let (_home, server) = held();
    let mut reviewer = server.sign_in("reviewer");
    let chosen = [("act", "reassign"), ("charge", "1:4"), ("back", "/review")];
    let form = reviewer.post("/review/preview", &chosen);
    assert_eq!(form.status, 200, "{}", form.words());
    assert!(
        form.words().contains("fund_org PHYS-1001 as the project genome had in 2025-01"),
        "{}",
        form.words()
    );
    let suggestion = field(&form.text(), "suggestion").replace("&#38;", "&");
    let taken = [&chosen[..], &[("suggestion", &suggestion)]].concat();
    let preview = reviewer.post("/review/preview", &taken);
    assert!(preview.words().contains("Reassign 1 charge"), "{}", preview.words());
    let (seen, digest) = (field(&preview.text(), "seen"), field(&preview.text(), "digest"));
    let fund = [("charge", "1:4"), ("fund_org", "PHYS-1001"), ("seen", &*seen), ("digest", &*digest)];
    let after = reviewer.act("/review/reassign", &[&fund[..], &[("back", "/charges/1:4")]].concat());
    assert!(after.contains("reassigned to fund_org PHYS-1001"), "{after}");
    assert!(after.contains("Charge 1:4 billable"), "{after}");
}

#[test]
fn charges_are_found_sorted_and_handed_out() {
    let (_home, server) = held();
    let mut viewer = server.sign_in("viewer");
    let found = viewer.page("/charges?period=2025-01&text=GPU&sort=cost");
    assert!(found.contains("Charges found 2") && found.contains("List cost $30.00"), "{found}");
    assert!(found.find("gpu-2").unwrap() < found.find("gpu-1").unwrap(), "the dearest first: {found}");
    let refused = viewer.get("/charges?period=2025-01&min=much");
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("at least: `much` is not an amount"), "{}", refused.words());
    assert!(refused.text().contains("value=\"much\""), "what was typed stays");
    let csv = viewer.get("/charges/export.csv?period=2025-01&text=gpu");
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"charges_2025-01.csv\""));
    assert_eq!(csv.text().lines().count(), 3, "{}", csv.text());
    let parquet = viewer.get("/charges/export.parquet?period=2025-01");
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let story = viewer.page("/charges/1:4");
    for said in ["missing_fund_org", "Tags", "aws.csv, line 5", "Nobody has decided anything"] {
        assert!(story.contains(said), "{said}: {story}");
    }
    assert_eq!(viewer.get("/charges/1:99").status, 404);
    assert_eq!(viewer.get("/charges/nine").status, 400);
    assert_eq!(viewer.post("/review/approve", &[("charge", "1:1")]).status, 403);
}

#[test]
fn the_first_page_says_what_comes_next_and_names_are_found() {
    let (home, server) = held();
    let mut viewer = server.sign_in("viewer");
    let first = viewer.page("/?period=2025-01");
    for said in [
        "Import files",
        "HPC has delivered nothing for 2025-01",
        "Held for review $31.00",
        "Spend by service",
        "Value delivered",
    ] {
        assert!(first.contains(said), "{said}: {first}");
    }
    let projects = viewer.page("/projects?period=2025-01");
    assert!(projects.contains("genome") && projects.contains("PHYS-1001"), "{projects}");
    for address in ["/projects/genome", "/pis/pi@example.edu", "/projects?by=pi", "/projects?over=year"] {
        assert!(viewer.page(address).contains("pi@example.edu"), "{address}");
    }
    assert_eq!(viewer.get("/projects/none-such").status, 404);
    let found = |q: &str, viewer: &mut Visitor| viewer.get(&format!("/palette?q={q}")).text();
    assert!(found("geno", &mut viewer).contains("href=\"/projects/genome\""));
    assert!(found("1:4", &mut viewer).contains("href=\"/charges/1:4\""));
    home.ok("review approve --period 2025-01 --yes");
    home.ok("periods close 2025-01");
    home.ok("generate --period 2025-01");
    let statement = found("s-2025-01-0001", &mut viewer);
    assert!(statement.contains("href=\"/statements/S-2025-01-0001\""), "{statement}");
    let story = viewer.page("/charges/1:3");
    assert!(
        story.contains("On statement S-2025-01-0001") && story.contains("amount due of the line"),
        "{story}"
    );
}

//! Sources, settings, and the guide as pages.

use super::support::{Home, row, tags};

#[test]
fn patterns_are_tried_as_they_are_edited() {
    let home = Home::with("review: { flag_patterns: [\"^gpu\"], fund_org_patterns: [\"PHYS-\"] }\n");
    home.accounts();
    home.focus(
        "aws_2025-01.csv",
        &[
            row("gpu-1", "Compute", "4", "3", &tags("ada@example.edu", "apollo", "phys-1")),
            row("vm-2", "Compute", "4", "2", &tags("ada@example.edu", "apollo", "CHEM-9")),
            row("disk-3", "Storage", "1", "1", &tags("ada@example.edu", "apollo", "BIO-1")),
        ],
    );
    home.ok("ingest aws_2025-01.csv");
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    let page = viewer.get("/settings?period=2025-01");
    assert!(page.text().contains("^gpu</textarea>"), "what is configured is where one begins");
    let fields =
        [("flag_patterns", "VM-\n\n storage \n"), ("fund_org_patterns", "CHEM\nBIO"), ("period", "2025-01")];
    let reply = viewer.post("/settings/patterns", &fields);
    assert_eq!(reply.status, 200);
    let words = reply.words();
    for said in [
        "2 of 3 charges ($3.00 of $6.00) would be flagged; 1 ($3.00) have a fund that none",
        "VM- 1 $2.00 vm-2",
        "storage 1 $1.00 Storage",
        "phys-1 1 $3.00",
        "- \"storage\"",
    ] {
        assert!(words.contains(said), "`{said}` is not said: {words}");
    }
    let command = home.ok("review rules patterns --flag-pattern VM- --flag-pattern storage --fund-org-pattern CHEM --fund-org-pattern BIO --period 2025-01");
    assert!(command.contains("2 charges, 3.00") && command.contains("vm-2"), "{command}");
    // What cannot be used says why, all of it, and the text stays as it was typed.
    let reply = viewer.post("/settings/patterns", &[("flag_patterns", "(\nok\n["), ("period", "")]);
    assert_eq!(reply.status, 422);
    let words = reply.words();
    assert!(
        words.contains("review.flag_patterns[0]: `(`") && words.contains("flag_patterns[2]: `[`"),
        "{words}"
    );
    assert!(reply.text().contains("(\nok\n[</textarea>"));
    assert!(home.read("config.yaml").contains("\"^gpu\""), "nothing was changed");
    let reply = viewer.post("/settings/unusual", &[("ratio", "x"), ("minimum", "250"), ("months", "2")]);
    assert_eq!(reply.status, 422);
    assert!(reply.words().contains("at least 3 months"), "{}", reply.words());
    let reply = viewer.post("/settings/unusual", &[("ratio", "2.5"), ("minimum", "250"), ("months", "6")]);
    assert_eq!(reply.status, 200);
}

#[test]
fn settings_are_shown_without_secrets_and_to_whom_they_concern() {
    let more = "smtp: { host: mail.example.edu, username: billing, password: swordfish }\nweb: { secret_key: 0123456789abcdef0123456789abcdef0123456789abcdef }\n";
    let home = Home::with(more);
    home.accounts();
    let server = home.serve();
    for (role, sees) in [("viewer", false), ("admin", true)] {
        let mut visitor = server.sign_in(role);
        let text = visitor.get("/settings").text();
        assert!(text.contains("tag_mapping") && text.contains("config.yaml"), "{role}");
        assert!(!text.contains("swordfish") && !text.contains("0123456789abcdef"), "{role}");
        assert_eq!(text.contains("mail.example.edu"), sees, "{role}");
        assert_eq!(text.contains(&*home.path().to_string_lossy()), sees, "{role}");
        let words = visitor.page("/settings/system");
        assert!(words.contains("Ledger number") && words.contains("schema"), "{words}");
        assert_eq!(words.contains("Home"), sees, "{role}");
    }
}

#[test]
fn sources_say_what_is_configured_and_take_a_name() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let words = reviewer.page("/sources");
    assert!(words.contains("AWS") && words.contains("IT-AWS") && words.contains("54100"), "{words}");
    let words = reviewer.act("/sources", &[("name", "Sequencing"), ("description", "the core facility")]);
    assert!(words.contains("Sequencing") && words.contains("not configured"), "{words}");
    assert_eq!(reviewer.post("/sources", &[("name", "sequencing")]).status, 422);
    assert_eq!(reviewer.post("/sources", &[("name", "  ")]).status, 422);
}

#[test]
fn the_guide_is_there_and_can_be_searched() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    assert!(viewer.page("/help").contains("The web interface"));
    let words = viewer.page("/help?q=quarantine+rows");
    assert!(words.contains("about “quarantine rows”") && words.contains("Import"), "{words}");
    assert!(viewer.page("/help?q=%3Cscript%3E").contains("Nothing in the guide"));
    let page = viewer.get("/help/web").text();
    assert!(page.contains("<h2 id=\"import\">") && page.contains("href=\"/help/review\""));
    assert_eq!(viewer.get("/help/no-such").status, 404);
    // Every page that has help leads to a section that is there.
    let (listed, _) = web::routes().build();
    let mut admin = server.sign_in("admin");
    let mut looked_at = 0;
    for path in listed.iter().filter(|route| route.method == "GET").map(|route| route.path) {
        let reply = admin.get(path);
        let text = reply.text();
        if path.contains('{') || reply.status != 200 || !text.contains("href=\"/help/") {
            continue;
        }
        looked_at += 1;
        let help =
            text.split("href=\"/help/").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let (name, anchor) = help.split_once('#').unwrap_or((help, ""));
        let guide = viewer.get(&format!("/help/{name}"));
        assert_eq!(guide.status, 200, "{path}: {help}");
        assert!(anchor.is_empty() || guide.text().contains(&format!("id=\"{anchor}\"")), "{path}: {help}");
    }
    assert!(looked_at > 10, "{looked_at}");
}

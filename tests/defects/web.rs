//! What pages showed, lost or let through.

use super::support::web::{PASSWORD, Reply, Server, Visitor};
use super::support::{Home, row, row_of, tags};

fn serve(home: &Home) -> Server {
    home.accounts();
    home.serve()
}

/// Where the link of this kind leads.
fn link(page: &Reply, rel: &str) -> Option<String> {
    let text = page.text();
    let (before, rest) = text.split_once(&format!("rel=\"{rel}\""))?;
    let tag = format!("{}{}", &before[before.rfind("<a ")?..], rest.split('>').next()?);
    let (_, address) = tag.split_once("href=\"")?;
    Some(address.split('"').next()?.replace("&#38;", "&"))
}

fn at(base: &str, link: &str) -> String {
    if link.starts_with('?') { format!("{base}{link}") } else { link.to_owned() }
}

/// Two hundred charges of one PI and of another, by turns.
fn two_pis(home: &Home, funds: [&str; 2]) {
    let rows: Vec<String> = (0..400)
        .map(|at| {
            let (pi, fund) = [("ada@example.edu", funds[0]), ("bob@example.edu", funds[1])][at % 2];
            row(&format!("vm-{at}"), "Compute", "1", "1", &tags(pi, "apollo", fund))
        })
        .collect();
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
}

/// The period was changed in the session by a script that the policy forbade, and the page stayed as it was.
#[test]
fn defect_32_another_period_shows_other_figures() {
    let home = Home::new();
    home.open("2025-02");
    home.focus(
        "aws_2025-01.csv",
        &[row("jan", "Compute", "11", "11", &tags("ada@example.edu", "apollo", "P-1"))],
    );
    home.focus(
        "aws_2025-02.csv",
        &[row_of("2025-02", "feb", "Compute", "22", "22", &tags("ada@example.edu", "apollo", "P-1"))],
    );
    home.ok("ingest aws_2025-01.csv");
    home.ok("ingest aws_2025-02.csv");
    let server = serve(&home);
    let mut viewer = server.sign_in("viewer");
    for page in ["/", "/charges", "/projects", "/reports/charges"] {
        for (period, said, unsaid) in [("2025-01", "11.00", "22.00"), ("2025-02", "22.00", "11.00")] {
            let reply = viewer.get(&format!("{page}?period={period}"));
            let words = reply.words();
            assert!(words.contains(said), "{page} {period}: {words}");
            assert!(page != "/charges" || !words.contains(unsaid), "{page} {period}: {words}");
            // The way to the other pages keeps the period.
            assert!(reply.text().contains(&format!("href=\"/review?period={period}\"")), "{page} {period}");
        }
    }
}

/// The second page forgot the filter, and showed another period.
#[test]
fn defect_35_the_next_page_is_of_the_same_list() {
    let home = Home::new();
    home.open("2025-02");
    two_pis(&home, ["P-1", "P-2"]);
    let server = serve(&home);
    let mut viewer = server.sign_in("viewer");
    for list in
        ["/charges?period=2025-01&pi=ada@example.edu", "/charges?period=2025-01&pi=ada@example.edu&sort=cost"]
    {
        let (mut address, mut seen) = (list.to_owned(), 0);
        loop {
            let page = viewer.get(&address);
            let text = page.text();
            assert!(page.words().contains("Charges found 200"), "{address}: {}", page.words());
            let (_, rows) = text.split_once("<tbody>").unwrap();
            let rows = rows.split_once("</tbody>").unwrap().0;
            assert!(!rows.contains("bob@example.edu"), "{address}");
            seen += rows.matches("<tr>").count();
            let Some(next) = link(&page, "next") else { break };
            address = at("/charges", &next);
        }
        assert_eq!(seen, 200, "{list}");
    }
}

/// A hundred were shown, and reasons were looked for among those alone.
#[test]
fn defect_36_the_queue_is_shown_to_its_end() {
    let home = Home::new();
    two_pis(&home, ["", "P-2"]);
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let (mut address, mut seen) = ("/review?period=2025-01".to_owned(), 0);
    loop {
        let page = reviewer.get(&address);
        assert!(page.words().contains("200 in all"), "{}", page.words());
        seen += page.text().matches("<input type=\"checkbox\" name=\"charge\"").count();
        let Some(next) = link(&page, "next") else { break };
        address = at("/review", &next);
    }
    assert_eq!(seen, 200);
    // The last one of all is found by its reason and its name.
    let last = reviewer.page("/review?period=2025-01&flag=missing_fund_org&text=vm-398");
    assert!(last.contains("vm-398") && last.contains("1 in all"), "{last}");
}

/// Approvals of many left no record; e-mails of the web were sent "by system".
#[test]
fn defect_37_every_act_says_who_did_it_and_to_how_many() {
    let home = Home::with("review: { flag_patterns: [\"vm-\"] }\n");
    two_pis(&home, ["P-1", "P-2"]);
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let all = [
        ("act", "approve"),
        ("of", "all"),
        ("filter", "period=2025-01&pi=ada@example.edu"),
        ("back", "/review"),
    ];
    let preview = reviewer.post("/review/preview", &all).text();
    let field = |name: &str| {
        let rest = preview.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (seen, digest) = (field("seen"), field("digest"));
    reviewer.act(
        "/review/approve",
        &[&all[..], &[("seen", &*seen), ("digest", &*digest), ("note", "agreed")]].concat(),
    );
    home.ok("review approve --pi bob@example.edu --yes");
    let acts = home.json("audit list");
    let told: Vec<(String, String, String)> = acts
        .as_array()
        .unwrap()
        .iter()
        .filter(|act| act["act"].as_str().is_some_and(|act| act.starts_with("charges.")))
        .map(|act| (act["act"].to_string(), act["by"].to_string(), act["detail"].to_string()))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].1.as_str(), told[1].1.as_str()), ("\"reviewer\"", "\"casey\""), "{told:?}");
    assert!(told.iter().all(|(_, _, detail)| detail.contains("200")), "{told:?}");
    home.ok("periods close 2025-01");
    home.ok("generate --period 2025-01");
    let sent = reviewer.post("/emails/send", &[("period", "2025-01")]);
    let to = sent.location().to_owned();
    if to.starts_with("/jobs/") {
        reviewer.job(&to);
    }
    let acts = home.json("audit list");
    let sends: Vec<String> = acts
        .as_array()
        .unwrap()
        .iter()
        .filter(|act| act["act"].as_str().is_some_and(|act| act.contains("sen")))
        .map(|act| act["by"].to_string())
        .collect();
    assert!(!sends.is_empty() && sends.iter().all(|by| by == "\"reviewer\""), "{acts}");
}

/// The second of two writers failed with `database is locked`.
#[test]
fn defect_39_who_writes_second_waits() {
    let home = Home::new();
    home.open("2025-02");
    let server = serve(&home);
    let rows: Vec<String> = (0..2000)
        .map(|at| row(&format!("vm-{at}"), "Compute", "1", "1", &tags("ada@example.edu", "apollo", "P-1")))
        .collect();
    home.focus("aws_2025-01.csv", &rows);
    home.focus("hpc_2025-01.csv", &rows);
    let imports = [home.start("ingest aws_2025-01.csv"), home.start("ingest hpc_2025-01.csv")];
    let visitors: Vec<Visitor> = ["reviewer", "admin"].map(|name| server.sign_in(name)).into();
    let writers: Vec<_> = visitors
        .into_iter()
        .map(|mut visitor| {
            std::thread::spawn(move || {
                for at in 0..10 {
                    let name = format!("name {at}");
                    let reply = visitor.post("/account/name", &[("display_name", &name)]);
                    assert_eq!(reply.status, 303, "{}", reply.words());
                }
            })
        })
        .collect();
    for import in imports {
        let output = import.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(home.json("imports list").as_array().unwrap().len(), 2);
}

/// A project with a slash in its name gave 404.
#[test]
fn defect_40_a_project_may_have_any_name() {
    let home = Home::new();
    let names = ["a/b", "100%", "x?y=z", "q#1", "a b+c", "Ümläut", "...", "-"];
    let rows: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            row(&format!("vm-{at}"), "Compute", "1", "1", &tags("ada@example.edu", name, "P-1"))
        })
        .collect();
    home.focus("aws_2025-01.csv", &rows);
    home.ok("ingest aws_2025-01.csv");
    let server = serve(&home);
    let mut viewer = server.sign_in("viewer");
    let list = viewer.get("/projects?period=2025-01").text();
    let links: Vec<&str> =
        list.split("href=\"/projects/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), names.len(), "{links:?}");
    for link in links {
        let page = viewer.get(&format!("/projects/{link}"));
        assert_eq!(page.status, 200, "{link}: {}", page.words());
        assert!(page.words().contains("ada@example.edu"), "{link}: {}", page.words());
    }
}

/// Nothing slowed a guesser down, and who had an account could be told.
#[test]
fn defect_46_guessing_is_slowed_down_and_names_are_not_told() {
    let home = Home::new();
    let server = serve(&home);
    let mut guesser = server.visitor();
    let mut said = Vec::new();
    for name in ["admin", "nobody-of-that-name"] {
        let reply = guesser.post("/sign-in", &[("name", name), ("password", "guessed")]);
        assert_eq!(reply.status, 422);
        said.push(reply.words());
    }
    assert_eq!(said[0], said[1], "the same words for a name that is known and one that is not");
    let waits = (0..30).any(|_| {
        let reply = guesser.post("/sign-in", &[("name", "admin"), ("password", "guessed")]);
        reply.words().contains("too many tries that failed")
    });
    assert!(waits, "thirty tries were looked at");
    let right = guesser.post("/sign-in", &[("name", "admin"), ("password", PASSWORD)]);
    assert_eq!(right.status, 422, "the right password is not looked at either");
}

/// `admin` and a hash that everybody knows were in the example.
#[test]
fn defect_47_nobody_can_sign_in_who_was_not_given_an_account() {
    let home = Home::bare();
    home.ok("config init");
    let files = home.tree(".");
    let (_, example) = files.iter().find(|(path, _)| path.ends_with("config.yaml")).unwrap();
    let example = String::from_utf8_lossy(example);
    let section = example.lines().skip_while(|line| !line.starts_with("web:")).skip(1);
    let set: Vec<&str> = section
        .take_while(|line| line.starts_with(' '))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter(|line| {
            ["users", "password_hash", "secret_key", "recovery", "  name"]
                .iter()
                .any(|key| line.contains(key))
        })
        .collect();
    assert!(set.is_empty(), "{set:?}");
    let server = home.serve();
    assert!(server.set_up.is_some(), "the first account is made by a link that is used once");
    for (name, password) in [("admin", "admin"), ("admin", "password"), ("admin", "changeme"), ("root", "")] {
        let reply = server.visitor().post("/sign-in", &[("name", name), ("password", password)]);
        assert_eq!(reply.status, 422, "{name}: {}", reply.words());
    }
    let known = Home::with("web: { secret_key: \"change-me-in-production-please-do-it-now\" }\n");
    let refused = known.refused("web --port 0");
    assert!(refused.contains("it is the one of an example"), "{refused}");
}

/// There was a policy with `unsafe-inline` and no other header, and two addresses told everybody about the API.
#[test]
fn defect_49_answers_tell_browsers_to_be_strict_and_strangers_nothing() {
    let home = Home::new();
    let server = serve(&home);
    let mut visitor = server.visitor();
    for address in ["/sign-in", "/health", "/none-such", "/api/openapi.json", "/api/v1/none-such"] {
        let reply = visitor.get(address);
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{address}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{address}: {policy}");
        for (header, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")] {
            assert_eq!(reply.header(header), Some(value), "{address}");
        }
    }
    assert_eq!(visitor.get("/health").text(), "ok\n");
    assert_eq!(visitor.get("/api/openapi.json").status, 401);
    let behind_tls = Home::with("web: { trusted_proxy: [127.0.0.1] }\n");
    let reply = behind_tls.serve().visitor().get("/sign-in");
    assert!(
        reply.header("strict-transport-security").is_some_and(|value| value.contains("max-age=31536000"))
    );
}

/// `SameSite=Lax` was all that stood against another site's forms.
#[test]
fn defect_50_the_cookie_alone_changes_nothing() {
    let home = Home::new();
    let server = serve(&home);
    let mut admin = server.sign_in("admin");
    for path in
        ["/periods/2025-01/close", "/sign-out", "/account/name", "/users/viewer/role", "/subsidies/new"]
    {
        let reply = admin.post_bare(path, &[("notes", ""), ("display_name", "x"), ("role", "admin")]);
        assert_eq!(reply.status, 403, "{path}: {}", reply.words());
    }
    assert_eq!(home.period_state("2025-01"), "open");
    assert_eq!(admin.get("/periods").status, 200, "still signed in");
}

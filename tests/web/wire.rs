//! Requests that no browser of ours makes: forged, cut off, too large, sent twice. All refused or harmless, and
//! whoever reads the answer reads a page with the way on.

use std::io::Write as _;
use std::net::Shutdown;
use std::time::Duration;

use super::support::web::{PASSWORD, Reply, Server, Visitor};
use super::support::{HEADER, Home, project, row};

const CLOSE: &str = "/periods/2025-01/close";

fn office() -> (Home, Server) {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    (home, server)
}

/// What programmers read, and nobody else.
const DEBUG: [&str; 9] =
    ["panicked", "unwrap", "Err(", "RUST_", ".rs:", "Invalid URL", "Cannot parse", "serde", "sqlx"];

/// A refusal is a page of ours that offers a way on, in words.
fn is_a_page(reply: &Reply, what: &str) {
    let (text, words) = (reply.text(), reply.words());
    assert!(reply.status < 500, "{what:.200}: {} {words}", reply.status);
    if reply.status < 400 {
        return;
    }
    let is_html = reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    assert!(is_html && text.contains("<main"), "{what:.200}: {} {text:.300}", reply.status);
    let leads_on = ["href=\"/\"", "<form", "href=\"/sign-in"].iter().any(|way| text.contains(way));
    assert!(leads_on, "{what:.200}: no way on: {words}");
    let debug = DEBUG.iter().find(|debug| words.contains(**debug));
    assert_eq!(debug, None, "{what:.200}: {words}");
}

#[test]
fn every_page_takes_any_address() {
    let (home, server) = office();
    home.focus("aws_2025-01.csv", &[row("vm-1", "Compute", "1000", "1000", &project("genome"))]);
    home.ok("ingest aws_2025-01.csv");
    let long = "9".repeat(5000);
    let places = [
        "none-such",
        "0",
        "-1",
        "99999999999999999999999",
        "2025-13",
        "1:1",
        "%00",
        "%0d%0aSet-Cookie:%20a=b",
        "..%2f..%2fetc%2fpasswd",
        "%ff%fe",
        "';DROP%20TABLE%20charge;--",
        "%3Cscript%3Epwn()%3C%2Fscript%3E",
        long.as_str(),
    ];
    let values = [
        "",
        "-1",
        "99999999999999999999",
        "1e999",
        "%00",
        "%ff",
        "%",
        "true",
        "=%26%3D",
        "%F0%9F%92%A9",
        &long,
    ];
    let names = [
        "period", "page", "text", "sort", "project", "pi", "min", "from", "q", "by", "next", "state",
        "format",
    ];
    let (listed, _) = web::routes().build();
    let mut admin = server.sign_in("admin");
    let pages = listed.iter().filter(|route| {
        route.method == "GET" && !route.path.starts_with("/api/") && !route.path.starts_with("/assets/")
    });
    for path in pages.map(|route| route.path) {
        if path.contains('{') {
            for place in places {
                let parts = path.split('/').map(|part| if part.starts_with('{') { place } else { part });
                let address = parts.collect::<Vec<_>>().join("/");
                let reply = admin.get(&address);
                is_a_page(&reply, &address);
                assert_eq!(reply.header("set-cookie").filter(|cookie| cookie.starts_with("a=")), None);
                assert!(
                    !reply.text().contains("<script>pwn") && !reply.text().contains("root:"),
                    "{address}"
                );
            }
            continue;
        }
        // Every value once a page, in the fields by turns: all of them at all would take an hour.
        for (at, value) in values.iter().enumerate() {
            let pairs: Vec<String> =
                (0..3).map(|n| format!("{}={value}", names[(at * 3 + n) % names.len()])).collect();
            let address = format!("{path}?{}", pairs.join("&"));
            is_a_page(&admin.get(&address), &address);
        }
    }
}

#[test]
fn methods_that_a_route_has_not_change_nothing() {
    let (home, server) = office();
    let mut admin = server.sign_in("admin");
    let token = admin.csrf.clone();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PWN", "GET"] {
        let reply = admin.ask(method, CLOSE, &[("x-csrf-token", &token)], b"");
        assert_eq!(reply.status, 405, "{method}");
        is_a_page(&reply, method);
    }
    // What would like to be another method is the one that it is.
    for overridden in [("x-http-method-override", "POST"), ("x-method-override", "POST")] {
        assert_eq!(admin.ask("GET", CLOSE, &[overridden], b"").status, 405);
    }
    let refused = admin.get(&format!("{CLOSE}?_method=POST&csrf={token}"));
    assert_eq!(refused.status, 405);
    assert_eq!(home.period_state("2025-01"), "open");
}

#[test]
fn a_forged_origin_or_token_changes_nothing() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let token = reviewer.csrf.clone();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("notes=&csrf={token}");
    for site in ["cross-site", "same-site", "SAME-ORIGIN", "same-origin, cross-site", ""] {
        let reply = reviewer.ask("POST", CLOSE, &[form, ("sec-fetch-site", site)], body.as_bytes());
        assert_eq!(reply.status, 403, "{site}");
        is_a_page(&reply, site);
    }
    for (kind, body) in [
        ("application/json", format!("{{\"csrf\": \"{token}\", \"notes\": \"\"}}")),
        ("text/plain", body.clone()),
        ("multipart/form-data", body.clone()),
        (
            "multipart/form-data; boundary=x",
            format!("--x\r\ncontent-disposition: form-data; name=csrf\r\n\r\n{token}\r\n--x--"),
        ),
        ("", body.clone()),
    ] {
        let reply = reviewer.ask("POST", CLOSE, &[("content-type", kind)], body.as_bytes());
        assert_eq!(reply.status, 403, "{kind}: {}", reply.words());
        is_a_page(&reply, kind);
    }
    // Two tokens: the first counts, and a field of an array's name is another field.
    for body in [
        format!("csrf=0&csrf={token}"),
        format!("csrf[]={token}"),
        format!("CSRF={token}"),
        "csrf=".to_owned(),
    ] {
        assert_eq!(reviewer.ask("POST", CLOSE, &[form], body.as_bytes()).status, 403, "{body}");
    }
    // A session that is made up, or of another name, is none.
    let session = reviewer.cookie("session").unwrap().to_owned();
    for made_up in
        ["0".repeat(64), session.to_uppercase(), format!("{session}0"), "../../x".to_owned(), String::new()]
    {
        let mut visitor = server.visitor();
        visitor.set_cookie("session", &made_up);
        visitor.set_cookie("__Host-session", &session);
        assert_eq!(visitor.get("/periods").status, 303, "{made_up}");
        visitor.csrf.clone_from(&token);
        assert_eq!(visitor.post(CLOSE, &[("notes", "")]).status, 401, "{made_up}");
    }
    assert_eq!(home.period_state("2025-01"), "open");
    assert!(reviewer.act(CLOSE, &[("notes", "")]).contains("2025-01 is closed"));
}

#[test]
fn nobody_is_led_elsewhere() {
    let (_home, server) = office();
    let mut viewer = server.sign_in("viewer");
    for elsewhere in [
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "/x\r\nSet-Cookie: a=b",
        "javascript:pwn()",
    ] {
        let mut visitor = server.visitor();
        let fields = [("name", "viewer"), ("password", PASSWORD), ("next", elsewhere)];
        assert_eq!(visitor.post("/sign-in", &fields).location(), "/", "{elsewhere}");
        let themed = viewer.post("/theme", &[("theme", "dark"), ("back", elsewhere)]);
        assert_eq!((themed.status, themed.location()), (303, "/"), "{elsewhere}");
    }
    for referer in [
        "http://127.0.0.1//evil.example/",
        "javascript:pwn()",
        "http://x/\"><script>pwn()</script>",
        "\u{e9}",
    ] {
        let reply = viewer.ask("GET", "/none-such", &[("referer", referer), ("host", "evil.example")], b"");
        let text = reply.text();
        assert_eq!(reply.status, 404);
        assert!(
            !text.contains("evil.example") && !text.contains("javascript:") && !text.contains("<script>pwn"),
            "{text}"
        );
    }
    let mut visitor = server.visitor();
    let named = visitor.ask("GET", "/periods", &[("x-forwarded-host", "evil.example")], b"");
    assert_eq!(named.location(), "/sign-in?next=%2Fperiods");
    let themed = viewer.post("/theme", &[("theme", "\"><script>pwn()</script>"), ("back", "/")]);
    assert!(themed.header("set-cookie").unwrap().starts_with("theme=system;"));
    viewer.set_cookie("theme", "\"><script>pwn()");
    viewer.set_cookie("said", "67706179.00");
    viewer.set_cookie("whose", "v1.00.00");
    let page = viewer.get("/periods");
    assert!(page.status == 200 && page.text().contains("data-theme=\"system\""), "{}", page.text());
}

#[test]
fn what_is_too_large_or_breaks_off_is_refused_and_leaves_nothing() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let token = reviewer.csrf.clone();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let large = format!("csrf={token}&notes={}", "x".repeat(3 << 20));
    let reply = reviewer.ask("POST", CLOSE, &[form], large.as_bytes());
    assert_eq!(reply.status, 413, "{}", reply.words());
    is_a_page(&reply, "3 MB of notes");
    let many: Vec<String> = (0..200_000).map(|n| format!("a{n}=1")).collect();
    let reply = reviewer.ask("POST", CLOSE, &[form], format!("csrf={token}&{}", many.join("&")).as_bytes());
    is_a_page(&reply, "200,000 fields");
    assert!([303, 400, 413, 422].contains(&reply.status), "{}", reply.status);
    home.reopen("2025-01", "again");
    for header in ["cookie", "x-anything", "referer", "user-agent"] {
        let value = "x".repeat(900_000);
        let reply = server.visitor().ask("GET", "/sign-in", &[(header, &value)], b"");
        assert!([400, 431].contains(&reply.status), "{header}: {}", reply.status);
    }
    let path = format!("/{}", "x".repeat(100_000));
    assert!([404, 414].contains(&server.visitor().get(&path).status));
    // The rest never comes: what arrived is no form, and no file.
    let boundary = "multipart/form-data; boundary=x";
    let part = |name: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"");
    let file = format!(
        "{}\r\n\r\n{token}\r\n{}; filename=\"aws.csv\"\r\n\r\n{HEADER}\r\n",
        part("csrf"),
        part("files")
    );
    for (path, kind, body) in
        [(CLOSE, form.1, format!("csrf={token}&notes=cut")), ("/imports/uploads", boundary, file)]
    {
        let head = reviewer.head("POST", path, &[("content-type", kind), ("content-length", "100000")]);
        for so_far in 0..3 {
            let sent = &body.as_bytes()[..body.len() * so_far / 2];
            let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
            assert!(
                !answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 3"),
                "{path}: {answer}"
            );
        }
    }
    // Two lengths, or a length and chunks, are two requests for somebody on the way.
    for twice in [
        "Content-Length: 3\r\nContent-Length: 5",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: -1",
        "Transfer-Encoding: gzip",
    ] {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        write!(stream, "POST /sign-in HTTP/1.1\r\nHost: x\r\n{twice}\r\n\r\na=b").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{twice}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{twice}: {answer}");
    }
    assert_eq!(home.period_state("2025-01"), "open");
    let left = std::fs::read_dir(home.path().join("instance/uploads")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "of an upload that broke off");
    assert_eq!(reviewer.get("/periods").status, 200, "the server goes on");
}

#[test]
fn whoever_sends_too_slowly_is_not_waited_for() {
    let home = Home::with("web: { head_seconds: 1, body_seconds: 1 }\n");
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    reviewer.get("/imports/new");
    let form = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "100000")];
    let upload = [("content-type", "multipart/form-data; boundary=x"), ("content-length", "100000")];
    let slow = [
        "GET /health HTTP/1.1\r\nHost: x\r\n".to_owned(),
        format!("{}notes=", reviewer.head("POST", CLOSE, &form)),
        format!(
            "{}--x\r\nContent-Disposition: form-data",
            reviewer.head("POST", "/imports/uploads", &upload)
        ),
    ];
    for sent in &slow {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        // The server ends it, not this side.
        let mut answer = String::new();
        let ended = std::io::Read::read_to_string(&mut stream, &mut answer);
        assert!(ended.is_ok(), "{sent}: still open after a minute: {ended:?}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{sent}: {answer}");
    }
    assert_eq!(home.period_state("2025-01"), "open");
    assert_eq!(reviewer.get("/periods").status, 200, "the server goes on");
}

#[test]
fn what_is_sent_twice_is_done_once() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let bytes = format!("{HEADER}\n{}\n", row("vm-1", "Compute", "1000", "1000", &project("genome")));
    let upload = reviewer.upload("/imports/uploads", &[], &[("aws_2025-01.csv", bytes.as_bytes())]);
    let address = upload.location().to_owned();
    settle(&mut reviewer, &address);
    for _ in 0..2 {
        let reply = reviewer.post(&format!("{address}/0/keep"), &[]);
        is_a_page(&reply, "keep");
        settle(&mut reviewer, &address);
    }
    assert_eq!(home.json("imports list").as_array().unwrap().len(), 1);
    assert_eq!(reviewer.post(CLOSE, &[("notes", "first")]).status, 303);
    let again = reviewer.post(CLOSE, &[("notes", "second")]);
    assert_eq!(again.status, 422);
    assert!(again.words().contains("is closed"), "{}", again.words());
    is_a_page(&again, "close");
    for _ in 0..2 {
        let reply = reviewer.post("/statements/generate", &[("period", "2025-01")]);
        let to = reply.location().to_owned();
        if to.starts_with("/jobs/") {
            reviewer.job(&to);
        }
    }
    assert_eq!(home.json("statements list --period 2025-01").as_array().unwrap().len(), 1);
    // At the very same time.
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let mut one = reviewer.clone();
            std::thread::spawn(move || {
                one.post("/journals", &[("period", "2025-01"), ("format", "gl")]).status
            })
        })
        .collect();
    let statuses: Vec<u16> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| *status < 500), "{statuses:?}");
    let begun = home.json("journals list --period 2025-01");
    assert_eq!(begun.as_array().unwrap().len(), 1, "{begun}");
}

fn settle(visitor: &mut Visitor, address: &str) {
    while visitor.get(address).text().contains("the work goes on") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn what_is_anothers_stays_anothers() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let mut admin = server.sign_in("admin");
    admin.post("/account/tokens", &[("name", "nightly"), ("scope", "admin"), ("days", "30")]);
    let refused = reviewer.post("/account/tokens/1/revoke", &[]);
    assert!([403, 404, 422].contains(&refused.status), "{}", refused.status);
    is_a_page(&refused, "another's token");
    for (path, fields) in [
        ("/users/admin/role", [("role", "viewer")]),
        ("/users/admin/password", [("x", "")]),
        ("/users/admin/sign-out", [("x", "")]),
        ("/users/admin/remove", [("confirm", "admin")]),
        ("/periods/2025-01/finalize", [("confirm", "2025-01")]),
    ] {
        let reply = reviewer.post(path, &fields);
        assert_eq!(reply.status, 403, "{path}");
        is_a_page(&reply, path);
    }
    assert_eq!(admin.get("/users").status, 200);
    let tokens = home.json("tokens list");
    assert_eq!(tokens.as_array().unwrap().len(), 1, "{tokens}");
}

//! What others may try.

use super::support::Home;

#[test]
fn a_form_without_its_token_changes_nothing() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut reviewer = server.sign_in("reviewer");
    let path = "/periods/2025-01/close";
    assert_eq!(reviewer.post_bare(path, &[("notes", "")]).status, 403);
    assert_eq!(reviewer.post_bare(path, &[("notes", ""), ("csrf", "0000")]).status, 403);
    let mut other = server.sign_in("admin");
    let theirs = other.csrf.clone();
    assert_ne!(theirs, reviewer.csrf);
    assert_eq!(reviewer.post_bare(path, &[("csrf", &theirs)]).status, 403, "another session's token");
    let elsewhere = reviewer.ask(
        "POST",
        path,
        &[("sec-fetch-site", "cross-site"), ("x-csrf-token", &reviewer.csrf.clone())],
        b"",
    );
    assert_eq!(elsewhere.status, 403, "a form of another site");
    assert_eq!(reviewer.get(path).status, 405, "no change by a link");
    assert_eq!(home.period_state("2025-01"), "open");
    assert!(other.act(path, &[("notes", "")]).contains("2025-01 is closed"));
}

#[test]
fn pages_tell_browsers_to_be_strict() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    for path in ["/", "/sign-in", "/none-such", "/periods"] {
        let reply = viewer.get(path);
        let policy = reply.header("content-security-policy").unwrap_or_default().to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        let text = reply.text();
        assert!(!text.contains("style=") && !text.contains("<style") && !text.contains(" onclick"), "{path}");
    }
}

#[test]
fn signing_out_and_losing_a_role_take_effect_at_once() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut admin = server.sign_in("admin");
    let mut thief = admin.clone();
    assert_eq!(thief.get("/periods").status, 200);
    assert_eq!(admin.post("/sign-out", &[]).status, 303);
    assert_eq!(thief.get("/periods").status, 303, "the session of a stolen cookie has ended with it");
    let mut reviewer = server.sign_in("reviewer");
    home.ok("users set-role reviewer viewer");
    assert_eq!(reviewer.post("/periods/2025-01/close", &[]).status, 403);
}

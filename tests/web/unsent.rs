//! A session that ends in the middle of a form: what was typed is there again, and sent by a person alone.

use super::account::{code, shown};
use super::support::Home;
use super::support::web::{PASSWORD, Reply, Server, Visitor};

const CLOSE: &str = "/periods/2025-01/close";
const NOTES: &str = "Quoted \"<b>Ümläut</b>\" & agreed\r\nwith Priya";

fn office() -> (Home, Server) {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    (home, server)
}

/// The value of a hidden field, as a browser sends it.
fn field(page: &Reply, name: &str) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\""))?;
    let (value, _) = rest.split_once('"')?;
    let plain =
        value.replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">").replace("&#39;", "'");
    Some(plain.replace("&#38;", "&"))
}

/// Sign in on the page that a form without its session got.
fn sign_in_again(visitor: &mut Visitor, asked: &Reply, name: &str) -> Reply {
    assert_eq!(asked.status, 401);
    let words = asked.words();
    assert!(words.contains("You were signed out, so nothing was sent"), "{words}");
    let (held, next) = (field(asked, "held").unwrap_or_default(), field(asked, "next").unwrap());
    visitor.post("/sign-in", &[("name", name), ("password", PASSWORD), ("held", &held), ("next", &next)])
}

#[test]
fn what_was_typed_when_the_session_ended_is_there_after_signing_in() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let mut elsewhere = server.sign_in("reviewer");
    elsewhere.act("/account/sessions/end-others", &[]);
    let asked = reviewer.post(CLOSE, &[("notes", NOTES), ("password", "hunter2-of-mine")]);
    assert!(!asked.text().contains("Priya"), "sealed: {}", asked.text());
    let wrong = reviewer.post(
        "/sign-in",
        &[("name", "reviewer"), ("password", "guessed"), ("held", &field(&asked, "held").unwrap())],
    );
    assert_eq!((wrong.status, field(&wrong, "held")), (422, field(&asked, "held")), "kept over a slip");
    let again = sign_in_again(&mut reviewer, &asked, "reviewer");
    assert_eq!(again.status, 200, "{}", again.words());
    for said in
        ["You were signed out before this was sent", NOTES.split("\r\n").next().unwrap(), "Send it now"]
    {
        assert!(again.words().contains(said), "`{said}` is not said: {}", again.words());
    }
    assert!(!again.text().contains("<b>") && !again.text().contains("hunter2"), "{}", again.text());
    assert!(again.text().contains(&format!("<form method=\"post\" action=\"{CLOSE}\"")));
    assert_eq!(home.period_state("2025-01"), "open", "nothing is sent by itself");
    assert_eq!(field(&again, "notes").as_deref(), Some(NOTES));
    let said = reviewer.act(CLOSE, &[("notes", &field(&again, "notes").unwrap())]);
    assert!(said.contains("2025-01 is closed"), "{said}");
    assert!(home.ok("periods show 2025-01").contains("Priya"));
}

#[test]
fn an_idle_session_and_one_of_an_earlier_password_keep_what_was_typed() {
    let (home, server) = office();
    let mut idle = server.sign_in("reviewer");
    let url = home
        .database()
        .unwrap_or_else(|| format!("sqlite://{}", home.path().join("instance/ledger.db").display()));
    super::support::sql(&url, "UPDATE session SET last_seen = '2020-01-01T00:00:00Z'");
    let asked = idle.post(CLOSE, &[("notes", "typed slowly")]);
    assert!(sign_in_again(&mut idle, &asked, "reviewer").words().contains("typed slowly"));

    let mut admin = server.sign_in("admin");
    let asked_before = idle.clone();
    let given = admin.post("/users/reviewer/password", &[]).text();
    let (_, rest) = given.split_once("<pre id=\"password\"").expect("a temporary password is shown");
    let temporary = rest.split_once('>').unwrap().1.split_once("</pre>").unwrap().0.trim().to_owned();
    let mut reviewer = asked_before;
    let asked = reviewer.post(CLOSE, &[("notes", "typed before the reset")]);
    let held = field(&asked, "held").unwrap();
    let fields = [("name", "reviewer"), ("password", &*temporary), ("held", &*held)];
    let choose = reviewer.post("/sign-in", &fields);
    assert!(choose.words().contains("Choose your own, then go on"), "{}", choose.words());
    let held = field(&choose, "held").unwrap();
    let new = [("old", &*temporary), ("new", "a whole new phrase"), ("again", "a whole new phrase")];
    let again = reviewer.post("/account/password", &[&new[..], &[("held", &*held)]].concat());
    assert!(again.words().contains("typed before the reset"), "{}", again.words());
    assert_eq!(home.period_state("2025-01"), "open");
    assert!(reviewer.act(CLOSE, &[("notes", "typed before the reset")]).contains("2025-01 is closed"));
}

#[test]
fn nobody_else_sees_what_was_typed() {
    let (home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    server.sign_in("reviewer").act("/account/sessions/end-others", &[]);
    let asked = reviewer.post(CLOSE, &[("notes", "mine alone")]);
    let mut thief = server.visitor();
    for mut other in [reviewer.clone(), server.visitor()] {
        let again = sign_in_again(&mut other, &asked, "admin");
        assert_eq!((again.status, again.location()), (303, "/"));
        assert!(!again.text().contains("mine alone"));
        let words = other.page("/");
        assert!(words.contains("it was of another account") && !words.contains("mine alone"), "{words}");
    }
    let held = field(&asked, "held").unwrap();
    let mut damaged = held.clone();
    damaged.replace_range(40..41, if &held[40..41] == "0" { "1" } else { "0" });
    for forged in [damaged.as_str(), "v1.00.00", "<script>", &"0".repeat(200_000)] {
        let mine = [("name", "reviewer"), ("password", PASSWORD), ("held", forged)];
        let again = thief.post("/sign-in", &mine);
        assert_eq!(again.status, 303, "{forged:.20}");
    }
    // Another site can neither have a form kept nor make one up.
    let cross = reviewer.clone().ask(
        "POST",
        CLOSE,
        &[("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")],
        format!("csrf={}&notes=theirs", reviewer.csrf).as_bytes(),
    );
    assert_eq!((cross.status, field(&cross, "held")), (401, None));
    let made_up = reviewer.post_bare(CLOSE, &[("notes", "theirs"), ("csrf", "0000")]);
    assert_eq!((made_up.status, field(&made_up, "held")), (401, None));
    let stranger = server.visitor().post_bare(CLOSE, &[("notes", "x"), ("csrf", &reviewer.csrf)]);
    assert_eq!((stranger.status, field(&stranger, "held")), (401, None));
    let long = "x".repeat(70_000);
    let too_long = reviewer.post(CLOSE, &[("notes", &long)]);
    assert_eq!((too_long.status, field(&too_long, "held")), (401, None));
    assert_eq!(home.period_state("2025-01"), "open");
}

#[test]
fn a_form_of_an_earlier_session_is_shown_to_who_signed_in_again_elsewhere() {
    let (home, server) = office();
    let mut old_tab = server.sign_in("reviewer");
    let earlier = old_tab.csrf.clone();
    old_tab.post("/sign-out", &[]);
    old_tab.post("/sign-in", &[("name", "reviewer"), ("password", PASSWORD)]);
    let notes = [("notes", "of the old tab"), ("csrf", earlier.as_str())];
    let again = old_tab.post_bare(CLOSE, &notes);
    assert_eq!(again.status, 403);
    assert!(again.words().contains("of the old tab") && again.words().contains("Send it now"));
    assert_eq!(home.period_state("2025-01"), "open");
    let mut other = old_tab.clone();
    other.post("/sign-in", &[("name", "admin"), ("password", PASSWORD)]);
    let refused = other.post_bare(CLOSE, &notes);
    assert_eq!(refused.status, 403);
    assert!(refused.words().contains("this form is of an earlier session"), "{}", refused.words());
    assert!(!refused.words().contains("of the old tab"), "{}", refused.words());
    assert!(old_tab.act(CLOSE, &notes[..1]).contains("2025-01 is closed"));
}

#[test]
fn fields_beside_files_are_kept_and_files_are_asked_for_again() {
    let (_home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    server.sign_in("reviewer").act("/account/sessions/end-others", &[]);
    let fields = [("pasted", "account_id,pi_email\n123,ada@example.edu\n"), ("note", "from the registrar")];
    let asked = reviewer.upload("/attribution/import", &fields, &[("rules.csv", b"account_id\n1\n")]);
    let again = sign_in_again(&mut reviewer, &asked, "reviewer");
    for said in ["123,ada@example.edu", "from the registrar", "Files have to be chosen again"] {
        assert!(again.words().contains(said), "`{said}` is not said: {}", again.words());
    }
    let large = vec![b'x'; 5 << 20];
    server.sign_in("reviewer").act("/account/sessions/end-others", &[]);
    let asked = reviewer.upload("/imports/uploads", &[], &[("aws.csv", &large)]);
    assert_eq!((asked.status, field(&asked, "held")), (401, None));
}

#[test]
fn a_second_factor_is_asked_for_in_between() {
    let (_home, server) = office();
    let mut reviewer = server.sign_in("reviewer");
    let begun = reviewer.post("/account/second-factor", &[("password", PASSWORD)]);
    let secret = shown(&begun.text(), "secret").replace(' ', "");
    let uri = field(&begun, "uri").unwrap();
    let codes = reviewer.post("/account/second-factor/confirm", &[("code", &code(&secret)), ("uri", &uri)]);
    let codes: Vec<String> = shown(&codes.text(), "codes").lines().map(str::to_owned).collect();
    reviewer.look();
    let mut admin = server.sign_in("admin");
    admin.post("/users/reviewer/sign-out", &[]);
    let asked = reviewer.post(CLOSE, &[("notes", "before the code")]);
    let half = sign_in_again(&mut reviewer, &asked, "reviewer");
    assert!(half.words().contains("Second factor") && !half.text().contains("before the code"));
    let held = field(&half, "held").unwrap();
    let slip = reviewer.post("/sign-in/code", &[("code", "000000"), ("held", &held)]);
    assert_eq!((slip.status, field(&slip, "held")), (422, Some(held.clone())));
    let again = reviewer.post("/sign-in/code", &[("code", &codes[0]), ("held", &held)]);
    assert!(again.words().contains("before the code"), "{}", again.words());
    assert!(reviewer.act(CLOSE, &[("notes", "before the code")]).contains("2025-01 is closed"));
}

//! One's own account and those of others: what is changed counts from the next request on.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::support::Home;
use super::support::web::{PASSWORD, Server, Visitor};

/// What an authenticator shows now.
#[expect(clippy::disallowed_methods, reason = "the server of a story has the clock of the machine")]
pub fn code(secret: &str) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret).unwrap();
    mac.update(&(jiff::Timestamp::now().as_second() / 30).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] % 16);
    let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// What stands in the `<pre>` of an id.
pub fn shown(html: &str, id: &str) -> String {
    let (_, rest) =
        html.split_once(&format!("<pre id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {html}"));
    let (_, rest) = rest.split_once('>').unwrap();
    rest.split_once("</pre>").unwrap().0.trim().to_owned()
}

fn sign_in_with(server: &Server, name: &str, password: &str) -> (Visitor, u16) {
    let mut visitor = server.visitor();
    let reply = visitor.post("/sign-in", &[("name", name), ("password", password)]);
    (visitor, reply.status)
}

#[test]
fn a_password_change_ends_other_sessions_in_the_middle_of_their_work() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let (mut here, mut there) = (server.sign_in("reviewer"), server.sign_in("reviewer"));
    assert!(there.page("/account").contains("Where you are signed in"));
    let change = |old: &'static str, new: &'static str, again: &'static str| {
        [("old", old), ("new", new), ("again", again)]
    };
    for (old, new, again, why) in [
        ("guessed", "a whole new phrase", "a whole new phrase", "the password that you have now is another"),
        (PASSWORD, "a whole new phrase", "another phrase", "the two new passwords differ"),
        (PASSWORD, "password1", "password1", "it is among the first that are tried"),
        (PASSWORD, PASSWORD, PASSWORD, "the new password is the old one"),
    ] {
        let reply = here.post("/account/password", &change(old, new, again));
        assert_eq!(reply.status, 422);
        assert!(reply.words().contains(why), "{}", reply.words());
    }
    let said = here.act("/account/password", &change(PASSWORD, "a whole new phrase", "a whole new phrase"));
    assert!(said.contains("your password is changed"), "{said}");
    let kept = there.post("/periods/2025-01/close", &[]);
    assert_eq!(kept.status, 401, "a form of a session that ended");
    assert!(kept.words().contains("You were signed out, so nothing was sent"), "{}", kept.words());
    assert_eq!(there.get("/periods").status, 303);
    assert_eq!(home.period_state("2025-01"), "open");
    assert!(here.act("/periods/2025-01/close", &[]).contains("2025-01 is closed"));
    assert_eq!(sign_in_with(&server, "reviewer", PASSWORD).1, 422);
    assert_eq!(sign_in_with(&server, "reviewer", "a whole new phrase").1, 303);
}

#[test]
fn sessions_are_listed_and_ended_one_by_one_or_all_others() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut here = server.sign_in("viewer");
    let mut others: Vec<Visitor> = (0..3).map(|_| server.sign_in("viewer")).collect();
    let page = here.get("/account").text();
    assert_eq!(page.matches("/account/sessions/").count(), 4, "three to end, and all others at once");
    let id =
        page.split("/account/sessions/").find_map(|rest| rest.split_once("/end\"")).unwrap().0.to_owned();
    assert!(here.act(&format!("/account/sessions/{id}/end"), &[]).contains("that session has ended"));
    let alive = |others: &mut Vec<Visitor>| {
        others.iter_mut().map(|other| other.get("/periods").status).filter(|status| *status == 200).count()
    };
    assert_eq!(alive(&mut others), 2);
    let mut stranger = server.sign_in("reviewer");
    let page = here.get("/account").text();
    let id =
        page.split("/account/sessions/").find_map(|rest| rest.split_once("/end\"")).unwrap().0.to_owned();
    let refused = stranger.post(&format!("/account/sessions/{id}/end"), &[]);
    assert_eq!(refused.status, 422, "nobody ends another's session by its id");
    assert_eq!(alive(&mut others), 2);
    assert!(here.act("/account/sessions/end-others", &[]).contains("2 other sessions have ended"));
    assert_eq!(alive(&mut others), 0);
    assert_eq!(here.get("/periods").status, 200);
    assert_eq!(stranger.get("/periods").status, 200);
}

#[test]
fn a_second_factor_is_set_up_by_its_square_code_and_asked_for_from_then_on() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    let mut other = server.sign_in("viewer");
    let wrong = viewer.post("/account/second-factor", &[("password", "guessed")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.words().contains("the password that you have now is another"));
    let begun = viewer.post("/account/second-factor", &[("password", PASSWORD)]);
    assert_eq!(begun.status, 200, "{}", begun.words());
    let html = begun.text();
    assert!(html.contains("<svg class=\"qr\" viewBox=\"0 0 "), "{html}");
    assert!(!html.contains("style="), "{html}");
    let secret = shown(&html, "secret").replace(' ', "");
    let uri = html.split_once("name=\"uri\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let uri = uri.replace("&#38;", "&").replace("&amp;", "&");
    let again = viewer.post("/account/second-factor/confirm", &[("code", "000000"), ("uri", &uri)]);
    assert_eq!(again.status, 422);
    assert_eq!(shown(&again.text(), "secret").replace(' ', ""), secret, "the code stays to be read");
    let codes = viewer.post("/account/second-factor/confirm", &[("code", &code(&secret)), ("uri", &uri)]);
    assert_eq!(codes.status, 200, "{}", codes.words());
    let codes: Vec<String> = shown(&codes.text(), "codes").lines().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    assert_eq!(viewer.get("/periods").status, 200);
    assert_eq!(other.get("/periods").status, 303, "who signed in without it is out");
    assert!(viewer.page("/account").contains("10 left"));

    let (mut half, status) = sign_in_with(&server, "viewer", PASSWORD);
    assert_eq!(status, 303);
    for path in ["/periods", "/account", "/account/password", "/account/second-factor"] {
        let reply = half.get(path);
        assert_eq!((reply.status, reply.location()), (303, "/sign-in/code"), "{path}");
    }
    half.get("/sign-in/code");
    let fields = [("old", PASSWORD), ("new", "a whole new phrase"), ("again", "a whole new phrase")];
    assert_eq!(half.post("/account/password", &fields).location(), "/sign-in/code", "nothing is changed");
    half.get("/sign-in/code");
    assert_eq!(half.post("/sign-in/code", &[("code", &codes[0])]).status, 303);
    half.look();
    assert!(half.page("/account").contains("9 left"));
    let renewed = half.post("/account/second-factor/codes", &[("password", PASSWORD)]);
    assert!(renewed.words().contains("good for nothing any more"), "{}", renewed.words());
    assert!(half.page("/account").contains("10 left"));

    let mut admin = server.sign_in("admin");
    assert!(admin.act("/users/viewer/second-factor/remove", &[]).contains("by password alone now"));
    assert_eq!(server.sign_in("viewer").get("/periods").status, 200);
    let said = half.post("/account/second-factor/remove", &[("password", PASSWORD)]);
    assert!(said.words().contains("has no second factor"), "{}", said.words());
}

#[test]
fn an_admin_makes_an_account_whose_owner_chooses_a_password() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut admin = server.sign_in("admin");
    let refused = admin.post("/users", &[("name", "no body"), ("email", "no"), ("role", "viewer")]);
    assert_eq!(refused.status, 422);
    let words = refused.words();
    assert!(words.contains("has other characters") && words.contains("is not an e-mail address"), "{words}");
    assert!(refused.text().contains("value=\"no body\""), "what was typed stays");
    let fields = [("name", "Ada"), ("email", "ada@example.edu"), ("role", "reviewer")];
    let made = admin.post("/users", &fields);
    assert_eq!(made.status, 200, "{}", made.words());
    let password = shown(&made.text(), "password");
    assert!(!admin.page("/users/ada").contains(&password), "it is shown once");

    let (mut ada, _) = sign_in_with(&server, "ada", &password);
    for path in ["/", "/periods", "/account"] {
        assert_eq!(ada.get(path).location(), "/account/password", "{path}");
    }
    assert!(ada.page("/account/password").contains("Choose your own"));
    let own = "a phrase of her own";
    ada.act("/account/password", &[("old", &password), ("new", own), ("again", own)]);
    assert_eq!(ada.get("/periods").status, 200);
    ada.look();

    assert!(admin.act("/users/ada/role", &[("role", "viewer")]).contains("is a viewer from now on"));
    assert_eq!(ada.post("/periods/2025-01/close", &[]).status, 403, "at once");
    assert!(admin.page("/users/ada").contains("an unknown browser"), "her session is listed");
    let changed = [("email", "ada.l@example.edu"), ("display_name", "Ada <b>Lovelace</b>")];
    assert!(admin.act("/users/ada", &changed).contains("`ada` is changed"));
    assert!(ada.get("/account").text().contains("Ada &#60;b&#62;Lovelace"), "a name is text");
    assert!(admin.act("/users/ada/sign-out", &[]).contains("the session of `ada` has ended"));
    assert_eq!(ada.get("/periods").status, 303);

    let reset = admin.post("/users/ada/password", &[]);
    let temporary = shown(&reset.text(), "password");
    assert_eq!(sign_in_with(&server, "ada", own).1, 422);
    assert_eq!(sign_in_with(&server, "ada", &temporary).0.get("/").location(), "/account/password");
    assert_eq!(admin.post("/users/ada/remove", &[("confirm", "eve")]).status, 400);
    assert!(admin.act("/users/ada/remove", &[("confirm", "ada")]).contains("`ada` is removed"));
    assert_eq!(sign_in_with(&server, "ada", &temporary).1, 422);
    assert_eq!(admin.get("/users/ada").status, 404);
    assert!(admin.post("/users/admin/remove", &[("confirm", "admin")]).words().contains("their own account"));
    let last = admin.post("/users/admin/role", &[("role", "viewer")]);
    assert!(last.words().contains("the last administrator"), "{}", last.words());
}

#[test]
fn a_token_is_shown_once_and_revoked_for_good() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut viewer = server.sign_in("viewer");
    let too_much = viewer.post("/account/tokens", &[("name", "export"), ("scope", "review"), ("days", "90")]);
    assert_eq!(too_much.status, 422);
    assert!(too_much.words().contains("cannot give `review`"), "{}", too_much.words());
    let made = viewer.post("/account/tokens", &[("name", "export"), ("scope", "read"), ("days", "90")]);
    assert_eq!(made.status, 200, "{}", made.words());
    let secret = shown(&made.text(), "secret");
    assert!(secret.starts_with("ocb_"));
    let page = viewer.page("/account");
    assert!(page.contains("export token 1 read") && !page.contains(&secret), "{page}");
    let mut other = server.sign_in("reviewer");
    assert_eq!(other.post("/account/tokens/1/revoke", &[]).status, 422, "another's token");
    assert!(viewer.act("/account/tokens/1/revoke", &[]).contains("good for nothing any more"));
    assert!(viewer.page("/account").contains("revoked"));
}

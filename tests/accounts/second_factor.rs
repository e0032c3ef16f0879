//! Codes of an authenticator, recovery codes, and tokens of programs.

use hmac::{Hmac, KeyInit as _, Mac as _};
use ledger::{Role, Scope};
use sha1::Sha1;
use workflow::accounts::{self, NewSession, NewToken, SecretKey, SignIn, Whose};

use super::server::{PASSWORD, Server, at, by, done, refused, told};
use crate::support::engines;

const WRONG_CODE: &str = "the code is not right, or was used before";

/// What an authenticator shows.
fn code(secret_base32: &str, second: i64) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret_base32.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret).unwrap();
    mac.update(&(at(second).as_second() / 30).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] % 16);
    let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Maria sets her second factor up, in the first minute: its secret and her recovery codes.
async fn with_factor(server: &Server) -> (String, Vec<String>) {
    let (installation, known) = (&server.installation, &server.accounts);
    let token = server.enter("maria", PASSWORD, 0).await.token;
    let setup = accounts::begin_totp(installation, known, &token, PASSWORD, at(1)).await.unwrap();
    let shown = code(&setup.secret_base32, 2);
    let codes = accounts::finish_totp(installation, known, &token, &shown, at(2)).await.unwrap();
    (setup.secret_base32, codes)
}

fn half(outcome: SignIn) -> NewSession {
    match outcome {
        SignIn::NeedsTotp(session) => session,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let token = server.enter("maria", PASSWORD, 0).await.token;
        let other = server.enter("maria", PASSWORD, 0).await.token;
        let finish = async |code: &str| accounts::finish_totp(installation, known, &token, code, at(2)).await;
        assert_eq!(refused(finish("123456").await), "no second factor is being set up: begin again");
        let begin = async |password| accounts::begin_totp(installation, known, &token, password, at(1)).await;
        assert_eq!(refused(begin("wrong").await), "the password that you have now is another");
        let setup = begin(PASSWORD).await.unwrap();
        assert!(setup.otpauth_uri.starts_with("otpauth://totp/OpenChargeback:maria?secret="));
        assert_eq!(refused(finish("000000").await), "the code is not right");
        let codes = finish(&code(&setup.secret_base32, 2)).await.unwrap();
        assert_eq!(codes.len(), 10);
        assert!(server.session(&token, 3).await.is_some());
        assert!(server.session(&other, 3).await.is_none(), "who signed in without it is out");
        let mut reader = installation.ledger.read().await.unwrap();
        let kept = reader.find_user("maria").await.unwrap().unwrap().user;
        assert!(!kept.totp_secret.unwrap().contains(&setup.secret_base32));
        drop(reader);

        let pending = half(server.sign_in("maria", PASSWORD, "192.0.2.7", 60).await);
        let session = server.session(&pending.token, 61).await.unwrap();
        assert!(session.pending_totp);
        let confirm = async |code: &str, second| {
            accounts::confirm_totp(installation, known, &pending.token, code, at(second)).await.unwrap()
        };
        assert_eq!(told(&confirm("123", 61).await), WRONG_CODE);
        assert_eq!(told(&confirm(&code(&setup.secret_base32, 2), 62).await), WRONG_CODE, "of a minute ago");
        let right = code(&setup.secret_base32, 63);
        let whole = done(confirm(&right, 63).await);
        assert_ne!(whole.token, pending.token, "the token is another");
        assert!(!server.session(&whole.token, 64).await.unwrap().pending_totp);
        assert!(server.session(&pending.token, 64).await.is_none());
        assert_eq!(told(&confirm(&right, 64).await), "this took too long: sign in again");
        // A code is good once, also for who saw it being typed.
        let again = half(server.sign_in("maria", PASSWORD, "192.0.2.7", 65).await);
        let again = accounts::confirm_totp(installation, known, &again.token, &right, at(65)).await.unwrap();
        assert_eq!(told(&again), WRONG_CODE);
    }
}

#[tokio::test]
async fn half_a_session_does_nothing_and_lasts_ten_minutes() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let (secret, _) = with_factor(&server).await;
        let pending = half(server.sign_in("maria", PASSWORD, "192.0.2.7", 100).await);
        let own = accounts::remove_own_totp(installation, known, &pending.token, PASSWORD, at(101)).await;
        assert_eq!(refused(own), "the session has ended: sign in again");
        assert!(server.session(&pending.token, 100 + 599).await.is_some());
        let late = code(&secret, 700);
        let late = accounts::confirm_totp(installation, known, &pending.token, &late, at(700)).await.unwrap();
        assert_eq!(told(&late), "this took too long: sign in again");
    }
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let (secret, _) = with_factor(&server).await;
        // A new session for each guess does not help.
        for guess in 0..5 {
            let pending = half(server.sign_in("maria", PASSWORD, "192.0.2.7", 60).await);
            let guess = format!("{guess:06}");
            let outcome = accounts::confirm_totp(installation, known, &pending.token, &guess, at(60)).await;
            assert_eq!(told(&outcome.unwrap()), WRONG_CODE);
        }
        let pending = half(server.sign_in("maria", PASSWORD, "192.0.2.7", 60).await);
        let confirm = async |second| {
            let right = code(&secret, second);
            accounts::confirm_totp(installation, known, &pending.token, &right, at(second)).await.unwrap()
        };
        assert_eq!(told(&confirm(60).await), "wait 1");
        assert_eq!(told(&confirm(61).await), "done");
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_a_lost_key_is_told() {
    for engine in engines() {
        let mut server = Server::with_people(engine).await;
        let (secret, codes) = with_factor(&server).await;
        // As after a restore without the key.
        server.accounts.secret_key = SecretKey::new("fedcba9876543210fedcba9876543210").unwrap();
        let (installation, known) = (&server.installation, &server.accounts);
        let enter = async |code: &str, second| {
            let pending = half(server.sign_in("maria", PASSWORD, "192.0.2.7", second).await);
            accounts::confirm_totp(installation, known, &pending.token, code, at(second)).await
        };
        assert_eq!(
            refused(enter(&code(&secret, 60), 60).await),
            "the second factor of `maria` was sealed with another secret key"
        );
        let typed = codes[3].to_uppercase().replace('-', " ");
        let session = done(enter(&typed, 61).await.unwrap());
        refused(enter(&typed, 62).await);
        let all = accounts::list(installation, known).await.unwrap();
        assert_eq!(all[1].recovery_codes, 9);
        let new = accounts::renew_recovery_codes(installation, known, &session.token, PASSWORD, at(63))
            .await
            .unwrap();
        refused(enter(&codes[4], 64).await);
        let session = done(enter(&new[0], 65).await.unwrap());
        accounts::remove_own_totp(installation, known, &session.token, PASSWORD, at(66)).await.unwrap();
        server.enter("maria", PASSWORD, 67).await;
        let without = accounts::remove_totp(installation, known, &by("ada", 68), "maria").await;
        assert_eq!(refused(without), "user `maria` has no second factor");
        assert_eq!(
            server.acts().await[2..],
            [
                "maria user.totp_set maria",
                "maria user.recovery_code_used maria",
                "maria user.recovery_codes_renewed maria",
                "maria user.recovery_code_used maria",
                "maria user.totp_removed maria"
            ]
        );
    }
}

#[tokio::test]
async fn a_token_may_what_its_owner_may_and_not_more_than_its_scope() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let new = |scope, days| NewToken {
            name: "export".to_owned(),
            owner: "Maria".to_owned(),
            scope,
            days,
            within: Role::Admin,
        };
        let add = async |new| accounts::token_add(installation, known, &by("maria", 0), &new).await;
        assert_eq!(
            refused(add(new(Scope::Admin, 0)).await),
            "the token will not do\n  expiry: 0 days is not 1 to 366\n  \
             scope: `maria` is a reviewer and cannot give `admin`"
        );
        let read = add(new(Scope::Read, 1)).await.unwrap();
        let review = add(new(Scope::Review, 90)).await.unwrap();
        assert!(read.secret.starts_with("ocb_") && read.secret.len() == 68);
        let role = async |secret: &str, second| {
            let user = accounts::token_user(installation, known, secret, at(second)).await.unwrap();
            user.map(|user| (user.name, user.role))
        };
        let maria = |role| Some(("maria".to_owned(), role));
        assert_eq!(role(&read.secret, 1).await, maria(Role::Viewer));
        assert_eq!(role(&review.secret, 1).await, maria(Role::Reviewer));
        assert_eq!(role("ocb_guess", 1).await, None);
        assert_eq!(role(&read.token.secret_sha256, 1).await, None);
        assert_eq!(role(&read.secret, 24 * 3600).await, None, "expired");
        accounts::set_role(installation, known, &by("ada", 2), "maria", Role::Viewer).await.unwrap();
        assert_eq!(role(&review.secret, 3).await, maria(Role::Viewer), "at once");

        let revoke = async |by_whom: &str, whose| {
            accounts::token_revoke(installation, &by(by_whom, 4), read.token.id, whose).await
        };
        assert_eq!(refused(revoke("ada", Whose::Own).await), "token 1 is not known");
        revoke("Maria", Whose::Own).await.unwrap();
        assert_eq!(refused(revoke("ada", Whose::Anybodys).await), "token 1 was revoked by Maria");
        assert_eq!(role(&read.secret, 5).await, None);
        // With its owner a token goes, and does not come back with another of the name.
        accounts::remove(installation, known, &by("ada", 6), "maria").await.unwrap();
        server.add("maria", Role::Admin).await;
        assert_eq!(role(&review.secret, 7).await, None);
    }
}

//! Passwords, sessions, and what ends them.

use ledger::Role;
use workflow::accounts::{self, SessionToken, set_up, set_up_token};

use super::server::{
    OF_FILE, PASSWORD, Server, WEAK_OF_FILE, at, by, client, configured, done, new_user, refused, told,
};
use crate::support::{Engine, engines};

const WRONG: &str = "the name or the password is not right";

#[tokio::test]
async fn who_is_known_and_who_is_not_is_told_the_same() {
    for engine in engines() {
        let mut server = Server::with_people(engine).await;
        server.accounts.configured =
            vec![configured("rest", Role::Viewer, ""), configured("casey", Role::Admin, OF_FILE.0)];
        let long = "k".repeat(2000);
        let cases = [
            ("maria", PASSWORD, "done"),
            (" MARIA ", PASSWORD, "done"),
            ("casey", OF_FILE.1, "done"),
            ("maria", "Correct horse battery staple", WRONG),
            ("maria", "", WRONG),
            ("maria", &long, WRONG),
            ("casey", PASSWORD, WRONG),
            ("rest", "", WRONG),
            ("nobody", PASSWORD, WRONG),
            ("", "", WRONG),
        ];
        for (name, password, expected) in cases {
            assert_eq!(told(&server.sign_in(name, password, "192.0.2.7", 0).await), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_password_of_an_older_configuration_is_hashed_better_when_it_is_used() {
    for engine in engines() {
        let mut server = Server::start(engine).await;
        server.accounts.configured = vec![configured("maria", Role::Reviewer, OF_FILE.0)];
        let session = server.enter("maria", OF_FILE.1, 1).await;
        assert!(server.session(&session.token, 2).await.is_some());
        server.enter("Maria", OF_FILE.1, 3).await;
        assert_eq!(server.acts().await, ["maria user.password_rehashed maria"], "once");
        let mut reader = server.installation.ledger.read().await.unwrap();
        let kept = reader.find_user("maria").await.unwrap().unwrap().user.password_hash.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        drop(reader);

        // The configuration gets another password: it counts, and sessions of the one before are over.
        server.accounts.configured = vec![configured("maria", Role::Admin, WEAK_OF_FILE.0)];
        assert!(server.session(&session.token, 4).await.is_none());
        assert_eq!(told(&server.sign_in("maria", OF_FILE.1, "192.0.2.7", 5).await), WRONG);
        let session = server.enter("maria", WEAK_OF_FILE.1, 6).await;
        assert!(session.must_change_password, "it would not be taken today");
        let session = server.session(&session.token, 7).await.unwrap();
        assert_eq!((session.user.role, session.must_change_password), (Role::Admin, true));

        // Who is taken out of the configuration is out.
        server.accounts.configured = Vec::new();
        assert_eq!(told(&server.sign_in("maria", WEAK_OF_FILE.1, "192.0.2.7", 8).await), WRONG);
        assert_eq!(accounts::list(&server.installation, &server.accounts).await.unwrap().len(), 0);
        // Another may get the name, and nothing else of it.
        server.add("maria", Role::Viewer).await;
        let again = server.enter("maria", PASSWORD, 9).await;
        assert_eq!(server.session(&again.token, 10).await.unwrap().user.role, Role::Viewer);
    }
}

#[tokio::test]
async fn recovery_accounts_are_those_of_the_file_whatever_the_ledger_says() {
    for engine in engines() {
        let mut server = Server::with_people(engine).await;
        let mut rescue = configured("maria", Role::Admin, WEAK_OF_FILE.0);
        rescue.recovery = true;
        server.accounts.configured = vec![rescue];
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "192.0.2.7", 1).await), WRONG);
        let session = server.enter("maria", WEAK_OF_FILE.1, 2).await;
        let here = server.session(&session.token, 3).await.unwrap();
        assert_eq!(
            (here.user.role, here.user.is_recovery, here.must_change_password),
            (Role::Admin, true, false)
        );
        let (installation, known) = (&server.installation, &server.accounts);
        let new = "another horse in the stable";
        let change =
            accounts::change_password(installation, known, &session.token, (WEAK_OF_FILE.1, new), at(4));
        assert_eq!(refused(change.await), "the password of `maria` is the one of the configuration");
        let remove = accounts::remove(installation, known, &by("ada", 5), "maria").await;
        assert_eq!(refused(remove), "user `maria` is of the configuration");
        let role = accounts::set_role(installation, known, &by("ada", 5), "maria", Role::Viewer).await;
        assert_eq!(refused(role), "user `maria` is of the configuration");
    }
}

#[tokio::test]
async fn wrong_passwords_slow_down_who_tries_them_and_nobody_else() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        for _ in 0..5 {
            assert_eq!(told(&server.sign_in("maria", "guess", "198.51.100.1", 0).await), WRONG);
        }
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "198.51.100.1", 0).await), "wait 1");
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "192.0.2.7", 0).await), "done", "from elsewhere");
        assert_eq!(told(&server.sign_in("ada", PASSWORD, "198.51.100.1", 0).await), "done", "somebody else");
        assert_eq!(told(&server.sign_in("maria", "guess", "198.51.100.1", 1).await), WRONG);
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "198.51.100.1", 2).await), "wait 1");
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "198.51.100.1", 3).await), "done");
        assert_eq!(told(&server.sign_in("maria", "guess", "198.51.100.1", 3).await), WRONG, "begun anew");
        // A name that is not known is slowed the same.
        for _ in 0..5 {
            server.sign_in("nobody", "guess", "198.51.100.1", 0).await;
        }
        assert_eq!(told(&server.sign_in("nobody", "guess", "198.51.100.1", 0).await), "wait 1");
    }
}

#[tokio::test]
async fn many_attempts_at_once_are_many() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let attempts = (0..12).map(|_| server.sign_in("maria", "guess", "198.51.100.1", 0));
        let outcomes = futures::future::join_all(attempts).await;
        let looked_at = outcomes.iter().filter(|outcome| told(outcome) == WRONG).count();
        assert_eq!(looked_at, 5);
    }
}

#[tokio::test]
async fn a_session_ends_by_time() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let token = server.enter("maria", PASSWORD, 0).await.token;
        let (minute, hour) = (60, 3600);
        assert!(server.session(&token, 59 * minute).await.is_some());
        assert!(seen(&server, &token, 59 * minute).await, "being seen is written down");
        assert!(server.session(&token, 2 * hour - minute - 1).await.is_some());
        assert!(seen(&server, &token, 2 * hour - minute - 1).await);
        assert!(server.session(&token, 3 * hour).await.is_none(), "idle for an hour");
        // However busy, a session ends with the day.
        let token = server.enter("maria", PASSWORD, 0).await.token;
        for half_hour in 1..16 {
            assert!(server.session(&token, half_hour * 1800).await.is_some(), "{half_hour}");
            assert!(seen(&server, &token, half_hour * 1800).await);
        }
        assert!(server.session(&token, 8 * hour).await.is_none());
        // Sessions that nobody can use go when somebody signs in.
        server.enter("ada", PASSWORD, 9 * hour).await;
        let mut reader = server.installation.ledger.read().await.unwrap();
        assert_eq!(reader.list_sessions("maria").await.unwrap(), vec![]);
    }
}

/// Whether it is written down before long that a session was used: nobody waits for that.
async fn seen(server: &Server, token: &SessionToken, second: i64) -> bool {
    for _ in 0..500 {
        if server.session(token, second).await.is_some_and(|session| session.last_seen == at(second)) {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn what_an_administrator_does_counts_at_once() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let token = server.enter("maria", PASSWORD, 0).await.token;
        let role = async |second| server.session(&token, second).await.map(|session| session.user.role);
        assert_eq!(role(1).await, Some(Role::Reviewer));
        accounts::set_role(installation, known, &by("ada", 2), "maria", Role::Viewer).await.unwrap();
        assert_eq!(role(3).await, Some(Role::Viewer));
        let (ended, _) =
            accounts::end_sessions_of(installation, known, &by("ada", 4), "maria").await.unwrap();
        assert_eq!((ended, role(5).await), (1, None));
        let (ended, number) =
            accounts::end_sessions_of(installation, known, &by("ada", 4), "maria").await.unwrap();
        assert_eq!((ended, number), (0, None), "nothing to end is no act");

        let token = server.enter("maria", PASSWORD, 6).await.token;
        let temporary = "a password for one day";
        let to = accounts::ResetTo::Temporary(temporary);
        accounts::reset(installation, known, &by("ada", 7), "maria", &to).await.unwrap();
        assert!(server.session(&token, 8).await.is_none());
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "192.0.2.7", 9).await), WRONG);
        let session = server.enter("maria", temporary, 10).await;
        assert!(server.session(&session.token, 11).await.unwrap().must_change_password);

        accounts::remove(installation, known, &by("ada", 12), "maria").await.unwrap();
        assert!(server.session(&session.token, 13).await.is_none());
        assert_eq!(told(&server.sign_in("maria", temporary, "192.0.2.7", 14).await), WRONG);
        assert_eq!(
            server.acts().await[2..],
            [
                "ada user.role_set maria",
                "ada user.signed_out maria",
                "ada user.password_reset maria",
                "ada user.removed maria"
            ]
        );
    }
}

#[tokio::test]
async fn somebody_stays_who_can_administer() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let last = "user `ada` is the last administrator";
        let role = accounts::set_role(installation, known, &by("maria", 1), "ada", Role::Viewer).await;
        assert_eq!(refused(role), last);
        assert_eq!(refused(accounts::remove(installation, known, &by("maria", 1), "Ada").await), last);
        let own = accounts::remove(installation, known, &by("Ada", 1), "ada").await;
        assert_eq!(refused(own), "nobody removes their own account");
        accounts::set_role(installation, known, &by("ada", 2), "maria", Role::Admin).await.unwrap();
        accounts::set_role(installation, known, &by("maria", 3), "ada", Role::Viewer).await.unwrap();
        accounts::remove(installation, known, &by("maria", 4), "ada").await.unwrap();
    }
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions_and_no_other() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let here = server.enter("maria", PASSWORD, 0).await;
        let there = done(server.sign_in("maria", PASSWORD, "198.51.100.1", 1).await);
        let other = server.enter("ada", PASSWORD, 2).await;
        let own = accounts::sessions_of(installation, known, "maria", at(3)).await.unwrap();
        let own: Vec<(&str, &str)> =
            own.iter().map(|session| (session.address.as_str(), session.id.as_str())).collect();
        assert_eq!(own, [("198.51.100.1", there.id.as_str()), ("192.0.2.7", &here.id)]);

        let refused = refused(accounts::end_session(installation, &by("maria", 4), &other.id).await);
        assert_eq!(refused, format!("`maria` has no session `{}`", other.id));
        accounts::end_session(installation, &by("maria", 4), &there.id).await.unwrap();
        assert!(server.session(&there.token, 5).await.is_none());
        assert!(server.session(&other.token, 5).await.is_some());
        let january = "2025-01".parse().unwrap();
        accounts::choose_period(installation, &here.token, Some(january)).await.unwrap();
        assert_eq!(server.session(&here.token, 5).await.unwrap().period, Some(january));
        assert!(accounts::sign_out(installation, &here.token).await.unwrap());
        assert!(!accounts::sign_out(installation, &here.token).await.unwrap());
        assert!(server.session(&here.token, 6).await.is_none());
        assert_eq!(server.acts().await.len(), 2, "who comes and goes is no act");
    }
}

#[tokio::test]
async fn another_password_ends_all_other_sessions() {
    for engine in engines() {
        let server = Server::with_people(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let here = server.enter("maria", PASSWORD, 0).await;
        let there = server.enter("maria", PASSWORD, 1).await;
        let new = "another horse in the stable";
        let change = async |old: &str, new: &str, second| {
            accounts::change_password(installation, known, &here.token, (old, new), at(second)).await
        };
        assert_eq!(refused(change("wrong", new, 2).await), "the password that you have now is another");
        assert_eq!(
            refused(change(PASSWORD, "maria", 2).await),
            "the password will not do\n  password: it needs at least 8 characters\n  \
             password: it is the name or the address of its owner"
        );
        assert_eq!(refused(change(PASSWORD, PASSWORD, 2).await), "the new password is the old one");
        let session = change(PASSWORD, new, 3).await.unwrap();
        for over in [&here.token, &there.token] {
            assert!(server.session(over, 4).await.is_none());
        }
        assert!(server.session(&session.token, 4).await.is_some());
        assert_eq!(told(&server.sign_in("maria", PASSWORD, "192.0.2.7", 5).await), WRONG);
        server.enter("maria", new, 6).await;
        assert_eq!(refused(change(new, PASSWORD, 7).await), "the session has ended: sign in again");
        // Whoever took a session over cannot guess the password with it.
        for _ in 0..5 {
            let guess =
                accounts::change_password(installation, known, &session.token, ("x", new), at(8)).await;
            guess.unwrap_err();
        }
        let guess =
            accounts::change_password(installation, known, &session.token, (new, PASSWORD), at(8)).await;
        assert_eq!(refused(guess), "too many wrong passwords: try again in 1 seconds");
    }
}

#[tokio::test]
async fn the_first_account_is_made_by_a_link_that_is_good_once() {
    for engine in engines() {
        let server = Server::start(engine).await;
        let (installation, known) = (&server.installation, &server.accounts);
        let token = async |second| set_up_token(installation, known, at(second)).await.unwrap();
        let (one, two) = (token(0).await.unwrap(), token(1).await.unwrap());
        let ada = new_user("Ada", Role::Viewer);
        let over = "this link is not good any more";
        let day = 24 * 3600;
        assert_eq!(refused(set_up(installation, known, &one, &ada, at(day)).await), over);
        assert_eq!(refused(set_up(installation, known, "guess", &ada, at(2)).await), over);
        let mut bad = ada.clone();
        (bad.email, bad.password) = ("ada".to_owned(), "12345678".to_owned());
        assert_eq!(
            refused(set_up(installation, known, &one, &bad, at(2)).await),
            "the account will not do\n  email: `ada` is not an e-mail address\n  \
             password: it is among the first that are tried"
        );
        set_up(installation, known, &one, &ada, at(3)).await.unwrap();
        assert_eq!(
            refused(set_up(installation, known, &two, &new_user("eve", Role::Admin), at(4)).await),
            over
        );
        assert_eq!(token(5).await, None, "there is an account now");
        let session = server.enter("ada", PASSWORD, 6).await;
        assert_eq!(server.session(&session.token, 7).await.unwrap().user.role, Role::Admin);
        assert_eq!(server.acts().await, ["ada user.created ada"]);
    }
}

#[tokio::test]
async fn a_client_that_says_too_much_is_cut() {
    let server = Server::with_people(Engine::Sqlite).await;
    let (installation, known) = (&server.installation, &server.accounts);
    let mut loud = client("192.0.2.7");
    loud.user_agent = format!("Fire\nfox{}", "x".repeat(5000));
    let signed_in = accounts::sign_in(installation, known, "maria", PASSWORD, &loud, at(0)).await.unwrap();
    let session = server.session(&done(signed_in).token, 1).await.unwrap();
    assert!(session.user_agent.starts_with("Firefoxxx") && session.user_agent.len() == 200);
    assert_eq!(SessionToken::parse("short"), None);
    assert_eq!(SessionToken::parse(&"G".repeat(64)), None);
}

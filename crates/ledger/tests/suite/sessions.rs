//! Who is signed in, what was tried, tokens of programs.

use ledger::*;

use crate::engines::{Bench, at, benches, commit, stamp};
use crate::imports::period;

fn session(token: &str, name: &str) -> SessionRow {
    SessionRow {
        token_sha256: token.to_owned(),
        id: format!("id-{token}"),
        name: name.to_owned(),
        credential: "c".to_owned(),
        csrf: "f".to_owned(),
        pending_totp: false,
        must_change: true,
        totp_setup: None,
        period: None,
        address: "192.0.2.7".to_owned(),
        user_agent: "Firefox".to_owned(),
        created: at(1),
        last_seen: at(1),
        expires_at: at(60),
    }
}

async fn book(bench: &Bench) -> Bookkeeping {
    bench.ledger.bookkeeping().await.unwrap()
}

#[tokio::test]
async fn sessions_are_no_act_and_end_with_one() {
    for bench in benches("session").await {
        let before = bench.ledger.read().await.unwrap().head();
        let mut open = book(&bench).await;
        for (token, name) in [("a", "maria"), ("b", "maria"), ("c", "casey")] {
            open.put_session(&session(token, name)).await.unwrap();
        }
        open.touch_session("b", at(5)).await.unwrap();
        open.touch_session("b", at(4)).await.unwrap();
        open.set_session_period("a", Some(period("2025-01"))).await.unwrap();
        open.set_totp_setup("a", "sealed").await.unwrap();
        open.commit().await.unwrap();

        let mut reader = bench.ledger.read().await.unwrap();
        assert_eq!(reader.head(), before, "no act");
        let expected = SessionRow {
            period: Some(period("2025-01")),
            totp_setup: Some("sealed".to_owned()),
            ..session("a", "maria")
        };
        assert_eq!(reader.find_session("a").await.unwrap(), Some(expected));
        let seen: Vec<_> = reader.list_sessions("maria").await.unwrap();
        let seen: Vec<_> = seen.iter().map(|row| (row.id.as_str(), row.last_seen)).collect();
        assert_eq!(seen, [("id-b", at(5)), ("id-a", at(1))], "seen last comes first");
        drop(reader);

        // An act that fails leaves them.
        let mut tx = bench.begin().await;
        assert_eq!(tx.end_sessions_of("maria", None).await.unwrap(), 2);
        drop(tx);
        let mut tx = bench.begin().await;
        assert_eq!(tx.end_sessions_of("maria", Some("a")).await.unwrap(), 1);
        commit(tx, "user.signed_out").await;
        let mut reader = bench.ledger.read().await.unwrap();
        assert_eq!(reader.find_session("b").await.unwrap(), None);
        assert!(reader.find_session("a").await.unwrap().is_some());
        assert!(reader.verify_books().await.unwrap().is_sound());
        drop(reader);

        let mut open = book(&bench).await;
        assert!(open.end_session("a").await.unwrap());
        assert!(!open.end_session("a").await.unwrap());
        assert_eq!(open.end_expired_sessions(at(60)).await.unwrap(), 0);
        assert_eq!(open.end_expired_sessions(at(61)).await.unwrap(), 1);
        open.commit().await.unwrap();
    }
}

#[tokio::test]
async fn copies_of_the_books_have_no_sessions() {
    for bench in benches("session_copy").await {
        let mut open = book(&bench).await;
        open.put_session(&session("a", "maria")).await.unwrap();
        open.put_set_up_link("link", at(9)).await.unwrap();
        open.commit().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let there = Location::Sqlite(folder.path().join("copy.db"));
        bench.ledger.read().await.unwrap().copy_to(&there, None).await.unwrap();
        let copy = Ledger::open(&there, &stamp("office", 5)).await.unwrap();
        let mut reader = copy.read().await.unwrap();
        assert_eq!(reader.find_session("a").await.unwrap(), None);
        assert_eq!(reader.find_set_up_link("link").await.unwrap(), None);
        let mut original = bench.ledger.read().await.unwrap();
        assert_eq!(original.find_set_up_link("link").await.unwrap(), Some(at(9)));
    }
}

#[tokio::test]
async fn attempts_are_found_by_whom_and_by_where() {
    for bench in benches("attempts").await {
        let mut open = book(&bench).await;
        let cases = [
            ("1", "maria", "net1", 1),
            ("2", "maria", "net2", 2),
            ("3", "casey", "net1", 3),
            ("4", "casey", "net2", 4),
        ];
        for (id, subject, network, minute) in cases {
            let [id, subject, network] = [id, subject, network].map(str::to_owned);
            open.put_sign_in_attempt(&SignInAttempt { id, subject, network, at: at(minute) }).await.unwrap();
        }
        let found = async |open: &mut Bookkeeping| {
            let mut ids: Vec<String> =
                open.sign_in_attempts("maria", "net1").await.unwrap().into_iter().map(|a| a.id).collect();
            ids.sort();
            ids.concat()
        };
        assert_eq!(found(&mut open).await, "123");
        open.forget_sign_in_attempts("maria", "net1").await.unwrap();
        assert_eq!(found(&mut open).await, "23");
        open.forget_sign_in_attempts_before(at(3)).await.unwrap();
        assert_eq!(found(&mut open).await, "3");
        open.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_time_step_is_used_up_once() {
    for bench in benches("totp").await {
        let mut open = book(&bench).await;
        let steps = [(10, true), (10, false), (9, false), (11, true), (11, false)];
        for (step, good) in steps {
            assert_eq!(open.use_totp_step("maria", step).await.unwrap(), good, "{step}");
        }
        assert!(open.use_totp_step("casey", 10).await.unwrap());
        open.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_known_by_its_digest_until_it_is_revoked_and_after() {
    for bench in benches("token").await {
        let mut tx = bench.begin().await;
        let token = |id| ApiToken {
            id,
            name: "export".to_owned(),
            owner: "maria".to_owned(),
            scope: Scope::Review,
            secret_sha256: format!("digest {id}"),
            expires_at: at(90),
        };
        assert_eq!(tx.next_api_token().await.unwrap(), 1);
        tx.create_api_token(&token(1), &stamp("maria", 1)).await.unwrap();
        assert_eq!(tx.next_api_token().await.unwrap(), 2);
        tx.create_api_token(&token(2), &stamp("maria", 2)).await.unwrap();
        tx.revoke_api_token(&token(1), &stamp("admin", 3)).await.unwrap();
        commit(tx, "token.created").await;
        let mut reader = bench.ledger.read().await.unwrap();
        let found = reader.find_api_token("digest 1").await.unwrap().unwrap();
        assert_eq!(found.revoked, Some(stamp("admin", 3)));
        assert_eq!((found.token, found.created), (token(1), stamp("maria", 1)));
        assert_eq!(reader.find_api_token("digest 3").await.unwrap(), None);
        let good: Vec<bool> =
            reader.list_api_tokens().await.unwrap().iter().map(|record| record.revoked.is_none()).collect();
        assert_eq!(good, [false, true]);
        assert!(reader.verify_books().await.unwrap().is_sound());
    }
}

//! Accounts.

use ledger::*;

use crate::engines::{benches, commit, stamp};

fn jane(role: Role) -> User {
    User {
        name: "Jane".to_owned(),
        email: "jane@example.edu".to_owned(),
        display_name: "Jane Doe".to_owned(),
        role,
        password_hash: Some("$argon2id$v=19$x".to_owned()),
        totp_secret: None,
        recovery_codes: Vec::new(),
        must_change: false,
        configured: None,
    }
}

#[tokio::test]
async fn an_account_is_its_latest_event() {
    for bench in benches("user").await {
        let mut tx = bench.begin().await;
        tx.create_user(&jane(Role::Viewer), &stamp("admin", 1)).await.unwrap();
        let twice = tx.create_user(&jane(Role::Admin), &stamp("admin", 1)).await.unwrap_err();
        assert_eq!(twice.to_string(), "the user `jane` is in the ledger already");
        tx.change_user(&jane(Role::Reviewer), &stamp("admin", 2)).await.unwrap();
        commit(tx, "user.created").await;

        let mut tx = bench.begin().await;
        let record = tx.find_user(" JANE ").await.unwrap().unwrap();
        assert_eq!((record.user.role, &record.user.name), (Role::Reviewer, &"jane".to_owned()));
        assert_eq!((record.created, record.changed), (stamp("admin", 1), stamp("admin", 2)));
        assert_eq!(record.user.password_hash, jane(Role::Viewer).password_hash);
        tx.remove_user("jane", &stamp("admin", 3)).await.unwrap();
        assert_eq!(tx.find_user("jane").await.unwrap(), None);
        assert_eq!(tx.list_users().await.unwrap(), vec![]);
        let gone = tx.change_user(&jane(Role::Admin), &stamp("admin", 4)).await.unwrap_err();
        assert_eq!(gone.to_string(), "the user `jane` is not in the ledger");
        tx.create_user(&jane(Role::Admin), &stamp("admin", 5)).await.unwrap();
        assert_eq!(tx.list_users().await.unwrap()[0].created, stamp("admin", 5));
    }
}

#[tokio::test]
async fn a_second_factor_is_kept_with_the_account_and_goes_with_it() {
    for bench in benches("user_factor").await {
        let factor = User {
            totp_secret: Some("v1.sealed".to_owned()),
            recovery_codes: vec!["one".to_owned(), "two".to_owned()],
            must_change: true,
            configured: Some("digest".to_owned()),
            name: "jane".to_owned(),
            ..jane(Role::Admin)
        };
        let mut tx = bench.begin().await;
        tx.create_user(&factor, &stamp("admin", 1)).await.unwrap();
        assert_eq!(tx.find_user("jane").await.unwrap().unwrap().user, factor);
        tx.remove_user("jane", &stamp("admin", 2)).await.unwrap();
        tx.create_user(&jane(Role::Viewer), &stamp("admin", 3)).await.unwrap();
        let again = tx.find_user("jane").await.unwrap().unwrap().user;
        assert_eq!((again.totp_secret, again.recovery_codes.len(), again.must_change), (None, 0, false));
        commit(tx, "user.created").await;
        assert!(bench.ledger.read().await.unwrap().verify_books().await.unwrap().is_sound());
    }
}

#[test]
fn roles_are_read_by_name() {
    assert_eq!("reviewer".parse(), Ok(Role::Reviewer));
    let wrong = "root".parse::<Role>().unwrap_err();
    assert_eq!(wrong.to_string(), "`root` is not a role; it is viewer, reviewer or admin");
}

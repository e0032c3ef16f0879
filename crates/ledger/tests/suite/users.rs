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

#[test]
fn roles_are_read_by_name() {
    assert_eq!("reviewer".parse(), Ok(Role::Reviewer));
    let wrong = "root".parse::<Role>().unwrap_err();
    assert_eq!(wrong.to_string(), "`root` is not a role; it is viewer, reviewer or admin");
}

//! What is kept of a part is told from what is not, without keeping it twice.

use billing::ImportId;
use billing::intake::{PartIdentity, identities};

use crate::common::{Charge, Home, block, charge, period, wait};

fn charges() -> Vec<Charge> {
    let account = |charge: Charge, name: &str| charge.with("billing_account_id", name);
    vec![
        account(charge("1").hashed(1, 10, 0), "a"),
        account(charge("2").hashed(2, 20, 0), "b"),
        account(charge("2").hashed(2, 20, 0), "a"),
        charge("3").hashed(3, 30, 0),
        account(charge("4").hashed(4, 40, 0).in_period("2025-02"), "a"),
    ]
}

#[test]
fn kept_charges_have_the_identity_of_those_that_were_made() {
    let home = Home::new();
    let files = home.import(7, "AWS", &[charges()]);
    let kept = wait(home.view(files).identities()).unwrap();
    let made = identities(&block(&charges(), 1));
    let of_import =
        made.into_iter().map(|((period, account), identity)| ((ImportId(7), period, account), identity));
    assert_eq!(kept, of_import.collect());
    let rows = |month: &str, account: Option<&str>| {
        kept[&(ImportId(7), period(month), account.map(str::to_owned))].rows
    };
    assert_eq!((rows("2025-01", Some("a")), rows("2025-01", Some("b")), rows("2025-01", None)), (2, 1, 1));
    assert_eq!(rows("2025-02", Some("a")), 1);
}

#[test]
fn a_charge_with_other_content_is_another_part() {
    let home = Home::new();
    let mut others = charges();
    others[2].content_digest = 21;
    let one = wait(home.view(home.import(1, "AWS", &[charges()])).identities()).unwrap();
    let other = wait(home.view(home.import(2, "AWS", &[others])).identities()).unwrap();
    let of = |found: &lake::Identities, import: i64, account: &str| -> PartIdentity {
        found[&(ImportId(import), period("2025-01"), Some(account.to_owned()))]
    };
    assert_ne!(of(&one, 1, "a"), of(&other, 2, "a"));
    assert_eq!(of(&one, 1, "b"), of(&other, 2, "b"));
}

#[test]
fn a_file_is_what_it_is_now() {
    let home = Home::new();
    let file = home.write(1, "AWS", &[charges()]).remove(0);
    let seen = std::cell::Cell::new(0);
    let found = home.lake.digest_file(&file.path, &|bytes| seen.set(seen.get() + bytes)).unwrap().unwrap();
    assert_eq!((found.sha256, found.size_bytes, seen.get()), (file.sha256, file.size_bytes, file.size_bytes));
    std::fs::remove_file(home.lake.root().join(&file.path)).unwrap();
    assert_eq!(home.lake.digest_file(&file.path, &|_| ()).unwrap(), None);
    assert!(home.lake.digest_file("../ledger.db", &|_| ()).is_err());
}

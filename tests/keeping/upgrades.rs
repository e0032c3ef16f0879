//! A ledger of the past, opened by the program of today.

use crate::support::{Engine, Home, entries, sql, text};

const SCHEMA_1: &str = include_str!("../../fixtures/ledgers/schema-1.sql");

#[test]
fn an_older_ledger_is_kept_and_upgraded_and_that_is_said() {
    let home = Home::bare_on(Engine::Sqlite);
    home.write("config.yaml", crate::support::CONFIG);
    std::fs::create_dir_all(home.path().join("instance")).unwrap();
    sql(&format!("sqlite://{}?mode=rwc", home.path().join("instance/ledger.db").display()), SCHEMA_1);

    let first = home.run("statements list --json");
    assert_eq!(first.code, 0, "{}", first.stderr);
    let now = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/migrations/sqlite"))
        .unwrap()
        .count();
    let expected = format!(
        "the ledger was upgraded from schema 1 to {now}; as it was, it is kept as `instance/ledger.db.before-schema-{now}`"
    );
    assert_eq!(first.stderr.trim(), expected);
    let again = home.run("statements list --json");
    assert_eq!((again.stderr.as_str(), &again.stdout), ("", &first.stdout), "it is said once");
    let upgrades = entries(&home.json("audit list"));
    let upgrades = upgrades.iter().filter(|act| text(act, "act") == "installation.upgraded").count();
    assert_eq!(upgrades, 1);
    home.ok("audit verify");
}

#[test]
fn killed_in_the_middle_of_an_upgrade_the_ledger_is_as_before() {
    for point in
        ["ledger.upgrade.copied", "ledger.upgrade.kept", "ledger.act.recorded", "ledger.act.committed"]
    {
        let home = Home::bare_on(Engine::Sqlite);
        std::fs::create_dir_all(home.path().join("instance")).unwrap();
        sql(&format!("sqlite://{}?mode=rwc", home.path().join("instance/ledger.db").display()), SCHEMA_1);
        let killed = home.command("sources list").env("FOCUS_BILLING_ABORT_AT", point).output().unwrap();
        assert!(!killed.status.success(), "{point}");
        home.ok("sources list");
        home.ok("audit verify");
        assert_eq!(entries(&home.json("imports list")).len(), 4, "{point}");
    }
}

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::home::Named;
use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.yaml"), text).unwrap();
    let location = Location { working_directory: home.path().to_owned(), ..Location::default() };
    let environment = |name: &str| (name == "CREDIT_FUND").then(|| "RCS-10010".to_owned());
    Config::load_in(&location, &environment)
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

fn findings(text: &str) -> String {
    match load(text) {
        Ok(config) => lines(&config.notes),
        Err(ConfigError::Problems { findings, .. }) => lines(&findings),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"
currncy: "E"
currency_code: Dollar
dev_mode: perhaps
dev_mode: true
database:
  path: [a, b]
  url: postgres://db/x
institution:
  logo: nowhere.png
  contact_email: research computing
smtp:
  port: abc
  hosts: smtp.example.edu
email:
  subject_template: "Charges {month}"
logging:
  level: loud
  format: xml
web:
  port: 0
  users:
    maria: { role: owner, colour: blue }
tag_mapping: pi
review:
  flag_patterns: ["training", "(gpu", "a(?=b)"]
  fund_org_patterns:
    - {a: b}
imports:
  known_sources:
    - {name: AWS, delivery: monthly, basis: list}
    - {name: aws, fund_org: "${NOBODY}"}
    - {pattern: x}
journal:
  fund_org_regex: "^(?P<fund>.+)$"
  account_code_regex: "^[0-9]{5}$"
  default_account: 548
  debit_description: "{sorce}"
completely_else: 1
"#;
    assert_snapshot!(findings(text), @"");
}

#[test]
fn a_file_that_is_not_yaml_is_told_with_its_line() {
    assert_snapshot!(findings("currency: \"$\"\nsmtp: [\n"), @"");
    assert_snapshot!(findings("- a\n- b\n"), @"");
    assert_snapshot!(findings("just words\n"), @"");
}

/// Every key of the reference, as an older installation would have written it.
const OLDER: &str = include_str!("tests/older.yaml");

#[test]
fn a_file_of_an_older_installation_loads_unchanged() {
    let config = load(OLDER).unwrap();
    assert_snapshot!(lines(&config.notes), @"");
    assert_snapshot!(config.to_yaml(), @"");
    assert_eq!(config.smtp.username.resolve_in(&|_| Some("relay".to_owned())).unwrap(), "relay");
    assert_snapshot!(config.smtp.password.resolve_in(&|_| None).unwrap_err(), @"");
}

#[test]
fn without_a_file_the_defaults_hold() {
    let home = tempfile::tempdir().unwrap();
    let location = Location { working_directory: home.path().to_owned(), ..Location::default() };
    let config = Config::load_in(&location, &|_| None).unwrap();
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.home, home.path());
    assert!(matches!(&config.database, Database::File(path) if *path == home.path().join("instance/ledger.db")));
    assert_snapshot!(config.effective_text(), @"");
}

#[test]
fn effective_values_are_themselves_a_configuration_with_the_same_digest() {
    for text in ["", OLDER, COMMENTED, include_str!("../../../../sample_data/config.yaml")] {
        let config = load(text).unwrap();
        let again = load(&config.to_yaml().replace("url: \"\"\n", "\n")).unwrap();
        assert_eq!(again.settings, config.settings);
        assert_eq!(again.digest(), config.digest());
        assert_eq!(again.to_yaml(), config.to_yaml());
    }
}

#[test]
fn the_digest_follows_the_rules_and_not_the_place() {
    let digest = |text: &str| load(text).unwrap().digest();
    assert_eq!(digest(""), digest("smtp: {port: 25}\noutput: {pdf_dir: elsewhere}\n"));
    assert_ne!(digest(""), digest("review: {flag_patterns: [gpu]}\n"));
    assert_ne!(digest(""), digest("institution: {name: Elsewhere}\n"));
}

#[test]
fn a_commented_file_has_no_findings_and_the_settings_it_shows_are_the_defaults() {
    let config = load(COMMENTED).unwrap();
    assert_eq!(lines(&config.notes), "");
    let defaults = Settings::default();
    assert_eq!(config.settings.tag_mapping, defaults.tag_mapping);
    assert_eq!(config.settings.journal, defaults.journal);
    assert_eq!(config.settings.currency, defaults.currency);
    let names = |settings: &Settings| -> Vec<_> {
        settings.sources.iter().map(|source| (source.name.to_string(), source.pattern.clone())).collect()
    };
    assert_eq!(names(&config.settings), names(&defaults));
    assert!(!config.to_yaml().contains("********"), "there are no default passwords");
}

#[test]
fn secrets_are_never_shown() {
    let config = load(
        "smtp: {password: hunter2}\nweb: {secret_key: hunter2, users: {a: {password_hash: hunter2}}}\n\
         sources: {aws: {api_key: hunter2}}\ndatabase: {url: 'postgres://billing:hunter2@db/ledger'}\n",
    )
    .unwrap();
    let everything = format!("{}{}{config:?}", config.to_yaml(), config.effective_text());
    assert!(!everything.contains("hunter2"), "{everything}");
    assert_eq!(config.database_shown(), "postgres://billing:********@db/ledger");
}

#[test]
fn values_have_forms() {
    let tags = |text: &str| load(text).unwrap().settings.tag_mapping;
    assert_eq!(tags("tag_mapping: {pi_email: owner}").pi_email, ["owner"]);
    assert_eq!(tags("tag_mapping: {pi_email: [owner, pi]}").pi_email, ["owner", "pi"]);
    assert!(tags("tag_mapping: {pi_email: ''}").pi_email.is_empty());
    assert!(tags("tag_mapping: {pi_email: }").pi_email.is_empty());
    assert_eq!(tags("tag_mapping: {fund_org: f}").pi_email, ["pi_email"]);

    let source = |text: &str| load(&format!("imports: {{known_sources: [{text}]}}")).unwrap().settings.sources[0].clone();
    assert_eq!(source("{name: Lab, account_code: 0042}").account_code.as_deref(), Some("0042"));
    assert_eq!(source("{name: Lab}").pattern, "lab");
    assert_eq!(source("{name: Lab, fund_org: '${CREDIT_FUND}'}").fund_org.as_deref(), Some("RCS-10010"));
    assert_eq!(source("{name: Lab, delivery: Snapshot}").delivery, billing::settings::Delivery::Snapshot);

    let currency = |text: &str| load(text).unwrap().settings.currency;
    assert_eq!(currency("currency_code: EUR").symbol, "EUR");
    assert_eq!(currency("currency: '£'\ncurrency_code: GBP").symbol, "£");
    assert!(load("dev_mode: yes").unwrap().dev_mode);
    assert_eq!(load("smtp: {port: '25'}").unwrap().smtp.port, 25);
}

#[test]
fn which_file_and_which_home() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for file in ["a/config.yaml", "b/instance/config.yaml", "c/config.yaml", "c/instance/config.yaml", "d/site.yaml"] {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    std::fs::create_dir(root.join("e")).unwrap();
    // working directory, --config, --home; file and home that are found
    let cases: [(&str, &str, &str, &str); 12] = [
        ("a", "", "", "a/config.yaml a"),
        ("b", "", "", "b/instance/config.yaml b"),
        ("c", "", "", "c/config.yaml c; config.yaml:1: read; `instance/config.yaml` beside it is not"),
        ("e", "", "", "- e"),
        ("e", "", "../b", "b/instance/config.yaml b"),
        ("e", "../d/site.yaml", "", "d/site.yaml d"),
        ("e", "../b/instance/config.yaml", "", "b/instance/config.yaml b"),
        ("e", "../d/site.yaml", "../a", "d/site.yaml a"),
        ("b/instance", "", "", "b/instance/config.yaml b"),
        ("a", "site.yaml", "", "--config: there is no file `site.yaml`"),
        ("a", "../e", "", "--config: there is no file `../e`"),
        ("a", "", "x", "--home: there is no folder `x`"),
    ];
    let relative = |path: &Path| {
        let path = path.canonicalize().unwrap();
        path.strip_prefix(root.canonicalize().unwrap()).unwrap().display().to_string()
    };
    for (working_directory, config, home, expected) in cases {
        let named = |path: &str| Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
        let location = Location {
            config: named(config).map(|path| Named { path, by: "--config" }),
            home: named(home),
            working_directory: root.join(working_directory),
        };
        let outcome = match location.find() {
            Err(error) => error.to_string(),
            Ok(found) => {
                let file = found.file.as_deref().map_or("-".to_owned(), relative);
                let notes: String = found.notes.iter().map(|note| format!("; {note}")).collect();
                format!("{file} {}{notes}", relative(&found.home))
            }
        };
        assert_eq!(outcome, expected, "in {working_directory}, --config {config}, --home {home}");
    }
}

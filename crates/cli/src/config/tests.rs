use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proptest::prelude::*;

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
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
    assert_snapshot!(findings(text), @r"
    config.yaml:2: currncy: unknown key (did you mean currency?)
    config.yaml:3: currency_code: `Dollar` is not an ISO 4217 currency code such as USD
    config.yaml:4: dev_mode: `perhaps` is not true or false
    config.yaml:5: dev_mode: written twice (first on line 4)
    config.yaml:7: database.path: expected a text, found a list
    config.yaml:8: database.url: database.path is given too: keep one of them
    config.yaml:10: institution.logo: there is no file `nowhere.png` in the home
    config.yaml:11: institution.contact_email: `research computing` is not an e-mail address
    config.yaml:13: smtp.port: `abc` is not a port number
    config.yaml:14: smtp.hosts: unknown key (did you mean host?)
    config.yaml:16: email.subject_template: `{month}` is not a placeholder here; there is {billing_period}
    config.yaml:18: logging.level: `loud` is not one of INFO, DEBUG, WARN, WARNING, ERROR
    config.yaml:19: logging.format: `xml` is not one of splunk, json
    config.yaml:21: web.port: `0` is not a port number
    config.yaml:23: web.users.maria.role: `owner` is not one of viewer, reviewer, admin
    config.yaml:23: web.users.maria.colour: unknown key (known here: email, display_name, password_hash, role, recovery)
    config.yaml:24: tag_mapping: expected keys below it, found a single value
    config.yaml:26: review.flag_patterns[2]: `(gpu` is not a pattern: unclosed group
    config.yaml:26: review.flag_patterns[3]: `a(?=b)` is not a pattern: look-around, including look-ahead and look-behind, is not supported
    config.yaml:28: review.fund_org_patterns[1]: expected a text, found keys below it
    config.yaml:31: imports.known_sources[1].delivery: `monthly` is not one of ask, snapshot, increment
    config.yaml:31: imports.known_sources[1].basis: `list` is not one of billed, effective, contracted
    config.yaml:32: imports.known_sources[2].fund_org: the environment variable `NOBODY` is not set
    config.yaml:32: imports.known_sources[2].name: `aws` is known already (line 31)
    config.yaml:33: imports.known_sources[3].name: a source needs a name
    config.yaml:35: journal.fund_org_regex: `^(?P<fund>.+)$` has no group named `orgn`, such as `(?P<orgn>[^-]+)`
    config.yaml:37: journal.default_account: `548` does not match journal.account_code_regex `^[0-9]{5}$`
    config.yaml:38: journal.debit_description: `{sorce}` is not a placeholder here; there is {source}, {period}, {fund_org}, {pi_email}, {project_id}
    config.yaml:39: completely_else: unknown key (known here: dev_mode, currency_code, currency, database, institution, billing, smtp, email, tag_mapping, output, logging, web, review, journal, attribution, subsidies, imports, sources)
    ");
}

#[test]
fn a_file_that_is_not_yaml_is_told_with_its_line() {
    assert_snapshot!(findings("currency: \"$\"\nsmtp: [\n"), @"config.yaml:3: not YAML: while parsing a node, did not find expected node content");
    assert_snapshot!(findings("- a\n- b\n"), @r#"config.yaml:1: expected keys, such as `currency: "$"`"#);
    assert_snapshot!(findings("just words\n"), @r#"config.yaml:1: expected keys, such as `currency: "$"`"#);
}

#[test]
fn what_the_web_interface_refuses_is_told_before() {
    let wrong = "web:\n  trusted_proxy: [10.0.0.5, proxy]\n  tls: {certificate: a.pem}\n";
    assert_snapshot!(findings(wrong), @r"
    config.yaml:2: web.trusted_proxy[2]: `proxy` is not an IP address such as 10.0.0.5
    config.yaml:3: web.tls.certificate: there is no `key` beside it
    ");
    let noted = "web:\n  host: 0.0.0.0\n  secret_key: your-secret-key-here\n  password_requirements:\n    min_length: 4\n";
    assert_snapshot!(findings(noted), @r"
    config.yaml:2: web.host: others can reach it, and it is not encrypted: the web interface does not start without `web.tls` or `web.trusted_proxy`
    config.yaml:3: web.secret_key: the web interface refuses it: it is the one of an example, which everybody knows; leave `web.secret_key` out and one is made, or give 32 or more random characters
    config.yaml:5: web.password_requirements.min_length: shorter passwords than 8 are never taken
    ");
    let behind = "web:\n  host: 0.0.0.0\n  secret_key: ${NOBODY}\n  trusted_proxy: 10.0.0.5\n";
    assert_eq!(findings(behind), "");
    let own = load("web: {tls: {certificate: a.pem, key: b.pem}, host: 0.0.0.0}").unwrap();
    let tls = own.web.tls.as_ref().unwrap();
    assert!(tls.certificate == own.home.join("a.pem") && tls.key == own.home.join("b.pem"));
    assert_eq!(lines(&own.notes), "");
}

/// Every key of the reference, as an older installation would have written it.
const OLDER: &str = include_str!("tests/older.yaml");

#[test]
fn a_file_of_an_older_installation_loads_unchanged() {
    let config = load(OLDER).unwrap();
    assert_snapshot!(lines(&config.notes), @"
    config.yaml:41: sources.aws.api_url: not used
    config.yaml:42: sources.aws.api_key: not used
    config.yaml:43: sources.aws.api_secret: not used
    config.yaml:45: sources.azure.tenant_id: not used
    config.yaml:46: sources.azure.client_id: not used
    config.yaml:47: sources.azure.client_secret: not used
    config.yaml:61: web.users.admin.recovery: this account always signs in with the password of this file
    config.yaml:88: imports.known_sources[2].fund_org: `HPCOPS` does not match journal.fund_org_regex: no journal can credit it
    ");
    assert_eq!(config.smtp.username.resolve_in(&|_| Some("relay".to_owned())).unwrap(), "relay");
    assert_snapshot!(config.smtp.password.resolve_in(&|_| None).unwrap_err(), @"config.yaml:12: smtp.password: the environment variable `SMTP_PASSWORD` is not set");
}

#[test]
fn effective_values_are_shown_without_secrets() {
    let config = load(OLDER).unwrap();
    assert_snapshot!(config.to_yaml());
}

#[test]
fn without_a_file_the_defaults_hold() {
    let home = tempfile::tempdir().unwrap();
    let location = Location { working_directory: home.path().to_owned(), ..Location::default() };
    let config = Config::load_in(&location, &|_| None).unwrap();
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.home, home.path());
    assert!(
        matches!(&config.database, Database::File(path) if *path == home.path().join("instance/ledger.db"))
    );
    assert_snapshot!(config.effective_text(), @r#"{"email":{"from_address":"","from_name":"Research Computing Billing","subject_template":"Research Computing Charges - {billing_period}"},"institution":{"contact_email":"","logo":"","name":""},"settings":{"attribution":{"precedence":"tags"},"currency":{"code":"USD","symbol":"$"},"journal":{"account_code_regex":"","credit_description":"{source} {period} Research Computing Charges","debit_description":"{source} {period} Research Computing Charges","default_account":"","document_format":"J-{period}-{sequence}","fund_org_regex":"^(?P<orgn>[^-]+)-(?P<fund>.+)$","limits":{"description":null,"document":null,"reference":null},"template":"journal_gl.csv"},"require_fund_org":true,"review":{"flag_patterns":[],"fund_org_patterns":[],"unusual_cost":{"minimum":"100","mode":"off","months":6,"ratio_percent":300}},"sources":[{"account_code":null,"basis":"billed","delivery":"ask","fund_org":null,"name":"AWS","pattern":"aws","priced_by":"file"},{"account_code":null,"basis":"billed","delivery":"ask","fund_org":null,"name":"Azure","pattern":"azure","priced_by":"file"},{"account_code":null,"basis":"billed","delivery":"ask","fund_org":null,"name":"GCP","pattern":"gcp","priced_by":"file"},{"account_code":null,"basis":"billed","delivery":"ask","fund_org":null,"name":"HPC","pattern":"hpc","priced_by":"file"},{"account_code":null,"basis":"billed","delivery":"ask","fund_org":null,"name":"Storage","pattern":"storage","priced_by":"file"}],"subsidies":{"fiscal_year_start":7},"tag_mapping":{"account_code":["account_code"],"cost_center":["cost_center"],"customer_class":["customer_class"],"end_date":["end_date"],"fallback_fund_org":["fallback_fund_org"],"fund_org":["fund_org"],"pi_email":["pi_email"],"project_id":["project","project_id"],"reconciliation_end":["reconciliation_end"],"reference_1":[],"reference_2":[],"usage_user":["usage_user","user"]}}}"#);
}

#[test]
fn effective_values_are_themselves_a_configuration_with_the_same_digest() {
    for text in ["", OLDER, COMMENTED, include_str!("../../../../sample_data/config.yaml")] {
        let config = load(text).unwrap();
        let again = load(&config.to_yaml()).unwrap();
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

    let source = |text: &str| {
        load(&format!("imports: {{known_sources: [{text}]}}")).unwrap().settings.sources[0].clone()
    };
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
    for file in
        ["a/config.yaml", "b/instance/config.yaml", "c/config.yaml", "c/instance/config.yaml", "d/site.yaml"]
    {
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
                let home = relative(&found.home);
                let said = [format!("{file} {home}")].into_iter();
                said.chain(found.notes.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(outcome, expected, "in {working_directory}, --config {config}, --home {home}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_value_holds_is_shown_so_that_it_reads_back(name in any::<String>(), pattern in "[ -~]*") {
        prop_assume!(!name.contains("${") && !pattern.contains("${"));
        let found = Location::default().find().unwrap();
        let read = |text: &str| load::read(text, &found, &|_| None, &mut Vec::new()).unwrap();
        let mut config = read("imports: {known_sources: [{name: Lab}]}");
        config.effective["institution"]["name"] = name.as_str().into();
        config.effective["imports"]["known_sources"][0]["pattern"] = pattern.as_str().into();
        let again = read(&config.to_yaml());
        prop_assert_eq!(again.institution.name, name);
        prop_assert_eq!(&again.settings.sources[0].pattern, &pattern);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "([a-z_]{0,6}[:\\-\\[\\]{}&*!|>'\"%@`, \n\t#~<$]{0,3}){0,30}") {
        let found = Location::default().find().unwrap();
        let mut findings = Vec::new();
        let config = load::read(&text, &found, &|_| None, &mut findings);
        prop_assert!(config.is_some() || !findings.is_empty());
    }
}

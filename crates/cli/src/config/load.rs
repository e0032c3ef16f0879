//! The list of keys: what each is called, what it may hold, what holds without it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use billing::attribution_table::Precedence;
use billing::journal::{DocumentFormat, JournalLimits};
use billing::settings::{
    AttributionSettings, Basis, ConnectorSettings, Delivery, JournalSettings, PricedBy, ReviewSettings,
    Settings, SourceSettings, SubsidySettings, TagMapping,
};
use billing::unusual::{self, Mode, UnusualCost};
use money::{Amount, Currency, CurrencyCode, Minor};
use regex::{Regex, RegexBuilder};
use workflow::accounts::{LENGTH_MIN, SecretKey};

use super::env_text::Environment;
use super::home::ConfigFile;
use super::reading::{Checked, Finding, HIDDEN, Reading, Section, any_text};
use super::yaml::{self, Entry, Value};
use super::{
    Config, Database, Email, Institution, LogFormat, LogLevel, Logging, OutputFolders, PasswordRequirements,
    Role, Smtp, Tls, Web, WebUser,
};

/// Read a whole file. `None` when it is not YAML of keys; everything that is wrong goes to `findings`.
pub(super) fn read(
    text: &str,
    found: &ConfigFile,
    environment: &Environment<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Config> {
    let mut reading = Reading { file: found.shown.clone(), environment, findings: Vec::new() };
    let config = match yaml::parse(text) {
        Err(error) => {
            reading.find(error.line, "", format!("not YAML: {}", error.reason), true);
            None
        }
        Ok(None) => Some(read_keys(&mut reading, &[], found)),
        Ok(Some(node)) => match &node.value {
            Value::Map(entries) => Some(read_keys(&mut reading, entries, found)),
            _ if node.is_null() => Some(read_keys(&mut reading, &[], found)),
            _ => {
                reading.find(node.line, "", "expected keys, such as `currency: \"$\"`".to_owned(), true);
                None
            }
        },
    };
    findings.append(&mut reading.findings);
    config
}

fn read_keys(reading: &mut Reading<'_>, entries: &[Entry], found: &ConfigFile) -> Config {
    let home = found.home.clone();
    let mut root = Section::root(reading, entries);
    let dev_mode = root.flag("dev_mode", false);
    let currency = currency(&mut root);
    let database = root.section("database", |section| database(section, &home));
    let institution = root.section("institution", |section| institution(section, &home));
    let require_fund_org = root.section("billing", |section| section.flag("require_fund_org", true));
    let smtp = root.section("smtp", smtp);
    let email = root.section("email", email);
    let tag_mapping = root.section("tag_mapping", tag_mapping);
    let output = root.section("output", |section| output_folders(section, &home));
    let logging = root.section("logging", |section| logging(section, &home));
    let web = root.section("web", |section| web(section, &home));
    let review = root.section("review", review);
    let journal = root.section("journal", journal);
    let attribution = root.section("attribution", |section| AttributionSettings {
        precedence: section.choice("precedence", &[("tags", Precedence::Tags), ("table", Precedence::Table)]),
    });
    let subsidies = root.section("subsidies", |section| SubsidySettings {
        fiscal_year_start: section.parsed(
            "fiscal_year_start",
            "a month from 1 to 12",
            SubsidySettings::default().fiscal_year_start,
            |text| text.parse().ok().filter(|month| (1..=12).contains(month)),
            u8::to_string,
        ),
    });
    let sources = root.section("imports", |section| known_sources(section, &journal));
    unused_credentials(&mut root);
    let effective = root.finish();
    let settings = Settings {
        currency,
        tag_mapping,
        review,
        sources,
        journal,
        require_fund_org,
        attribution,
        subsidies,
    };
    Config {
        file: found.file.clone(),
        home,
        settings,
        database,
        institution,
        smtp,
        email,
        output,
        logging,
        web,
        dev_mode,
        notes: Vec::new(),
        effective,
    }
}

fn currency(root: &mut Section<'_, '_>) -> Currency {
    let check = |text: &str| match text.parse::<CurrencyCode>() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    let code = root.text("currency_code", "USD", check).parse().unwrap_or(CurrencyCode::USD);
    // Without a symbol of its own another currency must not be shown as dollars.
    let default = if code == CurrencyCode::USD { "$" } else { code.as_str() };
    let symbol = root.text("currency", default, any_text);
    let (symbol_line, code_line) = (root.line_of("currency"), root.line_of("currency_code"));
    if let (Some(line), None) = (symbol_line, code_line)
        && symbol != "$"
    {
        let message =
            format!("amounts are taken to be USD, shown as `{symbol}`; currency_code says otherwise");
        root.note(line, "currency", message);
    }
    Currency { code, symbol }
}

fn database(section: &mut Section<'_, '_>, home: &Path) -> Database {
    let path = section.text("path", "instance/ledger.db", any_text);
    let url = section.lazy("url", without_password);
    if let (false, Some(line), Some(_)) = (url.is_empty(), section.line_of("url"), section.line_of("path")) {
        section.problem(line, "url", "database.path is given too: keep one of them".to_owned());
    }
    if url.is_empty() { Database::File(home.join(path)) } else { Database::Url(url) }
}

/// `postgres://billing:********@db/ledger`
fn without_password(url: &str) -> String {
    let hide = || {
        let (scheme, rest) = url.split_once("://")?;
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:{HIDDEN}@{host}"))
    };
    hide().unwrap_or_else(|| url.to_owned())
}

fn institution(section: &mut Section<'_, '_>, home: &Path) -> Institution {
    let logo_is_there = |logo: &str| {
        if home.join(logo).is_file() { Ok(()) } else { Err(format!("there is no file `{logo}` in the home")) }
    };
    Institution {
        name: section.text("name", "", any_text),
        logo: section.optional("logo", logo_is_there).map(|logo| home.join(logo)),
        contact_email: section.optional("contact_email", is_address).unwrap_or_default(),
    }
}

fn is_address(text: &str) -> Checked {
    let (local, domain) = text.split_once('@').unwrap_or_default();
    let is_one = !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace);
    if is_one { Ok(()) } else { Err(format!("`{text}` is not an e-mail address")) }
}

fn smtp(section: &mut Section<'_, '_>) -> Smtp {
    Smtp {
        host: section.optional("host", any_text),
        port: section.port("port", 587),
        use_tls: section.flag("use_tls", true),
        username: section.lazy("username", str::to_owned),
        password: section.secret("password"),
    }
}

fn email(section: &mut Section<'_, '_>) -> Email {
    let subject = "Research Computing Charges - {billing_period}";
    Email {
        from_address: section.optional("from_address", is_address),
        from_name: section.text("from_name", "Research Computing Billing", any_text),
        subject_template: section.text("subject_template", subject, placeholders(&["billing_period"])),
    }
}

/// Checks that all of a text's `{words}` are known.
fn placeholders<'k>(known: &'k [&'k str]) -> impl Fn(&str) -> Checked + 'k {
    move |text| {
        for part in text.split('{').skip(1) {
            let word = part.split_once('}').map_or(part, |(word, _)| word);
            if !known.contains(&word) {
                let known: Vec<String> = known.iter().map(|word| format!("{{{word}}}")).collect();
                return Err(format!("`{{{word}}}` is not a placeholder here; there is {}", known.join(", ")));
            }
        }
        Ok(())
    }
}

fn tag_mapping(section: &mut Section<'_, '_>) -> TagMapping {
    let TagMapping {
        pi_email,
        project_id,
        fund_org,
        cost_center,
        account_code,
        reference_1,
        reference_2,
        end_date,
        reconciliation_end,
        fallback_fund_org,
        customer_class,
        usage_user,
    } = TagMapping::default();
    TagMapping {
        pi_email: section.texts("pi_email", &pi_email, any_text),
        project_id: section.texts("project_id", &project_id, any_text),
        fund_org: section.texts("fund_org", &fund_org, any_text),
        cost_center: section.texts("cost_center", &cost_center, any_text),
        account_code: section.texts("account_code", &account_code, any_text),
        reference_1: section.texts("reference_1", &reference_1, any_text),
        reference_2: section.texts("reference_2", &reference_2, any_text),
        end_date: section.texts("end_date", &end_date, any_text),
        reconciliation_end: section.texts("reconciliation_end", &reconciliation_end, any_text),
        fallback_fund_org: section.texts("fallback_fund_org", &fallback_fund_org, any_text),
        customer_class: section.texts("customer_class", &customer_class, any_text),
        usage_user: section.texts("usage_user", &usage_user, any_text),
    }
}

fn output_folders(section: &mut Section<'_, '_>, home: &Path) -> OutputFolders {
    let mut folder = |key, default| -> PathBuf { home.join(section.text(key, default, any_text)) };
    OutputFolders {
        pdfs: folder("pdf_dir", "instance/output/pdfs"),
        drafts: folder("draft_dir", "instance/output/drafts"),
        journals: folder("journal_dir", "instance/output/journals"),
        emails: folder("email_dir", "instance/output/emails"),
    }
}

fn logging(section: &mut Section<'_, '_>, home: &Path) -> Logging {
    let levels = [
        ("INFO", LogLevel::Info),
        ("DEBUG", LogLevel::Debug),
        ("WARN", LogLevel::Warning),
        ("WARNING", LogLevel::Warning),
        ("ERROR", LogLevel::Error),
    ];
    Logging {
        enabled: section.flag("enabled", true),
        level: section.choice("level", &levels),
        format: section.choice("format", &[("splunk", LogFormat::Splunk), ("json", LogFormat::Json)]),
        file: section.optional("file", any_text).map(|file| home.join(file)),
    }
}

fn web(section: &mut Section<'_, '_>, home: &Path) -> Web {
    let web = Web {
        enabled: section.flag("enabled", false),
        host: section.text("host", "127.0.0.1", any_text),
        port: section.port("port", 8000),
        secret_key: section.secret("secret_key"),
        session_lifetime_hours: section.count("session_lifetime_hours", 8),
        idle_minutes: section.count("idle_minutes", 60),
        trusted_proxy: section
            .texts("trusted_proxy", &[], is_ip_address)
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
        tls: section.section("tls", |section| tls(section, home)),
        upload_limit_mb: section.count("upload_limit_mb", 2048),
        unpacked_limit_mb: section.count("unpacked_limit_mb", 20_480),
        head_seconds: section.count("head_seconds", 30),
        body_seconds: section.count("body_seconds", 60),
        users: section.named("users", web_user),
        password_requirements: section.section("password_requirements", password_requirements),
    };
    note_what_web_refuses(section, &web);
    web
}

fn is_ip_address(text: &str) -> Checked {
    let is_one = text.parse::<IpAddr>().is_ok();
    if is_one { Ok(()) } else { Err(format!("`{text}` is not an IP address such as 10.0.0.5")) }
}

fn tls(section: &mut Section<'_, '_>, home: &Path) -> Option<Tls> {
    let certificate = section.optional("certificate", any_text);
    let key = section.optional("key", any_text);
    if certificate.is_some() != key.is_some() {
        let (given, lacking) =
            if certificate.is_some() { ("certificate", "key") } else { ("key", "certificate") };
        let line = section.line_of(given).unwrap_or(section.line);
        section.problem(line, given, format!("there is no `{lacking}` beside it"));
    }
    certificate
        .zip(key)
        .map(|(certificate, key)| Tls { certificate: home.join(certificate), key: home.join(key) })
}

fn password_requirements(section: &mut Section<'_, '_>) -> PasswordRequirements {
    let requirements = PasswordRequirements {
        length_min: section.count("min_length", 8),
        uppercase: section.flag("require_uppercase", false),
        lowercase: section.flag("require_lowercase", false),
        numbers: section.flag("require_numbers", false),
        special_chars: section.flag("require_special_chars", false),
    };
    if let (true, Some(line)) = (requirements.length_min < LENGTH_MIN, section.line_of("min_length")) {
        section.note(line, "min_length", format!("shorter passwords than {LENGTH_MIN} are never taken"));
    }
    requirements
}

/// Not problems: only the web interface does not start with it.
fn note_what_web_refuses(section: &mut Section<'_, '_>, web: &Web) {
    if let (Some(line), Ok(key)) =
        (section.line_of("secret_key"), web.secret_key.resolve_in(section.reading.environment))
        && !key.is_empty()
        && let Err(wrong) = SecretKey::new(&key)
    {
        section.note(line, "secret_key", format!("the web interface refuses it: {wrong}"));
    }
    let is_local = web.host == "localhost" || web.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if let (false, Some(line)) = (is_local, section.line_of("host"))
        && web.tls.is_none()
        && web.trusted_proxy.is_empty()
    {
        let message = "others can reach it, and it is not encrypted: the web interface does not start without \
                       `web.tls` or `web.trusted_proxy`";
        section.note(line, "host", message.to_owned());
    }
}

fn web_user(name: &str, section: &mut Section<'_, '_>) -> WebUser {
    let roles = [("viewer", Role::Viewer), ("reviewer", Role::Reviewer), ("admin", Role::Admin)];
    let user = WebUser {
        name: name.to_owned(),
        email: section.optional("email", is_address).unwrap_or_default(),
        display_name: section.text("display_name", "", any_text),
        password_hash: section.secret("password_hash"),
        role: section.choice("role", &roles),
        recovery: section.flag("recovery", false),
    };
    if let (true, Some(line)) = (user.recovery, section.line_of("recovery")) {
        let message = "this account always signs in with the password of this file";
        section.note(line, "recovery", message.to_owned());
    }
    user
}

fn review(section: &mut Section<'_, '_>) -> ReviewSettings {
    ReviewSettings {
        flag_patterns: section.texts("flag_patterns", &[], is_pattern),
        fund_org_patterns: section.texts("fund_org_patterns", &[], is_pattern),
        unusual_cost: section.section("unusual_cost", unusual_cost),
    }
}

fn unusual_cost(section: &mut Section<'_, '_>) -> UnusualCost {
    let default = UnusualCost::default();
    let at_least = |least: u32| move |text: &str| text.parse().ok().filter(|months| least <= *months);
    let least = u32::try_from(unusual::HISTORY_MIN).unwrap_or(u32::MAX);
    UnusualCost {
        mode: section.choice("mode", &[("off", Mode::Off), ("inform", Mode::Inform), ("hold", Mode::Hold)]),
        ratio_percent: section.parsed(
            "ratio",
            "a ratio from 1 to 1000, such as 2.5",
            default.ratio_percent,
            unusual::ratio_percent,
            |percent| Amount::from_minor(Minor::new(i64::from(*percent)), 2).to_string(),
        ),
        minimum: section.parsed(
            "minimum",
            "an amount, such as 100",
            default.minimum,
            |text| Amount::parse_total(text).filter(|amount| !amount.is_negative()),
            Amount::to_string,
        ),
        months: section.parsed(
            "months",
            "a number of months, at least 3",
            default.months,
            at_least(least),
            u32::to_string,
        ),
    }
}

/// A pattern that is shown to be found again needs no more.
const SHOWN_PATTERN: usize = 80;

fn is_pattern(text: &str) -> Checked {
    // The size limit is the crate's own; case-insensitive patterns are the larger ones.
    match RegexBuilder::new(text).case_insensitive(true).build() {
        Ok(_) => Ok(()),
        Err(error) => {
            let shown: String = text.chars().take(SHOWN_PATTERN).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            Err(format!("`{shown}{more}` is not a pattern: {}", last_line(&error)))
        }
    }
}

/// The crate draws the pattern with a caret below; its last line holds the reason.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim();
    reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
}

fn parses_fund_org(text: &str) -> Checked {
    is_pattern(text)?;
    let pattern = Regex::new(text).map_err(|error| last_line(&error))?;
    for group in ["fund", "orgn"] {
        if !pattern.capture_names().flatten().any(|name| name == group) {
            return Err(format!("`{text}` has no group named `{group}`, such as `(?P<{group}>[^-]+)`"));
        }
    }
    Ok(())
}

fn journal(section: &mut Section<'_, '_>) -> JournalSettings {
    let default = JournalSettings::default();
    let words = ["source", "period", "fund_org", "pi_email", "project_id"];
    let journal = JournalSettings {
        fund_org_regex: section.text("fund_org_regex", &default.fund_org_regex, parses_fund_org),
        account_code_regex: section.text("account_code_regex", &default.account_code_regex, is_pattern),
        template: section.text("template", &default.template, any_text),
        default_account: section.text("default_account", &default.default_account, any_text),
        debit_description: section.text(
            "debit_description",
            &default.debit_description,
            placeholders(&words),
        ),
        credit_description: section.text(
            "credit_description",
            &default.credit_description,
            placeholders(&words),
        ),
        document_format: section.text("document_format", &default.document_format, is_document_format),
        limits: section.section("limits", |section| JournalLimits {
            document: section.limit("document"),
            description: section.limit("description"),
            reference: section.limit("reference"),
        }),
    };
    check_account(section, "default_account", &journal.default_account, &journal.account_code_regex);
    journal
}

fn is_document_format(text: &str) -> Checked {
    DocumentFormat::compile(text).map(drop).map_err(|bad| format!("`{text}`: {}", bad.why))
}

/// An account that the configuration itself gives must pass the configuration's own rule.
fn check_account(section: &mut Section<'_, '_>, key: &str, account: &str, pattern: &str) {
    let (Some(line), Ok(regex)) = (section.line_of(key), Regex::new(pattern)) else { return };
    if !account.is_empty() && !pattern.is_empty() && !regex.is_match(account) {
        let message = format!("`{account}` does not match journal.account_code_regex `{pattern}`");
        section.problem(line, key, message);
    }
}

fn known_sources(section: &mut Section<'_, '_>, journal: &JournalSettings) -> Vec<SourceSettings> {
    let mut seen: Vec<(SourceSettings, usize)> = Vec::new();
    let given = section.sections("known_sources", |section| {
        let source = known_source(section, journal);
        if let Some((_, first)) = seen.iter().find(|(earlier, _)| earlier.name == source.name) {
            let message = format!("`{}` is known already (line {first})", source.name);
            section.problem(section.line, "name", message);
        }
        seen.push((source.clone(), section.line));
        source
    });
    given.unwrap_or_else(|| Settings::default().sources)
}

fn known_source(section: &mut Section<'_, '_>, journal: &JournalSettings) -> SourceSettings {
    let name = section.text("name", "", any_text);
    if name.trim().is_empty() {
        section.problem(section.line, "name", "a source needs a name".to_owned());
    }
    // Without a pattern a source is known by its name.
    let mut source = SourceSettings::new(&name, &name.to_lowercase());
    source.pattern = section.text("pattern", &source.pattern, any_text);
    source.fund_org = section.optional("fund_org", any_text);
    source.account_code = section.optional("account_code", any_text);
    source.delivery = section.choice(
        "delivery",
        &[("ask", Delivery::Ask), ("snapshot", Delivery::Snapshot), ("increment", Delivery::Increment)],
    );
    source.basis = section.choice(
        "basis",
        &[("billed", Basis::Billed), ("effective", Basis::Effective), ("contracted", Basis::Contracted)],
    );
    source.connector = connector(section);
    let mut priced = [("file", PricedBy::File), ("rates", PricedBy::Rates)];
    if source.connector.is_some() {
        // Connectors deliver what was used.
        priced.reverse();
    }
    source.priced_by = section.choice("priced_by", &priced);
    let account = source.account_code.as_deref().unwrap_or_default();
    check_account(section, "account_code", account, &journal.account_code_regex);
    let fund_org = source.fund_org.as_deref().zip(section.line_of("fund_org"));
    if let (Some((fund_org, line)), Ok(pattern)) = (fund_org, Regex::new(&journal.fund_org_regex))
        && !pattern.is_match(fund_org)
    {
        let message = format!("`{fund_org}` does not match journal.fund_org_regex: no journal can credit it");
        section.note(line, "fund_org", message);
    }
    source
}

fn connector(section: &mut Section<'_, '_>) -> Option<ConnectorSettings> {
    let known = |text: &str| text.parse::<connectors::Kind>().map(|_| ()).map_err(|error| error.to_string());
    let kind: connectors::Kind = section.optional("kind", known)?.parse().ok()?;
    let settings =
        ConnectorSettings { kind: kind.to_string(), options: section.as_written(&kind.to_string()) };
    for bad in connectors::configured(kind, &settings.options).err().into_iter().flatten() {
        let line = section.line_below(&settings.kind, &bad.path);
        let said =
            if bad.value.is_empty() { bad.message } else { format!("`{}` {}", bad.value, bad.message) };
        section.problem(line, &format!("{}.{}", settings.kind, bad.path), said);
    }
    Some(settings)
}

/// Keys that older files reserved for fetching from providers: taken, told, never shown.
fn unused_credentials(root: &mut Section<'_, '_>) {
    let names = ["api_url", "api_key", "api_secret", "tenant_id", "client_id", "client_secret"];
    root.named("sources", |_, section| {
        for name in names {
            section.secret(name);
            if let Some(line) = section.line_of(name) {
                section.note(line, name, "not used".to_owned());
            }
        }
    });
}

//! What is configured, as it came out; and patterns of the review tried on real charges before somebody
//! writes them into the configuration. Nothing here changes the configuration: its file does.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use billing::Period;
use billing::settings::ReviewSettings;
use billing::unusual::{Mode, UnusualCost, ratio_percent};
use ledger::EngineName;
use serde::Deserialize;
use serde_json::Value;
use workflow::Refusal;
use workflow::patterns::{TriedPattern, TriedPatterns, as_yaml, try_patterns};
use workflow::unusual::{Tried, try_rule};

use crate::App;
use crate::access::Access;
use crate::error::PageResult;
use crate::form::{Fields, Form};
use crate::frame::{Frame, page, refused_page};
use crate::pages::uploads::megabytes;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/settings", Access::Viewer, show)
        .form("/settings/patterns", Access::Viewer, try_texts)
        .form("/settings/unusual", Access::Viewer, try_unusual)
        .page("/settings/system", Access::Viewer, system)
}

/// Keys of the configuration that belong together.
struct Section {
    name: String,
    about: &'static str,
    rows: Vec<(String, String)>,
}

/// What the sections are for, in the order they are shown; others follow.
const ABOUT: [(&str, &str); 11] = [
    ("institution", "On statements and e-mails."),
    ("tag_mapping", "Which tags name the PI, the project and the fund: the first that is there counts."),
    ("billing", "What is billed, and whether every charge needs a fund."),
    ("review", "What somebody must look at. Tried above."),
    ("attribution", "Whether the table or the tags say whose a charge is."),
    ("subsidies", "The fiscal year that limits are counted by."),
    ("journal", "How accounting wants it."),
    ("email", "What messages say."),
    ("currency", "How amounts are shown."),
    ("output", "Where files for people are written."),
    ("logging", "What the server writes down."),
];

/// How the server is reached and what it keeps its books in: for those who run it.
const FOR_ADMINS: [&str; 4] = ["database", "smtp", "web", "logging"];

fn sections(effective: &Value, is_admin: bool) -> Vec<Section> {
    let Value::Object(all) = effective else { return Vec::new() };
    let place = |name: &str| ABOUT.iter().position(|(known, _)| *known == name).unwrap_or(ABOUT.len());
    let mut sections: Vec<Section> = Vec::new();
    let mut single = Vec::new();
    for (name, value) in all {
        if !is_admin && FOR_ADMINS.contains(&name.as_str()) {
            continue;
        }
        // Sources have a page of their own; what is empty says nothing.
        if name == "imports" || matches!(value, Value::Array(items) if items.is_empty()) {
            continue;
        }
        let mut rows = Vec::new();
        flatten("", value, &mut rows);
        if value.is_object() || value.is_array() {
            let about = ABOUT.get(place(name)).map_or("", |(_, about)| about);
            sections.push(Section { name: name.clone(), about, rows });
        } else {
            single.extend(rows.into_iter().map(|(_, value)| (name.clone(), value)));
        }
    }
    sections.sort_by_key(|section| place(&section.name));
    if !single.is_empty() {
        sections.push(Section { name: "besides".to_owned(), about: "", rows: single });
    }
    sections
}

fn flatten(key: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let under = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                flatten(&under(name), value, rows);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str);
                flatten(&under(&name.map_or_else(|| (at + 1).to_string(), str::to_owned)), item, rows);
            }
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(words).collect();
            rows.push((key.to_owned(), words.join(", ")));
        }
        value => rows.push((key.to_owned(), words(value))),
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Object(_) => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// The file that rules, as one may be told: its place on the disk is for those who run the server.
pub fn file_shown(app: &App, frame: &Frame) -> String {
    match &app.settings.configuration.file {
        None => "the configuration (there is no file yet: the defaults hold)".to_owned(),
        Some(path) if frame.is_admin() => path.display().to_string(),
        Some(path) => path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    }
}

/// What a person typed into the trial of patterns.
#[derive(Clone, Default, Deserialize)]
struct Texts {
    #[serde(default)]
    flag_patterns: String,
    #[serde(default)]
    fund_org_patterns: String,
    #[serde(default)]
    period: String,
}

impl Texts {
    fn of(review: &ReviewSettings, period: Option<Period>) -> Texts {
        Texts {
            flag_patterns: review.flag_patterns.join("\n"),
            fund_org_patterns: review.fund_org_patterns.join("\n"),
            period: period.map_or_else(String::new, |period| period.to_string()),
        }
    }

    /// One pattern a line; blanks around one are part of no pattern that anybody means.
    fn patterns(&self, configured: &ReviewSettings) -> ReviewSettings {
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect::<Vec<String>>()
        };
        ReviewSettings {
            flag_patterns: lines(&self.flag_patterns),
            fund_org_patterns: lines(&self.fund_org_patterns),
            ..configured.clone()
        }
    }
}

/// What a person typed into the trial of the rule of unusual cost.
#[derive(Clone, Default, Deserialize)]
struct Unusual {
    #[serde(default)]
    ratio: String,
    #[serde(default)]
    minimum: String,
    #[serde(default)]
    months: String,
    #[serde(default)]
    period: String,
}

impl Unusual {
    fn of(rule: &UnusualCost) -> Unusual {
        Unusual {
            ratio: ratio_text(rule.ratio_percent),
            minimum: rule.minimum.to_string(),
            months: rule.months.to_string(),
            period: String::new(),
        }
    }
}

/// 250 as `2.5`.
fn ratio_text(percent: u32) -> String {
    let text = format!("{}.{:02}", percent / 100, percent % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[derive(Template)]
#[template(path = "settings/show.html")]
struct SettingsPage {
    frame: Frame,
    file: String,
    sections: Vec<Section>,
    texts: Texts,
    tried: Option<TriedPatterns>,
    yaml: String,
    patterns_refusal: Option<Refusal>,
    mode: &'static str,
    unusual: Unusual,
    found: Option<Tried>,
    unusual_refusal: Option<Refusal>,
}

impl SettingsPage {
    fn new(app: &App, frame: Frame) -> SettingsPage {
        let review = &app.installation.settings.review;
        SettingsPage {
            file: file_shown(app, &frame),
            sections: sections(&app.settings.configuration.effective, frame.is_admin()),
            texts: Texts::of(review, frame.period),
            tried: None,
            yaml: String::new(),
            patterns_refusal: None,
            mode: match review.unusual_cost.mode {
                Mode::Off => "off",
                Mode::Inform => "told at imports",
                Mode::Hold => "held for review",
            },
            unusual: Unusual::of(&review.unusual_cost),
            found: None,
            unusual_refusal: None,
            frame: frame.titled("Settings").help("web#settings"),
        }
    }

    /// Both lists of a trial, with the words above them.
    fn lists(tried: &TriedPatterns) -> [(&'static str, &Vec<TriedPattern>); 2] {
        [
            ("Flagged by its service or resource", &tried.flag_patterns),
            ("Funds that are allowed", &tried.fund_org_patterns),
        ]
    }

    fn examples(pattern: &TriedPattern) -> String {
        pattern.examples.join(", ")
    }
}

async fn show(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    page(&SettingsPage::new(&app, frame))
}

/// The edited text, not the configured one, on the charges of a period.
async fn try_texts(State(app): State<App>, frame: Frame, Form(texts): Form<Texts>) -> PageResult<Response> {
    let patterns = texts.patterns(&app.installation.settings.review);
    let mut shown = SettingsPage::new(&app, frame);
    let mut fields = Fields::default();
    let period: Option<Period> = fields.optional("period", &texts.period, "a month such as 2025-01");
    shown.texts = texts;
    let tried = match fields.finish("the trial cannot be made") {
        Ok(()) => try_patterns(&app.installation, &patterns, period).await,
        Err(refusal) => Err(refusal.into()),
    };
    match tried {
        Ok(tried) => {
            shown.tried = Some(tried);
            shown.yaml = as_yaml(&patterns);
            page(&shown)
        }
        Err(workflow::WorkflowError::Refused(refusal)) => {
            shown.patterns_refusal = Some(refusal);
            refused_page(&shown)
        }
        Err(error) => Err(error.into()),
    }
}

async fn try_unusual(
    State(app): State<App>,
    frame: Frame,
    Form(given): Form<Unusual>,
) -> PageResult<Response> {
    let mut shown = SettingsPage::new(&app, frame);
    let configured = app.installation.settings.review.unusual_cost;
    let mut fields = Fields::default();
    let period = fields.optional("period", &given.period, "a month such as 2025-01");
    let minimum = fields.required("minimum", &given.minimum, "an amount such as 250");
    let months: Option<u32> = fields.required("months", &given.months, "a whole number");
    if months.is_some_and(|months| months < 3) {
        fields.problem("months: at least 3 months are looked back at".to_owned());
    }
    let ratio = ratio_percent(given.ratio.trim());
    if ratio.is_none() {
        fields.problem(format!("times: `{}` is not a number from 1 to 1000 such as 2.5", given.ratio));
    }
    shown.unusual = given;
    let found = match (fields.finish("the rule cannot be tried"), ratio, minimum, months) {
        (Ok(()), Some(ratio_percent), Some(minimum), Some(months)) => {
            let rule = UnusualCost { ratio_percent, minimum, months, ..configured };
            try_rule(&app.installation, &rule, period).await
        }
        (Err(refusal), ..) => Err(refusal.into()),
        _ => Err(Refusal::new("the rule cannot be tried").into()),
    };
    match found {
        Ok(found) => {
            shown.found = Some(found);
            page(&shown)
        }
        Err(workflow::WorkflowError::Refused(refusal)) => {
            shown.unusual_refusal = Some(refusal);
            refused_page(&shown)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "settings/system.html")]
struct SystemPage {
    frame: Frame,
    rows: Vec<(&'static str, String)>,
}

async fn system(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let installation = &app.installation;
    let mut reader = installation.ledger.read().await?;
    let own = reader.installation().await?;
    let head = reader.head();
    drop(reader);
    let root = installation.lake.root().to_owned();
    let (files, bytes) = tokio::task::spawn_blocking(move || size_of(&root)).await.unwrap_or_default();
    let running = app.jobs.running();
    let engine = match installation.ledger.location().engine() {
        EngineName::Sqlite => "SQLite",
        EngineName::Postgres => "PostgreSQL",
    };
    let mut rows = vec![
        ("Version", app.settings.version.to_owned()),
        ("Installation", own.id.clone()),
        ("Ledger", format!("{engine}, schema {}", own.schema_version)),
        ("Ledger number", money::grouped(u64::try_from(head.0).unwrap_or(0))),
        ("Lake", format!("{} in {} files", megabytes(&bytes), money::grouped(files))),
        ("Configuration", installation.configuration.digest.clone()),
        ("Rules", format!("version {}", workflow::installation::RULES_VERSION)),
        ("Serving since", format!("{} UTC", frame.moment(&app.begun))),
        ("Work under way", running.to_string()),
        ("Uploads that wait", app.uploads.waiting().len().to_string()),
    ];
    if frame.is_admin() {
        rows.insert(3, ("Ledger at", app.settings.configuration.ledger.clone()));
        rows.push(("Home", installation.folders.home.display().to_string()));
    }
    page(&SystemPage { frame: frame.titled("System").help("web#settings"), rows })
}

/// Files below a folder, and their bytes.
fn size_of(folder: &std::path::Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => {
                    files += 1;
                    bytes += metadata.len();
                }
                // Removed meanwhile.
                Err(_) => {}
            }
        }
    }
    (files, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_told_as_they_are_read() {
        for (percent, text) in [(300, "3"), (250, "2.5"), (105, "1.05"), (1000, "10")] {
            assert_eq!((ratio_text(percent).as_str(), ratio_percent(text)), (text, Some(percent)));
        }
    }

    #[test]
    fn values_are_told_by_their_keys_and_names() {
        let effective = serde_json::json!({
            "dev_mode": true,
            "smtp": { "password": "********" },
            "sources": [],
            "journal": { "limits": { "text": "–" }, "by": [{ "name": "AWS", "fund": "P-1" }] },
        });
        let sections_shown = |is_admin| {
            let all = sections(&effective, is_admin);
            all.into_iter().map(|section| (section.name, section.rows)).collect::<Vec<_>>()
        };
        let row = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let journal = vec![row("limits.text", "–"), row("by.AWS.name", "AWS"), row("by.AWS.fund", "P-1")];
        let rest = ("besides".to_owned(), vec![row("dev_mode", "yes")]);
        assert_eq!(sections_shown(false), [("journal".to_owned(), journal), rest]);
        assert_eq!(sections_shown(true).len(), 3);
    }
}

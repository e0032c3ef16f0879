//! An institution's own journal file: a Jinja2 template over the entries.

use std::io;

use billing::journal::{Journal, JournalEntry, JournalLine, Side};
use minijinja::{AutoEscape, Environment, Error, Value};
use money::Currency;
use serde_json::Value as Json;

use super::decimal::Decimal;
use super::{expression, operators};

/// A template that has been checked. Rendering is limited in steps and in size and reads nothing but
/// what it is handed.
#[derive(Clone, Debug)]
pub struct JournalTemplate {
    name: String,
    source: String,
    note: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Where and what, in the words of the template engine: `acme.csv:3: unknown filter: filter x …`.
    #[error("journal template `{name}`{}: {message}", .line.map(|line| format!(" line {line}")).unwrap_or_default())]
    Invalid { name: String, line: Option<usize>, message: String },
    #[error("journal template `{name}` writes more than {} MB; does a loop repeat itself?", SIZE_MAX >> 20)]
    TooLarge { name: String },
    #[error("journal template `{name}` does not come to an end; does a loop repeat itself?")]
    Endless { name: String },
}

const BUILT_IN: &str = include_str!("../../templates/journal_gl.csv");

const SIZE_MAX: usize = 64 << 20;
const STEPS: u64 = 2_000_000;
const STEPS_PER_ENTRY: u64 = 10_000;

/// How the template shipped with the earlier system begins. Under `trim_blocks` its header and entries
/// run together, because `{%-` takes the line break before it.
const EARLIER_HEADER: &str = "Fund,Orgn,Account,Program,Activity,Location,Debit,Credit,Description (35 Characters maximum),Reference ID";

impl JournalTemplate {
    /// Check a template written for Jinja2 with `trim_blocks` and `lstrip_blocks`.
    pub fn compile(name: &str, text: &str) -> Result<JournalTemplate, TemplateError> {
        let repaired = repair_earlier(text);
        let template = JournalTemplate {
            name: name.to_owned(),
            source: expression::exact(repaired.as_deref().unwrap_or(text)),
            note: repaired.map(|_| {
                format!(
                    "`{name}` is the template of the earlier system, which joins its header with the first \
                     entry; it is rendered with a line for each entry. Write `{{% for` in place of `{{%- for` \
                     to make this note go away"
                )
            }),
        };
        JournalTemplate::environment(0)
            .template_from_named_str(&template.name, &template.source)
            .map_err(|error| template.error(&error))?;
        Ok(template)
    }

    /// The template of an institution that has none of its own, `journal_gl.csv`.
    pub fn built_in() -> Result<JournalTemplate, TemplateError> {
        JournalTemplate::compile("journal_gl.csv", BUILT_IN)
    }

    /// The built-in template's text, to be copied and changed.
    #[must_use]
    pub fn built_in_text() -> &'static str {
        BUILT_IN
    }

    /// Something to tell the person who exports with this template.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The file. `config` is the configuration with its secrets removed.
    pub fn render(
        &self,
        journal: &Journal,
        currency: &Currency,
        config: &Json,
    ) -> Result<Vec<u8>, TemplateError> {
        let entries: Vec<Value> = journal
            .entries
            .iter()
            .flat_map(JournalEntry::lines)
            .map(|line| entry(line, journal, currency))
            .collect();
        let environment = Self::environment(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        let context = minijinja::context! {
            entries,
            period => journal.period.to_string(),
            document => journal.document,
            currency => currency.code.as_str(),
            config => Value::from_serialize(config),
        };
        let mut output = Limited { bytes: Vec::new(), full: false };
        let rendered = environment
            .template_from_named_str(&self.name, &self.source)
            .and_then(|template| template.render_captured_to(context, &mut output).map(|_| ()))
            .map_err(|error| self.error(&error));
        if output.full {
            return Err(TemplateError::TooLarge { name: self.name.clone() });
        }
        rendered?;
        Ok(output.bytes)
    }

    fn environment(entries: u64) -> Environment<'static> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(STEPS.saturating_add(entries.saturating_mul(STEPS_PER_ENTRY))));
        environment.set_auto_escape_callback(|name| {
            if [".html", ".htm", ".xml"].iter().any(|end| name.ends_with(end)) {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        operators::install(&mut environment);
        environment
    }

    fn error(&self, error: &Error) -> TemplateError {
        let name = self.name.clone();
        if error.kind() == minijinja::ErrorKind::OutOfFuel {
            return TemplateError::Endless { name };
        }
        let message = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        TemplateError::Invalid { name, line: error.line(), message }
    }
}

/// What a template sees of a line: the fixed fields, and every named group of `journal.fund_org_regex`.
fn entry(line: &JournalLine, journal: &Journal, currency: &Currency) -> Value {
    let text = |value: &Option<String>| Value::from(value.as_deref().unwrap_or_default());
    let mut fields: Vec<(&str, Value)> = vec![
        ("program", Value::from("")),
        ("activity", Value::from("")),
        ("location", Value::from("")),
        ("fund", Value::from("")),
        ("orgn", Value::from("")),
    ];
    fields.extend(line.segments.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))));
    // Our own fields come last: a group of the regex does not replace an amount.
    fields.extend([
        ("fund_org", Value::from(line.fund_org.as_str())),
        ("account", Value::from(line.account.as_str())),
        ("amount", Value::from(Decimal::of(line.amount, currency))),
        ("is_debit", Value::from(line.side == Side::Debit)),
        ("is_credit", Value::from(line.side == Side::Credit)),
        ("description", Value::from(line.description.as_str())),
        ("reference_id", Value::from(line.reference_id.as_str())),
        ("source_name", Value::from(line.source_name.as_str())),
        ("period", Value::from(journal.period.to_string())),
        ("pi_email", text(&line.pi_email)),
        ("project_id", text(&line.project_id)),
    ]);
    fields.into_iter().collect()
}

/// The earlier system's template with its line breaks where they belong; `None` for any other.
fn repair_earlier(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let body = text.strip_prefix(EARLIER_HEADER)?;
    let (before, _) = body.split_once("{%- for")?;
    before.trim().is_empty().then(|| {
        let mut repaired = text.replace("{%- for", "{% for").replace("{%- endfor", "{% endfor");
        if !repaired.ends_with('\n') {
            repaired.push('\n');
        }
        repaired
    })
}

struct Limited {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > SIZE_MAX {
            self.full = true;
            return Err(io::Error::other("the output is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! The text of a journal line, from a template of the configuration.

use crate::Period;
use crate::settings::JournalSettings;

/// A description template with a placeholder that does not exist, or a brace that does not close.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: `{template}`: {why}; placeholders are {}", placeholders())]
pub struct BadDescription {
    /// `journal.debit_description` or `journal.credit_description`.
    pub key: &'static str,
    pub template: String,
    pub why: String,
}

fn placeholders() -> String {
    Placeholder::ALL.map(|(name, _)| format!("{{{name}}}")).join(" ")
}

/// The compiled `journal.debit_description` and `journal.credit_description`.
#[derive(Clone, Debug)]
pub struct Descriptions {
    debit: Vec<Part>,
    credit: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value(Placeholder),
}

#[derive(Clone, Copy, Debug)]
enum Placeholder {
    Source,
    Period,
    FundOrg,
    PiEmail,
    ProjectId,
}

impl Placeholder {
    const ALL: [(&'static str, Placeholder); 5] = [
        ("source", Placeholder::Source),
        ("period", Placeholder::Period),
        ("fund_org", Placeholder::FundOrg),
        ("pi_email", Placeholder::PiEmail),
        ("project_id", Placeholder::ProjectId),
    ];
}

/// What the placeholders stand for on one line; a line of several PIs names none.
pub(super) struct Described<'a> {
    pub source: &'a str,
    pub period: Period,
    pub fund_org: &'a str,
    pub pi_email: Option<&'a str>,
    pub project_id: Option<&'a str>,
}

impl Descriptions {
    /// # Errors
    /// Each template that names what does not exist: both are looked at.
    pub fn compile(settings: &JournalSettings) -> Result<Descriptions, Vec<BadDescription>> {
        let debit = parts("journal.debit_description", &settings.debit_description);
        let credit = parts("journal.credit_description", &settings.credit_description);
        match (debit, credit) {
            (Ok(debit), Ok(credit)) => Ok(Descriptions { debit, credit }),
            (debit, credit) => Err(debit.err().into_iter().chain(credit.err()).collect()),
        }
    }

    /// The text of a payer's line.
    pub(super) fn debit(&self, described: &Described<'_>) -> String {
        render(&self.debit, described)
    }

    /// The text of a source's line.
    pub(super) fn credit(&self, described: &Described<'_>) -> String {
        render(&self.credit, described)
    }
}

fn parts(key: &'static str, template: &str) -> Result<Vec<Part>, BadDescription> {
    let bad = |why: String| BadDescription { key, template: template.to_owned(), why };
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        // As in Python, a doubled brace is a brace.
        if let Some(beyond) = after.strip_prefix(&rest[at..=at]) {
            text.push_str(&rest[at..=at]);
            rest = beyond;
            continue;
        }
        let end = if rest[at..].starts_with('{') { after.find('}') } else { None };
        let Some(end) = end else {
            return Err(bad(format!("`{}` stands alone (write it twice to mean it)", &rest[at..=at])));
        };
        let name = &after[..end];
        let Some(&(_, placeholder)) = Placeholder::ALL.iter().find(|(known, _)| *known == name) else {
            return Err(bad(format!("`{{{name}}}` is not a placeholder")));
        };
        parts.push(Part::Text(std::mem::take(&mut text)));
        parts.push(Part::Value(placeholder));
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

fn render(parts: &[Part], described: &Described<'_>) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Value(Placeholder::Source) => text.push_str(described.source),
            Part::Value(Placeholder::Period) => text.push_str(&described.period.to_string()),
            Part::Value(Placeholder::FundOrg) => text.push_str(described.fund_org),
            Part::Value(Placeholder::PiEmail) => text.push_str(described.pi_email.unwrap_or_default()),
            Part::Value(Placeholder::ProjectId) => text.push_str(described.project_id.unwrap_or_default()),
        }
    }
    // A placeholder without a value must not leave two blanks, nor a name from a tag a line break.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn described(template: &str) -> String {
        let settings =
            JournalSettings { debit_description: template.to_owned(), ..JournalSettings::default() };
        let described = Described {
            source: "AWS",
            period: "2025-01".parse().unwrap(),
            fund_org: "PHYS-1",
            pi_email: Some("a@example.edu"),
            project_id: None,
        };
        match Descriptions::compile(&settings) {
            Ok(descriptions) => descriptions.debit(&described),
            Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(
            described("{source} {period} Research Computing Charges"),
            "AWS 2025-01 Research Computing Charges"
        );
        assert_eq!(described("{fund_org}/{pi_email}"), "PHYS-1/a@example.edu");
        assert_eq!(described("RC {project_id} {period}"), "RC 2025-01");
        assert_eq!(described("{{{source}}} }}{{"), "{AWS} }{");
        assert_eq!(described(""), "");
    }

    #[test]
    fn an_unknown_placeholder_is_a_configuration_error() {
        assert_snapshot!(described("{sauce} charges"),
            @"journal.debit_description: `{sauce} charges`: `{sauce}` is not a placeholder; placeholders are {source} {period} {fund_org} {pi_email} {project_id}");
        assert_snapshot!(described("{source"),
            @"journal.debit_description: `{source`: `{` stands alone (write it twice to mean it); placeholders are {source} {period} {fund_org} {pi_email} {project_id}");
        assert_snapshot!(described("a } b"),
            @"journal.debit_description: `a } b`: `}` stands alone (write it twice to mean it); placeholders are {source} {period} {fund_org} {pi_email} {project_id}");
    }

    #[test]
    fn both_templates_are_looked_at() {
        let settings = JournalSettings {
            debit_description: "{x}".to_owned(),
            credit_description: "{y}".to_owned(),
            ..JournalSettings::default()
        };
        let keys: Vec<&str> =
            Descriptions::compile(&settings).unwrap_err().iter().map(|error| error.key).collect();
        assert_eq!(keys, ["journal.debit_description", "journal.credit_description"]);
    }
}

//! The configuration as it came out: for people as YAML, for the ledger as one line of JSON.

use std::fmt::Write;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Config, Database};

impl Config {
    /// All effective values as YAML that could be a configuration file, but for the secrets, which
    /// stand as `********`.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut yaml = String::new();
        write_keys(&self.effective, 0, &mut yaml);
        yaml
    }

    /// All effective values, without secrets.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.effective.clone()
    }

    /// What a statement, journal or e-mail depends on, as canonical JSON (keys in order, no spaces):
    /// `settings` (reads back as [`Settings`](billing::settings::Settings)), `institution`, `email`.
    /// Where things are stored and how they travel is left out, so that moving an installation does
    /// not change its books. No secrets.
    #[must_use]
    pub fn effective_text(&self) -> String {
        let shown = |key: &str| self.effective.get(key).cloned().unwrap_or_default();
        // Settings are plain data: names, texts and lists always have a JSON form.
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut all =
            json!({ "settings": settings, "institution": shown("institution"), "email": shown("email") });
        all.sort_all_objects();
        all.to_string()
    }

    /// SHA-256 of [`effective_text`](Config::effective_text), in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.effective_text()))
    }

    /// The ledger's place for messages, without passwords.
    #[must_use]
    pub fn database_shown(&self) -> String {
        match &self.database {
            Database::File(path) => path.display().to_string(),
            Database::Url(_) => {
                let url = self.effective.pointer("/database/url").and_then(Json::as_str);
                url.unwrap_or_default().to_owned()
            }
        }
    }
}

fn write_keys(value: &Json, depth: usize, yaml: &mut String) {
    let Json::Object(entries) = value else { return };
    for (key, value) in entries {
        let _ = write!(yaml, "{:width$}{}:", "", quoted(key), width = depth * 2);
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                yaml.push('\n');
                write_keys(value, depth + 1, yaml);
            }
            Json::Array(items) if items.iter().any(Json::is_object) => {
                yaml.push('\n');
                for item in items {
                    write_item(item, depth + 1, yaml);
                }
            }
            _ => {
                let _ = writeln!(yaml, " {}", flow(value));
            }
        }
    }
}

fn write_item(item: &Json, depth: usize, yaml: &mut String) {
    let mut keys = String::new();
    write_keys(item, depth + 1, &mut keys);
    let marked = keys.replacen("  ", "- ", depth + 1);
    // The marker takes the place of the innermost indentation of the first line.
    let _ = write!(yaml, "{}{}", "  ".repeat(depth), &marked[depth * 2..]);
}

fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text as it is where YAML cannot mistake it; otherwise in double quotes, where JSON's escapes hold.
fn quoted(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@ ".contains(c))
        && !text.ends_with(' ')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_word { text.to_owned() } else { Json::String(text.to_owned()).to_string() }
}

//! Values that may name environment variables: `${SMTP_PASSWORD}`.

use std::fmt;

use super::reading::Place;

/// A value whose `${VARIABLES}` are taken from the environment when it is used, not before: who only
/// imports needs no mail password. Never shown by `Debug`, as it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvText {
    written: String,
    key: String,
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{key}: the environment variable `{variable}` is not set", place.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct MissingVariable {
    pub key: String,
    pub variable: String,
    pub place: Option<Place>,
}

impl EnvText {
    pub(super) fn new(written: &str, key: &str, place: Option<Place>) -> EnvText {
        EnvText { written: written.to_owned(), key: key.to_owned(), place }
    }

    /// Nothing was configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The value with the process's environment filled in.
    ///
    /// # Errors
    /// [`MissingVariable`] names file, line, key and variable.
    pub fn resolve(&self) -> Result<String, MissingVariable> {
        self.resolve_in(&|name| std::env::var(name).ok())
    }

    /// [`resolve`](EnvText::resolve) with an environment handed in.
    pub fn resolve_in(&self, environment: &Environment<'_>) -> Result<String, MissingVariable> {
        expand(&self.written, environment).map_err(|variable| MissingVariable {
            key: self.key.clone(),
            variable,
            place: self.place.clone(),
        })
    }
}

impl fmt::Debug for EnvText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvText({})", self.key)
    }
}

/// Looks a variable up.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Replace every `${NAME}`; the error is the first name that has no value. What is not a name
/// (`${2}`, `$5`) stays as it is: a regex may hold it.
pub(super) fn expand(text: &str, environment: &Environment<'_>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        expanded.push_str(before);
        if let Some(name) = variable_name(after) {
            expanded.push_str(&environment(name).ok_or_else(|| name.to_owned())?);
            rest = &after[name.len() + "${}".len()..];
        } else {
            expanded.push_str("${");
            rest = &after["${".len()..];
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// `NAME` of a text that begins with `${NAME}`.
fn variable_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.split_once('}')?.0;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_taken_from_the_environment() {
        let environment = |name: &str| (name == "HOST").then(|| "db1".to_owned());
        let cases = [
            ("plain", Ok("plain")),
            ("${HOST}", Ok("db1")),
            ("postgres://u@${HOST}:5/${HOST}", Ok("postgres://u@db1:5/db1")),
            ("^a${2}$", Ok("^a${2}$")),
            ("${HOST", Ok("${HOST")),
            ("$HOST ${}", Ok("$HOST ${}")),
            ("${HOST}${PASSWORD}", Err("PASSWORD")),
        ];
        for (text, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(expand(text, &environment), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_variable_is_named_with_its_place_and_the_text_is_never_shown() {
        let place = Place { file: "config.yaml".to_owned(), line: 14 };
        let secret = EnvText::new("hunter2${MAIL_PASSWORD}", "smtp.password", Some(place));
        let missing = secret.resolve_in(&|_| None).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "config.yaml:14: smtp.password: the environment variable `MAIL_PASSWORD` is not set"
        );
        assert!(!format!("{secret:?} {missing:?}").contains("hunter2"));
    }
}

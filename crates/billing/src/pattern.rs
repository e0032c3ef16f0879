//! Patterns of the configuration: linear-time regular expressions, compiled once. A bad one is an error
//! that names its key, never stepped over.

use regex::{Regex, RegexBuilder};

/// Where in a text a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Anywhere, like Python's `re.search`.
    Anywhere,
    /// From the first character on, like Python's `re.match`: the end is open unless the pattern has `$`.
    Start,
}

/// A pattern of the configuration that is not a regular expression, or lacks what its key needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: `{}` is not a pattern that can be used: {why}", self.place(), shortened(.pattern))]
pub struct BadPattern {
    /// The key of the configuration, `review.fund_org_patterns`.
    pub key: &'static str,
    /// Position in a list of patterns, from 0.
    pub index: Option<usize>,
    pub pattern: String,
    pub why: String,
}

impl BadPattern {
    /// The key as a path: `review.fund_org_patterns[2]`.
    #[must_use]
    pub fn place(&self) -> String {
        self.index.map_or_else(|| self.key.to_owned(), |index| format!("{}[{index}]", self.key))
    }
}

/// Compile one pattern of the configuration.
///
/// # Errors
/// [`BadPattern`] with the key, the index, the pattern and what the parser says in one line.
pub fn compile_pattern(
    key: &'static str,
    index: Option<usize>,
    pattern: &str,
    anchor: Anchor,
    case_insensitive: bool,
) -> Result<Regex, BadPattern> {
    let build = |text: &str| {
        RegexBuilder::new(text).case_insensitive(case_insensitive).build().map_err(|error| BadPattern {
            key,
            index,
            pattern: pattern.to_owned(),
            why: one_line(&error),
        })
    };
    // Compiled as it stands first, so that what is wrong is said of the user's text, and a stray `)`
    // cannot close the group that is put around it.
    let bare = build(pattern)?;
    match anchor {
        Anchor::Anywhere => Ok(bare),
        Anchor::Start => build(&format!("^(?:{pattern})")),
    }
}

/// The crate draws a picture of several lines; the last one says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    let why = last.strip_prefix("error: ").unwrap_or(last);
    if why.starts_with("look-around") {
        return format!("{why} (a pattern must match in linear time)");
    }
    why.to_owned()
}

fn shortened(pattern: &str) -> String {
    const LONGEST: usize = 80;
    if pattern.chars().count() <= LONGEST {
        return pattern.to_owned();
    }
    pattern.chars().take(LONGEST).chain(['…']).collect()
}

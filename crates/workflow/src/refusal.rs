//! How an act says no: the thing, the reason and the way on, in words that both doors show.

use std::fmt;

/// An act that may not be done, or a request that makes no sense. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    /// More lines: every place and value concerned.
    pub details: Vec<String>,
    /// What to do instead.
    pub hints: Vec<String>,
}

impl Refusal {
    #[must_use]
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Refusal {
        self.details.push(line.into());
        self
    }

    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = String>) -> Refusal {
        self.details.extend(lines);
        self
    }

    #[must_use]
    pub fn hint(mut self, line: impl Into<String>) -> Refusal {
        self.hints.push(line.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.details.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Lake(#[from] lake::LakeError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error("cannot {doing} `{path}`: {source}")]
    File { doing: &'static str, path: String, source: std::io::Error },
    #[error("cannot render {what}: {why}")]
    Render { what: String, why: String },
    #[error("internal error: {0}")]
    Internal(String),
}

impl WorkflowError {
    #[must_use]
    pub fn file(doing: &'static str, path: &std::path::Path, source: std::io::Error) -> WorkflowError {
        WorkflowError::File { doing, path: path.display().to_string(), source }
    }
}

use std::fmt::Write;
use std::io;

use workflow::WorkflowError;

/// Why a command did not do what was asked: the lines in detail, the error with its causes, the way on.
/// Any error becomes one by `?`; [`Hint`] adds the way on.
#[derive(Debug)]
pub struct Refusal {
    pub error: anyhow::Error,
    /// One line each, told before the error: `aws.csv:17: BilledCost: …`.
    pub details: Vec<String>,
    /// Without `hint:`; commands in backticks.
    pub hints: Vec<String>,
}

impl Refusal {
    #[must_use]
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal::from(anyhow::Error::msg(message.into()))
    }

    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Refusal {
        self.details = details;
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hints.push(hint.into());
        self
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.error.to_string();
        for cause in self.error.chain().skip(1) {
            // Some errors of others say their cause themselves.
            let cause = cause.to_string();
            if !text.ends_with(&cause) {
                let _ = write!(text, ": {cause}");
            }
        }
        text
    }

    /// The reader went away (`focus-billing … | head`): nothing to say.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        })
    }
}

impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        let error: anyhow::Error = error.into();
        // What an act refused brings its details and its hints along.
        match error.downcast::<WorkflowError>() {
            Ok(WorkflowError::Refused(refused)) => Refusal {
                error: anyhow::Error::msg(refused.message),
                details: refused.details,
                hints: refused.hints,
            },
            Ok(other) => Refusal { error: other.into(), details: Vec::new(), hints: Vec::new() },
            Err(error) => Refusal { error, details: Vec::new(), hints: Vec::new() },
        }
    }
}

/// Say the way on where the error passes by.
pub trait Hint<T> {
    fn hint(self, hint: impl Into<String>) -> Result<T, Refusal>;
}

impl<T, E: Into<Refusal>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> Result<T, Refusal> {
        self.map_err(|error| error.into().with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn causes_stand_in_one_line_and_the_hint_beside() {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        let refusal =
            Err::<(), _>(missing()).context("cannot read `a.csv`").hint("look elsewhere").unwrap_err();
        assert_eq!(refusal.chain(), "cannot read `a.csv`: no such file");
        assert_eq!(refusal.hints, ["look elsewhere"]);
        assert!(!refusal.is_closed_pipe());
        assert!(Refusal::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_pipe());
    }
}

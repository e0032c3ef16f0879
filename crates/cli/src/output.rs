//! What people and machines see: data on standard output, everything else on standard error.
//!
//! ```text
//! aws_2025-01.csv:17: BilledCost: `12,50` is not a decimal number
//! error: cannot finalize 2025-01: 3 charges are still held
//! hint: `focus-billing periods reopen 2025-01 --reason …` to decide them
//! ```

mod progress;
mod refusal;
mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub use progress::Progress;
pub use refusal::{Hint, Refusal};
pub use table::{Column, Table, exact, posted};

/// Where a command writes. Made once, from the options of every command.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
}

/// Why a question was not answered with yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    #[error("nothing was changed")]
    Declined,
    #[error("nobody is there to ask: add --yes to go on without a question")]
    NobodyThere,
}

impl Output {
    #[must_use]
    pub fn new(json: bool, quiet: bool) -> Output {
        Output { json, quiet }
    }

    /// The user wants data as JSON.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Data: as JSON when that is wanted, else what `table` makes of it.
    pub fn data<T: Serialize>(self, data: &T, table: impl FnOnce(&T) -> String) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, data)?;
            out.write_all(b"\n")
        } else {
            out.write_all(table(data).as_bytes())
        }
    }

    /// Text that is the answer itself: a report, a file.
    pub fn text(self, text: &str) -> io::Result<()> {
        io::stdout().lock().write_all(text.as_bytes())
    }

    /// A line about what happened, unless `--quiet`.
    pub fn message(self, line: &str) {
        if !self.quiet {
            // When standard error is gone there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    pub fn warning(self, line: &str) {
        self.message(&format!("{} {line}", painted("warning:", Paint::Yellow)));
    }

    pub fn hint(self, line: &str) {
        self.message(&format!("{} {line}", painted("hint:", Paint::Cyan)));
    }

    /// Why a command was refused: details, error, hint. Not silenced by `--quiet`.
    pub fn refusal(self, refusal: &Refusal) {
        let mut err = io::stderr().lock();
        for detail in &refusal.details {
            let _ = writeln!(err, "{detail}");
        }
        let _ = writeln!(err, "{} {}", painted("error:", Paint::Red), refusal.chain());
        for hint in &refusal.hints {
            let _ = writeln!(err, "{} {hint}", painted("hint:", Paint::Cyan));
        }
    }

    /// Ask before something that is hard to take back. `already` is `--yes`.
    ///
    /// # Errors
    /// [`NotConfirmed`] on any answer but yes, and where nobody can be asked.
    pub fn confirm(self, question: &str, already: bool) -> Result<(), NotConfirmed> {
        if already {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(NotConfirmed::NobodyThere);
        }
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|_| NotConfirmed::NobodyThere)?;
        if is_yes(&answer) { Ok(()) } else { Err(NotConfirmed::Declined) }
    }

    /// A bar for something long, in bytes: drawn on a terminal only.
    #[must_use]
    pub fn progress(self, label: &str, total_bytes: u64) -> Progress {
        let is_watched = !self.quiet && !self.json && io::stderr().is_terminal();
        Progress::new(label, total_bytes, is_watched)
    }
}

/// Anything but a clear yes is no.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[derive(Clone, Copy)]
enum Paint {
    Red,
    Yellow,
    Cyan,
}

/// In colour on a terminal that has not asked for none (<https://no-color.org>).
fn painted(text: &str, paint: Paint) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !wanted || !io::stderr().is_terminal() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Red => 31,
        Paint::Yellow => 33,
        Paint::Cyan => 36,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let cases =
            [("y\n", true), ("Yes\r\n", true), ("", false), ("\n", false), ("n", false), ("yess", false)];
        for (answer, expected) in cases {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
        assert_eq!(Output::new(false, false).confirm("sure?", true), Ok(()));
    }
}

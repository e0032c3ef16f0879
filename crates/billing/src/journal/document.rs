//! What a journal is called, and how it fits the fields of the ledger that takes it.

use serde::{Deserialize, Serialize};

use super::{ControlTotals, Journal, JournalLine};
use crate::Period;

/// `journal.document_format`: how documents are numbered. `J-{period}-{sequence}` is the default and makes
/// `J-2025-01-1`, the first journal of January 2025.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFormat(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal.document_format: `{format}`: {why}")]
pub struct BadDocumentFormat {
    pub format: String,
    pub why: String,
}

const PLACEHOLDERS: [&str; 5] = ["{period}", "{year}", "{yy}", "{month}", "{sequence}"];

impl DocumentFormat {
    pub const DEFAULT: &str = "J-{period}-{sequence}";

    /// Placeholders are `{period}` (2025-01), `{year}`, `{yy}`, `{month}` and `{sequence}`; the rest are
    /// letters, digits, `-`, `_` and `.`, so that a document names a file as well.
    ///
    /// # Errors
    /// A format that is not of these, or that would give two journals one name.
    pub fn compile(format: &str) -> Result<DocumentFormat, BadDocumentFormat> {
        let bad = |why: String| Err(BadDocumentFormat { format: format.to_owned(), why });
        let literal = PLACEHOLDERS.iter().fold(format.to_owned(), |text, name| text.replace(name, ""));
        if let Some(stray) = literal.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
            return bad(format!(
                "`{stray}` cannot stand in it; placeholders are {}, the rest letters, digits, - _ .",
                PLACEHOLDERS.join(" ")
            ));
        }
        let has = |name: &str| format.contains(name);
        let names_month = has("{period}") || (has("{month}") && (has("{year}") || has("{yy}")));
        if !has("{sequence}") || !names_month {
            return bad(
                "two journals would have one name: it needs {sequence}, and {period} or {yy} and {month}"
                    .to_owned(),
            );
        }
        if format.starts_with(['-', '.']) {
            return bad("it cannot begin with - or .".to_owned());
        }
        Ok(DocumentFormat(format.to_owned()))
    }

    /// The id of the period's `sequence`th journal, from 1.
    #[must_use]
    pub fn document_id(&self, period: Period, sequence: u32) -> String {
        self.0
            .replace("{period}", &period.to_string())
            .replace("{year}", &format!("{:04}", period.year()))
            .replace("{yy}", &format!("{:02}", period.year() % 100))
            .replace("{month}", &format!("{:02}", period.month()))
            .replace("{sequence}", &sequence.to_string())
    }
}

/// `journal.limits`: how many characters the ledger that takes the journal has for a text (Banner:
/// document 8, description 35, reference 8). `None` is as many as there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLimits {
    pub document: Option<u32>,
    pub description: Option<u32>,
    pub reference: Option<u32>,
}

/// How many texts of a file do not stand as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortened {
    /// Cut after the last word that fits.
    pub descriptions: usize,
    /// The document's number in place of a statement's number that does not fit.
    pub references: usize,
}

/// Numbers are never cut: half a number finds nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    #[error("document number `{document}` has {} characters, more than journal.limits.document ({limit})", document.len())]
    Document { document: String, limit: u32 },
    #[error("reference `{reference}` has {} characters, more than journal.limits.reference ({limit})", reference.len())]
    Reference { reference: String, limit: u32 },
}

impl TooLong {
    /// The way on, as a configuration.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "number documents shorter, for example `journal: { document_format: \"J{yy}{month}{sequence}\" }` \
         (J25011), or raise the limit"
    }
}

impl Journal {
    /// The same journal with texts that fit: descriptions are cut after the last word that fits (a longer
    /// word anywhere), a statement's number that does not fit gives way to the document's.
    ///
    /// # Errors
    /// [`TooLong`] when the document's own number does not fit.
    pub fn within(mut self, limits: &JournalLimits) -> Result<(Journal, Shortened), TooLong> {
        let fits = |text: &str, limit: Option<u32>| {
            limit.is_none_or(|limit| text.chars().count() <= usize::try_from(limit).unwrap_or(usize::MAX))
        };
        let document = self.document.clone();
        if let Some(limit) = limits.document.filter(|_| !fits(&document, limits.document)) {
            return Err(TooLong::Document { document, limit });
        }
        let mut shortened = Shortened::default();
        for line in self.entries.iter_mut().flat_map(|entry| &mut entry.lines) {
            if let Some(limit) = limits.description.filter(|_| !fits(&line.description, limits.description)) {
                line.description = cut(&line.description, limit);
                shortened.descriptions += 1;
            }
            if let Some(limit) = limits.reference.filter(|_| !fits(&line.reference_id, limits.reference)) {
                if !fits(&document, limits.reference) {
                    return Err(TooLong::Reference { reference: document, limit });
                }
                line.reference_id.clone_from(&document);
                shortened.references += 1;
            }
        }
        Ok((self, shortened))
    }
}

/// The beginning of a text, in whole words where it has any.
fn cut(text: &str, limit: u32) -> String {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    let (kept, rest) = text.split_at(end);
    let words = match kept.rsplit_once(char::is_whitespace) {
        Some((words, _)) if !rest.starts_with(char::is_whitespace) => words,
        _ => kept,
    };
    words.trim_end_matches([' ', ',', ';', ':', '-', '(']).to_owned()
}

impl ControlTotals {
    /// The totals of some lines.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a JournalLine>) -> ControlTotals {
        let mut totals = ControlTotals::default();
        for line in lines {
            totals.lines += 1;
            match line.side {
                super::Side::Debit => totals.debits += line.amount,
                super::Side::Credit => totals.credits += line.amount,
            }
            totals.hash_total = totals.hash_total.saturating_add(account_number(&line.account));
        }
        totals
    }
}

/// The last twelve digits of an account, as a number; other characters do not count.
fn account_number(account: &str) -> u64 {
    let digits = account.bytes().filter(u8::is_ascii_digit);
    digits.fold(0, |number, digit| (number * 10 + u64::from(digit - b'0')) % 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn format(text: &str) -> String {
        match DocumentFormat::compile(text) {
            Ok(format) => format.document_id("2025-01".parse().unwrap(), 12),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn documents_are_numbered_as_the_institution_wants() {
        for (text, id) in [
            (DocumentFormat::DEFAULT, "J-2025-01-12"),
            ("J{yy}{month}{sequence}", "J250112"),
            ("RC_{year}.{month}.{sequence}", "RC_2025.01.12"),
        ] {
            assert_eq!(format(text), id);
        }
        assert_snapshot!(format("J/{period}/{sequence}"), @"journal.document_format: `J/{period}/{sequence}`: `/` cannot stand in it; placeholders are {period} {year} {yy} {month} {sequence}, the rest letters, digits, - _ .");
        assert_snapshot!(format("J{day}{sequence}"), @"journal.document_format: `J{day}{sequence}`: `{` cannot stand in it; placeholders are {period} {year} {yy} {month} {sequence}, the rest letters, digits, - _ .");
        assert_snapshot!(format("J{month}{sequence}"), @"journal.document_format: `J{month}{sequence}`: two journals would have one name: it needs {sequence}, and {period} or {yy} and {month}");
        assert_snapshot!(format("-{period}{sequence}"), @"journal.document_format: `-{period}{sequence}`: it cannot begin with - or .");
    }

    #[test]
    fn a_text_is_cut_after_a_word() {
        for (text, limit, expected) in [
            ("AWS 2025-01 Research Computing Charges", 35, "AWS 2025-01 Research Computing"),
            ("AWS 2025-01 Research Computing Charges", 30, "AWS 2025-01 Research Computing"),
            ("AWS, and more", 5, "AWS"),
            ("Hochleistungsrechner", 5, "Hochl"),
            ("über alles", 4, "über"),
        ] {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
        }
    }

    #[test]
    fn an_account_counts_by_its_digits() {
        for (account, number) in
            [("54100", 54_100), ("0042", 42), ("7-10 A", 710), ("", 0), ("1234567890123", 234_567_890_123)]
        {
            assert_eq!(account_number(account), number, "{account}");
        }
    }
}

//! Names of files, unique and safe whatever stands in an e-mail address or a project name.

use billing::{Period, StatementNumber};

/// `2025-01_ada.lovelace-example.edu_genome-folding_2025-01-00042_v1.pdf`, for people to find.
///
/// The statement's number makes it unique; PI and project are there to be read. Only ASCII letters,
/// digits, `.`, `-` and `_` occur, it never begins with a dot or a hyphen, and it is at most 150 bytes
/// long, so that every file system and mail program takes it.
#[must_use]
pub fn statement_file_name(
    period: Period,
    pi_email: &str,
    project_id: &str,
    number: &StatementNumber,
    version: u32,
) -> String {
    format!("{period}_{}_{}_{}_v{version}.pdf", safe(pi_email, 48), safe(project_id, 40), safe(&number.0, 40))
}

/// The CSV of all resources beside a long statement: the same name with another end.
#[must_use]
pub fn statement_csv_name(
    period: Period,
    pi_email: &str,
    project_id: &str,
    number: &StatementNumber,
    version: u32,
) -> String {
    let pdf = statement_file_name(period, pi_email, project_id, number, version);
    format!("{}.csv", pdf.trim_end_matches(".pdf"))
}

/// A part of a name: at most `longest` bytes, never empty. What is not safe becomes one hyphen.
fn safe(text: &str, longest: usize) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => name.push(character),
            // Two dots in a row could be read as a way up.
            '.' if !name.ends_with(['.', '-']) && !name.is_empty() => name.push('.'),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    name.truncate(longest);
    let name = name.trim_end_matches(['-', '.', '_']);
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

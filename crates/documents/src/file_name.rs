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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(pi_email: &str, project_id: &str) -> String {
        let number = StatementNumber("2025-01-00042".to_owned());
        statement_file_name("2025-01".parse().unwrap(), pi_email, project_id, &number, 2)
    }

    #[test]
    fn names_are_readable_and_safe() {
        for (pi_email, project_id, expected) in [
            ("ada@example.edu", "genome", "2025-01_ada-example.edu_genome_2025-01-00042_v2.pdf"),
            // Defect 21: a slash ended the run. Defect 4: the domain was left out.
            ("x/y@a.edu", "../../etc/passwd", "2025-01_x-y-a.edu_etc-passwd_2025-01-00042_v2.pdf"),
            ("..@.", ".hidden", "2025-01_unnamed_hidden_2025-01-00042_v2.pdf"),
            ("a\u{0}\r\nb", "Größe 研究", "2025-01_a-b_Gr-e_2025-01-00042_v2.pdf"),
            ("CON", "nul", "2025-01_CON_nul_2025-01-00042_v2.pdf"),
            ("", "\u{202e}fdp", "2025-01_unnamed_fdp_2025-01-00042_v2.pdf"),
        ] {
            assert_eq!(name(pi_email, project_id), expected);
        }
        let csv =
            statement_csv_name("2025-01".parse().unwrap(), "a", "b", &StatementNumber("7".to_owned()), 1);
        assert_eq!(csv, "2025-01_a_b_7_v1.csv");
    }

    proptest! {
        #[test]
        fn any_name_is_safe(pi_email in any::<String>(), project_id in any::<String>()) {
            let name = name(&pi_email, &project_id);
            prop_assert!(name.len() <= 150);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
            prop_assert!(!name.contains(".."), "{name}");
            prop_assert!(name.ends_with("_2025-01-00042_v2.pdf"), "{name}");
        }
    }
}

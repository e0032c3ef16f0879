//! What a file's name says about its source and its period, and which known name a new one is a slip of.

use crate::Period;
use crate::settings::SourceSettings;

/// The periods that a file name speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuessedPeriod {
    /// None, or more than one.
    None,
    Month(Period),
    Quarter([Period; 3]),
}

/// The source whose `pattern` is part of the file name, in any case; the longest pattern wins, of equally
/// long ones the first. Folders are not looked at.
#[must_use]
pub fn guess_source<'a>(file_name: &str, sources: &'a [SourceSettings]) -> Option<&'a SourceSettings> {
    let name = base_name(file_name).to_lowercase();
    let length = |source: &SourceSettings| source.pattern.trim().chars().count();
    sources
        .iter()
        .filter(|source| length(source) > 0 && name.contains(&source.pattern.trim().to_lowercase()))
        // The last of equals wins a maximum, so it is sought from the end.
        .rev()
        .max_by_key(|source| length(source))
}

/// The month (`2025-01`, `2025_01`, `202501`) or quarter (`2025-Q1`, `2025_q1`, `2025Q1`) of this century
/// that stands in a file name, not inside a longer run of digits. A name with two different ones says
/// nothing; a day (`2025-01-31`) speaks of its month.
#[must_use]
pub fn guess_period(file_name: &str) -> GuessedPeriod {
    let name = base_name(file_name).as_bytes();
    let mut found = GuessedPeriod::None;
    for at in 0..name.len() {
        let after_digit = at > 0 && name[at - 1].is_ascii_digit();
        let Some(guess) = period_at(&name[at..]).filter(|_| !after_digit) else {
            continue;
        };
        if found != GuessedPeriod::None && found != guess {
            return GuessedPeriod::None;
        }
        found = guess;
    }
    found
}

fn period_at(text: &[u8]) -> Option<GuessedPeriod> {
    let year = digits(text.get(..4)?).filter(|year| (2000..=2099).contains(year))?;
    let rest = &text[4..];
    let rest = rest.strip_prefix(b"-").or(rest.strip_prefix(b"_")).unwrap_or(rest);
    let ends = |length: usize| !rest.get(length).is_some_and(u8::is_ascii_digit);
    let month = |month: i16| Period::new(year, u8::try_from(month).ok()?);
    if let [b'q' | b'Q', quarter @ b'1'..=b'4', ..] = rest {
        let first = month(i16::from(quarter - b'1') * 3 + 1).filter(|_| ends(2))?;
        return Some(GuessedPeriod::Quarter([first, first.next(), first.next().next()]));
    }
    let number = digits(rest.get(..2)?).filter(|_| ends(2))?;
    month(number).map(GuessedPeriod::Month)
}

fn digits(text: &[u8]) -> Option<i16> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i16::from(byte - b'0')))
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The known name that `name` is one letter off: one more, one less, another one, or two swapped. None
/// when `name` is a known one in any case. A digit that differs is no slip: `HPC1` and `HPC2` are two
/// clusters.
#[must_use]
pub fn near_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = |text: &str| text.trim().to_lowercase().chars().collect::<Vec<char>>();
    let new = folded(name);
    let mut near = None;
    for candidate in known {
        let old = folded(candidate);
        if old == new {
            return None;
        }
        if near.is_none() && one_letter_off(&new, &old) {
            near = Some(candidate);
        }
    }
    near
}

fn one_letter_off(one: &[char], other: &[char]) -> bool {
    let same = |(a, b): &(&char, &char)| a == b;
    let start = one.iter().zip(other).take_while(same).count();
    let (one, other) = (&one[start..], &other[start..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    let (one, other) = (&one[..one.len() - end], &other[..other.len() - end]);
    match (one, other) {
        ([letter], []) | ([], [letter]) => !letter.is_numeric(),
        ([a], [b]) => !(a.is_numeric() && b.is_numeric()),
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_source_is_known_by_the_longest_pattern() {
        let mut sources = Settings::default().sources;
        sources.push(SourceSettings::new("AWS GovCloud", "AWS_gov"));
        sources.push(SourceSettings::new("Nothing", " "));
        sources.push(SourceSettings::new("Gulf", "gcq"));
        let check = |file: &str, expected: Option<&str>| {
            let found = guess_source(file, &sources).map(|source| source.name.0.as_str());
            assert_eq!(found, expected, "{file}");
        };
        check("aws_2025-01.csv", Some("AWS"));
        check("AWS_GOV_2025-01.csv", Some("AWS GovCloud"));
        check("export-hpc-aws.csv.gz", Some("AWS"));
        check("gcqgcp.csv", Some("GCP"));
        check("research_storage.parquet", Some("Storage"));
        check("/exports/aws/2025-01.csv", None);
        check(r"C:\aws\hpc.csv", Some("HPC"));
        check("2025-01.csv", None);
        check("", None);
    }

    #[test]
    fn a_period_is_read_from_the_name() {
        let check = |file: &str, expected: &str| {
            let text = match guess_period(file) {
                GuessedPeriod::None => String::new(),
                GuessedPeriod::Month(period) => period.to_string(),
                GuessedPeriod::Quarter(periods) => periods.map(|period| period.to_string()).join(" "),
            };
            assert_eq!(text, expected, "{file}");
        };
        check("aws_2025-01.csv", "2025-01");
        check("aws_2025_12.csv", "2025-12");
        check("202501_aws.csv", "2025-01");
        check("aws-2025-Q1.csv", "2025-01 2025-02 2025-03");
        check("aws_2025q4.csv", "2025-10 2025-11 2025-12");
        check("2025-01", "2025-01");
        check("aws2025-01.csv", "2025-01");
        // A day speaks of its month, twice the same month is one.
        check("aws_2025-01-31.csv", "2025-01");
        check("2025-01-01_2025-01-31.csv", "2025-01");
        // Not inside longer runs of digits, not another century, not a month 13, not two months.
        check("20250115.csv", "");
        check("1202501.csv", "");
        check("aws_2025-011.csv", "");
        check("aws_2025-13.csv", "");
        check("aws_2025-00.csv", "");
        check("aws_2025-Q5.csv", "");
        check("aws_2025-Q12.csv", "");
        check("ticket_123412.csv", "");
        check("2025-01_2025-02.csv", "");
        check("2025-01_2025-Q1.csv", "");
        check("/data/2025-01/aws.csv", "");
        check("aws_2025-1.csv", "");
        check("größe_2025-01.csv", "2025-01");
        check("2025", "");
        check("", "");
    }

    #[test]
    fn a_name_one_letter_off_a_known_one_is_near() {
        let known = ["AWS", "Azure", "HPC1"];
        let check =
            |name: &str, expected: Option<&str>| assert_eq!(near_name(name, known), expected, "{name}");
        check("Asure", Some("Azure"));
        check("azur", Some("Azure"));
        check("AZURRE", Some("Azure"));
        check("Auzre", Some("Azure"));
        check("AW", Some("AWS"));
        check("ASW", Some("AWS"));
        check("HPX1", Some("HPC1"));
        check("HPCI", Some("HPC1"));
        // The same source in another case, two letters off, another cluster, another name.
        check("aws", None);
        check(" Azure ", None);
        check("Asurre", None);
        check("HPC2", None);
        check("HPC", None);
        check("AWS2", None);
        check("Storage", None);
        check("", None);
    }

    #[test]
    fn a_known_name_is_not_near_another_known_one() {
        assert_eq!(near_name("HPCA", ["HPCB", "hpca"]), None);
        assert_eq!(near_name("HPCC", ["HPCB", "HPCA"]), Some("HPCB"));
    }
}

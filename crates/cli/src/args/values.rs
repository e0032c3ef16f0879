//! Parsers of single values. Their messages end what clap begins with: invalid value '…' for '…'.

use billing::{Flag, ImportId};

/// `12`, or `#12` as lists show it.
pub(super) fn import_id(text: &str) -> Result<ImportId, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let number = digits.parse().ok().filter(|&number: &i64| number > 0);
    number.map(ImportId).ok_or_else(|| "not the number of an import such as 12".to_owned())
}

pub(super) fn flag(text: &str) -> Result<Flag, String> {
    Flag::from_name(&text.to_lowercase()).ok_or_else(|| {
        let names: Vec<&str> = Flag::ALL.into_iter().map(Flag::name).collect();
        format!("not a flag: there is {}", names.join(", "))
    })
}

/// An e-mail address as charges have it: trimmed, in lower case.
pub(super) fn pi_email(text: &str) -> Result<String, String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@').unwrap_or_default();
    if local.is_empty() || domain.is_empty() || email.contains(char::is_whitespace) {
        return Err("not an e-mail address such as maren.okafor@example.edu".to_owned());
    }
    Ok(email)
}

/// A PI by address, or by number, `P-12`.
pub(super) fn pi(text: &str) -> Result<String, String> {
    let person = text.parse::<billing::people::PersonId>().map(|person| person.to_string());
    person.or_else(|_| pi_email(text)).map_err(|error| format!("{error}, or P-12"))
}

/// Words for the books: a reason, a note. Blank is none.
pub(super) fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// In hundredths.
pub fn ratio(text: &str) -> Result<u32, String> {
    billing::unusual::ratio_percent(text)
        .ok_or_else(|| format!("`{text}` is not a ratio from 1 to 1000, such as 2.5"))
}

/// `90d`, `12w`, in days.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let wrong = || "not a time such as 90d or 12w".to_owned();
    let (number, unit) = match text.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('d').ok_or_else(wrong)?, 1),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

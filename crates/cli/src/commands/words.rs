//! Small words that several commands say.

use std::fmt::Display;

pub use money::grouped;

/// `1 charge`, `2 charges`, `1,204 charges`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

pub fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("–").to_owned()
}

/// A time for people, in UTC to the minute.
pub fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

//! One CSV field: its text without the quotes, and the texts that mean "nothing".

use memchr::memchr;

use crate::scan::{STEP, bit, padded, positions};

/// What is wrong with the quotes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuoteDefect {
    NeverClosed,
    TextAfterClosing,
}

impl QuoteDefect {
    pub const TEXT_AFTER_CLOSING: &'static str =
        "has text after its closing quote; inside quotes, a quote is written twice";
}

/// Where the text of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Within the field, from and to.
    Within(usize, usize),
    /// Appended to `unescaped`, from and to.
    Unescaped(usize, usize),
}

/// Take off the quotes of `field`, which begins with one. Text with escaped quotes is appended to
/// `unescaped`. Blanks after the closing quote are dropped.
#[inline]
pub(crate) fn unquote(field: &[u8], unescaped: &mut Vec<u8>) -> Result<Text, QuoteDefect> {
    let Some(quote) = memchr(b'"', &field[1..]) else { return Err(QuoteDefect::NeverClosed) };
    let quote = quote + 1;
    if field.get(quote + 1) != Some(&b'"') {
        return closes(field, quote).map(|()| Text::Within(1, quote));
    }
    let start = unescaped.len();
    unescaped.resize(start + field.len() + SHORT, 0);
    let written = unescape(field, &mut unescaped[start..]);
    unescaped.truncate(start + *written.as_ref().unwrap_or(&0));
    written.map(|len| Text::Unescaped(start, start + len))
}

/// Write the text of a quoted field to `out`, which has room for it and [`SHORT`] bytes more.
///
/// Tags have a quote every few bytes, so the quotes are found by bit set instead of one by one.
fn unescape(field: &[u8], out: &mut [u8]) -> Result<usize, QuoteDefect> {
    let mut from = 1;
    let mut to = 0;
    for base in (0..field.len()).step_by(STEP) {
        let mut quotes = match field[base..].first_chunk::<STEP>() {
            Some(step) => positions(step, b'"'),
            None => positions(&padded(&field[base..]), b'"'),
        };
        while quotes != 0 {
            let quote = base + bit(quotes.trailing_zeros());
            quotes &= quotes - 1;
            // The opening quote and the second of a pair are behind us.
            if quote < from {
                continue;
            }
            if field.get(quote + 1) != Some(&b'"') {
                closes(field, quote)?;
                return Ok(copy(&field[from..], quote - from, out, to));
            }
            to = copy(&field[from..], quote + 1 - from, out, to);
            from = quote + 2;
        }
    }
    Err(QuoteDefect::NeverClosed)
}

/// What [`copy`] moves at once.
const SHORT: usize = 32;

/// Copy the first `len` bytes of `text` to `out[to..]`, and some more behind them where that is faster.
#[inline]
fn copy(text: &[u8], len: usize, out: &mut [u8], to: usize) -> usize {
    match (text.first_chunk::<SHORT>(), out[to..].first_chunk_mut::<SHORT>()) {
        (Some(text), Some(out)) if len <= SHORT => *out = *text,
        _ => out[to..to + len].copy_from_slice(&text[..len]),
    }
    to + len
}

/// The same without keeping the text.
#[inline]
pub(crate) fn check_quotes(field: &[u8]) -> Result<(), QuoteDefect> {
    let mut from = 1;
    loop {
        let Some(quote) = memchr(b'"', &field[from..]) else { return Err(QuoteDefect::NeverClosed) };
        let quote = from + quote;
        if field.get(quote + 1) != Some(&b'"') {
            return closes(field, quote);
        }
        from = quote + 2;
    }
}

#[inline]
fn closes(field: &[u8], quote: usize) -> Result<(), QuoteDefect> {
    if is_blank(&field[quote + 1..]) { Ok(()) } else { Err(QuoteDefect::TextAfterClosing) }
}

#[inline]
pub(crate) fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

/// Whether a text stands for "nothing": empty, blank, `NULL`, `null`, `(null)` or `\N`.
#[inline]
pub(crate) fn is_null(text: &[u8]) -> bool {
    match text.first() {
        None => true,
        Some(b'N' | b'n' | b'(' | b'\\') => matches!(text, b"NULL" | b"null" | b"(null)" | b"\\N"),
        Some(first) => first.is_ascii_whitespace() && is_blank(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off() {
        let long = format!(r#"{}"{}"{}"#, "x".repeat(70), "y".repeat(31), "z".repeat(33));
        let edge = format!(r#"{}"y"#, "x".repeat(62));
        for (field, wanted) in [
            (r#""""#, Ok("")),
            (r#""a""#, Ok("a")),
            (r#""a,b""#, Ok("a,b")),
            (r#""a" "#, Ok("a")),
            (r#""""""#, Ok(r#"""#)),
            (r#""{""k"": ""v""}""#, Ok(r#"{"k": "v"}"#)),
            (r#""a"#, Err(QuoteDefect::NeverClosed)),
            (r#"""#, Err(QuoteDefect::NeverClosed)),
            (r#""a"""#, Err(QuoteDefect::NeverClosed)),
            (r#""a"b"#, Err(QuoteDefect::TextAfterClosing)),
            (&format!(r#""{}""{}""{}""#, "x".repeat(70), "y".repeat(31), "z".repeat(33)), Ok(&long)),
            (&format!(r#""{}""y""#, "x".repeat(62)), Ok(&edge)),
            (r#""a""b"c"#, Err(QuoteDefect::TextAfterClosing)),
        ] {
            let mut unescaped = b"before".to_vec();
            let text = unquote(field.as_bytes(), &mut unescaped).map(|text| match text {
                Text::Within(from, to) => field[from..to].to_owned(),
                Text::Unescaped(from, to) => String::from_utf8(unescaped[from..to].to_vec()).unwrap(),
            });
            assert_eq!(text, wanted.map(str::to_owned), "{field}");
            assert_eq!(check_quotes(field.as_bytes()), wanted.map(|_| ()), "{field}");
        }
    }

    #[test]
    fn nothing_has_many_spellings() {
        for text in ["", " ", "\t ", "NULL", "null", "(null)", "\\N"] {
            assert!(is_null(text.as_bytes()), "{text:?}");
        }
        for text in ["0", "Null", "N/A", "none", "-", " NULL"] {
            assert!(!is_null(text.as_bytes()), "{text:?}");
        }
    }
}

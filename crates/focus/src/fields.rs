//! One CSV field: its text without the quotes, and the texts that mean "nothing".

use memchr::memchr;

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
    let Some(first) = memchr(b'"', &field[1..]) else { return Err(QuoteDefect::NeverClosed) };
    let first = first + 1;
    if field.get(first + 1) != Some(&b'"') {
        return closes(field, first).map(|()| Text::Within(1, first));
    }
    let start = unescaped.len();
    unescaped.extend_from_slice(&field[1..=first]);
    let mut from = first + 2;
    loop {
        let Some(quote) = memchr(b'"', &field[from..]) else { return Err(QuoteDefect::NeverClosed) };
        let quote = from + quote;
        if field.get(quote + 1) != Some(&b'"') {
            closes(field, quote)?;
            unescaped.extend_from_slice(&field[from..quote]);
            return Ok(Text::Unescaped(start, unescaped.len()));
        }
        unescaped.extend_from_slice(&field[from..=quote]);
        from = quote + 2;
    }
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
    match text {
        [] | b"NULL" | b"null" | b"(null)" | b"\\N" => true,
        [first, ..] => first.is_ascii_whitespace() && is_blank(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off() {
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

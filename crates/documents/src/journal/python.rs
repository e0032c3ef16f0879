//! Python's `"%-10s %010.2f" % values`, exact on decimals.

use std::iter::Peekable;
use std::str::Chars;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::decimal::Decimal;

/// Wider than any field of a journal; a guard against templates that fill the memory.
const WIDTH_MAX: usize = 10_000;

/// One `%` directive.
#[derive(Debug, Default)]
struct Directive {
    key: Option<String>,
    /// Of `-`, `+`, space, `0`, `#`.
    flags: String,
    width: usize,
    precision: Option<usize>,
}

/// Fill the directives of `template` with `values` in turn (or, `%(name)s`, from the mapping that is
/// the only value).
pub fn format(template: &str, values: &[Value]) -> Result<String, Error> {
    let mut text = String::with_capacity(template.len() + 16);
    let mut characters = template.chars().peekable();
    let mut next = values.iter();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let directive = Directive::read(&mut characters)?;
        let kind = characters.next().ok_or_else(|| refuse("a format ends in `%`"))?;
        if kind == '%' {
            text.push('%');
            continue;
        }
        let value = match &directive.key {
            Some(key) => values.first().and_then(|map| map.get_attr(key).ok()).unwrap_or_default(),
            None => next.next().cloned().ok_or_else(|| {
                refuse(format!("the format `{template}` wants more values than it is given"))
            })?,
        };
        text.push_str(&directive.fill(kind, &value)?);
    }
    let only_map = values.len() == 1 && values[0].kind() == ValueKind::Map;
    if next.next().is_some() && !only_map {
        return Err(refuse(format!("the format `{template}` is given more values than it wants")));
    }
    Ok(text)
}

impl Directive {
    fn read(characters: &mut Peekable<Chars>) -> Result<Directive, Error> {
        let mut directive = Directive::default();
        if characters.next_if_eq(&'(').is_some() {
            let mut key = String::new();
            loop {
                match characters.next() {
                    Some(')') => break,
                    Some(character) => key.push(character),
                    None => return Err(refuse("a format's `%(name)` is not closed")),
                }
            }
            directive.key = Some(key);
        }
        while let Some(flag) = characters.next_if(|flag| "-+ 0#".contains(*flag)) {
            directive.flags.push(flag);
        }
        directive.width = read_number(characters)?.unwrap_or(0);
        if characters.next_if_eq(&'.').is_some() {
            directive.precision = Some(read_number(characters)?.unwrap_or(0));
        }
        while characters.next_if(|letter| "hlL".contains(*letter)).is_some() {}
        Ok(directive)
    }

    fn fill(&self, kind: char, value: &Value) -> Result<String, Error> {
        let number = || {
            Decimal::from_value(value)
                .ok_or_else(|| refuse(format!("`%{kind}` wants a number, not `{value}`")))
        };
        match kind {
            's' => {
                let text = value.to_string();
                let cut = match self.precision {
                    Some(precision) => text.chars().take(precision).collect(),
                    None => text,
                };
                Ok(self.pad("", &cut))
            }
            'd' | 'i' | 'u' => {
                let whole = number()?.truncated();
                let digits = whole.unsigned_abs().to_string();
                let digits = format!("{digits:0>width$}", width = self.precision.unwrap_or(0));
                Ok(self.pad_number(whole < 0, &digits))
            }
            'f' | 'F' => {
                let number = number()?;
                let places = u8::try_from(self.precision.unwrap_or(6))
                    .map_err(|_| refuse("more than 255 decimals"))?;
                let text = number.fixed(places);
                let digits = text.strip_prefix('-').unwrap_or(&text);
                // Python keeps the sign of what rounds to zero.
                Ok(self.pad_number(number.is_negative(), digits))
            }
            _ => Err(refuse(format!("the format `%{kind}` is not supported; use %s, %d or %f"))),
        }
    }

    fn pad_number(&self, negative: bool, digits: &str) -> String {
        let sign = match negative {
            true => "-",
            false if self.flags.contains('+') => "+",
            false if self.flags.contains(' ') => " ",
            false => "",
        };
        if self.flags.contains('0') && !self.flags.contains('-') {
            let width = self.width.saturating_sub(sign.len());
            return format!("{sign}{digits:0>width$}");
        }
        self.pad(sign, digits)
    }

    fn pad(&self, sign: &str, text: &str) -> String {
        let text = format!("{sign}{text}");
        let width = self.width;
        if self.flags.contains('-') { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }
}

fn read_number(characters: &mut Peekable<Chars>) -> Result<Option<usize>, Error> {
    let mut number = None;
    while let Some(digit) = characters.next_if(char::is_ascii_digit) {
        let value = number.unwrap_or(0) * 10 + digit.to_digit(10).map_or(0, |digit| digit as usize);
        if value > WIDTH_MAX {
            return Err(refuse(format!("a format is wider than {WIDTH_MAX} characters")));
        }
        number = Some(value);
    }
    Ok(number)
}

pub fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

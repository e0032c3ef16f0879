//! Just enough JSON for tags: a reader that hands out members without building a tree, keeps the text of
//! numbers as delivered (`0042`), and says where it stopped understanding.

use std::borrow::Cow;

use memchr::memchr2;

/// A reader of one JSON text, from the front.
pub(crate) struct Json<'a> {
    text: &'a str,
    at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    /// A number, `true` or `false`, as delivered.
    Literal(&'a str),
    Null,
    /// An object or a list, as delivered.
    Nested(&'a str),
}

/// Where the text stops being JSON, in bytes from 1, and what should stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub position: usize,
    pub expected: &'static str,
}

impl<'a> Json<'a> {
    pub fn new(text: &'a str) -> Json<'a> {
        Json { text, at: 0 }
    }

    /// The next byte that is not white space.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Step over `byte` if it comes next.
    pub fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub fn fail<T>(&self, expected: &'static str) -> Result<T, Malformed> {
        Err(Malformed { position: self.at + 1, expected })
    }

    /// Call `visit` with every member of the object that begins here.
    pub fn members(&mut self, mut visit: impl FnMut(Cow<'a, str>, Value<'a>)) -> Result<(), Malformed> {
        self.items(b'{', b'}', |json| {
            if json.peek() != Some(b'"') {
                return json.fail("a name in double quotes is expected");
            }
            let name = json.string()?;
            if !json.takes(b':') {
                return json.fail("`:` is expected");
            }
            let value = json.value()?;
            visit(name, value);
            Ok(())
        })
    }

    /// Call `item` at the start of every element of the list that begins here; it must step over it.
    pub fn elements(
        &mut self,
        item: impl FnMut(&mut Json<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.items(b'[', b']', item)
    }

    fn items(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Json<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.takes(open) {
            return self.fail("`{` or `[` is expected");
        }
        if self.takes(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.takes(close) {
                return Ok(());
            }
            if !self.takes(b',') {
                return self.fail(if close == b'}' {
                    "`,` or `}` is expected"
                } else {
                    "`,` or `]` is expected"
                });
            }
        }
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { self.fail("the end is expected") }
    }

    pub fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{' | b'[') => self.nested().map(Value::Nested),
            Some(_) => self.literal(),
            None => self.fail("a value is expected"),
        }
    }

    fn literal(&mut self) -> Result<Value<'a>, Malformed> {
        let rest = &self.text[self.at..];
        let is_over = |c: char| matches!(c, ',' | '}' | ']' | ':') || c.is_ascii_whitespace();
        let word = &rest[..rest.find(is_over).unwrap_or(rest.len())];
        let is_number = word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
            && word.bytes().any(|b| b.is_ascii_digit());
        let value = match word {
            "null" => Value::Null,
            "true" | "false" => Value::Literal(word),
            _ if is_number => Value::Literal(word),
            _ => return self.fail("a value is expected"),
        };
        self.at += word.len();
        Ok(value)
    }

    /// The text of the object or list that begins here; its brackets match, its inside is not looked at.
    fn nested(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        let mut open = Vec::new();
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{') => open.push(b'}'),
                Some(b'[') => open.push(b']'),
                Some(close @ (b'}' | b']')) if open.pop() != Some(*close) => {
                    return self.fail("another bracket is expected");
                }
                Some(_) => {}
                None => return self.fail("a closing bracket is expected"),
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(&self.text[start..self.at]);
            }
        }
    }

    /// The string whose opening quote stands here.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.at += 1;
        let mut start = self.at;
        let mut unescaped = String::new();
        loop {
            let Some(found) = memchr2(b'"', b'\\', &self.text.as_bytes()[self.at..]) else {
                self.at = self.text.len();
                return self.fail("a closing quote is expected");
            };
            self.at += found;
            let plain = &self.text[start..self.at];
            if self.text.as_bytes()[self.at] == b'"' {
                self.at += 1;
                if unescaped.is_empty() {
                    return Ok(Cow::Borrowed(plain));
                }
                unescaped.push_str(plain);
                return Ok(Cow::Owned(unescaped));
            }
            unescaped.push_str(plain);
            unescaped.push(self.escape()?);
            start = self.at;
        }
    }

    /// The character of the escape whose backslash stands here.
    fn escape(&mut self) -> Result<char, Malformed> {
        let simple = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.fail("an escape such as `\\\"` or `\\n` is expected"),
        };
        self.at += 2;
        Ok(simple)
    }

    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let Some(first) = self.code_unit(self.at) else {
            return self.fail("an escape such as `\\u00e9` is expected");
        };
        let second = self.code_unit(self.at + 6);
        let paired = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
        match (char::from_u32(u32::from(first)), paired) {
            (Some(character), _) => {
                self.at += 6;
                Ok(character)
            }
            (None, Some(character)) => {
                self.at += 12;
                Ok(character)
            }
            // Half a pair stands for nothing; the rest of the tag is still worth having.
            (None, None) => {
                self.at += 6;
                Ok(char::REPLACEMENT_CHARACTER)
            }
        }
    }

    /// The number in `\uXXXX` at a place.
    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    }
}

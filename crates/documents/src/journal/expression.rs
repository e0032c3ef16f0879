//! Arithmetic in templates, made exact. The template engine adds and compares integers and floats only,
//! so before it sees a template, `a + b` in it becomes `__add(a, b)` and `0.5` becomes `__dec("0.5")`,
//! with the functions of `operators.rs`. Everything else stays as it stands, and an expression that is
//! not understood is left to the engine, which says what is wrong with it.

/// The template with exact arithmetic. Lines keep their numbers.
pub fn exact(template: &str) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(at) = find_tag(rest) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let kind = &rest[..2];
        let end = match kind {
            "{#" => rest.find("#}").map_or(rest.len(), |end| end + 2),
            _ => tag_end(rest).unwrap_or(rest.len()),
        };
        let tag = &rest[..end];
        rest = &rest[end..];
        if is_raw(tag) {
            let raw = end_of_raw(rest);
            out.push_str(tag);
            out.push_str(&rest[..raw]);
            rest = &rest[raw..];
        } else {
            out.push_str(&rewrite_tag(tag).unwrap_or_else(|| tag.to_owned()));
        }
    }
    out.push_str(rest);
    out
}

fn find_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min()
}

/// Where the tag that `text` begins with ends, seeing over strings and dictionaries.
fn tag_end(text: &str) -> Option<usize> {
    let close = if text.starts_with("{{") { "}}" } else { "%}" };
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = string_end(bytes, at, quote)?,
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            _ if depth == 0
                && text[at..].is_char_boundary(0)
                && bytes[at..].starts_with(close.as_bytes()) =>
            {
                return Some(at + 2);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place of the quote that ends the string beginning at `start`.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn is_raw(tag: &str) -> bool {
    tag.starts_with("{%") && tag[2..].trim_start_matches(['-', '+']).trim_start().starts_with("raw")
}

fn end_of_raw(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find("{%") {
        let after = text[from + at + 2..].trim_start_matches(['-', '+']).trim_start();
        if after.starts_with("endraw") {
            return from + at;
        }
        from += at + 2;
    }
    text.len()
}

/// `None` when the tag has no arithmetic place or is not understood.
fn rewrite_tag(tag: &str) -> Option<String> {
    let open_len = if tag[2..].starts_with(['-', '+']) { 3 } else { 2 };
    let close_len =
        if tag[..tag.len() - 2].ends_with(['-', '+']) && tag.len() > open_len + 2 { 3 } else { 2 };
    let inner = tag.get(open_len..tag.len().checked_sub(close_len)?)?;
    let mut parser = Parser { tokens: tokens(inner)?, at: 0 };
    let text = if tag.starts_with("{{") { parser.list()? } else { parser.statement()? };
    if parser.at != parser.tokens.len() {
        return None;
    }
    // Lines inside the tag are kept, so that errors name the right one.
    let lines = "\n".repeat(inner.matches('\n').count());
    Some(format!("{} {text} {lines}{}", &tag[..open_len], &tag[tag.len() - close_len..]))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Whole(&'a str),
    Fraction(&'a str),
    Text(&'a str),
    Sign(&'a str),
}

const SIGNS: [&str; 27] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "<", ">", "=", "~", "|", ".", ",", ":", "(",
    ")", "[", "]", "{", "}", ";", "!",
];

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, len) = if first == '"' || first == '\'' {
            let end = string_end(rest.as_bytes(), 0, u8::try_from(first).ok()?)? + 1;
            (Token::Text(&rest[..end]), end)
        } else if first.is_ascii_digit() && !matches!(tokens.last(), Some(Token::Sign("."))) {
            number(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(&rest[..end]), end)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            (Token::Sign(sign), sign.len())
        };
        tokens.push(token);
        rest = rest[len..].trim_start();
    }
    Some(tokens)
}

fn number(text: &str) -> (Token<'_>, usize) {
    let digits = |from: usize| {
        text[from..].find(|c: char| !c.is_ascii_digit() && c != '_').map_or(text.len(), |len| from + len)
    };
    let whole = digits(0);
    if text[whole..].starts_with('.') && text[whole + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        let end = digits(whole + 1);
        return (Token::Fraction(&text[..end]), end);
    }
    (Token::Whole(&text[..whole]), whole)
}

/// Jinja2's grammar of expressions, each rule giving the rewritten text.
struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, token: Token) -> bool {
        let is = self.peek() == Some(token);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Option<()> {
        self.take(Token::Sign(sign)).then_some(())
    }

    fn name(&mut self) -> Option<&'a str> {
        match self.next()? {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    fn statement(&mut self) -> Option<String> {
        match self.name()? {
            word @ ("if" | "elif" | "do") => Some(format!("{word} {}", self.list()?)),
            "set" => {
                let targets = self.targets(Token::Sign("="))?;
                Some(format!("set {targets} = {}", self.list()?))
            }
            "for" => {
                let targets = self.targets(Token::Name("in"))?;
                let mut text = format!("for {targets} in {}", self.or()?);
                if self.take(Token::Name("if")) {
                    text = format!("{text} if {}", self.expression()?);
                }
                if self.take(Token::Name("recursive")) {
                    text.push_str(" recursive");
                }
                Some(text)
            }
            _ => None,
        }
    }

    /// Names to be set, up to the token that ends them.
    fn targets(&mut self, end: Token) -> Option<String> {
        let mut text = String::new();
        while !self.take(end) {
            match self.next()? {
                Token::Name(word) => text.push_str(word),
                Token::Sign(sign @ ("." | "," | "(" | ")")) => text.push_str(sign),
                _ => return None,
            }
        }
        Some(text)
    }

    /// An expression, or several with commas: a tuple.
    fn list(&mut self) -> Option<String> {
        let mut items = vec![self.expression()?];
        while self.take(Token::Sign(",")) {
            items.push(self.expression()?);
        }
        Some(if items.len() == 1 { items.remove(0) } else { format!("({})", items.join(", ")) })
    }

    fn expression(&mut self) -> Option<String> {
        let value = self.or()?;
        if !self.take(Token::Name("if")) {
            return Some(value);
        }
        let condition = self.or()?;
        if self.take(Token::Name("else")) {
            return Some(format!("({value} if {condition} else {})", self.expression()?));
        }
        Some(format!("({value} if {condition})"))
    }

    fn or(&mut self) -> Option<String> {
        let mut left = self.and()?;
        while self.take(Token::Name("or")) {
            left = format!("({left} or {})", self.and()?);
        }
        Some(left)
    }

    fn and(&mut self) -> Option<String> {
        let mut left = self.not()?;
        while self.take(Token::Name("and")) {
            left = format!("({left} and {})", self.not()?);
        }
        Some(left)
    }

    fn not(&mut self) -> Option<String> {
        if self.take(Token::Name("not")) {
            return Some(format!("(not {})", self.not()?));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Option<String> {
        let mut left = self.sum()?;
        let mut parts = Vec::new();
        loop {
            let function = match self.peek() {
                Some(Token::Sign("==")) => "__eq",
                Some(Token::Sign("!=")) => "__ne",
                Some(Token::Sign("<")) => "__lt",
                Some(Token::Sign("<=")) => "__le",
                Some(Token::Sign(">")) => "__gt",
                Some(Token::Sign(">=")) => "__ge",
                Some(Token::Name("in")) => "in",
                Some(Token::Name("not")) if self.tokens.get(self.at + 1) == Some(&Token::Name("in")) => {
                    self.at += 1;
                    "not in"
                }
                _ => break,
            };
            self.at += 1;
            let right = self.sum()?;
            parts.push(if function.starts_with("__") {
                format!("{function}({left}, {right})")
            } else {
                format!("({left} {function} {right})")
            });
            left = right;
        }
        Some(match parts.len() {
            0 => left,
            1 => parts.remove(0),
            _ => format!("({})", parts.join(" and ")),
        })
    }

    fn sum(&mut self) -> Option<String> {
        self.chain(Parser::concatenation, &[("+", "__add"), ("-", "__sub")])
    }

    fn concatenation(&mut self) -> Option<String> {
        self.chain(Parser::product, &[("~", "__cat")])
    }

    fn product(&mut self) -> Option<String> {
        let operators = [("*", "__mul"), ("/", "__div"), ("//", "__floordiv"), ("%", "__rem")];
        self.chain(Parser::power, &operators)
    }

    fn power(&mut self) -> Option<String> {
        self.chain(Parser::unary, &[("**", "__pow")])
    }

    /// Operators that bind to the left.
    fn chain(
        &mut self,
        operand: fn(&mut Parser<'a>) -> Option<String>,
        operators: &[(&str, &str)],
    ) -> Option<String> {
        let mut left = operand(self)?;
        while let Some((_, function)) = operators.iter().find(|(sign, _)| self.take(Token::Sign(sign))) {
            left = format!("{function}({left}, {})", operand(self)?);
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<String> {
        let value = self.signed()?;
        self.filters(value)
    }

    /// A sign binds closer than a filter: `-1|abs` is 1.
    fn signed(&mut self) -> Option<String> {
        if self.take(Token::Sign("-")) {
            return Some(format!("__neg({})", self.signed()?));
        }
        if self.take(Token::Sign("+")) {
            return Some(format!("__pos({})", self.signed()?));
        }
        let value = self.primary()?;
        self.postfix(value)
    }

    fn primary(&mut self) -> Option<String> {
        match self.next()? {
            Token::Name(word) => Some(word.to_owned()),
            Token::Whole(digits) => Some(digits.to_owned()),
            Token::Fraction(digits) => Some(format!("__dec(\"{}\")", digits.replace('_', ""))),
            Token::Text(text) => {
                let mut parts = vec![text.to_owned()];
                while let Some(Token::Text(next)) = self.peek() {
                    parts.push(next.to_owned());
                    self.at += 1;
                }
                Some(if parts.len() == 1 { parts.remove(0) } else { format!("({})", parts.join(" ~ ")) })
            }
            Token::Sign("(") => {
                let mut items = Vec::new();
                let mut tuple = false;
                while !self.take(Token::Sign(")")) {
                    items.push(self.expression()?);
                    if !self.take(Token::Sign(",")) {
                        self.expect(")")?;
                        break;
                    }
                    tuple = true;
                }
                let comma = if tuple && items.len() == 1 { "," } else { "" };
                Some(format!("({}{comma})", items.join(", ")))
            }
            Token::Sign("[") => Some(format!("[{}]", self.items("]", Parser::expression)?)),
            Token::Sign("{") => Some(format!("{{{}}}", self.items("}", Parser::pair)?)),
            Token::Sign(_) => None,
        }
    }

    fn items(&mut self, end: &str, item: fn(&mut Parser<'a>) -> Option<String>) -> Option<String> {
        let mut items = Vec::new();
        while !self.take(Token::Sign(end)) {
            items.push(item(self)?);
            if !self.take(Token::Sign(",")) {
                self.expect(end)?;
                break;
            }
        }
        Some(items.join(", "))
    }

    fn pair(&mut self) -> Option<String> {
        let key = self.expression()?;
        self.expect(":")?;
        Some(format!("{key}: {}", self.expression()?))
    }

    fn argument(&mut self) -> Option<String> {
        if self.take(Token::Sign("**")) {
            return Some(format!("**{}", self.expression()?));
        }
        if self.take(Token::Sign("*")) {
            return Some(format!("*{}", self.expression()?));
        }
        if let (Some(Token::Name(name)), Some(Token::Sign("="))) = (self.peek(), self.tokens.get(self.at + 1))
        {
            self.at += 2;
            return Some(format!("{name}={}", self.expression()?));
        }
        self.expression()
    }

    fn postfix(&mut self, mut value: String) -> Option<String> {
        loop {
            if self.take(Token::Sign(".")) {
                value = format!("{value}.{}", self.name()?);
            } else if self.take(Token::Sign("[")) {
                value = format!("{value}[{}]", self.subscript()?);
            } else if self.take(Token::Sign("(")) {
                value = format!("{value}({})", self.items(")", Parser::argument)?);
            } else {
                return Some(value);
            }
        }
    }

    /// An index, or a slice with up to two colons.
    fn subscript(&mut self) -> Option<String> {
        let mut text = String::new();
        while !self.take(Token::Sign("]")) {
            if self.take(Token::Sign(":")) {
                text.push(':');
            } else {
                text.push_str(&self.expression()?);
            }
        }
        Some(text)
    }

    fn filters(&mut self, mut value: String) -> Option<String> {
        loop {
            if self.take(Token::Sign("|")) {
                value = format!("{value}|{}", self.dotted_name()?);
                if self.take(Token::Sign("(")) {
                    value = format!("{value}({})", self.items(")", Parser::argument)?);
                }
            } else if self.take(Token::Name("is")) {
                value = self.test(&value)?;
            } else {
                return Some(value);
            }
        }
    }

    fn test(&mut self, value: &str) -> Option<String> {
        let not = if self.take(Token::Name("not")) { "not " } else { "" };
        let name = self.dotted_name()?;
        let argument = match self.peek() {
            Some(Token::Sign("(")) => {
                self.at += 1;
                format!("({})", self.items(")", Parser::argument)?)
            }
            Some(Token::Name("else" | "or" | "and" | "is" | "in" | "not" | "if" | "recursive")) | None => {
                String::new()
            }
            Some(
                Token::Name(_)
                | Token::Whole(_)
                | Token::Fraction(_)
                | Token::Text(_)
                | Token::Sign("[" | "{"),
            ) => {
                let argument = self.primary()?;
                format!("({})", self.postfix(argument)?)
            }
            Some(Token::Sign(_)) => String::new(),
        };
        Some(format!("({value} is {not}{name}{argument})"))
    }

    fn dotted_name(&mut self) -> Option<String> {
        let mut name = self.name()?.to_owned();
        while self.take(Token::Sign(".")) {
            name = format!("{name}.{}", self.name()?);
        }
        Some(name)
    }
}

//! Names from outside, made printable: every character has a glyph or is named by its number, nothing
//! reverses or hides text, and long ids may break at sensible places.

use super::world::Fonts;

/// Where a long word may break; the template turns it into a space of no width.
const BREAK: char = '\u{200b}';
/// An unbroken run longer than this breaks anywhere after so many characters.
const LONGEST_RUN: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Every character that some font covers.
    Any,
    /// Only what the main font covers, without combining marks.
    Plain,
}

pub struct Words<'a> {
    fonts: &'a Fonts,
    script: Script,
}

impl Words<'_> {
    pub fn new(fonts: &Fonts, script: Script) -> Words<'_> {
        Words { fonts, script }
    }

    pub fn families(&self) -> &[String] {
        &self.fonts.families
    }

    /// The text in one line, with only characters that can be printed.
    pub fn plain(&self, text: &str) -> String {
        let mut printable = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                ' '..='~' => printable.push(character),
                _ if character.is_whitespace() => printable.push(' '),
                _ if character.is_control() || is_invisible(character) => {}
                _ if self.covers(character) => printable.push(character),
                _ => printable.push_str(&number(character)),
            }
        }
        printable
    }

    /// The same, with marks where it may break.
    pub fn breakable(&self, text: &str) -> String {
        let plain = self.plain(text);
        let mut marked = String::with_capacity(plain.len() + 8);
        let mut run = 0;
        let mut characters = plain.chars().peekable();
        while let Some(character) = characters.next() {
            marked.push(character);
            run = if character == ' ' { 0 } else { run + 1 };
            let next_breaks = characters.peek().is_none_or(|next| *next == ' ' || is_joint(*next));
            if !next_breaks && ((is_joint(character) && run > 3) || run >= LONGEST_RUN) {
                marked.push(BREAK);
                run = 0;
            }
        }
        marked
    }

    fn covers(&self, character: char) -> bool {
        match self.script {
            Script::Any => self.fonts.cover(character, false),
            Script::Plain => {
                !('\u{300}'..='\u{36f}').contains(&character) && self.fonts.cover(character, true)
            }
        }
    }
}

/// `[U+7814]`, for a character that no font has.
fn number(character: char) -> String {
    format!("[U+{:04X}]", u32::from(character))
}

/// Punctuation inside ids after which a break reads well.
fn is_joint(character: char) -> bool {
    matches!(character, '/' | '-' | '_' | '.' | ':' | '@' | '=' | '+' | ',' | ';' | '|' | '\\' | '&')
}

/// Marks that change how other text reads or hide in it (direction overrides, joiners, selectors).
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

//! Which passwords will do. Length counts; that everybody's first guesses are refused counts more.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::secret::random;
use crate::WorkflowError;

/// Shorter ones are never taken, whatever the configuration says.
pub const LENGTH_MIN: u32 = 8;

/// Longer ones are for machines: hashing has its price.
pub const LENGTH_MAX: usize = 1024;

/// What the configuration asks of passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four keys of the configuration, as they are")]
pub struct PasswordPolicy {
    pub length_min: u32,
    pub uppercase: bool,
    pub lowercase: bool,
    pub numbers: bool,
    pub special_chars: bool,
}

impl Default for PasswordPolicy {
    fn default() -> PasswordPolicy {
        PasswordPolicy {
            length_min: LENGTH_MIN,
            uppercase: false,
            lowercase: false,
            numbers: false,
            special_chars: false,
        }
    }
}

/// Whole passwords that guessers begin with; those shorter than the least length are refused for that.
static COMMON: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").split_whitespace().collect());

/// Words that stay easy to guess with a year or a mark around them.
static STEMS: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| include_str!("common_stems.txt").split_whitespace().collect());

/// Around a word, so much is decoration.
const DECORATION_MAX: usize = 6;

impl PasswordPolicy {
    /// A random one that will do, for somebody who is to choose their own with it. Made to be read aloud.
    ///
    /// # Errors
    /// No chance to be had from the system.
    pub fn temporary(&self) -> Result<String, WorkflowError> {
        // Without letters and digits that look alike.
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let groups = (self.length_min as usize + 1).div_ceil(5).max(4);
        loop {
            let mut text = String::new();
            for group in 0..groups {
                let bits: [u8; 4] = random()?;
                let letters = bits.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
                text.extend((group > 0).then_some('-'));
                text.push(letters[0].to_ascii_uppercase());
                text.extend(&letters[1..]);
            }
            if self.wrong_with(&text, &[]).is_empty() && text.contains(|c: char| c.is_ascii_digit()) {
                return Ok(text);
            }
        }
    }

    /// What is asked, for a person who chooses one.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!("at least {} characters", self.length_min.max(LENGTH_MIN));
        for (wanted, what) in [
            (self.uppercase, "a capital"),
            (self.lowercase, "a small letter"),
            (self.numbers, "a digit"),
            (self.special_chars, "a mark"),
        ] {
            if wanted {
                words.push_str(", ");
                words.push_str(what);
            }
        }
        words.push_str("; several words do well");
        words
    }

    /// All that a password lacks; nothing when it will do. `about` is what belongs to its owner: name, address.
    #[must_use]
    pub fn wrong_with(&self, password: &str, about: &[&str]) -> Vec<String> {
        let length = password.chars().count();
        let least = self.length_min.max(LENGTH_MIN) as usize;
        let has = |is: fn(char) -> bool| password.chars().any(is);
        let rules = [
            (least <= length, format!("it needs at least {least} characters")),
            (length <= LENGTH_MAX, format!("it has more than {LENGTH_MAX} characters")),
            (!self.uppercase || has(char::is_uppercase), "it needs an upper-case letter".to_owned()),
            (!self.lowercase || has(char::is_lowercase), "it needs a lower-case letter".to_owned()),
            (!self.numbers || has(char::is_numeric), "it needs a digit".to_owned()),
            (
                !self.special_chars || has(|c| !c.is_alphanumeric()),
                "it needs a character that is no letter or digit".to_owned(),
            ),
            (!is_common(password), "it is among the first that are tried".to_owned()),
            (!is_about(password, about), "it is the name or the address of its owner".to_owned()),
        ];
        rules.into_iter().filter(|(met, _)| !met).map(|(_, wrong)| wrong).collect()
    }
}

fn is_common(password: &str) -> bool {
    // A cap, so that an absurd text is not looked at for long.
    let lower: String = password.chars().take(LENGTH_MAX).collect::<String>().to_lowercase();
    COMMON.contains(lower.as_str()) || is_run(&lower) || is_repeated(&lower) || is_decorated(&lower)
}

/// `P@ssw0rd2024!`: a common word with figures for letters, and something around it.
fn is_decorated(lower: &str) -> bool {
    let is_around = |c: char| !c.is_alphabetic();
    let plain = |word: &str| word.chars().map(letter_of).collect::<String>();
    // Figures at the ends may be decoration or stand for letters: both readings are tried.
    [lower.trim_matches(is_around).to_owned(), plain(lower).trim_matches(is_around).to_owned()]
        .into_iter()
        .chain([plain(lower.trim_end_matches(is_around))])
        .any(|core| {
            let around = lower.chars().count().saturating_sub(core.chars().count());
            around <= DECORATION_MAX && STEMS.contains(plain(&core).as_str())
        })
}

fn letter_of(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// `abcdefgh`, `87654321`, `qwertyui`: neighbours in the alphabet or on the keyboard.
fn is_run(lower: &str) -> bool {
    const ROWS: [&str; 6] = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890123456789",
        "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
        "qwertzuiopasdfghjklyxcvbnm",
        "azertyuiopqsdfghjklmwxcvbn",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,",
    ];
    let backwards: String = lower.chars().rev().collect();
    !lower.is_empty() && ROWS.iter().any(|row| row.contains(lower) || row.contains(&backwards))
}

/// `aaaaaaaa`, `abcabcabc`, `2024-2024`: the same few characters over and over.
fn is_repeated(lower: &str) -> bool {
    let all: Vec<char> = lower.chars().collect();
    (1..=4)
        .any(|unit| 2 * unit < all.len() && all.iter().zip(&all[unit.min(all.len())..]).all(|(a, b)| a == b))
}

fn is_about(password: &str, about: &[&str]) -> bool {
    let lower = password.to_lowercase();
    let parts = about.iter().flat_map(|text| [*text, text.split('@').next().unwrap_or_default()]);
    parts.map(str::to_lowercase).any(|part| {
        let bare = lower.trim_matches(|c: char| !c.is_alphabetic());
        !part.is_empty() && (lower == part || bare == part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(policy: &PasswordPolicy, password: &str) -> String {
        policy.wrong_with(password, &["maria", "maria.lopez@x.edu"]).join("; ")
    }

    #[test]
    fn first_guesses_are_refused_and_long_words_are_not() {
        let cases = [
            ("short", "it needs at least 8 characters"),
            ("password", "it is among the first that are tried"),
            ("Password2024!", "it is among the first that are tried"),
            ("P@ssw0rd", "it is among the first that are tried"),
            ("p4$$w0rd", "it is among the first that are tried"),
            ("!!welcome1", "it is among the first that are tried"),
            ("sunshine", "it is among the first that are tried"),
            ("12345678", "it is among the first that are tried"),
            ("987654321", "it is among the first that are tried"),
            ("qwertyuiop", "it is among the first that are tried"),
            ("aaaaaaaaaa", "it is among the first that are tried"),
            ("abcabcabcabc", "it is among the first that are tried"),
            ("maria123", "it is the name or the address of its owner"),
            ("Maria.Lopez", "it is the name or the address of its owner"),
            ("maria.lopez@x.edu", "it is the name or the address of its owner"),
            ("correct horse battery staple", ""),
            ("the password of our office", ""),
            ("glühwein im märz", ""),
            ("tRkB-7719-qp", ""),
            ("日本語のパスワード", ""),
        ];
        for (password, expected) in cases {
            assert_eq!(wrong(&PasswordPolicy::default(), password), expected, "{password}");
        }
        let long = format!("k{}", "ab9 ".repeat(256));
        assert_eq!(wrong(&PasswordPolicy::default(), &long), "it has more than 1024 characters");
    }

    #[test]
    fn a_configuration_may_ask_for_more_and_not_for_less() {
        let all = PasswordPolicy {
            length_min: 12,
            uppercase: true,
            lowercase: true,
            numbers: true,
            special_chars: true,
        };
        assert_eq!(
            wrong(&all, "..........."),
            "it needs at least 12 characters; it needs an upper-case letter; it needs a lower-case letter; \
             it needs a digit; it is among the first that are tried"
        );
        assert_eq!(wrong(&all, "Harbour 12 lights"), "");
        let less = PasswordPolicy { length_min: 4, ..PasswordPolicy::default() };
        assert_eq!(wrong(&less, "xkc2"), "it needs at least 8 characters");
    }

    #[test]
    fn a_temporary_password_meets_every_policy() {
        let strict = PasswordPolicy {
            length_min: 40,
            uppercase: true,
            lowercase: true,
            numbers: true,
            special_chars: true,
        };
        for policy in [PasswordPolicy::default(), strict] {
            let (one, two) = (policy.temporary().unwrap(), policy.temporary().unwrap());
            assert_ne!(one, two);
            assert_eq!(wrong(&policy, &one), "");
        }
    }

    #[test]
    fn lists_are_of_use() {
        assert!(COMMON.iter().all(|word| LENGTH_MIN as usize <= word.chars().count()));
        for word in COMMON.iter().chain(STEMS.iter()) {
            assert_eq!(word.to_lowercase(), *word);
        }
        assert!(STEMS.iter().all(|stem| stem.chars().all(|c| letter_of(c) == c)));
        assert!(300 < COMMON.len() + STEMS.len());
    }
}

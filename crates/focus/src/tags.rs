//! Tags: who a charge belongs to, in the dialects providers write.

use std::borrow::Cow;

use crate::fields::is_null;
use crate::json::{Json, Malformed, Value};

/// The tags of one charge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Trimmed key and value, in the order delivered, every key once.
    pub entries: Vec<(String, String)>,
    /// What was not as FOCUS wants it. The charge is kept and flagged.
    pub problems: Vec<TagDefect>,
}

/// What is wrong with the tags of a charge. The message follows the text in backticks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagDefect {
    #[error("is not JSON: {expected} at position {position}")]
    Malformed {
        /// In bytes, from 1.
        position: usize,
        expected: &'static str,
    },
    #[error("is not a JSON object; write {{\"key\": \"value\"}}")]
    NotAnObject,
    #[error("has a list or an object as the value of tag `{key}`; a tag holds one text")]
    Nested { key: String },
    #[error("has tag `{key}` more than once; the last one counts")]
    Duplicate { key: String },
    #[error(
        "is a list whose element {element} is no tag; write {{\"Key\": …, \"Value\": …}} or \"key=value\""
    )]
    NotATag {
        /// From 1.
        element: usize,
    },
}

impl From<Malformed> for TagDefect {
    fn from(malformed: Malformed) -> TagDefect {
        TagDefect::Malformed { position: malformed.position, expected: malformed.expected }
    }
}

impl Tags {
    /// The value of a tag: of exactly this key, else of one that differs in case only (FOCUS 1.4 lets
    /// consumers match so).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let exact = self.entries.iter().find(|(name, _)| name == key);
        exact
            .or_else(|| self.entries.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)))
            .map(|(_, value)| value.as_str())
    }
}

/// Read the tags of one charge: a JSON object, a list of `{"Key": …, "Value": …}`, or a list of
/// `"key=value"`. Numbers keep their text; `null` is no tag; of a key given twice the last value counts.
/// Whatever can be read is read, and what cannot be is a defect.
#[must_use]
pub fn parse_tags(text: &[u8]) -> Tags {
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let mut duplicates = Vec::new();
    let mut problems = visit_tags(text, |key, value| {
        if seen.iter().any(|name| name == key) {
            entries.retain(|(name, _)| name != key);
            duplicates.push(TagDefect::Duplicate { key: key.to_owned() });
        } else {
            seen.push(key.to_owned());
        }
        if let Some(value) = value {
            entries.push((key.to_owned(), value.to_owned()));
        }
    });
    problems.extend(duplicates);
    Tags { entries, problems }
}

/// [`parse_tags`] without keeping anything: `visit` gets every trimmed key with its value (`None` for
/// `null`) in the order delivered, also keys that come again.
pub fn visit_tags(text: &[u8], mut visit: impl FnMut(&str, Option<&str>)) -> Vec<TagDefect> {
    if is_null(text) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(text);
    let mut json = Json::new(&text);
    let mut defects = Vec::new();
    let read = match json.peek() {
        Some(b'{') => json.members(|key, value| visit_member(&key, value, &mut visit, &mut defects)),
        Some(b'[') => visit_list(&mut json, &mut visit, &mut defects),
        _ => {
            defects.push(TagDefect::NotAnObject);
            return defects;
        }
    };
    if let Err(malformed) = read.and_then(|()| json.end()) {
        defects.push(malformed.into());
    }
    defects
}

fn visit_member(
    key: &str,
    value: Value<'_>,
    visit: &mut impl FnMut(&str, Option<&str>),
    defects: &mut Vec<TagDefect>,
) {
    let key = key.trim();
    match value {
        Value::Text(text) => visit(key, Some(&text)),
        Value::Literal(text) => visit(key, Some(text)),
        Value::Null => visit(key, None),
        Value::Nested(text) => {
            visit(key, Some(text));
            defects.push(TagDefect::Nested { key: key.to_owned() });
        }
    }
}

fn visit_list(
    json: &mut Json<'_>,
    visit: &mut impl FnMut(&str, Option<&str>),
    defects: &mut Vec<TagDefect>,
) -> Result<(), Malformed> {
    let mut element = 0;
    json.elements(|json| {
        element += 1;
        if json.peek() == Some(b'{') {
            let mut key: Option<Cow<'_, str>> = None;
            let mut value = Value::Null;
            json.members(|name, member| match (name.trim(), member) {
                (name, Value::Text(text)) if name.eq_ignore_ascii_case("key") => key = Some(text),
                (name, member) if name.eq_ignore_ascii_case("value") => value = member,
                _ => {}
            })?;
            match key {
                Some(key) => visit_member(&key, value, visit, defects),
                None => defects.push(TagDefect::NotATag { element }),
            }
            return Ok(());
        }
        match json.value()? {
            Value::Text(text) => match text.split_once('=') {
                Some((key, value)) => visit(key.trim(), Some(value)),
                // A tag without a value is `true` (FOCUS 1.0 and later, key-value format).
                None => visit(text.trim(), Some("true")),
            },
            _ => defects.push(TagDefect::NotATag { element }),
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let tags = parse_tags(text.as_bytes());
        let entries: Vec<String> = tags.entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let problems: Vec<String> = tags.problems.iter().map(|problem| format!(" ! {problem}")).collect();
        format!("{text}\n  {}{}", entries.join(" | "), problems.concat())
    }

    #[test]
    fn every_dialect_is_read() {
        let said = [
            r#"{"pi_email": "ada@example.edu", "project_id": "p-1"}"#,
            "{}",
            r#" { "a" : 1 , "b":0042,"c":-1.50e3, "d":true,"e":false,"f":null } "#,
            r#"{" user_env": " prod ", "tab\t": "\u00e9\ud83d\ude00 \"q\" \\ \/ a\nb"}"#,
            r#"{"comma": "a,b", "brace": "}", "empty": ""}"#,
            r#"[{"Key": "pi_email", "Value": "ada@example.edu"}, {"key":"n","VALUE":7,"x_Inherited":true}]"#,
            r#"["pi_email=ada@example.edu", "note=a=b", "shared"]"#,
            "[]",
            "NULL",
            "",
            "  ",
        ]
        .map(shown);
        insta::assert_snapshot!(said.join("\n"), @r###"
{"pi_email": "ada@example.edu", "project_id": "p-1"}
  pi_email=ada@example.edu | project_id=p-1
{}
  
 { "a" : 1 , "b":0042,"c":-1.50e3, "d":true,"e":false,"f":null } 
  a=1 | b=0042 | c=-1.50e3 | d=true | e=false
{" user_env": " prod ", "tab\t": "\u00e9\ud83d\ude00 \"q\" \\ \/ a\nb"}
  user_env= prod  | tab=é😀 "q" \ / a
b
{"comma": "a,b", "brace": "}", "empty": ""}
  comma=a,b | brace=} | empty=
[{"Key": "pi_email", "Value": "ada@example.edu"}, {"key":"n","VALUE":7,"x_Inherited":true}]
  pi_email=ada@example.edu | n=7
["pi_email=ada@example.edu", "note=a=b", "shared"]
  pi_email=ada@example.edu | note=a=b | shared=true
[]
  
NULL
"###);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_is_read() {
        let said = [
            r#"{"a": "1", "a": "2", "b": "3"}"#,
            r#"{"a": "1", "a": null}"#,
            r#"{"a": {"deep": ["x", "}"]}, "b": [1, 2], "c": "3"}"#,
            r#"{"a": "1", "b": "unfinished"#,
            r#"{"a": "1", "b""#,
            r#"{"a": "1" "b": "2"}"#,
            r#"{"a": "1", b: "2"}"#,
            "{'a': '1'}",
            r#"{"a": None}"#,
            r#"{"a": "1"} x"#,
            r#"{"a": "\x"}"#,
            r#"{"a": "\ud83d!"}"#,
            r#"{"a": [1, {"b": 2]}}"#,
            r#"[{"Value": "no key"}, 7, {"Key": "k", "Value": {"x": 1}}]"#,
            "pi_email=ada",
            r#""text""#,
            "{",
        ]
        .map(shown);
        insta::assert_snapshot!(said.join("\n"), @r###"
{"a": "1", "a": "2", "b": "3"}
  a=2 | b=3 ! has tag `a` more than once; the last one counts
{"a": "1", "a": null}
   ! has tag `a` more than once; the last one counts
{"a": {"deep": ["x", "}"]}, "b": [1, 2], "c": "3"}
  a={"deep": ["x", "}"]} | b=[1, 2] | c=3 ! has a list or an object as the value of tag `a`; a tag holds one text ! has a list or an object as the value of tag `b`; a tag holds one text
{"a": "1", "b": "unfinished
  a=1 ! is not JSON: a closing quote is expected at position 28
{"a": "1", "b"
  a=1 ! is not JSON: `:` is expected at position 15
{"a": "1" "b": "2"}
  a=1 ! is not JSON: `,` or `}` is expected at position 11
{"a": "1", b: "2"}
  a=1 ! is not JSON: a name in double quotes is expected at position 12
{'a': '1'}
   ! is not JSON: a name in double quotes is expected at position 2
{"a": None}
   ! is not JSON: a value is expected at position 7
{"a": "1"} x
  a=1 ! is not JSON: the end is expected at position 12
{"a": "\x"}
   ! is not JSON: an escape such as `\"` or `\n` is expected at position 8
{"a": "\ud83d!"}
  a=�!
{"a": [1, {"b": 2]}}
   ! is not JSON: another bracket is expected at position 18
[{"Value": "no key"}, 7, {"Key": "k", "Value": {"x": 1}}]
  k={"x": 1} ! is a list whose element 1 is no tag; write {"Key": …, "Value": …} or "key=value" ! is a list whose element 2 is no tag; write {"Key": …, "Value": …} or "key=value" ! has a list or an object as the value of tag `k`; a tag holds one text
pi_email=ada
   ! is not a JSON object; write {"key": "value"}
"text"
   ! is not a JSON object; write {"key": "value"}
{
   ! is not JSON: a name in double quotes is expected at position 2
"###);
    }

    #[test]
    fn a_key_is_found_exactly_and_then_without_case() {
        let tags = parse_tags(br#"{"PI_Email": "first", "pi_email": "exact", "Project_ID": "p"}"#);
        assert_eq!(tags.get("pi_email"), Some("exact"));
        assert_eq!(tags.get("PI_EMAIL"), Some("first"));
        assert_eq!(tags.get("project_id"), Some("p"));
        assert_eq!(tags.get("fund_org"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_object_of_texts_is_read_as_serde_reads_it(
            map in proptest::collection::hash_map("\\PC{0,12}", "(?s).{0,20}", 0..6),
        ) {
            let text = serde_json::to_string(&map).unwrap();
            let tags = parse_tags(text.as_bytes());
            let trimmed: std::collections::HashSet<&str> = map.keys().map(|key| key.trim()).collect();
            proptest::prop_assume!(trimmed.len() == map.len());
            proptest::prop_assert_eq!(&tags.problems, &[]);
            proptest::prop_assert_eq!(tags.entries.len(), map.len());
            for (key, value) in &map {
                proptest::prop_assert_eq!(tags.get(key.trim()), Some(value.as_str()));
            }
        }

        #[test]
        fn any_bytes_are_tags_or_defects(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let _ = parse_tags(&text);
        }

        #[test]
        fn anything_like_json_is_tags_or_defects(text in r#"[\[{]([\[\]{}:,"\\ue0aKV]|"Key"|"Value"|"a"|null|1){0,30}"#) {
            let tags = parse_tags(text.as_bytes());
            if serde_json::from_str::<serde_json::Value>(&text).is_err() && tags.problems.is_empty() {
                // Only numbers are read more generously than JSON has them.
                proptest::prop_assert!(text.contains(['0', '1', 'e']), "{}", text);
            }
        }
    }
}

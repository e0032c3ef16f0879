//! YAML as the configuration needs it: every value with the line it stands on, every key of a mapping
//! kept (twice, when it is written twice), text left as it was written (`0042` stays `0042`).

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// A value and the line (from 1) it begins on.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `plain` is false for quoted text and blocks: `"~"` is a text, `~` is nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub line: usize,
    pub value: Node,
}

/// Why a text is not YAML.
#[derive(Debug)]
pub(super) struct NotYaml {
    pub line: usize,
    pub reason: String,
}

impl Node {
    /// Nothing was written: an empty value, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }
}

/// Aliases copy what they name; a file that copies more than this is an attack, not a configuration.
const COPIED_NODES_MAX: usize = 10_000;

/// Read the only document of a text; `None` when it holds nothing but comments.
pub(super) fn parse(text: &str) -> Result<Option<Node>, NotYaml> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| NotYaml::from(&error))?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.document)
}

impl From<&ScanError> for NotYaml {
    fn from(error: &ScanError) -> NotYaml {
        NotYaml { line: error.marker().line(), reason: error.info().to_owned() }
    }
}

#[derive(Default)]
struct Builder {
    document: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
}

/// A list or mapping whose end has not come yet.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, usize)> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), NotYaml> {
        match event {
            Event::Scalar(text, style, anchor, _tag) => {
                let value =
                    Value::Scalar { text: text.into_owned(), plain: matches!(style, ScalarStyle::Plain) };
                self.place(Node { line, value }, anchor)
            }
            Event::SequenceStart(anchor, _tag) => {
                self.open.push(Open { line, anchor, content: Content::List(Vec::new()) });
                Ok(())
            }
            Event::MappingStart(anchor, _tag) => {
                let content = Content::Map { entries: Vec::new(), key: None };
                self.open.push(Open { line, anchor, content });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { line, anchor, content: Content::List(items) }) => {
                    self.place(Node { line, value: Value::List(items) }, anchor)
                }
                Some(Open { line, anchor, content: Content::Map { entries, .. } }) => {
                    self.place(Node { line, value: Value::Map(merged(entries)) }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.copy(anchor, line),
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(NotYaml { line, reason: "a second document begins; one is enough".to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn copy(&mut self, anchor: usize, line: usize) -> Result<(), NotYaml> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(NotYaml { line, reason: "an alias to something that holds itself".to_owned() });
        };
        self.copied += size(&node);
        if self.copied > COPIED_NODES_MAX {
            return Err(NotYaml { line, reason: "aliases copy too much".to_owned() });
        }
        self.place(node, 0)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), NotYaml> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.document = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => {
                if let Some((name, line)) = key.take() {
                    entries.push(Entry { key: name, line, value: node });
                } else if let Value::Scalar { text, .. } = node.value {
                    *key = Some((text, node.line));
                } else {
                    let reason = "a key must be a word, not a list or a mapping".to_owned();
                    return Err(NotYaml { line: node.line, reason });
                }
            }
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}

/// Older files were read with YAML 1.1, where `<<: *defaults` brings in the keys of another mapping
/// that are not given here.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|e| e.key == "<<");
    for merge in merges {
        let maps = match merge.value.value {
            Value::List(items) => items,
            _ => vec![merge.value],
        };
        for map in maps {
            let Value::Map(inherited) = map.value else { continue };
            for entry in inherited {
                if !own.iter().any(|known| known.key == entry.key) {
                    own.push(entry);
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.value {
            Value::Scalar { text, .. } => format!("{}:{text}", node.line),
            Value::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|e| format!("{}@{}={}", e.key, e.line, shape(&e.value))).collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    #[test]
    fn values_keep_their_lines_and_their_text() {
        let cases = [
            ("a: 0042\nb:\n  c: 1e400\n", "{a@1=1:0042 b@2={c@3=3:1e400}}"),
            ("a: 1\na: 2\n", "{a@1=1:1 a@2=2:2}"),
            ("- x\n- [y, z]\n", "[1:x [2:y 2:z]]"),
            ("d: &d {x: 1, y: 2}\ne:\n  <<: *d\n  y: 3\n", "{d@1={x@1=1:1 y@1=1:2} e@2={y@4=4:3 x@1=1:1}}"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().map(|node| shape(&node)).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_yaml_is_said_with_its_line() {
        let wide =
            format!("a: &a [{}]\nb: &b [{}]\nc: [{}]\n", "x,".repeat(99), "*a,".repeat(50), "*b,".repeat(9));
        let cases = [
            ("a: 1\nb: [1\n", 3),
            ("a: 1\n---\nb: 2\n", 2),
            ("a: 1\nb\n", 3),
            ("? [a]\n: 1\n", 1),
            (wide.as_str(), 3),
        ];
        for (text, line) in cases {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
        assert!(parse("# nothing\n").unwrap().is_none());
    }
}

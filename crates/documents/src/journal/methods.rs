//! Python's methods of texts and dictionaries, as far as journal templates use them.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::python::refuse;

/// Wider than any field of a journal; a guard against templates that fill the memory.
const WIDTH_MAX: usize = 10_000;

pub fn call(value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => text(value.as_str().unwrap_or_default(), name, arguments),
        ValueKind::Map => map(value, name, arguments),
        _ => Err(unknown(name)),
    }
}

fn text(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let given = |at: usize| arguments.get(at).map(ToString::to_string);
    let first = || given(0).ok_or_else(|| refuse(format!("`{name}` wants an argument")));
    let characters = given(0);
    let strips = |character: char| match &characters {
        Some(set) => set.contains(character),
        None => character.is_whitespace(),
    };
    Ok(match name {
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "strip" => text.trim_matches(strips).into(),
        "lstrip" => text.trim_start_matches(strips).into(),
        "rstrip" => text.trim_end_matches(strips).into(),
        "startswith" => text.starts_with(&first()?).into(),
        "endswith" => text.ends_with(&first()?).into(),
        "removeprefix" => text.strip_prefix(first()?.as_str()).unwrap_or(text).into(),
        "removesuffix" => text.strip_suffix(first()?.as_str()).unwrap_or(text).into(),
        "replace" => replace(text, &first()?, &given(1).unwrap_or_default())?.into(),
        "split" => split(text, arguments)?,
        "splitlines" => text.lines().map(Value::from).collect(),
        "find" => text.find(&first()?).map_or(Value::from(-1), |at| text[..at].chars().count().into()),
        "count" => text.matches(&first()?).count().into(),
        "isdigit" => (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into(),
        "isalpha" => (!text.is_empty() && text.chars().all(char::is_alphabetic)).into(),
        "title" => title(text).into(),
        "capitalize" => capitalized(text).into(),
        "join" => arguments
            .first()
            .ok_or_else(|| refuse("`join` wants a list"))?
            .try_iter()?
            .map(|item| item.to_string())
            .collect::<Vec<_>>()
            .join(text)
            .into(),
        "ljust" | "rjust" | "center" | "zfill" => padded(text, name, arguments)?.into(),
        _ => return Err(unknown(name)),
    })
}

fn map(value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let entries =
        || value.try_iter().map(|keys| keys.map(|key| (value.get_item(&key).unwrap_or_default(), key)));
    Ok(match name {
        "keys" => entries()?.map(|(_, key)| key).collect(),
        "values" => entries()?.map(|(item, _)| item).collect(),
        "items" => entries()?.map(|(item, key)| Value::from(vec![key, item])).collect(),
        "get" => {
            let key = arguments.first().ok_or_else(|| refuse("`get` wants a key"))?;
            let item = value.get_item(key).unwrap_or_default();
            if item.is_undefined() {
                arguments.get(1).cloned().unwrap_or_else(|| Value::from(()))
            } else {
                item
            }
        }
        _ => return Err(unknown(name)),
    })
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("there is no method `{name}` here"))
}

fn replace(text: &str, old: &str, new: &str) -> Result<String, Error> {
    let count = text.matches(old).count();
    if text.len().saturating_add(count.saturating_mul(new.len())) > 1 << 20 {
        return Err(refuse("a text becomes longer than 1 MB"));
    }
    Ok(text.replace(old, new))
}

fn split(text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let Some(separator) = arguments.first().filter(|separator| !separator.is_none()) else {
        return Ok(text.split_whitespace().map(Value::from).collect());
    };
    let separator = separator.to_string();
    if separator.is_empty() {
        return Err(refuse("`split` wants a separator that is not empty"));
    }
    let longest =
        arguments.get(1).and_then(Value::as_usize).map_or(usize::MAX, |splits| splits.saturating_add(1));
    Ok(text.splitn(longest, &separator).map(Value::from).collect())
}

fn padded(text: &str, name: &str, arguments: &[Value]) -> Result<String, Error> {
    let width = arguments.first().and_then(Value::as_usize).filter(|width| *width <= WIDTH_MAX);
    let width = width.ok_or_else(|| refuse(format!("`{name}` wants a width up to {WIDTH_MAX}")))?;
    let fill = arguments.get(1).map(ToString::to_string).and_then(|fill| fill.chars().next()).unwrap_or(' ');
    let missing = width.saturating_sub(text.chars().count());
    let pad = |count: usize| fill.to_string().repeat(count);
    Ok(match name {
        "ljust" => format!("{text}{}", pad(missing)),
        "rjust" => format!("{}{text}", pad(missing)),
        "center" => format!("{}{text}{}", pad(missing / 2), pad(missing - missing / 2)),
        _ => {
            let sign = text.len() - text.trim_start_matches(['-', '+']).len();
            format!("{}{}{}", &text[..sign.min(1)], "0".repeat(missing), &text[sign.min(1)..])
        }
    })
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters.as_str().to_lowercase().chars()).collect()
    })
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        if inside {
            titled.extend(character.to_lowercase());
        } else {
            titled.extend(character.to_uppercase());
        }
        inside = character.is_alphabetic();
    }
    titled
}

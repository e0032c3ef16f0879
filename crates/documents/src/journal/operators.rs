//! What arithmetic, filters and tests of Jinja2 mean for exact decimals.

use std::cmp::Ordering;

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, Value};

use super::decimal::{Decimal, Rounding, out_of_range};
use super::methods;
use super::python::{self, refuse};

/// The longest text that a template may build in one piece.
const TEXT_MAX: usize = 1 << 20;

pub fn install(environment: &mut Environment) {
    for (name, operator) in ARITHMETIC {
        environment.add_function(name, move |a: Value, b: Value| operator(&a, &b));
    }
    for (name, accepts) in COMPARISONS {
        environment.add_function(name, move |a: Value, b: Value| compare(&a, &b).map(accepts));
    }
    environment.add_function("__eq", |a: Value, b: Value| equal(&a, &b));
    environment.add_function("__ne", |a: Value, b: Value| !equal(&a, &b));
    environment.add_function("__neg", |a: Value| sub(&Value::from(0), &a));
    environment.add_function("__pos", |a: Value| a);
    environment.add_function("__dec", |text: &str| Decimal::read(text).map(Value::from));
    environment.add_function("__cat", |a: Value, b: Value| joined(&a.to_string(), &b.to_string()));
    environment
        .set_unknown_method_callback(|_, value, name, arguments| methods::call(value, name, arguments));
    install_filters(environment);
    install_tests(environment);
}

type Operator = fn(&Value, &Value) -> Result<Value, Error>;
const ARITHMETIC: [(&str, Operator); 7] = [
    ("__add", add),
    ("__sub", sub),
    ("__mul", mul),
    ("__div", div),
    ("__floordiv", floor_div),
    ("__rem", rem),
    ("__pow", pow),
];

type Accepts = fn(Ordering) -> bool;
const COMPARISONS: [(&str, Accepts); 4] = [
    ("__lt", Ordering::is_lt),
    ("__le", Ordering::is_le),
    ("__gt", Ordering::is_gt),
    ("__ge", Ordering::is_ge),
];

fn install_filters(environment: &mut Environment) {
    environment.add_filter("format", |template: &str, values: Rest<Value>| python::format(template, &values));
    environment.add_filter("truncate_desc", |value: Value, longest: Option<usize>| {
        if !value.is_true() {
            return String::new();
        }
        value.to_string().chars().take(longest.unwrap_or(35)).collect()
    });
    environment.add_filter("csv", |value: Value| csv_cell(&value));
    environment.add_filter("sum", |values: Value, arguments: Rest<Value>| sum(&values, &arguments));
    environment.add_filter("round", |value: Value, arguments: Rest<Value>| round(&value, &arguments));
    environment
        .add_filter("abs", |value: Value| number(&value, "abs").map(|number| like(&value, number.abs())));
    environment.add_filter("int", |value: Value, default: Option<i64>| {
        let number = Decimal::from_value(&value).or_else(|| Decimal::read(value.as_str()?));
        number.map_or_else(|| Value::from(default.unwrap_or(0)), |number| Value::from(number.truncated()))
    });
    environment.add_filter("float", |value: Value, default: Option<Value>| {
        let number = Decimal::from_value(&value).or_else(|| Decimal::read(value.as_str()?));
        number.map_or_else(|| default.unwrap_or_else(|| Value::from(0)), Value::from)
    });
}

fn install_tests(environment: &mut Environment) {
    environment.add_test("number", |value: Value| Decimal::from_value(&value).is_some());
    environment.add_test("float", |value: Value| {
        value.downcast_object_ref::<Decimal>().is_some() || (value.is_number() && !value.is_integer())
    });
    for name in ["eq", "==", "equalto"] {
        environment.add_test(name, |a: Value, b: Value| equal(&a, &b));
    }
    for name in ["ne", "!="] {
        environment.add_test(name, |a: Value, b: Value| !equal(&a, &b));
    }
    let ordered: [(&[&str], Accepts); 4] = [
        (&["lt", "<", "lessthan"], Ordering::is_lt),
        (&["le", "<="], Ordering::is_le),
        (&["gt", ">", "greaterthan"], Ordering::is_gt),
        (&["ge", ">="], Ordering::is_ge),
    ];
    for (names, accepts) in ordered {
        for &name in names {
            environment.add_test(name, move |a: Value, b: Value| compare(&a, &b).map(accepts));
        }
    }
}

fn number(value: &Value, what: &str) -> Result<Decimal, Error> {
    Decimal::from_value(value)
        .ok_or_else(|| refuse(format!("`{what}` wants a number, not {}", described(value))))
}

fn described(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => "something undefined".to_owned(),
        ValueKind::String => format!("the text `{value}`"),
        _ if Decimal::from_value(value).is_some() => format!("the number {value}"),
        kind => format!("a {kind}"),
    }
}

/// A result that stays an integer where both operands were.
fn like(value: &Value, number: Decimal) -> Value {
    if is_whole(value) { Value::from(number.truncated()) } else { number.into() }
}

fn is_whole(value: &Value) -> bool {
    value.is_integer() || value.kind() == ValueKind::Bool
}

fn calculate(
    a: &Value,
    b: &Value,
    sign: &str,
    with: fn(Decimal, Decimal) -> Option<Decimal>,
) -> Result<Value, Error> {
    let result =
        with(number(a, sign)?, number(b, sign)?).ok_or_else(|| out_of_range(&format!("`{a} {sign} {b}`")))?;
    Ok(if is_whole(a) && is_whole(b) { Value::from(result.truncated()) } else { result.into() })
}

fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    match (a.kind(), b.kind()) {
        (ValueKind::String, ValueKind::String) => joined(&a.to_string(), &b.to_string()),
        (ValueKind::Seq, ValueKind::Seq) => Ok(a.try_iter()?.chain(b.try_iter()?).collect()),
        _ => calculate(a, b, "+", Decimal::add),
    }
}

fn sub(a: &Value, b: &Value) -> Result<Value, Error> {
    calculate(a, b, "-", Decimal::sub)
}

fn mul(a: &Value, b: &Value) -> Result<Value, Error> {
    match (a.as_str(), b.as_str()) {
        (Some(text), None) => repeated(text, b),
        (None, Some(text)) => repeated(text, a),
        _ => calculate(a, b, "*", Decimal::mul),
    }
}

fn div(a: &Value, b: &Value) -> Result<Value, Error> {
    let quotient =
        number(a, "/")?.div(number(b, "/")?).ok_or_else(|| out_of_range(&format!("`{a} / {b}`")))?;
    Ok(quotient.into())
}

fn floor_div(a: &Value, b: &Value) -> Result<Value, Error> {
    calculate(a, b, "//", |a, b| a.div_floor(b).map(|(quotient, _)| quotient))
}

/// The remainder, or Python's formatting when the left side is a text.
fn rem(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(template) = a.as_str() {
        let values = match b.kind() {
            ValueKind::Seq => b.try_iter()?.collect(),
            _ => vec![b.clone()],
        };
        return python::format(template, &values).map(Value::from);
    }
    calculate(a, b, "%", |a, b| a.div_floor(b).map(|(_, rest)| rest))
}

fn pow(a: &Value, b: &Value) -> Result<Value, Error> {
    let exponent = b.as_usize().filter(|exponent| *exponent <= 64);
    let exponent = exponent.ok_or_else(|| refuse("`**` wants an exponent from 0 to 64"))?;
    (0..exponent).try_fold(Value::from(1), |product, _| calculate(&product, a, "**", Decimal::mul))
}

fn joined(a: &str, b: &str) -> Result<Value, Error> {
    if a.len() + b.len() > TEXT_MAX {
        return Err(refuse("a text becomes longer than 1 MB"));
    }
    Ok(Value::from(format!("{a}{b}")))
}

fn repeated(text: &str, times: &Value) -> Result<Value, Error> {
    let times = times.as_usize().unwrap_or(0);
    if text.len().saturating_mul(times) > TEXT_MAX {
        return Err(refuse("a text becomes longer than 1 MB"));
    }
    Ok(Value::from(text.repeat(times)))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (Decimal::from_value(a), Decimal::from_value(b)) {
        (Some(a), Some(b)) => a.value == b.value,
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Result<Ordering, Error> {
    match (Decimal::from_value(a), Decimal::from_value(b)) {
        (Some(a), Some(b)) => Ok(a.value.cmp(&b.value)),
        _ if a.kind() == b.kind() => Ok(a.cmp(b)),
        _ => Err(refuse(format!("cannot compare {} with {}", described(a), described(b)))),
    }
}

/// Jinja2's `sum(attribute=None, start=0)`.
fn sum(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let (attribute, start, named): (Option<Value>, Option<Value>, Kwargs) = from_args(arguments)?;
    let attribute = attribute.or(named.get::<Option<Value>>("attribute")?);
    let start = start.or(named.get::<Option<Value>>("start")?).unwrap_or_else(|| Value::from(0));
    named.assert_all_used()?;
    let mut total = start;
    for value in values.try_iter()? {
        let value = match &attribute {
            Some(path) if !path.is_none() => attribute_of(&value, &path.to_string())?,
            _ => value,
        };
        total = add(&total, &value)?;
    }
    Ok(total)
}

fn attribute_of(value: &Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value.clone(), |value, name| value.get_attr(name))
}

/// Jinja2's `round(precision=0, method='common')`; "common" is half-even, as money is rounded here.
fn round(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let (precision, method, named): (Option<i32>, Option<String>, Kwargs) = from_args(arguments)?;
    let precision = precision.or(named.get::<Option<i32>>("precision")?).unwrap_or(0);
    let method = method.or(named.get::<Option<String>>("method")?);
    named.assert_all_used()?;
    let rounding = match method.as_deref() {
        None | Some("common") => Rounding::HalfEven,
        Some("floor") => Rounding::Floor,
        Some("ceil") => Rounding::Ceil,
        Some(other) => {
            return Err(refuse(format!("`round` knows the methods common, floor and ceil, not `{other}`")));
        }
    };
    Ok(like(value, number(value, "round")?.rounded(precision, rounding)))
}

/// A cell of a CSV file, quoted where it must be.
fn csv_cell(value: &Value) -> String {
    let text = value.to_string();
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

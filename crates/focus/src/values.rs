//! One Arrow value as exact text: numbers as plain decimals, times as ISO 8601 in UTC, nested values as JSON.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::array_value_to_string;

/// The same schema with text that is seen in place, not copied for each row.
pub(crate) fn viewed(schema: &Schema) -> Arc<Schema> {
    let fields: Vec<Field> = schema.fields().iter().map(|field| viewed_field(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn viewed_field(field: &Field) -> Field {
    field.clone().with_data_type(viewed_type(field.data_type()))
}

fn viewed_type(kind: &DataType) -> DataType {
    let inner = |field: &Arc<Field>| Arc::new(viewed_field(field));
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, values) => viewed_type(values),
        DataType::RunEndEncoded(_, values) => viewed_type(values.data_type()),
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Map(field, is_sorted) => DataType::Map(inner(field), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// What the values of an array come to as text, about.
pub(crate) fn text_bytes(array: &dyn Array) -> u64 {
    /// Of a number or a time.
    const PLAIN: u64 = 16;
    let lengths = |views: &[u128]| views.iter().map(|view| view & 0xffff_ffff).sum::<u128>();
    let text = |views: &[u128]| u64::try_from(lengths(views)).unwrap_or(u64::MAX);
    let within = |values: &ArrayRef, offsets: (usize, usize)| {
        text_bytes(&*values.slice(offsets.0, offsets.1.saturating_sub(offsets.0)))
    };
    let columns = |columns: &[ArrayRef]| columns.iter().map(|column| text_bytes(column)).sum::<u64>();
    match array.data_type() {
        DataType::Utf8View => text(array.as_string_view().views()),
        DataType::BinaryView => text(array.as_binary_view().views()),
        DataType::FixedSizeBinary(bytes) => {
            u64::try_from(*bytes).unwrap_or(0).saturating_mul(array.len() as u64)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            within(list.values(), ends(list.value_offsets()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            within(list.values(), ends(list.value_offsets()))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (start, end) = ends(map.value_offsets());
            columns(map.entries().slice(start, end.saturating_sub(start)).columns())
        }
        DataType::Struct(_) => columns(array.as_struct().columns()),
        _ => PLAIN.saturating_mul(array.len() as u64),
    }
}

/// The first and the last offset of lists.
fn ends<T: Copy + TryInto<usize>>(offsets: &[T]) -> (usize, usize) {
    let place = |offset: Option<&T>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0);
    (place(offsets.first()), place(offsets.last()))
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As the text of a cell; nested values as JSON.
    Plain,
    /// The same, but a list of `{Key, Value}` as one JSON object (the form of FOCUS `Tags`).
    Pairs,
    /// As a JSON value.
    Json,
}

/// Encodings that only save space are undone once for the whole column.
pub(crate) fn unpacked(array: &ArrayRef) -> Result<ArrayRef, String> {
    let plain = match array.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        DataType::RunEndEncoded(_, values) => values.data_type(),
        DataType::Float16 => &DataType::Float32,
        _ => return Ok(ArrayRef::clone(array)),
    };
    arrow::compute::cast(array, plain).map_err(|error| format!("cannot be read: {error}"))
}

/// Append the text of a value that is not null.
///
/// # Errors
/// Why there is no text for it; what was appended is then the value as far as it can be shown.
pub(crate) fn write_value(
    array: &dyn Array,
    row: usize,
    shape: Shape,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    macro_rules! number {
        ($kind:ty) => {
            write!(out, "{}", array.as_primitive::<$kind>().value(row)).map_err(|error| error.to_string())
        };
    }
    macro_rules! decimal {
        ($kind:ty) => {{
            out.extend_from_slice(array.as_primitive::<$kind>().value_as_string(row).as_bytes());
            Ok(())
        }};
    }
    match array.data_type() {
        DataType::Utf8 => write_text(array.as_string::<i32>().value(row).as_bytes(), shape, out),
        DataType::LargeUtf8 => write_text(array.as_string::<i64>().value(row).as_bytes(), shape, out),
        DataType::Utf8View => write_text(array.as_string_view().value(row).as_bytes(), shape, out),
        DataType::Binary => write_text(array.as_binary::<i32>().value(row), shape, out),
        DataType::LargeBinary => write_text(array.as_binary::<i64>().value(row), shape, out),
        DataType::BinaryView => write_text(array.as_binary_view().value(row), shape, out),
        DataType::FixedSizeBinary(_) => write_text(array.as_fixed_size_binary().value(row), shape, out),
        DataType::Boolean => {
            out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" });
            Ok(())
        }
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        // The shortest decimal that reads back as the same float, never in E notation.
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Decimal32(..) => decimal!(Decimal32Type),
        DataType::Decimal64(..) => decimal!(Decimal64Type),
        DataType::Decimal128(..) => decimal!(Decimal128Type),
        DataType::Decimal256(..) => decimal!(Decimal256Type),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            write_text(time_text(array, row).as_bytes(), shape, out)
        }
        DataType::Struct(_) | DataType::Map(..) => write_object(array, row, out),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            write_list(&*list_value(array, row), shape, out)
        }
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) | DataType::Float16 => {
            let value = unpacked(&array.slice(row, 1))?;
            write_element(&*value, 0, shape, out)
        }
        _ => {
            let text = array_value_to_string(array, row).map_err(|error| error.to_string())?;
            write_text(text.as_bytes(), shape, out)
        }
    }
}

fn write_text(text: &[u8], shape: Shape, out: &mut Vec<u8>) -> Result<(), String> {
    if shape != Shape::Json && text.is_ascii() {
        out.extend_from_slice(text);
        return Ok(());
    }
    let Ok(valid) = std::str::from_utf8(text) else {
        out.extend_from_slice(text);
        return Err("is binary data, not UTF-8 text".to_owned());
    };
    if shape == Shape::Json {
        return serde_json::to_writer(out, valid).map_err(|error| error.to_string());
    }
    out.extend_from_slice(text);
    Ok(())
}

/// A value inside another one, which may be null.
fn write_element(array: &dyn Array, row: usize, shape: Shape, out: &mut Vec<u8>) -> Result<(), String> {
    if array.is_valid(row) {
        return write_value(array, row, shape, out);
    }
    if shape == Shape::Json {
        out.extend_from_slice(b"null");
    }
    Ok(())
}

/// A struct or a map as a JSON object.
fn write_object(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if let Some(map) = array.as_map_opt() {
        let entries = map.value(row);
        return write_pairs(entries.column(0), entries.column(1), out);
    }
    let fields = array.as_struct();
    out.push(b'{');
    for (index, (name, values)) in fields.column_names().iter().zip(fields.columns()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(name.as_bytes(), Shape::Json, out)?;
        out.push(b':');
        write_element(values, row, Shape::Json, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_list(values: &dyn Array, shape: Shape, out: &mut Vec<u8>) -> Result<(), String> {
    if shape == Shape::Pairs
        && let Some(fields) = values.as_struct_opt()
    {
        let named = |wanted: &str| {
            let place = fields.column_names().iter().position(|name| name.eq_ignore_ascii_case(wanted));
            place.map(|place| fields.column(place))
        };
        if let (Some(keys), Some(values)) = (named("key"), named("value")) {
            return write_pairs(keys, values, out);
        }
    }
    out.push(b'[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(b',');
        }
        write_element(values, row, Shape::Json, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Keys and values side by side as a JSON object.
fn write_pairs(keys: &dyn Array, values: &dyn Array, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'{');
    for row in 0..keys.len() {
        if row > 0 {
            out.push(b',');
        }
        let mut key = Vec::new();
        write_element(keys, row, Shape::Plain, &mut key)?;
        write_text(&key, Shape::Json, out)?;
        out.push(b':');
        write_element(values, row, Shape::Json, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn list_value(array: &dyn Array, row: usize) -> ArrayRef {
    match array.data_type() {
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        _ => array.as_list::<i32>().value(row),
    }
}

const SECONDS_A_DAY: i64 = 86_400;

/// A date or timestamp in UTC; a zone in the type only says how to show it.
fn time_text(array: &dyn Array, row: usize) -> String {
    let (value, a_second) = match array.data_type() {
        DataType::Date32 => {
            return date_text(i64::from(array.as_primitive::<Date32Type>().value(row)));
        }
        DataType::Date64 => {
            let millis = array.as_primitive::<Date64Type>().value(row);
            return date_text(millis.div_euclid(SECONDS_A_DAY * 1000));
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            (array.as_primitive::<TimestampSecondType>().value(row), 1)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            (array.as_primitive::<TimestampMillisecondType>().value(row), 1_000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            (array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000_000)
        }
        _ => (array.as_primitive::<TimestampNanosecondType>().value(row), 1_000_000_000),
    };
    let (seconds, part) = (value.div_euclid(a_second), value.rem_euclid(a_second));
    let (day, second) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let fraction = if part == 0 {
        String::new()
    } else {
        let nanos = format!("{:09}", part * (1_000_000_000 / a_second));
        format!(".{}", nanos.trim_end_matches('0'))
    };
    format!("{}T{hour:02}:{minute:02}:{:02}{fraction}Z", date_text(day), second % 60)
}

/// The inverse of `days_since_epoch` in `time.rs`, for any day.
fn date_text(days_since_epoch: i64) -> String {
    let days = days_since_epoch + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for day in (-360_000..2_900_000).step_by(17) {
            let text = date_text(day);
            let time = crate::parse_time(text.as_bytes()).unwrap();
            assert_eq!(time.micros, day * SECONDS_A_DAY * 1_000_000, "{text}");
        }
    }
}

//! Finding text in any of many columns, in any case, over millions of charges: every distinct text of a batch
//! is looked at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::Expr;

/// Whether any of these columns holds the words anywhere.
pub(crate) fn mentions(columns: Vec<Expr>, words: &str) -> Expr {
    let words = words.to_lowercase();
    let is_found = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let rows = arrays.first().map_or(0, Array::len);
        let mut found = vec![false; rows];
        for texts in arrays.iter().filter_map(ArrayRef::as_string_view_opt) {
            search(texts, &words, &mut found);
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
    };
    let types = vec![DataType::Utf8View; columns.len()];
    create_udf("mentions", types, DataType::Boolean, Volatility::Immutable, Arc::new(is_found)).call(columns)
}

/// So many answers are remembered; texts that fall on one place take turns.
const REMEMBERED: usize = 512;

fn search(texts: &StringViewArray, words: &str, found: &mut [bool]) {
    // Equal views of one array are equal texts: short ones hold the text, long ones its place.
    let mut known: Vec<Option<(u128, bool)>> = vec![None; REMEMBERED];
    let mut lowered = String::new();
    for (row, (view, found)) in texts.views().iter().zip(found).enumerate() {
        if *found || texts.is_null(row) {
            continue;
        }
        let place = place(*view);
        *found = match known[place] {
            Some((same, answer)) if same == *view => answer,
            _ => {
                let answer = holds(texts.value(row), words, &mut lowered);
                known[place] = Some((*view, answer));
                answer
            }
        };
    }
}

fn place(view: u128) -> usize {
    let bytes = view.to_le_bytes();
    let half = |at: usize| bytes[at..at + 8].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mixed = (half(0) ^ half(8).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 32).unwrap_or(0) % REMEMBERED
}

fn holds(text: &str, words: &str, lowered: &mut String) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(words);
    }
    lowered.clear();
    lowered.push_str(text);
    lowered.make_ascii_lowercase();
    lowered.contains(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_any_case_and_any_column() {
        let long = "a text that is longer than twelve bytes, with Straße";
        for (texts, words, expected) in [
            (vec![Some("Vm-1"), None, Some("disk"), Some("vm-1")], "VM", "1001"),
            (vec![Some(long), Some("short"), Some(long)], "STRASSE", "000"),
            (vec![Some(long), Some("short"), Some(long)], "straße", "101"),
            (vec![Some("ÉCOLE"), Some("ecole")], "école", "10"),
            (vec![Some("a"), Some("")], "", "11"),
        ] {
            let texts = StringViewArray::from(texts);
            let mut found = vec![false; texts.len()];
            search(&texts, &words.to_lowercase(), &mut found);
            let told: String = found.iter().map(|found| if *found { '1' } else { '0' }).collect();
            assert_eq!(told, expected, "{words}");
        }
    }
}

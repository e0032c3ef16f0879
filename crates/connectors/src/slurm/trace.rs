//! Raw records by their places: the files are read once more for them.

use std::io;

use crate::raw::Content;
use crate::{ConvertError, Open, RawRecord, RecordsBehind};

/// The records at these files and lines, as they were delivered.
pub(super) fn records(open: &Open<'_>, mut places: Vec<(u16, u32)>) -> Result<RecordsBehind, ConvertError> {
    places.sort_unstable();
    let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
    places.truncate(RecordsBehind::LISTED);
    let mut records = Vec::with_capacity(places.len());
    for (number, file) in (0_u16..).zip(open().map_err(ConvertError::Open)?) {
        let wanted: Vec<u64> =
            places.iter().filter(|(file, _)| *file == number).map(|(_, line)| u64::from(*line)).collect();
        if wanted.is_empty() {
            continue;
        }
        let name = file.name;
        let mut add = |line: u64, text: &dyn Fn() -> String| {
            if wanted.binary_search(&line).is_ok() {
                records.push(RawRecord { file: name.to_owned(), line, text: text() });
            }
        };
        let mut content = Content::open(file).map_err(ConvertError::Open)?;
        if content.first_byte().map_err(ConvertError::Open)? == Some(b'{') {
            // Of a job only what was read of it: command lines and scripts can hold secrets.
            let shown = |job: &super::json::Job| serde_json::to_string(job).unwrap_or_default();
            super::json::each_job(content, |line, job| add(line, &|| shown(&job)))
                .map_err(|error| ConvertError::Open(io::Error::other(error)))?;
        } else {
            content
                .each_line(|line, bytes| add(line, &|| String::from_utf8_lossy(bytes).into_owned()))
                .map_err(ConvertError::Open)?;
        }
    }
    Ok(RecordsBehind { records, count })
}

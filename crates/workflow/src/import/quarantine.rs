//! Rows that cannot be charges: counted always, listed up to a limit, and kept when asked for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use billing::ImportId;
use documents::formula_safe;
use focus::RowProblem;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::WorkflowError;

/// A problem with the file it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileProblem {
    #[serde(skip)]
    pub file: String,
    #[serde(flatten)]
    pub problem: RowProblem,
}

/// So many problems are kept to be listed; all are counted.
pub const LISTED: usize = 1_000;

/// What is wrong with the rows of a delivery.
#[derive(Debug, Default)]
pub struct Problems {
    pub count: u64,
    pub bad_rows: u64,
    pub listed: Vec<FileProblem>,
}

impl Problems {
    pub fn add(&mut self, file: &str, problems: Vec<RowProblem>) -> u64 {
        let rows = problems.iter().map(|problem| problem.line).collect::<BTreeSet<u64>>().len() as u64;
        self.count += problems.len() as u64;
        self.bad_rows += rows;
        let room = LISTED.saturating_sub(self.listed.len());
        let listed = problems.into_iter().take(room);
        self.listed.extend(listed.map(|problem| FileProblem { file: file.to_owned(), problem }));
        rows
    }
}

/// The quarantined rows of an import, written while it runs: file, line, column, value, message and the
/// row as delivered.
pub struct Quarantine {
    out: csv::Writer<NamedTempFile>,
}

const COLUMNS: [&str; 6] = ["file", "line", "column", "value", "message", "row"];

/// The same for somebody who only wants to know what is wrong: nothing of it is kept.
pub struct ProblemFile {
    out: csv::Writer<File>,
}

impl ProblemFile {
    pub fn create(path: &Path) -> Result<ProblemFile, WorkflowError> {
        let file = File::create(path).map_err(|source| WorkflowError::file("write", path, source))?;
        let mut out = csv::Writer::from_writer(file);
        out.write_record(COLUMNS).map_err(failed)?;
        Ok(ProblemFile { out })
    }

    pub fn add(
        &mut self,
        file: &str,
        problems: &[RowProblem],
        rows: &[(u64, String)],
    ) -> Result<(), WorkflowError> {
        for problem in problems {
            let record = cells(file, problem, rows);
            self.out
                .write_record(record.iter().map(|cell| formula_safe(cell).into_owned()))
                .map_err(failed)?;
        }
        Ok(())
    }
}

fn cells(file: &str, problem: &RowProblem, rows: &[(u64, String)]) -> [String; 6] {
    let row = rows.iter().find(|(line, _)| *line == problem.line).map_or("", |(_, row)| row.as_str());
    let texts = [file, &problem.line.to_string(), &problem.column, &problem.value, &problem.message, row];
    texts.map(str::to_owned)
}

impl Quarantine {
    /// Its temporary name says whose it is, so that a sweep finds what a crash left.
    pub fn create(lake_root: &Path, import: ImportId) -> Result<Quarantine, WorkflowError> {
        let folder = lake_root.join("quarantine");
        let create = || {
            std::fs::create_dir_all(&folder)?;
            File::open(lake_root)?.sync_all()?;
            tempfile::Builder::new().prefix(&temporary(import)).tempfile_in(&folder)
        };
        let file = create().map_err(|source| WorkflowError::file("write into", &folder, source))?;
        let mut out = csv::Writer::from_writer(file);
        out.write_record(COLUMNS).map_err(failed)?;
        Ok(Quarantine { out })
    }

    pub fn add(
        &mut self,
        file: &str,
        problems: &[RowProblem],
        rows: &[(u64, String)],
    ) -> Result<(), WorkflowError> {
        for problem in problems {
            self.out.write_record(cells(file, problem, rows)).map_err(failed)?;
        }
        Ok(())
    }

    /// Keep it under its import's number. Returns the path relative to the lake.
    pub fn finish(self, lake_root: &Path, import: ImportId) -> Result<String, WorkflowError> {
        let relative = format!("quarantine/import-{import}.csv");
        let path = lake_root.join(&relative);
        let mut file = self.out.into_inner().map_err(|error| WorkflowError::Internal(error.to_string()))?;
        let persist = || {
            file.flush()?;
            failpoint::hit("workflow.quarantine.written");
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            failpoint::hit("workflow.quarantine.renamed");
            File::open(lake_root.join("quarantine"))?.sync_all()
        };
        persist().map_err(|source| WorkflowError::file("write", &path, source))?;
        failpoint::hit("workflow.quarantine.kept");
        Ok(relative)
    }
}

/// Remove the quarantined rows of an import that does not count, finished or not.
///
/// # Errors
/// A file that cannot be removed, or a folder that cannot be listed.
pub fn remove(lake_root: &Path, import: ImportId) -> Result<(), WorkflowError> {
    let folder = lake_root.join("quarantine");
    let (finished, unfinished) = (format!("import-{import}.csv"), temporary(import));
    let remove = || {
        let entries = match std::fs::read_dir(&folder) {
            // There usually are none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name == finished || name.starts_with(&unfinished)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(|source| WorkflowError::file("remove quarantined rows in", &folder, source))
}

fn temporary(import: ImportId) -> String {
    format!(".tmp-import-{import}-")
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: csv::Error) -> WorkflowError {
    WorkflowError::Internal(format!("cannot write the quarantined rows: {error}"))
}

/// The records of a block that begin at these lines, as text.
pub fn rows_at(bytes: &[u8], first_line: u64, lines: &BTreeSet<u64>) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    if lines.is_empty() {
        return found;
    }
    let (mut line, mut wanted) = (first_line, lines.iter().copied().peekable());
    let mut start = 0;
    let mut open: Option<(u64, usize)> = None;
    for end in memchr::memchr_iter(b'\n', bytes).chain(std::iter::once(bytes.len())) {
        if wanted.peek() == Some(&line) {
            wanted.next();
            open = Some((line, start));
        }
        if let Some((at, from)) = open {
            let quotes = memchr::memchr_iter(b'"', &bytes[from..end]).count();
            if quotes.is_multiple_of(2) || end == bytes.len() {
                let text = String::from_utf8_lossy(&bytes[from..end]);
                found.push((at, text.trim_end_matches('\r').to_owned()));
                open = None;
            }
        }
        if open.is_none() && wanted.peek().is_none() {
            break;
        }
        line += 1;
        start = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_row_is_found_by_its_line() {
        let bytes = b"a,1\r\nb,\"two\nlines\"\nc,3\nd,4";
        let rows = rows_at(bytes, 2, &BTreeSet::from([2, 3, 6]));
        let text = |line: u64, row: &str| (line, row.to_owned());
        assert_eq!(rows, [text(2, "a,1"), text(3, "b,\"two\nlines\""), text(6, "d,4")]);
    }
}

//! `sacct -P` text: a header and a line a record, or the six fields of earlier exporters without one.

use std::borrow::Cow;
use std::io;

use super::clock;
use super::reading::{Reading, Record, Times, Wrong, count_below_max, elapsed_below_max};
use super::runs::Names;
use super::tres::Shape;
use crate::Outcome;
use crate::error::shorten;
use crate::raw::Content;

/// What to run: fields as this module reads them.
pub(super) const FIELDS: &str = "Cluster,JobIDRaw,JobID,DBIndex,SLUID,Account,User,UID,Partition,QOS,WCKey,Reservation,\
                                 State,ExitCode,Submit,Eligible,Start,End,ElapsedRaw,Suspended,AllocCPUS,NNodes,\
                                 NodeList,AllocTRES,ReqTRES,Flags,Restarts";

macro_rules! fields {
    ($($field:ident $($other:literal)*,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Field { $($field,)* }

        impl Field {
            const ALL: &[(Field, &'static str, &'static [&'static str])] =
                &[$((Field::$field, stringify!($field), &[$($other),*]),)*];
        }
    };
}

fields! {
    Cluster,
    JobIDRaw,
    JobID,
    DBIndex,
    Sluid,
    Account,
    User,
    Partition,
    Qos,
    WCKey,
    Reservation,
    State,
    Start,
    End,
    ElapsedRaw,
    Elapsed,
    Suspended,
    AllocCPUS "NCPUS",
    NNodes "AllocNodes",
    AllocTRES,
}

const FIELD_COUNT: usize = Field::ALL.len();

/// Of the six-field form, in its order.
const SIX: [Field; 6] =
    [Field::JobID, Field::Account, Field::Partition, Field::AllocCPUS, Field::Elapsed, Field::State];

/// Where each field stands, and what stands between them.
struct Layout {
    delimiter: Vec<u8>,
    at: [Option<usize>; FIELD_COUNT],
    columns: usize,
    has_times: bool,
}

impl Layout {
    fn has(&self, field: Field) -> bool {
        self.at[field as usize].is_some()
    }

    /// Of a header: its fields are letters and digits alone, so anything else is between them.
    fn of_header(line: &[u8]) -> Option<Layout> {
        let first_end = line.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
        let rest = &line[first_end..];
        let delimiter_end = rest.iter().position(u8::is_ascii_alphanumeric)?;
        let delimiter = rest[..delimiter_end].to_vec();
        // Aligned for people, with names cut to the width of their columns.
        if delimiter.iter().all(|byte| *byte == b' ') {
            return None;
        }
        // `sacct -p` ends each line with one, the header too.
        let line = line.strip_suffix(delimiter.as_slice()).unwrap_or(line);
        let mut at = [None; FIELD_COUNT];
        let mut columns = 0;
        for (column, name) in split(line, &delimiter).enumerate() {
            let is_named = |known: &&(Field, &str, &[&str])| {
                name.eq_ignore_ascii_case(known.1.as_bytes())
                    || known.2.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
            };
            if let Some((field, ..)) = Field::ALL.iter().find(is_named) {
                at[*field as usize].get_or_insert(column);
            }
            columns = column + 1;
        }
        let known = at.iter().flatten().count();
        (3 <= known).then_some(Layout { delimiter, at, columns, has_times: true })
    }

    /// Of a first line that is a record of the six-field form.
    fn of_six(line: &[u8]) -> Option<Layout> {
        [&b"|"[..], b"\t", b"\x1f", b";", b","].into_iter().find_map(|delimiter| {
            let cells: Vec<&[u8]> = split(line, delimiter).collect();
            let [job, _, _, cpus, elapsed, state] = cells.as_slice() else { return None };
            let is_record = job.first().is_some_and(u8::is_ascii_digit)
                && clock::number(cpus).is_some()
                && clock::seconds(elapsed).is_some()
                && state.first().is_some_and(u8::is_ascii_uppercase);
            is_record.then(|| Layout::six(delimiter))
        })
    }

    fn six(delimiter: &[u8]) -> Layout {
        let mut at = [None; FIELD_COUNT];
        for (column, field) in SIX.into_iter().enumerate() {
            at[field as usize] = Some(column);
        }
        Layout { delimiter: delimiter.to_vec(), at, columns: SIX.len(), has_times: false }
    }

    fn is_six(&self) -> bool {
        self.columns == SIX.len() && SIX.iter().all(|field| self.has(*field))
    }

    /// What is needed and not there.
    fn missing(&self, reading: &Reading<'_>) -> Vec<&'static str> {
        use super::template::Part;
        let mut missing = Vec::new();
        let mut need = |field: &'static str, is_there: bool| {
            if !is_there {
                missing.push(field);
            }
        };
        let settings = reading.settings;
        need("JobIDRaw", self.has(Field::JobIDRaw) || self.has(Field::JobID));
        need("Account", self.has(Field::Account));
        need("Partition", self.has(Field::Partition));
        need("State", self.has(Field::State));
        need("ElapsedRaw", self.has(Field::ElapsedRaw) || self.has(Field::Elapsed));
        if self.has_times {
            need("Start", self.has(Field::Start));
            need("End", self.has(Field::End) || self.has(Field::Suspended));
        }
        need(
            "AllocTRES",
            self.has(Field::AllocTRES) || (self.has(Field::AllocCPUS) && !settings.needs_tres()),
        );
        need("NNodes", self.has(Field::AllocTRES) || self.has(Field::NNodes) || !settings.needs_nodes());
        let asked = |part| settings.parts.contains(&part);
        need("User", !asked(Part::User) || self.has(Field::User));
        need("QOS", !asked(Part::Qos) || self.has(Field::Qos));
        need("WCKey", !asked(Part::Wckey) || self.has(Field::WCKey));
        need("Reservation", !asked(Part::Reservation) || self.has(Field::Reservation));
        missing
    }
}

fn split<'a>(line: &'a [u8], delimiter: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = match delimiter {
            [one] => memchr::memchr(*one, line),
            several => memchr::memmem::find(line, several),
        };
        let (cell, after) = match end {
            Some(end) => (&line[..end], Some(&line[end + delimiter.len()..])),
            None => (line, None),
        };
        rest = after;
        Some(cell)
    })
}

pub(super) fn read(content: Content<'_>, reading: &mut Reading<'_>) -> io::Result<()> {
    let mut lines: Option<Lines> = None;
    let mut is_refused = false;
    content.each_line(|number, line| {
        if is_refused || line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Some(known) = &mut lines else {
            match Lines::begin(line, reading) {
                Ok(begun) => {
                    let mut begun = begun;
                    if !begun.has_header {
                        begun.record(number, line, reading);
                    }
                    lines = Some(begun);
                }
                Err(wrong) => {
                    reading.refuse(Some(number), wrong);
                    is_refused = true;
                }
            }
            return;
        };
        // Files that were joined have their header again.
        if !(known.has_header && line == known.header) {
            known.record(number, line, reading);
        }
    })
}

/// The lines of a file, and what was found out about them.
struct Lines {
    layout: Layout,
    header: Vec<u8>,
    has_header: bool,
    /// Where the cells of a line are.
    cells: Vec<(usize, usize)>,
    /// What runs were given, as text, and the shape it is.
    shapes: Names,
    shape_of: Vec<u32>,
    joined: Vec<u8>,
}

impl Lines {
    fn begin(line: &[u8], reading: &mut Reading<'_>) -> Result<Lines, Wrong> {
        let (mut layout, has_header) = match Layout::of_header(line) {
            Some(layout) => (layout, true),
            None => (Layout::of_six(line).ok_or_else(|| unknown(line))?, false),
        };
        layout.has_times = !layout.is_six();
        let missing = layout.missing(reading);
        if !missing.is_empty() {
            let message = format!(
                "{} missing; run `TZ=UTC SLURM_TIME_FORMAT=%s sacct -a -X -D -P --noconvert --delimiter=$'\\x1f' \
                 -S … -E … --format={FIELDS}` (without what `sacct -e` does not list)",
                match missing.as_slice() {
                    [one] => format!("{one} is"),
                    several => format!("{} are", several.join(", ")),
                }
            );
            return Err(("", String::new(), message));
        }
        Ok(Lines {
            layout,
            header: line.to_vec(),
            has_header,
            cells: Vec::new(),
            shapes: Names::default(),
            shape_of: Vec::new(),
            joined: Vec::new(),
        })
    }

    fn record(&mut self, number: u64, line: &[u8], reading: &mut Reading<'_>) {
        if let Err(wrong) = self.try_record(number, line, reading) {
            reading.refuse(Some(number), wrong);
        }
    }

    fn cell<'l>(&self, line: &'l [u8], field: Field) -> &'l [u8] {
        let at = self.layout.at[field as usize].and_then(|column| self.cells.get(column));
        at.map_or(&line[..0], |(start, end)| line[*start..*end].trim_ascii())
    }

    fn cut(&mut self, line: &[u8]) -> Result<(), Wrong> {
        self.cells.clear();
        let width = self.layout.delimiter.len();
        let mut start = 0;
        let mut end_at = |end: usize| {
            self.cells.push((start, end));
            start = end + width;
        };
        match self.layout.delimiter.as_slice() {
            [one] => memchr::memchr_iter(*one, line).for_each(&mut end_at),
            several => memchr::memmem::find_iter(line, several).for_each(&mut end_at),
        }
        end_at(line.len());
        let columns = self.layout.columns;
        // `sacct -p` ends each line with a delimiter.
        if self.cells.len() == columns + 1 && self.cells.last().is_some_and(|(start, end)| end <= start) {
            self.cells.pop();
        }
        if self.cells.len() == columns {
            return Ok(());
        }
        let message = format!(
            "has {} fields and not {columns}; either the line is cut off, or a name has the delimiter in it: \
             run sacct with `--delimiter=$'\\x1f'`",
            self.cells.len()
        );
        Err(("", shorten(line), message))
    }

    fn try_record(&mut self, number: u64, line: &[u8], reading: &mut Reading<'_>) -> Result<(), Wrong> {
        self.cut(line)?;
        let raw = self.cell(line, Field::JobIDRaw);
        let job_id = self.cell(line, Field::JobID);
        if raw.contains(&b'.') || job_id.contains(&b'.') {
            reading.count(Outcome::Step);
            return Ok(());
        }
        let job = text(if raw.is_empty() { job_id } else { raw });
        if job.is_empty() {
            return Err(("JobIDRaw", String::new(), "says no job".to_owned()));
        }
        let state = self.cell(line, Field::State);
        let state = reading.settings.states.find(state).ok_or_else(|| unknown_state(state))?;
        let (elapsed, times) = self.times(line, reading)?;
        // What never used anything need not be understood further.
        let shape = if elapsed == 0 { 0 } else { self.shape(line, reading)? };
        let cell = |field| self.cell(line, field);
        let wckey = cell(Field::WCKey);
        reading.add(
            number,
            &Record {
                cluster: cell(Field::Cluster),
                job: &job,
                label: &text(job_id),
                db_index: clock::id(cell(Field::DBIndex)),
                sluid: &text(cell(Field::Sluid)),
                account: cell(Field::Account),
                user: cell(Field::User),
                partition: cell(Field::Partition),
                qos: cell(Field::Qos),
                // `*` says that nobody chose the key.
                wckey: wckey.strip_prefix(b"*").unwrap_or(wckey),
                reservation: cell(Field::Reservation),
                state,
                times,
                elapsed,
                shape,
            },
        )
    }

    fn times(&self, line: &[u8], reading: &mut Reading<'_>) -> Result<(u64, Times), Wrong> {
        let seconds_of = |name: &'static str, field: Field| {
            let cell = self.cell(line, field);
            if cell.is_empty() {
                return Ok(0);
            }
            elapsed_below_max(clock::seconds(cell)).ok_or_else(|| {
                (name, shorten(cell), "is no time that a run takes; write seconds or D-HH:MM:SS".to_owned())
            })
        };
        let elapsed = if self.cell(line, Field::ElapsedRaw).is_empty() {
            seconds_of("Elapsed", Field::Elapsed)?
        } else {
            seconds_of("ElapsedRaw", Field::ElapsedRaw)?
        };
        if !self.layout.has_times {
            reading.notes.without_times += 1;
            return Ok((elapsed, Times::Unsaid));
        }
        let time_of = |name: &'static str, field: Field| {
            let cell = self.cell(line, field);
            reading.settings.clock.parse(cell).map_err(|message| (name, shorten(cell), message.to_owned()))
        };
        let suspended = seconds_of("Suspended", Field::Suspended)?;
        let (start, end) = (time_of("Start", Field::Start)?, time_of("End", Field::End)?);
        Ok((elapsed, Times::Said { start, end, suspended }))
    }

    /// Most runs were given what another one was given: each text is understood once.
    fn shape(&mut self, line: &[u8], reading: &mut Reading<'_>) -> Result<u32, Wrong> {
        let cells = [Field::AllocTRES, Field::AllocCPUS, Field::NNodes].map(|field| self.cell(line, field));
        self.joined.clear();
        for cell in cells {
            self.joined.extend_from_slice(cell);
            self.joined.push(0);
        }
        if let Some(known) = self.shapes.find(&self.joined) {
            let shape = self.shape_of[known as usize];
            return Ok(shape);
        }
        let [tres, cpus, nodes] = cells;
        let mut shape = Shape::default();
        let rounded = shape.parse(&text(tres)).map_err(|message| ("AllocTRES", shorten(tres), message))?;
        reading.notes.memory_rounded += u64::from(rounded);
        let counted = |name: &'static str, cell: &[u8]| match cell {
            [] => Ok(None),
            cell => count_below_max(clock::number(cell))
                .map(Some)
                .ok_or_else(|| (name, shorten(cell), "is no number of them".to_owned())),
        };
        let (cpus, nodes) = (counted("AllocCPUS", cpus)?, counted("NNodes", nodes)?);
        let shape = reading.shape(shape, cpus, nodes);
        self.shapes.number(&self.joined);
        self.shape_of.push(shape);
        Ok(shape)
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub(super) fn unknown_state(state: &[u8]) -> Wrong {
    let message =
        "is no state that is known; say below `states:` of the source what is billed of it".to_owned();
    ("State", shorten(state), message)
}

fn unknown(line: &[u8]) -> Wrong {
    let message = "is no header of `sacct -P` and no record of its six-field form; run sacct with `-P` (or \
                   `--json`) and without `-n`";
    ("", shorten(line), message.to_owned())
}

//! Whole files in, cells and problems out: the dialects of CSV, the compressions, and what goes wrong.

use std::io::{Cursor, Write};

use proptest::prelude::*;

use crate::blocks::Limits;
use crate::fields::is_null;
use crate::{Block, Format, Header, OpenError, ReadError, RowProblem, Source};

const SMALL: Limits = Limits { block: 1, record: 16_000_000, unpacked: u64::MAX };

/// One row as read: line, byte offset, byte length, and the kept cells.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: i64,
    offset: i64,
    len: i32,
    cells: Vec<String>,
}

struct Read {
    header: Header,
    rows: Vec<Row>,
    problems: Vec<RowProblem>,
    blocks: usize,
    notes: Vec<String>,
}

fn rows_of(block: Block, header: &Header) -> (Vec<Row>, Vec<RowProblem>) {
    let (cells, problems) = block.cells(header);
    let kept = |column: &usize| header.columns[*column].kept_as.is_some();
    let columns: Vec<usize> = (0..header.columns.len()).filter(kept).collect();
    let rows = (0..cells.rows)
        .map(|row| Row {
            line: cells.lines[row],
            offset: cells.byte_offsets[row],
            len: cells.byte_lens[row],
            cells: columns.iter().map(|column| cells.get_str(*column, row).to_owned()).collect(),
        })
        .collect();
    for (column, spans) in cells.spans.iter().enumerate() {
        assert_eq!(spans.len(), if kept(&column) { cells.rows } else { 0 });
    }
    (rows, problems)
}

/// Read a whole file, and check what holds for every one: nothing of it is lost between the blocks.
fn read(bytes: &[u8], limits: Limits) -> Result<Read, OpenError> {
    let mut source = Source::from_reader_limited(Cursor::new(bytes.to_vec()), limits)?;
    let header = source.header().clone();
    let mut whole = source.preamble().to_vec();
    let (mut rows, mut problems, mut blocks) = (Vec::new(), Vec::new(), 0);
    while let Some(block) = source.next_block()? {
        assert_eq!(block.byte_offset, whole.len() as u64);
        assert_eq!(block.first_line, 1 + newlines(&whole));
        whole.extend_from_slice(&block.bytes);
        let (more, bad) = rows_of(block, &header);
        rows.extend(more);
        problems.extend(bad);
        blocks += 1;
    }
    if source.format() == Format::Csv {
        assert_eq!(whole, bytes, "preamble and blocks are the whole file");
    }
    Ok(Read { header, rows, problems, blocks, notes: source.notes().to_vec() })
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The rows of a file with columns `x_a,x_b`, as `line: a|b`, then the problems.
fn shown(body: &str) -> String {
    let file = format!("x_a,x_b\n{body}");
    let whole = read(file.as_bytes(), Limits::default()).unwrap();
    let cut = read(file.as_bytes(), SMALL).unwrap();
    assert_eq!((&whole.rows, &whole.problems), (&cut.rows, &cut.problems), "blocks make no difference");
    let rows = whole.rows.iter().map(|row| format!("{}: {}", row.line, row.cells.join("|")));
    let problems = whole.problems.iter().map(told);
    rows.chain(problems).flat_map(|line| ["  ".to_owned(), line, "\n".to_owned()]).collect()
}

fn told(problem: &RowProblem) -> String {
    format!("{}: {}: `{}` {}", problem.line, problem.column, problem.value, problem.message)
}

fn refused(bytes: &[u8]) -> String {
    match read(bytes, Limits::default()) {
        Ok(read) => format!("read: {} rows, {} problems", read.rows.len(), read.problems.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_dialect_of_csv_is_read() {
    let said = [
        ("line feeds", "1,2\n3,4\n"),
        ("carriage returns", "1,2\r\n3,4\r\n"),
        ("mixed, last line bare", "1,2\r\n3,4\n5,6"),
        ("blank lines", "\n1,2\n\r\n   \n3,4\n\n"),
        ("quoted", "\"1\",\"2\"\r\n\"3\",4\n"),
        ("comma, newline and quote in quotes", "\"a,b\",\"c\nd\"\n\"say \"\"hi\"\"\",\"\"\"\"\n"),
        ("blank after a quote", "\"1\" ,\"2\"  \n"),
        ("stray quotes are text", "5\" disk,a \"b\" c\nx\",\"y,z\"\nab\"\"cd,e\n"),
        ("nothing", "NULL,null\n(null),\\N\n\"\",\" \"\n,\"NULL\"\n"),
        ("white space and zeros stay", " a ,\" b \"\n0042,0\n"),
        ("last cell empty", "1,\r\n2,\n3,"),
        ("other characters", "Zürich,数据\n"),
    ]
    .map(|(name, body)| format!("{name}\n{}", shown(body)));
    insta::assert_snapshot!(said.concat(), @r###"
line feeds
  2: 1|2
  3: 3|4
carriage returns
  2: 1|2
  3: 3|4
mixed, last line bare
  2: 1|2
  3: 3|4
  4: 5|6
blank lines
  3: 1|2
  6: 3|4
quoted
  2: 1|2
  3: 3|4
comma, newline and quote in quotes
  2: a,b|c
d
  4: say "hi"|"
blank after a quote
  2: 1|2
stray quotes are text
  2: 5" disk|a "b" c
  3: x"|y,z
  4: ab""cd|e
nothing
  2: |
  3: |
  4: |
  5: |
white space and zeros stay
  2:  a | b 
  3: 0042|0
last cell empty
  2: 1|
  3: 2|
  4: 3|
other characters
  2: Zürich|数据
"###);
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_the_others_are_read() {
    let said = [
        ("too few", "1\n2,3\n"),
        ("too many", "1,2,3\n4,5\n"),
        ("text after a quote", "\"a\"b,c\n\"say \"hi\"\",d\n\"{\\\"k\\\": 1}\",e\n1,2\n"),
        ("never closed", "1,2\n3,\"4\n5,6\n"),
        ("closed too late", "1,2\n3,\"4\n5,\"6\"\n7,8\n"),
        ("never closed on its second line", "\"1\n2\",\"3"),
        ("long", &format!("{},2,3\n", "é".repeat(300))),
    ]
    .map(|(name, body)| format!("{name}\n{}", shown(body)));
    insta::assert_snapshot!(said.concat(), @r###"
too few
  3: 2|3
  2: : `1` has 1 field where the header has 2
too many
  3: 4|5
  2: : `1,2,3` has 3 fields where the header has 2; text with a comma in it belongs in quotes
text after a quote
  5: 1|2
  2: x_a: `"a"b` has text after its closing quote; inside quotes, a quote is written twice
  3: x_a: `"say "hi""` has text after its closing quote; inside quotes, a quote is written twice
  4: x_a: `"{\"k\": 1}"` has text after its closing quote; inside quotes, a quote is written twice
never closed
  2: 1|2
  3: x_b: `"4
5,6` opens with a quote on line 3 that is never closed
closed too late
  2: 1|2
  5: 7|8
  3: x_b: `"4
5,"6"` has text after its closing quote; inside quotes, a quote is written twice; it runs over lines 3 to 4, so a quote may be missing
never closed on its second line
  2: x_b: `"3` opens with a quote on line 3 that is never closed
long
  2: : `éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé…` has 3 fields where the header has 2; text with a comma in it belongs in quotes
"###);
}

#[test]
fn bytes_that_are_not_utf8_spoil_their_row_only() {
    let file = b"x_a,note,x_b\n1,ok,2\n3,caf\xe9,4\n5,ok,6\n\"a\xff\"\"b\",,7\n\xc3,1\n";
    let read = read(file, SMALL).unwrap();
    assert_eq!(read.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    let said: Vec<String> = read.problems.iter().map(told).collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
3: note: `caf�` is not UTF-8 text: byte 0xE9 at position 4; save the file as UTF-8
5: x_a: `"a�""b"` is not UTF-8 text: byte 0xFF at position 3; save the file as UTF-8
6: x_a: `�` is not UTF-8 text: byte 0xC3 at position 1; save the file as UTF-8
"###);
}

#[test]
fn ten_thousand_bad_rows_are_all_told() {
    let mut file = b"x_a,x_b\n".to_vec();
    for row in 0..20_000 {
        file.extend_from_slice(if row % 2 == 0 { b"1,2\n" } else { b"1\n" });
    }
    let read = read(&file, Limits { block: 1000, ..SMALL }).unwrap();
    assert_eq!((read.rows.len(), read.problems.len()), (10_000, 10_000));
    assert_eq!(read.problems[9_999].line, 20_001);
}

#[test]
fn unusual_headers_are_understood() {
    let file = "\u{feff}\r\n billedcost ,\"TAGS\",Region,x_CostCategories,Id\n1,{},eu,c,9\n";
    let read = read(file.as_bytes(), SMALL).unwrap();
    let columns: Vec<String> = read
        .header
        .columns
        .iter()
        .map(|column| format!("{} → {}", column.delivered, column.kept_as.as_deref().unwrap_or("-")))
        .collect();
    insta::assert_snapshot!(format!("{}\n{}", columns.join("\n"), read.notes.join("\n")), @r###"
billedcost → billed_cost
TAGS → tags
Region → region_id
x_CostCategories → x_cost_categories
Id → -
the file begins with a byte order mark, which is left out
column `Region` is read as `RegionId`
column `Id` is not of FOCUS; it stays in the delivered file only
"###);
    assert_eq!(
        read.rows[0],
        Row {
            line: 3,
            offset: i64::try_from(file.find("1,{}").unwrap()).unwrap(),
            len: 12,
            cells: vec!["1".to_owned(), "{}".to_owned(), "eu".to_owned(), "c".to_owned()]
        }
    );
}

#[test]
fn what_is_no_focus_csv_is_refused_by_name() {
    let said: Vec<String> = [
        ("empty", &b""[..]),
        ("mark alone", b"\xef\xbb\xbf"),
        ("blank lines", b"\n\r\n  \n"),
        ("header alone", b"BilledCost,Tags\n"),
        ("header without line end", b"BilledCost,Tags"),
        ("semicolons", b"BilledCost;Tags\n1;2\n"),
        ("tabs", b"BilledCost\tTags\n"),
        ("same name", b"Tags,BilledCost,Tags\n"),
        ("same name in another case", b"Tags,BilledCost,tags\n"),
        ("same custom name", b"x_CostCenter,x_cost_center\n"),
        ("lone carriage returns", b"BilledCost,Tags\r1,2\r"),
        ("Latin-1", b"BilledCost,Kostentr\xe4ger\n"),
        ("zeros", b"a\0b,c\n"),
        ("quote in header", b"BilledCost,\"Tags\n1,2\n"),
        ("ZIP", b"PK\x03\x04rest"),
        ("UTF-16", b"\xff\xfeB\0i\0"),
        ("PDF", b"%PDF-1.7\n"),
    ]
    .map(|(name, bytes)| format!("{name}: {}", refused(bytes)))
    .to_vec();
    insta::assert_snapshot!(said.join("\n"), @r###"
empty: the file is empty: not even a header line is in it
mark alone: the file is empty: not even a header line is in it
blank lines: the file is empty: not even a header line is in it
header alone: read: 0 rows, 0 problems
header without line end: read: 0 rows, 0 problems
semicolons: the columns are separated by semicolons, but FOCUS CSV is comma-separated; ask the source for commas or convert the file
tabs: the columns are separated by tabs, but FOCUS CSV is comma-separated; ask the source for commas or convert the file
same name: columns 1 and 3 have the same name, `Tags`; remove or rename one of them
same name in another case: columns 1 (`Tags`) and 3 (`tags`) are the same column, `tags`; remove or rename one of them
same custom name: columns 1 (`x_CostCenter`) and 2 (`x_cost_center`) are the same column, `x_cost_center`; remove or rename one of them
lone carriage returns: the lines end in a lone carriage return (old Macintosh style); convert the file to line feeds
Latin-1: the header line is not UTF-8 text: byte 0xE4 at position 20 of the line
zeros: the header line is not UTF-8 text: byte 0x00 at position 2 of the line
quote in header: column 2 of the header: a quote is opened and never closed
ZIP: the file is a ZIP archive or an Excel workbook, which is not read; unpack it, or save the sheet as CSV
UTF-16: the file is UTF-16 text, which is not read; save it as UTF-8
PDF: the file is a PDF, which is not read; ask the source for its FOCUS export
"###);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of some hundred kB that does not compress to nothing.
fn large_file() -> Vec<u8> {
    let mut file = b"x_a,x_b\n".to_vec();
    for row in 0..20_000_u64 {
        let noise = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        file.extend_from_slice(format!("{row},\"{noise:x}\"\n").as_bytes());
    }
    file
}

fn read_stream(bytes: Vec<u8>) -> Result<(Vec<u8>, usize), OpenError> {
    let mut source = Source::from_reader(Cursor::new(bytes))?;
    let header = source.header().clone();
    let (mut whole, mut rows) = (source.preamble().to_vec(), 0);
    while let Some(block) = source.next_block()? {
        whole.extend_from_slice(&block.bytes);
        rows += block.cells(&header).0.rows;
    }
    Ok((whole, rows))
}

#[test]
fn compressed_files_are_the_same_files() {
    let file = large_file();
    let (front, back) = file.split_at(100_001);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    for compressed in [
        gzip(&file),
        [gzip(front), gzip(b""), gzip(back)].concat(),
        zstd(&file),
        [zstd(front), zstd(back)].concat(),
    ] {
        let (whole, rows) = read_stream(compressed).unwrap();
        assert_eq!(rows, 20_000);
        assert!(whole == file, "the bytes are the same");
    }
}

#[test]
fn broken_compression_is_told_with_its_place() {
    let file = large_file();
    let gz = gzip(&file);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&file).unwrap();
    let zst = encoder.finish().unwrap();
    let half = |bytes: &[u8]| bytes[..100_000].to_vec();
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x55;
        bytes
    };
    let end = gz.len();
    for (bytes, wanted) in [
        (
            half(&gz),
            "the file ends in the middle of the compressed data after 100000 bytes (gzip); fetch it again",
        ),
        (
            half(&zst),
            "the file ends in the middle of the compressed data after 100000 bytes (zstd); fetch it again",
        ),
        (
            gz[..5].to_vec(),
            "the file ends in the middle of the compressed data after 5 bytes (gzip); fetch it again",
        ),
        (gz[..end - 3].to_vec(), "the file ends in the middle of the compressed data"),
        (flipped(&gz, end - 6), "the compressed data is damaged (gzip"),
        (flipped(&zst, 50_000), "the compressed data is damaged (zstd"),
        ([gz.clone(), b"trailing words".to_vec()].concat(), "the compressed data is damaged (gzip"),
        (gzip(&gz), "the file is compressed twice, which is not read; unpack it once"),
        (
            gzip(b"PAR1...."),
            "the file is Parquet inside another compression, which is not read; unpack it first",
        ),
        (gzip(b""), "the file is empty: not even a header line is in it"),
    ] {
        let said = match read_stream(bytes) {
            Ok((_, rows)) => format!("{rows} rows"),
            Err(error) => error.to_string(),
        };
        assert!(said.starts_with(wanted), "{said}\n{wanted}");
    }
}

#[test]
fn a_record_without_end_is_refused_in_bounded_memory() {
    /// Endless text in quotes, and how much of it was asked for.
    struct Endless(std::sync::Arc<std::sync::atomic::AtomicU64>);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            self.0.fetch_add(buffer.len() as u64, std::sync::atomic::Ordering::Relaxed);
            Ok(buffer.len())
        }
    }
    let taken = std::sync::Arc::default();
    let start = Cursor::new(&b"x_a,x_b\n1,2\n3,\"4"[..]);
    let limits = Limits { block: 10_000, record: 100_000, ..SMALL };
    let reader = std::io::Read::chain(start, Endless(std::sync::Arc::clone(&taken)));
    let mut source = Source::from_reader_limited(reader, limits).unwrap();
    assert_eq!(source.next_block().unwrap().unwrap().bytes, b"1,2\n");
    let error = source.next_block().err().unwrap();
    assert!(matches!(error, ReadError::RecordTooLong { line: 3, limit: 100_000 }));
    assert!(taken.load(std::sync::atomic::Ordering::Relaxed) < 200_000);
    let message = ReadError::RecordTooLong { line: 3, limit: Limits::default().record }.to_string();
    insta::assert_snapshot!(message, @r###"line 3: the record that begins here is larger than 16 MB; a quote is probably never closed"###);
}

#[test]
fn the_limit_of_a_record_is_exact() {
    for (len, fits) in [(99, true), (100, true), (101, false)] {
        // Two letters, a comma and a line end around the text.
        let record = format!("a,{}b\n", "x".repeat(len - 4));
        for body in [record.clone(), format!("1,2\n{record}3,4\n"), record.trim_end().to_owned() + "c"] {
            for block in [1, 7, 64, 100] {
                let file = format!("x_a,x_b\n{body}");
                let read = read(file.as_bytes(), Limits { block, record: 100, ..SMALL });
                assert_eq!(read.is_ok(), fits, "{len} {block} {body}");
            }
        }
    }
}

/// What a writer may be given: anything, with the troublesome characters often.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a\", \r\n]{0,6}",
        "(?s).{0,12}",
        Just(String::new()),
        Just("NULL".to_owned()),
        "[0-9]{1,4}",
        "[\"x,\n]{60,140}",
    ]
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_back_at_any_block_size(
        columns in 1_usize..5,
        table in prop::collection::vec(prop::collection::vec(text(), 4), 0..12),
        block in 1_usize..300,
        crlf: bool,
        always_quoted: bool,
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let style = if always_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer =
            csv::WriterBuilder::new().terminator(terminator).quote_style(style).from_writer(Vec::new());
        writer.write_record((0..columns).map(|column| format!("x_{column}"))).unwrap();
        for row in &table {
            writer.write_record(&row[..columns]).unwrap();
        }
        let file = writer.into_inner().unwrap();

        let read = read(&file, Limits { block, ..SMALL }).unwrap();
        prop_assert_eq!(&read.problems, &[]);
        prop_assert!(block > 1 || table.is_empty() || read.blocks > 0);
        let plain = |text: &String| if is_null(text.as_bytes()) { String::new() } else { text.clone() };
        let wanted: Vec<Vec<String>> =
            table.iter().map(|row| row[..columns].iter().map(plain).collect()).collect();
        let cells: Vec<&Vec<String>> = read.rows.iter().map(|row| &row.cells).collect();
        prop_assert_eq!(cells, wanted.iter().collect::<Vec<_>>());

        for row in &read.rows {
            let start = usize::try_from(row.offset).unwrap();
            let bytes = &file[start..start + usize::try_from(row.len).unwrap()];
            let line = 1 + newlines(&file[..start]);
            let alone = Block::csv(line, start as u64, bytes.to_vec());
            prop_assert_eq!(&rows_of(alone, &read.header).0, &[Row { cells: row.cells.clone(), ..*row }]);
        }
    }

    #[test]
    fn any_bytes_are_rows_problems_or_an_error_the_same_at_any_block_size(
        body in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
        block in 1_usize..200,
    ) {
        let file = [b"x_a,b,x_c\n", &body[..]].concat();
        let whole = read(&file, Limits::default()).unwrap();
        let cut = read(&file, Limits { block, ..SMALL }).unwrap();
        prop_assert_eq!((whole.rows, whole.problems), (cut.rows, cut.problems));
        let _ = read(&body, Limits { block, ..SMALL });
    }

    /// The bit sets against the plain reading of the rule, byte by byte.
    #[test]
    fn records_end_where_a_plain_state_machine_says(body in "[\"x,\n]{0,300}") {
        #[derive(PartialEq)]
        enum State { Start, Plain, Quoted, Quote }
        let (mut state, mut ends) = (State::Start, Vec::new());
        for (at, byte) in body.bytes().enumerate() {
            state = match (state, byte) {
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, _) | (State::Start | State::Quote, b'"') => State::Quoted,
                (_, b',') => State::Start,
                (_, b'\n') => { ends.push(at + 1); State::Start }
                _ => State::Plain,
            };
        }
        let mut found = Vec::new();
        let mut scanner = crate::scan::Scanner::default();
        scanner.walk(body.as_bytes(), |base, marks| {
            found.extend((0..64).filter(|bit| marks.records >> bit & 1 == 1).map(|bit| base + bit + 1));
        });
        prop_assert_eq!(&found, &ends);
        prop_assert_eq!(crate::scan::first_record_end(body.as_bytes()), ends.first().copied());
        prop_assert_eq!(crate::scan::Cutter::default().last_record_end(body.as_bytes()), ends.last().copied());
        prop_assert_eq!(scanner.is_inside_quotes(), state == State::Quoted);
    }
}

/// A few kilobytes can unpack to more than a disk holds.
#[test]
fn a_compressed_file_that_holds_more_than_is_taken_is_refused_on_the_way() {
    let file = "a,b\n".repeat(100_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(file.as_bytes()).unwrap();
    let zstd = zstd::encode_all(file.as_bytes(), 1).unwrap();
    let limits = Limits { unpacked: 100_000, block: 1000, ..SMALL };
    for bytes in [gzip.finish().unwrap(), zstd] {
        let error = read(&bytes, limits).err().unwrap();
        assert!(matches!(error, OpenError::Read(ReadError::Unpacked { .. })), "{error}");
        assert_eq!(read(&bytes, SMALL).unwrap().rows.len(), 99_999);
    }
    // What is not compressed was sent as large as it is.
    assert_eq!(read(file.as_bytes(), limits).unwrap().rows.len(), 99_999);
}

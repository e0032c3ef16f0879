//! Parquet files as the providers type them: doubles, decimals, maps, lists of structs, dictionaries.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int64Array, LargeStringArray, ListBuilder, MapBuilder, MapFieldNames, StringArray,
    StringBuilder, StringViewArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt8Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use proptest::prelude::*;

use crate::{Format, OpenError, ReadError, Source, parse_tags, parse_time};

fn file_of(columns: Vec<(&str, ArrayRef)>) -> Bytes {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10_000)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    Bytes::from(writer.into_inner().unwrap())
}

/// Every kept cell of a file: `line: column=value …`, then problems and notes.
fn shown(file: Bytes) -> String {
    let mut source = Source::from_parquet(file).unwrap();
    assert_eq!((source.format(), source.preamble()), (Format::Parquet, &b""[..]));
    let header = source.header().clone();
    let mut out = Vec::new();
    while let Some(block) = source.next_block().unwrap() {
        assert!(block.bytes.is_empty());
        let (cells, problems) = block.cells(&header);
        for row in 0..cells.rows {
            assert_eq!((cells.byte_offsets[row] + 1, cells.byte_lens[row]), (cells.lines[row], 0));
            let kept = header.columns.iter().enumerate().filter(|(_, column)| column.kept_as.is_some());
            let texts =
                kept.map(|(index, column)| format!("{}={}", column.delivered, cells.get_str(index, row)));
            out.push(format!("{}: {}", cells.lines[row], texts.collect::<Vec<_>>().join(" | ")));
        }
        let told = |p: crate::RowProblem| format!("{}: {}: `{}` {}", p.line, p.column, p.value, p.message);
        out.extend(problems.into_iter().map(told));
    }
    out.extend(source.notes().iter().cloned());
    out.join("\n")
}

type Pairs<'a> = &'a [(&'a str, Option<&'a str>)];

fn tag_map(rows: &[Option<Pairs<'_>>]) -> ArrayRef {
    let names =
        MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in row.unwrap_or_default() {
            map.keys().append_value(key);
            map.values().append_option(*value);
        }
        map.append(row.is_some()).unwrap();
    }
    Arc::new(map.finish())
}

/// One list a row, of structs with these fields.
fn list_of_structs(lengths: &[usize], fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .collect();
    let structs = StructArray::from(fields);
    let item = Arc::new(Field::new("element", structs.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(arrow::array::ListArray::new(item, offsets, Arc::new(structs), None))
}

#[test]
fn every_type_becomes_its_exact_text() {
    let decimals = Decimal128Array::from(vec![Some(-12_345_678_901), Some(1)]);
    let moment = 1_735_689_600;
    let mut numbers = ListBuilder::new(StringBuilder::new());
    numbers.append_value([Some("a\"b"), None]);
    numbers.append_value([] as [Option<&str>; 0]);
    let services: DictionaryArray<Int32Type> = [Some("Amazon EC2"), None].into_iter().collect();
    let file = file_of(vec![
        ("BilledCost", Arc::new(decimals.with_precision_and_scale(38, 10).unwrap())),
        ("ListCost", Arc::new(Float64Array::from(vec![6.123e-7, 0.1 + 0.2]))),
        ("EffectiveCost", Arc::new(Float64Array::from(vec![f64::NAN, -0.0]))),
        ("ListUnitPrice", Arc::new(Float32Array::from(vec![0.1, 1e10]))),
        ("ConsumedQuantity", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        ("x_small", Arc::new(UInt8Array::from(vec![7, 255]))),
        ("x_flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        (
            "BillingPeriodStart",
            Arc::new(TimestampMicrosecondArray::from(vec![moment * 1_000_000, -1]).with_timezone("UTC")),
        ),
        (
            "ChargePeriodStart",
            Arc::new(
                TimestampMillisecondArray::from(vec![moment * 1000, moment * 1000 + 250])
                    .with_timezone("+02:00"),
            ),
        ),
        ("ChargePeriodEnd", Arc::new(TimestampNanosecondArray::from(vec![moment * 1_000_000_000 + 1, 0]))),
        ("BillingPeriodEnd", Arc::new(Date32Array::from(vec![20_089, -1]))),
        ("ServiceName", Arc::new(services)),
        ("ResourceName", Arc::new(StringViewArray::from(vec![" spaced, \"quoted\" ", "(null)"]))),
        ("RegionId", Arc::new(LargeStringArray::from(vec!["Zürich", "NULL"]))),
        ("ResourceId", Arc::new(BinaryArray::from(vec![&b"i-1"[..], b""]))),
        ("note", Arc::new(StringArray::from(vec!["not kept", "not kept"]))),
        ("Tags", tag_map(&[Some(&[("a\"b", Some("1")), ("k", None)]), None])),
        (
            "AllocatedTags",
            list_of_structs(
                &[2, 0],
                vec![
                    ("Key", Arc::new(StringArray::from(vec!["pi_email", "n"]))),
                    ("x_Inherited", Arc::new(BooleanArray::from(vec![true, false]))),
                    ("Value", Arc::new(StringArray::from(vec![Some("ada@example.edu"), None]))),
                ],
            ),
        ),
        ("x_list", Arc::new(numbers.finish())),
        (
            "x_Credits",
            list_of_structs(
                &[1, 1],
                vec![
                    ("Name", Arc::new(StringArray::from(vec!["promo", "é"]))),
                    ("Amount", Arc::new(Float64Array::from(vec![Some(-0.5), None]))),
                ],
            ),
        ),
    ]);
    insta::assert_snapshot!(shown(file).replace(" | ", "\n    "), @r###"
1: BilledCost=-1.2345678901
    ListCost=0.0000006123
    EffectiveCost=NaN
    ListUnitPrice=0.1
    ConsumedQuantity=-9223372036854775808
    x_small=7
    x_flag=true
    BillingPeriodStart=2025-01-01T00:00:00Z
    ChargePeriodStart=2025-01-01T00:00:00Z
    ChargePeriodEnd=2025-01-01T00:00:00.000000001Z
    BillingPeriodEnd=2025-01-01
    ServiceName=Amazon EC2
    ResourceName= spaced, "quoted" 
    RegionId=Zürich
    ResourceId=i-1
    Tags={"a\"b":"1","k":null}
    AllocatedTags={"pi_email":"ada@example.edu","n":null}
    x_list=["a\"b",null]
    x_Credits=[{"Name":"promo","Amount":-0.5}]
2: BilledCost=0.0000000001
    ListCost=0.30000000000000004
    EffectiveCost=-0
    ListUnitPrice=10000000000
    ConsumedQuantity=
    x_small=255
    x_flag=
    BillingPeriodStart=1969-12-31T23:59:59.999999Z
    ChargePeriodStart=2025-01-01T00:00:00.25Z
    ChargePeriodEnd=1970-01-01T00:00:00Z
    BillingPeriodEnd=1969-12-31
    ServiceName=
    ResourceName=
    RegionId=
    ResourceId=
    Tags=
    AllocatedTags={}
    x_list=[]
    x_Credits=[{"Name":"é","Amount":null}]
column `note` is not of FOCUS; it stays in the delivered file only
costs delivered in binary floating point (EffectiveCost, ListCost) are read as the shortest decimal that stands for each
"###);
}

#[test]
fn tags_of_every_form_say_the_same() {
    let text = r#"{"pi_email":"ada@example.edu","project_id":"p-1"}"#;
    let pairs = [("pi_email", Some("ada@example.edu")), ("project_id", Some("p-1"))];
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["pi_email", "project_id"]));
    let values: ArrayRef = Arc::new(StringArray::from(vec!["ada@example.edu", "p-1"]));
    let dictionary: DictionaryArray<Int32Type> = [text].into_iter().collect();
    for tags in [
        Arc::new(StringArray::from(vec![text])) as ArrayRef,
        Arc::new(dictionary),
        tag_map(&[Some(&pairs)]),
        list_of_structs(&[2], vec![("key", Arc::clone(&keys)), ("VALUE", Arc::clone(&values))]),
    ] {
        let mut source = Source::from_parquet(file_of(vec![("Tags", tags)])).unwrap();
        let header = source.header().clone();
        let (cells, _) = source.next_block().unwrap().unwrap().cells(&header);
        assert_eq!(cells.get_str(0, 0), text);
        assert_eq!(parse_tags(cells.get(0, 0)).get("project_id"), Some("p-1"));
    }
}

#[test]
fn bytes_that_are_not_text_spoil_their_row_only() {
    let ids: Vec<&[u8]> = vec![b"good", b"b\xffd", b"also good"];
    let file = file_of(vec![
        ("ResourceId", Arc::new(BinaryArray::from(ids))),
        ("x_n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ]);
    insta::assert_snapshot!(shown(file), @r###"
1: ResourceId=good | x_n=1
3: ResourceId=also good | x_n=3
2: ResourceId: `b�d` is binary data, not UTF-8 text
"###);
}

#[test]
fn rows_are_numbered_through_row_groups_and_blocks() {
    let rows = 25_000;
    let file = file_of(vec![("x_row", Arc::new(Int64Array::from_iter_values(1..=rows)))]);
    let mut source = Source::from_parquet(file).unwrap();
    let (header, mut seen, mut blocks) = (source.header().clone(), 0, 0);
    while let Some(block) = source.next_block().unwrap() {
        blocks += 1;
        assert_eq!((block.first_line, block.byte_offset), (seen + 1, seen));
        let (cells, problems) = block.cells(&header);
        assert_eq!(problems, []);
        for row in 0..cells.rows {
            seen += 1;
            assert_eq!(cells.get_str(0, row), seen.to_string());
            assert_eq!(cells.lines[row], seen.cast_signed());
        }
    }
    assert_eq!(seen, 25_000);
    assert!(blocks > 2, "no block holds everything");
}

#[test]
fn a_file_is_told_by_its_content_and_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let parquet = file_of(vec![("Tags", Arc::new(StringArray::from(vec!["{}"])))]);
    std::fs::write(path("renamed.csv"), &parquet).unwrap();
    std::fs::write(path("half.parquet"), &parquet[..parquet.len() / 2]).unwrap();
    std::fs::write(path("magic.parquet"), b"PAR1").unwrap();
    std::fs::write(path("footer.parquet"), [&parquet[..100], b"PAR1"].concat()).unwrap();
    std::fs::write(path("text.parquet"), b"BilledCost,Tags\n1,{}\n").unwrap();
    let said: Vec<String> =
        ["renamed.csv", "half.parquet", "magic.parquet", "footer.parquet", "text.parquet", "absent.csv", ""]
            .into_iter()
            .map(|name| match Source::open(&path(name)) {
                Ok(source) => format!("{name}: {} {:?}", source.format(), source.notes()),
                Err(error) => format!("{name}: {error}"),
            })
            .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
renamed.csv: Parquet ["the file is named `.csv` but is Parquet; it is read as Parquet"]
half.parquet: the file begins like Parquet, but its end is missing (it has 219 bytes); fetch it again
magic.parquet: the file begins like Parquet, but its end is missing (it has 4 bytes); fetch it again
footer.parquet: the Parquet file cannot be read: EOF: Parquet file too small. Size is 104 but need 1751348071
text.parquet: CSV ["the file is named `.parquet` but is CSV; it is read as CSV"]
absent.csv: the file cannot be opened
: the file is a folder, which is not read; name the files in it
"###);

    let read = Source::from_reader(std::io::Cursor::new(parquet)).unwrap();
    assert_eq!(read.format(), Format::Parquet);
}

#[test]
fn damage_inside_is_told_with_its_row() {
    let numbers: Vec<i64> =
        (0..25_000_i64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())).collect();
    let file = file_of(vec![("x_n", Arc::new(Int64Array::from(numbers)))]);
    let mut broken = file.to_vec();
    let middle = broken.len() / 2;
    broken[middle - 2000..middle + 70_000].fill(0xff);
    let mut source = Source::from_parquet(Bytes::from(broken)).unwrap();
    let error = loop {
        match source.next_block() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the damage was not seen"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.starts_with("the Parquet file is damaged at row "), "{error}");
}

proptest! {
    #[test]
    fn a_timestamp_is_read_back_as_it_was(micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let file = file_of(vec![("BillingPeriodStart", Arc::new(TimestampMicrosecondArray::from(vec![micros])))]);
        let mut source = Source::from_parquet(file).unwrap();
        let header = source.header().clone();
        let (cells, _) = source.next_block().unwrap().unwrap().cells(&header);
        prop_assert_eq!(parse_time(cells.get(0, 0)).map(|time| time.micros), Ok(micros));
    }

    /// The shortest text of a double is the same double, and money reads it exactly as written.
    #[test]
    fn a_double_is_read_back_as_it_was(value in -1e9_f64..1e9) {
        let file = file_of(vec![("BilledCost", Arc::new(Float64Array::from(vec![value])))]);
        let mut source = Source::from_parquet(file).unwrap();
        let header = source.header().clone();
        let (cells, _) = source.next_block().unwrap().unwrap().cells(&header);
        let text = cells.get_str(0, 0);
        prop_assert!(!text.contains(['e', 'E']));
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
    }
}

#[test]
fn a_column_type_of_the_future_is_still_text() {
    let spans = arrow::array::Time64MicrosecondArray::from(vec![1_000_000]);
    assert_eq!(spans.data_type(), &DataType::Time64(arrow::datatypes::TimeUnit::Microsecond));
    insta::assert_snapshot!(shown(file_of(vec![("x_time", Arc::new(spans))])), @r###"1: x_time=00:00:01"###);
}

/// Rows of one long value: a page of the dictionary, and a few bytes for all rows.
fn repeated(value_bytes: usize, rows: usize) -> Bytes {
    let values = StringArray::from(vec!["x".repeat(value_bytes)]);
    let keys = arrow::array::Int32Array::from(vec![0; rows]);
    let column = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).unwrap();
    file_of(vec![("Tags", Arc::new(column))])
}

fn bounded(file: &Bytes, limit: u64) -> Result<u64, OpenError> {
    let mut source = Source::from_reader_bounded(std::io::Cursor::new(file.clone()), Some(limit))?;
    let (header, mut rows) = (source.header().clone(), 0);
    while let Some(block) = source.next_block()? {
        let (cells, _) = block.cells(&header);
        assert!(cells.text.len() < 17 << 20, "a block of {} bytes", cells.text.len());
        rows += cells.rows as u64;
    }
    Ok(rows)
}

/// The directory of such a file says a megabyte, and reading it used up all memory.
#[test]
fn one_long_value_that_every_row_repeats_is_refused_when_it_comes_to_too_much() {
    let file = repeated(32 << 10, 5000);
    assert!(file.len() < 1 << 20, "{} bytes", file.len());
    let error = bounded(&file, 100 << 20).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::Unpacked { .. })), "{error}");
    // What is within the limit comes in blocks that memory holds.
    assert_eq!(bounded(&repeated(1 << 20, 200), 1 << 30).unwrap(), 200);
    assert_eq!(bounded(&repeated(12, 20_000), 1 << 20).unwrap(), 20_000);
    let error = bounded(&repeated(17 << 20, 2), 1 << 30).unwrap_err();
    assert_eq!(error.to_string(), "the Parquet file is damaged at row 1: it holds more than 16 MB");
}

#[test]
fn a_list_that_repeats_one_entry_without_end_is_refused() {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["k"; 6_000_000]));
    let values = Arc::clone(&keys);
    let file = file_of(vec![("Tags", list_of_structs(&[6_000_000], vec![("key", keys), ("value", values)]))]);
    assert!(file.len() < 1 << 20, "{} bytes", file.len());
    let error = bounded(&file, 1 << 40).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::Unpacked { .. })), "{error}");
}

/// A page that says that it holds less than it does: a thousand times what was sent, unpacked into memory.
#[test]
fn a_page_that_holds_more_than_it_says_is_refused() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["0".repeat(9 << 20)]));
    let batch = RecordBatch::try_from_iter([("Tags", column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(::parquet::basic::Compression::GZIP(::parquet::basic::GzipLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(::parquet::file::properties::EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let mut file = writer.into_inner().unwrap();
    assert_eq!(bounded(&Bytes::from(file.clone()), 1 << 30).unwrap(), 1);
    // The first page begins after the magic: type, then `2: unpacked size` as a zigzag number.
    assert_eq!(file[4..7], [0x15, 0x00, 0x15]);
    let said = file[7..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    file[7 + said] = 0;
    file[7..7 + said].fill(0x80);
    let error = bounded(&Bytes::from(file), 1 << 30).unwrap_err();
    assert_eq!(error.to_string(), "the Parquet file is damaged at row 1: a page holds more than it says");
}

#[test]
fn every_file_of_these_tests_is_within_its_limit_too() {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None]));
    for tags in [
        tag_map(&[Some(&[("a", Some("1")), ("b", None)])]),
        list_of_structs(&[2], vec![("key", keys), ("value", values)]),
        Arc::new(BinaryArray::from(vec![b"x".as_slice()])),
        Arc::new(LargeStringArray::from(vec!["{}"])),
        Arc::new(StringViewArray::from(vec!["{}"])),
    ] {
        assert_eq!(bounded(&file_of(vec![("Tags", tags)]), 1 << 20).unwrap(), 1);
    }
}

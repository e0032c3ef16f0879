//! Files that cannot be read.

use std::io::Write as _;
use std::sync::Arc;

use insta::assert_snapshot;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::writer::SerializedFileWriter;

use crate::support::{HEADER, Home, exact, project, row};

/// Import bytes that must be refused whole; the words that were said.
fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let home = Home::new();
    home.write(name, bytes);
    let dry = home.refused(&format!("ingest {name} --source AWS --dry-run"));
    let words = home.refused(&format!("ingest {name} --source AWS"));
    home.assert_nothing_stored();
    assert_eq!(dry, words, "a dry run says what would happen");
    words
}

/// A file of ten good rows.
fn good() -> String {
    let rows: Vec<String> =
        (0..10).map(|n| row(&format!("i-{n}"), "Compute", "1.5", "1.25", &project("genome"))).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Three charges of 0.1, 0.2 and 0.3 as a provider's Parquet has them: costs as doubles.
fn parquet_file() -> Vec<u8> {
    let schema = "message rows {
        required binary BillingPeriodStart (STRING);
        required double BilledCost;
        required binary Tags (STRING);
    }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |value: &str| vec![ByteArray::from(value); 3];
    for values in [Some(text("2025-01-01T00:00:00Z")), None, Some(text(&project("genome")))] {
        let mut column = group.next_column().unwrap().unwrap();
        match values {
            Some(texts) => column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap(),
            None => column.typed::<DoubleType>().write_batch(&[0.1, 0.2, 0.3], None, None).unwrap(),
        };
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn missing_columns_are_named_all_at_once() {
    assert_snapshot!(refused("aws.csv", "ResourceId,ListCost\ni-1,10\n"), @"
    error: aws.csv: columns that every charge needs are missing: `BillingPeriodStart`, `BilledCost`, `Tags` (FOCUS names its columns in the first line)
    hint: the file's columns are: ResourceId, ListCost
    ");
}

#[test]
fn one_missing_column() {
    assert_snapshot!(refused("aws.csv", "BillingPeriodStart,BilledCost\n2025-01-01,10\n"), @"
    error: aws.csv: columns that every charge needs are missing: `Tags` (FOCUS names its columns in the first line)
    hint: the file's columns are: BillingPeriodStart, BilledCost
    ");
}

#[test]
fn a_column_twice() {
    assert_snapshot!(refused("aws.csv", "BillingPeriodStart,BilledCost,Tags,billedcost\n2025-01-01,1,{},2\n"), @"error: aws.csv: columns 2 (`BilledCost`) and 4 (`billedcost`) are the same column, `billed_cost`; remove or rename one of them");
}

#[test]
fn an_empty_file() {
    assert_snapshot!(refused("aws.csv", ""), @"error: aws.csv: the file is empty: not even a header line is in it");
}

#[test]
fn headers_alone() {
    assert_snapshot!(refused("aws.csv", format!("{HEADER}\n")), @"
    error: the delivery has no charges: there is a header, and no rows after it
    hint: look at the file; `--force` if it is right all the same
    ");

    let home = Home::new();
    home.write("aws.csv", format!("{HEADER}\n"));
    home.ok("ingest aws.csv --force");
    assert_eq!(home.billed("all"), exact("0"));
}

#[test]
fn half_a_gzip() {
    let whole = gzip(&good());
    let home = Home::new();
    home.write("aws.csv.gz", &whole);
    home.ok("ingest aws.csv.gz");
    assert_eq!(home.billed("all"), exact("12.5"));

    assert_snapshot!(refused("aws.csv.gz", &whole[..whole.len() / 2]), @"error: aws.csv.gz: the file ends in the middle of the compressed data after 160 bytes (gzip); fetch it again");
}

#[test]
fn a_gzip_with_one_byte_changed() {
    let mut bytes = gzip(&good());
    // The last eight bytes are the checksum and the length.
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    assert_snapshot!(refused("aws.csv.gz", bytes), @"error: aws.csv.gz: the compressed data is damaged (gzip, within the first 320 bytes): corrupt gzip stream does not have a matching checksum");
}

#[test]
fn a_parquet_file_renamed_csv() {
    let home = Home::new();
    home.write("aws.csv", parquet_file());
    let answer = home.run("ingest aws.csv");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("Parquet"), "not said: {}", answer.stderr);
    // The shortest decimals that give back the doubles: 0.1 + 0.2 + 0.3 is 0.6 and nothing else.
    assert_eq!(home.report("--period 2025-01 --state all").column("billed_cost"), ["0.6"]);
}

#[test]
fn half_a_parquet_file() {
    let bytes = parquet_file();
    assert_snapshot!(refused("aws.parquet", &bytes[..bytes.len() / 2]), @"error: aws.parquet: the file begins like Parquet, but its end is missing (it has 545 bytes); fetch it again");
}

#[test]
fn invalid_utf8() {
    let mut bytes = good().into_bytes();
    let at = bytes.windows(3).position(|text| text == b"i-4").unwrap();
    bytes[at] = 0xff;
    assert_snapshot!(refused("aws.csv", bytes), @"
    aws.csv:6: ResourceId: `�-4` is not UTF-8 text: byte 0xFF at position 1; save the file as UTF-8
    error: 1 problem in 1 row cannot be charges; nothing was imported
    hint: correct the file, or `--quarantine` to import the other rows and keep these aside
    ");
}

#[test]
fn a_header_that_is_not_text() {
    assert_snapshot!(refused("aws.csv", [0x89, b'P', b'N', b'G', 0, 1, 2, 0xff, b'\n', 0xfe]), @"error: aws.csv: the header line is not UTF-8 text: byte 0x89 at position 1 of the line");
}

#[test]
fn another_delimiter() {
    assert_snapshot!(refused("aws.csv", good().replace(',', ";")), @"error: aws.csv: the columns are separated by semicolons, but FOCUS CSV is comma-separated; ask the source for commas or convert the file");
}

#[test]
fn rows_of_another_length() {
    let text = good().replacen(",Compute,", ",", 1).replacen("i-7,i-7,", "i-7,i-7,i-7,", 1);
    assert_snapshot!(refused("aws.csv", text), @r#"
    aws.csv:2: `2025-01-01,2025-01-31,2025-01-01,2025-01-01,1.5,1.25,1.25,1.25,i-0,i-0,"{""pi_email"": ""pi@example.edu"", ""project_id"": ""genome"", ""fund_org"": ""PHYS-1001""}"` has 11 fields where the header has 12
    aws.csv:9: `2025-01-01,2025-01-31,2025-01-01,2025-01-01,1.5,1.25,1.25,1.25,i-7,i-7,i-7,Compute,"{""pi_email"": ""pi@example.edu"", ""project_id"": ""genome"", ""fund_org"": ""PHYS-1001""}"` has 13 fields where the header has 12; text with a comma in it belongs in quotes
    error: 2 problems in 2 rows cannot be charges; nothing was imported
    hint: correct the file, or `--quarantine` to import the other rows and keep these aside
    "#);
}

#[test]
fn a_quote_that_never_closes() {
    assert_snapshot!(refused("aws.csv", good().replacen("i-8,", "\"i-8,", 1)), @r#"
    aws.csv:10: ResourceId: `"i-8,i-8,Compute,"{""pi_email"": ""pi@example.edu""` has text after its closing quote; inside quotes, a quote is written twice
    error: 1 problem in 1 row cannot be charges; nothing was imported
    hint: correct the file, or `--quarantine` to import the other rows and keep these aside
    "#);
}

#[test]
fn a_file_that_is_not_there() {
    let home = Home::new();
    assert_snapshot!(home.refused("ingest aws_2025-01.csv"), @"
    aws_2025-01.csv: No such file or directory (os error 2)
    error: cannot read what is to be imported
    ");
    home.assert_nothing_stored();
}

#[test]
fn a_folder_instead_of_a_file() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("aws_2025-01")).unwrap();
    assert_snapshot!(home.refused("ingest aws_2025-01"), @"
    aws_2025-01 is a folder; name the files in it
    error: cannot read what is to be imported
    ");
    home.assert_nothing_stored();
}

#[test]
fn one_bad_file_of_several() {
    let home = Home::new();
    home.write("aws-1.csv", good());
    home.write("aws-2.csv", "BillingPeriodStart,BilledCost,Tags\n2025-01-01,x,{}\n");
    assert_snapshot!(home.refused("ingest aws-1.csv aws-2.csv"), @"
    aws-2.csv:2: BilledCost: `x` is not a decimal number
    error: 1 problem in 1 row cannot be charges; nothing was imported
    hint: correct the file, or `--quarantine` to import the other rows and keep these aside
    ");
    home.assert_nothing_stored();
}

//! Delivered bytes come back, and what is not as delivered is found.

use std::io::{Read, Seek, SeekFrom};

use billing::ImportId;
use lake::{DeliveryRef, LakeError, compress_frame};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::common::{Home, files_below};

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn keep(home: &Home, bytes: &[u8], frame: usize) -> DeliveryRef {
    let mut writer = home.lake.delivery_writer(ImportId(1)).unwrap();
    for (at, raw) in bytes.chunks(frame.max(1)).enumerate() {
        writer.append(&compress_frame(raw, (at == 0).then_some(1))).unwrap();
    }
    writer.finish(digest(bytes)).unwrap()
}

/// Bytes that no method makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=len as u64 / 32).flat_map(|n| Sha256::digest(n.to_le_bytes())).collect();
    bytes.truncate(len);
    bytes
}

#[test]
fn delivered_bytes_come_back_from_anywhere() {
    let home = Home::new();
    let mut bytes =
        "2025-01-01,12.50,\"{\"\"pi_email\"\": \"\"ada@example.edu\"\"}\"\n".repeat(5000).into_bytes();
    bytes.extend(noise(70_000));
    let kept = keep(&home, &bytes, 50_000);
    assert_eq!(kept.size_bytes, bytes.len() as u64);
    assert!(kept.kept_bytes < 90_000, "{}", kept.kept_bytes);
    assert_eq!(kept.path, format!("deliveries/{0:.2}/{0}.frames", hex::encode(digest(&bytes))));
    home.lake.check_delivery(&kept.sha256).unwrap();

    let len = bytes.len();
    for (from, count) in
        [(0, 1), (49_990, 20), (49_999, 100_002), (0, len), (len - 1, 5), (len, 1), (len + 9, 3)]
    {
        let found = home.lake.delivered_bytes(&kept.sha256, from as u64, count as u64).unwrap();
        let expected = bytes.get(from..(from + count).min(len)).unwrap_or_default();
        assert!(found == expected, "{count} bytes from {from}");
    }
    let mut reader = home.lake.delivered_reader(&kept.sha256).unwrap();
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert!(all == bytes);
    reader.seek(SeekFrom::End(-7)).unwrap();
    let mut end = Vec::new();
    reader.read_to_end(&mut end).unwrap();
    assert_eq!(end, bytes[len - 7..]);
    assert!(reader.seek(SeekFrom::End(-1_000_000)).is_err());
}

#[test]
fn the_same_bytes_are_kept_once() {
    let home = Home::new();
    let first = keep(&home, b"a,b\n1,2\n", 4);
    let path = home.lake.root().join(&first.path);
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    let again = keep(&home, b"a,b\n1,2\n", 100);
    assert_eq!(again, first);
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert_eq!(files_below(home.lake.root()), [first.path]);
}

#[test]
fn an_empty_file_is_a_file() {
    let home = Home::new();
    let kept = keep(&home, b"", 1);
    assert_eq!(home.lake.delivered_bytes(&kept.sha256, 0, 10).unwrap(), b"");
    home.lake.check_delivery(&kept.sha256).unwrap();
}

/// Every single changed byte, and every shorter file, is found.
#[test]
fn damage_is_found_wherever_it_is() {
    let home = Home::new();
    let bytes = b"BillingPeriodStart,BilledCost\n2025-01-01,12.50\n2025-01-01,7.25\n".repeat(3);
    let kept = keep(&home, &bytes, 64);
    let path = home.lake.root().join(&kept.path);
    let good = std::fs::read(&path).unwrap();
    for at in 8..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let error = home.lake.check_delivery(&kept.sha256).expect_err(&format!("byte {at} is changed"));
        assert!(matches!(error, LakeError::Damaged { .. }), "byte {at}: {error}");
    }
    for len in 0..good.len() {
        std::fs::write(&path, &good[..len]).unwrap();
        assert!(home.lake.check_delivery(&kept.sha256).is_err(), "cut to {len} bytes");
    }
    std::fs::write(&path, &good).unwrap();
    home.lake.check_delivery(&kept.sha256).unwrap();
    // Without reading the bytes: what is short, long or of another file is found all the same.
    assert_eq!(home.lake.kept_delivery_bytes(&kept.sha256).unwrap(), bytes.len() as u64);
    for len in 0..good.len() {
        std::fs::write(&path, &good[..len]).unwrap();
        assert!(home.lake.kept_delivery_bytes(&kept.sha256).is_err(), "cut to {len} bytes");
    }
    let index = good.len() - 56 - 48 * 3;
    let longer = [&good[..index], b"x", &good[index..]].concat();
    std::fs::write(&path, longer).unwrap();
    let error = home.lake.kept_delivery_bytes(&kept.sha256).unwrap_err();
    assert!(error.to_string().contains("its frames come to"), "{error}");
    std::fs::write(&path, &good).unwrap();
    let error = home.lake.check_delivery(&[7; 32]).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"no delivered file with SHA-256 `0707070707070707070707070707070707070707070707070707070707070707` is kept in the lake"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_in_any_frames(bytes in prop::collection::vec(any::<u8>(), 0..2000), frame in 1..700_usize, from in 0..2100_u64, len in 0..2100_u64) {
        let home = Home::new();
        let kept = keep(&home, &bytes, frame);
        home.lake.check_delivery(&kept.sha256).unwrap();
        let end = usize::try_from(from + len).unwrap().min(bytes.len());
        let expected = bytes.get(usize::try_from(from).unwrap()..end).unwrap_or_default();
        prop_assert_eq!(home.lake.delivered_bytes(&kept.sha256, from, len).unwrap(), expected);
    }
}

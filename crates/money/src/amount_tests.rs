use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    match Amount::parse(text.as_bytes()) {
        Ok(Parsed { amount, rounded: false }) => amount.to_string(),
        Ok(Parsed { amount, rounded: true }) => format!("{amount} rounded"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn numbers_are_read_as_focus_writes_them() {
    let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
    check("0", "0");
    check("-0", "0");
    check("0.00", "0");
    check("12.5", "12.5");
    check("-12.50", "-12.5");
    check("+5", "5");
    check(".5", "0.5");
    check("5.", "5");
    check("007", "7");
    check("35.2E-7", "0.00000352");
    check("9.00E-12", "0.000000000009");
    check("-1e3", "-1000");
    check("1E+3", "1000");
    check("0e400", "0");
    check("100000000000000000000000000000e-18", "100000000000");
    check("999999999999.999999999999999999", "999999999999.999999999999999999");
    check("0000000000000000000000000000000000000001.5", "1.5");
}

#[test]
fn digits_beyond_the_eighteenth_place_are_rounded_half_even_and_said() {
    let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
    check("0.0000000000000000004", "0 rounded");
    check("0.0000000000000000005", "0 rounded");
    check("0.0000000000000000015", "0.000000000000000002 rounded");
    check("0.0000000000000000025", "0.000000000000000002 rounded");
    check("0.00000000000000000250000001", "0.000000000000000003 rounded");
    check("-0.0000000000000000015", "-0.000000000000000002 rounded");
    check("1e-19", "0 rounded");
    check("6e-19", "0.000000000000000001 rounded");
    check("1e-400", "0 rounded");
    // A tail of zeros loses nothing.
    check("1.50000000000000000000000000", "1.5");
    check("1500000000000000000000e-21", "1.5");
}

#[test]
fn what_is_not_an_amount_says_why() {
    let check =
        |text: &str, expected: ParseAmountError| assert_eq!(read(text), expected.to_string(), "{text}");
    for text in [
        "",
        "-",
        "+",
        ".",
        "-.",
        "e5",
        "1e",
        "1e+",
        "1e5.0",
        "1_000",
        "1 000",
        " 1",
        "1 ",
        "0x10",
        "--1",
        "+-1",
        "1.2.3",
        "1-",
        "$5",
        "\u{2212}5",
        "\u{0661}",
        "abc",
        "nanny",
        "TRUE",
    ] {
        check(text, ParseAmountError::NotANumber);
    }
    for text in ["NaN", "nan", "-NaN", "inf", "-Infinity", "+inf"] {
        check(text, ParseAmountError::NotFinite);
    }
    for text in ["12,50", "1,234.50", "-1,234", ","] {
        check(text, ParseAmountError::Comma);
    }
    for text in [
        "1000000000000",
        "-1000000000000",
        "1e12",
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        "999999999999.9999999999999999996",
        "100000000000000000000000000000000000000000000",
    ] {
        check(text, ParseAmountError::TooLarge);
    }
}

#[test]
fn a_total_may_be_larger_than_a_charge() {
    let text = "123456789012345678.000000000000000001";
    assert_eq!(Amount::parse_total(text).unwrap().to_string(), text);
    assert_eq!(Amount::parse_total("-0.5").unwrap().to_string(), "-0.5");
    for text in ["", "-", ".", "--1", "1e3", "1.2.3", "1.0000000000000000001", "9".repeat(40).as_str()] {
        assert!(Amount::parse_total(text).is_none(), "{text}");
    }
}

#[test]
fn rounding_is_half_even() {
    let check = |text: &str, places: u8, expected: i64| {
        assert_eq!(text.parse::<Amount>().unwrap().round(places).get(), expected, "{text} to {places}");
    };
    check("0.125", 2, 12);
    check("0.135", 2, 14);
    check("1.005", 2, 100);
    check("-0.125", 2, -12);
    check("-0.135", 2, -14);
    check("0.005000000000000001", 2, 1);
    check("-0.005000000000000001", 2, -1);
    check("2.5", 0, 2);
    check("3.5", 0, 4);
    check("0.0005", 3, 0);
}

#[test]
#[should_panic(expected = "a sum of amounts")]
fn a_sum_does_not_wrap() {
    let _ = Amount::from_units(i128::MAX) + Amount::from_units(1);
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(units in -(10_i128.pow(30) - 1)..10_i128.pow(30)) {
        let amount = Amount::from_units(units);
        prop_assert_eq!(Amount::parse(amount.to_string().as_bytes()), Ok(Parsed { amount, rounded: false }));
        prop_assert_eq!(Amount::parse_total(&amount.to_string()), Some(amount));
    }

    /// The two readers, for plain short numbers and for everything else, are one: the same value shifted
    /// by an exponent is the same value.
    #[test]
    fn e_notation_is_the_plain_number(mantissa in -999_999_999_i64..1_000_000_000, exponent in -9_i32..3) {
        let plain = Amount::from_units(i128::from(mantissa) * 10_i128.pow((18 + exponent).unsigned_abs()));
        let text = format!("{mantissa}e{exponent}");
        prop_assert_eq!(Amount::parse(text.as_bytes()), Ok(Parsed { amount: plain, rounded: false }));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = Amount::parse(&bytes);
    }

    #[test]
    fn nearly_numbers_do_not_make_it_panic(text in "[-+]?[0-9]{0,25}[.,]?[0-9]{0,25}([eE][-+]?[0-9]{0,5})?") {
        if let Ok(Parsed { amount, .. }) = Amount::parse(text.as_bytes()) {
            prop_assert!(amount.abs() < Amount::LIMIT);
        }
    }

    #[test]
    fn rounding_is_nearest_and_mirrors(units in -(10_i128.pow(30))..10_i128.pow(30), places in 0_u8..5) {
        let amount = Amount::from_units(units);
        let rounded = amount.round(places);
        let off = (amount - Amount::from_minor(rounded, places)).abs().units();
        prop_assert!(off * 2 <= 10_i128.pow(18 - u32::from(places)));
        prop_assert_eq!((-amount).round(places), -rounded);
    }
}

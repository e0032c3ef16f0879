//! Every flag, when it is raised and when it is not.

use super::{TAGS, flagged, row, take, take_with, text};
use crate::intake::{EarlierCharges, Intake, IntakeOptions};
use crate::settings::Settings;
use crate::{Flag, SourceName};

const CHANGED_TAGS: [(&str, &str); 20] = [
    (TAGS, ""),
    ("", "missing_pi_email,missing_project_id,missing_fund_org"),
    ("{}", "missing_pi_email,missing_project_id,missing_fund_org"),
    (r#"{"pi_email": " ", "project": "p", "fund_org": "A-1"}"#, "missing_pi_email"),
    (r#"{"PI_Email": "a@b.edu", "Project": "p", "FUND_ORG": "A-1"}"#, ""),
    (r#"{"pi_email": "a@b.edu", "project_id": "p", "fund_org": "A-1"}"#, ""),
    (r#"{"pi_email": "ada", "project": "p", "fund_org": "A-1"}"#, "invalid_pi_email"),
    (r#"{"pi_email": "a@b", "project": "p", "fund_org": "A-1"}"#, "invalid_pi_email"),
    (r#"{"pi_email": "@b.edu", "project": "p", "fund_org": "A-1"}"#, "invalid_pi_email"),
    (r#"{"pi_email": "a@b@c.edu", "project": "p", "fund_org": "A-1"}"#, "invalid_pi_email"),
    (r#"{"pi_email": "a b@c.edu", "project": "p", "fund_org": "A-1"}"#, "invalid_pi_email"),
    (r#"{"pi_email": "x/y@a.edu", "project": "p", "fund_org": "A-1"}"#, ""),
    (r#"{"pi_email": "a@b.edu", "fund_org": "A-1"}"#, "missing_project_id"),
    (r#"{"pi_email": "a@b.edu", "project": "p"}"#, "missing_fund_org"),
    (r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "A1"}"#, "unparsed_fund_org"),
    (r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": 123456}"#, "unparsed_fund_org"),
    (
        r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "A-1", "end_date": "2025-01-09"}"#,
        "project_ended",
    ),
    (r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "A-1", "end_date": "2025-01-10"}"#, ""),
    (
        r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "A-1", "reconciliation_end": "2025-01-09"}"#,
        "past_reconciliation",
    ),
    (r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "A-1", "end_date": "soon"}"#, "invalid_tags"),
];

#[test]
fn tags_give_flags() {
    for (tags, expected) in CHANGED_TAGS {
        let taken = take(&[row(&[("Tags", tags)])]);
        assert_eq!(flagged(&taken).0, expected, "{tags}");
    }
}

/// `fund_org from fallback_from after fallback_after: flags` of a charge of January 10, 2025.
fn paid_by(start: &str, end: &str, reconciled: &str, fallback: &str) -> String {
    let mut tags = r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "GRANT-1""#.to_owned();
    for (name, value) in
        [("end_date", end), ("reconciliation_end", reconciled), ("fallback_fund_org", fallback)]
    {
        if !value.is_empty() {
            tags.extend([", \"", name, "\": \"", value, "\""]);
        }
    }
    tags.push('}');
    let end = format!("{start}T23:00:00Z");
    let taken = take(&[row(&[("Tags", &tags), ("ChargePeriodStart", start), ("ChargePeriodEnd", &end)])]);
    let column = |name| text(&taken.columns, name, 0).unwrap_or("-").to_owned();
    let from = if column("fallback_from") == "-" {
        String::new()
    } else {
        format!(" for {} after {}", column("fallback_from"), column("fallback_after"))
    };
    format!("{}{from}: {}", column("fund_org"), flagged(&taken).0)
}

#[test]
fn after_the_award_the_fallback_fund_pays() {
    // The billing period is January 2025.
    for (start, end, reconciled, fallback, expected) in [
        ("2025-01-10", "2025-01-10", "", "F-900", "GRANT-1: "),
        ("2025-01-11", "2025-01-10", "", "F-900", "F-900 for GRANT-1 after 2025-01-10: "),
        ("2025-01-11", "2025-01-10", "", "", "GRANT-1: project_ended"),
        ("2025-01-11", "2025-01-10", "", "GRANT-1", "GRANT-1: project_ended"),
        ("2025-01-11", "2025-01-10", "", "F900", "F900 for GRANT-1 after 2025-01-10: unparsed_fund_org"),
        ("2025-01-11", "2025-01-10", "2025-04-10", "F-900", "F-900 for GRANT-1 after 2025-01-10: "),
        ("2024-12-11", "2024-12-20", "2025-04-10", "F-900", "GRANT-1: "),
        ("2024-12-11", "2024-12-20", "2024-12-31", "F-900", "F-900 for GRANT-1 after 2024-12-31: "),
        ("2024-12-11", "2024-12-20", "2024-12-31", "", "GRANT-1: past_reconciliation"),
        ("2025-01-11", "2024-12-20", "2024-12-31", "", "GRANT-1: project_ended,past_reconciliation"),
        ("2024-12-11", "2024-12-20", "2025-01-01", "", "GRANT-1: "),
        ("2025-01-11", "soon", "", "F-900", "GRANT-1: invalid_tags"),
    ] {
        assert_eq!(
            paid_by(start, end, reconciled, fallback),
            expected,
            "{start} {end} {reconciled} {fallback}"
        );
    }
}

#[test]
fn broken_tags_keep_the_charge_and_say_why() {
    for tags in [r#"{"pi_email": "#, "[1, 2", r#"{"a": "1", "a": "2"}"#, r#"{"a": {"b": 1}}"#] {
        let taken = take(&[row(&[("Tags", tags)])]);
        let (flags, detail) = flagged(&taken);
        assert!(flags.contains("invalid_tags"), "{tags}: {flags}");
        assert!(!detail.is_empty(), "{tags}");
        assert_eq!(text(&taken.columns, "tags", 0), Some(tags), "the tags stay as delivered");
    }
}

#[test]
fn without_journals_the_fund_is_not_looked_at() {
    let mut settings = Settings { require_fund_org: false, ..Settings::default() };
    settings.review.fund_org_patterns = vec!["PHYS-".to_owned()];
    for tags in [
        r#"{"pi_email": "a@b.edu", "project": "p"}"#,
        r#"{"pi_email": "a@b.edu", "project": "p", "fund_org": "x"}"#,
    ] {
        let taken = take_with(&settings, IntakeOptions::default(), &[row(&[("Tags", tags)])]);
        assert_eq!(flagged(&taken).0, "", "{tags}");
    }
}

#[test]
fn fund_org_patterns_match_from_the_start_and_in_any_case() {
    let mut settings = Settings::default();
    settings.review.fund_org_patterns = vec!["bio-".to_owned(), "phys|chem".to_owned()];
    for (fund_org, expected) in [
        ("PHYS-0042", ""),
        ("bio-1", ""),
        ("Chem-1", ""),
        ("X-BIO-1", "invalid_fund_org"),
        ("X-chem", "invalid_fund_org"),
    ] {
        let tags = TAGS.replace("PHYS-0042", fund_org);
        let taken = take_with(&settings, IntakeOptions::default(), &[row(&[("Tags", tags.as_str())])]);
        assert_eq!(flagged(&taken).0, expected, "{fund_org}");
    }
}

#[test]
fn flag_patterns_search_service_resource_and_name() {
    let mut settings = Settings::default();
    settings.review.flag_patterns = vec!["gpu".to_owned(), "^vol-\\d+$".to_owned()];
    for (changes, detail) in [
        (&[("ResourceId", "i-1")][..], None),
        (&[], Some("`^vol-\\d+$` matches the resource_id")),
        (&[("ServiceName", "HPC GPU")], Some("`gpu` matches the service_name")),
        (&[("ResourceId", "x"), ("ResourceName", "Gpu-1")], Some("`gpu` matches the resource_name")),
    ] {
        let taken = take_with(&settings, IntakeOptions::default(), &[row(changes)]);
        let expected = detail.map_or("", |_| "pattern_match");
        assert_eq!(flagged(&taken), (expected.to_owned(), detail.unwrap_or_default().to_owned()));
    }
}

#[test]
fn a_pattern_is_found_in_columns_where_every_row_differs() {
    let mut settings = Settings::default();
    settings.review.flag_patterns = vec!["^job-0*1234$".to_owned()];
    let ids: Vec<String> = (0..3000).map(|number| format!("job-{number:06}")).collect();
    let rows: Vec<_> = ids.iter().map(|id| row(&[("ResourceId", id)])).collect();
    let taken = take_with(&settings, IntakeOptions::default(), &rows);
    let flagged: Vec<usize> = (0..3000).filter(|&row| text(&taken.columns, "flags", row).is_some()).collect();
    assert_eq!(flagged, [1234]);
    assert_eq!(taken.flags[&Flag::PatternMatch].rows, 1);
}

#[test]
fn columns_give_flags() {
    for (column, value, flags, detail) in [
        ("BillingCurrency", "USD", "", ""),
        ("BillingCurrency", "", "", ""),
        ("BillingCurrency", " usd ", "", ""),
        ("BillingCurrency", "EUR", "currency_mismatch", "billed in `EUR`, the ledger's currency is USD"),
        ("ChargeCategory", "Usage", "", ""),
        ("ChargeCategory", "credit", "", ""),
        ("ChargeCategory", "", "", ""),
        ("ChargeCategory", "Refund", "unknown_category", "charge_category is `Refund`"),
        ("BillingPeriodStart", "2025-01-01", "", ""),
        ("BillingPeriodStart", "2025-01-01T00:00:01Z", "period_start", ""),
        ("BillingPeriodStart", "2025-01-05", "period_start", ""),
        ("BillingPeriodStart", "2024-12-31T23:00:00-01:00", "", ""),
    ] {
        let taken = take(&[row(&[(column, value)])]);
        assert_eq!(flagged(&taken), (flags.to_owned(), detail.to_owned()), "{column} `{value}`");
        assert_eq!(taken.columns.period[0].to_string(), "2025-01", "{value}");
    }
}

#[test]
fn a_period_that_was_not_expected_is_flagged() {
    let expecting = |period: &str| IntakeOptions {
        expected_periods: vec![period.parse().expect("a period")],
        ..IntakeOptions::default()
    };
    let take_expecting = |period| take_with(&Settings::default(), expecting(period), &[row(&[])]);
    assert_eq!(flagged(&take_expecting("2025-01")), (String::new(), String::new()));
    assert_eq!(
        flagged(&take_expecting("2025-02")),
        ("period_mismatch".to_owned(), "of 2025-01, imported as 2025-02".to_owned())
    );
}

#[test]
fn what_an_earlier_delivery_charges_for_is_a_possible_duplicate() {
    let first = take(&[row(&[])]);
    let [_, _, starts, ends] = &first.columns.times;
    let (key, start, end) = (first.columns.overlap_key[0], starts.0[0], ends.0[0]);
    let taken_with = |earlier: Vec<(u64, i64, i64)>| {
        let options =
            IntakeOptions { earlier: EarlierCharges::from_iter(earlier), ..IntakeOptions::default() };
        flagged(&take_with(&Settings::default(), options, &[row(&[])])).0
    };
    for (earlier, expected) in [
        (vec![(key, start, end)], "possible_duplicate"),
        (vec![(key, start - 9, start + 1)], "possible_duplicate"),
        (vec![(key, end - 1, end + 9)], "possible_duplicate"),
        (vec![(key, start + 1, start + 1)], "possible_duplicate"),
        (
            vec![(key, end + 5, end + 9), (key, start - 9, end + 1), (key, start - 20, start - 15)],
            "possible_duplicate",
        ),
        (vec![(key, start - 9, start), (key, end, end + 9)], ""),
        (vec![(key ^ 1, start, end)], ""),
    ] {
        assert_eq!(taken_with(earlier.clone()), expected, "{earlier:?}");
    }
}

#[test]
fn reasons_stand_together_and_rows_share_their_words() {
    let tags = r#"{"project": "p", "fund_org": "A-1", "end_date": "soon"}"#;
    let other = row(&[("Tags", tags), ("BillingCurrency", "EUR"), ("ChargeCategory", "Fee")]);
    let taken = take(&[other.clone(), other, row(&[("BillingCurrency", "USD"), ("ChargeCategory", "Tax")])]);
    let words = "billed in `EUR`, the ledger's currency is USD; end_date `soon` is not a date; \
                 charge_category is `Fee`";
    for (at, expected) in [(0, Some(words)), (1, Some(words)), (2, None)] {
        assert_eq!(text(&taken.columns, "flag_detail", at), expected);
    }
    assert_eq!(
        text(&taken.columns, "flags", 0),
        Some("missing_pi_email,currency_mismatch,invalid_tags,unknown_category")
    );
    let [flagged, eur] = [Flag::InvalidTags, Flag::CurrencyMismatch].map(|flag| taken.flags[&flag]);
    assert_eq!((flagged.rows, flagged.billed_cost.to_string(), eur), (2, "20".to_owned(), flagged));
}

#[test]
fn a_bad_pattern_names_its_key() {
    let mut settings = Settings::default();
    settings.review.flag_patterns = vec!["fine".to_owned(), "(".to_owned()];
    let refused = Intake::compile(&settings, &SourceName("AWS".to_owned()), IntakeOptions::default());
    insta::assert_snapshot!(refused.expect_err("a bad pattern"), @"review.flag_patterns[1]: `(` is not a pattern that can be used: unclosed group");
}

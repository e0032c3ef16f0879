use insta::assert_snapshot;

use super::*;

fn rules(edit: impl FnOnce(&mut Settings)) -> AttributionRules {
    let mut settings = Settings::default();
    edit(&mut settings);
    AttributionRules::compile(&settings).unwrap()
}

fn whole() -> Attribution {
    let some = |text: &str| Some(text.to_owned());
    Attribution {
        pi_email: some("mcurie@example.edu"),
        project_id: some("radium"),
        fund_org: some("PHYS-12345"),
        ..Attribution::default()
    }
}

#[test]
fn each_flag_has_its_cause() {
    let rules = rules(|settings| settings.review.fund_org_patterns = vec!["phys-".into(), "CHEM".into()]);
    let check = |edit: &dyn Fn(&mut Attribution), expected: &str| {
        let mut attribution = whole();
        edit(&mut attribution);
        assert_eq!(rules.flags(&attribution).to_string(), expected, "{attribution:?}");
    };
    check(&|_| {}, "");
    check(&|a| a.pi_email = None, "missing_pi_email");
    check(&|a| a.pi_email = Some("  ".into()), "missing_pi_email");
    check(&|a| a.pi_email = Some("mcurie".into()), "invalid_pi_email");
    check(&|a| a.project_id = None, "missing_project_id");
    check(&|a| a.project_id = Some("\t".into()), "missing_project_id");
    check(&|a| a.fund_org = None, "missing_fund_org");
    check(&|a| a.fund_org = Some("CHEMISTRY".into()), "unparsed_fund_org");
    check(&|a| a.fund_org = Some("BIO-1".into()), "invalid_fund_org");
    // From the start only: the pattern stands further on.
    check(&|a| a.fund_org = Some("X-PHYS-1".into()), "invalid_fund_org");
    check(&|a| a.fund_org = Some("chem-1".into()), "");
    check(
        &|a| *a = Attribution { fund_org: Some("?".into()), ..Attribution::default() },
        "missing_pi_email,missing_project_id,unparsed_fund_org,invalid_fund_org",
    );
}

#[test]
fn every_flag_of_an_attribution_is_listed_and_no_other() {
    let raised: Flags = [
        Attribution::default(),
        Attribution { pi_email: Some("x".into()), fund_org: Some("?".into()), ..Attribution::default() },
    ]
    .iter()
    .flat_map(|a| {
        rules(|s| s.review.fund_org_patterns = vec!["A".into()]).flags(a).iter().collect::<Vec<_>>()
    })
    .collect();
    assert_eq!(raised, AttributionRules::FLAGS.into_iter().collect());
}

#[test]
fn showback_does_not_look_at_the_fund_org() {
    let rules = rules(|settings| {
        settings.require_fund_org = false;
        settings.review.fund_org_patterns = vec!["PHYS".into()];
    });
    for fund_org in [None, Some("?".to_owned()), Some("BIO-1".to_owned())] {
        assert_eq!(rules.flags(&Attribution { fund_org, ..whole() }), Flags::NONE);
    }
}

#[test]
fn no_fund_org_patterns_means_that_any_will_do() {
    assert_eq!(rules(|_| {}).flags(&whole()), Flags::NONE);
}

#[test]
fn a_fund_org_is_taken_apart_by_named_groups() {
    let parts = |rules: &AttributionRules, text: &str| {
        rules
            .parse_fund_org(text)
            .map(|parsed| format!("{} {} {:?}", parsed.fund, parsed.orgn, parsed.segments))
    };
    let default = rules(|_| {});
    assert_snapshot!(parts(&default, "PHYS-12-345").unwrap(),
        @r#"12-345 PHYS [("orgn", "PHYS"), ("fund", "12-345")]"#);
    assert_eq!(parts(&default, "PHYS"), None);
    let banner = rules(|settings| {
        settings.journal.fund_org_regex = r"(?<fund>\d{6})-(?<orgn>\w+)(?:-(?<program>\w+))?".to_owned();
    });
    assert_snapshot!(parts(&banner, "123456-4400-RES").unwrap(),
        @r#"123456 4400 [("fund", "123456"), ("orgn", "4400"), ("program", "RES")]"#);
    assert_snapshot!(parts(&banner, "123456-4400").unwrap(),
        @r#"123456 4400 [("fund", "123456"), ("orgn", "4400"), ("program", "")]"#);
    // From the start, even though the pattern has no `^`.
    assert_eq!(parts(&banner, "x123456-4400"), None);
}

#[test]
fn a_bad_pattern_names_key_index_pattern_and_why() {
    let refusal = |edit: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        edit(&mut settings);
        AttributionRules::compile(&settings).unwrap_err().to_string()
    };
    assert_snapshot!(refusal(&|s| s.review.fund_org_patterns = vec!["PHYS".into(), "(".into()]),
        @"review.fund_org_patterns[1]: `(` is not a pattern that can be used: unclosed group");
    // Put into a group unseen, this would be a pattern that matches everything.
    assert_snapshot!(refusal(&|s| s.review.fund_org_patterns = vec!["a)|(b".into()]),
        @"review.fund_org_patterns[0]: `a)|(b` is not a pattern that can be used: unopened group");
    assert_snapshot!(refusal(&|s| s.journal.fund_org_regex = "(?=x)".into()),
        @"journal.fund_org_regex: `(?=x)` is not a pattern that can be used: look-around, including look-ahead and look-behind, is not supported (a pattern must match in linear time)");
    assert_snapshot!(refusal(&|s| s.journal.fund_org_regex = "^(?P<fund>.+)$".into()),
        @"journal.fund_org_regex: `^(?P<fund>.+)$` is not a pattern that can be used: it has no group named `orgn`; write `(?P<orgn>…)`, or `(?P<orgn>)` where there is none");
    let deep = refusal(&|s| s.journal.fund_org_regex = format!("{}{}", "(".repeat(5000), ")".repeat(5000)));
    assert!(deep.ends_with("exceed the maximum number of nested parentheses/brackets (250)"), "{deep}");
}

#[test]
fn addresses_that_mail_can_be_sent_to() {
    for good in ["a@b.edu", "jane.o'neil+lab@cs.example.edu", "x/y@a.edu", "jürgen@uni-köln.de"] {
        assert!(is_email_address(good), "{good}");
    }
    let long = format!("{}@example.edu", "a".repeat(65));
    let longer = format!("a@{}.edu", "b".repeat(250));
    for bad in [
        "",
        "@",
        "a@",
        "@b.edu",
        "a@b",
        "a@@b.edu",
        "a@b@c.edu",
        "a b@c.edu",
        "a@b .edu",
        "a\n@b.edu",
        "a,b@c.edu",
        "<a@b.edu>",
        "a@b.edu;c@d.edu",
        ".a@b.edu",
        "a.@b.edu",
        "a..b@c.edu",
        "a@.edu",
        "a@b.",
        "a@b..edu",
        "a@-b.edu",
        "a@b-.edu",
        "a@10.0.0.1",
        "a@[10.0.0.1]",
        "\"a b\"@c.edu",
        &long,
        &longer,
    ] {
        assert!(!is_email_address(bad), "{bad}");
    }
}

#[test]
fn text_is_trimmed_and_a_pi_has_one_spelling() {
    assert_eq!(pi_email_text(" M@X.edu\t").as_deref(), Some("m@x.edu"));
    assert_eq!(pi_email_text("  "), None);
    assert_eq!(field_text(" 0042 "), Some("0042"));
    assert_eq!(field_text(""), None);
}

#[test]
fn a_reassignment_lies_over_what_was_delivered() {
    let change = Reassignment { fund_org: Some("CHEM-1".into()), ..Reassignment::default() };
    assert_eq!(whole().reassigned(&change), Attribution { fund_org: Some("CHEM-1".into()), ..whole() });
    assert_eq!(whole().reassigned(&Reassignment::default()), whole());
}

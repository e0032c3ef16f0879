use billing::statement::Statement;
use insta::assert_snapshot;
use money::Minor;
use typst::layout::{Abs, Frame, FrameItem};

use super::sample::{Shape, statement};
use super::*;

fn institution() -> Institution {
    Institution {
        name: "Example University Research Computing".to_owned(),
        contact_email: "rc-billing@example.edu".to_owned(),
        ..Institution::default()
    }
}

fn renderer() -> StatementRenderer {
    StatementRenderer::new(None, institution(), &[]).unwrap()
}

/// What stands on a page: each piece of text with its size, from left to right and top to bottom as laid
/// out.
fn texts(frame: &Frame, found: &mut Vec<(String, Abs)>) {
    for (_, item) in frame.items() {
        match item {
            FrameItem::Group(group) => texts(&group.frame, found),
            FrameItem::Text(text) => found.push((text.text.to_string(), text.size)),
            _ => {}
        }
    }
}

fn pages(renderer: &StatementRenderer, statement: &Statement) -> Vec<Vec<(String, Abs)>> {
    let document = renderer.lay_out(statement, &Words::new(&renderer.fonts, Script::Any)).unwrap();
    let page_texts = |page: &typst_layout::Page| {
        let mut found = Vec::new();
        texts(&page.frame, &mut found);
        found
    };
    document.pages().iter().map(page_texts).collect()
}

fn page_words(renderer: &StatementRenderer, statement: &Statement) -> Vec<String> {
    let join = |texts: &Vec<(String, Abs)>| {
        texts.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("\n")
    };
    pages(renderer, statement).iter().map(join).collect()
}

fn model(statement: &Statement) -> serde_json::Value {
    let renderer = renderer();
    let words = Words::new(&renderer.fonts, Script::Any);
    serde_json::from_slice(&Page::of(statement, &institution(), &words, Spacing::Roomy).json()).unwrap()
}

fn figures(shape: &Shape) -> String {
    figures_of(&statement(shape))
}

fn figures_of(statement: &Statement) -> String {
    let page = model(statement);
    let mut lines = Vec::new();
    for figure in page["figures"].as_array().unwrap().iter().chain([&page["due"]]) {
        lines.push(format!("{}, {}, {}", figure["label"], figure["amount"], figure["note"]));
    }
    lines.join("\n").replace(['"', '\u{200b}'], "").replace(", \n", "\n")
}

#[test]
fn a_statement_says_all_that_it_should() {
    let words = page_words(&renderer(), &statement(&Shape { lines: 3, ..Shape::default() }));
    assert_snapshot!(words[0], @r"
    Example University Research Computing
    Issued February 5, 2025
    Questions: rc-billing@example.edu
    Statement of research computing charges
    2025-01-00043, version 1
    . This is not an invoice.
    Principal investigator
    ada.lovelace@example.edu
    Project
    genome-folding
    Charged to
    10210-144820
    References
    NSF 2451234
    Billing period
    January 2025 (January 1 to 31)
    List price
    Discount
    Amount due
    $2,075.82
    −$255.09
    $1,820.73
    12.3% of list price
    charged to 10210-144820
    Charges by service
    Service
    List price
    Discount
    Amount due
    Research Storage
    $929.51
    −$185.90
    $743.61
    Amazon Simple Storage Service
    $691.94
    −$69.19
    $622.75
    Amazon Elastic Compute Cloud
    $454.37
    $0.00
    $454.37
    Total
    $2,075.82
    −$255.09
    $1,820.73
    Charges by resource
    Resource
    Quantity
    List price
    Discount
    Amount due
    Research Storage
    i-0a1b2c3d005101c6
    377.38 TB-Months
    $929.51
    −$185.90
    $743.61
    Amazon Simple Storage Service
    worker-001 
    i-0a1b2c3d002880e3
    279.62 GB-Months
    $691.94
    −$69.19
    $622.75
    Amazon Elastic Compute Cloud
    worker-000 
    i-0a1b2c3d00000000
    181.85 Hours
    $454.37
    $0.00
    $454.37
    Total
    $2,075.82
    −$255.09
    $1,820.73
    Notes
    •
    The award NSF 2451234 ends on March 31, 2025.
    •
    3 charges of $14.20 are held back for review and will follow on a later statement.
    Statement 2025-01-00043, version 1
    This is not an invoice
    Page 1 of 1
    ");
}

#[test]
fn a_draft_says_so_on_every_page_whoever_wrote_the_template() {
    let draft = |lines| Statement { version: 0, ..statement(&Shape { lines, ..Shape::default() }) };
    let pages = page_words(&renderer(), &draft(120));
    assert!(2 <= pages.len());
    for page in &pages {
        // Across the page, and in the words that a screen reader reads.
        assert!(page.lines().any(|line| line == "DRAFT"), "{page}");
        assert!(page.contains("DRAFT statement") && page.contains("Not issued"), "{page}");
        assert!(!page.contains("version"), "{page}");
    }
    assert!(pages[0].contains("This statement is not issued"), "{}", pages[0]);
    assert!(renderer().render(&draft(3)).is_ok(), "it is as accessible as any");

    let text = "#set page(margin: 1in)\n#set text(lang: \"en\")\n#set document(title: \"Own\")\nOwn page#pagebreak()Second";
    let own = Template { name: "own.typ".to_owned(), text: text.to_owned() };
    let own = StatementRenderer::new(Some(own), institution(), &[]).unwrap();
    let said = |statement| page_words(&own, &statement).iter().filter(|page| page.contains("DRAFT")).count();
    assert_eq!(said(draft(3)), 2);
    assert_eq!(said(statement(&Shape::default())), 0);
}

#[test]
fn the_amount_due_is_the_largest_text_and_none_is_below_8_points() {
    for shape in [
        Shape { lines: 3, ..Shape::default() },
        Shape { lines: 20, long_names: true, ..Shape::default() },
        Shape { lines: 60, rest: 7, subsidy: true, several_funds: true, ..Shape::default() },
    ] {
        let pages = pages(&renderer(), &statement(&shape));
        let sizes = || pages.iter().flatten();
        let largest = sizes().max_by_key(|(_, size)| *size).unwrap();
        let due = statement(&shape).currency.display(statement(&shape).totals.due);
        assert_eq!(largest.0, due, "{shape:?}");
        assert!(sizes().all(|(_, size)| *size >= Abs::pt(8.0)), "{shape:?}");
    }
}

#[test]
fn twenty_lines_fit_on_one_page_even_with_long_names() {
    for (long_names, paper) in
        [(false, Paper::UsLetter), (true, Paper::UsLetter), (false, Paper::A4), (true, Paper::A4)]
    {
        let renderer = StatementRenderer::new(None, Institution { paper, ..institution() }, &[]).unwrap();
        let sample = statement(&Shape { lines: ONE_PAGE_LINES, long_names, ..Shape::default() });
        assert_eq!(page_words(&renderer, &sample).len(), 1, "long names: {long_names}, {paper:?}");
    }
}

#[test]
fn a_long_table_repeats_its_heads_and_never_leaves_the_total_alone() {
    let renderer = renderer();
    // The total would stand alone with 24 lines (Typst keeps a footer together, not with a row).
    for lines in 23..=24 {
        let statement = statement(&Shape { lines, ..Shape::default() });
        let pages = page_words(&renderer, &statement);
        let page_model = model(&statement);
        let group = page_model["resources"].as_array().unwrap().last().unwrap();
        let last_amount = group["lines"].as_array().unwrap().last().unwrap()["amounts"][2].as_str().unwrap();
        let total_page = pages.iter().rposition(|page| page.contains("Total")).unwrap();
        assert!(pages[total_page].contains(last_amount), "{lines} lines: the total stands without a line");
        for (at, page) in pages.iter().enumerate().take(total_page + 1) {
            assert!(page.contains("Quantity\n"), "{lines} lines: page {} has no heads", at + 1);
            assert!(page.contains("Statement 2025-01-00043, version 1"), "{page}");
            assert!(page.contains(&format!("Page {} of {}", at + 1, pages.len())), "{page}");
        }
    }
}

#[test]
fn the_rest_line_and_the_service_stand_on_a_long_statement() {
    let pages = page_words(&renderer(), &statement(&Shape { lines: 90, rest: 1312, ..Shape::default() }));
    let last = pages.last().unwrap();
    assert!(last.contains("and 1,312 more resources, see the CSV"), "{last}");
    // The service of the lines that were carried over from the page before.
    assert!(last.contains("Service") || last.contains("Compute") || last.contains("Storage"), "{last}");
}

#[test]
fn figures_say_credit_subsidy_nothing_and_markup() {
    let shape = Shape { lines: 4, ..Shape::default() };
    assert_snapshot!(figures(&shape), @r"
    List price, $3,242.90
    Discount, −$605.21, 18.7% of list price
    Amount due, $2,637.69, charged to 10210-144820
    ");
    assert_snapshot!(figures(&Shape { credit: true, ..shape.clone() }), @r"
    List price, −$19,711.47
    Discount, −$605.21, 21.7% of list price of usage
    Credit, −$20,316.68, in your favor, nothing is due
    ");
    assert_snapshot!(figures(&Shape { zero: true, ..shape.clone() }), @r"
    List price, $0.00
    Discount, $0.00
    Amount due, $0.00, nothing is due
    ");
    assert_snapshot!(figures(&Shape { subsidy: true, several_funds: true, ..shape.clone() }), @r"
    List price, $3,242.90
    Discount, −$605.21, 18.7% of list price
    Subsidy, −$1,055.06, paid for you by others
    Amount due, $1,582.63, charged to 2 funds, listed below
    ");
    let mut markup = statement(&shape);
    markup.fund_orgs.clear();
    markup.totals.due = markup.totals.list + Minor::new(1);
    markup.totals.discount = Minor::new(-1);
    assert_snapshot!(figures_of(&markup), @r"
    List price, $3,242.90
    Above list price, $0.01, below 0.1% of list price
    Amount due, $3,242.91,
    ");
}

/// Defect 27: the currency of the configuration was ignored.
#[test]
fn amounts_are_in_the_configured_currency() {
    for (currency, list) in
        [(("EUR", "€"), "€454.37"), (("JPY", "¥"), "¥45,437"), (("SEK", "kr"), "454.37\u{a0}kr")]
    {
        let words = page_words(&renderer(), &statement(&Shape { lines: 3, currency, ..Shape::default() }));
        assert!(words[0].contains(list), "{}", words[0]);
        assert!(!words[0].contains("$454"), "{}", words[0]);
    }
}

#[test]
fn quantities_are_rounded_for_people_only() {
    let mut sample = statement(&Shape { lines: 1, ..Shape::default() });
    let mut show = |quantity: &str| {
        sample.resources[0].quantity = Some(quantity.parse().unwrap());
        model(&sample)["resources"][0]["lines"][0]["quantity"].as_str().unwrap().to_owned()
    };
    assert_eq!(show("744"), "744 Hours");
    assert_eq!(show("1234567.891"), "1,234,567.89 Hours");
    assert_eq!(show("12.34567"), "12.346 Hours");
    assert_eq!(show("0.0000005"), "<0.000001 Hours");
    assert_eq!(show("0.25"), "0.250000 Hours");
    assert_eq!(show("-3.5"), "\u{2212}3.500 Hours");
    assert_eq!(show("999999999999.999"), "1,000,000,000,000.00 Hours");
}

/// No character from outside can stop a run or hide what a statement says.
#[test]
fn any_name_becomes_an_accessible_pdf() {
    let renderer = renderer();
    for name in [
        "研究 計画",
        "Ωμέγα Ж",
        "e\u{301}\u{323}\u{327} x\u{20d7}",
        "\u{202e}txt.exe\u{0}\u{7}",
        "#let x = 1 $ * _ <a> @b `",
        "🧬",
        "אבג",
        "",
    ] {
        let mut sample = statement(&Shape { lines: 2, ..Shape::default() });
        sample.project_id = name.to_owned();
        sample.resources[0].resource_name = Some(name.to_owned());
        sample.notes = vec![name.to_owned()];
        renderer.render(&sample).unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    let mut sample = statement(&Shape { lines: 1, ..Shape::default() });
    sample.project_id = "研\u{202e}a\nb".to_owned();
    assert_eq!(model(&sample)["project"], "[U+7814]a b");
}

#[test]
fn long_ids_break_where_it_reads_well_and_copy_as_they_are() {
    let renderer = renderer();
    let words = Words::new(&renderer.fonts, Script::Any);
    let shown = |text: &str| words.breakable(text).replace('\u{200b}', "|");
    assert_eq!(
        shown("arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d"),
        "arn:|aws:|ec2:|us-east-|1:123456789012:|instance/|i-0a1b2c3d"
    );
    assert_eq!(shown(&"x".repeat(60)), format!("{0}|{0}|{1}", "x".repeat(24), "x".repeat(12)));
    assert_eq!(shown("plain words stay"), "plain words stay");
    let mut sample = statement(&Shape { lines: 1, ..Shape::default() });
    sample.resources[0].resource_name = Some("x".repeat(300));
    assert!(!page_words(&renderer, &sample).join("").contains('\u{200b}'));
}

#[test]
fn the_same_statement_is_the_same_bytes_on_any_thread() {
    let renderer = renderer();
    let sample = statement(&Shape { lines: 30, ..Shape::default() });
    let first = renderer.render(&sample).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| renderer.render(&sample).unwrap())).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == first);
        }
    });
    let other = statement(&Shape { lines: 30, seed: 2, ..Shape::default() });
    assert!(renderer.render(&other).unwrap() != first);
}

#[test]
fn the_pdf_calls_itself_accessible_and_has_title_and_language() {
    let logo = Logo {
        bytes: br#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>"#
            .to_vec(),
        kind: LogoKind::Svg,
    };
    let institution = Institution { logo: Some(logo), ..institution() };
    let pdf = StatementRenderer::new(None, institution, &[])
        .unwrap()
        .render(&statement(&Shape { lines: 3, ..Shape::default() }))
        .unwrap();
    let text = String::from_utf8_lossy(&pdf);
    for part in [
        "<pdfuaid:part>1<",
        "Statement 2025-01-00043, version 1: genome-folding, January 2025</rdf:li>",
        "<dc:language><rdf:Bag><rdf:li>en<",
        "<xmp:CreateDate>2025-02-05T00:00:00Z<",
    ] {
        assert!(text.contains(part), "{part} is missing");
    }
}

#[test]
fn errors_of_an_own_template_name_its_line_and_it_reaches_nothing() {
    let say = |text: &str| {
        let template = Template { name: "templates/statement.typ".to_owned(), text: text.to_owned() };
        let renderer = StatementRenderer::new(Some(template), institution(), &[]).unwrap();
        renderer.check().unwrap_err().to_string()
    };
    assert_snapshot!(
        [
            "#let s = json(\"/statement.json\")\n#s.nothing",
            "#wrong",
            "#read(\"/etc/passwd\")",
            "#import \"@preview/cetz:0.3.0\": canvas",
            "#import \"other.typ\"",
            "= No title",
            "#set document(title: \"T\")\n= One\n#image(\"/statement.json\")",
            "#set document(title: \"T\")\n=== Three",
        ]
        .map(say)
        .join("\n"),
        @r#"
    statement template: templates/statement.typ:2:4: dictionary does not contain key "nothing"
    statement template: templates/statement.typ:1:2: unknown variable: wrong
    statement template: templates/statement.typ:1:7: file not found (searched at etc/passwd)
    statement template: templates/statement.typ:1:9: file not found (searched at typst.toml)
    statement template: templates/statement.typ:1:9: file not found (searched at other.typ)
    statement `2025-01-00043` does not become an accessible PDF: PDF/UA-1 error: missing document title
    statement template: templates/statement.typ:3:2: unknown image format
    statement `2025-01-00043` does not become an accessible PDF: PDF/UA-1 error: the first heading must be of level 1
    "#
    );
    assert_eq!(
        StatementRenderer::new(None, institution(), &[b"no font".to_vec()]).unwrap_err().to_string(),
        "font 1 of the institution is not an OpenType or TrueType font"
    );
    let logo = Some(Logo { bytes: b"no image".to_vec(), kind: LogoKind::Png });
    let renderer = StatementRenderer::new(None, Institution { logo, ..institution() }, &[]).unwrap();
    assert_snapshot!(renderer.check().unwrap_err(), @r"
    statement template: statement.typ:49:8: failed to decode image (Format error decoding Png: Invalid PNG signature.)
    ");
}

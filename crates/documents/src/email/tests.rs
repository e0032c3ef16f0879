use insta::assert_snapshot;

use super::*;

fn model() -> EmailModel {
    EmailModel {
        institution: "Example University Research Computing".to_owned(),
        contact_email: "rc-billing@example.edu".to_owned(),
        pi_email: "ada.lovelace@example.edu".to_owned(),
        period: "2025-01".parse().unwrap(),
        currency: Currency { code: money::CurrencyCode::USD, symbol: "$".to_owned() },
        statements: vec![statement("2025-01-00042", "genome-folding", [123_456, 23_456, 0, 100_000])],
        subject_template: "Research Computing Charges - {billing_period}".to_owned(),
    }
}

fn statement(number: &str, project: &str, [list, discount, subsidy, due]: [i64; 4]) -> EmailStatement {
    EmailStatement {
        number: number.to_owned(),
        version: 1,
        project_id: project.to_owned(),
        list: Minor::new(list),
        discount: Minor::new(discount),
        subsidy: Minor::new(subsidy),
        due: Minor::new(due),
        attached: true,
    }
}

fn several() -> EmailModel {
    let mut model = model();
    model.statements.push(statement("2025-01-00043", "<b>R&D</b> \"x\"", [50_000, 0, 20_000, 30_000]));
    model.statements.push(statement("2025-01-00044", "credited", [-500_000, 0, 0, -500_000]));
    model.statements[2].attached = false;
    model
}

#[test]
fn one_statement_in_plain_text() {
    let email = statement_email(&model()).unwrap();
    assert_snapshot!(email.subject, @"Research Computing Charges - January 2025");
    assert_snapshot!(email.text, @r"
    Your research computing statement for January 2025 is attached. The
    amount due is $1,000.00. This is not an invoice.

    genome-folding
      Statement 2025-01-00042, version 1
      List price  $1,234.56
      Discount     −$234.56
      Amount due  $1,000.00

    Is something wrong or unclear? Write to rc-billing@example.edu.

    Example University Research Computing
    ");
}

#[test]
fn several_statements_in_plain_text_and_html() {
    let email = statement_email(&several()).unwrap();
    assert_snapshot!(email.text, @r#"
    Your 3 research computing statements for January 2025 are attached. You
    have a credit of $3,700.00; nothing is due. This is not an invoice.

    genome-folding
      Statement 2025-01-00042, version 1
      List price  $1,234.56
      Discount     −$234.56
      Amount due  $1,000.00

    <b>R&D</b> "x"
      Statement 2025-01-00043, version 1
      List price     $500.00
      Paid for you  −$200.00
      Amount due     $300.00

    credited
      Statement 2025-01-00044, version 1 (in another message)
      List price  −$5,000.00
      Credit      −$5,000.00

    All projects
      List price    −$3,265.44
      Discount        −$234.56
      Paid for you    −$200.00
      Credit        −$3,700.00

    Is something wrong or unclear? Write to rc-billing@example.edu.

    Example University Research Computing
    "#);
    assert_snapshot!(email.html, @r#"
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <meta name="color-scheme" content="light dark">
    <title>Research Computing Charges - January 2025</title>
    </head>
    <body style="margin:0;padding:24px;font:16px/1.5 Georgia,serif;max-width:640px">
    <p>Your 3 research computing statements for January 2025 are attached. You have a credit of $3,700.00; nothing is due. This is not an invoice.</p>
    <table style="border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums">
    <thead><tr><th scope="col" style="padding:6px 0;text-align:left">Project</th><th scope="col" style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">List price</th><th scope="col" style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">Discount</th><th scope="col" style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">Paid for you</th><th scope="col" style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">Amount due</th></tr></thead>
    <tbody>
    <tr style="border-top:1px solid #8888"><th scope="row" style="padding:6px 0;text-align:left;font-weight:normal;overflow-wrap:anywhere">genome-folding<br><small>Statement 2025-01-00042, version 1</small></th><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$1,234.56</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$234.56</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$0.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$1,000.00</td></tr>
    <tr style="border-top:1px solid #8888"><th scope="row" style="padding:6px 0;text-align:left;font-weight:normal;overflow-wrap:anywhere">&lt;b&gt;R&amp;D&lt;/b&gt; &quot;x&quot;<br><small>Statement 2025-01-00043, version 1</small></th><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$500.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$0.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$200.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$300.00</td></tr>
    <tr style="border-top:1px solid #8888"><th scope="row" style="padding:6px 0;text-align:left;font-weight:normal;overflow-wrap:anywhere">credited<br><small>Statement 2025-01-00044, version 1 (in another message)</small></th><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$5,000.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$0.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">$0.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$5,000.00</td></tr>
    <tr style="border-top:2px solid #888;font-weight:bold"><th scope="row" style="padding:6px 0;text-align:left">All projects</th><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$3,265.44</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$234.56</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$200.00</td><td style="padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap">−$3,700.00</td></tr>
    </tbody>
    </table>
    <p>Is something wrong or unclear? Write to rc-billing@example.edu.</p>
    <p>Example University Research Computing</p>
    </body>
    </html>
    "#);
}

#[test]
fn nothing_from_outside_becomes_markup_or_a_header() {
    let mut hostile = several();
    hostile.institution = "<script>alert('x')</script>".to_owned();
    hostile.subject_template = "{institution}\r\nBcc: {pi_email}".to_owned();
    let email = statement_email(&hostile).unwrap();
    assert!(!email.html.contains("<script") && !email.html.contains("<b>"), "{}", email.html);
    assert!(!email.subject.contains(['\r', '\n']), "{:?}", email.subject);
}

#[test]
fn subjects_are_checked_with_the_configuration() {
    let check = |template: &str| check_subject_template(template).map_err(|error| error.to_string());
    assert_eq!(check("{billing_period} {period} {pi_email} {institution} {{x}}"), Ok(()));
    assert_snapshot!(check("Charges {perod}").unwrap_err(), @r"
    `Charges {perod}` has the unknown placeholder `{perod}`; there are `{billing_period}`, `{period}`, `{pi_email}` and `{institution}`
    ");
    assert_snapshot!(check("Charges {period").unwrap_err(), @r"
    `Charges {period` has a brace that is not closed; write `{{` for a brace
    ");
    assert_snapshot!(check("Charges }").unwrap_err(), @"`Charges }` has a brace that is not closed; write `{{` for a brace");
    let mut braces = model();
    braces.subject_template = "{{{period}}}".to_owned();
    assert_eq!(statement_email(&braces).unwrap().subject, "{2025-01}");
}

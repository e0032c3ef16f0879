//! Defects of scripts: what only a browser shows.

use super::browser::Look;
use super::story;
use super::support::{HEADER, Home, project, row, row_of};

/// What a person does who drops a file onto the page.
const DROP: &str = "const transfer = new DataTransfer(); \
    transfer.items.add(new File([arguments_text], 'aws_2025-01.csv', { type: 'text/csv' })); \
    const place = document.querySelector('.drop'); \
    for (const kind of ['dragenter', 'dragover', 'drop']) { \
      place.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer })); }";

/// After one navigation the script of the page failed, and dropping did nothing until it was loaded anew.
#[test]
fn defect_33_files_can_be_dropped_after_any_navigation() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let chosen = home.focus("hpc_2025-01.csv", &[row("vm-2", "Compute", "10", "10", &project("genome"))]);
    let text = format!("{HEADER}\n{}\n", row("vm-1", "Compute", "10", "10", &project("genome")));
    story(Look::DESK, &server, |window| {
        window.sign_in("reviewer");
        for page in ["/imports/new", "/charges", "/imports", "/imports/new"] {
            window.go(page);
        }
        window.back();
        window.press("Import files");
        let text = serde_json::to_string(&text).unwrap();
        window.run(&DROP.replace("arguments_text", &text));
        window.sees("aws_2025-01.csv");
        window.press("Send and look");
        window.sees("Keep this delivery");
        assert!(window.path().starts_with("/imports/uploads/"));
        // Chosen by the dialog they come in the same way.
        window.go("/imports/new");
        window.choose_files("#files", std::slice::from_ref(&chosen));
        window.sees("hpc_2025-01.csv");
        window.click("form[data-upload] button.primary");
        window.sees("Keep this delivery");
    });
}

/// The selector of the period needed what the policy forbids: nothing happened.
#[test]
fn defect_32_choosing_a_period_shows_it() {
    let home = Home::new();
    home.open("2025-02");
    home.focus("aws_2025-01.csv", &[row("jan-1", "Compute", "11", "11", &project("genome"))]);
    home.focus("aws_2025-02.csv", &[row_of("2025-02", "feb-1", "Compute", "22", "22", &project("genome"))]);
    home.ok("ingest aws_2025-01.csv");
    home.ok("ingest aws_2025-02.csv");
    home.accounts();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("viewer");
        for (period, said) in [("2025-02", "22.00"), ("2025-01", "11.00")] {
            window.go("/");
            let choose = "const s = document.getElementById('pick-period'); s.value = 'PERIOD'; \
                s.dispatchEvent(new Event('change', { bubbles: true }))";
            window.run(&choose.replace("PERIOD", period));
            window.sees(said);
            assert!(window.path().contains(&format!("period={period}")), "{}", window.path());
        }
    });
}

/// Typed while the session ends: it is there after signing in, and sent by a press of the button.
#[test]
fn a_session_that_ends_in_a_form_loses_nothing() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("reviewer");
        // By the keyboard, as somebody would who is in the middle of it.
        window.control('k');
        window.keys("2025-01");
        window.go("/periods/2025-01");
        window.fill("[name=notes]", "agreed with Priya");
        home.ok("users sign-out reviewer");
        window.run("document.querySelector('[name=notes]').form.requestSubmit()");
        window.sees("You were signed out, so nothing was sent");
        window.fill("#name", "reviewer");
        window.fill("#password", super::support::web::PASSWORD);
        window.press("Sign in");
        window.sees("You were signed out before this was sent");
        window.sees("agreed with Priya");
        let wrong = window.axe();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(home.period_state("2025-01"), "open");
        window.press("Send it now");
        window.sees("2025-01 is closed");
        // The browser itself says that an answer was a refusal; that is no complaint of a page.
        let said = window.complaints();
        assert!(said.iter().all(|line| line.contains("401")), "{said:?}");
    });
}

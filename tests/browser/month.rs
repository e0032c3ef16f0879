//! A month from sign-in to finalize by clicking, and once more in a browser that runs no scripts.

use std::path::PathBuf;

use super::{Look, Window, files, office, story};

const NEXT: &str = ".heading .actions a.primary";

/// From the first page by its button: what comes next.
fn what_comes_next(window: &mut Window, said: &str) {
    window.go("/?period=2025-01");
    window.sees(said);
    window.click(NEXT);
}

fn import(window: &mut Window, files: &[PathBuf]) {
    what_comes_next(window, "Import files");
    window.press("Import files");
    window.choose_files("#files", files);
    window.press("Send and look");
    window.sees("Look before you keep");
    window.press("Keep all 2 deliveries");
    window.sees("Import 1 counts");
    window.is_accessible();
    window.press("Review what is held");
}

/// One by its own button, the rest from a preview, and the one that has no fund with what is suggested.
fn review(window: &mut Window) {
    window.sees("3 in all");
    window.press("Approve 1:1");
    window.sees("Your latest act: approve, 1 charge");
    window.choose("#of", "all");
    window.fill("#note", "workshop");
    window.press("Approve…");
    window.sees("1 charge left alone");
    window.is_accessible();
    window.press("Approve 1, $16.00");
    window.sees("1 in all");
    window.press("Reassign…");
    window.fill("#fund_org", "PHYS-1001");
    window.press("Preview");
    window.press("Reassign 1, $7.00");
    window.sees("Nothing waits for a decision");
}

fn issue(window: &mut Window) {
    what_comes_next(window, "Close the period");
    window.press("Close 2025-01");
    window.sees("closed");
    what_comes_next(window, "Generate statements");
    window.press("See what they would be");
    window.press("Go on");
    window.sees("Make 1 new or changed statement");
    window.is_accessible();
    window.press("Make 1 new or changed statement");
    window.sees("1 new, 0 changed, 0 unchanged; 1 documents rendered");
    window.is_accessible();
    window.press("Go on");
    window.press("S-2025-01-0001");
    window.sees("Amount due");
    window.sees("$39.00");
}

fn hand_out(window: &mut Window) {
    what_comes_next(window, "Send statements");
    window.sees("S-2025-01-0001_v1.pdf");
    window.press("Send 1 message");
    window.sees("1 sent");
    what_comes_next(window, "Export the journal");
    window.sees("Balance");
    window.press("Record it and write the file");
    window.sees("J-2025-01-1");
    what_comes_next(window, "Record accounting's answer");
    window.press("J-2025-01-1");
    window.fill("#note", "JV 10442");
    window.press("Accepted");
    window.sees("JV 10442");
}

fn finalize(window: &mut Window) {
    window.press("Sign out");
    window.sees("Sign in");
    window.sign_in("admin");
    what_comes_next(window, "Finalize the period");
    window.press("Finalize…");
    window.sees("Nothing is missing");
    window.fill("#confirm", "2025-01");
    window.press("Finalize 2025-01");
    window.sees("2025-01 is finalized");
}

fn whole_month(look: Look) {
    let home = office();
    let files = files(&home);
    let server = home.serve();
    story(look, &server, |window| {
        window.go("/");
        window.sees("Password");
        window.sign_in("reviewer");
        import(window, &files);
        review(window);
        issue(window);
        hand_out(window);
        finalize(window);
    });
    assert_eq!(home.period_state("2025-01"), "finalized");
    assert_eq!(home.json("statements list")[0]["amount_due"], "39.00");
    assert_eq!(home.eml().len(), 1);
    assert_eq!(home.journals("2025-01").len(), 1);
    home.ok("verify");
}

#[test]
fn a_month_is_billed_by_clicking() {
    whole_month(Look::DESK);
}

#[test]
fn a_month_is_billed_without_scripts() {
    whole_month(Look { scripts: false, ..Look::DESK });
}

//! What goes wrong between people and browsers: two at once, going back, pressing twice.

use super::support::entries;
use super::{Driver, Home, Look, Window, held, story};

/// How many acts of deciding there are.
fn acts(home: &Home) -> usize {
    entries(&home.json("review history")).len()
}

#[test]
fn two_reviewers_at_one_charge_are_told_of_each_other() {
    let home = held();
    home.account("other", "reviewer");
    let server = home.serve();
    let driver = Driver::start();
    let mut one = Window::open(&driver, &server, Look::DESK);
    let mut other = Window::open(&driver, &server, Look::DESK);
    for (window, name) in [(&mut one, "reviewer"), (&mut other, "other")] {
        window.sign_in(name);
        window.go("/review?period=2025-01");
        window.sees("3 in all");
    }
    other.press("Reject 1:1");
    other.sees("2 in all");
    one.press("Approve 1:1");
    one.sees("rejected by `other`");
    one.sees("it is rejected now");
    one.complains_only_of("422");
    other.has_nothing_to_complain_of();
    assert_eq!(acts(&home), 1);
}

#[test]
fn going_back_and_pressing_twice_does_no_harm() {
    let home = held();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("reviewer");
        window.go("/review?period=2025-01");
        // Twice in one breath: the second press finds the form on its way.
        window.run("const b = document.querySelector('[aria-label=\"Approve 1:1\"]'); b.click(); b.click();");
        window.sees("Your latest act: approve, 1 charge");
        assert_eq!(acts(&home), 1);
        // The page of before is asked for again: it offers nothing that was done.
        window.back();
        window.sees("2 in all");
        assert!(!window.words().contains("1:1"), "{}", window.words());
        // Forms work again after the browser's button.
        window.go("/review?period=2025-01");
        window.go("/charges?period=2025-01");
        window.back();
        window.press("Approve 1:2");
        window.sees("1 in all");
        assert_eq!(acts(&home), 2);
    });
}

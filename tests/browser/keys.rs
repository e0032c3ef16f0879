//! Without a mouse: everything is reached by Tab, shows that it is, and the queue has keys of its own.

use super::{Look, held, story};

const ENTER: &str = "\u{E007}";

#[test]
fn a_queue_is_decided_by_keyboard_alone() {
    let home = held();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.go("/sign-in");
        window.tab_to("name");
        window.keys("reviewer");
        window.tab_to("password");
        window.keys(super::support::web::PASSWORD);
        window.keys(ENTER);
        window.sees("Sign out");
        window.go("/?period=2025-01");
        // The first stop of a page leads past the navigation.
        window.tab_to("Skip to the page");
        window.keys(ENTER);
        window.tab_to("Review held charges");
        window.keys(ENTER);
        window.sees("3 in all");
        window.keys("ja");
        window.sees("Your latest act: approve, 1 charge");
        // A note comes before a rejection, and a preview before many.
        window.keys("jr");
        window.keys("not ours");
        window.keys(ENTER);
        window.sees("Reject 1 charge");
        window.tab_to("Reject 1, $8.00");
        window.keys(ENTER);
        window.sees("1 in all");
        window.tab_to("What the file said");
        window.keys(ENTER);
        window.sees("vm-<b>2</b>");
    });
    let acts = home.json("review history");
    assert_eq!(acts[0]["note"], "not ours", "{acts}");
}

#[test]
fn any_place_is_found_by_a_few_letters() {
    let home = held();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("viewer");
        window.go("/?period=2025-01");
        for (letters, there) in [("geno", "/projects/genome"), ("audi", "/audit"), ("1:3", "/charges/1:3")] {
            window.control('k');
            window.keys(letters);
            window.keys(ENTER);
            window.arrives_at(there);
        }
    });
}

//! What a person sees and does, in real Chromium: the month by clicking, with scripts and without, in both
//! themes, on a telephone, by keyboard alone. Whatever the browser complains of fails the story.
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

#[path = "support/browser.rs"]
mod browser;
#[path = "browser/defects.rs"]
mod defects;
#[path = "support/mod.rs"]
mod support;

use browser::{Driver, Look, Window};
use support::Home;
use support::web::Server;

/// Run a story in a window; it must leave nothing to complain of.
fn story(look: Look, server: &Server, tell: impl FnOnce(&mut Window)) {
    let driver = Driver::start();
    let mut window = Window::open(&driver, server, look);
    tell(&mut window);
    window.has_nothing_to_complain_of();
}

#[test]
fn a_theme_is_there_from_the_first_paint_and_stays() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("viewer");
        let theme = "return [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]";
        let light = window.run(theme);
        assert_eq!(light[0], "system");
        window.run("const s = document.getElementById('theme'); s.value = 'dark'; s.form.requestSubmit()");
        window.go("/periods");
        let dark = window.run(theme);
        assert_eq!(dark[0], "dark");
        assert_ne!(light[1], dark[1]);
    });
}

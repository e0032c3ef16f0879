//! Every page that can be reached by links: as axe hears it in both themes, and on a telephone.

use std::collections::{BTreeMap, VecDeque};

use super::support::{entries, row_of};
use super::{Home, Look, Window, project, story};

/// Pages that no link of a quiet installation leads to, and where they are looked at instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("/changes/{id}", "a rule that is being written; tests/web/rules.rs"),
    ("/imports/uploads/{upload}", "`month.rs`"),
    ("/jobs/{id}", "`month.rs`"),
    ("/jobs/{id}/state", "a part of a job's page"),
    ("/statements/previews/{job}", "`month.rs`"),
    ("/audit/verified/{job}", "work that was begun here"),
    ("/verify/{job}", "work that was begun here"),
    ("/rates/tried/{id}", "rates that were tried here"),
    ("/sign-in", "below, before anybody is signed in"),
    ("/sign-in/code", "for who has a second factor; tests/web/account.rs"),
    ("/set-up/{link}", "below, where nobody has an account"),
    ("/palette", "a part: `keys.rs` opens it"),
    ("/known", "a part: suggestions of fields"),
    ("/charges/{id}/evidence", "a part: `keys.rs` opens it"),
];

/// A route that answers with a page, and not with a file or numbers for machines.
fn is_page(path: &str) -> bool {
    let file = [".csv", ".zip", ".parquet", "/csv", "/pdf", "/html", "/export", "/anchor", "/files/{file}"];
    let machine = ["/api/v1/", "/api/openapi.json", "/assets/", "/health", "/metrics"];
    let ends = file.iter().any(|end| path.ends_with(end)) || path.ends_with("/files/{sha256}");
    !ends && !machine.iter().any(|start| path.starts_with(start))
}

/// The registered path that an address is of: names that stand there before those that are parameters.
fn route_of<'a>(routes: &'a [&'static str], address: &str) -> Option<&'a str> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |route: &&&str| {
        let names: Vec<&str> = route.split('/').collect();
        names.len() == parts.len()
            && names
                .iter()
                .zip(&parts)
                .all(|(name, part)| name.starts_with('{') && !part.is_empty() || name == part)
    };
    routes.iter().filter(fits).min_by_key(|route| route.matches('{').count()).copied()
}

const LINKS: &str = "return [...document.querySelectorAll('a[href]')].filter(a => a.origin === location.origin \
    && !a.hasAttribute('download')).map(a => a.pathname + a.search)";

/// What is wider than the page, when the page can be moved sideways.
const TOO_WIDE: &str = "const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth; \
    if (wide <= 0) return ''; \
    const out = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth \
        && !e.parentElement?.closest('.scroll, [popover], dialog')).slice(0, 4); \
    return `${wide}px: ` + out.map(e => e.tagName + '.' + e.className).join(' ')";

fn look_at(window: &mut Window, found: &mut Vec<String>) {
    let path = window.path();
    let mut say = |what: &str, all: Vec<String>| {
        found.extend(all.into_iter().map(|line| format!("{path} ({what}): {line}")));
    };
    say("light", window.axe());
    window.run("document.documentElement.dataset.theme = 'dark'");
    say("dark", window.axe_of("color-contrast"));
    window.run("document.documentElement.dataset.theme = 'light'");
    window.narrow(360);
    let wide = window.run(TOO_WIDE);
    say("360 px", wide.as_str().filter(|wide| !wide.is_empty()).map(str::to_owned).into_iter().collect());
    window.wide();
    say("console", window.complaints());
}

/// A month that is over and one that is under way, with rules of every kind.
fn lived_in() -> Home {
    let home = Home::bare();
    home.ok("demo --dir .");
    for rule in [
        "attribution add --key sub_account_id --value 1 --project other --from 2025-12-01",
        "rates add cpu --unit core-hour --price 1 --from 2025-12-01",
        "subsidies add Dean --payer A-1 --percent 5 --from 2025-12",
        "credits add Cloud --amount 50 --payer A-1 --kept-back --from 2025-12",
        "splits add --project other A-1:50% B-2:50% --from 2025-12-01 --note agreed",
    ] {
        home.ok(&format!("{rule} --yes"));
    }
    for billed in ["10.00", "12.00"] {
        home.focus("lab.csv", &[row_of("2025-12", "i-1", "Compute", "20.00", billed, &project("genome"))]);
        home.ok("ingest lab.csv --source Lab");
    }
    home.accounts();
    home
}

#[test]
fn every_page_is_accessible_in_both_themes_and_fits_a_telephone() {
    let home = lived_in();
    let server = home.serve();
    let (listed, _) = web::routes().build();
    let routes: Vec<&'static str> =
        listed.iter().filter(|route| route.method == "GET").map(|route| route.path).collect();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Vec::new();
    story(Look::DESK, &server, |window| {
        window.go("/sign-in");
        look_at(window, &mut found);
        window.sign_in("admin");
        // What took the place of something else has a page that other imports have not, as a closed period has.
        let newest =
            entries(&home.json("imports list")).iter().filter_map(|one| one["import"].as_i64()).max();
        let mut waiting = VecDeque::from([
            format!("/imports/{}", newest.unwrap()),
            "/periods/2025-01".to_owned(),
            "/".to_owned(),
        ]);
        while let Some(address) = waiting.pop_front() {
            let Some(route) = route_of(&routes, &address) else {
                found.push(format!("{address}: a link to nowhere"));
                continue;
            };
            if !is_page(route) || seen.contains_key(route) {
                continue;
            }
            seen.insert(route.to_owned(), address.clone());
            window.go(&address);
            look_at(window, &mut found);
            let links = window.run(LINKS);
            waiting.extend(links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()));
        }
    });
    let elsewhere = |route: &str| ELSEWHERE.iter().any(|(path, _)| *path == route);
    for route in routes.iter().filter(|route| is_page(route)) {
        if !seen.contains_key(*route) && !elsewhere(route) {
            found.push(format!("{route}: no link leads there"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_first_page_of_a_new_installation_is_accessible() {
    let home = Home::new();
    let server = home.serve();
    let link = server.set_up.clone().unwrap();
    let mut found = Vec::new();
    story(Look::DESK, &server, |window| {
        window.go(&format!("/set-up/{link}"));
        look_at(window, &mut found);
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_theme_is_there_from_the_first_paint_and_stays() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    story(Look::DESK, &server, |window| {
        window.sign_in("viewer");
        let theme = "return [document.documentElement.dataset.theme, \
            getComputedStyle(document.body).backgroundColor]";
        let light = window.run(theme);
        assert_eq!(light[0], "system");
        window.choose("#theme", "dark");
        window.go("/periods");
        let dark = window.run(theme);
        assert_eq!(dark[0], "dark");
        assert_ne!(light[1], dark[1]);
    });
    // Who has set nothing sees what the system has.
    story(Look { dark: true, ..Look::DESK }, &server, |window| {
        window.go("/sign-in");
        let scheme = window.run("return matchMedia('(prefers-color-scheme: dark)').matches");
        let colour = window.run("return getComputedStyle(document.body).backgroundColor");
        assert_eq!(scheme, true);
        assert_ne!(colour, "rgb(255, 255, 255)");
    });
}

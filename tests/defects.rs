//! A story per defect that was found in the earlier system: each sets up what went wrong there and says what
//! must be so here. `docs/defects.md` tells the defects in words and maps every number to its
//! story, or to a later part of the work.
//!
//! Start with `defects/rows.rs` (what becomes of delivered rows), then `money.rs` (sums and journals),
//! `documents.rs` (what is issued and sent) and `periods.rs` (what may be done when).
#![expect(clippy::unwrap_used, reason = "a story that cannot be told is a failed test")]

mod support;

#[path = "defects/accounts.rs"]
mod accounts;
#[path = "defects/connectors.rs"]
mod connectors;
#[path = "defects/documents.rs"]
mod documents;
#[path = "defects/money.rs"]
mod money_and_journals;
#[path = "defects/periods.rs"]
mod periods;
#[path = "defects/rows.rs"]
mod rows;
#[path = "defects/uploads.rs"]
mod uploads;
#[path = "defects/web.rs"]
mod web;

const TABLE: &str = include_str!("../docs/defects.md");
const STORIES: &str = concat!(
    include_str!("defects/accounts.rs"),
    include_str!("defects/connectors.rs"),
    include_str!("defects/documents.rs"),
    include_str!("defects/money.rs"),
    include_str!("defects/periods.rs"),
    include_str!("defects/rows.rs"),
    include_str!("defects/uploads.rs"),
    include_str!("defects/web.rs")
);

/// Stories elsewhere, which need what these have not: a browser, another mail server.
const ELSEWHERE: [(&str, &str); 2] = [
    ("tests/browser/defects.rs", include_str!("browser/defects.rs")),
    ("crates/mail/tests/outbox.rs", include_str!("../crates/mail/tests/outbox.rs")),
];

/// Lines of the table: `| 1 | what it was | where it is tested |`.
fn table() -> Vec<(usize, &'static str)> {
    let cells = |line: &'static str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let number = cells.next()?.parse::<usize>().ok()?;
        Some((number, cells.next_back()?))
    };
    TABLE.lines().filter_map(cells).collect()
}

#[test]
fn the_table_has_every_defect_once() {
    let numbers: Vec<usize> = table().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=57).collect::<Vec<_>>());
}

#[test]
fn the_table_names_stories_that_exist() {
    let mut told = 0;
    for (number, place) in table() {
        let elsewhere = ELSEWHERE.iter().find_map(|(file, text)| {
            let story = place.strip_prefix(&format!("`{file}`: `"))?.trim_matches('`');
            Some(text.contains(&format!("fn {story}()")))
        });
        if let Some(is_told) = elsewhere {
            assert!(is_told, "{number}: no story {place}");
        } else if number <= 31 || place.starts_with('`') {
            told += 1;
            let story = place.trim_matches('`');
            assert!(story.starts_with(&format!("defect_{number:02}_")), "{number}: {place}");
            assert!(STORIES.contains(&format!("fn {story}()")), "no story `{story}`");
        } else {
            let is_reason = place.starts_with("cannot be had: ") || place.starts_with("by design: ");
            assert!(is_reason || place == "connectors", "{number}: {place}");
        }
    }
    assert_eq!(STORIES.matches("\nfn defect_").count(), told, "a story is not in the table");
}

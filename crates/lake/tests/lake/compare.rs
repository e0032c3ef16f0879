//! Deliveries beside each other.

use lake::{Difference, View};

use crate::common::{Charge, Home, charge, wait};

fn difference(d: &Difference) -> String {
    let side = |name: &str, side: &lake::Side| format!("{name} {} rows {}\n", side.rows, side.billed_cost);
    [
        side("before", &d.before),
        side("after", &d.after),
        side("added", &d.added),
        side("gone", &d.gone),
        side("changed from", &d.changed_before),
        side("changed to", &d.changed_after),
    ]
    .concat()
}

fn views(home: &Home, old: Vec<Charge>, new: Vec<Charge>) -> (View, View) {
    (home.view(home.import(1, "AWS", &[old])), home.view(home.import(2, "AWS", &[new])))
}

#[test]
fn what_is_added_gone_and_changed() {
    let home = Home::new();
    let of = |billed: &str, fingerprint, digest| charge(billed).hashed(fingerprint, digest, 0);
    let old = vec![
        of("1", 10, 1),
        of("2", 20, 2),
        of("4", 30, 3),
        of("8", 40, 4),
        of("16", 40, 5),
        of("16", 40, 5),
    ];
    let new = vec![of("1", 10, 1), of("3", 20, 6), of("16", 40, 5), of("32", 40, 7), of("64", 50, 8)];
    let (old, new) = views(&home, old, new);
    let found = wait(View::compare(&old, &new)).unwrap();
    insta::assert_snapshot!(difference(&found), @"
    before 6 rows 47
    after 5 rows 116
    added 1 rows 64
    gone 2 rows 20
    changed from 2 rows 10
    changed to 2 rows 35
    ");
    let share = wait(View::kept_share(&old, &new)).unwrap();
    assert_eq!((share.kept, share.of), (4, 6));
    assert!(share.is_at_least_tenths(6) && !share.is_at_least_tenths(7));
    let same = wait(View::compare(&old, &old)).unwrap();
    assert_eq!((same.added, same.gone, same.changed_after), Default::default());
    let empty = home.view(Vec::new());
    let all_new = wait(View::compare(&empty, &new)).unwrap();
    assert_eq!((all_new.added, all_new.before.rows), (all_new.after, 0));
}

#[test]
fn overlap_is_the_same_key_at_the_same_time() {
    let home = Home::new();
    let at = |key, start, end| charge("1").hashed(0, 0, key).during(start, end);
    let old = vec![at(1, 0, 100), at(1, 10, 20), at(2, 0, 10), charge("1").hashed(0, 0, 3)];
    let cases = [
        ("a later time", at(1, 100, 200), ""),
        ("an earlier time", at(1, -5, 0), ""),
        ("within a long one", at(1, 50, 60), "2:1 over 1:1"),
        ("the edge of one", at(2, 9, 11), "2:1 over 1:3"),
        ("another key", at(9, 0, 100), ""),
        ("a charge without times", charge("1").hashed(0, 0, 2), "2:1 over 1:3"),
        ("an old charge without times", at(3, 5, 6), "2:1 over 1:4"),
    ];
    for (name, new, expected) in cases {
        let (old, new) = views(&home, old.clone(), vec![new]);
        let overlap = wait(View::overlap(&old, &new)).unwrap();
        let samples: Vec<String> =
            overlap.samples.iter().map(|(new, old)| format!("{new} over {old}")).collect();
        assert_eq!(samples.join(" "), expected, "{name}");
        assert_eq!(overlap.rows, samples.len() as u64, "{name}");
    }
}

#[test]
fn twins_are_told_apart_by_cost_and_row() {
    let home = Home::new();
    let of = |billed: &str, fingerprint, digest| charge(billed).hashed(fingerprint, digest, 0);
    let mut files =
        home.import(1, "AWS", &[vec![of("5", 7, 1), of("2", 7, 2), of("2", 7, 3), of("1", 8, 4)]]);
    files.extend(home.import(2, "AWS", &[vec![of("9", 7, 9), of("-9.000000000000000001", 7, 10)]]));
    let view = home.view(files);
    let located = wait(view.locate(&[7, u64::MAX])).unwrap();
    let text: Vec<String> = located
        .iter()
        .map(|l| format!("{}#{} {} {}", l.fingerprint.0, l.ordinal, l.id, l.content_digest.0))
        .collect();
    assert_eq!(text, ["7#0 1:2 2", "7#1 1:3 3", "7#2 1:1 1", "7#0 2:2 10", "7#1 2:1 9"]);
    assert_eq!(wait(view.locate(&[])).unwrap(), []);
}

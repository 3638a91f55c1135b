use std::fs;

use super::*;
use crate::entropy::FakeEntropy;

fn open(dir: &Path) -> Numbers {
    Numbers::open(dir, &FakeEntropy::new(7))
}

#[test]
fn a_run_in_order_is_gone_on_from_and_a_crashed_one_is_leapt_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let numbers = open(dir.path());
    assert_eq!(
        numbers.span(),
        Span {
            first: 1,
            unbroken: 1
        }
    );
    numbers.end(1233);
    let numbers = open(dir.path());
    assert_eq!(
        numbers.span(),
        Span {
            first: 1234,
            unbroken: 1
        }
    );
    numbers.end(1240);
    let crashed = open(dir.path());
    assert_eq!(
        crashed.span(),
        Span {
            first: 1241,
            unbroken: 1
        }
    );
    drop(crashed);
    let numbers = open(dir.path());
    let Span { first, unbroken } = numbers.span();
    assert!(first > 1241 + AHEAD / 2);
    assert_eq!(
        unbroken, first,
        "what the crashed run has given is not known"
    );
    // A run without an entry.
    numbers.end(first - 1);
    assert_eq!(open(dir.path()).span(), Span { first, unbroken });
}

#[test]
fn numbers_are_set_aside_before_they_are_used_and_seldom() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(FILE);
    let numbers = open(dir.path());
    let kept = || read(&path).expect("a number").first;
    let mut writes = 0;
    let mut before = kept();
    for newest in (0..10 * AHEAD).step_by(250_000) {
        assert!(newest < before, "{newest} is not set aside");
        numbers.keep_ahead(newest);
        let now = kept();
        writes += u32::from(now != before);
        before = now;
    }
    assert!((10..=20).contains(&writes), "{writes}");
}

#[test]
fn what_is_no_number_is_put_right_and_the_new_ones_are_unlike_the_old() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(FILE);
    for damaged in [
        "",
        "0",
        "-1",
        "12x",
        "5 9",
        "7 0",
        "1 1 1",
        "99999999999999999999",
        "9999999999999999",
    ] {
        fs::write(&path, damaged).expect("written");
        let Span { first, unbroken } = open(dir.path()).span();
        assert!(
            (RANDOM_BASE..2 * RANDOM_BASE).contains(&first),
            "{damaged}: {first}"
        );
        assert_eq!(unbroken, first);
        let next = open(dir.path()).span().first;
        assert!(
            (first + 1..=first + AHEAD).contains(&next),
            "{damaged}: {next}"
        );
    }
}

#[test]
fn where_nothing_can_be_kept_each_run_is_unlike_the_one_before() {
    let dir = tempfile::tempdir().expect("a folder");
    // A folder in its place can be neither read nor replaced.
    fs::create_dir(dir.path().join(FILE)).expect("made");
    let entropy = FakeEntropy::new(7);
    let runs: Vec<u64> = (0..3)
        .map(|_| {
            let numbers = Numbers::open(dir.path(), &entropy);
            numbers.keep_ahead(numbers.span().first + AHEAD);
            numbers.end(5);
            numbers.span().first
        })
        .collect();
    assert!(runs[0] != runs[1] && runs[1] != runs[2], "{runs:?}");
    assert!(runs.iter().all(|first| *first >= RANDOM_BASE));
}

//! What following a pattern promises.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::bench::{Bench, assert_sleeps};
use super::super::tail::LEFT_QUIET;
use super::super::watch::POLL;
use super::*;

fn labelled(entries: &[Value]) -> Vec<(&str, &str)> {
    entries
        .iter()
        .map(|entry| {
            (
                entry["source"].as_str().unwrap(),
                entry["message"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn each_file_is_followed_under_its_own_name_and_a_new_one_from_its_beginning() {
    let mut bench = Bench::all("*.log", false);
    bench.append("app.log", "old\n");
    bench.append("other.txt", "no\n");
    assert_sleeps(bench.settle());
    assert_eq!(
        (bench.state().state, bench.state().files),
        ("following", Some(1))
    );
    bench.append("app.log", "new\n");
    bench.wake();
    bench.append("my app.log", "first\n");
    assert_sleeps(bench.wake());
    bench.append("my app.log", "second\n");
    bench.append("postern.log", "not its own\n");
    bench.wake();
    assert_eq!(
        labelled(&bench.entries()),
        [
            ("app", "new"),
            ("my_app", "first"),
            ("my_app", "second"),
            ("postern_", "not its own")
        ]
    );
    assert_eq!(bench.state().files, Some(3));
}

#[test]
fn under_a_given_name_a_field_tells_the_file() {
    let mut bench = Bench::all("*.log", true);
    bench.settle();
    bench.append("a.log", "x\n");
    bench.wake();
    let entries = bench.entries();
    assert_eq!(entries[0]["source"], "source");
    assert_eq!(
        entries[0]["fields"],
        json!({"file": bench.path("a.log").display().to_string()})
    );
}

#[test]
fn a_rotation_within_the_pattern_replays_nothing_and_loses_nothing() {
    let mut bench = Bench::all("app.log*", false);
    bench.append("app.log", "old\n");
    bench.append("app.log.1", "older\n");
    bench.settle();
    bench.append("app.log", "one\n");
    bench.rename("app.log.1", "app.log.2");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log.1", "two\n");
    bench.append("app.log", "three\n");
    bench.append("app.log.1", "late\n");
    bench.wake();
    bench.pass(Duration::from_secs(10));
    bench.settle();
    let entries = bench.entries();
    let mut lines = labelled(&entries);
    assert!(lines.iter().all(|(label, _)| *label == "app"), "{lines:?}");
    lines.sort_unstable();
    let texts: Vec<_> = lines.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["late", "one", "three", "two"]);
    assert_eq!(bench.state().files, Some(3));
}

#[test]
fn a_file_that_goes_is_read_to_its_end_and_closed() {
    let mut bench = Bench::all("*.log", false);
    for name in ["a.log", "b.log"] {
        bench.append(name, "");
    }
    bench.settle();
    bench.append("a.log", "last\nhalf");
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.append("b.log", "moved\n");
    bench.rename("b.log", "b.old");
    bench.wake();
    assert_eq!(bench.state().files, Some(2));
    bench.pass(LEFT_QUIET);
    assert_sleeps(bench.settle());
    // Nobody took the other's name: its writer still has it.
    assert_eq!(bench.state().files, Some(1));
    let mut lines = bench.lines();
    lines.sort();
    assert_eq!(lines, ["half", "last", "moved"]);
    bench.append("b.old", "late\n");
    bench.wake();
    bench.append("b.log", "new\n");
    assert_eq!(bench.wake().at_most, Some(POLL));
    bench.append("b.old", "later\n");
    bench.wake();
    assert_eq!(bench.lines(), ["late", "new", "later"]);
    bench.pass(LEFT_QUIET);
    assert_sleeps(bench.settle());
    assert_eq!(bench.state().files, Some(1));
    // Another file of that name is new.
    bench.append("a.log", "again\n");
    bench.wake();
    assert_eq!(bench.lines(), ["again"]);
}

#[test]
fn of_files_that_were_moved_away_only_so_many_are_held_open() {
    let mut bench = Bench::all("*.log", false);
    for n in 0..MAX_OLD + 10 {
        bench.append(&format!("{n}.log"), "");
        bench.settle();
        bench.pass(Duration::from_secs(1));
        bench.append(&format!("{n}.log"), "line, and half\na line");
        bench.settle();
        bench.rename(&format!("{n}.log"), &format!("{n}.old"));
        bench.wake();
        assert!(bench.state().files.unwrap() <= MAX_OLD);
    }
    // The last ones of them.
    let last = format!("{}.old", MAX_OLD + 9);
    bench.append(&last, " ends\n");
    bench.wake();
    assert_eq!(bench.lines().last().unwrap(), "a line ends");
}

#[test]
fn a_new_folder_that_the_pattern_fits_is_noticed() {
    let mut bench = Bench::all("logs/*/*.log", false);
    bench.settle();
    fs::create_dir_all(bench.path("logs/one")).unwrap();
    bench.append("logs/one/app.log", "1\n");
    bench.wake();
    fs::create_dir(bench.path("logs/two")).unwrap();
    bench.wake();
    bench.append("logs/two/app.log", "2\n");
    bench.wake();
    assert_eq!(bench.lines(), ["1", "2"]);
}

#[test]
fn of_too_many_files_the_last_written_are_followed_and_that_is_told() {
    let mut bench = Bench::all("*.log", false);
    for n in 0..MAX_FILES + 3 {
        let name = format!("{n}.log");
        bench.append(&name, "old\n");
        let file = fs::File::open(bench.path(&name)).unwrap();
        let seconds = Duration::from_secs(1_700_000_000 + n as u64);
        file.set_modified(SystemTime::UNIX_EPOCH + seconds).unwrap();
    }
    assert_sleeps(bench.settle());
    let state = bench.state();
    assert_eq!(state.files, Some(MAX_FILES));
    assert!(state.last_error.unwrap().contains("67 files"));
    // One that was left out comes to life: what it held at the start is still old, the line is not.
    bench.append("0.log", "new\n");
    assert!(!bench.hear(Duration::ZERO));
    // It is seen when the pattern is looked at again.
    bench.append("new.log", "new\n");
    bench.wake();
    assert_eq!(bench.lines(), ["new", "new"]);
    assert_eq!(bench.state().files, Some(MAX_FILES));
}

#[test]
fn a_storm_in_one_file_does_not_keep_the_others_waiting() {
    let mut bench = Bench::all("*.log", false);
    bench.append("a.log", "");
    bench.append("b.log", "");
    bench.settle();
    bench.append("a.log", &"0123456789\n".repeat(100_000));
    bench.append("b.log", "x\n");
    assert!(bench.hear(Duration::from_secs(10)));
    let pause = bench.turn();
    assert_eq!(pause.at_most, Some(Duration::ZERO));
    assert!(bench.lines().contains(&"x".to_owned()));
    assert!(bench.state().entries < 50_000);
    bench.settle();
    assert_eq!(bench.state().entries, 100_001);
}

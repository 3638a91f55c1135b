//! What is shown of a board's log, once.

use postern::logs::Level;
use serde_json::json;

use super::{Place, objects};
use crate::device::Device;

fn messages(out: &str) -> Vec<&str> {
    out.lines()
        .filter_map(|line| line.rsplit("  ").next())
        .collect()
}

#[test]
fn the_last_entries_come_as_many_as_are_wanted_and_filtered() {
    let device = Device::start();
    for index in 0..150 {
        device.log(&format!("number {index}"));
    }
    device.log_as("other", Level::Error, "an Error");
    let place = Place::with_variable();
    let shown = |words: &[&str]| {
        let seen = place.logs(device.address(), words);
        assert_eq!(seen.status, 0, "{}", seen.err);
        seen.out
    };
    // The server's own entries, the login's among them, are there only if its log is installed in this process.
    let all = shown(&["--source", "app"]);
    assert_eq!(all.lines().count(), 100);
    let error = shown(&["--level", "warn"]);
    let error = error.split_inclusive('\n');
    let error: String = error.filter(|line| !line.contains(" postern  ")).collect();
    assert!(error.ends_with(" error  other  an Error\n"), "{error}");
    assert_eq!(messages(&error), ["an Error"]);
    assert_eq!(shown(&["-n", "2"]).lines().count(), 2);
    assert_eq!(
        messages(&shown(&["--source", "app", "-n", "1"])),
        ["number 149"]
    );
    assert_eq!(messages(&shown(&["--grep", "AN ERR"])), ["an Error"]);
    assert_eq!(shown(&["--grep", "nothing like it"]), "");
    assert_eq!(shown(&["-n", "0"]), "");
}

#[test]
fn json_is_the_boards_own() {
    let device = Device::start();
    device.log("one");
    let seq = device.log("two \u{1b}[2J");
    let place = Place::with_variable();
    let words = ["--json", "--color", "always", "--source", "app"];
    let seen = place.logs(device.address(), &words);
    let lines = objects(&seen.out);
    let mut own = device.entries();
    own.retain(|entry| entry["source"] == "app");
    assert_eq!(lines, own);
    assert_eq!(lines.last().expect("a line")["seq"], seq);
    assert!(seen.out.contains(r#"{"type":"log","seq":"#), "{}", seen.out);
}

#[test]
fn no_entry_drives_the_terminal_and_colours_are_ours() {
    let device = Device::start();
    device.log_as("app", Level::Warn, "\u{1b}]0;owned\u{7}\r\u{9b}2J\u{202e}");
    let place = Place::with_variable();
    let seen = place.logs(device.address(), &["--source", "app"]);
    let text = seen.out.strip_suffix('\n').expect("a line");
    assert!(
        !text.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{text:?}"
    );
    let seen = place.logs(device.address(), &["--source", "app", "--color", "always"]);
    assert!(
        seen.out.contains("\u{1b}[33mwarn  \u{1b}[0m"),
        "{:?}",
        seen.out
    );
    assert_eq!(seen.out.matches('\u{1b}').count(), 4, "{:?}", seen.out);
}

#[test]
fn since_is_by_the_boards_clock() {
    // Its clock and the desk's are far apart.
    let device = Device::start();
    device.log("an hour ago");
    device.advance(3000);
    device.log("ten minutes ago");
    device.advance(600);
    device.log("now");
    let place = Place::with_variable();
    let shown = |since: &str| {
        let seen = place.logs(device.address(), &["--source", "app", "--since", since]);
        assert_eq!(seen.status, 0, "{}", seen.err);
        seen.out
    };
    assert_eq!(messages(&shown("10m")), ["ten minutes ago", "now"]);
    assert_eq!(messages(&shown("599s")), ["now"]);
    assert_eq!(
        messages(&shown("1h")),
        ["an hour ago", "ten minutes ago", "now"]
    );
}

#[test]
fn what_the_board_refuses_is_told_in_its_words() {
    use super::fake::{Fake, answer, tokens};
    let detail = json!({"status": "error", "detail": "no such thing"}).to_string();
    let fake = Fake::start(vec![
        tokens(),
        answer(400, "", &detail),
        answer(200, "", "{}"),
    ]);
    let place = Place::with_variable();
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.logs(fake.address, &[]);
    let said = format!("postern: {}: no such thing\n", fake.address);
    assert_eq!((seen.status, seen.err), (1, said));
}

//! Following: across cut cables, restarts and logins that end, each entry once, or accounted for.

use std::collections::BTreeSet;

use postern::logs::Level;
use serde_json::{Value, json};

use super::fake::{Fake, answer, nothing, say, tokens};
use super::relay::Relay;
use super::{Place, fingerprint, objects};
use crate::device::{Device, PASSWORD};

#[test]
fn what_was_comes_first_and_then_what_comes_each_once() {
    let device = Device::start();
    for index in 0..5 {
        device.log(&format!("before {index}"));
    }
    device.log_as("other", Level::Info, "of no interest");
    let place = Place::with_variable();
    let following = place.follow(device.address(), &["-n", "2", "--source", "app"]);
    following.shows("before 4");
    device.wait_for_subscribers(1);
    device.log_as("other", Level::Info, "of no interest either");
    device.log("after");
    following.shows("after");
    let seen = following.interrupt();
    assert_eq!(seen.status, 0);
    let messages: Vec<_> = seen
        .out
        .lines()
        .filter_map(|line| line.rsplit("  ").next())
        .collect();
    assert_eq!(messages, ["before 3", "before 4", "after"]);
    device.wait_for_subscribers(0);
}

#[test]
fn what_comes_between_the_hello_and_what_was_is_not_shown_twice() {
    let log = |seq: u64| {
        let time = "2026-11-24T14:32:10.123Z";
        json!({"type": "log", "seq": seq, "timestamp": time, "level": "info", "source": "s", "message": "m"})
    };
    let hello = json!({"type": "hello", "boot": "b", "oldest": 1, "newest": 5});
    let stream = format!("HTTP/1.1 200 OK\r\n\r\n{hello}\n{}\n", log(6));
    let recent = json!({"status": "success", "data": [log(5), log(6)]}).to_string();
    let fake = Fake::start(vec![
        tokens(),
        say(stream),
        answer(200, "", &recent),
        answer(404, "", "{}"),
        answer(200, "", "{}"),
    ]);
    let place = Place::with_variable();
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.follow(fake.address, &["--json"]).end();
    assert_eq!(objects(&seen.out), [log(5), log(6)]);
    let again = &fake.requests()[3];
    assert!(again.contains("&since=6&boot=b"), "{again}");
}

#[test]
fn a_board_that_starts_again_behind_the_hello_is_shown_once_with_its_smaller_numbers() {
    let log = |seq: u64| json!({"type": "log", "seq": seq, "level": "info", "source": "s", "message": "m"});
    let hello = |boot: &str, newest: u64| json!({"type": "hello", "boot": boot, "oldest": 1, "newest": newest});
    let again = hello("c", 2);
    let stream = |lines: &[&Value]| {
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        say(format!("HTTP/1.1 200 OK\r\n\r\n{}\n", lines.join("\n")))
    };
    let none_of_that_run = json!({"status": "success", "data": []}).to_string();
    let fake = Fake::start(vec![
        tokens(),
        stream(&[&hello("b", 5)]),
        answer(200, "", &none_of_that_run),
        stream(&[&again, &log(1), &log(2)]),
        answer(404, "", "{}"),
        answer(200, "", "{}"),
    ]);
    let place = Place::with_variable();
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.follow(fake.address, &["--json"]).end();
    assert_eq!(objects(&seen.out), [again, log(1), log(2)]);
    let asked = fake.requests();
    assert!(asked[2].contains("&until=5&boot=b"), "{}", asked[2]);
    assert!(asked[3].contains("&since=5&boot=b"), "{}", asked[3]);
}

#[test]
fn since_hides_what_is_older_of_what_was_and_nothing_of_what_comes() {
    let device = Device::start();
    device.log("old");
    device.advance(3600);
    device.log("young");
    let place = Place::with_variable();
    let following = place.follow(device.address(), &["--since", "10m", "--source", "app"]);
    following.shows("young");
    // One that comes late with an old time is new all the same.
    let ring = &device.server().api().ring;
    let old = postern::clock::Timestamp::from_secs(1_000_000);
    ring.push(postern::logs::NewEntry::new(
        "app".into(),
        Level::Info,
        old,
        "late".into(),
    ));
    following.shows("late");
    let seen = following.interrupt();
    assert!(!seen.out.contains("old"), "{}", seen.out);
}

#[test]
fn what_a_board_forgot_before_is_no_loss_with_since() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    for index in 0..500 {
        device.log(&format!("an entry of some length {index}"));
    }
    let place = Place::with_variable();
    let following = place.follow(device.address(), &["--since", "1h"]);
    following.shows("length 499");
    let seen = following.interrupt();
    assert!(!seen.out.contains("missed"), "{}", seen.out);
}

/// Whether each number from the first to the last is there once, as an entry or in a gap; how many are in gaps.
fn accounted_for(lines: &[Value]) -> u64 {
    let number = |value: &Value| value.as_u64().expect("a number");
    let mut missed = 0;
    let mut next = None;
    for line in lines {
        let (from, to) = match line["type"].as_str().expect("a type") {
            "log" => (number(&line["seq"]), number(&line["seq"])),
            "gap" => {
                missed += number(&line["missed"]);
                (number(&line["from"]), number(&line["to"]))
            }
            other => panic!("{other}"),
        };
        assert_eq!(*next.get_or_insert(from), from, "{line}");
        next = Some(to + 1);
    }
    missed
}

/// Follows while lines flow and the cable is cut again and again; what was seen.
fn through_a_storm(device: &Device, cuts: usize, randomness: u64) -> Vec<Value> {
    let relay = Relay::to(device.address());
    let place = Place::with_variable();
    device.log("first");
    let following = place.follow(relay.address, &["--json", "-n", "100"]);
    following.shows("first");
    device.wait_for_subscribers(1);
    relay.cut_at_random(randomness);
    let mut count = 0;
    crate::eventually("the storm's end", || {
        for _ in 0..20 {
            device.log(&format!("{count} {}", "x".repeat(count % 300)));
            count += 1;
        }
        relay.cuts() >= cuts
    });
    relay.cut_no_more();
    device.log("the last one");
    following.shows("the last one");
    let seen = following.interrupt();
    assert_eq!(seen.status, 0);
    assert!(seen.err.contains("connection lost: "), "{}", seen.err);
    assert!(seen.err.contains("connected again"), "{}", seen.err);
    objects(&seen.out)
}

#[test]
fn however_often_the_cable_is_cut_every_entry_comes_once() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "67108864")]);
    let lines = through_a_storm(&device, 60, 7);
    assert_eq!(accounted_for(&lines), 0);
    let first = lines[0]["seq"].as_u64().expect("a number");
    let entries = device.entries();
    let sent: BTreeSet<_> = entries
        .iter()
        .filter_map(|entry| entry["seq"].as_u64())
        .collect();
    let seen: BTreeSet<_> = lines
        .iter()
        .filter_map(|entry| entry["seq"].as_u64())
        .collect();
    // What it logs of its own end comes too late to be seen.
    let last = *seen.last().expect("entries");
    let missing: Vec<_> = sent
        .range(first..=last)
        .filter(|n| !seen.contains(n))
        .collect();
    assert_eq!(missing, Vec::<&u64>::new());
    assert!(seen.len() > 500, "{}", seen.len());
}

#[test]
fn what_the_board_has_forgotten_meanwhile_is_accounted_for_by_gaps() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    let lines = through_a_storm(&device, 20, 11);
    assert!(accounted_for(&lines) > 0);
}

#[test]
fn a_gap_is_a_line_for_people_too() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    let relay = Relay::to(device.address());
    let place = Place::with_variable();
    device.log("before the cut");
    let following = place.follow(relay.address, &["--color", "always"]);
    following.shows("before the cut");
    device.wait_for_subscribers(1);
    let nowhere = Fake::start(vec![]).address;
    relay.lead_to(nowhere);
    relay.cut();
    following.says("connection lost");
    for index in 0..500 {
        device.log(&format!("an entry of some length {index}"));
    }
    relay.lead_to(device.address());
    following.shows("length 499");
    let seen = following.interrupt();
    let gap = seen
        .out
        .lines()
        .find(|line| line.contains("missed"))
        .expect("a gap");
    assert!(
        gap.starts_with("\u{1b}[2m… ") && gap.ends_with(" entries missed …\u{1b}[0m"),
        "{gap:?}"
    );
    assert!(seen.err.contains("connected again"), "{}", seen.err);
}

#[test]
fn a_board_that_starts_again_is_told_and_its_new_run_is_shown_from_its_first_entry() {
    let mut device = Device::start();
    let relay = Relay::to(device.address());
    for index in 0..50 {
        device.log(&format!("before {index}"));
    }
    let place = Place::with_terminal();
    let people = place.follow(relay.address, &["--source", "app"]);
    people.shows("before 49");
    let place = Place::with_variable();
    let programs = place.follow(relay.address, &["--source", "app", "--json"]);
    programs.shows("before 49");
    device.wait_for_subscribers(2);
    device.restart();
    // Far fewer than before: numbers of the new run, which mean others than in the old one.
    for index in 0..3 {
        device.log(&format!("after {index}"));
    }
    relay.lead_to(device.address());
    for following in [&people, &programs] {
        following.shows("after 2");
    }
    device.log("and on");
    people.shows("and on");
    programs.shows("and on");
    let seen = people.interrupt();
    let lines: Vec<_> = seen
        .out
        .lines()
        .skip_while(|line| !line.contains("before 49"))
        .collect();
    assert_eq!(lines[1], "… the board has started again …");
    let messages: Vec<_> = lines[2..]
        .iter()
        .filter_map(|line| line.rsplit("  ").next())
        .collect();
    assert_eq!(messages, ["after 0", "after 1", "after 2", "and on"]);
    let lines = objects(&programs.interrupt().out);
    let hello = lines
        .iter()
        .position(|line| line["type"] == "hello")
        .expect("a hello");
    assert_eq!(lines[hello]["boot"], device.server().api().ring.boot());
    assert_eq!(lines[hello + 1]["message"], "after 0");
}

#[test]
fn an_access_token_that_is_over_is_renewed_by_the_kept_login() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "90s")]);
    let relay = Relay::to(device.address());
    let place = Place {
        typed: Some("correct horse battery\n"),
        ..Place::new()
    };
    place.trust(relay.address, &fingerprint(&device));
    device.log("before");
    for words in [&["--source", "app"][..], &["--source", "app", "--no-save"]] {
        let following = place.follow(relay.address, words);
        following.shows("before");
        device.wait_for_subscribers(1);
        device.advance(3600);
        let message = format!("after {}", words.len());
        device.log(&message);
        following.shows(&message);
        relay.cut();
        following.says("connected again");
        device.log(&format!("long {message}"));
        following.shows(&format!("long {message}"));
        let seen = following.interrupt();
        assert_eq!(seen.status, 0, "{}", seen.err);
        assert_eq!(seen.out.matches(&message).count(), 2, "{}", seen.out);
        device.wait_for_subscribers(0);
    }
}

#[test]
fn a_login_that_has_ended_ends_the_following_in_words() {
    let device = Device::start();
    device.log("before");
    for place in [Place::with_terminal(), Place::with_variable()] {
        let following = place.follow(device.address(), &["--source", "app"]);
        following.shows("before");
        device.wait_for_subscribers(1);
        let other = device.login();
        let (from, to) = (PASSWORD, "quite another one");
        assert_eq!(
            device.change_password(&other.bearer(), from, to).status,
            200
        );
        let seen = following.end();
        assert_eq!(seen.status, 1);
        let said = if place.variable.is_some() {
            "password is wrong"
        } else {
            "has ended"
        };
        assert!(seen.err.contains(said), "{}", seen.err);
        assert!(!place.login(device.address()).exists());
        assert_eq!(
            device.change_password(&other.bearer(), to, from).status,
            200
        );
    }
}

#[test]
fn another_certificate_at_a_reconnection_gets_not_a_byte() {
    let device = Device::start();
    let relay = Relay::to(device.address());
    device.log("before");
    let place = Place::with_variable();
    let following = place.follow(relay.address, &[]);
    following.shows("before");
    let fake = Fake::start(vec![nothing(), nothing()]);
    relay.lead_to(fake.address);
    device.wait_for_subscribers(1);
    relay.cut();
    let seen = following.end();
    assert_eq!(seen.status, 1);
    assert!(seen.err.contains(&fake.fingerprint), "{}", seen.err);
    // The second one would have been the farewell.
    assert_eq!(fake.requests(), ["", ""]);
}

#[test]
fn an_interruption_ends_a_pause_and_a_wait_for_an_answer() {
    let device = Device::start();
    let relay = Relay::to(device.address());
    device.log("before");
    let place = Place::with_variable();
    let following = place.follow(relay.address, &[]);
    following.shows("before");
    let gone = Fake::start(vec![]).address;
    relay.lead_to(gone);
    relay.cut();
    following.says("trying again");
    assert_eq!(following.interrupt().status, 0);
    // Before anything was shown it is what a shell expects.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let following = place.follow(silent.local_addr().expect("an address"), &[]);
    let (_held, _) = silent.accept().expect("a client");
    assert_eq!(following.interrupt().status, 130);
}

#[test]
fn a_board_that_is_not_there_at_first_is_no_reason_to_wait() {
    let gone = Fake::start(vec![]);
    let (address, fingerprint) = (gone.address, gone.fingerprint.clone());
    gone.requests();
    let place = Place::with_variable();
    place.trust(address, &fingerprint);
    let following = place.follow(address, &[]);
    let seen = following.end();
    assert_eq!(seen.status, 1);
    assert!(seen.err.to_lowercase().contains("refused"), "{}", seen.err);
}

//! `GET /api/logs`: what the ring holds, and the live stream for curl and `EventSource`.

use std::time::Duration;

use postern::clock::Timestamp;
use postern::logs::{Level, NewEntry};
use serde_json::{Value, json};

use crate::client::{Body, Client, Response};
use crate::device::{Device, PASSWORD, USER, basic};

fn get(device: &Device, target: &str) -> Response {
    device.get(target, Some(&basic(USER, PASSWORD)))
}

/// The texts of the entries in an answer.
fn texts(response: &Response) -> Vec<String> {
    let json = response.json();
    assert_eq!(json["status"], "success");
    let entries = json["data"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| {
            assert_eq!(entry["type"], "log");
            entry["message"].as_str().expect("a text").to_owned()
        })
        .collect()
}

#[test]
fn recent_entries_come_newest_last_limited_filtered_and_since() {
    let device = Device::start();
    assert_eq!(texts(&get(&device, "/api/logs?source=app")), [""; 0]);
    // Entries of the server's own may come between.
    let numbers: Vec<u64> = (0..300)
        .map(|index: u64| device.log(&index.to_string()))
        .collect();
    device.log_as("app", Level::Error, "an Error");
    let recent = texts(&get(&device, "/api/logs?source=app"));
    assert_eq!(recent.len(), 100);
    assert_eq!(recent[0], "201");
    assert_eq!(recent[99], "an Error");
    assert_eq!(
        texts(&get(&device, "/api/logs?source=app&limit=2")),
        ["299", "an Error"]
    );
    assert_eq!(
        texts(&get(&device, "/api/logs?source=app&limit=10000")).len(),
        301
    );
    let since = format!("/api/logs?source=app&since={}", numbers[297]);
    let after = get(&device, &since);
    assert_eq!(after.json()["data"][0]["seq"], numbers[298]);
    assert_eq!(texts(&after), ["298", "299", "an Error"]);
    assert_eq!(
        texts(&get(&device, "/api/logs?source=app&level=warn")),
        ["an Error"]
    );
    assert_eq!(
        texts(&get(&device, "/api/logs?source=app&q=AN+ERR")),
        ["an Error"]
    );
    assert_eq!(texts(&get(&device, "/api/logs?source=other")), [""; 0]);
    // A number from an earlier run says nothing about this one.
    let other_run = format!("{since}&boot=0123456789abcdef&limit=1000");
    assert_eq!(texts(&get(&device, &other_run)).len(), 301);
    // All of this run came after it.
    let until = format!("/api/logs?source=app&limit=2&until={}", numbers[297]);
    let this_run = format!("{until}&boot={}", device.server().api().ring.boot());
    for target in [&until, &this_run] {
        assert_eq!(texts(&get(&device, target)), ["296", "297"]);
    }
    let other_run = format!("{until}&boot=0123456789abcdef");
    assert_eq!(texts(&get(&device, &other_run)), [""; 0]);
}

#[test]
fn recent_entries_are_chosen_by_time_number_field_and_sources() {
    let device = Device::start();
    let begun = device.server().api().clock.wall();
    let first = device.log("0");
    for index in 1..4 {
        device.advance(60);
        device.log(&index.to_string());
    }
    device.log_as("squid", Level::Info, "proxy");
    let at = |minutes: u64| (begun + Duration::from_secs(60 * minutes)).to_string();
    let asked = |query: &str| texts(&get(&device, &format!("/api/logs?source=app&{query}")));
    assert_eq!(asked(&format!("since={}", at(2))), ["2", "3"]);
    assert_eq!(asked(&format!("until={}", at(1))), ["0", "1"]);
    assert_eq!(
        asked(&format!("since={}&until={}", at(1), at(2))),
        ["1", "2"]
    );
    assert_eq!(
        asked(&format!("since={first}&until={}", first + 2)),
        ["1", "2"]
    );
    assert_eq!(asked("since=2099-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(asked("since=1969-12-31T23:59:59.999-01:00").len(), 4);
    // The same time in another zone; a plus sign that curl does not encode is understood too.
    let stamp = begun + Duration::from_secs(120 + 3600);
    for plus in ["+", "%2B"] {
        let zoned = format!(
            "since={}",
            stamp.to_string().replace('Z', &format!("{plus}01:00"))
        );
        assert_eq!(asked(&zoned), ["2", "3"], "{zoned}");
    }
    let several = get(&device, "/api/logs?source=squid,app&limit=2");
    assert_eq!(texts(&several), ["3", "proxy"]);

    let mut entry = NewEntry::new("app".into(), Level::Info, begun, "with a field".into());
    entry.fields.insert("unit".into(), "ssh.service".into());
    device.server().api().ring.push(entry);
    assert_eq!(asked("field.unit=ssh.service"), ["with a field"]);
    assert_eq!(asked("field.unit=ssh"), [""; 0]);
    assert_eq!(asked("field.unit=ssh.service&field.pid=1"), [""; 0]);
    // On a stream as well, which begins where the time says.
    let query = format!("&source=app&field.unit=ssh.service&since={}", at(0));
    let (mut client, _, mut body) = follow(&device, "HTTP/1.1", &query, "");
    assert_eq!(object(client.line(&mut body))["type"], "hello");
    assert_eq!(object(client.line(&mut body))["message"], "with a field");
}

/// A remote host whose clock says 2099.
#[test]
fn a_time_that_cannot_be_true_is_marked_and_does_not_count() {
    let device = Device::start();
    let now = device.server().api().clock.wall();
    let far = now + Duration::from_secs(73 * 365 * 86_400);
    let entry = NewEntry::new("remote".into(), Level::Info, far, "from afar".into());
    device.server().api().ring.push(entry.read_at(now));
    device.advance(600);
    let asked = |since: Timestamp| get(&device, &format!("/api/logs?source=remote&since={since}"));
    assert_eq!(texts(&asked(now + Duration::from_secs(300))), [""; 0]);
    let shown = asked(now).json()["data"][0].clone();
    assert_eq!(shown["timestamp"], far.to_string());
    assert_eq!(shown["arrived"], now.to_string());
}

#[test]
fn a_bad_parameter_is_400_and_named() {
    let device = Device::start();
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("since=x", "since"),
        ("since=1.5", "since"),
        (
            "since=99999999999999999999999",
            "since' must be a whole number below 2^64",
        ),
        ("since=2026-13-01T00:00:00Z", "since"),
        ("since=2026-11-24", "since"),
        ("since=", "since"),
        ("until=soon", "until"),
        ("until=18446744073709551616", "until"),
        ("level=loud", "level"),
        ("follow=perhaps", "follow"),
        (&format!("q={}", "x".repeat(300)), "q"),
        (&format!("source={}", "x".repeat(2000)), "source"),
    ] {
        for follow in ["", "&follow=true"] {
            if !follow.is_empty() && (named == "limit" || named == "follow") {
                continue;
            }
            let response = get(&device, &format!("/api/logs?{query}{follow}"));
            assert_eq!(response.status, 400, "{query:.40}");
            let detail = response.detail();
            assert!(detail.contains(named), "{query:.40}: {detail}");
        }
    }
    assert_eq!(device.get("/api/logs", None).status, 401);
    assert_eq!(device.get("/api/logs?follow=true", None).status, 401);
}

fn follow(device: &Device, version: &str, query: &str, fields: &str) -> (Client, Response, Body) {
    let mut client = device.connect();
    let authorization = basic(USER, PASSWORD);
    let response = client.raw(format!(
        "GET /api/logs?follow=true{query} {version}\r\nHost: localhost\r\n\
         Authorization: {authorization}\r\n{fields}\r\n"
    ));
    assert_eq!(response.status, 200, "{}", response.text());
    let body = Body::of(&response);
    (client, response, body)
}

fn object(line: Option<String>) -> Value {
    let line = line.expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn follow_streams_one_object_a_line() {
    let device = Device::start();
    let first = device.log("from before");
    let query = format!("&source=app&since={}", first - 1);
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let (mut client, response, mut body) = follow(&device, version, &query, "");
        assert_eq!(
            response.header("content-type"),
            Some("application/x-ndjson; charset=utf-8")
        );
        let chunked = (version == "HTTP/1.1").then_some("chunked");
        assert_eq!(response.header("transfer-encoding"), chunked);
        assert_eq!(response.header("content-length"), None);
        assert_eq!(object(client.line(&mut body))["type"], "hello");
        let mut entry = object(client.line(&mut body));
        assert_eq!(entry["message"], "from before");
        let seq = device.log(&format!("live over {version}"));
        while entry["seq"] != seq {
            entry = object(client.line(&mut body));
        }
        assert_eq!(entry["message"], format!("live over {version}"));
    }
}

#[test]
fn an_event_source_gets_ids_and_comes_back_with_the_last() {
    let device = Device::start();
    let first = device.log("first");
    let boot = device.server().api().ring.boot();
    let accept = "Accept: text/event-stream\r\n";
    let query = format!("&source=app&since={}", first - 1);
    let (mut client, response, mut body) = follow(&device, "HTTP/1.1", &query, accept);
    assert_eq!(
        response.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let line = |client: &mut Client, body: &mut Body| client.line(body).expect("a line");
    assert_eq!(line(&mut client, &mut body), "event: hello");
    assert!(line(&mut client, &mut body).starts_with("data: {\"type\":\"hello\""));
    assert_eq!(line(&mut client, &mut body), "");
    assert_eq!(line(&mut client, &mut body), format!("id: {boot}:{first}"));
    let data = line(&mut client, &mut body);
    let data: Value =
        serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(data["message"], "first");
    assert_eq!(line(&mut client, &mut body), "");
    drop(client);

    let missed = device.log("meanwhile");
    // What EventSource remembers is newer than what its URL says.
    let fields = format!("{accept}Last-Event-ID: {boot}:{first}\r\n");
    let (mut client, _, mut body) = follow(&device, "HTTP/1.1", &query, &fields);
    let id = loop {
        let line = line(&mut client, &mut body);
        if line.starts_with("id: ") {
            break line;
        }
    };
    assert_eq!(id, format!("id: {boot}:{missed}"));
}

/// What an `EventSource` that sends this id back gets of the source `app`, up to the message `until`; `query` is its URL's.
fn after_id(device: &Device, id: &str, query: &str, until: &str) -> Vec<String> {
    let fields = format!("Accept: text/event-stream\r\nLast-Event-ID: {id}\r\n");
    let query = format!("&source=app{query}");
    let (mut client, _, mut body) = follow(device, "HTTP/1.1", &query, &fields);
    let mut messages = Vec::new();
    while messages.last().is_none_or(|last| last != until) {
        let line = client.line(&mut body).expect("a line");
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let event = object(Some(data.to_owned()));
        if event["type"] == "log" {
            messages.push(event["message"].as_str().expect("a text").to_owned());
        } else {
            assert_eq!(event["type"], "hello", "nothing is lost");
            assert_eq!(event["boot"], json!(device.server().api().ring.boot()));
        }
    }
    messages
}

fn log_many(device: &Device, name: &str, count: u64) -> Vec<String> {
    let messages: Vec<_> = (0..count).map(|index| format!("{name} {index}")).collect();
    for message in &messages {
        device.log(message);
    }
    messages
}

#[test]
fn an_event_source_gets_all_of_a_new_run_whatever_its_numbers_and_goes_on_in_the_same_one() {
    let mut device = Device::start();
    log_many(&device, "before", 20);
    let last = device.log("the last that the client has");
    let earlier = format!("{}:{last}", device.server().api().ring.boot());
    device.log("missed");
    // At first the new run has fewer entries than the old one had, then more.
    for count in [3, 50] {
        device.restart();
        let written = log_many(&device, "after", count);
        let newest = &written[written.len() - 1];
        assert_eq!(after_id(&device, &earlier, "", newest), written);
        // Of this run only what follows.
        let ring = &device.server().api().ring;
        let same = format!("{}:{}", ring.boot(), ring.bounds().1);
        device.log("next");
        assert_eq!(after_id(&device, &same, "", "next"), ["next"]);
    }
}

#[test]
fn each_run_begins_at_1_and_keeps_no_numbers_on_the_disk() {
    let mut device = Device::start();
    device.log("of the first run");
    device.stop();
    // What 0.1.0 has left.
    std::fs::write(device.state("log-sequence"), "16777217\n").expect("written");
    device.boot();
    assert!(!device.state("log-sequence").exists());
    assert_eq!(device.server().api().ring.bounds().0, 1);
    device.stop();
    assert!(!device.state("log-sequence").exists());
}

#[test]
fn an_id_that_no_event_has_does_not_count_and_a_bare_number_is_of_an_earlier_run() {
    let device = Device::start();
    let first = device.log("1");
    device.log("2");
    device.log("3");
    let boot = device.server().api().ring.boot();
    let query = format!("&since={}", first + 1);
    for malformed in [
        String::new(),
        "x".to_owned(),
        ":".to_owned(),
        "-1".to_owned(),
        format!("{boot}:"),
        format!("{boot}:x"),
        format!("{boot}:-1"),
        format!("{boot}:1.5"),
        format!("{boot}:18446744073709551616"),
        format!("{first}:{boot}x"),
    ] {
        let got = after_id(&device, &malformed, &query, "3");
        assert_eq!(got, ["3"], "{malformed:?}");
    }
    for earlier in [
        first.to_string(),
        u64::MAX.to_string(),
        format!("0123456789abcdef:{first}"),
        format!(":{first}"),
        format!("{boot}:0"),
    ] {
        let got = after_id(&device, &earlier, &query, "3");
        assert_eq!(got, ["1", "2", "3"], "{earlier}");
    }
}

#[test]
fn head_answers_a_follow_without_streaming() {
    let device = Device::start();
    let mut client = device.connect();
    let authorization = basic(USER, PASSWORD);
    let response = client.request("HEAD", "/api/logs?follow=true", Some(&authorization), None);
    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("content-type"),
        Some("application/x-ndjson; charset=utf-8")
    );
    // The same connection goes on, and nobody subscribed.
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
    assert_eq!(device.server().api().hub.subscribers(), 0);
    let response = client.request("HEAD", "/api/logs", Some(&authorization), None);
    assert_eq!(response.status, 200);
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

#[test]
fn the_hello_of_a_follow_is_the_streams() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    let first = device.log("gone");
    for index in 0..500 {
        device.log(&format!("an entry of some length {index}"));
    }
    let (mut client, _, mut body) = follow(&device, "HTTP/1.1", &format!("&since={first}"), "");
    let hello = object(client.line(&mut body));
    let boot = device.server().api().ring.boot();
    assert_eq!(hello["boot"], json!(boot));
    let gap = object(client.line(&mut body));
    assert_eq!(gap["type"], "gap");
    assert_eq!(gap["from"], first + 1);
    drop(client);
    // Cut off before its first entry, a browser knows as well where it was.
    let accept = "Accept: text/event-stream\r\n";
    let (mut client_2, _, mut body_2) = follow(&device, "HTTP/1.1", "", accept);
    assert_eq!(client_2.line(&mut body_2).as_deref(), Some("event: hello"));
    let id = client_2.line(&mut body_2).expect("a line");
    let data = client_2.line(&mut body_2).expect("a line");
    let hello = object(data.strip_prefix("data: ").map(str::to_owned));
    assert_eq!(id, format!("id: {boot}:{}", hello["newest"]));
    drop(client_2);
    // For a browser the gap's end is where it was.
    let accept = "Accept: text/event-stream\r\n";
    let query = format!("&since={first}");
    let (mut client, _, mut body) = follow(&device, "HTTP/1.1", &query, accept);
    while client.line(&mut body).expect("a line") != "event: gap" {}
    let id = client.line(&mut body).expect("a line");
    let gap = client.line(&mut body).expect("a line");
    let gap = object(gap.strip_prefix("data: ").map(str::to_owned));
    assert_eq!(id, format!("id: {boot}:{}", gap["to"]));
    drop(client);
    device.wait_for_connections(0);
    device.wait_for_subscribers(0);
}

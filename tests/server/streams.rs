//! What comes over a log stream, and in which order: over real TLS, from real files.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use postern::logs::Level;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};

use crate::client::{Client, tcp_with, tls_config};
use crate::device::{Device, PASSWORD, USER, basic};
use crate::websocket::{Subscriber, handshake};

/// What a subscriber of everything keeps count of: no entry twice, none missing but those a gap tells of.
struct Tally {
    expected: u64,
    missed: u64,
}

impl Tally {
    fn after(seq: u64) -> Self {
        Self {
            expected: seq + 1,
            missed: 0,
        }
    }

    fn take(&mut self, message: &Value) {
        let number = |name: &str| message[name].as_u64().expect("a number");
        if message["type"] == "gap" {
            assert_eq!(number("from"), self.expected, "{message}");
            assert_eq!(number("missed"), number("to") - number("from") + 1);
            self.missed += number("missed");
            self.expected = number("to") + 1;
        } else {
            assert_eq!(number("seq"), self.expected, "{message}");
            self.expected += 1;
        }
    }

    fn take_until(&mut self, subscriber: &mut Subscriber, last: u64) {
        while self.expected <= last {
            self.take(&subscriber.next());
        }
    }
}

fn authorization() -> String {
    basic(USER, PASSWORD)
}

fn number(message: &Value, name: &str) -> u64 {
    message[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {message}"))
}

#[test]
fn the_hello_comes_first_and_names_this_run_and_the_rings_bounds() {
    let device = Device::start();
    let first = device.log("one");
    let last = device.log("two");
    let subscriber = Subscriber::open(&device, &authorization(), "");
    let hello = &subscriber.hello;
    assert_eq!(hello["boot"], device.server().api().ring.boot());
    assert!(number(hello, "oldest") <= first, "{hello}");
    assert!(number(hello, "newest") >= last, "{hello}");
}

#[test]
fn an_entry_has_every_member_of_the_contract() {
    let device = Device::start();
    let mut subscriber = Subscriber::open(&device, &authorization(), "?source=squid");
    let seq = device.log_as("squid", Level::Warn, "a \"quoted\"\tline, ünï");
    let time = device.server().api().clock.now().to_string();
    assert_eq!(
        subscriber.next(),
        json!({"type": "log", "seq": seq, "timestamp": time, "source": "squid", "level": "warn",
               "message": "a \"quoted\"\tline, ünï", "fields": {}})
    );
}

/// Waits until the device has read that many lines; log files are followed by the clock that tests turn.
fn wait_for_lines(device: &Device, lines: u64) {
    crate::eventually("the lines of the file", || {
        device.time.advance(Duration::from_millis(20));
        device.server().api().sources.lock().states()[0].entries == lines
    });
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

#[test]
fn the_lines_of_a_file_arrive_in_order_and_once_through_rotation_and_truncation() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    append(&path, "from before the start\n");
    let device = Device::with(&[("LOG_SOURCES", &format!("file:{}", path.display()))]);
    crate::eventually("the file is followed", || {
        device.server().api().sources.lock().states()[0].state == "following"
    });
    let mut subscriber = Subscriber::open(&device, &authorization(), "?source=app");

    append(&path, "one\ntwo\nthr");
    append(&path, "ee\n");
    wait_for_lines(&device, 3);
    // Its writer goes on for a moment after the rename.
    let mut old = OpenOptions::new().append(true).open(&path).expect("opened");
    fs::rename(&path, folder.path().join("app.log.1")).expect("renamed");
    old.write_all(b"four\n").expect("written");
    append(&path, "five\n");
    wait_for_lines(&device, 5);
    File::create(&path).expect("truncated");
    append(&path, "6\n");
    wait_for_lines(&device, 6);
    append(&path, "seven\r\n\u{1b}[31meight\n");
    wait_for_lines(&device, 8);

    for expected in ["one", "two", "three", "four", "five", "6", "seven"] {
        assert_eq!(subscriber.message(), expected);
    }
    assert!(subscriber.message().contains("eight"));
    subscriber.is_served(&device);
}

#[test]
fn since_replays_and_goes_live_without_a_seam() {
    let device = Device::start();
    let first = device.log("0");
    for index in 1..200 {
        device.log(&index.to_string());
    }
    let query = format!("?since={}", first - 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for index in 200..2000 {
                device.log(&index.to_string());
            }
        });
        for _ in 0..4 {
            scope.spawn(|| {
                let mut subscriber = Subscriber::open(&device, &authorization(), &query);
                let mut tally = Tally::after(first - 1);
                let mut next = 0;
                while next < 2000 {
                    let message = subscriber.next();
                    tally.take(&message);
                    if message["source"] == "app" {
                        assert_eq!(message["message"], next.to_string());
                        next += 1;
                    }
                }
                assert_eq!(tally.missed, 0);
            });
        }
    });
}

#[test]
fn what_the_ring_no_longer_holds_is_told_by_a_gap() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    let first = device.log("long gone");
    let mut last = first;
    for index in 0..500 {
        last = device.log(&format!("an entry of some length {index}"));
    }
    let mut subscriber = Subscriber::open(&device, &authorization(), &format!("?since={first}"));
    assert!(number(&subscriber.hello, "oldest") > first + 1);
    let gap = subscriber.next();
    assert_eq!(gap["type"], "gap");
    assert_eq!(number(&gap, "from"), first + 1);
    let mut tally = Tally::after(first);
    tally.take(&gap);
    tally.take_until(&mut subscriber, last);
    assert!(tally.missed > 300, "{}", tally.missed);

    // A number from the future of this run is no reason to wait for it.
    let query = format!("?since={}", u64::MAX);
    Subscriber::open(&device, &authorization(), &query).is_served(&device);
}

#[test]
fn a_client_of_an_earlier_run_gets_all_there_is() {
    let mut device = Device::start();
    for index in 0..50 {
        device.log(&format!("before {index}"));
    }
    let boot = Subscriber::open(&device, &authorization(), "").hello["boot"].clone();
    let boot = boot.as_str().expect("a boot").to_owned();
    device.restart();
    device.log("after the restart");
    for since in ["40", "1"] {
        let query = format!("?source=app&since={since}&boot={boot}");
        let mut subscriber = Subscriber::open(&device, &authorization(), &query);
        assert_ne!(subscriber.hello["boot"], boot.as_str());
        assert_eq!(subscriber.message(), "after the restart");
    }
    // Of the same run it is what it always is.
    let seq = device.log("next");
    let this = device.server().api().ring.boot().to_owned();
    let query = format!("?source=app&since={}&boot={this}", seq - 1);
    let mut subscriber = Subscriber::open(&device, &authorization(), &query);
    assert_eq!(subscriber.message(), "next");
}

#[test]
fn source_level_and_text_filter() {
    let device = Device::start();
    let mut all: Vec<(&str, Subscriber)> = [
        "?source=squid",
        "?source=squid&level=warn",
        "?source=squid&q=%C3%9CBER%20x",
    ]
    .into_iter()
    .map(|query| (query, Subscriber::open(&device, &authorization(), query)))
    .collect();
    for (source, level, text) in [
        ("app", Level::Emerg, "über x"),
        ("squid", Level::Info, "plain"),
        ("squid", Level::Warn, "a warning"),
        ("squid", Level::Crit, "critical"),
        ("squid", Level::Debug, "all Über X all"),
        ("squid", Level::Error, "the end, über x"),
    ] {
        device.log_as(source, level, text);
    }
    for (query, subscriber) in &mut all {
        let expected: &[&str] = match *query {
            "?source=squid" => &[
                "plain",
                "a warning",
                "critical",
                "all Über X all",
                "the end, über x",
            ],
            "?source=squid&level=warn" => &["a warning", "critical", "the end, über x"],
            _ => &["all Über X all", "the end, über x"],
        };
        for text in expected {
            assert_eq!(subscriber.message(), *text, "{query}");
        }
    }
}

#[test]
fn a_slow_reader_is_told_what_it_missed_and_delays_nobody() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "262144")]);
    let socket = tcp_with(Ipv4Addr::LOCALHOST, Some(4096), device.address());
    let name = ServerName::from(device.address().ip());
    let tls = tls_config(&device.state("tls-cert.pem"));
    let client = Client::over(socket, tls, name).expect("a TLS connection");
    let mut slow = Subscriber::over(client, &authorization(), "");
    let mut fast = Subscriber::open(&device, &authorization(), "");
    let mut tally = Tally::after(number(&fast.hello, "newest"));
    let mut late = Tally::after(number(&slow.hello, "newest"));

    // More than any socket buffers hold, in step with the fast one.
    let text = "x".repeat(16 * 1024);
    let mut last = 0;
    for _ in 0..600 {
        last = device.log(&text);
        tally.take_until(&mut fast, last);
    }
    assert_eq!(tally.missed, 0);
    late.take_until(&mut slow, last);
    assert!(late.missed > 100, "{}", late.missed);
    slow.is_served(&device);
}

#[test]
fn a_frame_in_the_same_breath_as_the_handshake_is_not_lost() {
    let device = Device::start();
    let head = handshake("/api/ws/logs", &[("Authorization", &authorization())]);
    // A masked ping with a mask of zeroes, "abc"; and the beginning of another one.
    let ping = [0x89, 0x83, 0, 0, 0, 0, b'a', b'b', b'c'];
    let bytes = [head.as_bytes(), &ping, &ping[..4]].concat();
    // Once cold, when the request goes through the pool, and once straight from the worker.
    for _ in 0..2 {
        let mut client = device.connect();
        let response = client.raw(&bytes);
        let mut subscriber = Subscriber::after(client, &response);
        assert_eq!(pong(&mut subscriber), b"abc");
        let stream = subscriber.socket.get_mut();
        stream.write_all(&ping[4..]).expect("sent");
        stream.flush().expect("sent");
        assert_eq!(pong(&mut subscriber), b"abc");
    }
}

fn pong(subscriber: &mut Subscriber) -> Vec<u8> {
    loop {
        if let tungstenite::Message::Pong(bytes) = subscriber.socket.read().expect("a message") {
            return bytes.to_vec();
        }
    }
}

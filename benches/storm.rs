//! A log that writes 50,000 lines a second, and who else wants something of the server meanwhile: `cargo bench --bench storm`.
//!
//! The release binary follows a file that is written to at that pace, with nobody watching, with one follower that keeps
//! up, and with one that does not. On the side one client asks with its token, over a connection of its own, a hundred times a
//! second. Told are what its answers took, with no storm and with one, the memory of the server's process before and after,
//! the processor it used, and whether every line came to the followers or was told of by a gap. Ends with an error where a
//! limit is passed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use client::{Client, PASSWORD, USER};
use program::Program;

#[expect(dead_code, reason = "what tests need")]
#[path = "../tests/support/client.rs"]
mod client;
#[expect(dead_code, reason = "what tests need")]
#[path = "../tests/support/config.rs"]
mod config;
#[expect(dead_code, reason = "what tests need")]
#[path = "../tests/support/program.rs"]
mod program;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!(
        "                      lines/s   p50 ms   p99 ms   max ms   CPU    KiB before  after   lines    gaps   missed"
    );
    let mut within = true;
    for (title, rate, followers) in [
        ("no storm", 0, &[][..]),
        ("nobody watches", RATE, &[][..]),
        ("one follows", RATE, &[Pace::Swift][..]),
        ("one follows slowly", RATE, &[Pace::Slow][..]),
    ] {
        let run = run(rate, followers);
        println!("{title:20} {run}");
        within &= run.is_within(rate, followers);
    }
    if within {
        ExitCode::SUCCESS
    } else {
        eprintln!("a limit is passed");
        ExitCode::FAILURE
    }
}

/// How a follower reads.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    /// As fast as it can.
    Swift,
    /// A line, then a pause.
    Slow,
}

/// What one run came to.
struct Run {
    written: u64,
    latencies: Vec<Duration>,
    busy: f64,
    before: u64,
    after: u64,
    /// What the followers were given.
    seen: Seen,
    /// Entries that the server numbered.
    numbered: u64,
}

#[derive(Default)]
struct Seen {
    lines: u64,
    gaps: u64,
    missed: u64,
    /// Whether each entry came once, in order, or was in a gap.
    whole: bool,
}

impl Run {
    fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }

    fn is_within(&self, rate: u64, followers: &[Pace]) -> bool {
        let quick = self.percentile(99) <= SLOWEST;
        let bounded = self.after <= self.before + MOST_GROWTH;
        let paced = self.written * 100 >= rate * STORM.as_secs() * 98;
        // Who reads a hundredth of what is written must have lost some, and been told.
        let told = !followers.contains(&Pace::Slow) || self.seen.missed > 0;
        let checks = [
            (quick, "the p99 of a request is over 20 ms"),
            (bounded, "memory grew"),
            (paced, "this machine could not write that many lines"),
            (self.numbered >= self.written, "lines were not read"),
            (self.seen.whole, "a follower missed an entry, without a gap"),
            (told, "the slow follower met no gap"),
        ];
        for (_, what) in checks.iter().filter(|(held, _)| !held) {
            eprintln!("{what}");
        }
        checks.iter().all(|(held, _)| *held)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        write!(
            f,
            "{:8}  {:7.2}  {:7.2}  {:7.2}  {:4.0} %  {:9}  {:5}  {:6}  {:6}  {:7}",
            self.written / STORM.as_secs(),
            millis(50),
            millis(99),
            millis(100),
            self.busy * 100.0,
            self.before,
            self.after,
            self.seen.lines,
            self.seen.gaps,
            self.seen.missed,
        )
    }
}

fn run(rate: u64, followers: &[Pace]) -> Run {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let server = Server::start(folder.path());
    let token = server.token();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let following: Vec<_> = followers
            .iter()
            .map(|pace| {
                let mut client = server.program.connect();
                client.send(format!(
                    "GET /api/logs?follow=true&since=0 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
                ));
                let over = &over;
                scope.spawn(move || follow(client, *pace, over))
            })
            .collect();
        // The ring is full, and everything that is allocated once is: what comes on top grows.
        write_lines(&server.log, RATE, WARM_UP);
        server.wait_until_read();
        let (before, begun, numbered) =
            (server.resident(), Instant::now(), server.numbered(&token));
        let busy = server.processor_time();
        let asking = scope.spawn(|| ask(server.program.connect(), &token, &over));
        let written = write_lines(&server.log, rate, STORM);
        let busy = (server.processor_time() - busy) / begun.elapsed().as_secs_f64();
        server.wait_until_read();
        let after = server.resident();
        let numbered = server.numbered(&token) - numbered;
        over.store(true, Ordering::SeqCst);
        // The last line is what ends the followers.
        append(&server.log, format!("{LAST}\n").as_bytes());
        let mut seen = Seen {
            whole: true,
            ..Seen::default()
        };
        for follower in following {
            let one = follower.join().expect("a follower");
            seen.lines += one.lines;
            seen.gaps += one.gaps;
            seen.missed += one.missed;
            seen.whole &= one.whole;
        }
        let mut latencies = asking.join().expect("a client");
        latencies.sort();
        Run {
            written,
            latencies,
            busy,
            before,
            after,
            seen,
            numbered,
        }
    })
}

/// Appends lines at a steady pace. Returns how many.
fn write_lines(path: &Path, rate: u64, duration: Duration) -> u64 {
    let (begun, mut written) = (Instant::now(), 0);
    let mut text = Vec::new();
    while begun.elapsed() < duration {
        let due =
            u64::try_from(begun.elapsed().as_micros()).expect("a short run") * rate / 1_000_000;
        text.clear();
        for number in written..due {
            let _ = writeln!(
                text,
                "app[{number}]: a line of the length that lines in a log usually have, or a little longer"
            );
        }
        append(path, &text);
        written = written.max(due);
        thread::sleep(TICK);
    }
    written
}

fn append(path: &Path, text: &[u8]) {
    let file = File::options().append(true).open(path);
    file.and_then(|mut file| file.write_all(text))
        .expect("written");
}

/// Asks, a hundred times a second, something that only a token's owner may, and returns what the answers took.
fn ask(mut client: Client, token: &str, over: &AtomicBool) -> Vec<Duration> {
    let request =
        format!("GET /api/ws-token HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut latencies = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let answer = client.raw(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        latencies.push(begun.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    latencies
}

/// Reads the stream up to the last line, and holds it against itself.
fn follow(client: Client, pace: Pace, over: &AtomicBool) -> Seen {
    let mut seen = Seen {
        whole: true,
        ..Seen::default()
    };
    let mut next = 1;
    let mut line = String::new();
    // Taken apart by the client, chunk by chunk, 50,000 lines a second would make it a slow one.
    let (stream, begun) = client.into_parts();
    let mut lines = BufReader::new(begun.chain(stream));
    loop {
        line.clear();
        let read = lines.read_line(&mut line).expect("the stream");
        assert!(read > 0, "the stream has ended");
        // Heads, lengths of chunks, and what lies between them.
        if !line.starts_with('{') {
            continue;
        }
        let ending = over.load(Ordering::SeqCst);
        if pace == Pace::Slow && !ending {
            thread::sleep(Duration::from_millis(1));
        }
        let number = |name: &str| number(&line, name);
        if line.starts_with(r#"{"type":"gap""#) {
            seen.gaps += 1;
            seen.missed += number("missed");
            seen.whole &= number("from") == next && number("to") + 1 == next + number("missed");
            next = number("to") + 1;
        } else if line.starts_with(r#"{"type":"log""#) {
            seen.lines += 1;
            seen.whole &= number("seq") == next;
            next = number("seq") + 1;
            if line.contains(LAST) {
                return seen;
            }
        }
    }
}

/// The member's number; parsing the whole object would make the follower a slow one.
fn number(line: &str, name: &str) -> u64 {
    let from = line.find(&format!("\"{name}\":")).expect("the member") + name.len() + 3;
    let digits = &line[from..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).expect("an end");
    digits[..end].parse().expect("a number")
}

/// The release binary, over a folder of its own.
struct Server {
    program: Program,
    log: PathBuf,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let log = folder.join("app.log");
        File::create(&log).expect("the log");
        let program = Program::start(&[
            ("LOCAL_SOCKET", ""),
            ("BASIC_AUTH_PASSWORD", PASSWORD),
            ("RATE_LIMIT_RPS", "100000"),
            ("RATE_LIMIT_BURST", "1000000"),
            ("LOG_SOURCES", &format!("file:{}", log.display())),
        ]);
        let server = Self { program, log };
        let token = server.token();
        let following = || {
            let status = server.status(&token);
            let state = status["logs"]["sources"][0]["state"].as_str();
            state.expect("a state").starts_with("following")
        };
        while !following() {
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn token(&self) -> String {
        let answer = self.program.login(USER, PASSWORD).json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn status(&self, token: &str) -> Value {
        let authorization = format!("Bearer {token}");
        let answer = self
            .program
            .request("GET", "/api/status", Some(&authorization), None);
        answer.json()
    }

    /// The number of the newest entry.
    fn numbered(&self, token: &str) -> u64 {
        self.status(token)["logs"]["newest"]
            .as_u64()
            .expect("a number")
    }

    /// Waits until the file's end has been read, by the numbers that entries get.
    fn wait_until_read(&self) {
        let token = self.token();
        let mut last = u64::MAX;
        loop {
            let newest = self.numbered(&token);
            if newest == last {
                return;
            }
            last = newest;
            thread::sleep(Duration::from_millis(600));
        }
    }

    /// `VmRSS`, in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(self.program.proc("status")).expect("the process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let words = line.expect("VmRSS").split_whitespace().nth(1);
        words.expect("a figure").parse().expect("a number")
    }

    /// Seconds of processor that the process has used.
    fn processor_time(&self) -> f64 {
        let stat = fs::read_to_string(self.program.proc("stat")).expect("the process");
        // Fields 14 and 15 of proc(5), counted behind the name, which may hold anything.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .expect("a name")
            .1
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) / TICKS_A_SECOND
    }
}

/// Lines a second.
const RATE: u64 = 50_000;

/// How long the storm lasts, …
const STORM: Duration = Duration::from_secs(10);

/// … and the one before it, which fills what is filled once.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is written behind everything else, so that a follower knows its end.
const LAST: &str = "the storm is over";

/// Between two writes: a burst of a few hundred lines.
const TICK: Duration = Duration::from_millis(5);

/// The limit of a request's p99.
const SLOWEST: Duration = Duration::from_millis(20);

/// What the process may grow by, in KiB: noise of the allocator, not a queue.
const MOST_GROWTH: u64 = 1024;

/// What `/proc` counts in, on Linux.
const TICKS_A_SECOND: f64 = 100.0;

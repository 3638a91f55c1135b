//! The log's promises, with faults where the file system has them.

use std::fs;

use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::folder::path;
use super::line::MAX_LINE;
use super::*;
use crate::clock::{FakeTimeSource, Timestamp};
use crate::ids::{ClientKey, Id};

/// 2026-11-18.
const TODAY: Timestamp = Timestamp::from_secs(1_795_000_000);
const SMALLEST: u64 = 65_536;

pub(super) fn clock() -> Arc<Clock> {
    clock_at(TODAY)
}

fn clock_at(time: Timestamp) -> Arc<Clock> {
    Arc::new(Clock::new(Arc::new(FakeTimeSource::new(time)), None))
}

fn opened(folder: &TempDir) -> Audit {
    Audit::open(folder.path(), SMALLEST, clock(), false).unwrap()
}

fn read(audit: &Audit) -> Vec<Value> {
    let lines = audit.page(u64::MAX, usize::MAX).unwrap();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn client(last: u8) -> Origin {
    Origin::Client(ClientKey::V4([192, 0, 2, last]))
}

#[test]
fn an_entry_has_what_is_known_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(&folder);
    let event = Event {
        origin: client(7),
        user: User::Account("admin"),
        by: Some("login"),
        token: Some(Token {
            jti: *b"5b0c8e21",
            login: Id([1; 16]),
        }),
        ..Event::default()
    };
    audit.record(EventKind::Login, &event);
    audit.record(
        EventKind::Failure,
        &Event {
            origin: Origin::Local,
            user: User::Unknown,
            outcome: EventOutcome::Refused,
            ..Event::default()
        },
    );
    let entries = read(&audit);
    let hash = "0".repeat(64);
    assert_eq!(
        entries[0],
        serde_json::json!({
            "seq": 1, "time": "2026-11-18T11:06:40.000Z", "event": "login", "outcome": "ok", "address": "192.0.2.7",
            "user": "admin", "by": "login", "jti": "5b0c8e21", "sid": "01010101", "prev": hash,
        })
    );
    assert_eq!(entries[1]["address"], "local");
    assert_eq!(entries[1]["user"], Value::Null);
    // As they were recorded they come to stand in the file, the first member first.
    let lines = audit.page(u64::MAX, 10).unwrap();
    audit.stop();
    let file = fs::read_to_string(folder.path().join(NAME)).unwrap();
    assert_eq!(file, lines.join("\n") + "\n");
    assert!(file.starts_with("{\"seq\":1,\"time\":"));
    assert_eq!(verify(folder.path()).unwrap().entries, 2);
}

#[test]
fn a_time_that_is_not_known_is_not_passed_off_as_one() {
    let folder = tempfile::tempdir().unwrap();
    for (time, expected) in [
        (Timestamp::from_secs(5), Value::from("unset")),
        (TODAY, Value::Null),
    ] {
        let audit = Audit::open(folder.path(), SMALLEST, clock_at(time), false).unwrap();
        audit.record(EventKind::Start, &Event::default());
        let entries = read(&audit);
        assert_eq!(entries.last().unwrap()["clock"], expected);
        audit.stop();
    }
    // Held, too: the time is the one that is believed for now.
    let source = Arc::new(FakeTimeSource::new(TODAY));
    let clock = Arc::new(Clock::new(source.clone(), Some(TODAY)));
    let audit = Audit::open(folder.path(), SMALLEST, clock, false).unwrap();
    source.set_system(Timestamp::from_secs(1_795_000_000 + 10 * 86_400));
    audit.record(EventKind::Start, &Event::default());
    assert_eq!(read(&audit).last().unwrap()["clock"], "held");
    assert!(verify(folder.path()).unwrap().whole());
}

#[test]
fn a_flood_of_failures_costs_a_few_lines_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let calls = writer::tests::Faulty::default();
    let audit = Audit::open_with(
        folder.path(),
        SMALLEST,
        clock(),
        false,
        Box::new(calls.clone()),
    )
    .unwrap();
    let failure = Event {
        origin: client(1),
        user: User::Account("admin"),
        ..Event::default()
    };
    for n in 0..100_000 {
        audit.record(EventKind::Failure, &failure);
        if n % 10_000 == 0 {
            audit.record(EventKind::Login, &failure);
        }
    }
    audit.stop();
    let entries = read(&audit);
    // One with a count stands for the others too.
    let of = |kind: &str| -> u64 {
        let of_kind = entries.iter().filter(|entry| entry["event"] == kind);
        of_kind
            .map(|entry| 1 + entry["repeated"].as_u64().unwrap_or(0))
            .sum()
    };
    assert_eq!(of("login"), 10);
    assert!(entries.len() < 100, "{}", entries.len());
    let omitted: u64 = entries
        .iter()
        .filter_map(|entry| entry["omitted"].as_u64())
        .sum();
    assert_eq!(of("failure") + omitted, 100_000);
    let bytes = fs::metadata(folder.path().join(NAME)).unwrap().len();
    assert!(bytes < 16_384, "{bytes}");
    // The machine may be slow: one write a second at most, and the last.
    let writes = calls.writes();
    assert!(writes < 100, "{writes}");
    println!("100,000 failures: {bytes} bytes in {writes} writes");
}

#[test]
fn each_of_a_hundred_password_changes_is_in_the_file_after_one_write() {
    for changes in [9, 100] {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(folder.path(), 16 * SMALLEST, clock(), false).unwrap();
        let event = Event {
            origin: client(1),
            user: User::Account("admin"),
            ..Event::default()
        };
        // The writer waits: all of them are there at once.
        let mut writer = audit.shared.writer.lock();
        for _ in 0..changes {
            audit.record(EventKind::PasswordChange, &event);
        }
        // What the writer does within a second. It is not the end, at which whatever waits is written.
        let now = Instant::now();
        let mut take = || audit.shared.queue.lock().take(now, now);
        writer.work(&mut take, now);
        writer.work(&mut take, now + Duration::from_secs(1));
        drop(writer);
        let lines = recent(folder.path(), usize::MAX).unwrap();
        assert_eq!(lines.len(), changes);
        assert!(lines.iter().all(|line| !line.contains("repeated")));
    }
}

#[test]
fn a_name_that_stays_in_is_news_once_an_hour_and_after_a_password_change() {
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(&folder);
    for _ in 0..3 {
        for last in 1..=2 {
            audit.record_basic(&Event {
                origin: client(last),
                ..Event::default()
            });
        }
    }
    assert_eq!(read(&audit).len(), 2);
    audit.record(EventKind::PasswordChange, &Event::default());
    audit.record_basic(&Event {
        origin: client(1),
        ..Event::default()
    });
    assert_eq!(read(&audit).len(), 4);
}

#[test]
fn after_the_end_nothing_is_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(&folder);
    audit.record(EventKind::Stop, &Event::default());
    audit.stop();
    let next = opened(&folder);
    audit.record(EventKind::Login, &Event::default());
    audit.stop();
    drop(audit);
    next.record(EventKind::Start, &Event::default());
    next.stop();
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.whole(), report.entries), (true, 2));
}

#[test]
fn one_that_is_dropped_writes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(&folder);
    audit.record(EventKind::Login, &Event::default());
    let shared = audit.shared.clone();
    drop(audit);
    while Arc::strong_count(&shared) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(recent(folder.path(), 10).unwrap().len(), 1);
}

#[test]
fn pages_go_backwards_through_memory_and_every_file_without_a_gap() {
    // Files of one block, and of several, whose borders are in the middle of lines.
    for bytes in [SMALLEST, 5 * SMALLEST] {
        pages_go_backwards(bytes);
    }
}

fn pages_go_backwards(bytes: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut recorded = 0;
    // Several runs, as each is written whole at its end; the last one's waits.
    let audit = loop {
        let audit = Audit::open(folder.path(), bytes, clock(), false).unwrap();
        for n in 0..40 {
            // Each another's, so that none is folded.
            let event = Event {
                origin: client(n),
                ..Event::default()
            };
            audit.record(EventKind::Login, &event);
        }
        recorded += 40;
        if path(folder.path(), FILES - 1).exists() {
            break audit;
        }
        audit.stop();
    };
    let (mut before, mut seen) = (u64::MAX, Vec::new());
    loop {
        let page = audit.page(before, 7).unwrap();
        let numbers: Vec<u64> = page
            .iter()
            .map(|line| ChainLink::of(line.as_bytes()).unwrap().seq)
            .collect();
        assert!(numbers.len() <= 7 && numbers.is_sorted());
        let Some(first) = numbers.first() else { break };
        before = *first;
        seen.extend(numbers.into_iter().rev());
    }
    let expected: Vec<u64> = (1..=recorded).rev().collect();
    assert_eq!(seen, expected);
    assert_eq!(
        audit.page(u64::MAX, 100_000).unwrap().len() as u64,
        recorded
    );
    assert!(audit.page(1, 10).unwrap().is_empty() && audit.page(0, 10).unwrap().is_empty());
}

#[test]
fn the_files_are_nobody_elses() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let audit = opened(&folder);
    audit.record(EventKind::Login, &Event::default());
    audit.stop();
    let mode = fs::metadata(folder.path().join(NAME))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What anybody put there: nothing panics, what is read is entries, and what is recorded then is there.
    #[test]
    fn no_bytes_in_the_files_break_anything(files in prop::collection::vec(arbitrary_file(), 4)) {
        let folder = tempfile::tempdir().unwrap();
        for (number, bytes) in files.iter().enumerate() {
            if let Some(bytes) = bytes {
                fs::write(path(folder.path(), number), bytes).unwrap();
            }
        }
        let _ = verify(folder.path());
        let audit = opened(&folder);
        audit.record(EventKind::Login, &Event::default());
        let entries = read(&audit);
        prop_assert_eq!(&entries.last().unwrap()["event"], "login");
        audit.stop();
        let newest = recent(folder.path(), 1).unwrap();
        let newest = newest.last().unwrap();
        prop_assert!(newest.contains("\"event\":\"login\""));
        // Whatever was before: from here on the chain goes on.
        let audit = opened(&folder);
        audit.record(EventKind::Logout, &Event::default());
        audit.stop();
        let after = recent(folder.path(), 1).unwrap();
        let hash = line::hash(newest.as_bytes());
        prop_assert_eq!(ChainLink::of(after.last().unwrap().as_bytes()).unwrap().prev, hash.as_str());
    }
}

/// Garbage, entries, both, or nothing.
fn arbitrary_file() -> impl Strategy<Value = Option<Vec<u8>>> {
    let entry = (any::<u64>(), "[ -~]{0,80}").prop_map(|(seq, body)| {
        let mut line = line::line(seq, &body, line::NONE_BEFORE).into_bytes();
        line.push(b'\n');
        line
    });
    let garbage = prop::collection::vec(any::<u8>(), 0..3 * MAX_LINE);
    let zeros = (0..5000_usize).prop_map(|count| vec![0; count]);
    let piece = prop_oneof![4 => entry, 1 => garbage, 1 => zeros, 1 => Just(b"\n".to_vec())];
    prop::option::of(prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()))
}

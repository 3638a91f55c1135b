use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::clock::Timestamp;
use crate::logs::Level;

fn new(message: &str) -> NewEntry {
    NewEntry::new(
        "app".into(),
        Level::Info,
        Timestamp::from_millis(1_795_530_730_123),
        message.into(),
    )
}

fn read(ring: &Ring, cursor: u64) -> (Vec<u64>, Option<Gap>) {
    let mut entries = Vec::new();
    let gap = ring.read_from(cursor, 1000, usize::MAX, &mut entries);
    (entries.iter().map(|entry| entry.seq).collect(), gap)
}

#[test]
fn an_entry_is_the_contracts_json_to_the_letter() {
    let ring = Ring::new(1 << 16, "b00t".into(), Box::new(|| ()));
    let mut entry = new("a \"b\" \u{1b}[0m");
    entry.fields.insert("n".into(), 1.into());
    assert_eq!(ring.push(entry), 1);
    assert_eq!(ring.push(new("")), 2);
    let texts = ring.recent(10, None, &Filter::default());
    assert_eq!(
        texts[0].as_str(),
        r#"{"type":"log","seq":1,"timestamp":"2026-11-24T14:32:10.123Z","source":"app","level":"info","message":"a \"b\" \u001b[0m","fields":{"n":1}}"#
    );
    assert_eq!(
        texts[1].as_str(),
        r#"{"type":"log","seq":2,"timestamp":"2026-11-24T14:32:10.123Z","source":"app","level":"info","message":"","fields":{}}"#
    );
    assert_eq!(
        ring.hello().0.as_str(),
        r#"{"type":"hello","boot":"b00t","oldest":1,"newest":2}"#
    );
}

#[test]
fn the_ring_stays_within_its_bytes_whatever_comes() {
    let ring = Ring::new(10_000, "b".into(), Box::new(|| ()));
    for length in [0, 10, 5000, 20, 9000, 3, 70_000, 1, 2] {
        for _ in 0..20 {
            ring.push(new(&"x".repeat(length)));
            assert!(ring.bytes() <= 10_000);
            let (oldest, newest) = ring.bounds();
            assert_eq!(read(&ring, oldest).0, (oldest..=newest).collect::<Vec<_>>());
        }
    }
    assert_eq!(ring.bounds().1, 180);
    assert!(ring.bytes() > 5000);
}

#[test]
fn an_entry_larger_than_the_ring_becomes_a_gap() {
    let ring = Ring::new(2000, "b".into(), Box::new(|| ()));
    ring.push(new("small"));
    ring.push(new(&"x".repeat(3000)));
    assert_eq!(ring.bounds(), (3, 2));
    assert_eq!(ring.bytes(), 0);
    assert_eq!(read(&ring, 1), (vec![], Some(Gap { from: 1, to: 2 })));
    ring.push(new("next"));
    assert_eq!(read(&ring, 2), (vec![3], Some(Gap { from: 2, to: 2 })));
}

#[test]
fn a_reader_gets_every_entry_once_and_a_gap_where_the_ring_overran_it() {
    let ring = Ring::new(2500, "b".into(), Box::new(|| ()));
    assert_eq!(ring.bounds(), (1, 0));
    assert_eq!(read(&ring, 1), (vec![], None));
    for _ in 0..100 {
        ring.push(new("line"));
    }
    let (oldest, newest) = ring.bounds();
    assert!(oldest > 50 && newest == 100);
    let (seqs, gap) = read(&ring, 7);
    assert_eq!(
        gap,
        Some(Gap {
            from: 7,
            to: oldest - 1
        })
    );
    assert_eq!(seqs, (oldest..=100).collect::<Vec<_>>());
    assert_eq!(read(&ring, oldest).1, None);
    assert_eq!(read(&ring, 101), (vec![], None));
    assert_eq!(read(&ring, u64::MAX), (vec![], None));
    assert_eq!(
        Gap {
            from: 1235,
            to: 1301
        }
        .json()
        .as_str(),
        r#"{"type":"gap","from":1235,"to":1301,"missed":67}"#
    );
}

#[test]
fn a_number_of_another_run_has_seen_nothing_of_this_one() {
    let ring = Ring::new(1 << 16, "b".into(), Box::new(|| ()));
    assert_eq!(ring.bounds(), (1, 0));
    assert_eq!(ring.after(0, None), 1);
    for seq in 1..=3 {
        assert_eq!(ring.push(new("line")), seq);
    }
    for (since, boot, next) in [
        (0, None, 1),
        (2, None, 3),
        (2, Some("b"), 3),
        (3, Some("b"), 4),
        (u64::MAX, None, 4),
        (u64::MAX, Some("b"), 4),
        (2, Some("a"), 1),
        (500, Some("a"), 1),
        (2, Some(""), 1),
    ] {
        assert_eq!(ring.after(since, boot), next, "{since} of {boot:?}");
    }
}

#[test]
fn a_read_is_bounded_in_entries_and_bytes() {
    let ring = Ring::new(1 << 16, "b".into(), Box::new(|| ()));
    for _ in 0..10 {
        ring.push(new("line"));
    }
    let mut entries = Vec::new();
    ring.read_from(1, 4, usize::MAX, &mut entries);
    assert_eq!(entries.len(), 4);
    entries.clear();
    ring.read_from(1, 10, 1, &mut entries);
    assert_eq!(entries.len(), 1);
}

#[test]
fn recent_gives_the_newest_that_match_in_order() {
    let ring = Ring::new(1 << 20, "b".into(), Box::new(|| ()));
    for n in 1..=1000 {
        ring.push(new(if n % 100 == 0 { "round" } else { "odd" }));
    }
    let seqs = |limit, since, q| {
        let filter = Filter::new(None, None, q).unwrap();
        ring.recent(limit, since, &filter)
            .iter()
            .map(|text| {
                serde_json::from_str::<serde_json::Value>(text).unwrap()["seq"]
                    .as_u64()
                    .unwrap()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(2, None, None), [999, 1000]);
    assert_eq!(seqs(3, None, Some("round")), [800, 900, 1000]);
    assert_eq!(seqs(100, Some(750), Some("ROUND")), [800, 900, 1000]);
    assert_eq!(seqs(100, Some(997), None), [998, 999, 1000]);
    assert_eq!(seqs(100, Some(1000), None), [0; 0]);
    assert_eq!(seqs(100, Some(u64::MAX), None), [0; 0]);
    assert_eq!(seqs(0, None, None), [0; 0]);
    assert_eq!(seqs(5000, None, None).len(), 1000);
    assert!(
        Ring::new(9, "b".into(), Box::new(|| ()))
            .recent(9, None, &Filter::default())
            .is_empty()
    );
}

#[test]
fn a_push_wakes_only_a_reader_that_waits_and_never_one_that_has_news() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let wake = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let ring = Ring::new(1 << 16, "b".into(), Box::new(wake));
    ring.push(new("nobody waits"));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert!(!ring.await_push(0), "number 1 is news already");
    ring.push(new("still nobody"));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert!(ring.await_push(2));
    ring.push(new("one wake-up"));
    ring.push(new("no second one"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

//! A kernel that gives the records a test has written down.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde_json::json;

use super::*;
use crate::logs::Level;

/// What one read of the device does.
enum Step {
    Record(&'static [u8]),
    Error(Errno),
    /// Nothing to read until this much time has passed.
    Wait(Duration),
}
use Step::{Error, Record as Has, Wait};

/// When the tests begin: an hour after the kernel did.
const WALL: Timestamp = Timestamp::from_secs(1_800_000_000);
const MONOTONIC: Duration = Duration::from_secs(3600);

fn read_on(reader: &mut KmsgReader, steps: Vec<Step>) -> (Vec<SourceEvent>, Result<(), Errno>) {
    let steps = RefCell::new(VecDeque::from(steps));
    let passed = RefCell::new(Duration::ZERO);
    let mut events = Vec::new();
    let ended = reader.follow(
        |buffer| match steps.borrow().front() {
            Some(Has(record)) => {
                buffer[..record.len()].copy_from_slice(record);
                Ok(record.len())
            }
            Some(Error(errno)) => Err(*errno),
            Some(Wait(_)) | None => Err(Errno::AGAIN),
        },
        || match steps.borrow_mut().pop_front() {
            Some(Wait(time)) => {
                *passed.borrow_mut() += time;
                false
            }
            _ => true,
        },
        || {
            // Asked after each read.
            if matches!(steps.borrow().front(), Some(Has(_) | Error(_))) {
                steps.borrow_mut().pop_front();
            }
            false
        },
        || KmsgTime {
            wall: WALL + *passed.borrow(),
            monotonic: MONOTONIC + *passed.borrow(),
        },
        &mut |event| events.push(event),
    );
    (events, ended)
}

fn read(steps: Vec<Step>) -> Vec<SourceEvent> {
    let (events, ended) = read_on(&mut KmsgReader::default(), steps);
    assert_eq!(ended, Ok(()));
    events
}

fn messages(events: &[SourceEvent]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

#[test]
fn a_record_has_its_level_its_facility_and_what_the_kernel_says_of_the_device() {
    let events = read(vec![
        Has(b"6,0,0,-;Linux version 6.1\n"),
        Has(b"30,1,5,-,caller=T1;systemd[1]: Hello\n"),
        Has(b"3,2,9,c;ata1: failed; again\n SUBSYSTEM=scsi\n DEVICE=+scsi:1:0\\x20x\n"),
    ]);
    assert_eq!(
        messages(&events),
        [
            "Linux version 6.1",
            "systemd[1]: Hello",
            "ata1: failed; again"
        ]
    );
    let levels: Vec<_> = events.iter().map(|event| event.level.unwrap()).collect();
    assert_eq!(levels, [Level::Info, Level::Info, Level::Error]);
    let fields: Vec<_> = events.iter().map(|event| json!(event.fields)).collect();
    assert_eq!(
        fields,
        [
            json!({"facility": "kern"}),
            json!({"facility": "daemon"}),
            json!({"facility": "kern", "subsystem": "scsi", "device": "+scsi:1:0 x"}),
        ]
    );
}

#[test]
fn escaped_bytes_are_the_text_they_were() {
    let events = read(vec![
        Has(b"6,0,0,-;a\\x09b\\x5cx41 gr\\xc3\\xbcn \\xff \\xz \\x4"),
        Has(b"6,1,0,-;two\\x0alines\n"),
    ]);
    assert_eq!(
        messages(&events),
        ["a\tb\\x41 grün \u{fffd} \\xz \\x4", "two\nlines"]
    );
}

#[test]
fn a_time_since_the_kernels_start_is_dated_and_never_in_the_future() {
    let times: Vec<_> = read(vec![
        Has(b"6,0,0,-;at the start\n"),
        Has(b"6,1,3599000000,-;a second ago\n"),
        Has(b"6,2,3700000000,-;ahead of us\n"),
    ])
    .iter()
    .map(|event| event.timestamp.unwrap())
    .collect();
    let ago = |seconds| WALL.saturating_sub(Duration::from_secs(seconds));
    assert_eq!(times, [ago(3600), ago(1), WALL]);
}

#[test]
fn a_record_that_was_waited_for_is_of_now_and_those_behind_it_are_dated_by_it() {
    // The kernel's clock has stood still for 1,000 s: the machine was asleep.
    let times: Vec<_> = read(vec![
        Has(b"6,0,2500000000,-;before\n"),
        Wait(Duration::from_secs(100)),
        Has(b"6,1,2700000000,-;live\n"),
        Has(b"6,2,2699500000,-;half a second older\n"),
    ])
    .iter()
    .map(|event| event.timestamp.unwrap())
    .collect();
    let now = WALL + Duration::from_secs(100);
    let half = Duration::from_millis(500);
    assert_eq!(times[1..], [now, now.saturating_sub(half)]);
}

#[test]
fn overwritten_records_are_counted_once_and_reading_goes_on() {
    let events = read(vec![
        Has(b"6,10,0,-;first\n"),
        Error(Errno::PIPE),
        Error(Errno::PIPE),
        Has(b"6,15,0,-;next\n"),
        Has(b"6,16,0,-;last\n"),
        Error(Errno::INVAL),
        Has(b"6,18,0,-;behind a long one\n"),
    ]);
    assert_eq!(messages(&events)[0], "first");
    assert_eq!(json!(events[1].fields), json!({"missed": 4}));
    assert_eq!(events[1].level, Some(Level::Warn));
    assert_eq!(messages(&events)[2..4], ["next", "last"]);
    assert_eq!(json!(events[4].fields), json!({"missed": 1}));
    assert_eq!(messages(&events)[5..], ["behind a long one"]);
}

#[test]
fn a_device_that_is_opened_again_gives_nothing_twice() {
    let mut reader = KmsgReader::default();
    let broken = vec![
        Has(b"6,4,0,-;one\n"),
        Has(b"6,5,0,-;two\n"),
        Error(Errno::NODEV),
    ];
    let (events, ended) = read_on(&mut reader, broken);
    assert_eq!((events.len(), ended), (2, Err(Errno::NODEV)));
    let again = vec![
        Has(b"6,4,0,-;one\n"),
        Has(b"6,5,0,-;two\n"),
        Has(b"6,6,0,-;three\n"),
    ];
    assert_eq!(messages(&read_on(&mut reader, again).0), ["three"]);
}

#[test]
fn what_is_no_record_is_shown_as_it_is_and_a_device_that_ends_is_an_error() {
    for garbage in [
        &b"no record at all\n"[..],
        b"no record at all",
        b"6,x,5;no record at all",
        b"6,5;no record at all\xff",
        b";",
        b"\xff\xfe,,,;",
    ] {
        let mut reader = KmsgReader::default();
        let mut events = Vec::new();
        let now = KmsgTime {
            wall: WALL,
            monotonic: MONOTONIC,
        };
        reader.take(garbage, false, now, &mut |event| events.push(event));
        let text = String::from_utf8_lossy(garbage).trim_end().to_owned();
        assert_eq!(messages(&events), [text]);
        assert_eq!(events[0].level, None);
    }
    let (_, ended) = read_on(&mut KmsgReader::default(), vec![Has(b"")]);
    assert_eq!(ended, Err(Errno::NODATA));
}

fn run_until(path: PathBuf, state: &str) -> super::super::SourceState {
    let context = SourceContext::rigged("kmsg");
    let (stop, shared) = (context.stop.clone(), context.shared.clone());
    let thread = std::thread::spawn(move || Box::new(KmsgSource { path }).run(&context));
    while shared.state().state != state {
        std::thread::yield_now();
    }
    stop.stop();
    thread.join().unwrap();
    shared.state()
}

#[test]
fn a_device_that_cannot_be_read_is_an_error_that_says_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let state = run_until(folder.path().join("kmsg"), "error");
    assert_eq!(state.state, "stopped");
    assert!(state.last_error.unwrap().ends_with("kmsg is not there"));

    let source = KmsgSource {
        path: "/dev/kmsg".into(),
    };
    let refused = source.explain(&io::Error::from(Errno::PERM));
    assert!(refused.contains("CAP_SYSLOG"), "{refused}");
}

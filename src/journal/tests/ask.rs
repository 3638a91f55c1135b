//! When the writer answers whoever asks whether it still turns.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::storage::{Failing, MemoryStorage};
use super::super::{Journal, JournalState, QUEUE, Record, ReplyTo};
use crate::clock::{FakeTimeSource, Timestamp};

/// A state in two parts of which the first, while it is being written, tells so and waits to be let go, and the second
/// waits for an answer.
struct InTwoParts {
    writing: Sender<()>,
    go_on: Mutex<Receiver<()>>,
    answered: Mutex<Receiver<()>>,
    /// What became of the wait for an answer.
    came: Mutex<Option<bool>>,
}

impl JournalState for InTwoParts {
    fn apply(&self, _: &Record) {}

    fn parts(&self) -> usize {
        2
    }

    fn live_part(&self, part: usize, _: Timestamp, _: &mut dyn FnMut(&Record)) {
        if part == 0 {
            let _ = self.writing.send(());
            let _ = self.go_on.lock().recv();
        } else {
            let answer = self.answered.lock().recv_timeout(PATIENCE);
            *self.came.lock() = Some(answer.is_ok());
        }
    }
}

struct Nothing;

impl JournalState for Nothing {
    fn apply(&self, _: &Record) {}

    fn live_part(&self, _: usize, _: Timestamp, _: &mut dyn FnMut(&Record)) {}
}

fn open(storage: &MemoryStorage, state: Arc<dyn JournalState>) -> Journal {
    let time = Arc::new(FakeTimeSource::new(Timestamp::from_secs(1_795_000_000)));
    let opened = Journal::open(Box::new(storage.clone()), state, time);
    opened.expect("a journal").0
}

fn record() -> Record {
    let client = IpAddr::from([192, 0, 2, 1]).into();
    Record::LockOutCleared { client }
}

#[test]
fn a_writer_that_writes_a_large_file_anew_answers_meanwhile() {
    let storage = MemoryStorage::new();
    // Its first file, of which no part is held.
    open(&storage, Arc::new(Nothing)).close();
    let (writing, is_writing) = channel();
    let (let_go, go_on) = channel();
    let (answers, answered) = channel();
    let state = Arc::new(InTwoParts {
        writing,
        go_on: Mutex::new(go_on),
        answered: Mutex::new(answered),
        came: Mutex::default(),
    });
    let journal = open(&storage, state.clone());
    storage.fail(Failing {
        appends: true,
        ..Failing::default()
    });
    journal.submit(vec![record()], ReplyTo::Nobody);
    is_writing.recv_timeout(PATIENCE).expect("a rewrite");
    journal.ask(Box::new(move || {
        let _ = answers.send(());
    }));
    let_go.send(()).expect("it waits");
    journal.close();
    assert_eq!(*state.came.lock(), Some(true));
}

#[test]
fn a_question_that_finds_the_queue_full_is_answered_once_the_writer_gets_on() {
    let storage = MemoryStorage::new();
    let journal = open(&storage, Arc::new(Nothing));
    storage.hold_syncs();
    journal.submit(vec![record()], ReplyTo::Nobody);
    storage.wait_for_held_call();
    for _ in 0..QUEUE {
        journal.submit(vec![record()], ReplyTo::Nobody);
    }
    assert_eq!(journal.waiting(), QUEUE);
    let (answers, answered) = channel();
    journal.ask(Box::new(move || {
        let _ = answers.send(());
    }));
    assert!(answered.try_recv().is_err(), "its sync is still out");
    storage.release();
    answered.recv_timeout(PATIENCE).expect("an answer");
}

/// For what comes at once.
const PATIENCE: Duration = Duration::from_secs(20);

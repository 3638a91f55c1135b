//! A worker's mailbox: what the other threads have for it, and what wakes it for that.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::event::{EventfdFlags, eventfd};

use super::listen::Listener;
use super::liveness::LivenessReply;
use crate::api::Outcome;
use crate::auth::Principal;
use crate::journal::{CommitError, Recipient};

/// What the pool, the journal, the housekeeper, the server and the other workers send a worker.
pub enum Mail {
    /// The outcome of a connection's request, and who turned out to have sent it.
    Outcome(u64, Outcome, Option<Principal>),
    /// The change that a connection's request has begun is durable, or can not be made so.
    Committed(u64, Result<(), CommitError>),
    /// Close this connection: it has lost its place to another.
    Shed(u64),
    /// Take clients in here too.
    Open(Listener),
    /// Whether this worker still turns.
    LivenessCheck(LivenessReply),
    /// Stop accepting, finish what is under way until then, and end.
    Leave(Instant),
}

/// A worker's mailbox: a queue and a poller wake-up. Bounded by its writers: a connection has one request under way, with
/// the pool or with the journal, and gets one letter for it.
pub struct Mailbox {
    queue: Sender<Mail>,
    wake: OwnedFd,
    /// A wake-up is on its way already.
    woken: AtomicBool,
}

impl Mailbox {
    /// A mailbox, and what comes in by it.
    ///
    /// # Errors
    /// When the system has no descriptor to give.
    pub fn new() -> io::Result<(Arc<Self>, Receiver<Mail>)> {
        let (queue, mail) = unbounded();
        let mailbox = Self {
            queue,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            woken: AtomicBool::new(false),
        };
        Ok((Arc::new(mailbox), mail))
    }

    /// Hands in a request's outcome, and who turned out to have sent it.
    pub fn deliver(&self, connection: u64, outcome: Outcome, sender: Option<Principal>) {
        self.send(Mail::Outcome(connection, outcome, sender));
    }

    /// Has the worker call this when it reads its mail.
    pub fn ask(&self, answer: LivenessReply) {
        self.send(Mail::LivenessCheck(answer));
    }

    /// Has the worker take clients in here too.
    pub fn open(&self, listener: Listener) {
        self.send(Mail::Open(listener));
    }

    /// Tells the worker to finish what is under way and end.
    pub fn leave(&self, deadline: Instant) {
        self.send(Mail::Leave(deadline));
    }

    /// Tells the worker to close this connection, which has lost its place.
    pub fn shed(&self, connection: u64) {
        self.send(Mail::Shed(connection));
    }

    /// Ends the wake-up, before the mail is read: what comes from now on wakes the worker again.
    pub fn opened(&self) {
        let mut counter = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut counter);
        self.woken.store(false, Ordering::Release);
    }

    fn send(&self, mail: Mail) {
        // A worker that is gone has no connections to answer.
        if self.queue.send(mail).is_ok() && !self.woken.swap(true, Ordering::AcqRel) {
            // Fails only when the counter is full, and then it is readable anyway.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

/// The way back from the journal. A connection has one change under way, so its number is enough.
impl Recipient for Mailbox {
    fn committed(&self, connection: u64, committed: Result<(), CommitError>) {
        self.send(Mail::Committed(connection, committed));
    }
}

/// What wakes the worker, to poll it.
impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

//! The threads that may wait: for bcrypt, for files, and for the journal where a handler needs it half-way.
//!
//! Two lanes, so that guessers of passwords do not delay those who have signed in: a few threads for passwords (as many
//! as bcrypts may run at once), the others for the rest. A lane's waiting places are few, and shared out by client
//! ([`FairQueue`]): whoever sends two hundred logins at once only delays its own. A client without a place is told so
//! at once.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use parking_lot::{Condvar, Mutex};

use super::liveness::WatchedPart;
use super::mailbox::Mailbox;
use crate::api::error::ApiError;
use crate::api::route::Cost;
use crate::api::{Api, Call, Outcome};
use crate::background;
use crate::http::request::Request;
use crate::limits::fairness::Holder;
use crate::limits::queue::FairQueue;

/// A request that was admitted, and where its outcome goes.
pub struct Job {
    /// What to do.
    pub call: Call,
    /// The request, whole.
    pub request: Request,
    /// The worker that owns the connection.
    pub reply_to: Arc<Mailbox>,
    /// The connection.
    pub connection: u64,
}

/// The way into the pool. Once it is dropped the threads finish what is queued, and end.
pub struct Pool {
    general: Arc<Lane>,
    passwords: Arc<Lane>,
}

/// The pool's threads.
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
    passwords: Arc<Lane>,
    general: Arc<Lane>,
    /// Disconnected once the last thread has ended.
    ended: Receiver<Infallible>,
}

/// What waits for the threads of a lane, and what they have done.
struct Lane {
    threads: u64,
    queue: Mutex<Queue>,
    /// Signalled when a job came, when one is over, and at the end.
    stirred: Condvar,
    /// Jobs that were begun.
    begun: AtomicU64,
    /// Those that are over.
    done: AtomicU64,
}

struct Queue {
    jobs: FairQueue<Job>,
    /// No more will come.
    is_closed: bool,
}

impl Lane {
    fn new(threads: usize, jobs: FairQueue<Job>) -> Arc<Self> {
        Arc::new(Self {
            threads: threads as u64,
            queue: Mutex::new(Queue {
                jobs,
                is_closed: false,
            }),
            stirred: Condvar::new(),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
        })
    }

    /// The next job. Waits for one; none at the end.
    fn next(&self) -> Option<(Holder, Job)> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(next) = queue.jobs.pop() {
                return Some(next);
            }
            if queue.is_closed && queue.jobs.is_empty() {
                return None;
            }
            self.stirred.wait(&mut queue);
        }
    }

    fn over(&self, holder: Holder) {
        self.queue.lock().jobs.done(holder);
        // The same client's next job may be begun now.
        self.stirred.notify_all();
    }

    fn close(&self) {
        self.queue.lock().is_closed = true;
        self.stirred.notify_all();
    }

    /// Drops what waits.
    fn abandon(&self) {
        self.queue.lock().jobs.clear();
        self.stirred.notify_all();
    }

    /// How many jobs its threads have begun and ended. `None` while a thread is free and nothing waits.
    fn progress(&self) -> Option<u64> {
        // In this order, so that no job is over before it was begun.
        let done = self.done.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        let is_short = begun - done >= self.threads || !self.queue.lock().jobs.is_empty();
        is_short.then_some(begun + done)
    }
}

impl Threads {
    /// The lanes. A lane is well if a job of its has begun or ended, or if a thread is free and nothing waits. On a
    /// small board a check of a password may take its only thread longer than any watchdog waits; but that is
    /// computing, and cannot hang.
    pub fn parts(&self, api: &Arc<Api>) -> [WatchedPart; 2] {
        let (passwords, general) = (self.passwords.clone(), self.general.clone());
        let auth = api.auth.clone();
        [
            WatchedPart::progressing("password".into(), move || {
                passwords.progress().filter(|_| !auth.is_computing())
            }),
            WatchedPart::progressing("pool".into(), move || general.progress()),
        ]
    }

    /// Waits for what is queued and under way, but no longer than this: a queue full of passwords takes a slow board
    /// minutes. What is left then is dropped, and a thread inside bcrypt left behind.
    pub fn finish(self, deadline: Instant) {
        if self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            self.passwords.abandon();
            self.general.abandon();
            log::warn!("not all requests could be finished in time");
            return;
        }
        for handle in self.handles {
            let _ = handle.join();
        }
    }
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(api: &Arc<Api>, password_threads: usize) -> io::Result<(Self, Threads)> {
        let general_threads = THREADS - password_threads;
        let passwords = Lane::new(
            password_threads,
            FairQueue::new(PASSWORD_QUEUE, PASSWORDS_EACH),
        );
        let general = Lane::new(
            general_threads,
            FairQueue::new(GENERAL_QUEUE, general_threads / 2),
        );
        let mut handles = Vec::with_capacity(THREADS);
        let (running, ended) = bounded(0);
        for index in 0..THREADS {
            let (name, lane) = if index < password_threads {
                (format!("password-{index}"), &passwords)
            } else {
                (format!("pool-{index}"), &general)
            };
            let (api, lane, running) = (api.clone(), lane.clone(), running.clone());
            let thread = Builder::new().name(name).stack_size(STACK);
            handles.push(thread.spawn(move || {
                let _running = running;
                if index < password_threads {
                    background::yield_to_requests();
                }
                work(&api, &lane);
            })?);
        }
        let threads = Threads {
            handles,
            passwords: passwords.clone(),
            general: general.clone(),
            ended,
        };
        Ok((Self { general, passwords }, threads))
    }

    /// Queues a job. If its lane is full, the one that gives way to it, or this one, is answered with 503.
    pub fn submit(&self, holder: Holder, job: Job) {
        let lane = match job.call.cost() {
            Cost::Password => &self.passwords,
            Cost::Cheap | Cost::Waits => &self.general,
        };
        let refused = lane.queue.lock().jobs.push(holder, job);
        lane.stirred.notify_one();
        if let Some(job) = refused {
            let busy = ApiError::Busy(RETRY_BUSY).response();
            job.reply_to
                .deliver(job.connection, Outcome::Response(busy), None);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.passwords.close();
        self.general.close();
    }
}

fn work(api: &Api, lane: &Lane) {
    while let Some((holder, job)) = lane.next() {
        lane.begun.fetch_add(1, Ordering::Release);
        let mut call = job.call;
        let outcome = api.run(&mut call, &job.request);
        lane.done.fetch_add(1, Ordering::Release);
        lane.over(holder);
        job.reply_to
            .deliver(job.connection, outcome, call.principal().cloned());
    }
}

/// They wait rather than compute, so more than there are cores. What comes in crowds, logouts and refreshes, needs
/// none.
const THREADS: usize = 16;

/// The deepest call is serde's, at its limit of 128 levels, and the JSON of one answer.
const STACK: usize = 256 * 1024;

/// More than a second's work. A job that would wait longer is better told to come again.
const GENERAL_QUEUE: usize = 256;

/// Half a minute of checks. Beyond it the client that holds most is told to come again.
const PASSWORD_QUEUE: usize = 128;

/// A client's second check would wait for the outcome of its first where few attempts are left, and keep the thread
/// from others.
const PASSWORDS_EACH: usize = 1;

/// Seconds after which a full queue has surely moved.
const RETRY_BUSY: u64 = 1;

#[cfg(test)]
mod tests;

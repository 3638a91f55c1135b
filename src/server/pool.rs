//! The threads that may wait: for bcrypt, for files, and for the journal where a handler needs it in its midst.
//!
//! Two lanes, so that nobody who guesses passwords can delay those who are in: a few threads for passwords (as many as
//! bcrypts may run at once), the others for the rest. A lane's queue is bounded; what does not fit is refused at once.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::pulse::Part;
use super::worker::Mailbox;
use crate::api::request::Request;
use crate::api::route::Cost;
use crate::api::{Api, Call};

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
    general: Sender<Job>,
    passwords: Sender<Job>,
}

/// The pool's threads.
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
    passwords: Arc<Lane>,
    general: Arc<Lane>,
    /// What is still queued is dropped.
    abandoned: Arc<AtomicBool>,
    /// Disconnected once the last thread has ended.
    ended: Receiver<Infallible>,
}

/// What the threads of a lane have done.
struct Lane {
    threads: u64,
    /// Jobs that were begun.
    begun: AtomicU64,
    /// Those that are over.
    done: AtomicU64,
}

impl Lane {
    fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads: threads as u64,
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
        })
    }

    /// How many steps its threads have made, or none while one of them is free.
    fn progress(&self) -> Option<u64> {
        // In this order, so that no job is over before it was begun.
        let done = self.done.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        (begun - done >= self.threads).then_some(begun + done)
    }
}

impl Threads {
    /// The lanes, each of which has got on if a job of its has, or if it has a thread to spare. On a small board a check of
    /// a password may take its only thread longer than any watchdog waits; but that is computing, and cannot hang.
    pub fn parts(&self, api: &Arc<Api>) -> [Part; 2] {
        let (passwords, general) = (self.passwords.clone(), self.general.clone());
        let auth = api.auth.clone();
        [
            Part::progressing("password".into(), move || {
                passwords.progress().filter(|_| !auth.is_computing())
            }),
            Part::progressing("pool".into(), move || general.progress()),
        ]
    }

    /// Waits for what is queued and under way, but no longer than this: a queue full of passwords takes a slow board
    /// minutes. What is left then is dropped, and a thread inside bcrypt left behind.
    pub fn finish(self, deadline: Instant) {
        if self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            self.abandoned.store(true, Ordering::Relaxed);
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
        let (general, general_jobs) = bounded(GENERAL_QUEUE);
        let (passwords, password_jobs) = bounded(PASSWORD_QUEUE);
        let password_lane = Lane::new(password_threads);
        let general_lane = Lane::new(THREADS - password_threads);
        let mut handles = Vec::with_capacity(THREADS);
        let abandoned = Arc::new(AtomicBool::new(false));
        let (running, ended) = bounded(0);
        for index in 0..THREADS {
            let (name, jobs, lane) = if index < password_threads {
                (format!("password-{index}"), &password_jobs, &password_lane)
            } else {
                (format!("pool-{index}"), &general_jobs, &general_lane)
            };
            let (jobs, lane) = (jobs.clone(), lane.clone());
            let (api, abandoned, running) = (api.clone(), abandoned.clone(), running.clone());
            let thread = Builder::new().name(name).stack_size(STACK);
            handles.push(thread.spawn(move || {
                let _running = running;
                work(&api, &jobs, &lane, &abandoned);
            })?);
        }
        let threads = Threads {
            handles,
            passwords: password_lane,
            general: general_lane,
            abandoned,
            ended,
        };
        Ok((Self { general, passwords }, threads))
    }

    /// Queues a job.
    ///
    /// # Errors
    /// The job back, if its lane is full.
    pub fn submit(&self, job: Job) -> Result<(), Box<Job>> {
        let lane = match job.call.cost() {
            Cost::Password => &self.passwords,
            Cost::Cheap | Cost::Waits => &self.general,
        };
        lane.try_send(job)
            .map_err(|error| Box::new(error.into_inner()))
    }
}

fn work(api: &Api, jobs: &Receiver<Job>, lane: &Lane, abandoned: &AtomicBool) {
    for job in jobs {
        if abandoned.load(Ordering::Relaxed) {
            return;
        }
        lane.begun.fetch_add(1, Ordering::Release);
        let outcome = api.run(job.call, &job.request);
        lane.done.fetch_add(1, Ordering::Release);
        job.reply_to.deliver(job.connection, outcome);
    }
}

/// They wait rather than compute, so more than there are cores. What comes in crowds, logouts and refreshes, needs none.
const THREADS: usize = 16;

/// The deepest call is serde's, at its limit of 128 levels, and the JSON of one answer.
const STACK: usize = 256 * 1024;

/// A second's work and more; what queues longer is better told to come again.
const GENERAL_QUEUE: usize = 256;

/// One address can have only a few attempts under way, and whoever is locked out is answered without bcrypt: this fills
/// up only when dozens of clients log in at once.
const PASSWORD_QUEUE: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_with_a_thread_to_spare_is_not_at_work_and_one_without_shows_each_step() {
        let lane = Lane::new(2);
        let begin = || lane.begun.fetch_add(1, Ordering::Release);
        let end = || lane.done.fetch_add(1, Ordering::Release);
        assert_eq!(lane.progress(), None);
        begin();
        assert_eq!(lane.progress(), None);
        begin();
        let full = lane.progress();
        assert!(full.is_some());
        // Full again, with the next job from the queue.
        end();
        begin();
        assert!(lane.progress().is_some());
        assert_ne!(lane.progress(), full);
        end();
        assert_eq!(lane.progress(), None);
    }
}

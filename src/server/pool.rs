//! The threads that may wait: for bcrypt, for files, and for the journal where a handler needs it in its midst.
//!
//! Two lanes, so that nobody who guesses passwords can delay those who are in: a few threads for passwords (as many as
//! bcrypts may run at once), the others for the rest. A lane's queue is bounded; what does not fit is refused at once.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

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
    /// What is still queued is dropped.
    abandoned: Arc<AtomicBool>,
    /// Disconnected once the last thread has ended.
    ended: Receiver<Infallible>,
}

impl Threads {
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
        let mut handles = Vec::with_capacity(THREADS);
        let abandoned = Arc::new(AtomicBool::new(false));
        let (running, ended) = bounded(0);
        for index in 0..THREADS {
            let (name, jobs) = if index < password_threads {
                (format!("password-{index}"), password_jobs.clone())
            } else {
                (format!("pool-{index}"), general_jobs.clone())
            };
            let (api, abandoned, running) = (api.clone(), abandoned.clone(), running.clone());
            let thread = Builder::new().name(name).stack_size(STACK);
            handles.push(thread.spawn(move || {
                let _running = running;
                work(&api, &jobs, &abandoned);
            })?);
        }
        let threads = Threads {
            handles,
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

fn work(api: &Api, jobs: &Receiver<Job>, abandoned: &AtomicBool) {
    for job in jobs {
        if abandoned.load(Ordering::Relaxed) {
            return;
        }
        let outcome = api.run(job.call, &job.request);
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

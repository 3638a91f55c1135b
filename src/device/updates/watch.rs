//! The thread that asks the feed: when, and how long it waits after a failure.

use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Updates;
use super::error::UpdateError;
use super::fetch::Patience;
use crate::entropy::Entropy;

/// When the feed is asked.
#[derive(Debug, Clone, Copy)]
pub struct FeedIntervals {
    /// After the start, and up to twice that: fifty boards come back from a power cut in the same second.
    pub first: Duration,
    /// After an answer, give or take a twelfth.
    pub period: Duration,
    /// After a failure, doubled with each further one up to `period`, and up to an eighth longer.
    pub retry: Duration,
    /// While the clock is not set. Nobody is asked then.
    pub clock: Duration,
    /// How long one question may take.
    pub patience: Patience,
}

impl FeedIntervals {
    /// That of a running board.
    pub const REAL: Self = Self {
        first: Duration::from_secs(60),
        period: Duration::from_secs(6 * 60 * 60),
        retry: Duration::from_secs(15 * 60),
        clock: Duration::from_secs(60),
        patience: Patience {
            connect: Duration::from_secs(20),
            whole: Duration::from_secs(60),
        },
    };

    /// How long to wait before asking for the first time. `chance`: anything.
    fn before_the_first(&self, chance: u8) -> Duration {
        self.first + self.first * u32::from(chance) / 255
    }

    /// How long to wait after a question that ended so, the `failures`th in a row that did not end well.
    fn after(&self, outcome: &Result<(), UpdateError>, failures: u32, chance: u8) -> Duration {
        let chance = u32::from(chance);
        match outcome {
            Ok(()) => self.period / 12 * 11 + self.period / 6 * chance / 255,
            Err(UpdateError::Clock) => self.clock,
            Err(_) => {
                let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
                let wait = (self.retry * (1 << doublings)).min(self.period);
                wait + wait / 8 * chance / 255
            }
        }
    }
}

/// The running thread. Dropped, it ends, and is not waited for: a resolver may hang for half a minute.
pub struct FeedWatch {
    _stop: Sender<()>,
}

impl FeedWatch {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        updates: Arc<Updates>,
        pace: FeedIntervals,
        entropy: Arc<dyn Entropy>,
    ) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        Builder::new()
            .name("updates".into())
            .stack_size(STACK)
            .spawn(move || watch(&updates, &pace, entropy.as_ref(), &stopped))?;
        Ok(Self { _stop: stop })
    }
}

fn watch(updates: &Updates, pace: &FeedIntervals, entropy: &dyn Entropy, stopped: &Receiver<()>) {
    let chance = || {
        let mut chance = [0];
        entropy.fill(&mut chance);
        chance[0]
    };
    let mut failures = 0;
    let mut wait = pace.before_the_first(chance());
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let outcome = updates.ask(pace.patience);
        failures = match &outcome {
            Ok(()) => 0,
            Err(_) => failures + 1,
        };
        wait = pace.after(&outcome, failures, chance());
    }
}

/// TLS, the certificates' signatures and the resolver's buffers. What is not used is not in memory.
const STACK: usize = 512 * 1024;

/// 15 minutes, five times doubled, are more than six hours.
const MAX_DOUBLINGS: u32 = 5;

#[cfg(test)]
mod tests;

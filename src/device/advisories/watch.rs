//! The thread that looks for news among the advisories and the packages.

use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use super::Advisories;
use crate::background;

/// When it is looked.
#[derive(Debug, Clone, Copy)]
pub struct CheckIntervals {
    /// After the start: who starts a board wants it up first.
    pub first: Duration,
    /// Between two looks.
    pub period: Duration,
    /// Until it is looked whether what was changing has come to rest.
    pub rest: Duration,
}

impl CheckIntervals {
    /// That of a running board.
    pub const REAL: Self = Self {
        first: Duration::from_secs(1),
        period: Duration::from_secs(10),
        rest: Duration::from_secs(3),
    };
}

/// The running thread. Dropped, it ends, and is not waited for.
pub struct AdvisoryWatch {
    _stop: Sender<()>,
}

impl AdvisoryWatch {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(advisories: Arc<Advisories>, pace: CheckIntervals) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        Builder::new()
            .name("advisories".into())
            .spawn(move || watch(&advisories, pace, &stopped))?;
        Ok(Self { _stop: stop })
    }
}

fn watch(advisories: &Advisories, pace: CheckIntervals, stopped: &Receiver<()>) {
    background::yield_to_all();
    let mut wait = pace.first;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let is_changing =
            advisories.check(&|| stopped.try_recv() == Err(TryRecvError::Disconnected));
        wait = if is_changing { pace.rest } else { pace.period };
    }
}

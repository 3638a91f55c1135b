//! The writer's state of a running compaction, and when to look at the next.

use std::io;

use crossbeam_channel::{Receiver, Sender};

use super::format::Salt;
use super::rewrite::{Progress, Work};
use crate::clock::{Clock, Moment, Timestamp};

/// A compaction under way.
pub(super) struct Compaction {
    pub(super) work: Work,
    pub(super) stage: Stage,
    /// Told when it is done; dropped if it comes to nothing.
    pub(super) waiting: Vec<Sender<()>>,
}

pub(super) enum Stage {
    Weighing,
    Writing {
        salt: Salt,
        /// The new file's mark.
        mark: Timestamp,
        /// Frames that were appended to the old file meanwhile, under the new one's salt.
        delta: Vec<u8>,
        delta_records: u64,
    },
}

/// When to look at the file's waste again.
pub(super) struct Schedule {
    /// Not before.
    pub(super) from: Moment,
    /// Nor while it is smaller than this, unless it is `in_any_case`.
    pub(super) size: usize,
    /// An hour later: what has expired is waste too.
    pub(super) in_any_case: Moment,
}

impl Schedule {
    /// Of a file that is new, or has just been opened.
    pub(super) fn new(clock: &Clock) -> Self {
        let now = clock.monotonic();
        Self {
            from: now,
            size: COMPACT_FROM,
            in_any_case: now,
        }
    }
}

impl Compaction {
    pub(super) fn progress(&self) -> &Receiver<io::Result<Progress>> {
        self.work.progress()
    }
}

impl Stage {
    pub(super) fn writing(salt: Salt, mark: Timestamp) -> Self {
        Self::Writing {
            salt,
            mark,
            delta: Vec::new(),
            delta_records: 0,
        }
    }
}

/// A smaller file is not worth compacting: it is read in a millisecond, and a card's smallest erasable unit is larger.
pub(super) const COMPACT_FROM: usize = 64 * 1024;

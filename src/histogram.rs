//! Lengths of time, counted in buckets: what a page of metrics shows of them. Without a lock, and of a fixed size.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something took how long. May be shared and counted into by any thread.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each of [`BOUNDS`], and one for what took longer than the last.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// All together, in microseconds: enough for half a million years.
    sum: AtomicU64,
}

/// What was counted until some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// How many took at most so long, [`BOUNDS`] after [`BOUNDS`]; the last is how many there were at all.
    pub cumulative: [u64; BOUNDS.len() + 1],
    /// All together.
    pub sum: Duration,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted. Of something that is being counted at this moment the sum may know already, or not yet.
    #[must_use]
    pub fn counted(&self) -> HistogramSnapshot {
        let mut total = 0;
        let cumulative = self.buckets.each_ref().map(|bucket| {
            total += bucket.load(Ordering::Relaxed);
            total
        });
        HistogramSnapshot {
            cumulative,
            sum: Duration::from_micros(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl HistogramSnapshot {
    /// How many there were.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.cumulative[BOUNDS.len()]
    }
}

/// The upper ends of the buckets. From a health check answered out of memory, over a sync of a card and a run of bcrypt,
/// to the longest that anybody waits.
pub const BOUNDS: [Duration; 10] = [
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

#[cfg(test)]
mod tests;

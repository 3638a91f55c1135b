//! Where events come in, from any thread, and which of them get an entry of their own.
//!
//! A guesser may make as many events as he likes. He must neither wear the flash nor push what really happened out of a log of
//! bounded size: so failures and lock-outs have an allowance each, and what is beyond it is counted.

use std::time::{Duration, Instant};

use super::event::Kind;

/// What has happened and is not taken yet.
#[derive(Debug, Default)]
pub struct Queue {
    /// Entries without number and hash, and how long each may wait.
    pub entries: Vec<(String, Duration)>,
    /// Events beside them.
    pub omitted: u64,
}

/// The queue's entrance.
#[derive(Debug)]
pub struct Entrance {
    queue: Queue,
    failures: Allowance,
    lock_outs: Allowance,
    /// Something came that the writer has not been told of.
    pub news: bool,
    /// Nothing more will come.
    pub closed: bool,
}

impl Entrance {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Self {
        Self {
            queue: Queue::default(),
            failures: Allowance::new(FAILURES, now),
            lock_outs: Allowance::new(LOCK_OUTS, now),
            news: false,
            closed: false,
        }
    }

    /// Whether this event gets an entry. One that does not is counted.
    pub fn admits(&mut self, kind: Kind, now: Instant) -> bool {
        let admitted = self.queue.entries.len() < MOST
            && match kind {
                Kind::Failure => self.failures.take(now),
                Kind::LockOut => self.lock_outs.take(now),
                _ => true,
            };
        if !admitted {
            // In a flood the writer is not woken by each.
            self.news |= self.queue.omitted == 0;
            self.queue.omitted += 1;
        }
        admitted
    }

    /// Puts an admitted event in.
    pub fn put(&mut self, kind: Kind, body: String) {
        let delay = match kind {
            Kind::Failure => LAZY,
            _ => SOON,
        };
        self.queue.entries.push((body, delay));
        self.news = true;
    }

    /// Takes all that has happened.
    pub fn take(&mut self) -> Queue {
        std::mem::take(&mut self.queue)
    }
}

/// A bucket of entries, that fills again with time.
#[derive(Debug)]
struct Allowance {
    most: u32,
    left: u32,
    /// Since when one more is due.
    since: Instant,
}

impl Allowance {
    fn new(most: u32, now: Instant) -> Self {
        Self {
            most,
            left: most,
            since: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.since).as_secs() / REFILL.as_secs();
        let more = u32::try_from(waited).unwrap_or(u32::MAX);
        if self.left.saturating_add(more) >= self.most {
            self.left = self.most;
            self.since = now;
        } else {
            self.left += more;
            self.since += REFILL * more;
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

/// Failures that get an entry each, at once: more than a person makes, or a household.
const FAILURES: u32 = 32;

/// Lock-outs that get an entry each, at once.
const LOCK_OUTS: u32 = 16;

/// Then one more in this time. With as many lock-outs, and as many counts of the others, a flood that never ends makes
/// 200 KB a day: five days until it has gone through the default size.
const REFILL: Duration = Duration::from_secs(5 * 60);

/// Entries that may wait to be taken, 250 bytes each: while a disk cannot be read, or hangs.
const MOST: usize = 256;

/// All else is on the disk so soon: what comes within that time shares a write. A lock-out takes its failures along.
const SOON: Duration = Duration::from_secs(1);

/// Failures wait for something that matters more, but no longer than this.
const LAZY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_its_allowance_and_one_entry_in_five_minutes_and_everybody_else_all_of_theirs() {
        let begin = Instant::now();
        let mut entrance = Entrance::new(begin);
        let mut admitted = 0;
        for second in 0..86_400_u64 {
            let now = begin + Duration::from_secs(second);
            for _ in 0..10 {
                if entrance.admits(Kind::Failure, now) {
                    admitted += 1;
                    entrance.put(Kind::Failure, String::new());
                }
            }
            let taken = entrance.take();
            assert_eq!(taken.entries.len() as u64 + taken.omitted, 10);
        }
        assert_eq!(admitted, u64::from(FAILURES) + 287);
        let late = begin + Duration::from_secs(86_400);
        assert!(entrance.admits(Kind::Login, late));
        assert!(entrance.admits(Kind::LockOut, late));
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_counted() {
        let now = Instant::now();
        let mut entrance = Entrance::new(now);
        for _ in 0..10_000 {
            if entrance.admits(Kind::Login, now) {
                entrance.put(Kind::Login, String::new());
            }
        }
        let taken = entrance.take();
        assert_eq!(
            (taken.entries.len(), taken.omitted),
            (MOST, 10_000 - MOST as u64)
        );
    }
}

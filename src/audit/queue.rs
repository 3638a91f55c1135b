//! Where events come in, from any thread, and which of them get an entry of their own.
//!
//! A guesser may make as many events as he likes. He must neither wear the flash nor push what really happened out of a log of
//! bounded size. So whatever repeats (one kind, one user, one address) has a few entries of its own, and then one in five
//! minutes that counts the others; failures and lock-outs, which come from any number of addresses, have an allowance
//! besides, and what is beyond it is counted without an address. What is rare has an entry each, and places of its own:
//! whoever can cause it has the password or is the machine, and has paid for it with a sync of the journal, or a start.

use std::time::{Duration, Instant};

use super::event::EventKind;
use super::line::raw_member;
use super::rare::REPEATED;

/// What has happened and is not taken yet.
#[derive(Debug, Default)]
pub struct EventBatch {
    /// Entries without number and hash.
    pub entries: Vec<QueuedEntry>,
    /// Events beside them.
    pub omitted: u64,
    /// When there will be an entry for what is counted by now.
    pub due: Option<Instant>,
}

/// What will be an entry.
#[derive(Debug)]
pub struct QueuedEntry {
    /// What happened.
    pub kind: EventKind,
    /// Its members, but for number, count and hash.
    pub body: String,
    /// How many others it stands for.
    pub others: u64,
    /// How long it may wait.
    pub delay: Duration,
}

impl QueuedEntry {
    /// Whether it is rare ([`EventKind::is_rare`]).
    pub fn is_rare(&self) -> bool {
        EventKind::is_rare(self.kind.name())
    }

    /// Its members with the count.
    pub fn whole_body(&self) -> String {
        let mut body = self.body.clone();
        if self.others > 0 {
            raw_member(&mut body, REPEATED, &self.others.to_string());
        }
        body
    }
}

/// Leaves at most [`MOST_RARE`] rare ones: beyond it the kind that has most counts its oldest in its next, as in the kept file.
/// So the newest of each stays, and none takes the last place of another.
pub fn fold_rare(entries: &mut Vec<QueuedEntry>) {
    while entries.len() > MOST_RARE {
        let mut kinds: Vec<(usize, usize, EventKind)> = Vec::new();
        for (at, entry) in entries.iter().enumerate().filter(|(_, it)| it.is_rare()) {
            match kinds.iter_mut().find(|(_, _, kind)| *kind == entry.kind) {
                Some((count, ..)) => *count += 1,
                None => kinds.push((1, at, entry.kind)),
            }
        }
        let rare: usize = kinds.iter().map(|(count, ..)| count).sum();
        let fullest = kinds.into_iter().max_by_key(|(count, ..)| *count);
        let Some((2.., oldest, kind)) = fullest.filter(|_| rare > MOST_RARE) else {
            return;
        };
        let gone = entries.remove(oldest);
        let mut later = entries[oldest..].iter_mut();
        if let Some(next) = later.find(|next| next.kind == kind) {
            next.others = next.others.saturating_add(gone.others).saturating_add(1);
        }
    }
}

/// Events come in here, from any thread.
#[derive(Debug)]
pub struct EventQueue {
    batch: EventBatch,
    failures: Allowance,
    lock_outs: Allowance,
    /// What happened of late, the newest last.
    likes: Vec<RepeatedEvents>,
    /// Something came that the writer has not been told of.
    pub news: bool,
    /// Nothing more will come.
    pub closed: bool,
}

/// Events that are alike.
#[derive(Debug)]
struct RepeatedEvents {
    likeness: String,
    kind: EventKind,
    allowance: Allowance,
    /// Those without an entry: how many, the last one's body, and when it is written.
    folded: u64,
    body: String,
    due: Instant,
}

impl EventQueue {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Self {
        Self {
            batch: EventBatch::default(),
            failures: Allowance::new(FAILURES, now),
            lock_outs: Allowance::new(LOCK_OUTS, now),
            likes: Vec::new(),
            news: false,
            closed: false,
        }
    }

    /// Takes an event: it gets an entry, or is counted. `likeness` is what it has in common with those that it repeats.
    pub fn put(&mut self, kind: EventKind, likeness: String, body: String, now: Instant) {
        if EventKind::is_rare(kind.name()) {
            // Not one waits in memory for its like: the plug may be pulled.
            return self.admit(kind, body, 0, now);
        }
        let known = self.likes.iter().position(|like| like.likeness == likeness);
        let mut like = if let Some(at) = known {
            self.likes.remove(at)
        } else {
            if self.likes.len() >= MOST_LIKES {
                let oldest = self.likes.remove(0);
                self.tell(oldest, now);
            }
            RepeatedEvents {
                likeness,
                kind,
                allowance: Allowance::new(ALIKE, now),
                folded: 0,
                body: String::new(),
                due: now,
            }
        };
        if like.allowance.take(now) {
            let before = std::mem::take(&mut like.folded);
            self.admit(kind, body, before, now);
        } else {
            if like.folded == 0 {
                like.due = now + REFILL;
                // The writer has to know when.
                self.news = true;
            }
            like.folded += 1;
            like.body = body;
        }
        self.likes.push(like);
    }

    /// Takes all that has happened, and what has been counted and is due by then.
    pub fn take(&mut self, now: Instant, due_by: Instant) -> EventBatch {
        for at in 0..self.likes.len() {
            if self.likes[at].folded > 0 && self.likes[at].due <= due_by {
                let like = &mut self.likes[at];
                let told = RepeatedEvents {
                    likeness: String::new(),
                    body: std::mem::take(&mut like.body),
                    folded: std::mem::take(&mut like.folded),
                    allowance: Allowance::new(0, now),
                    ..*like
                };
                // It is the one that it would have had by now.
                like.allowance.take(now);
                self.tell(told, now);
            }
        }
        let counted = self.likes.iter().filter(|like| like.folded > 0);
        self.batch.due = counted.map(|like| like.due).min();
        std::mem::take(&mut self.batch)
    }

    /// Has an entry made of what was counted.
    fn tell(&mut self, like: RepeatedEvents, now: Instant) {
        if let Some(others) = like.folded.checked_sub(1) {
            self.admit(like.kind, like.body, others, now);
        }
    }

    /// Puts an entry in, that stands for so many others too; or counts all of them.
    fn admit(&mut self, kind: EventKind, body: String, others: u64, now: Instant) {
        let entries = &mut self.batch.entries;
        let admitted = match kind {
            _ if EventKind::is_rare(kind.name()) => true,
            _ if is_full(entries) => false,
            EventKind::Failure => self.failures.take(now),
            EventKind::LockOut => self.lock_outs.take(now),
            _ => true,
        };
        if !admitted {
            // In a flood the writer is not woken by each.
            self.news |= self.batch.omitted == 0;
            self.batch.omitted = self.batch.omitted.saturating_add(others).saturating_add(1);
            return;
        }
        let delay = match kind {
            EventKind::Failure => LAZY,
            _ => SOON,
        };
        entries.push(QueuedEntry {
            kind,
            body,
            others,
            delay,
        });
        fold_rare(entries);
        self.news = true;
    }
}

/// Whether as many wait as may, of those that are not rare.
fn is_full(entries: &[QueuedEntry]) -> bool {
    entries.len() >= MOST && entries.iter().filter(|entry| !entry.is_rare()).count() >= MOST
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

/// Events that are alike and get an entry each, at once: as many wrong passwords as lock an address out, and some.
const ALIKE: u32 = 8;

/// Likenesses that are remembered, half a kilobyte each; of more, what was counted of the oldest gets its entry.
const MOST_LIKES: usize = 64;

/// Failures that get an entry each, at once: more than a person makes, or a household.
const FAILURES: u32 = 32;

/// Lock-outs that get an entry each, at once.
const LOCK_OUTS: u32 = 16;

/// Then one more in this time. With as many lock-outs, and as many counts of the others, a flood that never ends makes
/// 200 KB a day: five days until it has gone through the default size.
pub const REFILL: Duration = Duration::from_secs(5 * 60);

/// Entries that may wait to be taken, 250 bytes each: while a disk cannot be read, or hangs.
const MOST: usize = 256;

/// And so many rare ones besides, in places of their own.
const MOST_RARE: usize = 128;

/// All else is on the disk so soon: what comes within that time shares a write. A lock-out takes its failures along.
const SOON: Duration = Duration::from_secs(1);

/// Failures wait for something that matters more, but no longer than this.
const LAZY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;

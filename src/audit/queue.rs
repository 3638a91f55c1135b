//! Where events come in, from any thread, and which of them get an entry of their own.
//!
//! A guesser may make as many events as he likes. He must neither wear the flash nor push what really happened out of a log of
//! bounded size. So whatever repeats (one kind, one user, one address) has a few entries of its own, and then one in five
//! minutes that counts the others; failures and lock-outs, which come from any number of addresses, have an allowance
//! besides, and what is beyond it is counted without an address. What is rare has places of its own.

use std::time::{Duration, Instant};

use super::event::Kind;
use super::kept::REPEATED;
use super::line::raw_member;

/// What has happened and is not taken yet.
#[derive(Debug, Default)]
pub struct Queue {
    /// Entries without number and hash.
    pub entries: Vec<Entry>,
    /// Events beside them.
    pub omitted: u64,
    /// When there will be an entry for what is counted by now.
    pub due: Option<Instant>,
}

/// What will be an entry.
#[derive(Debug)]
pub struct Entry {
    /// Its members, but for number and hash.
    pub body: String,
    /// How long it may wait.
    pub delay: Duration,
    /// Whether it is rare ([`Kind::is_rare`]).
    pub rare: bool,
}

/// The queue's entrance.
#[derive(Debug)]
pub struct Entrance {
    queue: Queue,
    failures: Allowance,
    lock_outs: Allowance,
    /// What happened of late, the newest last.
    likes: Vec<Like>,
    /// Something came that the writer has not been told of.
    pub news: bool,
    /// Nothing more will come.
    pub closed: bool,
}

/// Events that are alike.
#[derive(Debug)]
struct Like {
    likeness: String,
    kind: Kind,
    allowance: Allowance,
    /// Those without an entry: how many, the last one's body, and when it is written.
    folded: u64,
    body: String,
    due: Instant,
}

impl Entrance {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Self {
        Self {
            queue: Queue::default(),
            failures: Allowance::new(FAILURES, now),
            lock_outs: Allowance::new(LOCK_OUTS, now),
            likes: Vec::new(),
            news: false,
            closed: false,
        }
    }

    /// Takes an event: it gets an entry, or is counted. `likeness` is what it has in common with those that it repeats.
    pub fn put(&mut self, kind: Kind, likeness: String, body: String, now: Instant) {
        let known = self.likes.iter().position(|like| like.likeness == likeness);
        let mut like = if let Some(at) = known {
            self.likes.remove(at)
        } else {
            if self.likes.len() >= MOST_LIKES {
                let oldest = self.likes.remove(0);
                self.tell(oldest, now);
            }
            Like {
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
    pub fn take(&mut self, now: Instant, due_by: Instant) -> Queue {
        for at in 0..self.likes.len() {
            if self.likes[at].folded > 0 && self.likes[at].due <= due_by {
                let like = &mut self.likes[at];
                let told = Like {
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
        self.queue.due = counted.map(|like| like.due).min();
        std::mem::take(&mut self.queue)
    }

    /// Has an entry made of what was counted.
    fn tell(&mut self, like: Like, now: Instant) {
        if let Some(others) = like.folded.checked_sub(1) {
            self.admit(like.kind, like.body, others, now);
        }
    }

    /// Puts an entry in, that stands for so many others too; or counts all of them.
    fn admit(&mut self, kind: Kind, mut body: String, others: u64, now: Instant) {
        let rare = Kind::is_rare(kind.name());
        let most = if rare { MOST + MOST_RARE } else { MOST };
        let admitted = self.queue.entries.len() < most
            && match kind {
                Kind::Failure => self.failures.take(now),
                Kind::LockOut => self.lock_outs.take(now),
                _ => true,
            };
        if !admitted {
            // In a flood the writer is not woken by each.
            self.news |= self.queue.omitted == 0;
            self.queue.omitted = self.queue.omitted.saturating_add(others).saturating_add(1);
            return;
        }
        if others > 0 {
            raw_member(&mut body, REPEATED, &others.to_string());
        }
        let delay = match kind {
            Kind::Failure => LAZY,
            _ => SOON,
        };
        self.queue.entries.push(Entry { body, delay, rare });
        self.news = true;
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

/// And so many rare ones, though all of those places are taken.
const MOST_RARE: usize = 64;

/// All else is on the disk so soon: what comes within that time shares a write. A lock-out takes its failures along.
const SOON: Duration = Duration::from_secs(1);

/// Failures wait for something that matters more, but no longer than this.
const LAZY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn put(entrance: &mut Entrance, kind: Kind, likeness: &str, now: Instant) {
        entrance.put(kind, likeness.to_owned(), "\"x\":1".to_owned(), now);
    }

    /// How many events the entries stand for.
    fn events(queue: &Queue) -> u64 {
        let of = |entry: &Entry| {
            let others = entry.body.rsplit_once("\"repeated\":");
            1 + others.map_or(0, |(_, count)| count.parse::<u64>().unwrap())
        };
        queue.entries.iter().map(of).sum::<u64>() + queue.omitted
    }

    #[test]
    fn a_flood_gets_its_allowance_and_one_entry_in_five_minutes_and_everybody_else_all_of_theirs() {
        let begin = Instant::now();
        let mut entrance = Entrance::new(begin);
        let (mut entries, mut all) = (0, 0);
        for second in 0..86_400_u64 {
            let now = begin + Duration::from_secs(second);
            for client in 0..10 {
                put(&mut entrance, Kind::Failure, &format!("{client}"), now);
            }
            let taken = entrance.take(now, now);
            entries += taken.entries.len();
            all += events(&taken);
        }
        let late = begin + Duration::from_secs(86_400);
        all += events(&entrance.take(late, late + REFILL));
        assert_eq!(all, 864_000, "each is in an entry, or counted");
        assert!((300..=320).contains(&entries), "{entries}");
        for kind in [Kind::Login, Kind::LockOut] {
            put(&mut entrance, kind, "somebody", late);
        }
        assert_eq!(entrance.take(late, late).entries.len(), 2);
    }

    #[test]
    fn what_repeats_has_a_few_entries_and_then_one_in_five_minutes_that_counts() {
        let begin = Instant::now();
        let mut entrance = Entrance::new(begin);
        for _ in 0..320 {
            put(&mut entrance, Kind::Login, "admin 10.0.0.5", begin);
        }
        put(&mut entrance, Kind::Login, "admin 10.0.0.6", begin);
        put(&mut entrance, Kind::PasswordChange, "change", begin);
        let taken = entrance.take(begin, begin);
        assert_eq!(taken.entries.len() as u64, u64::from(ALIKE) + 2);
        let due = taken.due.expect("the others are told of");
        assert!(entrance.take(due, begin).entries.is_empty());
        let taken = entrance.take(due, due);
        assert_eq!(taken.entries.len(), 1);
        assert!(
            taken.entries[0].body.ends_with("\"repeated\":311"),
            "{taken:?}"
        );
        assert!(taken.due.is_none());
        // That was the one of these five minutes.
        put(&mut entrance, Kind::Login, "admin 10.0.0.5", due);
        assert!(entrance.take(due, due).entries.is_empty());
        let soon = due + REFILL;
        put(&mut entrance, Kind::Login, "admin 10.0.0.5", soon);
        let taken = entrance.take(soon, soon);
        assert!(
            taken.entries[0].body.ends_with("\"repeated\":1"),
            "{taken:?}"
        );
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_counted_but_what_is_rare_has_places_of_its_own() {
        let now = Instant::now();
        let mut entrance = Entrance::new(now);
        for client in 0..10_000 {
            put(&mut entrance, Kind::Login, &format!("{client}"), now);
        }
        put(&mut entrance, Kind::PasswordChange, "admin", now);
        let taken = entrance.take(now, now);
        assert_eq!(taken.entries.len(), MOST + 1);
        assert!(taken.entries.last().is_some_and(|entry| entry.rare));
        assert_eq!(events(&taken), 10_001);
        assert!(entrance.likes.len() <= MOST_LIKES);
    }
}

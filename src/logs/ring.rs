//! The newest entries, each serialised once, in a ring bounded in bytes.
//!
//! The bound is `LOG_BUFFER_BYTES`: by default a 256th of the memory, 256 KiB to 4 MiB (`config/machine`).

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tungstenite::Utf8Bytes;

use super::entry::NewEntry;
use super::filter::Filter;
use super::ring_entry::RingEntry;

/// Entries a reader asked for and the ring no longer had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first missing one.
    pub from: u64,
    /// The last missing one.
    pub to: u64,
}

impl Gap {
    /// The stream's `gap` message.
    #[must_use]
    pub fn json(&self) -> Utf8Bytes {
        let Self { from, to } = self;
        let missed = to - from + 1;
        format!(r#"{{"type":"gap","from":{from},"to":{to},"missed":{missed}}}"#).into()
    }
}

/// The ring. Its sources push, its readers keep a cursor: the number of the entry they want next.
pub struct Ring {
    limit: usize,
    boot: String,
    inner: Mutex<RingInner>,
    missed: AtomicU64,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct RingInner {
    entries: VecDeque<RingEntry>,
    /// The sum of the entries' weights.
    bytes: usize,
    next_seq: u64,
    /// Whether a reader sleeps until the next push.
    awaited: bool,
    /// Where an entry's text is put together.
    scratch: Vec<u8>,
}

impl Ring {
    /// An empty ring of at most `limit` bytes, overhead included. `boot` tells this run from every other one.
    /// `wake` is called when an entry is pushed while the hub waits; it must neither block nor log.
    #[must_use]
    pub fn new(limit: usize, boot: String, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            limit,
            boot,
            inner: Mutex::new(RingInner {
                entries: VecDeque::new(),
                bytes: 0,
                next_seq: 1,
                awaited: false,
                scratch: Vec::new(),
            }),
            missed: AtomicU64::new(0),
            wake,
        }
    }

    /// The id of this run.
    #[must_use]
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// The number that a reader wants next which has the entry `since` of this run. The numbers begin at 1 in each run, so
    /// one of another run (`boot`) says nothing here: that reader wants all.
    #[must_use]
    pub fn after(&self, since: u64, boot: Option<&str>) -> u64 {
        if boot.is_some_and(|boot| boot != self.boot) {
            return 1;
        }
        let (_, newest) = self.bounds();
        since.min(newest).saturating_add(1)
    }

    /// Numbers the entry, serialises it and keeps it, at the cost of the oldest ones. Returns its number.
    ///
    /// An entry that is larger than the whole ring is numbered but not kept: readers see a gap.
    pub fn push(&self, mut new: NewEntry) -> u64 {
        new.bound();
        let mut inner = self.inner.lock();
        let seq = inner.next_seq;
        inner.next_seq += 1;
        let entry = RingEntry::new(seq, new, &mut inner.scratch);
        let weight = entry.weight();
        while inner.bytes + weight > self.limit {
            let Some(oldest) = inner.entries.pop_front() else {
                break;
            };
            inner.bytes -= oldest.weight();
        }
        if weight <= self.limit {
            inner.bytes += weight;
            inner.entries.push_back(entry);
        }
        let awaited = mem::take(&mut inner.awaited);
        drop(inner);
        if awaited {
            (self.wake)();
        }
        seq
    }

    /// The numbers of the oldest entry kept and the newest one. Of an empty ring, the next number and the one before it.
    #[must_use]
    pub fn bounds(&self) -> (u64, u64) {
        self.inner.lock().bounds()
    }

    /// What the ring holds now, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// The stream's `hello`, and the bounds it names.
    #[must_use]
    pub fn hello(&self) -> (Utf8Bytes, (u64, u64)) {
        let (oldest, newest) = self.bounds();
        let boot = serde_json::Value::from(self.boot.as_str());
        let text =
            format!(r#"{{"type":"hello","boot":{boot},"oldest":{oldest},"newest":{newest}}}"#);
        (text.into(), (oldest, newest))
    }

    /// A reader that goes on behind it was told of this gap.
    pub fn count_missed(&self, gap: Gap) {
        let missed = gap.to - gap.from + 1;
        self.missed.fetch_add(missed, Ordering::Relaxed);
    }

    /// How many entries readers were told to have missed.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Appends to `into` the entries from number `cursor` on: at most `max_entries`, and no further one once they
    /// are `max_bytes` long. The gap, if there is one, lies before them.
    pub fn read_from(
        &self,
        cursor: u64,
        max_entries: usize,
        max_bytes: usize,
        into: &mut Vec<RingEntry>,
    ) -> Option<Gap> {
        let inner = self.inner.lock();
        let (oldest, _) = inner.bounds();
        let start = usize::try_from(cursor.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for entry in inner.entries.iter().skip(start).take(max_entries) {
            if bytes >= max_bytes {
                break;
            }
            bytes += entry.json.len();
            into.push(entry.clone());
        }
        (cursor < oldest).then(|| Gap {
            from: cursor,
            to: oldest - 1,
        })
    }

    /// The newest `limit` entries that the filter shows, of those after number `since`; the newest comes last.
    #[must_use]
    pub fn recent(&self, limit: usize, since: Option<u64>, filter: &Filter) -> Vec<Utf8Bytes> {
        let first = since.map_or(0, |since| since.saturating_add(1));
        let (_, mut end) = self.bounds();
        let mut found = VecDeque::new();
        let mut batch = Vec::new();
        // From the newest backwards, filtered outside the lock: a search must not hold up a source.
        while end >= first && found.len() < limit {
            let start = end.saturating_sub(SEARCH_BATCH - 1).max(first).max(1);
            let count = usize::try_from(end + 1 - start).unwrap_or(usize::MAX);
            batch.clear();
            let gap = self.read_from(start, count, usize::MAX, &mut batch);
            // A push may have moved the oldest on; nothing newer than `end` belongs here.
            batch.retain(|entry| entry.seq <= end);
            for entry in batch.iter().rev().filter(|entry| filter.matches(entry)) {
                if found.len() < limit {
                    found.push_front(entry.json.clone());
                }
            }
            if gap.is_some() || start <= 1 {
                break;
            }
            end = start - 1;
        }
        found.into()
    }

    /// Asks for a wake-up at the next push, unless there is an entry after `seen` already: then it returns false.
    pub fn await_push(&self, seen: u64) -> bool {
        let mut inner = self.inner.lock();
        let quiet = inner.next_seq <= seen.saturating_add(1);
        inner.awaited = quiet;
        quiet
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("limit", &self.limit)
            .field("bounds", &self.bounds())
            .finish_non_exhaustive()
    }
}

impl RingInner {
    fn bounds(&self) -> (u64, u64) {
        let oldest = self.entries.front().map_or(self.next_seq, |e| e.seq);
        (oldest, self.next_seq - 1)
    }
}

/// How many entries a search looks at between two locks.
const SEARCH_BATCH: u64 = 128;

#[cfg(test)]
mod tests;

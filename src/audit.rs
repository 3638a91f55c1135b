//! The audit log: who came in, who tried to, and what they changed, in files that outlive a restart and whose lines are
//! chained by hashes, so that one that was taken out or changed shows.
//!
//! An event never waits for the disk and never fails whoever caused it. It goes into a bounded [`queue`]; a thread gives
//! it a number and its place in the chain ([`writer`]) and writes it within a second, or a failure within ten, many at once,
//! to files that are rotated ([`files`]).

mod check;
mod event;
mod files;
mod folder;
mod line;
mod queue;
mod rare;
mod read;
mod tail;
mod verify;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub use event::{Event, EventKind, EventOutcome, JtiPrefix, Origin, Token, User};
pub use files::MOST_ASIDE;
pub use folder::{FILES, NAME};
#[cfg(test)]
use line::ChainLink;
pub(crate) use line::{member, raw_member};
pub use verify::{ChainProblem, ChainReport, verify};

use crate::clock::Clock;
use check::Check;
use files::{AuditFiles, FileCalls, RealCalls};
use queue::EventQueue;
use read::EntryPage;
use writer::AuditWriter;

/// The audit log of a running server. Dropped without [`Audit::stop`], it writes what waits.
pub struct Audit {
    shared: Arc<AuditInner>,
    /// Who came in by Basic of late, and when.
    lately: Mutex<Vec<(Origin, Instant)>>,
    /// How often each of [`EventKind::ALL`] has happened, entry or not.
    counts: [AtomicU64; EventKind::ALL.len()],
}

struct AuditInner {
    clock: Arc<Clock>,
    queue: Mutex<EventQueue>,
    /// Signalled by news, and by the end.
    news: Condvar,
    /// Taken before the queue, and held while the disk is waited for.
    writer: Mutex<AuditWriter>,
    healthy: AtomicBool,
    /// Whether nobody else was seen to write here.
    ours: AtomicBool,
    check: Arc<Check>,
    closed: AtomicBool,
}

impl Audit {
    /// Opens the log in a folder that is ours alone, of so many bytes in all, and looks where it goes on. `used_before`: a
    /// server has run in this folder, so that there should be one. What cannot be read or written is logged, and tried
    /// again later: there is no error.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open(
        folder: &Path,
        bytes: u64,
        clock: Arc<Clock>,
        used_before: bool,
    ) -> io::Result<Self> {
        Self::open_with(folder, bytes, clock, used_before, Box::new(RealCalls))
    }

    fn open_with(
        folder: &Path,
        bytes: u64,
        clock: Arc<Clock>,
        used_before: bool,
        calls: Box<dyn FileCalls>,
    ) -> io::Result<Self> {
        let now = Instant::now();
        // The share of what is rare is as large as a file.
        let limit = bytes / (FILES as u64 + 1);
        let files = AuditFiles::new(folder, limit, calls);
        let shared = Arc::new(AuditInner {
            queue: Mutex::new(EventQueue::new(now)),
            writer: Mutex::new(AuditWriter::new(files, limit, clock.clone(), used_before)),
            clock,
            news: Condvar::new(),
            healthy: AtomicBool::new(true),
            ours: AtomicBool::new(true),
            check: Arc::new(Check::new(folder)),
            closed: AtomicBool::new(false),
        });
        let next = shared.work(now);
        let writer = shared.clone();
        Builder::new()
            .name("audit".into())
            .stack_size(STACK)
            .spawn(move || writer.run(next))?;
        Ok(Self {
            shared,
            lately: Mutex::default(),
            counts: Default::default(),
        })
    }

    /// Has an entry made of an event, soon. Cheap; waits for nothing but the clock.
    pub fn record(&self, kind: EventKind, event: &Event<'_>) {
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let shared = &self.shared;
        let now = Instant::now();
        if shared.closed.load(Ordering::Acquire) {
            return;
        }
        if kind == EventKind::PasswordChange {
            // Whoever comes in by the new one is somebody else.
            self.lately.lock().clear();
        }
        // Before the lock: telling the time may take its own, for it may log.
        let body = event.body(kind, &shared.clock);
        let mut queue = shared.queue.lock();
        queue.put(kind, event.likeness(kind), body, now);
        if queue.news {
            shared.news.notify_one();
        }
    }

    /// Has an entry made of a password that came by Basic and was right: once an hour of each address, since it comes with
    /// each request.
    pub fn record_basic(&self, event: &Event<'_>) {
        let now = Instant::now();
        let mut lately = self.lately.lock();
        lately.retain(|(_, at)| now.saturating_duration_since(*at) < LATELY);
        if lately.iter().any(|(origin, _)| *origin == event.origin) {
            return;
        }
        if lately.len() >= MOST_LATELY {
            lately.remove(0);
        }
        lately.push((event.origin, now));
        drop(lately);
        self.record(EventKind::Login, event);
    }

    /// At most `limit` entries with numbers below `before`, the newest last, as lines of JSON. What is not on the disk yet
    /// is among them. Waits for the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn page(&self, before: u64, limit: usize) -> io::Result<Vec<String>> {
        let now = Instant::now();
        let mut writer = self.shared.writer.lock();
        writer.take(&mut || self.shared.queue.lock().take(now, now), now);
        writer.page(before, limit)
    }

    /// How often each kind of event has happened since the start, whether it got an entry or not.
    pub fn counts(&self) -> impl Iterator<Item = (EventKind, u64)> {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        EventKind::ALL.into_iter().zip(counts)
    }

    /// Whether all that had to be written could be.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
    }

    /// Whether the files were found as they were written: by whoever appends to them, and when the chain was last checked,
    /// which is soon after the start and then daily.
    #[must_use]
    pub fn intact(&self) -> bool {
        self.shared.ours.load(Ordering::Relaxed) && self.shared.check.whole()
    }

    /// Writes what waits, if it is the first that is ever written here: from then on it is known that a server has run. Waits
    /// for the disk then.
    pub fn begin(&self) {
        let now = Instant::now();
        let mut writer = self.shared.writer.lock();
        writer.begin(&mut || self.shared.queue.lock().take(now, now), now);
    }

    /// Writes all that waits. What happens later is not recorded any more. Waits for the disk.
    pub fn stop(&self) {
        self.shared.finish();
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.news.notify_one();
    }
}

impl AuditInner {
    fn run(&self, mut next: Option<Instant>) {
        let mut checked: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if self.check.is_due(checked, now) {
                checked = Some(now);
                Check::start(&self.check);
            }
            // What the check finds it tells nobody here.
            let look = now + check::AGAIN;
            let until = next.map_or(look, |next| next.min(look));
            let mut queue = self.queue.lock();
            while !queue.news && !queue.closed && Instant::now() < until {
                self.news.wait_until(&mut queue, until);
            }
            queue.news = false;
            let closed = queue.closed;
            drop(queue);
            if closed {
                return self.finish();
            }
            let was_healthy = self.healthy.load(Ordering::Relaxed);
            next = self.work(Instant::now());
            if !was_healthy && self.healthy.load(Ordering::Relaxed) {
                checked = None;
            }
        }
    }

    /// Says when there is more to do.
    fn work(&self, now: Instant) -> Option<Instant> {
        let mut writer = self.writer.lock();
        // After the end the folder may be another server's.
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let next = writer.work(&mut || self.queue.lock().take(now, now), now);
        self.healthy.store(writer.healthy(), Ordering::Relaxed);
        self.ours.store(writer.ours(), Ordering::Relaxed);
        next
    }

    fn finish(&self) {
        let mut writer = self.writer.lock();
        if !self.closed.swap(true, Ordering::AcqRel) {
            let now = Instant::now();
            let all = now + queue::REFILL;
            writer.finish(&mut || self.queue.lock().take(now, all), now);
        }
    }
}

/// The newest entries on the disk, the newest last, as lines: at most `limit` of them. No server need be running.
///
/// # Errors
/// The file system's.
pub fn recent(folder: &Path, limit: usize) -> io::Result<Vec<String>> {
    let mut page = EntryPage::new(u64::MAX, limit);
    page.take_files(folder, u64::MAX)?;
    Ok(page.into_lines())
}

/// How long an address that came in by Basic is not news.
const LATELY: Duration = Duration::from_secs(60 * 60);

/// Addresses to remember for that; of more, the first is news again.
const MOST_LATELY: usize = 64;

/// Paths, a page's block, a line of the log.
const STACK: usize = 128 * 1024;

#[cfg(test)]
mod tests;

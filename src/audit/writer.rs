//! What the writer knows: the chain's end, the lines that are not on the disk yet, and when they have to be. No threads;
//! the time comes in.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Event, EventKind};
use super::files::{AuditFiles, NotWritten};
use super::folder::NAME;
use super::line::{self, MAX_LINE, NONE_BEFORE};
use super::queue::{EventBatch, QueuedEntry, fold_rare};
use super::read::EntryPage;
use super::tail::{FileTail, MAX_BATCH};
use crate::clock::Clock;

/// The writer's half.
pub struct AuditWriter {
    files: AuditFiles,
    clock: Arc<Clock>,
    /// Where the chain goes on; `None` while the files cannot be read.
    chain: Option<ChainEnd>,
    /// Lines, each with its end.
    waiting: Vec<u8>,
    /// What is rare and had no room among them: it has no number yet.
    held: Vec<QueuedEntry>,
    /// Bytes that may wait.
    room: usize,
    /// When they are to be written.
    due: Option<Instant>,
    /// Events without an entry, and when they will have one for all of them.
    omitted: u64,
    omitted_due: Option<Instant>,
    /// When the queue has an entry for what it counts.
    counted_due: Option<Instant>,
    /// Why nothing can be written, as it was logged.
    problem: Option<String>,
    /// Whether there should be a log already, of which word was left.
    used_before: bool,
    /// Whether nobody else was seen to write here.
    ours: bool,
}

struct ChainEnd {
    /// The last entry's number.
    seq: u64,
    /// The last line's hash.
    hash: String,
}

impl AuditWriter {
    /// A writer over these files, of which one has `limit` bytes at most. `used_before`: there should be some.
    pub fn new(files: AuditFiles, limit: u64, clock: Arc<Clock>, used_before: bool) -> Self {
        Self {
            files,
            clock,
            chain: None,
            waiting: Vec::new(),
            held: Vec::new(),
            // A file never has more than one batch too many: none.
            room: usize::try_from(limit.min(MAX_BATCH)).unwrap_or(0),
            due: None,
            omitted: 0,
            omitted_due: None,
            counted_due: None,
            problem: None,
            used_before,
            ours: true,
        }
    }

    /// Finds out where the chain goes on, if that is not known, and says in the log where that is.
    fn open(&mut self, now: Instant) {
        if self.chain.is_some() {
            return;
        }
        match self.look() {
            Ok((chain, notes)) => {
                log::info!(entry = chain.seq, hash = chain.hash.as_str(); "the audit log goes on behind this entry");
                self.chain = Some(chain);
                self.recovered(&notes, now);
            }
            Err(error) => self.failed(&error, now),
        }
    }

    fn look(&mut self) -> io::Result<(ChainEnd, Vec<String>)> {
        let (tail, aside) = self.files.look()?;
        let mut notes = found(&tail, aside.as_deref());
        self.ours &= aside.is_none();
        if let FileTail::Entries { seq, hash, .. } = tail {
            return Ok((ChainEnd { seq, hash }, notes));
        }
        // A crash in the middle of a rotation leaves it so.
        let behind = self.files.look_behind()?;
        if let FileTail::Entries { damaged: 1.., .. } = behind {
            notes.extend(found(&behind, None));
        }
        // Numbers are never given twice.
        let kept = self.files.newest_kept();
        let chain = match (behind, aside) {
            (FileTail::Entries { seq, hash, .. }, None) => ChainEnd { seq, hash },
            // What was in the file that cannot be read is not known: a new chain, that can be told from a first one.
            (FileTail::Entries { seq, .. }, Some(_)) => ChainEnd::new(seq),
            (FileTail::Nothing(_), None) => {
                // No proof of anything: the plug may have been pulled in the very first second.
                if self.used_before {
                    notes.push("there is none, though postern has run here before".to_owned());
                }
                ChainEnd::new(kept)
            }
            (FileTail::Nothing(_) | FileTail::Foreign, _) => ChainEnd::new(kept.max(1)),
        };
        Ok((chain, notes))
    }

    /// Takes what has happened, gives it its numbers, and writes what is due. Says when there is more to do.
    pub fn work(&mut self, queue: &mut dyn FnMut() -> EventBatch, now: Instant) -> Option<Instant> {
        self.take(queue, now);
        if self.due.is_some_and(|due| due <= now) {
            self.write(now);
        }
        // There is room again.
        let held = (self.healthy() && !self.held.is_empty()).then_some(now);
        let dues = [self.due, self.omitted_due, self.counted_due, held];
        dues.into_iter().flatten().min()
    }

    /// Writes the first entries of all at once, so that from then on there is word of a log.
    pub fn begin(&mut self, queue: &mut dyn FnMut() -> EventBatch, now: Instant) {
        if !self.used_before {
            self.take(queue, now);
            self.write(now);
        }
    }

    /// Takes and writes everything: the last thing that is done.
    pub fn finish(&mut self, queue: &mut dyn FnMut() -> EventBatch, now: Instant) {
        self.take(queue, now);
        if self.omitted > 0 {
            self.omitted_due = Some(now);
            self.tell_omitted(now);
        }
        self.write(now);
        if self.healthy() {
            // What was found out while that was written, and what there is room for now.
            self.take(queue, now);
            self.write(now);
        }
    }

    /// Whether what has to be written can be.
    pub fn healthy(&self) -> bool {
        self.problem.is_none()
    }

    /// Whether the files were always found as they were left.
    pub fn ours(&self) -> bool {
        self.ours
    }

    /// Entries with numbers below `before`, the newest last, those that wait included.
    pub fn page(&self, before: u64, limit: usize) -> io::Result<Vec<String>> {
        let mut page = EntryPage::new(before, limit);
        page.take_text(&self.waiting);
        page.take_files(self.files.folder(), self.files.len())?;
        Ok(page.into_lines())
    }

    /// Takes what has happened, and gives it its numbers.
    pub fn take(&mut self, queue: &mut dyn FnMut() -> EventBatch, now: Instant) {
        self.open(now);
        if self.chain.is_none() {
            // It stays in the queue, which has its own bound.
            return;
        }
        let EventBatch {
            entries,
            omitted,
            due,
        } = queue();
        self.counted_due = due;
        self.omitted += omitted;
        let held = std::mem::take(&mut self.held);
        for entry in held.into_iter().chain(entries) {
            let rare = entry.is_rare();
            // A burst does not fit in here at once; a disk that works makes room.
            if !self.has_room(rare) && self.problem.is_none() {
                self.write(now);
            }
            if self.add(&entry.whole_body(), rare) {
                self.due_by(now + entry.delay);
            } else if rare {
                self.held.push(entry);
                fold_rare(&mut self.held);
            } else {
                self.omitted = self.omitted.saturating_add(entry.others).saturating_add(1);
            }
        }
        if self.omitted > 0 && self.omitted_due.is_none() {
            self.omitted_due = Some(now + OMITTED);
        }
        self.tell_omitted(now);
    }

    /// A quarter is for what is rare, so that a flood during a failure leaves it some.
    fn has_room(&self, rare: bool) -> bool {
        let room = if rare { self.room } else { self.room / 4 * 3 };
        self.waiting.len() + MAX_LINE < room
    }

    /// Gives a body its number and its place behind the last line, if there is room for it to wait.
    fn add(&mut self, body: &str, rare: bool) -> bool {
        if !self.has_room(rare) {
            return false;
        }
        let Some(chain) = &mut self.chain else {
            return false;
        };
        chain.seq = chain.seq.saturating_add(1);
        let line = line::line(chain.seq, body, &chain.hash);
        chain.hash = line::hash(line.as_bytes());
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
        true
    }

    fn tell_omitted(&mut self, now: Instant) {
        if self.omitted_due.is_none_or(|due| due > now) {
            return;
        }
        let mut body = Event::default().body(EventKind::Omitted, &self.clock);
        line::raw_member(&mut body, "omitted", &self.omitted.to_string());
        if self.add(&body, false) {
            self.omitted = 0;
            self.omitted_due = None;
            self.due_by(now);
        } else {
            // There is no room while nothing can be written.
            self.omitted_due = Some(now + RETRY);
        }
    }

    fn due_by(&mut self, at: Instant) {
        // What failed waits for its next attempt.
        let due = self.due.filter(|_| self.problem.is_some());
        self.due = Some(due.unwrap_or(self.due.map_or(at, |due| due.min(at))));
    }

    fn write(&mut self, now: Instant) {
        self.due = None;
        if self.waiting.is_empty() {
            return;
        }
        let mut notes = Vec::new();
        let mut written = self.files.append(&self.waiting);
        if matches!(written, Err(NotWritten::Changed)) {
            // The chain goes on from what was written, not from what somebody left of it: so it shows.
            notes.push(format!("somebody else changed or removed {NAME}"));
            self.ours = false;
            written = match self.files.look() {
                Ok((tail, aside)) => {
                    notes.extend(found(&tail, aside.as_deref()));
                    self.files.append(&self.waiting)
                }
                Err(error) => Err(error.into()),
            };
        }
        match written {
            Ok(()) => {
                self.waiting = Vec::new();
                // If this fails it is done at the next write.
                self.used_before = self.used_before || self.files.leave_word().is_ok();
                if self.problem.take().is_some() {
                    log::info!("the audit log can be written again");
                }
            }
            Err(NotWritten::Failed(error)) => self.failed(&error, now),
            Err(NotWritten::Changed) => self.failed(&io::Error::other("it keeps changing"), now),
        }
        if let Some(note) = self.files.note.take() {
            self.ours = false;
            notes.push(note);
        }
        self.recovered(&notes, now);
    }

    /// Has an entry, and a line in the log, for each thing that was put right.
    fn recovered(&mut self, notes: &[String], now: Instant) {
        for note in notes {
            log::error!("the audit log: {note}");
            let event = Event {
                more: Some(("detail", note)),
                ..Event::default()
            };
            let body = event.body(EventKind::Recovered, &self.clock);
            if self.add(&body, true) {
                self.due_by(now);
            } else {
                self.held.push(QueuedEntry {
                    kind: EventKind::Recovered,
                    body,
                    others: 0,
                    delay: Duration::ZERO,
                });
                fold_rare(&mut self.held);
            }
        }
    }

    fn failed(&mut self, error: &io::Error, now: Instant) {
        self.due = Some(now + RETRY);
        let text = error.to_string();
        if self.problem.as_ref() != Some(&text) {
            log::error!(problem = text.as_str(); "the audit log cannot be written; what happens meanwhile is kept in memory, as far as there is room");
            self.problem = Some(text);
        }
    }
}

impl ChainEnd {
    /// One with nothing before its first entry.
    fn new(seq: u64) -> Self {
        Self {
            seq,
            hash: NONE_BEFORE.to_owned(),
        }
    }
}

/// What is wrong with a file's end, or was in its place, in words.
fn found(tail: &FileTail, aside: Option<&str>) -> Vec<String> {
    let (torn, damaged) = match tail {
        FileTail::Nothing(torn) => (*torn, 0),
        FileTail::Entries { torn, damaged, .. } => (*torn, *damaged),
        FileTail::Foreign => (0, 0),
    };
    let torn = (torn > 0).then(|| format!("a torn line of {torn} bytes was cut off"));
    let damaged = (damaged > 0).then(|| format!("{damaged} lines before this cannot be read"));
    let aside =
        aside.map(|name| format!("what was in its place is no audit log, and is now {name}"));
    [torn, damaged, aside].into_iter().flatten().collect()
}

/// How long events without an entry are counted before that is written: not oftener than this in a flood.
pub const OMITTED: Duration = Duration::from_secs(5 * 60);

/// How soon a disk that failed is tried again.
pub const RETRY: Duration = Duration::from_secs(5);

#[cfg(test)]
pub(in crate::audit) mod tests;

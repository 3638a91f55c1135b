//! The one thread that appends: it serves one request after the other, as [`commit`](super::commit) says for records;
//! marks the time; heals a file that failed, and has one compacted that is half waste.
//!
//! Nothing is rewritten from a state that lacks what was answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, never, select};

use super::compaction::{Compaction, Schedule};
use super::files::Files;
use super::format::{Record, Salt, encode, encode_copies};
use super::replay::ReplayReport;
use super::request::WriterRequest;
use super::rewrite::{Contents, Image};
use super::{JournalHealth, JournalState, JournalStats, WriterStatus};
use crate::clock::{Clock, ClockState, MAX_LEAP, Moment, Timestamp};
use crate::entropy::Entropy;

pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) state: Arc<dyn JournalState>,
    pub(super) clock: Arc<Clock>,
    entropy: Box<dyn Entropy>,
    pub(super) shared: Arc<WriterStatus>,
    pub(super) salt: Salt,
    /// Frames of a newer version, under the salt of the file they were found in. None are ever added.
    unknown: (Arc<[u8]>, Salt),
    /// Length of the current file.
    pub(super) bytes: usize,
    /// The latest time that the current file says had been reached.
    newest_mark: Option<Timestamp>,
    /// Whether this process has seen a mark become durable. One that was found may be on the disk or not: its sync may
    /// have failed, and a power cut would take it back.
    pub(super) has_marked: bool,
    /// Whether that mark is the last record in it.
    pub(super) ends_marked: bool,
    /// Whether the current file failed and must not be written to again.
    pub(super) failed: bool,
    healing: Healing,
    /// The compaction under way.
    pub(super) compaction: Option<Compaction>,
    pub(super) schedule: Schedule,
}

/// The records behind the last mark of a journal that was opened.
#[derive(Default)]
pub(super) struct Unmarked {
    records: Vec<Record>,
    /// There were more.
    overflowed: bool,
}

impl Unmarked {
    pub(super) fn note(&mut self, record: Record) {
        if matches!(record, Record::Mark { .. }) {
            *self = Self::default();
            return;
        }
        if let Record::LockOut { client, .. } | Record::LockOutCleared { client } = record {
            // Only the last word about an address: written again and torn, the first of two would count.
            self.records.retain(|record| {
                !matches!(record, Record::LockOut { client: other, .. } | Record::LockOutCleared { client: other } if *other == client)
            });
        }
        // The second copy of a password.
        if self.records.last() == Some(&record) {
            return;
        }
        if self.records.len() < MAX_UNMARKED {
            self.records.push(record);
        } else {
            self.overflowed = true;
        }
    }
}

/// When a failed journal was last rewritten, and how long that took.
#[derive(Default)]
struct Healing {
    last: Option<Moment>,
    took: Duration,
}

impl Healing {
    /// Each try writes the whole of it: not before a second has passed, nor ten times as long as the last one took.
    fn is_due(&self, now: Moment) -> bool {
        let pause = HEAL_EVERY.max(self.took * 10);
        self.last
            .is_none_or(|last| now.saturating_since(last) >= pause)
    }
}

/// Why the file was not replaced.
#[derive(Debug, thiserror::Error)]
pub(super) enum RewriteError {
    /// The current file is as good as before.
    #[error(transparent)]
    Untouched(io::Error),
    /// Nobody knows which of the two files a crash would find.
    #[error(transparent)]
    Uncertain(io::Error),
}

/// What the writer works with.
pub(super) struct Tools {
    pub(super) files: Files,
    pub(super) state: Arc<dyn JournalState>,
    pub(super) clock: Arc<Clock>,
    pub(super) entropy: Box<dyn Entropy>,
    pub(super) shared: Arc<WriterStatus>,
}

impl Writer {
    fn new(tools: Tools, report: Option<&ReplayReport>) -> Self {
        let Tools {
            files,
            state,
            clock,
            entropy,
            shared,
        } = tools;
        let salt = report.and_then(|report| report.salt);
        let salt = salt.unwrap_or_else(|| fresh_salt(entropy.as_ref(), None));
        let unknown = report.map_or(&[][..], |report| &report.unknown);
        Self {
            unknown: (unknown.into(), salt),
            bytes: report.map_or(0, |report| report.valid_len),
            newest_mark: report.and_then(|report| report.newest_mark),
            schedule: Schedule::new(&clock),
            salt,
            files,
            state,
            clock,
            entropy,
            shared,
            ends_marked: true,
            has_marked: false,
            failed: false,
            healing: Healing::default(),
            compaction: None,
        }
    }

    /// A writer of a journal that does not exist yet; afterwards it does.
    pub(super) fn create(tools: Tools) -> io::Result<Self> {
        let mut writer = Self::new(tools, None);
        // A crash before this is over leaves no journal, which is a first boot again.
        match writer.rewrite(&[]) {
            Ok(()) => Ok(writer),
            Err(RewriteError::Untouched(error) | RewriteError::Uncertain(error)) => Err(error),
        }
    }

    /// A writer of the journal that `report` tells about, of which the tail has been cut or the damage left behind; and
    /// where the damaged file is kept, if it was damaged and could be kept.
    pub(super) fn mend(
        tools: Tools,
        report: &ReplayReport,
        unmarked: &Unmarked,
    ) -> (Self, Option<String>) {
        let mut writer = Self::new(tools, Some(report));
        writer.update_stats(|stats| stats.records = report.records + report.unknown_records);
        if report.unknown_records > 0 {
            log::warn!(records = report.unknown_records; "the journal holds records of a newer version; they are kept");
        }
        if report.is_damaged() {
            log::error!(damaged_bytes = report.damaged_bytes, cut_bytes = report.cut_bytes, records = report.records; "the journal is damaged; postern keeps its whole records, and the damaged file beside it");
            // Evidence is worth less than a working journal: without it the rewrite goes on.
            let kept = writer.files.keep_damaged().inspect_err(|error| {
                log::error!(error:% = error; "the damaged journal could not be kept");
            });
            // A crash before this is over finds the damaged file again, untouched.
            writer.failed = true;
            writer.heal(&[]);
            return (writer, kept.ok());
        }
        if report.cut_bytes > 0 {
            log::warn!(cut_bytes = report.cut_bytes; "the journal ends in a half-written record; postern removes it. As far as it can tell, no client was answered for it");
        }
        if let Err(error) = writer.cut_tail(report.cut_bytes > 0) {
            writer.fail(&error.to_string());
            writer.heal(&[]);
        } else {
            writer.append_again(unmarked);
        }
        (writer, None)
    }

    /// The last batch of a process that was killed may never have reached the disk, and its sync may have failed: then
    /// the kernel shows its bytes, calls them clean, and never writes them again. They are in force now, so they are
    /// written once more. A mark behind them, as behind every orderly end, says that no more doubt is left.
    fn append_again(&mut self, unmarked: &Unmarked) {
        if unmarked.overflowed {
            return self.begin_writing(Vec::new());
        }
        if unmarked.records.is_empty() {
            return;
        }
        let at = self.contents().mark;
        let records: Vec<&Record> = unmarked.records.iter().collect();
        let mut frames = Vec::new();
        let fit = records
            .iter()
            .try_for_each(|record| encode_copies(record, self.salt, &mut frames));
        if fit.is_err() || !self.append(&frames, &records) {
            self.heal(&[]);
            return;
        }
        // With a sync of its own: a disk that reorders must not keep the mark and lose what it speaks for.
        let mark = Record::Mark { at };
        let mut frame = Vec::new();
        if encode(&mark, self.salt, &mut frame).is_err() || !self.append(&frame, &[&mark]) {
            self.heal(&[]);
        }
    }

    /// Serves requests until nobody can send any more.
    pub(super) fn run(mut self, requests: &Receiver<WriterRequest>) {
        let mut next = None;
        while let Some(request) = next.take().or_else(|| self.wait(requests)) {
            match request {
                WriterRequest::Commit(first) => next = self.commit_with_others(first, requests),
                WriterRequest::Tick(done) => self.tick(done),
                WriterRequest::Compact(done) => self.compact_now(done),
                WriterRequest::FinalMark => self.final_mark(),
                WriterRequest::Wake => {}
            }
            self.shared.answer();
        }
    }

    /// The next request. Meanwhile a compaction goes on, and a failed journal is tried again.
    fn wait(&mut self, requests: &Receiver<WriterRequest>) -> Option<WriterRequest> {
        loop {
            let compaction = self.compaction.as_ref();
            let progress =
                compaction.map_or_else(never, |compaction| compaction.progress().clone());
            let retry = if self.failed { after(RETRY) } else { never() };
            select! {
                recv(requests) -> request => return request.ok(),
                recv(progress) -> progress => self.compact_further(progress.ok()),
                recv(retry) -> _ => {
                    self.heal(&[]);
                }
            }
        }
    }

    fn tick(&mut self, done: Sender<()>) {
        if self.failed {
            self.heal(&[]);
        } else if self.compaction.is_none() && self.was_set_back(self.clock.now()) {
            return self.begin_writing(vec![done]);
        } else if self.compaction_is_due() {
            return self.weigh(done);
        } else {
            let now = self.clock.now();
            let is_old = |mark| now >= mark + MARK_EVERY;
            if !self.has_marked || self.newest_mark.is_none_or(is_old) {
                self.mark(now);
            }
        }
        let _ = done.send(());
    }

    /// So that a restart, without a clock chip, goes on from here.
    fn final_mark(&mut self) {
        if self.failed {
            // There is no later to put it off to.
            self.healing = Healing::default();
            self.heal(&[]);
            return;
        }
        let now = self.clock.now();
        let is_later = |mark: Timestamp| now.as_secs() > mark.as_secs();
        if !self.ends_marked || self.newest_mark.is_none_or(is_later) {
            self.mark(now);
        }
    }

    fn mark(&mut self, now: Timestamp) {
        // Whether a leap is true is not known yet, and in the journal it would be for good.
        if matches!(self.clock.state(), ClockState::Held(_)) {
            return;
        }
        let record = Record::Mark { at: now }.in_whole_seconds();
        let mut frame = Vec::new();
        if encode(&record, self.salt, &mut frame).is_ok() && !self.append(&frame, &[&record]) {
            self.heal(&[]);
        }
    }

    /// Cuts a torn tail if there is one, and makes durable what is being relied on from now on.
    fn cut_tail(&mut self, torn: bool) -> io::Result<()> {
        if torn {
            // A crash here leaves the tail as it was, or cut.
            self.files.truncate(self.bytes)?;
        }
        // A process that was killed between append and sync leaves records that the kernel has and the disk has not.
        // They are in force now, and must not be answered for from memory alone. One killed between a rename and the
        // folder's sync leaves a file that a crash would take away, with all that is appended to it.
        self.update_stats(|stats| stats.syncs += 1);
        self.files.sync_found()
    }

    /// The current file must not be written to again: the kernel may have dropped what it could not write, and would
    /// call the next sync a success.
    pub(super) fn fail(&mut self, reason: &str) {
        self.failed = true;
        self.compaction = None;
        self.files.abandon(self.bytes);
        log::error!(reason = reason, file = self.files.location().as_str(); "the journal failed and has to be written anew");
    }

    /// Tries to get over a failure: writes everything that is in force, and `extra`, into a new file. Whether all of
    /// that is durable now.
    pub(super) fn heal(&mut self, extra: &[&Record]) -> bool {
        let begun = self.clock.monotonic();
        let rewritten = if self.healing.is_due(begun) {
            let rewritten = self.rewrite(extra);
            let ended = self.clock.monotonic();
            self.healing = Healing {
                last: Some(ended),
                took: ended.saturating_since(begun),
            };
            rewritten.map_err(|error| error.to_string())
        } else {
            Err("it failed again within a second".to_owned())
        };
        self.failed = rewritten.is_err();
        let health = if self.failed {
            JournalHealth::Unavailable
        } else {
            JournalHealth::Durable
        };
        let before = std::mem::replace(&mut *self.shared.health.lock(), health);
        match rewritten {
            Ok(()) => {
                log::warn!(bytes = self.bytes; "the journal is written anew and durable again");
            }
            // One line an outage, not one a try.
            Err(reason) if before == JournalHealth::Durable => {
                log::error!(reason = reason.as_str(); "the journal cannot be written; revocations are in force in memory only");
            }
            Err(_) => {}
        }
        !self.failed
    }

    /// Whether the file holds a mark of a time that was taken back. The clock is the authority: it is never far behind
    /// a mark but after [`Clock::set_back`].
    fn was_set_back(&self, now: Timestamp) -> bool {
        self.newest_mark.is_some_and(|mark| mark > now + MAX_LEAP)
    }

    /// Replaces the file by one that holds a mark, everything in force, and `extra`.
    fn rewrite(&mut self, extra: &[&Record]) -> Result<(), RewriteError> {
        let salt = self.fresh_salt();
        let contents = self.contents();
        let shared = self.shared.clone();
        let written = self.files.replacement().and_then(|mut replacement| {
            // However long that takes a slow card, it does not hang.
            let go_on = || {
                shared.answer();
                Ok(())
            };
            let image = contents.write(&mut replacement, salt, extra, &go_on)?;
            Ok((replacement, image))
        });
        let (replacement, image) = match written {
            Ok(written) => written,
            Err(error) => {
                // Half a file on a full card would keep it full.
                self.files.discard_replacement();
                return Err(RewriteError::Untouched(error));
            }
        };
        self.files
            .publish(replacement)
            .map_err(RewriteError::Uncertain)?;
        self.adopt(&image, contents.mark);
        self.note_marks(extra);
        Ok(())
    }

    /// What a file written from now on is made of.
    pub(super) fn contents(&self) -> Contents {
        // The guarded clock keeps to its line while a leap is held, so that no leap gets in by this way.
        let now = self.clock.now();
        // Never behind the old file's newest mark, unless that is wrong: it goes with it.
        let newest = self.newest_mark.filter(|_| !self.was_set_back(now));
        let mark = newest.map_or(now, |newest| newest.max(now));
        Contents {
            state: self.state.clone(),
            unknown: self.unknown.0.clone(),
            unknown_salt: self.unknown.1,
            now,
            mark: Timestamp::from_secs(mark.as_secs()),
        }
    }

    /// A new file is in place.
    pub(super) fn adopt(&mut self, image: &Image, mark: Timestamp) {
        self.salt = image.salt;
        self.bytes = image.bytes;
        let newest = self.newest_mark.filter(|_| !self.was_set_back(mark));
        self.newest_mark = newest.max(Some(mark));
        self.ends_marked = image.ends_marked;
        self.has_marked = true;
        self.schedule = Schedule::new(&self.clock);
        self.update_stats(|stats| {
            stats.rewrites += 1;
            stats.records = image.records;
        });
    }

    pub(super) fn fresh_salt(&self) -> Salt {
        fresh_salt(self.entropy.as_ref(), Some(self.salt))
    }

    pub(super) fn note_marks(&mut self, records: &[&Record]) {
        for record in records {
            self.newest_mark = record.newest_mark(self.newest_mark);
        }
    }

    pub(super) fn update_stats(&self, update: impl FnOnce(&mut JournalStats)) {
        let mut stats = self.shared.stats.lock();
        stats.bytes = self.bytes as u64;
        update(&mut stats);
    }
}

/// A salt that is not the old file's.
fn fresh_salt(entropy: &dyn Entropy, old: Option<Salt>) -> Salt {
    loop {
        let mut random = [0; 4];
        entropy.fill(&mut random);
        let salt = Salt::new(random);
        if Some(salt) != old {
            return salt;
        }
    }
}

/// More than any batch leaves behind; after a busy ten minutes the whole file is written anew instead, on the side.
const MAX_UNMARKED: usize = 4096;

/// A mark is worth a write to flash no more often than this. It is also how much time a board without a clock chip
/// can lose by a pulled plug.
const MARK_EVERY: Duration = Duration::from_secs(10 * 60);

/// A failed journal is rewritten no more often than this: each try writes the whole of it.
const HEAL_EVERY: Duration = Duration::from_secs(1);

/// While nobody commits, a failed journal is tried again after this.
const RETRY: Duration = Duration::from_secs(5);

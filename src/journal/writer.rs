//! The one thread that writes: batches, syncs, answers; and rewrites the whole file when that is due.
//!
//! The order is always the same: append, sync, apply, answer. Nothing is answered that a crash could take back, and
//! nothing is rewritten from a state that lacks what was answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::format::{FRAMES_START, MAX_FILE, Record, Salt, encode, headers};
use super::replay::{Report, next_frame};
use super::storage::Storage;
use super::{Answer, CommitError, Health, JournalStats, Shared, State};
use crate::clock::{Clock, ClockState, MAX_LEAP, Moment, Timestamp};
use crate::entropy::Entropy;

/// What the writer is asked for.
pub(super) enum Request {
    Commit(Commit),
    Tick(Sender<()>),
    FinalMark,
}

/// Records that become durable together, and whom to tell.
pub(super) struct Commit {
    records: Vec<Record>,
    answer: Answer,
}

impl Commit {
    pub(super) fn new(records: Vec<Record>, answer: Answer) -> Self {
        Self {
            records: records.into_iter().map(Record::in_whole_seconds).collect(),
            answer,
        }
    }

    pub(super) fn answer(self, committed: Result<(), CommitError>) {
        (self.answer)(committed);
    }
}

pub(super) struct Writer {
    storage: Box<dyn Storage>,
    state: Arc<dyn State>,
    clock: Arc<Clock>,
    entropy: Box<dyn Entropy>,
    shared: Arc<Shared>,
    salt: Salt,
    /// Frames of a newer version, under `salt`. As many as the file held when it was opened: none are added.
    unknown: Vec<u8>,
    unknown_records: u64,
    /// Length of the current file.
    bytes: usize,
    /// The latest time that the current file says had been reached.
    newest_mark: Option<Timestamp>,
    /// Whether the current file failed and must not be written to again.
    failed: bool,
    /// When a rewrite was last tried to heal a failure.
    last_healing: Option<Moment>,
    /// When a compaction last failed, and left the current file as good as it was.
    compaction_failed: Option<Moment>,
}

/// Why the file was not replaced.
#[derive(Debug, thiserror::Error)]
enum RewriteError {
    /// The current file is as good as before.
    #[error(transparent)]
    Untouched(io::Error),
    /// Nobody knows which of the two files a crash would find.
    #[error(transparent)]
    Uncertain(io::Error),
}

impl Writer {
    /// A writer of a journal that does not exist yet; afterwards it does.
    pub(super) fn create(
        storage: Box<dyn Storage>,
        state: Arc<dyn State>,
        clock: Arc<Clock>,
        entropy: Box<dyn Entropy>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let mut writer = Self {
            salt: fresh_salt(entropy.as_ref(), None),
            storage,
            state,
            clock,
            entropy,
            shared,
            unknown: Vec::new(),
            unknown_records: 0,
            bytes: 0,
            newest_mark: None,
            failed: false,
            last_healing: None,
            compaction_failed: None,
        };
        // A crash before this is over leaves no journal, which is a first boot again.
        match writer.rewrite(&[]) {
            Ok(()) => Ok(writer),
            Err(RewriteError::Untouched(error) | RewriteError::Uncertain(error)) => Err(error),
        }
    }

    /// A writer of the journal that `report` tells about, of which the tail has been cut or the damage left behind.
    pub(super) fn mend(
        storage: Box<dyn Storage>,
        state: Arc<dyn State>,
        clock: Arc<Clock>,
        entropy: Box<dyn Entropy>,
        shared: Arc<Shared>,
        report: Report,
    ) -> Self {
        let mut writer = Self {
            salt: report
                .salt
                .unwrap_or_else(|| fresh_salt(entropy.as_ref(), None)),
            storage,
            state,
            clock,
            entropy,
            shared,
            unknown: report.unknown,
            unknown_records: report.unknown_records,
            bytes: report.valid_len,
            newest_mark: report.newest_mark,
            failed: false,
            last_healing: None,
            compaction_failed: None,
        };
        writer.update_stats(|stats| stats.records = report.records + report.unknown_records);
        if report.unknown_records > 0 {
            log::warn!(records = report.unknown_records; "the journal holds records of a newer version; they are kept");
        }
        if report.damaged_bytes > 0 {
            log::error!(damaged_bytes = report.damaged_bytes, cut_bytes = report.cut_bytes, records = report.records; "the journal is damaged; what is whole in it is kept, and the file itself beside it");
            // Evidence is worth less than a working journal: without it the rewrite goes on.
            if let Err(error) = writer.storage.keep_damaged() {
                log::error!(error:% = error; "the damaged journal could not be kept");
            }
            // A crash before this is over finds the damaged file again, untouched.
            writer.fail("damaged");
            writer.heal(&[]);
            return writer;
        }
        if report.cut_bytes > 0 {
            log::warn!(cut_bytes = report.cut_bytes; "the journal ended in the middle of a write; that tail was never answered and is cut");
        }
        if let Err(error) = writer.cut_tail(report.cut_bytes > 0) {
            writer.fail(&error.to_string());
            writer.heal(&[]);
        }
        writer
    }

    /// Serves requests until nobody can send any more.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        let mut next = None;
        while let Some(request) = next.take().or_else(|| requests.recv().ok()) {
            match request {
                Request::Commit(commit) => {
                    let mut batch = vec![commit];
                    while batch.len() < MAX_BATCH && next.is_none() {
                        match requests.try_recv() {
                            Ok(Request::Commit(commit)) => batch.push(commit),
                            Ok(other) => next = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.commit(batch);
                }
                Request::Tick(done) => {
                    self.tick();
                    let _ = done.send(());
                }
                Request::FinalMark => self.final_mark(),
            }
        }
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        let mut frames = Vec::new();
        let mut batch = Vec::with_capacity(commits.len());
        for commit in commits {
            let start = frames.len();
            let fits = commit
                .records
                .iter()
                .try_for_each(|record| encode(record, self.salt, &mut frames));
            if let Err(error) = fits {
                frames.truncate(start);
                log::error!(error:% = error; "a record cannot be kept");
                commit.answer(Err(CommitError));
            } else {
                batch.push(commit);
            }
        }
        if batch.is_empty() {
            return;
        }
        let records: Vec<&Record> = batch.iter().flat_map(|commit| &commit.records).collect();
        let answer = if self.append(&frames, &records) || self.heal(&records) {
            for record in &records {
                self.state.apply(record);
            }
            Ok(())
        } else {
            Err(CommitError)
        };
        for commit in batch {
            commit.answer(answer);
        }
    }

    fn tick(&mut self) {
        if self.failed {
            self.heal(&[]);
            return;
        }
        let now = self.clock.now();
        if self.was_set_back(now) || self.is_half_waste(now) {
            self.compact();
        } else if self.newest_mark.is_none_or(|mark| now >= mark + MARK_EVERY) {
            self.mark(now);
        }
    }

    /// So that a restart, without a clock chip, goes on from here.
    fn final_mark(&mut self) {
        if self.failed {
            // There is no later to put it off to.
            self.last_healing = None;
            self.heal(&[]);
            return;
        }
        let now = self.clock.now();
        if self
            .newest_mark
            .is_none_or(|mark| now.as_secs() > mark.as_secs())
        {
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

    /// Whether the records are durable in the current file now. If not, it must not be written to again.
    fn append(&mut self, frames: &[u8], records: &[&Record]) -> bool {
        if self.failed {
            return false;
        }
        if self.bytes + frames.len() > MAX_FILE {
            self.fail("it has reached its largest size");
            return false;
        }
        self.update_stats(|stats| stats.writes += 1);
        // A crash here leaves any part of the frames: a torn tail. Nobody has been answered.
        let written = self.storage.append(frames);
        let synced = written.and_then(|()| {
            self.update_stats(|stats| stats.syncs += 1);
            // A crash here may leave the frames. Nobody has been answered, but what was asked for would be in force.
            self.storage.sync()
        });
        if let Err(error) = synced {
            self.fail(&error.to_string());
            return false;
        }
        self.bytes += frames.len();
        self.note_marks(records);
        let added = records.len() as u64;
        self.update_stats(|stats| stats.records += added);
        true
    }

    /// Cuts a torn tail if there is one, and makes durable what is being relied on from now on.
    fn cut_tail(&mut self, torn: bool) -> io::Result<()> {
        if torn {
            // A crash here leaves the tail as it was, or cut. Not synced before the next append, a crash after that
            // could put new frames' blocks among the old tail's.
            self.storage.truncate(self.bytes as u64)?;
        }
        // A process that was killed between append and sync leaves records that the kernel has and the disk has not.
        // They are in force now, and must not be answered for from memory alone.
        self.update_stats(|stats| stats.syncs += 1);
        self.storage.sync()
    }

    /// The current file must not be written to again: the kernel may have dropped what it could not write, and would
    /// call the next sync a success.
    fn fail(&mut self, reason: &str) {
        self.failed = true;
        log::error!(reason = reason, file = self.storage.location().as_str(); "the journal failed and has to be written anew");
    }

    /// Tries to get over a failure: writes everything that is in force, and `extra`, into a new file. Whether all of
    /// that is durable now.
    fn heal(&mut self, extra: &[&Record]) -> bool {
        let at = self.clock.monotonic();
        let too_soon = self
            .last_healing
            .is_some_and(|last| at.saturating_since(last) < HEAL_EVERY);
        let rewritten = if too_soon {
            Err("it failed again within a second".to_owned())
        } else {
            self.last_healing = Some(at);
            self.rewrite(extra).map_err(|error| error.to_string())
        };
        self.failed = rewritten.is_err();
        let health = if self.failed {
            Health::Unavailable
        } else {
            Health::Durable
        };
        let before = std::mem::replace(&mut *self.shared.health.lock(), health);
        match rewritten {
            Ok(()) => {
                log::warn!(bytes = self.bytes; "the journal is written anew and durable again");
            }
            // One line an outage, not one a try.
            Err(reason) if before == Health::Durable => {
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

    /// Whether at least half of a file that is worth the trouble is records that nobody needs any more.
    fn is_half_waste(&self, now: Timestamp) -> bool {
        let at = self.clock.monotonic();
        let failed_lately = self
            .compaction_failed
            .is_some_and(|last| at.saturating_since(last) < COMPACT_AGAIN);
        if self.bytes < COMPACT_FROM || failed_lately {
            return false;
        }
        let mut frame = Vec::new();
        let mut live = FRAMES_START + self.unknown.len();
        self.state.live(now, &mut |record| {
            frame.clear();
            if encode(record, self.salt, &mut frame).is_ok() {
                live += frame.len();
            }
        });
        live * 2 <= self.bytes
    }

    fn compact(&mut self) {
        let before = self.bytes;
        match self.rewrite(&[]) {
            Ok(()) => log::info!(before = before, after = self.bytes; "the journal is compacted"),
            Err(RewriteError::Untouched(error)) => {
                // Appending may go on as long as the card has room for it.
                self.compaction_failed = Some(self.clock.monotonic());
                log::warn!(error:% = error; "the journal could not be compacted");
            }
            Err(RewriteError::Uncertain(error)) => {
                self.fail(&error.to_string());
                self.heal(&[]);
            }
        }
    }

    /// Replaces the file by one that holds a mark, everything in force, and `extra`.
    fn rewrite(&mut self, extra: &[&Record]) -> Result<(), RewriteError> {
        let salt = fresh_salt(self.entropy.as_ref(), Some(self.salt));
        // Built in memory first: the state's lock must not be held while a card takes its time.
        let (image, records, mark) = self.image(salt, extra).map_err(RewriteError::Untouched)?;

        let storage = &mut self.storage;
        // A crash before the publishing leaves the old file, which holds all that was answered.
        storage
            .begin_replacement()
            .and_then(|()| storage.write_replacement(&image))
            .and_then(|()| storage.seal_replacement())
            .map_err(RewriteError::Untouched)?;
        // A crash in here leaves the old file or the new one. Either holds all that was answered.
        storage
            .publish_replacement()
            .map_err(RewriteError::Uncertain)?;

        let mut unknown = Vec::with_capacity(self.unknown.len());
        salted_anew(&self.unknown, self.salt, salt, &mut unknown);
        self.unknown = unknown;
        self.salt = salt;
        self.bytes = image.len();
        self.newest_mark = Some(mark);
        self.note_marks(extra);
        self.compaction_failed = None;
        self.update_stats(|stats| {
            stats.rewrites += 1;
            stats.records = records;
        });
        Ok(())
    }

    /// A whole new file, how many records it holds, and its mark.
    fn image(&self, salt: Salt, extra: &[&Record]) -> io::Result<(Vec<u8>, u64, Timestamp)> {
        // The guarded clock keeps to its line while a leap is held, so that no leap gets in by this way.
        let now = self.clock.now();
        // Never behind the old file's newest mark, unless that is wrong: it goes with it.
        let newest = self.newest_mark.filter(|_| !self.was_set_back(now));
        let mark = newest.map_or(now, |newest| newest.max(now));
        let mark = Timestamp::from_secs(mark.as_secs());

        let mut image = headers(salt).to_vec();
        let mut records = self.unknown_records;
        let mut result = Ok(());
        let mut add = |record: &Record| {
            if result.is_ok() {
                result = encode(record, salt, &mut image).map_err(io::Error::other);
                records += 1;
            }
        };
        add(&Record::Mark { at: mark });
        self.state.live(now, &mut add);
        for record in extra {
            add(record);
        }
        result?;
        salted_anew(&self.unknown, self.salt, salt, &mut image);
        if image.len() > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok((image, records, mark))
    }

    fn note_marks(&mut self, records: &[&Record]) {
        for record in records {
            self.newest_mark = record.newest_mark(self.newest_mark);
        }
    }

    fn update_stats(&self, update: impl FnOnce(&mut JournalStats)) {
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

/// Copies frames of one file into another.
fn salted_anew(mut frames: &[u8], old: Salt, new: Salt, out: &mut Vec<u8>) {
    while let Some((skipped, frame)) = next_frame(frames, old) {
        frame.write(new, out);
        frames = &frames[skipped + frame.len()..];
    }
}

/// Commits in one batch. It bounds how long the first of them waits for the rest.
const MAX_BATCH: usize = 1024;

/// A mark is worth a write to flash no more often than this. It is also how much time a board without a clock chip
/// can lose by a pulled plug.
const MARK_EVERY: Duration = Duration::from_secs(10 * 60);

/// A failed journal is rewritten no more often than this: each try writes the whole of it.
const HEAL_EVERY: Duration = Duration::from_secs(1);

/// A compaction that failed (the card is full) is tried again no sooner than this.
const COMPACT_AGAIN: Duration = Duration::from_secs(10 * 60);

/// A smaller file is not worth compacting: it is read in a millisecond, and a card's smallest erasable unit is larger.
const COMPACT_FROM: usize = 64 * 1024;

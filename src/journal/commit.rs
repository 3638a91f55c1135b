//! The way of records to the disk: into the writer's queue, into one batch with whatever else waits, into the file,
//! onto the disk, into force in memory, and back to the caller.
//!
//! The order is always the same: append, sync, apply, reply. Success is reported only when a crash cannot undo it.

use crossbeam_channel::{Receiver, bounded};

use super::format::{MAX_FILE, Record, copies, encode_copies};
use super::request::{Commit, ReplyTo, WriterRequest};
use super::writer::Writer;
use super::{CommitError, Journal};

/// The caller's side.
impl Journal {
    /// Blocks until the record is durable and applied; as long as the storage takes.
    ///
    /// # Errors
    /// If it could not be made durable. It was not applied then.
    pub fn commit(&self, record: Record) -> Result<(), CommitError> {
        self.commit_all(vec![record])
    }

    /// Blocks until all the records are durable and applied, with one sync for all of them.
    ///
    /// A crash before it returns may leave any part of them, as it may with one record.
    ///
    /// # Errors
    /// If they could not be made durable. None was applied then.
    pub fn commit_all(&self, records: Vec<Record>) -> Result<(), CommitError> {
        if records.is_empty() {
            return Ok(());
        }
        let (answer, answered) = bounded(1);
        let reply_to = ReplyTo::Waiting(answer);
        self.send(WriterRequest::Commit(Commit::new(records, reply_to)))?;
        answered.recv().unwrap_or(Err(CommitError))
    }

    /// As [`commit_all`](Self::commit_all), but does not wait: `reply_to` says who hears what it would have returned.
    /// Where the queue is full they hear at once, of an error.
    pub fn submit(&self, records: Vec<Record>, reply_to: ReplyTo) {
        if records.is_empty() {
            return reply_to.send(Ok(()));
        }
        let commit = WriterRequest::Commit(Commit::new(records, reply_to));
        let refused = match self.requests.read().as_ref() {
            Some(sender) => match sender.try_send(commit) {
                Ok(()) => return,
                Err(refused) => refused.into_inner(),
            },
            None => commit,
        };
        if let WriterRequest::Commit(commit) = refused {
            commit.reply_to.send(Err(CommitError));
        }
    }

    pub(super) fn send(&self, request: WriterRequest) -> Result<(), CommitError> {
        let requests = self.requests.read();
        let sender = requests.as_ref().ok_or(CommitError)?;
        sender.send(request).map_err(|_| CommitError)
    }
}

/// The writer's side.
impl Writer {
    /// Commits this and what else waits, so that all of it shares one sync. Gives the request behind them, if there is
    /// one.
    pub(super) fn commit_with_others(
        &mut self,
        first: Commit,
        requests: &Receiver<WriterRequest>,
    ) -> Option<WriterRequest> {
        let (mut batch, mut next) = (vec![first], None);
        while batch.len() < MAX_BATCH && next.is_none() {
            match requests.try_recv() {
                Ok(WriterRequest::Commit(commit)) => batch.push(commit),
                Ok(other) => next = Some(other),
                Err(_) => break,
            }
        }
        self.commit(batch);
        next
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        let mut frames = Vec::new();
        let mut batch = Vec::with_capacity(commits.len());
        for commit in commits {
            let start = frames.len();
            let fits = commit
                .records
                .iter()
                .try_for_each(|record| encode_copies(record, self.salt, &mut frames));
            if let Err(error) = fits {
                frames.truncate(start);
                log::error!(error:% = error; "a record cannot be kept");
                commit.reply_to.send(Err(CommitError));
            } else {
                batch.push(commit);
            }
        }
        if batch.is_empty() {
            return;
        }
        let records: Vec<&Record> = batch.iter().flat_map(|commit| &commit.records).collect();
        let committed = if self.append(&frames, &records) || self.heal(&records) {
            for record in &records {
                self.state.apply(record);
            }
            Ok(())
        } else {
            Err(CommitError)
        };
        for commit in batch {
            commit.reply_to.send(committed);
        }
    }

    /// Whether the records are durable in the current file now. If not, it must not be written to again.
    pub(super) fn append(&mut self, frames: &[u8], records: &[&Record]) -> bool {
        if self.failed {
            return false;
        }
        if self.bytes + frames.len() > MAX_FILE {
            self.fail("it has reached its largest size");
            return false;
        }
        self.update_stats(|stats| stats.writes += 1);
        // A crash here leaves any part of the frames: a torn tail. Nobody has been answered.
        let written = self.files.append(frames);
        let synced = written.and_then(|()| {
            self.update_stats(|stats| stats.syncs += 1);
            // A crash here may leave the frames. Nobody has been answered, but what was asked for would be in force.
            let begun = self.clock.monotonic();
            let synced = self.files.sync();
            let took = self.clock.monotonic().saturating_since(begun);
            self.shared.sync_times.observe(took);
            synced
        });
        if let Err(error) = synced {
            self.fail(&error.to_string());
            return false;
        }
        self.bytes += frames.len();
        self.ends_marked = matches!(records.last(), Some(Record::Mark { .. }));
        self.has_marked |= self.ends_marked;
        self.take_along(records);
        self.note_marks(records);
        let added: usize = records.iter().map(|record| copies(record)).sum();
        self.update_stats(|stats| stats.records += added as u64);
        true
    }
}

/// Requests that wait for the writer: as many as one batch takes. More connections than this seldom end their logins
/// within one sync; a blocking commit then waits to send, the others are refused.
pub(super) const QUEUE: usize = 1024;

/// Commits in one batch. It bounds how long the first of them waits for the rest.
const MAX_BATCH: usize = 1024;

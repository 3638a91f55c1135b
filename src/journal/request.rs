//! The writer's requests, and who gets the result of a commit.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::CommitError;
use super::format::Record;

/// What the writer is asked for.
pub(super) enum WriterRequest {
    Commit(Commit),
    /// Answered or dropped when there is nothing more to do.
    Tick(Sender<()>),
    /// A compaction, whether it is worth it or not. Answered once it is done; dropped if it was not.
    Compact(Sender<()>),
    FinalMark,
    /// There is a question to be answered.
    Wake,
}

/// Records that become durable together, and whom to tell.
pub(super) struct Commit {
    pub(super) records: Vec<Record>,
    pub(super) reply_to: ReplyTo,
}

impl Commit {
    pub(super) fn new(records: Vec<Record>, reply_to: ReplyTo) -> Self {
        Self {
            records: records.into_iter().map(Record::in_whole_seconds).collect(),
            reply_to,
        }
    }
}

/// Who hears what became of a commit.
pub enum ReplyTo {
    /// Nobody: what fails will be submitted again.
    Nobody,
    /// The thread that waits at the other end.
    Waiting(Sender<Result<(), CommitError>>),
    /// Somebody who goes on meanwhile, by the number that they gave this commit.
    Letter(Arc<dyn Recipient>, u64),
}

/// Somebody who goes on while the journal writes, and hears later.
pub trait Recipient: Send + Sync {
    /// The commit of this number is durable and applied, or could not be made durable. Called on the writer's thread,
    /// which serves nobody else meanwhile, or at once on that of the caller: must be short, and must not wait for a
    /// commit.
    fn committed(&self, number: u64, committed: Result<(), CommitError>);
}

impl ReplyTo {
    pub(super) fn send(self, committed: Result<(), CommitError>) {
        match self {
            Self::Nobody => {}
            // Whoever waits is still there.
            Self::Waiting(thread) => drop(thread.send(committed)),
            Self::Letter(recipient, number) => recipient.committed(number, committed),
        }
    }
}

//! What must outlive a pulled plug. (Signatures for the floors above; being filled in.)
pub mod format;

use std::sync::Arc;

pub use format::{ClientKey, Id, PasswordOrigin, Record};

use crate::clock::{Clock, TimeSource, Timestamp};

/// The in-memory truth that the journal replays into and compacts from.
pub trait State: Send + Sync {
    /// Takes in one record: on replay, and on the writer's thread once the record is durable, before its
    /// [`Journal::commit`] returns. Must be idempotent.
    fn apply(&self, record: &Record);
    /// Gives every record that a compacted journal must hold (marks excepted).
    fn live(&self, now: Timestamp, sink: &mut dyn FnMut(&Record));
}

/// A record could not be made durable.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct CommitError;

/// Stub.
pub struct Journal {
    state: Arc<dyn State>,
}

impl Journal {
    /// A journal in memory, for tests of the floors above.
    pub fn in_memory(state: Arc<dyn State>, time: Arc<dyn TimeSource>) -> (Self, Arc<Clock>) {
        (Self { state }, Arc::new(Clock::new(time, None)))
    }
    /// Blocks until the record is durable.
    pub fn commit(&self, record: Record) -> Result<(), CommitError> {
        self.state.apply(&record);
        Ok(())
    }
    /// Blocks until all records are durable (one sync).
    pub fn commit_all(&self, records: Vec<Record>) -> Result<(), CommitError> {
        for record in records {
            self.state.apply(&record);
        }
        Ok(())
    }
}

//! What is in force in memory and not yet in the journal: the halves of a change, before and after its commit, for callers
//! that must not wait in between.

use super::{Auth, AuthError};
use crate::journal::{CommitError, Record};

/// A change that is in force in memory, and is answered once its records are durable.
///
/// Whoever is given one commits the records, and calls [`Unwritten::finish`] whatever became of them, also when nobody
/// waits for the answer any more: a change that could not be written may have to be taken back.
#[must_use = "it is in force, but not written"]
pub struct Unwritten<T> {
    /// None, if there is nothing to keep.
    records: Vec<Record>,
    finish: Finish<T>,
}

type Finish<T> = Box<dyn FnOnce(&Auth, Result<(), CommitError>) -> Result<T, AuthError> + Send>;

impl<T> Unwritten<T> {
    pub(super) fn new(
        records: Vec<Record>,
        finish: impl FnOnce(&Auth, Result<(), CommitError>) -> Result<T, AuthError> + Send + 'static,
    ) -> Self {
        Self {
            records,
            finish: Box::new(finish),
        }
    }

    /// Takes out what is to be committed before [`finish`](Self::finish).
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Commits, waits and finishes: for whoever may block.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn wait(mut self, auth: &Auth) -> Result<T, AuthError> {
        let committed = auth.journal.commit_all(self.take_records());
        self.finish(auth, committed)
    }

    /// What the change came to, now that it is known whether it is durable. Cheap.
    ///
    /// # Errors
    /// Those of whatever gave it.
    pub fn finish(self, auth: &Auth, committed: Result<(), CommitError>) -> Result<T, AuthError> {
        (self.finish)(auth, committed)
    }
}

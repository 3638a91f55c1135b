//! A durable change as a value: a fact that must outlast a power cut, from where it is made until it is answered.
//!
//! Each takes the same way. Whoever makes one puts into memory what has to be in force at once, as
//! [`Auth::begin_logout`] does. The journal gets its [`records`](Change::records). Once it is known whether they are on
//! the disk, [`Auth::finish`] does the rest, and says what the caller is to be told. A thread that may wait has all of
//! this done by [`Auth::carry_out`]. A worker may not: it keeps the change until the journal writes.
//!
//! Another kind of change is another variant here, with its records and what is left to do; and a response in the API.

use super::lock_out::NewLockOut;
use super::logout::Logout;
use super::password_change::PasswordChange;
use super::refresh::{Refresh, RefreshReuse};
use super::{Auth, AuthError, TokenPair};
use crate::ids::ClientKey;
use crate::journal::{CommitError, Record, ReplyTo};

/// Something that must outlast a power cut.
///
/// Whoever has one commits its records, and hands it to [`Auth::finish`] whatever became of them, also when nobody waits
/// for the answer any more: what could not be written may have to be taken back.
#[must_use = "it may be in force, but is not written"]
pub enum Change {
    /// A user has ended a session.
    Logout(Logout),
    /// A refresh token was used, for a fresh pair.
    Refresh(Refresh),
    /// A refresh token came a second time, and its session has ended.
    RefreshReuse(RefreshReuse),
    /// The account gets another password.
    Password(PasswordChange),
    /// A lock-out has begun.
    LockOut(NewLockOut),
    /// The administrator has lifted the lock-out of this address or network.
    LockOutCleared(ClientKey),
    /// What the journal keeps lags behind memory: the ends of lock-outs and proofs, the longest lifetime of tokens. It is
    /// compared again and again, so that nothing is to be done if it fails.
    Upkeep(Vec<Record>),
}

/// What a change has led to, as the caller is to be told.
pub enum Changed {
    /// The session has ended for good.
    LoggedOut,
    /// The next pair of the same session.
    Refreshed(TokenPair),
    /// There is another password.
    Password,
    /// The lock-out is lifted.
    LockOutCleared,
    /// Nobody has asked for it.
    Unasked,
}

impl Change {
    /// What the journal has to keep of it; nothing, if there was nothing to change.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        match self {
            Self::Logout(logout) => logout.records(),
            Self::Refresh(refresh) => vec![refresh.record()],
            Self::RefreshReuse(reuse) => vec![reuse.record()],
            Self::Password(password) => vec![password.record()],
            Self::LockOut(lock_out) => vec![lock_out.record()],
            Self::LockOutCleared(client) => vec![Record::LockOutCleared { client: *client }],
            Self::Upkeep(records) => records.clone(),
        }
    }
}

impl Auth {
    /// Does what is left to do of a change, now that it is known whether it is durable. Cheap, but for a clock that is
    /// set back.
    ///
    /// # Errors
    /// Those of whatever has made it.
    pub fn finish(
        &self,
        change: Change,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        match change {
            Change::Logout(logout) => self.logged_out(&logout, committed),
            Change::Refresh(refresh) => self.refreshed(&refresh, committed),
            Change::RefreshReuse(reuse) => self.refresh_reused(&reuse, committed),
            Change::Password(password) => self.password_changed(&password, committed),
            Change::LockOut(lock_out) => self.locked_out(&lock_out, committed),
            Change::LockOutCleared(_) => Ok(committed.map(|()| Changed::LockOutCleared)?),
            Change::Upkeep(_) => Ok(committed.map(|()| Changed::Unasked)?),
        }
    }

    /// Commits a change, waits for the disk, and finishes it. Blocks.
    ///
    /// # Errors
    /// As [`Auth::finish`].
    pub fn carry_out(&self, change: Change) -> Result<Changed, AuthError> {
        let committed = self.commit(&change);
        self.finish(change, committed)
    }

    /// Waits until a change is on the disk, for whoever has to [`finish`](Auth::finish) it later. Blocks.
    pub(super) fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.journal.commit_all(change.records())
    }

    /// Hands the journal what it lags behind, and waits for nothing. Cheap.
    pub(super) fn keep_up(&self, records: Vec<Record>) {
        let change = Change::Upkeep(records);
        self.journal.submit(change.records(), ReplyTo::Nobody);
    }
}

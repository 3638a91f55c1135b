//! A durable change as a value: a fact that must outlast a power cut, from where it is made until it is answered.
//!
//! Each takes the same way. Whoever makes one puts into memory what has to be in force at once, as
//! [`Auth::begin_logout`] does. The journal gets its [`records`](Change::records). Once it is known whether they are on
//! the disk, [`Auth::finish`] does the rest, and says what the caller is to be told. A thread that may wait has all of
//! this done by [`Auth::carry_out`]. A worker may not: it keeps the change until the journal writes.
//!
//! Another kind of change is another variant here, with its records and what is left to do; and a response in the API.

use std::time::Duration;

use super::claims::Verified;
use super::{Auth, AuthError, TokenPair};
use crate::audit::Token;
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id};
use crate::journal::{CommitError, PasswordOrigin, Record, ReplyTo};

/// Something that must survive a power cut.
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
    /// What the journal lacks compared with memory: the ends of lock-outs and proofs, the longest lifetime of tokens.
    /// It is compared again and again, so a failure needs no action.
    Upkeep(Vec<Record>),
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

/// A logout. What it ended is over in memory already.
pub struct Logout {
    /// Who asked; none on the local socket.
    pub(super) client: Option<ClientKey>,
    /// None, for the local socket and for Basic: there is no session to end.
    pub(super) ended: Option<EndedSession>,
}

/// A session that its user ended.
pub(super) struct EndedSession {
    /// The access token that was shown.
    pub(super) id: Id,
    pub(super) token: Token,
    /// The table was full: the oldest sessions have ended too.
    pub(super) oldest: Option<Record>,
    pub(super) revoked: Vec<Record>,
}

impl Logout {
    /// The oldest sessions come first: their entries have made room for the others.
    fn records(&self) -> Vec<Record> {
        let ended = self.ended.iter();
        ended
            .flat_map(|ended| ended.oldest.iter().chain(&ended.revoked))
            .cloned()
            .collect()
    }
}

/// A refresh token that was used. It is used up in memory already; the pair is made once that is durable.
pub struct Refresh {
    /// Who asked; none on the local socket.
    pub(super) client: Option<ClientKey>,
    pub(super) token: Verified,
    /// When it was used, by the guarded clock.
    pub(super) used: Timestamp,
    /// Until when that has to be remembered.
    pub(super) expires: Timestamp,
    /// The same moment by the wall clock: the pair was issued then.
    pub(super) issued: Timestamp,
    /// The password's generation at that moment.
    pub(super) generation: u32,
}

/// A refresh token that came a second time. Its session is over in memory already.
pub struct RefreshReuse {
    /// Who came with it; none on the local socket.
    pub(super) client: Option<ClientKey>,
    pub(super) token: Token,
    pub(super) revoked: Record,
}

impl Refresh {
    fn record(&self) -> Record {
        Record::RefreshUsed {
            id: self.token.id,
            used: self.used,
            expires: self.expires,
        }
    }
}

impl RefreshReuse {
    fn record(&self) -> Record {
        self.revoked.clone()
    }
}

/// Another password, or the same one under another generation. It is in force once it is durable.
pub struct PasswordChange {
    pub(super) generation: u32,
    pub(super) origin: PasswordOrigin,
    /// Nothing issued before counts any more.
    pub(super) at: Timestamp,
    /// bcrypt.
    pub(super) hash: String,
    /// The token that goes on working, and its expiry.
    pub(super) spared: Option<(Id, Timestamp)>,
    pub(super) by: ChangedBy,
}

/// Who or what changes the password.
pub(super) enum ChangedBy {
    /// The first boot, which sets one.
    FirstBoot,
    /// The configuration, in which there is another.
    Configuration,
    /// The user.
    User {
        /// From where; none on the local socket.
        client: Option<ClientKey>,
        /// The token of the session that goes on.
        token: Option<Token>,
    },
    /// The administrator, on the local socket or at a stopped server.
    Administrator,
    /// A clock that is to be set back: all logins end, the password stays.
    Clock,
}

impl PasswordChange {
    fn record(&self) -> Record {
        Record::Password {
            generation: self.generation,
            origin: self.origin,
            at: self.at,
            hash: self.hash.clone(),
            spared: self.spared,
        }
    }
}

/// A lock-out that has begun. It is in force in memory already.
#[derive(Clone, Copy)]
pub struct NewLockOut {
    /// Whose failure it began with.
    pub(super) address: ClientKey,
    /// Whom it holds: that address, or the strangers of its network.
    pub(super) client: ClientKey,
    pub(super) remaining: Duration,
    pub(super) until: Timestamp,
}

impl NewLockOut {
    const fn record(&self) -> Record {
        Record::LockOut {
            client: self.client,
            until: self.until,
        }
    }
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

impl Auth {
    /// Does what is left to do of a change, once it is known whether it is durable. Cheap, except for a clock that is
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

    /// Gives the journal what it lacks compared with memory, and does not wait. Cheap.
    pub(super) fn keep_up(&self, records: Vec<Record>) {
        let change = Change::Upkeep(records);
        self.journal.submit(change.records(), ReplyTo::Nobody);
    }
}

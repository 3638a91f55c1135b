//! The records of the journal, as the rest of the program sees them. `format` knows their bytes.

use std::fmt;
use std::time::Duration;

use crate::clock::{MAX_LEAP, Timestamp};
use crate::ids::{ClientKey, Id};

/// Where a password came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordOrigin {
    /// Set at the first boot, from the configuration or generated.
    Initial,
    /// Chosen by the user since.
    Changed,
}

/// One fact the journal keeps.
#[derive(Clone, PartialEq, Eq)]
pub enum Record {
    /// One token is revoked.
    TokenRevoked {
        /// The token.
        id: Id,
        /// When it would have expired.
        expires: Timestamp,
    },
    /// A refresh token has been used.
    RefreshUsed {
        /// The token.
        id: Id,
        /// When it was used.
        used: Timestamp,
        /// When it would have expired.
        expires: Timestamp,
    },
    /// Every token descended from a login is revoked.
    FamilyRevoked {
        /// The login.
        family: Id,
        /// When its last token will have expired.
        expires: Timestamp,
    },
    /// The account's password.
    Password {
        /// Counts changes.
        generation: u32,
        /// Whose choice.
        origin: PasswordOrigin,
        /// When. Nothing issued before counts any more.
        at: Timestamp,
        /// bcrypt, 60 bytes.
        hash: String,
        /// The token that goes on working, and its expiry.
        spared: Option<(Id, Timestamp)>,
    },
    /// An address or a network is locked out.
    LockOut {
        /// Whom.
        client: ClientKey,
        /// Until when.
        until: Timestamp,
    },
    /// A lock-out was lifted by the administrator.
    LockOutCleared {
        /// Whom.
        client: ClientKey,
    },
    /// An address has shown a good credential.
    Proven {
        /// Which address.
        client: ClientKey,
        /// Until when that proves it.
        until: Timestamp,
        /// Of which account or key: [`MAX_NAME`] bytes at most.
        account: String,
    },
    /// It was at least this late.
    Mark {
        /// The time.
        at: Timestamp,
    },
    /// The longest that any token was ever given to live: so long must the end of a login be remembered, whatever the
    /// configuration says by then.
    Lifetime {
        /// Whole seconds.
        longest: Duration,
    },
    /// Every token of the account that was issued earlier is dead: one record in the place of many ends of logins.
    SessionsEnded {
        /// The password's generation under which this holds. A new password ends all of them anyway.
        generation: u32,
        /// Issued before this. Whole seconds, and never later than it was.
        before: Timestamp,
    },
}

impl Record {
    /// The record as a replay would give it: times are kept in whole seconds. The writer applies this form, so that
    /// memory and a restarted process never disagree.
    ///
    /// What must not end early is rounded up: expiries, ends of lock-outs, and `Password::at`, before which nothing
    /// issued counts. `RefreshUsed::used` and marks are rounded down: they say that it was *at least* that late.
    #[must_use]
    pub fn in_whole_seconds(mut self) -> Self {
        match &mut self {
            Self::TokenRevoked { expires, .. } | Self::FamilyRevoked { expires, .. } => {
                *expires = up(*expires);
            }
            Self::RefreshUsed { used, expires, .. } => {
                *used = down(*used);
                *expires = up(*expires);
            }
            Self::Password { at, spared, .. } => {
                *at = up(*at);
                if let Some((_, expires)) = spared {
                    *expires = up(*expires);
                }
            }
            Self::LockOut { until, .. } | Self::Proven { until, .. } => *until = up(*until),
            Self::LockOutCleared { .. } | Self::Lifetime { .. } => {}
            Self::Mark { at } => *at = down(*at),
            Self::SessionsEnded { before, .. } => *before = down(*before),
        }
        self
    }

    /// The newest time that is known to have been reached, with this record after those that knew of `newest`. The
    /// clock is never set before it.
    ///
    /// A mark is a mark. What else tells a time counts only where a mark is near: a password may have been changed
    /// under a leap that was not believed, and a use be left from a time that was taken back ([`Clock::set_back`]).
    ///
    /// [`Clock::set_back`]: crate::clock::Clock::set_back
    #[must_use]
    pub fn newest_mark(&self, newest: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Mark { at } => newest.max(Some(*at)),
            Self::RefreshUsed { used: at, .. } | Self::SessionsEnded { before: at, .. } => {
                nearby(*at, newest)
            }
            // It is rounded up: what had been reached is the second before.
            Self::Password { at, .. } => nearby(at.saturating_sub(Duration::from_secs(1)), newest),
            _ => newest,
        }
    }
}

/// `at`, unless it is behind the newest mark or more than a day ahead of it.
fn nearby(at: Timestamp, newest: Option<Timestamp>) -> Option<Timestamp> {
    let is_near = newest.is_none_or(|newest| at <= newest + MAX_LEAP);
    newest.max(is_near.then_some(at))
}

/// Everything but the password's hash.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenRevoked { id, expires } => write!(f, "TokenRevoked({id:?} until {expires})"),
            Self::RefreshUsed { id, used, expires } => {
                write!(f, "RefreshUsed({id:?} at {used} until {expires})")
            }
            Self::FamilyRevoked { family, expires } => {
                write!(f, "FamilyRevoked({family:?} until {expires})")
            }
            Self::Password {
                generation,
                origin,
                at,
                spared,
                ..
            } => write!(
                f,
                "Password({generation}, {origin:?} at {at}, spared {spared:?})"
            ),
            Self::LockOut { client, until } => write!(f, "LockOut({client:?} until {until})"),
            Self::LockOutCleared { client } => write!(f, "LockOutCleared({client:?})"),
            Self::Proven {
                client,
                until,
                account,
            } => write!(f, "Proven({client:?} by {account} until {until})"),
            Self::Mark { at } => write!(f, "Mark({at})"),
            Self::Lifetime { longest } => write!(f, "Lifetime({longest:?})"),
            Self::SessionsEnded { generation, before } => {
                write!(f, "SessionsEnded({generation}, before {before})")
            }
        }
    }
}

fn down(time: Timestamp) -> Timestamp {
    Timestamp::from_secs(time.as_secs().min(MAX_SECONDS))
}

fn up(time: Timestamp) -> Timestamp {
    Timestamp::from_secs(time.as_millis().div_ceil(1000).min(MAX_SECONDS))
}

/// The longest name of an account or key in a [`Record::Proven`], in bytes.
pub const MAX_NAME: usize = 64;

/// The latest time the journal can hold, in seconds since the Unix epoch: 40 bits, the year 36812.
pub const MAX_SECONDS: u64 = (1 << 40) - 1;

#[cfg(test)]
mod tests;

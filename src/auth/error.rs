//! Why this room refuses, with a variant for each answer that a client may get.

use super::password::WeakPassword;
use crate::journal::CommitError;
use crate::limits::NotAdmitted;

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No credential was presented.
    #[error("authentication required")]
    MissingCredentials,
    /// Wrong user or password.
    #[error("wrong user name or password")]
    BadCredentials,
    /// The token or ticket is malformed, expired, revoked, used, or of the wrong type.
    #[error("invalid or expired token")]
    InvalidToken,
    /// Too many failed attempts from this address.
    #[error("too many failed attempts from this address")]
    LockedOut {
        /// Whole seconds until it ends, at least 1.
        retry_after: u64,
    },
    /// Too many password checks are under way.
    #[error("too many password checks are under way")]
    Busy {
        /// Whole seconds after which it is worth trying again.
        retry_after: u64,
    },
    /// The new password breaks a rule.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// The current password given for a change is not the current one.
    #[error("the current password is wrong")]
    WrongCurrentPassword,
    /// The journal cannot be written. What was asked for is in force all the same, until a power cut.
    #[error("this could not be made durable")]
    NotDurable,
    /// The journal cannot be written, and what was asked for was not done.
    #[error("this could not be made durable, and was not done")]
    NotDone,
    /// There is no room to remember another revocation; nothing was done.
    #[error("the table of revocations is full")]
    Full,
}

impl AuthError {
    /// Too busy now, but not for long.
    pub(super) const BUSY: Self = Self::Busy { retry_after: 2 };
}

impl From<CommitError> for AuthError {
    fn from(CommitError: CommitError) -> Self {
        Self::NotDurable
    }
}

impl From<NotAdmitted> for AuthError {
    fn from(refusal: NotAdmitted) -> Self {
        match refusal {
            NotAdmitted::LockedOut { retry_after } => Self::LockedOut { retry_after },
            NotAdmitted::Busy => Self::BUSY,
        }
    }
}

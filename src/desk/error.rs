//! Why a request to the board failed. The kinds differ in what to do about it.

use std::io;
use std::time::Duration;

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeskError {
    /// It may go better later: the connection broke, the board is busy or on its way up.
    #[error("{reason}")]
    Temporary {
        reason: String,
        /// After how long, if the board said so.
        after: Option<Duration>,
    },
    /// The board does not take the credential (401).
    #[error("{0}")]
    Denied(String),
    /// It will not go better by itself.
    #[error("{0}")]
    Permanent(String),
    /// What there is to say cannot be written.
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl DeskError {
    pub(super) fn temporary(reason: String) -> Self {
        Self::Temporary {
            reason,
            after: None,
        }
    }
}

//! Why a question to the board came to nothing, told apart by what is to be done about it.

use std::io;
use std::time::Duration;

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may go better later: the connection broke, the board is busy or on its way up.
    #[error("{reason}")]
    Passing {
        reason: String,
        /// After how long, if the board said so.
        after: Option<Duration>,
    },
    /// The board does not take the credential (401).
    #[error("{0}")]
    Denied(String),
    /// It will not go better by itself.
    #[error("{0}")]
    Final(String),
    /// What there is to say cannot be written.
    #[error("{0}")]
    Terminal(#[from] io::Error),
}

impl Failure {
    pub(super) fn passing(reason: String) -> Self {
        Self::Passing {
            reason,
            after: None,
        }
    }
}

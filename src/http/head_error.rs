//! Why the head of a request or of a response is refused.

use super::field::FieldError;

/// Why a head is refused. After any of these the connection is closed: where its next request would begin is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// 414.
    #[error("the request line is larger than 8 KiB")]
    TargetTooLong,
    /// 431.
    #[error("the request head is larger than 8 KiB")]
    TooLarge,
    /// 431.
    #[error("the request has more than 64 header fields")]
    TooManyFields,
    /// 505.
    #[error("this server speaks HTTP/1.1")]
    Version,
    /// 501.
    #[error("unsupported Transfer-Encoding; use chunked")]
    TransferCoding,
    /// 501.
    #[error("this server is not a proxy; CONNECT is not supported")]
    Connect,
    /// 417.
    #[error("the only expectation understood is 100-continue")]
    Expectation,
    /// 400.
    #[error("{0}")]
    Malformed(&'static str),
}

impl HeadError {
    pub(super) const fn of_field(error: FieldError) -> Self {
        Self::Malformed(match error {
            FieldError::Name => "a header field's name is malformed",
            FieldError::Value => "a header field's value is malformed",
        })
    }

    /// The status code of the response to it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::TooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            Self::TransferCoding | Self::Connect => 501,
            Self::Expectation => 417,
            Self::Malformed(_) => 400,
        }
    }
}

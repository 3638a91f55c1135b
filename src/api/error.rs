//! The one place where errors become answers: `{"status":"error","detail":"<one plain sentence>"}`.

use serde_json::json;

use super::responses::json_response;
use crate::auth::AuthError;
use crate::http::response::Response;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 400: the request itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// 401, naming the schemes that would do.
    #[error("authentication is required")]
    Unauthenticated,
    /// 401 for an `Authorization` that could not be read, saying why.
    #[error("{0}")]
    BadAuthorization(&'static str),
    /// 401 for a user and password that do not match.
    #[error("the user name or the password is wrong")]
    BadCredentials,
    /// 401 for a bearer token that does not hold (RFC 6750, section 3.1).
    #[error("the token is invalid, expired or revoked")]
    InvalidToken,
    /// 401 for a stream opened without any credential.
    #[error("missing token")]
    MissingTicket,
    /// 401 for a stream opened with a bad ticket.
    #[error("invalid or expired token")]
    InvalidTicket,
    /// 403: a browser's page from somewhere else.
    #[error("this origin is not allowed")]
    ForeignOrigin,
    /// 404.
    #[error("{0}")]
    NotFound(&'static str),
    /// 405, naming what is allowed.
    #[error("this method is not allowed here; allowed: {0}")]
    MethodNotAllowed(String),
    /// 426 (RFC 9110, section 15.5.22).
    #[error("this path speaks WebSocket; send an upgrade request, or follow /api/logs?follow=true")]
    UpgradeRequired,
    /// 429: too many failed passwords from this address.
    #[error("too many failed attempts from this address; try again in {0} s")]
    LockedOut(u64),
    /// 429: too many requests from this address.
    #[error("too many requests from this address; try again in {0} s")]
    TooManyRequests(u64),
    /// 503: too many are waiting already.
    #[error("the server is busy; try again in {0} s")]
    Busy(u64),
    /// 503: it is in force, but a power cut now could undo it.
    #[error(
        "this is in force, but could not be written to stable storage, so that a power cut would undo it; see /readyz"
    )]
    NotDurable,
    /// 503: it is not in force.
    #[error(
        "this could not be written to stable storage and was not done: nothing has changed; see /readyz"
    )]
    NotDone,
    /// 503: the server is not ready.
    #[error("{0}")]
    NotReady(String),
    /// Anything below the API: the parser, the connection.
    #[error("{1}")]
    Protocol(u16, String),
}

impl ApiError {
    const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthenticated
            | Self::BadAuthorization(_)
            | Self::BadCredentials
            | Self::InvalidToken
            | Self::MissingTicket
            | Self::InvalidTicket => 401,
            Self::ForeignOrigin => 403,
            Self::NotFound(_) => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::UpgradeRequired => 426,
            Self::LockedOut(_) | Self::TooManyRequests(_) => 429,
            Self::Busy(_) | Self::NotDurable | Self::NotDone | Self::NotReady(_) => 503,
            Self::Protocol(status, _) => *status,
        }
    }

    /// The response to send.
    #[must_use]
    pub fn response(&self) -> Response {
        let body = json!({"status": "error", "detail": self.to_string()});
        let answer = json_response(self.status(), &body);
        match self {
            Self::InvalidToken => answer.with_field(
                "WWW-Authenticate",
                "Bearer realm=\"postern\", error=\"invalid_token\", \
                 error_description=\"the token is invalid, expired or revoked\", \
                 Basic realm=\"postern\", charset=\"UTF-8\"",
            ),
            _ if self.status() == 401 => answer.with_field(
                "WWW-Authenticate",
                "Basic realm=\"postern\", charset=\"UTF-8\", Bearer realm=\"postern\"",
            ),
            Self::LockedOut(seconds) | Self::TooManyRequests(seconds) | Self::Busy(seconds) => {
                answer.with_field("Retry-After", &seconds.to_string())
            }
            Self::NotDurable | Self::NotDone | Self::NotReady(_) => {
                answer.with_field("Retry-After", RETRY_STORAGE)
            }
            Self::MethodNotAllowed(methods) => answer.with_field("Allow", methods),
            // RFC 9110, section 15.5.22.
            Self::UpgradeRequired => answer
                .with_field("Upgrade", "websocket")
                .with_field("Sec-WebSocket-Version", "13"),
            _ => answer,
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::MissingCredentials => Self::Unauthenticated,
            AuthError::BadCredentials => Self::BadCredentials,
            AuthError::InvalidToken => Self::InvalidToken,
            AuthError::LockedOut { retry_after } => Self::LockedOut(retry_after),
            AuthError::Busy { retry_after } => Self::Busy(retry_after),
            AuthError::WeakPassword(reason) => Self::BadRequest(reason.to_string()),
            AuthError::WrongCurrentPassword => {
                Self::BadRequest("'current_password' is wrong".into())
            }
            AuthError::NotDurable => Self::NotDurable,
            AuthError::NotDone => Self::NotDone,
            AuthError::Full => Self::NotReady(error.to_string()),
        }
    }
}

/// Storage seldom heals at once; a client that asks every few seconds notices soon enough.
const RETRY_STORAGE: &str = "5";

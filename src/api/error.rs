//! The one place where errors become answers: `{"status":"error","detail":"<one plain sentence>"}`.

use std::io::Cursor;

use serde_json::{Value, json};
use tiny_http::{Header, Response, StatusCode};

use crate::auth::AuthError;

/// An answer, in the vocabulary both listeners write.
pub type Answer = Response<Cursor<Vec<u8>>>;

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

    /// The answer to send.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let body = json!({"status": "error", "detail": self.to_string()});
        let answer = json_answer(self.status(), &body);
        match self {
            Self::InvalidToken => answer.with_header(header(
                "WWW-Authenticate",
                "Bearer realm=\"postern\", error=\"invalid_token\", \
                 error_description=\"the token is invalid, expired or revoked\", \
                 Basic realm=\"postern\", charset=\"UTF-8\"",
            )),
            _ if self.status() == 401 => answer.with_header(header(
                "WWW-Authenticate",
                "Basic realm=\"postern\", charset=\"UTF-8\", Bearer realm=\"postern\"",
            )),
            Self::LockedOut(seconds) | Self::TooManyRequests(seconds) | Self::Busy(seconds) => {
                answer.with_header(header("Retry-After", &seconds.to_string()))
            }
            Self::NotDurable | Self::NotDone | Self::NotReady(_) => {
                answer.with_header(header("Retry-After", RETRY_STORAGE))
            }
            Self::MethodNotAllowed(methods) => answer.with_header(header("Allow", methods)),
            Self::UpgradeRequired => answer.with_header(header("Sec-WebSocket-Version", "13")),
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

/// A JSON answer.
#[must_use]
pub fn json_answer(status: u16, body: &Value) -> Answer {
    // The line end is for people: curl prints the answer just before the shell's prompt.
    text_answer(status, JSON, format!("{body}\n"))
}

/// A success whose `data` is a list of what is JSON already; parsing it to write it again would only cost. Beside it what
/// is in the object `more`, if that is one.
pub fn json_lines_answer<T: AsRef<str>>(entries: impl Iterator<Item = T>, more: &Value) -> Answer {
    let mut body = String::from("{\"status\":\"success\",\"data\":[");
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(entry.as_ref());
    }
    body.push(']');
    match more.to_string().strip_prefix('{') {
        Some(more) => body.extend([",", more, "\n"]),
        None => body.push_str("}\n"),
    }
    text_answer(200, JSON, body)
}

/// An answer with the headers that every answer carries.
#[must_use]
pub fn text_answer(status: u16, content_type: &str, body: String) -> Answer {
    Response::from_data(body)
        .with_status_code(StatusCode(status))
        .with_header(header("Content-Type", content_type))
        .with_header(header("Server", "postern"))
        .with_header(header("Cache-Control", "no-store"))
        .with_header(header("X-Content-Type-Options", "nosniff"))
}

/// A header field of ours.
///
/// # Panics
/// If name or value is not visible ASCII. Every caller's is: literals, numbers, and origins and methods that were parsed as such.
#[must_use]
pub fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("our own header fields are ASCII")
}

/// Storage seldom heals at once; a client that asks every few seconds notices soon enough.
const RETRY_STORAGE: &str = "5";

const JSON: &str = "application/json; charset=utf-8";

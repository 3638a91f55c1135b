//! HTTP/1.1 (RFC 9112): bytes to messages and messages to bytes, for all who speak it here. The server reads requests and
//! writes responses; the commands and the update check do the reverse. All follow the same rules. No I/O.

pub mod body;
pub mod client_request;
pub mod field;
pub mod framing;
pub mod head_error;
pub mod request;
pub mod request_head;
pub mod response;
pub mod response_head;
#[cfg(test)]
mod tests;

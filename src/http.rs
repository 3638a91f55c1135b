//! HTTP/1.1 (RFC 9112): bytes to messages and messages to bytes, for all who speak it here. The server reads requests, the
//! commands and the update check read responses, and all of them by the same rules. No I/O.

pub mod body;
pub mod field;
pub mod framing;
pub mod head_error;
pub mod request;
pub mod request_head;
pub mod response;
pub mod response_head;
#[cfg(test)]
mod tests;

//! The messages to a subscriber, their encodings, and how far sending got.

use tungstenite::Utf8Bytes;

/// How the stream is put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 6455, after the handshake.
    WebSocket,
    /// One JSON object a line, as the body of an HTTP response.
    JsonLines {
        /// In HTTP/1.1's chunked coding (RFC 9112, section 7.1); else raw, until the connection closes.
        chunked: bool,
    },
    /// `text/event-stream`, as the body of an HTTP response.
    ServerSentEvents {
        /// In HTTP/1.1's chunked coding (RFC 9112, section 7.1); else raw, until the connection closes.
        chunked: bool,
    },
}

/// Why a stream is ended by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// The server shuts down: 1001.
    GoingAway,
    /// The login the stream was opened under has ended: 1008.
    LoginEnded,
}

/// One message for the subscriber.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// What server-sent events call it; `None` for an entry, which is the usual message.
    pub event: Option<&'static str>,
    /// Where a client stands that has it, for server-sent events: its number, or the last one that a gap stands for. The
    /// event's id has the run before it, since the numbers begin anew with each.
    pub id: Option<u64>,
    /// The message.
    pub json: Utf8Bytes,
}

/// How far output got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// All of it is with the kernel, or there is room for more.
    Free,
    /// The kernel takes no more for now. What was given is kept.
    Blocked,
    /// The stream is over: drop it.
    Over,
}

/// What listening to the peer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inbound {
    /// Nothing that matters.
    Nothing,
    /// The stream is closing: the peer asked for it.
    Closing,
    /// The peer broke the rules and was told; what it answers is not understood any more.
    Refused,
    /// The peer is gone: drop it.
    Gone,
}

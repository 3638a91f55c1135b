//! The two protocols a subscriber is spoken to in, behind one face: WebSocket frames, or lines in an HTTP body.

use super::stream::HttpStream;
use super::transport::Metered;
use super::websocket::WebSocketStream;
use super::wire::{Flow, Inbound, Outgoing, StreamEnd};

/// One subscriber's stream, in the protocol that it asked for.
pub(super) enum StreamProtocol {
    WebSocket(Box<WebSocketStream>),
    Stream(HttpStream),
}

impl StreamProtocol {
    pub(super) fn send(&mut self, outgoing: Outgoing) -> Flow {
        match self {
            Self::WebSocket(socket) => socket.send(outgoing),
            Self::Stream(stream) => stream.send(&outgoing),
        }
    }

    /// A WebSocket ping, or a comment where the format has one.
    pub(super) fn keep_alive(&mut self) -> Flow {
        match self {
            Self::WebSocket(socket) => socket.ping(),
            Self::Stream(stream) => stream.keep_alive(),
        }
    }

    pub(super) fn flush(&mut self) -> Flow {
        match self {
            Self::WebSocket(socket) => socket.flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }

    pub(super) fn listen(&mut self) -> Inbound {
        match self {
            Self::WebSocket(socket) => socket.listen(),
            Self::Stream(stream) => stream.listen(),
        }
    }

    /// Ends the stream: after this, only [`StreamProtocol::flush`] and [`StreamProtocol::listen`] until one of them says it is over.
    pub(super) fn close(&mut self, ending: StreamEnd) -> Flow {
        match self {
            Self::WebSocket(socket) => socket.close(ending),
            Self::Stream(stream) => stream.close(),
        }
    }

    pub(super) fn transport(&mut self) -> &mut Metered {
        match self {
            Self::WebSocket(socket) => socket.transport(),
            Self::Stream(stream) => stream.transport(),
        }
    }

    /// Whether a peer must be heard from (it answers pings), rather than just read.
    pub(super) fn answers(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }
}

//! A subscriber over WebSocket: tungstenite's framing with small, bounded buffers, and the closing handshake.

use std::io::{self, Read, Write};

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Error, Message};

use super::transport::{Metered, Transport};
use super::wire::{Flow, Inbound, Outgoing, StreamEnd};
use crate::logs::ring_entry::MAX_JSON_BYTES;

pub(super) struct WebSocketStream {
    inner: WebSocket<Metered>,
    phase: WebSocketPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WebSocketPhase {
    Open,
    /// A close frame was sent or received; tungstenite completes the handshake.
    Closing,
    /// The peer broke the rules and was told why. What it still sends is thrown away, this many bytes at most:
    /// closing a socket with unread bytes would destroy our close frame under way.
    Discarding(usize),
    /// The handshake is complete; the transport may still hold some of our bytes.
    Flushing,
}

impl WebSocketStream {
    /// `leftover` is what the peer sent behind its handshake.
    pub(super) fn new(transport: Box<dyn Transport>, leftover: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(WRITE_BUFFER_MAX)
            .max_message_size(Some(INBOUND_MAX))
            .max_frame_size(Some(INBOUND_MAX));
        let metered = Metered::new(transport);
        Self {
            inner: WebSocket::from_partially_read(metered, leftover, Role::Server, Some(config)),
            phase: WebSocketPhase::Open,
        }
    }

    pub(super) fn transport(&mut self) -> &mut Metered {
        self.inner.get_mut()
    }

    /// Must not be called while output is blocked: then the buffer's bound holds.
    pub(super) fn send(&mut self, outgoing: Outgoing) -> Flow {
        let result = self.inner.write(Message::Text(outgoing.json));
        self.flow(result)
    }

    pub(super) fn ping(&mut self) -> Flow {
        let result = self.inner.write(Message::Ping(Bytes::new()));
        self.flow(result)
    }

    pub(super) fn flush(&mut self) -> Flow {
        let result = match self.phase {
            // tungstenite has written everything; what is left is the transport's.
            WebSocketPhase::Flushing => match self.inner.get_mut().flush() {
                Ok(()) => return Flow::Over,
                Err(error) => Err(error.into()),
            },
            _ => self.inner.flush(),
        };
        self.flow(result)
    }

    pub(super) fn close(&mut self, ending: StreamEnd) -> Flow {
        let (code, reason) = match ending {
            StreamEnd::GoingAway => (CloseCode::Away, "the server shuts down"),
            StreamEnd::LoginEnded => (CloseCode::Policy, "the login has ended"),
        };
        self.phase = WebSocketPhase::Closing;
        self.send_close(code, reason)
    }

    /// Hears what the peer has to say until it would block or this turn's allowance is spent.
    pub(super) fn listen(&mut self) -> Inbound {
        let before = self.phase;
        loop {
            match self.phase {
                WebSocketPhase::Open | WebSocketPhase::Closing => {}
                WebSocketPhase::Discarding(_) => return self.discard(),
                WebSocketPhase::Flushing => return Inbound::Nothing,
            }
            match self.inner.read() {
                Ok(Message::Close(_)) => self.phase = WebSocketPhase::Closing,
                // Pings are answered by tungstenite; data is ignored.
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return if before == WebSocketPhase::Open && self.phase != WebSocketPhase::Open {
                        Inbound::Closing
                    } else {
                        Inbound::Nothing
                    };
                }
                Err(Error::ConnectionClosed) => {
                    self.phase = WebSocketPhase::Flushing;
                    return Inbound::Closing;
                }
                Err(Error::Capacity(_)) => {
                    return self.refuse(CloseCode::Size, "at most 1024 bytes");
                }
                Err(Error::Utf8(_)) => {
                    return self.refuse(CloseCode::Invalid, "text must be UTF-8");
                }
                Err(Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )) => return Inbound::Gone,
                Err(Error::Protocol(_)) => {
                    return self.refuse(CloseCode::Protocol, "protocol error");
                }
                Err(_) => return Inbound::Gone,
            }
        }
    }

    /// After such an error tungstenite's reader is in no state to go on; only our close frame still matters.
    fn refuse(&mut self, code: CloseCode, reason: &'static str) -> Inbound {
        let told = self.phase == WebSocketPhase::Closing;
        self.phase = WebSocketPhase::Discarding(DISCARD_MAX);
        if !told && self.send_close(code, reason) == Flow::Over {
            return Inbound::Gone;
        }
        Inbound::Refused
    }

    fn discard(&mut self) -> Inbound {
        let mut buffer = [0; 512];
        loop {
            let WebSocketPhase::Discarding(left) = self.phase else {
                return Inbound::Nothing;
            };
            match self.inner.get_mut().read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Inbound::Nothing,
                Ok(0) | Err(_) => return Inbound::Gone,
                Ok(read) if read >= left => return Inbound::Gone,
                Ok(read) => self.phase = WebSocketPhase::Discarding(left - read),
            }
        }
    }

    fn send_close(&mut self, code: CloseCode, reason: &'static str) -> Flow {
        let result = self.inner.close(Some(CloseFrame {
            code,
            reason: reason.into(),
        }));
        self.flow(result)
    }

    /// A message that met a full socket is kept by tungstenite, so blocked is no loss.
    fn flow(&mut self, result: Result<(), Error>) -> Flow {
        match result {
            Ok(()) => Flow::Free,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Flow::Blocked,
            Err(Error::ConnectionClosed) => {
                self.phase = WebSocketPhase::Flushing;
                self.flush()
            }
            Err(_) => Flow::Over,
        }
    }
}

/// tungstenite allocates this for each connection at once; its default is 128 KiB.
const READ_BUFFER: usize = 1024;

/// Frames are gathered up to this size before they are written: half a TLS record.
const WRITE_BUFFER: usize = 8 * 1024;

/// The bound of what one subscriber's output may hold: what was gathered, the longest entry behind it, and pongs.
const WRITE_BUFFER_MAX: usize = WRITE_BUFFER + MAX_JSON_BYTES + 16 * 1024;

/// A subscriber has nothing to say: larger messages close the connection (1009).
const INBOUND_MAX: usize = 1024;

/// A peer that was refused gets this far in what it was sending, in bytes.
const DISCARD_MAX: usize = 64 * 1024;

//! A subscriber over plain HTTP: JSON lines or server-sent events, as a response body without end.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::time::Duration;

use rustix::net::sockopt;

use super::transport::{Metered, Transport};
use super::wire::{Flow, Inbound, Outgoing};

pub(super) struct HttpStream {
    transport: Metered,
    /// Which run the ids of server-sent events are of; `None`: JSON lines.
    events: Option<String>,
    chunked: bool,
    /// What is not written yet begins at `written`.
    out: Vec<u8>,
    written: usize,
    /// What the peer has sent since, in bytes.
    inbound: usize,
    closing: bool,
}

impl HttpStream {
    /// The response's head, and what came before it, are the caller's to have sent.
    pub(super) fn new(
        transport: Box<dyn Transport>,
        events: Option<String>,
        chunked: bool,
        leftover: usize,
    ) -> Self {
        // Nothing in these formats makes a peer answer, so TCP itself must find out that one has vanished. A
        // local socket knows no such options and needs none.
        let _ = sockopt::set_socket_keepalive(&transport, true);
        let _ = sockopt::set_tcp_keepidle(&transport, KEEP_ALIVE_IDLE);
        let _ = sockopt::set_tcp_keepintvl(&transport, KEEP_ALIVE_INTERVAL);
        let _ = sockopt::set_tcp_keepcnt(&transport, KEEP_ALIVE_PROBES);
        let _ = sockopt::set_tcp_user_timeout(&transport, USER_TIMEOUT_MILLIS);
        Self {
            transport: Metered::new(transport),
            events,
            chunked,
            out: Vec::new(),
            written: 0,
            inbound: leftover,
            closing: false,
        }
    }

    pub(super) fn transport(&mut self) -> &mut Metered {
        &mut self.transport
    }

    /// Must not be called while output is blocked: then the buffer's bound holds.
    pub(super) fn send(&mut self, outgoing: &Outgoing) -> Flow {
        let json = outgoing.json.as_bytes();
        if let Some(boot) = &self.events {
            let mut head = String::new();
            // Writing to a String cannot fail.
            if let Some(event) = outgoing.event {
                let _ = writeln!(head, "event: {event}");
            }
            if let Some(id) = outgoing.id {
                let _ = writeln!(head, "id: {boot}:{id}");
            }
            self.chunk(&[head.as_bytes(), b"data: ", json, b"\n\n"]);
        } else {
            self.chunk(&[json, b"\n"]);
        }
        self.write_if_full()
    }

    /// Server-sent events have comments for this; a JSON line without JSON would only trip its reader.
    pub(super) fn keep_alive(&mut self) -> Flow {
        if self.events.is_some() {
            self.chunk(&[b": keep-alive\n\n"]);
        }
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Flow {
        match self.try_flush() {
            Ok(()) if self.closing => Flow::Over,
            Ok(()) => Flow::Free,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flow::Blocked,
            Err(_) => Flow::Over,
        }
    }

    pub(super) fn close(&mut self) -> Flow {
        if self.chunked && !self.closing {
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
        self.closing = true;
        self.flush()
    }

    /// The peer has nothing to say in the middle of a response; it may only leave.
    pub(super) fn listen(&mut self) -> Inbound {
        let mut buffer = [0; 512];
        while self.inbound <= INBOUND_MAX {
            match self.transport.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Inbound::Nothing,
                Ok(0) | Err(_) => return Inbound::Gone,
                Ok(read) => self.inbound += read,
            }
        }
        Inbound::Gone
    }

    fn chunk(&mut self, parts: &[&[u8]]) {
        if self.chunked {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            self.out
                .extend_from_slice(format!("{length:x}\r\n").as_bytes());
        }
        for part in parts {
            self.out.extend_from_slice(part);
        }
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
    }

    fn write_if_full(&mut self) -> Flow {
        if self.out.len() - self.written < WRITE_BUFFER {
            return Flow::Free;
        }
        self.flush()
    }

    fn try_flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.transport.write(&self.out[self.written..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.written += written,
            }
        }
        self.out.clear();
        self.written = 0;
        if self.out.capacity() > OUT_KEPT {
            self.out = Vec::new();
        }
        self.transport.flush()
    }
}

/// Messages are gathered up to this size before they are written. So the buffer holds this and one entry at most.
const WRITE_BUFFER: usize = 8 * 1024;

/// The buffer is given back above this: one long entry must not be paid for ever after.
const OUT_KEPT: usize = 2 * WRITE_BUFFER;

/// What a peer may send into our response, in bytes.
const INBOUND_MAX: usize = 1024;

/// With the three below, a vanished peer is found out within 90 s, as over WebSocket.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_PROBES: u32 = 3;
const USER_TIMEOUT_MILLIS: u32 = 90_000;

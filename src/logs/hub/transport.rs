//! What a subscriber is reached through, and the meter that bounds what it may say in one turn.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// A non-blocking byte stream with a descriptor to wait for.
///
/// `read` and `write` give [`io::ErrorKind::WouldBlock`] as usual. `write` may keep bytes in a buffer of its own (TLS
/// does); `flush` succeeds once everything is handed to the kernel, and is called again when the descriptor is writable.
pub trait Transport: Read + Write + AsFd + Send {}

/// The local socket. Must be in non-blocking mode.
impl Transport for UnixStream {}

/// Must be in non-blocking mode.
impl Transport for TcpStream {}

/// A transport that gives at most [`INBOUND_A_TURN`] bytes a turn, so that nobody who sends without end can hold up
/// the others.
pub(super) struct Metered {
    inner: Box<dyn Transport>,
    allowance: usize,
    received: bool,
}

impl Metered {
    pub(super) fn new(inner: Box<dyn Transport>) -> Self {
        Self {
            inner,
            allowance: INBOUND_A_TURN,
            received: false,
        }
    }

    /// Begins a turn.
    pub(super) fn refill(&mut self) {
        self.allowance = INBOUND_A_TURN;
        self.received = false;
    }

    /// Whether the peer sent anything in this turn.
    pub(super) fn received(&self) -> bool {
        self.received
    }

    /// Whether the turn ended before the peer's bytes did.
    pub(super) fn spent(&self) -> bool {
        self.allowance == 0
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.allowance);
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = loop {
            match self.inner.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.allowance -= read;
        self.received |= read > 0;
        Ok(read)
    }
}

impl Write for Metered {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match self.inner.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.inner.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl AsFd for Metered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A subscriber has nothing to say but pings, pongs and a close: a few bytes each.
pub(super) const INBOUND_A_TURN: usize = 4096;

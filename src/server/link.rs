//! The bytes of one client: its socket, TLS over it, what has come in and what is to go out. Knows nothing of HTTP, and
//! never waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::ServerConnection;

/// One client's bytes.
pub(super) struct Link {
    socket: TcpStream,
    tls: Box<ServerConnection>,
    /// Whether any byte has come.
    greeted: bool,
    /// Decrypted bytes that nobody has claimed yet.
    pub inbound: Vec<u8>,
    /// What is to be sent, and how much of it TLS has taken.
    outbound: Vec<u8>,
    taken: usize,
    /// The last read emptied the socket: only an event makes another worth while.
    drained: bool,
    /// The client will send no more: there is an end to be read behind the last byte.
    ending: bool,
}

/// What reading led to.
pub(super) enum Received {
    /// There may be more in `inbound`.
    Bytes,
    /// Not until the next event.
    Nothing,
    /// Not in this turn.
    Share,
    /// The client has left, or said that it will send no more.
    End,
    /// The very first byte is no TLS record's.
    PlainText,
}

/// What sending led to.
pub(super) enum Sent {
    /// Nothing is left.
    All,
    /// The socket is full.
    Blocked,
    /// The turn's share is used up.
    Share,
}

impl Link {
    /// Over a non-blocking socket.
    pub fn new(socket: TcpStream, tls: ServerConnection) -> Self {
        let mut tls = Box::new(tls);
        tls.set_buffer_limit(Some(TLS_BUFFER));
        Self {
            socket,
            tls,
            greeted: false,
            inbound: Vec::new(),
            outbound: Vec::new(),
            taken: 0,
            drained: false,
            ending: false,
        }
    }

    /// The socket, to poll it.
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The poller saw something happen, perhaps the client's end.
    pub const fn wake(&mut self, ending: bool) {
        self.drained = false;
        self.ending |= ending;
    }

    /// Whether there is nothing to read before the next event.
    pub const fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether the TLS handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Gives the memory of an empty buffer back, since the connection may be idle for long.
    pub fn release(&mut self) {
        if self.inbound.is_empty() {
            self.inbound = Vec::new();
        }
    }

    /// Reads once, and decrypts what that gave. What was read is counted down from the turn's `share`.
    ///
    /// # Errors
    /// The connection's, or what is wrong with the TLS records; there is nothing to go on with.
    pub fn receive(&mut self, scratch: &mut [u8], share: &mut usize) -> io::Result<Received> {
        if self.drained {
            return Ok(Received::Nothing);
        }
        if *share == 0 {
            return Ok(Received::Share);
        }
        let count = match self.socket.read(scratch) {
            Ok(0) => return Ok(Received::End),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                return Ok(Received::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Received::Bytes),
            Err(error) => return Err(error),
        };
        *share = share.saturating_sub(count);
        // A short read means there was no more, and more raises an event again (epoll(7), edge-triggered streams). Only
        // an end that was announced along with the bytes is not announced twice.
        self.drained = count < scratch.len() && !self.ending;
        if !self.greeted && scratch[0] != TLS_HANDSHAKE_RECORD {
            return Ok(Received::PlainText);
        }
        self.greeted = true;
        self.decrypt(&scratch[..count])
    }

    fn decrypt(&mut self, mut input: &[u8]) -> io::Result<Received> {
        let mut closed = false;
        while !input.is_empty() {
            self.tls.read_tls(&mut input)?;
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert tells the client why, if it still listens.
                    let _ = self.tls.write_tls(&mut self.socket);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            };
            let length = self.inbound.len();
            self.inbound
                .resize(length + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut self.inbound[length..])?;
            if state.peer_has_closed() {
                // What comes behind the goodbye is nobody's.
                closed = true;
                break;
            }
        }
        // What came before it is still answered.
        if closed && self.inbound.is_empty() {
            return Ok(Received::End);
        }
        Ok(Received::Bytes)
    }

    /// Reads and throws away. Returns how much it was; 0 is the end.
    ///
    /// # Errors
    /// The connection's, among them `WouldBlock`.
    pub fn discard(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        self.socket.read(scratch)
    }

    /// Puts bytes behind what is already to be sent.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.outbound.extend_from_slice(bytes);
    }

    /// Sends what there is, `share` bytes at most, which it counts down. `progress` is set if the socket took any.
    ///
    /// # Errors
    /// The connection's.
    pub fn send(&mut self, share: &mut usize, progress: &mut bool) -> io::Result<Sent> {
        loop {
            while self.tls.wants_write() {
                match self.tls.write_tls(&mut self.socket) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        *share = share.saturating_sub(count);
                        *progress = true;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Sent::Blocked);
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.taken == self.outbound.len() {
                self.outbound = Vec::new();
                self.taken = 0;
                return Ok(Sent::All);
            }
            if *share == 0 {
                return Ok(Sent::Share);
            }
            self.taken += self.tls.writer().write(&self.outbound[self.taken..])?;
        }
    }

    /// Sends bytes past TLS, to a client that does not speak it, and says that no more will come.
    ///
    /// # Errors
    /// The connection's. A few hundred bytes fit an empty socket buffer; if not, the client does without.
    pub fn send_plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Queues TLS's goodbye.
    pub fn say_goodbye(&mut self) {
        self.tls.send_close_notify();
    }

    /// Says that no more will come.
    pub fn shut_writing(&self) {
        // Fails only if the client is gone.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Takes it apart, with `last` handed to TLS: the socket, TLS, and what has come and was not claimed.
    ///
    /// # Errors
    /// If TLS has no room for `last`.
    pub fn into_parts(
        mut self,
        last: &[u8],
    ) -> io::Result<(TcpStream, Box<ServerConnection>, Vec<u8>)> {
        self.tls.writer().write_all(last)?;
        Ok((self.socket, self.tls, self.inbound))
    }
}

/// RFC 8446, section 5.1: the content type of the record that must come first.
const TLS_HANDSHAKE_RECORD: u8 = 22;

/// What TLS may hold of an answer, encrypted and not yet sent.
const TLS_BUFFER: usize = 32 * 1024;

//! The bytes of one client: its socket, TLS over it unless it is the local one, what has come in and what is to go out.
//! Knows nothing of HTTP, and never waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustls::ServerConnection;

use super::transport::TlsTransport;
use crate::logs::hub::Transport;

/// One client's bytes.
#[expect(clippy::struct_excessive_bools, reason = "facts, each on its own")]
pub(super) struct Link {
    carrier: Carrier,
    /// Whether any byte has come.
    greeted: bool,
    /// Decrypted bytes that nobody has claimed yet.
    pub inbound: Vec<u8>,
    /// Bytes that TLS has taken in and not made anything of yet.
    undigested: usize,
    /// TLS's buffer may be larger than what is in it.
    grown: bool,
    /// What is to be sent, and how much of it TLS or the socket has taken.
    outbound: Vec<u8>,
    taken: usize,
    /// The last read emptied the socket, so only an event makes another one useful.
    drained: bool,
    /// The client will send no more: behind the last byte comes the end.
    ending: bool,
}

/// What brings the bytes here.
enum Carrier {
    /// The network.
    Tls(TcpStream, Box<ServerConnection>),
    /// The local socket: whoever may open it could read the server's memory as well.
    Plain(UnixStream),
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
    /// TLS over a non-blocking socket.
    pub fn tls(socket: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(TLS_BUFFER));
        Self::over(Carrier::Tls(socket, Box::new(tls)))
    }

    /// A non-blocking local socket as it is.
    pub const fn plain(socket: UnixStream) -> Self {
        Self::over(Carrier::Plain(socket))
    }

    const fn over(carrier: Carrier) -> Self {
        Self {
            carrier,
            greeted: false,
            inbound: Vec::new(),
            undigested: 0,
            grown: false,
            outbound: Vec::new(),
            taken: 0,
            drained: false,
            ending: false,
        }
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

    const fn is_tls(&self) -> bool {
        matches!(self.carrier, Carrier::Tls(..))
    }

    /// Whether the TLS handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        matches!(&self.carrier, Carrier::Tls(_, tls) if tls.is_handshaking())
    }

    /// Gives the memory of empty buffers back, since the connection may be idle for long.
    pub fn release(&mut self) {
        if self.inbound.is_empty() {
            self.inbound = Vec::new();
        }
        if let Carrier::Tls(_, tls) = &mut self.carrier
            && self.grown
            && self.undigested == 0
        {
            self.grown = false;
            // Before it reads, TLS cuts its buffer to size; that there is nothing to be read yet is no news to it.
            let _ = tls.read_tls(&mut NothingYet);
        }
    }

    /// How many bytes of the client's it holds.
    pub fn held(&self) -> usize {
        let undigested = match self.undigested {
            0 => 0,
            bytes => bytes + TLS_READ,
        };
        self.inbound.capacity() + undigested
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
        let count = match self.discard(scratch) {
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
        // an end that was announced along with the bytes is not announced twice. Nor does it hold for a Unix socket, where a
        // descriptor that was sent along ends a read.
        self.drained = count < scratch.len() && !self.ending && self.is_tls();
        let input = &scratch[..count];
        match &mut self.carrier {
            Carrier::Tls(..) if !self.greeted && input[0] != TLS_HANDSHAKE_RECORD => {
                Ok(Received::PlainText)
            }
            Carrier::Tls(socket, tls) => {
                self.greeted = true;
                self.grown |= count > TLS_READ;
                let undigested = &mut self.undigested;
                decrypt(socket, tls, input, &mut self.inbound, undigested)
            }
            Carrier::Plain(_) => {
                self.inbound.extend_from_slice(input);
                Ok(Received::Bytes)
            }
        }
    }

    /// Reads and throws away. Returns how much it was; 0 is the end.
    ///
    /// # Errors
    /// The connection's, among them `WouldBlock`.
    pub fn discard(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match &mut self.carrier {
            Carrier::Tls(socket, _) => socket.read(scratch),
            Carrier::Plain(socket) => socket.read(scratch),
        }
    }

    /// Puts bytes behind what is already to be sent.
    pub fn queue(&mut self, bytes: Vec<u8>) {
        if self.outbound.is_empty() {
            self.outbound = bytes;
        } else {
            self.outbound.extend(bytes);
        }
    }

    /// Sends what there is, `share` bytes at most, which it counts down. `progress` is set if the socket took any.
    ///
    /// # Errors
    /// The connection's.
    pub fn send(&mut self, share: &mut usize, progress: &mut bool) -> io::Result<Sent> {
        loop {
            let unsent = &self.outbound[self.taken..];
            // What TLS holds goes first, and whole.
            let sent = match &mut self.carrier {
                Carrier::Tls(socket, tls) if tls.wants_write() => Some(tls.write_tls(socket)),
                Carrier::Plain(socket) if !unsent.is_empty() && *share > 0 => {
                    let sent = socket.write(unsent);
                    self.taken += *sent.as_ref().unwrap_or(&0);
                    Some(sent)
                }
                _ => None,
            };
            match sent {
                None => {}
                Some(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Some(Ok(count)) => {
                    *share = share.saturating_sub(count);
                    *progress = true;
                    continue;
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Sent::Blocked);
                }
                Some(Err(error)) => return Err(error),
            }
            if self.taken == self.outbound.len() {
                self.outbound = Vec::new();
                self.taken = 0;
                return Ok(Sent::All);
            }
            if *share == 0 {
                return Ok(Sent::Share);
            }
            if let Carrier::Tls(_, tls) = &mut self.carrier {
                self.taken += tls.writer().write(&self.outbound[self.taken..])?;
            }
        }
    }

    /// Sends bytes past TLS, to a client that does not speak it, and says that no more will come.
    ///
    /// # Errors
    /// The connection's. A few hundred bytes fit an empty socket buffer; if not, the client does without.
    pub fn send_plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Carrier::Tls(socket, _) = &mut self.carrier {
            socket.write_all(bytes)?;
            socket.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Queues TLS's goodbye.
    pub fn say_goodbye(&mut self) {
        if let Carrier::Tls(_, tls) = &mut self.carrier {
            tls.send_close_notify();
        }
    }

    /// Says that no more will come.
    pub fn shut_writing(&self) {
        // Fails only if the client is gone.
        let _ = match &self.carrier {
            Carrier::Tls(socket, _) => socket.shutdown(Shutdown::Write),
            Carrier::Plain(socket) => socket.shutdown(Shutdown::Write),
        };
    }

    /// Takes it apart, once all is sent: what the hub reaches the client through, and what has come and was not claimed.
    pub fn into_parts(self) -> (Box<dyn Transport>, Vec<u8>) {
        let transport: Box<dyn Transport> = match self.carrier {
            Carrier::Tls(socket, tls) => Box::new(TlsTransport { socket, tls }),
            Carrier::Plain(socket) => Box::new(socket),
        };
        (transport, self.inbound)
    }
}

/// The socket, to poll it.
impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.carrier {
            Carrier::Tls(socket, _) => socket.as_fd(),
            Carrier::Plain(socket) => socket.as_fd(),
        }
    }
}

fn decrypt(
    socket: &mut TcpStream,
    tls: &mut ServerConnection,
    mut input: &[u8],
    inbound: &mut Vec<u8>,
    undigested: &mut usize,
) -> io::Result<Received> {
    let mut closed = false;
    while !input.is_empty() {
        let was_handshaking = tls.is_handshaking();
        *undigested += tls.read_tls(&mut input)?;
        let state = match tls.process_new_packets() {
            Ok(state) => state,
            Err(error) => {
                // The alert tells the client why, if it still listens.
                let _ = tls.write_tls(socket);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        };
        let plain = state.plaintext_bytes_to_read();
        let (most, is_over) = if was_handshaking {
            (MAX_FLIGHT, !tls.is_handshaking())
        } else {
            (MAX_RECORD, false)
        };
        if plain > 0 || state.tls_bytes_to_write() > 0 || is_over {
            *undigested = 0;
        } else if *undigested > most {
            // TLS itself would put four times as much together.
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = inbound.len();
        inbound.reserve_exact(plain);
        inbound.resize(length + plain, 0);
        tls.reader().read_exact(&mut inbound[length..])?;
        if state.peer_has_closed() {
            // What comes behind the goodbye is nobody's.
            closed = true;
            break;
        }
    }
    // What came before it is still answered.
    if closed && inbound.is_empty() {
        return Ok(Received::End);
    }
    Ok(Received::Bytes)
}

/// A reader for which there is nothing yet.
struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// What a client says at once while it shakes hands, its `ClientHello` for one. Those of today take up to 2 KB.
const MAX_FLIGHT: usize = 16 * 1024;

/// The largest record there is, and its header (RFC 8446, section 5.2).
const MAX_RECORD: usize = 16 * 1024 + 256 + 5;

/// What TLS reads at a time, and keeps room for.
const TLS_READ: usize = 4 * 1024;

/// RFC 8446, section 5.1: the content type of the record that must come first.
const TLS_HANDSHAKE_RECORD: u8 = 22;

/// What TLS may hold of an answer, encrypted and not yet sent.
const TLS_BUFFER: usize = 32 * 1024;

//! A TLS connection as the hub wants it: a non-blocking stream of bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustls::ServerConnection;

use crate::logs::hub::Transport;

/// The two halves of a connection whose HTTP days are over.
pub struct TlsTransport {
    /// The non-blocking socket.
    pub socket: TcpStream,
    /// The TLS state. Its buffer limit bounds what waits to be sent.
    pub tls: Box<ServerConnection>,
}

impl Transport for TlsTransport {}

impl AsFd for TlsTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Read for TlsTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A peer that leaves without a word has left all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if self.tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            self.tls
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for TlsTransport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.tls.writer().write(bytes)?;
        if written == 0 && !bytes.is_empty() {
            self.flush()?;
            written = self.tls.writer().write(bytes)?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Drop for TlsTransport {
    /// Says goodbye as far as that is possible without waiting.
    fn drop(&mut self) {
        self.tls.send_close_notify();
        let _ = self.flush();
    }
}

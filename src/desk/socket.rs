//! The connection to a board: resolves the name and opens a socket. Each wait has a deadline and ends at a stop signal.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use rustls::{ClientConnection, StreamOwned};

use super::board::BoardAddress;
use super::stop::{Interest, StopSignal};

/// A socket, blocking to its user.
pub(super) struct BoardSocket<'a> {
    socket: TcpStream,
    stop: &'a StopSignal,
    /// The deadline of each wait; `None`: no limit.
    pub deadline: Option<Instant>,
}

/// A connection to the board, its handshake done.
pub(super) type TlsStream<'a> = StreamOwned<ClientConnection, BoardSocket<'a>>;

impl<'a> BoardSocket<'a> {
    /// Connects to the first address that answers.
    pub(super) fn connect(
        board: &BoardAddress,
        stop: &'a StopSignal,
        within: Duration,
    ) -> io::Result<Self> {
        let deadline = Instant::now() + within;
        let addresses = addresses(board, stop, deadline)?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "this name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            // One that swallows what it gets must not take the time of all.
            let left = deadline.saturating_duration_since(Instant::now());
            let others = u32::try_from(addresses.len() - tried).unwrap_or(1);
            match connected(*address, stop, Instant::now() + left / others) {
                Ok(socket) => {
                    return Ok(Self {
                        socket,
                        stop,
                        deadline: Some(deadline),
                    });
                }
                Err(error) => failure = error,
            }
            if stop.ended().is_some() {
                break;
            }
        }
        Err(failure)
    }

    fn ready(&self, interest: Interest) -> io::Result<()> {
        if self
            .stop
            .wait(Some((self.socket.as_fd(), interest)), self.deadline)?
        {
            Ok(())
        } else {
            Err(silent())
        }
    }
}

impl Read for BoardSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(Interest::Read)?;
                }
                done => return done,
            }
        }
    }
}

impl Write for BoardSocket<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match self.socket.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(Interest::Write)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn addresses(
    board: &BoardAddress,
    stop: &StopSignal,
    deadline: Instant,
) -> io::Result<Vec<SocketAddr>> {
    if let Some(ip) = board.ip() {
        return Ok(vec![SocketAddr::new(ip, board.port())]);
    }
    // The resolver waits as long as it likes, so on a thread of its own. It may outlive the wait for it.
    let (done, doing) = UnixStream::pair()?;
    let (sender, answer) = crossbeam_channel::bounded(1);
    let (host, port) = (board.host().to_owned(), board.port());
    thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let _ = sender.send(found.map(Iterator::collect::<Vec<_>>));
            drop(doing);
        })?;
    if !stop.wait(Some((done.as_fd(), Interest::Read)), Some(deadline))? {
        return Err(silent());
    }
    answer.recv().map_err(io::Error::other)?
}

fn connected(address: SocketAddr, stop: &StopSignal, deadline: Instant) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            if !stop.wait(Some((socket.as_fd(), Interest::Write)), Some(deadline))? {
                return Err(silent());
            }
            sockopt::socket_error(&socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    sockopt::set_tcp_nodelay(&socket, true)?;
    // A quiet stream of JSON lines looks just like one whose board lost its power; only TCP can ask. Where an option
    // is unknown, the end is found out later.
    let _ = sockopt::set_socket_keepalive(&socket, true);
    let _ = sockopt::set_tcp_keepidle(&socket, KEEP_ALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(&socket, KEEP_ALIVE_INTERVAL);
    let _ = sockopt::set_tcp_keepcnt(&socket, KEEP_ALIVE_PROBES);
    let _ = sockopt::set_tcp_user_timeout(&socket, USER_TIMEOUT_MILLIS);
    Ok(TcpStream::from(socket))
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nothing came in time")
}

/// With these, the desk notices within 90 s that a board has vanished, and the board that the desk has.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_PROBES: u32 = 3;
const USER_TIMEOUT_MILLIS: u32 = 90_000;

#[cfg(test)]
mod tests;

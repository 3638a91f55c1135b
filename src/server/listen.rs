//! The listening sockets, and how many descriptors there are for what comes through them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use rustls::ServerConnection;

use super::link::Link;
use super::tls::Certificate;
use super::{Dependencies, StartError, holder};
use crate::config::Config;
use crate::http::request::Peer;
use crate::ids::{ClientKey, Interface};

/// What clients come in by. Non-blocking.
#[derive(Clone)]
pub enum Listener {
    /// Theirs from the network, by TLS.
    Tls(Arc<TcpListener>),
    /// The local socket's client. Whoever may open it is the administrator.
    Local(Arc<UnixListener>),
}

/// A client that came in by one.
pub enum Socket {
    /// From the network.
    Tls(TcpStream),
    /// From this machine.
    Local(UnixStream),
}

impl Listener {
    /// Takes the next client in, if there is one.
    ///
    /// # Errors
    /// The system's, among them `WouldBlock`.
    pub fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tls(listener) => {
                let (socket, address) = listener.accept()?;
                let peer = Peer::Network(client(&socket, &address));
                Ok((Socket::Tls(socket), peer))
            }
            Self::Local(listener) => {
                let (socket, _) = listener.accept()?;
                Ok((Socket::Local(socket), Peer::Local))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tls(listener) => listener.as_fd(),
            Self::Local(listener) => listener.as_fd(),
        }
    }
}

impl Socket {
    /// Ready to be served.
    ///
    /// # Errors
    /// The system's, or the TLS library's.
    pub(super) fn into_link(self, certificate: &Certificate) -> io::Result<Link> {
        match self {
            Self::Tls(socket) => {
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                let tls = ServerConnection::new(certificate.config()).map_err(io::Error::other)?;
                Ok(Link::tls(socket, tls))
            }
            Self::Local(socket) => {
                socket.set_nonblocking(true)?;
                Ok(Link::plain(socket))
            }
        }
    }
}

/// Who is at the other end: of a link-local address, on which interface.
fn client(socket: &TcpStream, address: &SocketAddr) -> ClientKey {
    let interface = match address {
        // Only those of a link have a scope.
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let index = v6.scope_id();
            let name = index_to_name(socket, index).ok();
            let named = name.and_then(|name| Interface::named(&name));
            // Gone meanwhile: its number tells it from the others (RFC 4007, section 11.2).
            named.or_else(|| Interface::named(&index.to_string()))
        }
        _ => None,
    };
    ClientKey::on(address.ip(), interface.unwrap_or(Interface::NONE))
}

/// What could be opened of the network's side, and what could not.
pub struct Opened {
    /// One at least.
    pub listeners: Vec<Arc<TcpListener>>,
    /// To be tried again.
    pub missing: Vec<Missing>,
}

/// An address that is not listened on.
#[derive(Debug)]
pub struct Missing {
    /// Which.
    pub address: SocketAddr,
    /// What the system said the last time.
    errno: Option<i32>,
    /// In words.
    problem: String,
}

impl Missing {
    /// With what can be done about it. Looks at all processes, if another program has it.
    fn new(address: SocketAddr, error: &io::Error) -> Self {
        let problem = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::ADDRNOTAVAIL) => {
                format!("{address} is not an address of this machine, or not yet")
            }
            Some(Errno::ADDRINUSE) => match holder::of(address) {
                Some(holder) => format!("{address} is in use by {holder}"),
                None => format!(
                    "{address} is in use by another program (`ss -ltnp` shows it); stop that one, or set LISTEN"
                ),
            },
            Some(Errno::ACCESS) => format!(
                "postern may not listen on {address}: ports under 1024 need a socket unit or CAP_NET_BIND_SERVICE"
            ),
            _ => format!("{address} cannot be listened on: {error}"),
        };
        Self {
            address,
            errno: error.raw_os_error(),
            problem,
        }
    }

    /// Another try has failed. Returns whether for another reason than the last one. Only then is the message made
    /// anew, which takes too long to do every few seconds.
    pub(super) fn failed_again(&mut self, error: &io::Error) -> bool {
        let changed = self.errno != error.raw_os_error();
        if changed {
            *self = Self::new(self.address, error);
        }
        changed
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// The listeners that were handed over, or else those of `LISTEN`.
///
/// # Errors
/// When there is none at all.
pub fn open_all(config: &Config, dependencies: &Dependencies) -> Result<Opened, StartError> {
    if !dependencies.listeners.is_empty() {
        let addresses: Vec<_> = dependencies
            .listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        log::info!(addresses:? = addresses; "serving on the sockets that systemd handed over; LISTEN has no effect");
        return Ok(Opened {
            listeners: dependencies.listeners.clone(),
            missing: Vec::new(),
        });
    }
    let (mut listeners, mut missing) = (Vec::new(), Vec::new());
    for address in config.listen.iter().map(|listen| listen.addr) {
        match listen(address) {
            Ok(listener) => listeners.push(Arc::new(listener)),
            Err(error) => missing.push(Missing::new(address, &error)),
        }
    }
    if listeners.is_empty() {
        return Err(StartError::Listen(missing));
    }
    Ok(Opened { listeners, missing })
}

/// Opens a non-blocking listener. `[::]` serves IPv4 too, and gives way to `0.0.0.0` on a kernel without IPv6.
///
/// # Errors
/// The system's: the address is in use, or not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match open(address) {
        Err(error)
            if address.ip().is_unspecified()
                && error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) =>
        {
            log::warn!("this kernel has no IPv6; listening on IPv4 alone");
            open(SocketAddr::new(
                Ipv4Addr::UNSPECIFIED.into(),
                address.port(),
            ))
        }
        other => other,
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let (family, is_v6) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, false),
        SocketAddr::V6(_) => (AddressFamily::INET6, true),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Or a restart would have to wait for the last connections' TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if is_v6 {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// How many connections fit.
pub struct ConnectionRoom {
    /// From the network.
    pub network: usize,
    /// On the local socket.
    pub local: usize,
}

/// Raises the soft limit of descriptors to the hard one and shares it out: what the server itself needs first, so that
/// no client keeps it from its own files.
#[must_use]
pub fn room_for_connections(wanted: usize) -> ConnectionRoom {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let limit = current.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let room = share_out(limit, wanted);
    if room.network < wanted {
        log::warn!(wanted = wanted, room = room.network; "the limit of open files leaves room for fewer connections");
    }
    room
}

fn share_out(limit: usize, wanted: usize) -> ConnectionRoom {
    // Under a very low limit everybody has less.
    let rest = limit - RESERVED_DESCRIPTORS.min(limit / 4 * 3);
    let local = (rest / 4).clamp(1, MAX_LOCAL);
    ConnectionRoom {
        network: rest.saturating_sub(local).clamp(1, wanted.max(1)),
        local,
    }
}

/// The addresses a person on the LAN could type for this listener.
///
/// # Errors
/// The system's; it is no listener then.
pub fn reachable(listener: &TcpListener) -> io::Result<Vec<SocketAddr>> {
    let address = listener.local_addr()?;
    if !address.ip().is_unspecified() {
        return Ok(vec![address]);
    }
    // One that was handed over may be for IPv6 alone.
    let (v4, v6) = match address {
        SocketAddr::V4(_) => (true, false),
        SocketAddr::V6(_) => (!sockopt::ipv6_v6only(listener)?, true),
    };
    let mut found: Vec<_> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| match ip {
            IpAddr::V4(_) => v4,
            IpAddr::V6(ip) => v6 && !ip.is_unicast_link_local(),
        })
        .collect();
    // What others can reach goes first.
    found.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    let typed = |ip| SocketAddr::new(ip, address.port());
    Ok(found.into_iter().map(typed).collect())
}

/// Clients that may wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// What the rest needs: journal, lock, epolls, log sources, newcomers without a place. An idle server with two workers
/// and no source has 20.
const RESERVED_DESCRIPTORS: usize = 96;

/// Clients of the local socket: a watchdog, and a few people and scripts at one board.
const MAX_LOCAL: usize = 64;

#[cfg(test)]
mod tests;

//! The listening sockets, and how many descriptors there are for what comes through them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use rustls::{ServerConfig, ServerConnection};

use super::link::Link;
use super::{StartError, World};
use crate::api::request::Peer;
use crate::config::Config;
use crate::limits::{ClientKey, Interface};

/// What clients come in by. Non-blocking.
#[derive(Clone)]
pub enum Listener {
    /// Theirs from the network, by TLS.
    Tls(Arc<TcpListener>),
    /// Theirs on this machine: whoever may open it is the administrator.
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
    pub(super) fn into_link(self, tls: &Arc<ServerConfig>) -> io::Result<Link> {
        match self {
            Self::Tls(socket) => {
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                let tls = ServerConnection::new(tls.clone()).map_err(io::Error::other)?;
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

/// The listeners that were handed over, or else those of `LISTEN`.
///
/// # Errors
/// The first that cannot be opened.
pub fn open_all(config: &Config, world: &World) -> Result<Vec<Arc<TcpListener>>, StartError> {
    if !world.listeners.is_empty() {
        let addresses: Vec<_> = world
            .listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        log::info!(addresses:? = addresses; "serving on the sockets that were handed over; LISTEN is not heeded");
        return Ok(world.listeners.clone());
    }
    let addresses = config.listen.iter().map(|listen| listen.addr);
    addresses
        .map(|address| {
            listen(address)
                .map(Arc::new)
                .map_err(|error| StartError::Listen { address, error })
        })
        .collect()
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

/// Raises the soft limit of descriptors to the hard one and says how many connections fit.
#[must_use]
pub fn room_for_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(current) = current else {
        return wanted;
    };
    let room = usize::try_from(current)
        .unwrap_or(usize::MAX)
        .saturating_sub(RESERVED_DESCRIPTORS)
        .max(1);
    if room < wanted {
        log::warn!(wanted = wanted, room = room; "the limit of open files leaves room for fewer connections");
    }
    room.min(wanted)
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

/// What the rest needs: journal, lock, epolls, sources, the local socket and its clients.
const RESERVED_DESCRIPTORS: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn the_unspecified_ipv6_address_serves_ipv4_too() {
        let address = "[::]:0".parse().expect("an address");
        let listener = listen(address).expect("listening");
        let port = listener.local_addr().expect("bound").port();
        TcpStream::connect(("127.0.0.1", port)).expect("reached by IPv4");
    }

    #[test]
    fn a_listener_for_ipv6_alone_names_no_ipv4_address() {
        let flags = SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None);
        let Ok(socket) = socket else {
            return; // A kernel without IPv6.
        };
        for alone in [true, false] {
            let socket = socket.try_clone().expect("a descriptor");
            sockopt::set_ipv6_v6only(&socket, alone).expect("set");
            let addresses = reachable(&TcpListener::from(socket)).expect("addresses");
            assert_eq!(addresses.iter().any(SocketAddr::is_ipv4), !alone);
        }
    }
}

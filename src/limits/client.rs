//! Whose address a request counts against: the peer's, or the one a trusted proxy vouches for; and which account it shares.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

pub use crate::journal::{ClientKey, Interface};

/// The address of the client behind a connection from `peer`.
///
/// `forwarded_for` are the values of all `X-Forwarded-For` fields, in the order they came. They are believed only from a
/// peer inside `trusted`, and then read from the right: each trusted hop vouches for the one before it, the first hop
/// that is not trusted is the client. What stands left of it is the client's own invention. A hop that is no address ends
/// the reading at the last good one, which errs towards the peer.
pub fn client_address<'a>(
    peer: ClientKey,
    forwarded_for: impl Iterator<Item = &'a str>,
    trusted: &[IpNet],
) -> ClientKey {
    let is_trusted = |client: &ClientKey| trusted.iter().any(|net| net.contains(&client.address()));
    let mut client = peer;
    if !is_trusted(&client) {
        return client;
    }
    // As long as the request head at most, which the parser bounds.
    let values: Vec<&str> = forwarded_for.collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = parse_hop(hop.trim()) else {
            return client;
        };
        client = address.into();
        if !is_trusted(&client) {
            return client;
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .map_or_else(
            || hop.parse().ok(),
            |inside| inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        );
    bare.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .map(|address| address.to_canonical())
}

impl ClientKey {
    /// The client at that address, which a connection came from on that interface: of which only a link-local address is
    /// one's own.
    #[must_use]
    pub fn on(address: IpAddr, interface: Interface) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Self::V6(v6.octets(), interface),
            IpAddr::V6(v6) => Self::V6(v6.octets(), Interface::NONE),
        }
    }

    /// The address; a network's first.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        match self {
            Self::V4(octets) => IpAddr::from(*octets),
            Self::V6(octets, _) => IpAddr::from(*octets),
            Self::Network(prefix, _) => {
                let mut octets = [0; 16];
                octets[..8].copy_from_slice(prefix);
                IpAddr::from(octets)
            }
        }
    }

    /// The /64 that the address is in. An IPv6 host can take any address of it, so strangers share an account there.
    #[must_use]
    pub fn network(&self) -> Option<Self> {
        match self {
            Self::V6(octets, interface) => {
                let prefix = octets.first_chunk()?;
                Some(Self::Network(*prefix, *interface))
            }
            Self::V4(_) | Self::Network(..) => None,
        }
    }

    const fn interface(&self) -> Interface {
        match self {
            Self::V4(_) => Interface::NONE,
            Self::V6(_, interface) | Self::Network(_, interface) => *interface,
        }
    }
}

/// IPv4-mapped addresses are IPv4.
impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        Self::on(address, Interface::NONE)
    }
}

/// `192.0.2.1`, `2001:db8:1:2::7`, `fe80::1%eth0`; a network as `2001:db8:1:2::/64` and `fe80::%eth0/64` (RFC 4007,
/// section 11).
impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)?;
        let interface = self.interface();
        if interface != Interface::NONE {
            write!(f, "%{}", interface.name())?;
        }
        match self {
            Self::Network(..) => f.write_str("/64"),
            Self::V4(_) | Self::V6(..) => Ok(()),
        }
    }
}

/// Text that names no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address")]
pub struct NotAClient;

/// As [`Display`](fmt::Display) shows it; of a network any address will do.
impl FromStr for ClientKey {
    type Err = NotAClient;

    fn from_str(text: &str) -> Result<Self, NotAClient> {
        let (host, is_network) = match text.strip_suffix("/64") {
            Some(host) => (host, true),
            None => (text, false),
        };
        let (address, interface) = match host.split_once('%') {
            Some((address, name)) => (address, Interface::named(name).ok_or(NotAClient)?),
            None => (host, Interface::NONE),
        };
        let address: IpAddr = address.parse().map_err(|_| NotAClient)?;
        let client = Self::on(address, interface);
        if client.interface() != interface {
            return Err(NotAClient);
        }
        if is_network {
            return client.network().ok_or(NotAClient);
        }
        Ok(client)
    }
}

#[cfg(test)]
mod tests;

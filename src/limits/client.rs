//! Whose address a request counts against: the peer's, or the one a trusted proxy vouches for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

pub use crate::journal::ClientKey;

/// The address of the client behind a connection from `peer`.
///
/// `forwarded_for` are the values of all `X-Forwarded-For` fields, in the order they came. They are believed only from a
/// peer inside `trusted`, and then read from the right: each trusted hop vouches for the one before it, the first hop
/// that is not trusted is the client. What stands left of it is the client's own invention. A hop that is no address ends
/// the reading at the last good one, which errs towards the peer.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl Iterator<Item = &'a str>,
    trusted: &[IpNet],
) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    // As long as the request head at most, which the parser bounds.
    let values: Vec<&str> = forwarded_for.collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = parse_hop(hop.trim()) else {
            return client;
        };
        client = address;
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

/// An IPv6 host can take any address of its /64, so the /64 is what is counted. IPv4-mapped addresses are IPv4.
impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let mut prefix = [0; 8];
                prefix.copy_from_slice(&v6.octets()[..8]);
                Self::V6(prefix)
            }
        }
    }
}

impl ClientKey {
    /// The /64 that an IPv6 address is in: one host can take any number of addresses there.
    #[must_use]
    pub fn network(&self) -> Option<Self> {
        matches!(self, Self::V6(..)).then_some(*self)
    }
}

/// For whoever knows no more of a client than what is counted: the first address of it.
impl From<ClientKey> for Option<IpAddr> {
    fn from(client: ClientKey) -> Self {
        Some(match client {
            ClientKey::V4(octets) => IpAddr::from(octets),
            ClientKey::V6(prefix) => {
                let mut octets = [0; 16];
                octets[..8].copy_from_slice(&prefix);
                IpAddr::from(octets)
            }
        })
    }
}

/// `192.0.2.1`, or a /64 by its first address: `2001:db8:1:2::`.
impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(octets) => Ipv4Addr::from(*octets).fmt(f),
            Self::V6(prefix) => {
                let mut octets = [0; 16];
                octets[..8].copy_from_slice(prefix);
                Ipv6Addr::from(octets).fmt(f)
            }
        }
    }
}

/// Text that names no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address")]
pub struct NotAClient;

/// Any address of the client, or `…/64` for IPv6, as a person types it or as [`Display`](fmt::Display) shows it.
impl FromStr for ClientKey {
    type Err = NotAClient;

    fn from_str(text: &str) -> Result<Self, NotAClient> {
        if let Some(prefix) = text.strip_suffix("/64") {
            let address: Ipv6Addr = prefix.parse().map_err(|_| NotAClient)?;
            return Ok(IpAddr::V6(address).into());
        }
        let address: IpAddr = text.parse().map_err(|_| NotAClient)?;
        Ok(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, forwarded_for: &[&str], trusted: &[&str]) -> IpAddr {
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client_address(ip(peer), forwarded_for.iter().copied(), &trusted)
    }

    #[test]
    fn a_peer_that_is_not_trusted_cannot_speak_for_others() {
        assert_eq!(client("192.0.2.9", &["10.1.1.1"], &[]), ip("192.0.2.9"));
        assert_eq!(
            client("192.0.2.9", &["10.1.1.1"], &["192.0.2.8/32"]),
            ip("192.0.2.9")
        );
    }

    #[test]
    fn the_header_is_read_from_the_right_past_trusted_hops() {
        let trusted = &["10.0.0.0/8"];
        let spoofed = &["1.2.3.4, 203.0.113.5, 10.0.0.2"];
        assert_eq!(client("10.0.0.1", spoofed, trusted), ip("203.0.113.5"));
        let in_two_fields = &["1.2.3.4,203.0.113.5", "10.0.0.3 , 10.0.0.2"];
        assert_eq!(
            client("10.0.0.1", in_two_fields, trusted),
            ip("203.0.113.5")
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.2"], trusted), ip("10.0.0.2"));
        assert_eq!(client("10.0.0.1", &[], trusted), ip("10.0.0.1"));
    }

    #[test]
    fn garbage_ends_the_reading_at_the_last_good_hop() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(
            client("10.0.0.1", &["203.0.113.5, unknown, 10.0.0.2"], trusted),
            ip("10.0.0.2")
        );
        assert_eq!(client("10.0.0.1", &[""], trusted), ip("10.0.0.1"));
        assert_eq!(
            client("10.0.0.1", &["203.0.113.5,"], trusted),
            ip("10.0.0.1")
        );
        assert_eq!(client("10.0.0.1", &["[10.0.0.7]"], trusted), ip("10.0.0.1"));
    }

    #[test]
    fn ports_and_brackets_are_tolerated() {
        let trusted = &["::1/128"];
        for (hop, expected) in [
            ("203.0.113.5:4711", "203.0.113.5"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(client("::1", &[hop], trusted), ip(expected));
        }
    }

    #[test]
    fn an_ipv4_client_on_a_dual_stack_listener_is_the_same_client() {
        assert_eq!(client("::ffff:192.0.2.1", &[], &[]), ip("192.0.2.1"));
        assert_eq!(
            client("::ffff:10.0.0.1", &["::ffff:203.0.113.5"], &["10.0.0.0/8"]),
            ip("203.0.113.5")
        );
        assert_eq!(
            ClientKey::from(ip("::ffff:192.0.2.1")),
            ClientKey::from(ip("192.0.2.1"))
        );
    }

    #[test]
    fn ipv6_is_counted_by_its_64() {
        let key = ClientKey::from(ip("2001:db8:1:2:aaaa::1"));
        assert_eq!(key, ClientKey::from(ip("2001:db8:1:2::ffff")));
        assert_ne!(key, ClientKey::from(ip("2001:db8:1:3::ffff")));
        assert_eq!(key.to_string(), "2001:db8:1:2::");
        assert_eq!(ClientKey::from(ip("192.0.2.1")).to_string(), "192.0.2.1");
    }

    #[test]
    fn a_client_is_named_by_any_of_its_addresses() {
        let key = ClientKey::from(ip("2001:db8:1:2::"));
        for text in ["2001:db8:1:2::", "2001:db8:1:2::7", "2001:db8:1:2::/64"] {
            assert_eq!(text.parse(), Ok(key));
        }
        assert_eq!("::ffff:192.0.2.1".parse::<ClientKey>(), "192.0.2.1".parse());
        for text in ["", "/64", "192.0.2.1/64", "2001:db8::/48", "192.0.2.1:80"] {
            assert_eq!(text.parse::<ClientKey>(), Err(NotAClient), "{text}");
        }
    }
}

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
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, forwarded_for: &[&str], trusted: &[&str]) -> IpAddr {
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let client = client_address(ip(peer).into(), forwarded_for.iter().copied(), &trusted);
        client.address()
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
    fn an_address_is_itself_and_a_link_local_one_is_another_on_each_interface() {
        let key = |text: &str| text.parse::<ClientKey>().unwrap();
        assert_ne!(key("2001:db8:1:2::7"), key("2001:db8:1:2::8"));
        assert_eq!(key("2001:db8:1:2::7"), ip("2001:db8:1:2::7").into());
        assert_ne!(key("fe80::1%eth0"), key("fe80::1%wlan0"));
        assert_ne!(key("fe80::1%eth0"), key("fe80::1"));
        let eth0 = Interface::named("eth0").unwrap();
        assert_eq!(ClientKey::on(ip("fe80::1"), eth0), key("fe80::1%eth0"));
        let global = ClientKey::on(ip("2001:db8::7"), eth0);
        assert_eq!(global, key("2001:db8::7"));
        let mapped = ClientKey::on(ip("::ffff:192.0.2.1"), eth0);
        assert_eq!(mapped, key("192.0.2.1"));
    }

    #[test]
    fn ipv6_addresses_share_the_account_of_their_64() {
        let network = |text: &str| text.parse::<ClientKey>().unwrap().network();
        let shared = network("2001:db8:1:2:aaaa::1");
        assert_eq!(shared, network("2001:db8:1:2::ffff"));
        assert_ne!(shared, network("2001:db8:1:3::ffff"));
        assert_eq!(network("fe80::1%eth0"), network("fe80::2%eth0"));
        assert_ne!(network("fe80::1%eth0"), network("fe80::1%wlan0"));
        assert_eq!(network("192.0.2.1"), None);
        assert_eq!(network("2001:db8:1:2::/64"), None);
    }

    #[test]
    fn a_client_is_shown_and_read_in_the_same_words() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:DB8:1:2:0::7", "2001:db8:1:2::7"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::7/64", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("fe80::1", "fe80::1"),
            ("fe80::1%eth0/64", "fe80::%eth0/64"),
        ] {
            let client: ClientKey = text.parse().unwrap();
            assert_eq!(client.to_string(), shown);
            assert_eq!(shown.parse(), Ok(client));
        }
        for text in [
            "",
            "/64",
            "%eth0",
            "192.0.2.1/64",
            "192.0.2.1%eth0",
            "2001:db8::/48",
            "2001:db8::1%eth0",
            "fe80::1%",
            "fe80::1%eth0%eth1",
            "fe80::1%an-interface-too-long",
            "192.0.2.1:80",
        ] {
            assert_eq!(text.parse::<ClientKey>(), Err(NotAClient), "{text}");
        }
    }
}

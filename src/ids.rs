//! The names by which every floor knows a token, a session and a client. They stand on the ground floor, so that no room
//! has to ask the journal for them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A token's or a session's identifier, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

/// Only a prefix, enough to match two log lines.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Whom a limit counts: an address, or a network whose addresses share an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientKey {
    /// An IPv4 address.
    V4([u8; 4]),
    /// An IPv6 address. A link-local one is another on each interface; others have none.
    V6([u8; 16], Interface),
    /// An IPv6 /64: its first 64 bits. That of link-local addresses is another on each interface.
    Network([u8; 8], Interface),
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

/// A network interface, by its name: 15 bytes at most (`IFNAMSIZ`), zeros behind it. The number that the kernel gives it
/// is another after a restart, or when it was unplugged; the name is what people and udev's rules hold on to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface([u8; Interface::LONGEST]);

impl Interface {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 15;

    /// No interface.
    pub const NONE: Self = Self([0; Self::LONGEST]);

    /// The interface of that name, if an interface may have it: printable ASCII without `/`, `:` and `%`, which is what
    /// `iproute2` and udev give.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_sound = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
        if name.is_empty() || name.len() > Self::LONGEST || !name.bytes().all(is_sound) {
            return None;
        }
        let mut bytes = [0; Self::LONGEST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// Its name; empty for none.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        // Only `named` makes one.
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;

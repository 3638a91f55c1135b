//! A board's address: from what is typed to a host and a port.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;

/// Where a board is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardAddress {
    /// A name in lower case, or an address without brackets, with its zone if it has one.
    host: String,
    port: u16,
}

impl BoardAddress {
    /// Reads `https://board:8443`, or `board:8443`, or `board`. What may hold a secret is not shown in the message.
    ///
    /// # Errors
    /// Why it is none, and how one is written.
    pub fn parse(word: &str) -> Result<Self, String> {
        if word.contains('@') {
            return Err(format!(
                "the board's address holds a user or a password; write {EXAMPLE}, and give the user with --user. \
                 Never write the password: postern asks for it, or reads POSTERN_PASSWORD"
            ));
        }
        let (authority, default_port) = match word.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (rest, HTTPS_PORT),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => {
                return Err(format!(
                    "http:// would show the password to the whole network, and postern does not speak it; write {EXAMPLE}"
                ));
            }
            Some(_) => return Err(wrong("it begins with neither https:// nor a name")),
            None => (word, OWN_PORT),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#']) {
            return Err(wrong("nothing may follow the port"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest
                    .split_once(']')
                    .ok_or_else(|| wrong("a ] is missing"))?;
                let host = with_plain_zone(host);
                if !is_ipv6(&host) {
                    return Err(wrong("the text in brackets is not an IPv6 address"));
                }
                let port = match port.strip_prefix(':') {
                    None if port.is_empty() => None,
                    None => return Err(wrong("only a port may follow the ]")),
                    some => some,
                };
                (host, port)
            }
            None => match authority.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return Err(wrong("an IPv6 address needs brackets"));
                }
                Some((host, port)) => (Cow::Borrowed(host), Some(port)),
                None => (Cow::Borrowed(authority), None),
            },
        };
        if !is_ipv6(&host) && !is_name(&host) {
            return Err(wrong("it is neither a host's name nor an address"));
        }
        let port = match port {
            None => default_port,
            Some(port) => port
                .parse()
                .ok()
                .filter(|number| *number > 0 && port.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| wrong("the port is not a number from 1 to 65535"))?,
        };
        // An interface is not called the same in other letters.
        let name = host.find('%').unwrap_or(host.len());
        let mut host = host.into_owned();
        host[..name].make_ascii_lowercase();
        Ok(Self { host, port })
    }

    /// The host, as the resolver takes it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The address, if no name has to be looked up.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// What HTTP is told (RFC 9110, section 7.2): a zone means nothing to the other end.
    pub(super) fn authority(&self) -> String {
        let (host, _zone) = self.host.split_once('%').unwrap_or((&self.host, ""));
        let (host, port) = (host.to_owned(), self.port);
        Self { host, port }.to_string()
    }

    /// What TLS is told. The certificate is known by its fingerprint, so an address does as well as a name.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        let (host, _zone) = self.host.split_once('%').unwrap_or((&self.host, ""));
        ServerName::try_from(host.to_owned()).ok()
    }
}

/// `board:8443`, `[::1]:8443`: what stands in `known_boards`.
impl fmt::Display for BoardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn wrong(why: &str) -> String {
    format!("this is not a board's address: {why}; write {EXAMPLE}")
}

/// In a URL the `%` before a zone is written `%25` (RFC 6874). An interface whose own name begins with 25 needs that
/// spelling.
fn with_plain_zone(host: &str) -> Cow<'_, str> {
    match host.split_once("%25") {
        Some((address, zone)) if !zone.is_empty() => Cow::Owned(format!("{address}%{zone}")),
        _ => Cow::Borrowed(host),
    }
}

/// With a zone too (RFC 4007, section 11): a board without a router has only a link-local address.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    address.parse::<std::net::Ipv6Addr>().is_ok() && is_name(zone)
}

fn is_name(host: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.len() <= MAX_NAME && host.bytes().all(sound)
}

const EXAMPLE: &str = "https://board:8443";

/// Where a URL without a port points.
const HTTPS_PORT: u16 = 443;

/// Where postern listens unless told otherwise, so what a bare name means.
const OWN_PORT: u16 = 8443;

/// The longest DNS name (RFC 1035).
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests;

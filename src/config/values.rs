//! From a variable's text to a value that can only be valid. Each error says what is wrong and what would be right.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use log::LevelFilter;

use super::ListenAddress;
use super::https::is_host;

/// A whole number within `range`.
pub(super) fn number<T: TryFrom<u64>>(
    value: &str,
    range: &RangeInclusive<u64>,
) -> Result<T, String> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| value.parse().ok())
        .flatten()
        .filter(|number| range.contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            format!(
                "{} is not a whole number from {low} to {high}",
                quoted(value)
            )
        })
}

/// A whole number of seconds within `range`.
pub(super) fn seconds(value: &str, range: &RangeInclusive<u64>) -> Result<Duration, String> {
    number(value, range).map(Duration::from_secs)
}

/// A length of time with units, in whole seconds, from one second to [`MAX_DURATION`].
pub(crate) fn duration(value: &str) -> Result<Duration, String> {
    let expected = "write it as 90s, 30m, 8h, 1h30m or 7d";
    if value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{} has no unit; {expected}", quoted(value)));
    }
    let duration = humantime::parse_duration(value)
        .map_err(|_| format!("{} is not a length of time; {expected}", quoted(value)))?;
    if duration.is_zero() || duration.subsec_nanos() != 0 || duration > MAX_DURATION {
        return Err(format!(
            "{} is out of range; write whole seconds, from 1s to 365d",
            quoted(value)
        ));
    }
    Ok(duration)
}

pub(super) fn level(value: &str) -> Result<LevelFilter, String> {
    match value.to_ascii_lowercase().as_str() {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => Err(format!(
            "{} is not a level; write error, warn, info, debug or trace",
            quoted(value)
        )),
    }
}

/// A user name that HTTP Basic can carry (RFC 7617: no colon). The message never shows it: with a colon in it, it may
/// be a name and a password.
pub(crate) fn username(value: &str) -> Result<String, String> {
    if value.contains(':') {
        Err("contains a colon, which would end the name in HTTP Basic; the password has a variable of its own".into())
    } else if value.chars().any(char::is_control) {
        Err("contains a control character; write a name in plain text".into())
    } else if value.trim() != value || value.is_empty() {
        Err("begins or ends with a blank; write the name alone".into())
    } else if value.len() > MAX_USERNAME {
        Err(format!("is longer than {MAX_USERNAME} bytes"))
    } else {
        Ok(value.to_owned())
    }
}

/// A path, made absolute.
pub(super) fn path(value: &str) -> Result<PathBuf, String> {
    if value.contains('\0') {
        return Err("contains a NUL byte; write a path".into());
    }
    std::path::absolute(value).map_err(|error| format!("{} is not a path: {error}", quoted(value)))
}

/// Addresses to listen on, none of which gets in the way of another.
pub(super) fn listen(value: &str) -> Result<Vec<ListenAddress>, String> {
    let addresses = list(value, MAX_ADDRESSES, listen_address)?;
    for (index, a) in addresses.iter().enumerate() {
        if let Some(b) = addresses[..index].iter().find(|b| overlap(a.addr, b.addr)) {
            let (a, b) = (a.addr, b.addr);
            return Err(if a == b {
                format!("{a} stands twice")
            } else {
                format!(
                    "{a} and {b} overlap; [::] serves every address, 0.0.0.0 every IPv4 one: name one of the two"
                )
            });
        }
    }
    Ok(addresses)
}

fn listen_address(value: &str) -> Result<ListenAddress, String> {
    let expected = "write IP:PORT, as 0.0.0.0:8443, 192.168.1.5:8443 or [::]:8443";
    if let Ok(addr) = value.parse() {
        return Ok(ListenAddress { addr });
    }
    let wrong = quoted(value);
    Err(if value.trim_start_matches(':').parse::<u16>().is_ok() {
        format!("{wrong} has no address; {expected}")
    } else if value.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        format!("{wrong} has no port; {expected}")
    } else {
        format!("{wrong} is not an address with a port; {expected}")
    })
}

/// Whether one of two sockets could not be bound for the other. Port 0 takes any free one.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    a.port() == b.port() && a.port() != 0 && (a == b || covers(a, b) || covers(b, a))
}

/// Networks, each with its address part cut to the prefix, IPv4-mapped ones folded to IPv4 as client addresses are.
pub(super) fn networks(value: &str) -> Result<Vec<IpNet>, String> {
    list(value, MAX_NETWORKS, |item| {
        let network = item
            .parse::<IpNet>()
            .ok()
            .or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(folded).ok_or_else(|| {
            format!(
                "{} is neither an address nor a network; write 192.168.1.1, 10.0.0.0/8 or fd00::/8",
                quoted(item)
            )
        })
    })
}

fn folded(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(net) if net.prefix_len() >= MAPPED_PREFIX => net
            .addr()
            .to_ipv4_mapped()
            .and_then(|v4| IpNet::new(v4.into(), net.prefix_len() - MAPPED_PREFIX).ok()),
        _ => None,
    };
    mapped.unwrap_or(network).trunc()
}

/// Origins as browsers write them (RFC 6454, 6.2): scheme and host in lower case, no default port.
pub(super) fn origins(value: &str) -> Result<Vec<String>, String> {
    list(value, MAX_ORIGINS, origin)
}

fn origin(value: &str) -> Result<String, String> {
    if value.contains('*') {
        return Err(format!(
            "{} would let every page on the web use a signed-in browser; name each origin, as https://panel.example:8443",
            quoted(value)
        ));
    }
    let wrong = || {
        format!(
            "{} is not an origin; write scheme://host or scheme://host:port and nothing behind it",
            quoted(value)
        )
    };
    let lower = value.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
    let scheme_valid = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    // A colon inside brackets belongs to an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !scheme_valid || !is_host(host) || authority.len() > MAX_HOST {
        return Err(wrong());
    }
    let port = port
        .map(|port| number::<u16>(port, &(1..=65535)).map_err(|_| wrong()))
        .transpose()?;
    let default_port = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    Ok(match port {
        Some(port) if Some(port) != default_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// The items of a comma-separated list, each parsed; empty ones (a comma at the end) are passed over. All that are
/// wrong are named, not only the first.
pub(super) fn list<T>(
    value: &str,
    most: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    let mut errors = Vec::new();
    for item in value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        if items.len() + errors.len() == most {
            errors.push(format!("more than {most} entries"));
            break;
        }
        match parse(item) {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    if items.is_empty() && errors.is_empty() {
        errors.push("the list is empty; leave the variable out for the default".into());
    }
    if errors.is_empty() {
        Ok(items)
    } else {
        Err(errors.join("; "))
    }
}

/// A value as messages show it: on one line, and not without end.
pub(super) fn quoted(value: &str) -> String {
    let mut short: String = value.chars().take(MAX_SHOWN).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A token that is good for longer than a year is a password under another name.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The name stands in tokens, log lines and the journal.
const MAX_USERNAME: usize = 64;

/// Each address is a listener in every worker.
const MAX_ADDRESSES: usize = 16;

/// Each network is compared with every request's peer.
const MAX_NETWORKS: usize = 64;

/// Each origin is compared with every cross-origin request's.
const MAX_ORIGINS: usize = 64;

/// The longest DNS name (RFC 1035) with a port.
const MAX_HOST: usize = 253 + 6;

/// `sun_path` has 108 bytes, the last of them NUL (unix(7)).
pub(super) const MAX_SOCKET_PATH: usize = 107;

/// `::ffff:0:0/96`, RFC 4291, 2.5.5.2.
const MAPPED_PREFIX: u8 = 96;

/// As much of a wrong value as anybody needs to recognise it.
const MAX_SHOWN: usize = 60;

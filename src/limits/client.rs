//! Whose address a request counts against: the peer's, or the one a trusted proxy vouches for; and which account it shares.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::ids::ClientKey;

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

#[cfg(test)]
mod tests;

//! A line of Squid's native access log: `logformat squid` in its own configuration.
//!
//! ```text
//! 1066036250.129    465 192.168.0.4 TCP_MISS/200 1234 GET http://example.com/ - HIER_DIRECT/1.2.3.4 text/html
//! when, in s        ms  client      result       size method destination      user  peer             type
//! ```

use serde_json::{Map, Value};

use super::{SourceEvent, believable, digits};
use crate::logs::Level;

/// The event, or nothing if the line is not of that form. The message is the line as it stands.
pub(super) fn event(text: &str) -> Option<SourceEvent> {
    let mut words = text.split_ascii_whitespace();
    let (seconds, millis) = words.next()?.split_once('.')?;
    if millis.len() != 3 {
        return None;
    }
    let at = digits::<u64>(seconds)?
        .checked_mul(1000)?
        .checked_add(digits(millis)?)?;
    // The time it took; a clock that was set back in between makes it negative.
    words.next()?.parse::<i64>().ok()?;
    let client = words.next()?;
    let (result, status) = words.next()?.split_once('/')?;
    let is_result = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    if result.is_empty() || !result.bytes().all(is_result) || status.len() > 3 {
        return None;
    }
    let status: u16 = digits(status)?;
    let bytes: u64 = digits(words.next()?)?;
    let method = words.next()?;
    let destination = words.next()?;
    let _user = words.next()?;
    // The hierarchy and the peer: what no other log has in this place.
    words.next()?.split_once('/')?;

    let mut fields = Map::new();
    fields.insert("client_ip".into(), client.into());
    fields.insert("method".into(), method.into());
    fields.insert("destination".into(), destination.into());
    fields.insert("status".into(), status.into());
    fields.insert("bytes".into(), Value::from(bytes));
    Some(SourceEvent {
        message: text.to_owned(),
        level: Some(level(result, status)),
        timestamp: believable(i128::from(at)),
        fields,
        label: None,
    })
}

/// What its administrator may want to see among the rest: access that the proxy denied, and servers that fail. A 407
/// only asks who is there, once for each connection; the other 4xx are a matter between client and server.
fn level(result: &str, status: u16) -> Level {
    let denied = result.starts_with("TCP_DENIED") && status != 407;
    if denied || (500..600).contains(&status) {
        Level::Warn
    } else {
        Level::Info
    }
}

#[cfg(test)]
mod tests;

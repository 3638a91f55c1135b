//! An entry as one line of JSON, printable ASCII throughout, and the hash that chains it to the line before it.
//!
//! ```text
//! {"seq":7,"time":"2026-11-24T14:32:10.123Z","event":"login",…,"prev":"<64 hex digits>"}
//! ```
//!
//! `seq` is always first and `prev` always last. `prev` is the SHA-256, in lower-case hex, of the bytes of the line before,
//! without its line end: what `sed -n 6p audit.log | tr -d '\n' | sha256sum` prints. Of a log's very first entry it is
//! [`NONE_BEFORE`].

use ring::digest;

/// A line's longest, in bytes: all members at their bounds come to less.
pub const MAX_LINE: usize = 1024;

/// `prev` where nothing is before.
pub const NONE_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What chains a line to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLink<'a> {
    /// The entry's number.
    pub seq: u64,
    /// The hash of the line before.
    pub prev: &'a str,
}

impl<'a> ChainLink<'a> {
    /// Reads a line without its line end; `None` if it is no entry. What is between the two members is not looked at.
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<Self> {
        if line.len() > MAX_LINE || !line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        let line = std::str::from_utf8(line).ok()?;
        let rest = line.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let (rest, prev) = rest.split_at_checked(rest.len().checked_sub(NONE_BEFORE.len())?)?;
        let (seq, _) = rest.strip_suffix(PREV)?.split_once(',')?;
        let is_hash = prev.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let seq = seq.parse().ok().filter(|_| !seq.starts_with('+'))?;
        is_hash.then_some(Self { seq, prev })
    }
}

/// The line of an entry, without a line end.
pub fn line(seq: u64, body: &str, prev: &str) -> String {
    [BEGIN, &seq.to_string(), ",", body, PREV, prev, END].concat()
}

/// Adds a member with a text; only the first is without a comma before it.
pub fn member(body: &mut String, name: &str, text: &str) {
    begin(body, name);
    body.push('"');
    let most = body.len() + MAX_TEXT;
    for unit in text.encode_utf16() {
        if body.len() > most {
            body.push_str("\\u2026");
            break;
        }
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => body.extend(['\\', byte.into()]),
            Ok(byte @ b' '..=b'~') => body.push(byte.into()),
            _ => {
                body.push_str("\\u");
                let digit = |shift: u16| char::from(HEX[usize::from((unit >> shift) & 15)]);
                body.extend([12, 8, 4, 0].map(digit));
            }
        }
    }
    body.push('"');
}

/// Adds a member with what is JSON already.
pub fn raw_member(body: &mut String, name: &str, json: &str) {
    begin(body, name);
    body.push_str(json);
}

fn begin(body: &mut String, name: &str) {
    if !body.is_empty() {
        body.push(',');
    }
    body.push('"');
    body.push_str(name);
    body.push_str("\":");
}

/// The hash of a whole line, in lower-case hex.
pub fn hash(line: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, line).as_ref())
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(HEX[usize::from(digit)]))
        .collect()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const BEGIN: &str = "{\"seq\":";

const PREV: &str = ",\"prev\":\"";

const END: &str = "\"}";

/// A text's longest as JSON, in bytes, but for the escape at which it is cut. A fingerprint has 95, a user's name of 64
/// bytes seldom more than 200.
const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests;

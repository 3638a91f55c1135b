//! The head of a response, for those who ask a server: bytes to what they must know of it. No I/O.

use memchr::memmem;

use super::field::{Fields, is_text};
use super::framing::{Framing, FramingFields};
use super::head_error::HeadError;

/// What a head says.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// How the end of the body is known.
    pub framing: Framing,
    /// All fields.
    pub fields: Fields,
    /// Where the body begins.
    pub length: usize,
}

impl ResponseHead {
    /// Understands a head; `None` while it is not whole. The caller bounds how much it gathers.
    ///
    /// # Errors
    /// These bytes begin no HTTP/1 response, or one whose body could be read in two ways.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        let begins = &bytes[..bytes.len().min(PROTOCOL.len())];
        if !PROTOCOL.starts_with(begins) {
            return Err(STATUS_LINE);
        }
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let bytes = &bytes[..end + 4];
        let mut start = memmem::find(bytes, b"\r\n").unwrap_or(end);
        let (status, http_1_0) = status_line(&bytes[..start])?;
        let mut framing = FramingFields::default();
        let mut fields = Fields::of(bytes);
        start += 2;
        while start < end + 2 {
            if fields.len() == MAX_FIELDS {
                return Err(HeadError::TooManyFields);
            }
            let length = memmem::find(&bytes[start..], b"\r\n").unwrap_or_default();
            let line = &bytes[start..start + length];
            let (name, value) = fields.read(line, start).map_err(HeadError::of_field)?;
            framing.take(name, value);
            start += length + 2;
        }
        let framing = framing.of(http_1_0)?.unwrap_or(Framing::UntilClose);
        Ok(Some(Self {
            status,
            // RFC 9112, section 6.3: these have no body, whatever they say of its length.
            framing: match status {
                100..=199 | 204 | 304 => Framing::Length(0),
                _ => framing,
            },
            fields,
            length: bytes.len(),
        }))
    }

    /// After how many seconds to ask again, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        let seconds = self.fields.values("Retry-After").next()?;
        let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
        seconds.parse().ok().filter(|_| digits)
    }
}

/// RFC 9112, section 4: the status code, and whether this is HTTP/1.0.
fn status_line(line: &[u8]) -> Result<(u16, bool), HeadError> {
    let (version, rest) = line
        .split_at_checked(PROTOCOL.len() + 1)
        .ok_or(STATUS_LINE)?;
    let (b' ', Some(code)) = (*rest.first().unwrap_or(&0), rest.get(1..4)) else {
        return Err(STATUS_LINE);
    };
    // Some leave out the space, too, when they give no reason.
    if !matches!(rest.get(4), None | Some(b' ')) || !rest.iter().copied().all(is_text) {
        return Err(STATUS_LINE);
    }
    let code = std::str::from_utf8(code).ok();
    let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.and_then(|code| code.parse().ok()).ok_or(STATUS_LINE)?;
    match version.last() {
        Some(minor) if minor.is_ascii_digit() => Ok((code, *minor == b'0')),
        _ => Err(STATUS_LINE),
    }
}

const PROTOCOL: &[u8] = b"HTTP/1.";

const STATUS_LINE: HeadError = HeadError::Malformed("the status line is malformed");

/// postern sends about ten, GitHub thirty.
const MAX_FIELDS: usize = 96;

#[cfg(test)]
mod tests;

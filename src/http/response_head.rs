//! The head of a response, for those who ask a server: bytes to what they must know of it. No I/O.

use memchr::memmem;

use super::field::{Fields, is_text};
use super::framing::{Framing, FramingFields};
use super::request_head::HeadError;

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
mod tests {
    use super::*;

    fn framing(fields: &str) -> Option<Framing> {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\nbody");
        let head = ResponseHead::read(text.as_bytes()).ok()?;
        let head = head.expect("a whole head");
        assert_eq!(&text[head.length..], "body");
        Some(head.framing)
    }

    #[test]
    fn the_end_of_a_body_is_known_in_one_way_or_refused() {
        for (fields, expected) in [
            ("", Some(Framing::UntilClose)),
            ("Content-Length: 7\r\n", Some(Framing::Length(7))),
            ("Transfer-Encoding: Chunked\r\n", Some(Framing::Chunked)),
            ("content-length: 7\r\nContent-Length: 7\r\n", None),
            ("Content-Length: 7\r\nContent-Length: 8\r\n", None),
            ("Content-Length: +7\r\n", None),
            ("Content-Length: \r\n", None),
            ("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", None),
            ("Transfer-Encoding: gzip\r\n", None),
            ("Transfer-Encoding: chunked, chunked\r\n", None),
            ("A: b\r\n folded\r\n", None),
            ("A : b\r\n", None),
            ("A: b\nContent-Length: 7\r\n", None),
            ("A: b\rContent-Length: 7\r\n", None),
        ] {
            assert_eq!(framing(fields), expected, "{fields}");
        }
        for status in [100, 204, 304] {
            let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 7\r\n\r\n");
            let head = ResponseHead::read(text.as_bytes()).unwrap().unwrap();
            assert_eq!(head.framing, Framing::Length(0), "{status}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_waited_for_and_garbage_is_not() {
        let text = b"HTTP/1.0 429 Too Many\r\nRetry-After:  12 \r\nETag: \"\xe9\"\r\n\r\n";
        for end in 0..text.len() {
            assert!(ResponseHead::read(&text[..end]).unwrap().is_none(), "{end}");
        }
        let head = ResponseHead::read(text).unwrap().unwrap();
        assert_eq!((head.status, head.retry_after()), (429, Some(12)));
        assert_eq!(head.fields.values("etag").collect::<Vec<_>>(), ["\"?\""]);
        for text in [
            "SSH-2.0-x\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.x 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 O\rXContent-Length: 3\r\n\r\n",
        ] {
            assert!(ResponseHead::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(ResponseHead::read(b"HTTP/1.1 200\r\n\r\n").is_ok());
        let signed = b"HTTP/1.1 429 X\r\nRetry-After: +12\r\n\r\n";
        let signed = ResponseHead::read(signed).unwrap().unwrap();
        assert_eq!(signed.retry_after(), None);
        let many = "A: b\r\n".repeat(100);
        assert_eq!(framing(&many), None);
    }
}

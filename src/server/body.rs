//! A request's body out of the bytes of the connection: by length or in the chunked coding (RFC 9112, sections 6 and 7).

use std::fmt;

use super::field::{is_text, parse_field, skip_blank, split_token};
use super::head::BodyLength;

/// Takes a body in as it arrives. Memory grows with what has arrived, never with what was announced.
pub struct BodyReader {
    bytes: Vec<u8>,
    /// How many have come.
    length: usize,
    most: usize,
    is_kept: bool,
    /// How many bytes of chunk extensions and trailers have been passed over.
    passed: usize,
    state: State,
}

/// How far it is: what has come may be a password.
impl fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyReader").field(&self.state).finish()
    }
}

/// What becomes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is for a handler, and may have so many bytes.
    UpTo(usize),
    /// Nobody wants it: it is passed over, up to [`MAX_BODY`], so that the next request is found behind it.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// That many bytes are still to come.
    Exactly(usize),
    /// A chunk's size line comes next.
    Size,
    /// Inside a chunk.
    Chunk(usize),
    /// The line end behind a chunk's data.
    ChunkEnd,
    /// Trailer fields.
    Trailers,
    Done,
}

/// Why a body is refused; the connection is closed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// 413.
    #[error("the request body is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    /// 400.
    #[error("the chunked body is malformed")]
    Malformed,
}

impl BodyError {
    /// The status code that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::Malformed => 400,
        }
    }
}

impl BodyReader {
    /// Prepares to read a body framed like this.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when it is announced as larger than it may be.
    pub fn new(length: BodyLength, keep: Keep) -> Result<Self, BodyError> {
        let (most, is_kept) = match keep {
            Keep::UpTo(most) => (most, true),
            Keep::Nothing => (MAX_BODY, false),
        };
        let state = match length {
            BodyLength::Exactly(0) => State::Done,
            BodyLength::Exactly(length) => match usize::try_from(length) {
                Ok(length) if length <= most => State::Exactly(length),
                _ => return Err(BodyError::TooLarge(most)),
            },
            BodyLength::Chunked => State::Size,
        };
        Ok(Self {
            bytes: Vec::new(),
            length: 0,
            most,
            is_kept,
            passed: 0,
            state,
        })
    }

    /// Whether the whole body is in.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How much memory it takes.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// The body; empty if nobody wants it.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes from the front of `input` what belongs to the body; returns how much that was.
    ///
    /// # Errors
    /// When the body is too large or its chunks are malformed.
    pub fn feed(&mut self, input: &[u8]) -> Result<usize, BodyError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.state {
                State::Done => return Ok(used),
                State::Exactly(missing) => {
                    let taken = missing.min(rest.len());
                    self.take(&rest[..taken]);
                    used += taken;
                    if taken < missing {
                        self.state = State::Exactly(missing - taken);
                        return Ok(used);
                    }
                    self.state = State::Done;
                }
                State::Size => {
                    let Some(line) = line(rest, MAX_SIZE_LINE)? else {
                        return Ok(used);
                    };
                    let (size, extensions) = chunk_size(line, self.most)?;
                    self.passed += extensions;
                    if size > self.most - self.length {
                        return Err(BodyError::TooLarge(self.most));
                    }
                    if self.passed > MAX_PASSED {
                        return Err(BodyError::Malformed);
                    }
                    used += line.len() + 2;
                    self.state = match size {
                        0 => State::Trailers,
                        size => State::Chunk(size),
                    };
                }
                State::Chunk(missing) => {
                    let taken = missing.min(rest.len());
                    self.take(&rest[..taken]);
                    used += taken;
                    if taken < missing {
                        self.state = State::Chunk(missing - taken);
                        return Ok(used);
                    }
                    self.state = State::ChunkEnd;
                }
                State::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(used),
                    _ => return Err(BodyError::Malformed),
                },
                State::Trailers => {
                    let Some(line) = line(rest, MAX_PASSED)? else {
                        return Ok(used);
                    };
                    used += line.len() + 2;
                    if line.is_empty() {
                        self.state = State::Done;
                        continue;
                    }
                    parse_field(line).map_err(|_| BodyError::Malformed)?;
                    self.passed += line.len();
                    if self.passed > MAX_PASSED {
                        return Err(BodyError::Malformed);
                    }
                }
            }
        }
    }
}

impl BodyReader {
    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.is_kept {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// The first line of `input` without its CRLF, or `None` while it is unfinished.
fn line(input: &[u8], longest: usize) -> Result<Option<&[u8]>, BodyError> {
    let window = &input[..input.len().min(longest + 2)];
    match window.iter().position(|&byte| byte == b'\n') {
        Some(end) if end > 0 && window[end - 1] == b'\r' && !window[..end - 1].contains(&b'\r') => {
            Ok(Some(&window[..end - 1]))
        }
        Some(_) => Err(BodyError::Malformed),
        None if input.len() > longest + 1 => Err(BodyError::Malformed),
        None => Ok(None),
    }
}

/// RFC 9112, section 7.1: hexadecimal digits, as many zeros before them as there may be, then extensions. The size, and
/// how many bytes the extensions take.
fn chunk_size(line: &[u8], most: usize) -> Result<(usize, usize), BodyError> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, extensions) = line.split_at(digits.unwrap_or(line.len()));
    if digits.is_empty() || !are_extensions(extensions) {
        return Err(BodyError::Malformed);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BodyError::Malformed)?;
    let size = usize::from_str_radix(digits, 16).map_err(|_| BodyError::TooLarge(most))?;
    Ok((size, extensions.len()))
}

/// RFC 9112, section 7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(extension) = skip_blank(rest).strip_prefix(b";") else {
            return false;
        };
        let (name, after) = split_token(skip_blank(extension));
        if name.is_empty() {
            return false;
        }
        rest = after;
        if let Some(value) = skip_blank(after).strip_prefix(b"=") {
            let Some(after) = skip_value(skip_blank(value)) else {
                return false;
            };
            rest = after;
        }
    }
    true
}

/// What follows on the token or quoted string (RFC 9110, section 5.6.4) that `text` begins with.
fn skip_value(text: &[u8]) -> Option<&[u8]> {
    let Some(mut quoted) = text.strip_prefix(b"\"") else {
        let (token, rest) = split_token(text);
        return (!token.is_empty()).then_some(rest);
    };
    loop {
        quoted = match quoted {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] if is_text(*byte) => rest,
            _ => return None,
        }
    }
}

/// A body of a caller who is known. A larger one is 413. The largest honest one, a password change, has some 200 bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// That of a caller who is not, or not yet: a login's, a refresh's.
pub const MAX_STRANGERS_BODY: usize = 4 * 1024;

/// Room for the size and a short extension.
const MAX_SIZE_LINE: usize = 256;

/// Extensions and trailers carry nothing that is used here.
const MAX_PASSED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Keep = Keep::UpTo(MAX_BODY);

    fn chunked(input: &[u8]) -> Result<(BodyReader, usize), BodyError> {
        let mut body = BodyReader::new(BodyLength::Chunked, ALL)?;
        let used = body.feed(input)?;
        Ok((body, used))
    }

    #[test]
    fn a_body_never_shows_what_has_come() {
        let mut body = BodyReader::new(BodyLength::Exactly(100), ALL).unwrap();
        body.feed(b"{\"password\":\"hunter22\"}").unwrap();
        let shown = format!("{body:?}");
        assert!(
            !shown.contains("hunter22") && !shown.contains("104, 117"),
            "{shown}"
        );
    }

    #[test]
    fn a_body_by_length_ends_where_it_says() {
        let mut body = BodyReader::new(BodyLength::Exactly(5), ALL).unwrap();
        assert_eq!(body.feed(b"abc"), Ok(3));
        assert!(!body.is_done());
        assert_eq!(body.feed(b"deGET /"), Ok(2));
        assert!(body.is_done());
        assert_eq!(body.into_bytes(), b"abcde");
    }

    #[test]
    fn chunks_are_put_together_however_they_arrive() {
        let text = b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\nNEXT";
        let (body, used) = chunked(text).unwrap();
        assert!(body.is_done());
        assert_eq!(used, text.len() - 4);
        assert_eq!(body.into_bytes(), b"hello world");

        let mut body = BodyReader::new(BodyLength::Chunked, ALL).unwrap();
        let mut pending = Vec::new();
        for &byte in text {
            pending.push(byte);
            let used = body.feed(&pending).unwrap();
            pending.drain(..used);
        }
        assert_eq!(pending, b"NEXT");
        assert_eq!(body.into_bytes(), b"hello world");
    }

    #[test]
    fn too_large_a_body_is_refused_before_it_is_read() {
        assert_eq!(
            BodyReader::new(BodyLength::Exactly(65_537), ALL).unwrap_err(),
            BodyError::TooLarge(MAX_BODY)
        );
        assert_eq!(
            BodyReader::new(BodyLength::Exactly(u64::MAX), ALL).unwrap_err(),
            BodyError::TooLarge(MAX_BODY)
        );
        assert_eq!(
            chunked(b"10001\r\n").unwrap_err(),
            BodyError::TooLarge(MAX_BODY)
        );
        assert_eq!(
            chunked(b"ffffffffffffffffff\r\n").unwrap_err(),
            BodyError::TooLarge(MAX_BODY)
        );
        let mut body = BodyReader::new(BodyLength::Chunked, ALL).unwrap();
        let mut chunk = b"8000\r\n".to_vec();
        chunk.extend(vec![b'x'; 0x8000]);
        chunk.extend(b"\r\n");
        body.feed(&chunk).unwrap();
        body.feed(&chunk).unwrap();
        assert_eq!(body.feed(b"1\r\n"), Err(BodyError::TooLarge(MAX_BODY)));
    }

    #[test]
    fn a_strangers_body_is_bounded_to_4_kib_and_one_that_nobody_wants_is_not_kept() {
        let strangers = Keep::UpTo(MAX_STRANGERS_BODY);
        assert!(BodyReader::new(BodyLength::Exactly(4096), strangers).is_ok());
        let error = BodyReader::new(BodyLength::Exactly(4097), strangers).unwrap_err();
        assert_eq!(error.to_string(), "the request body is larger than 4 KiB");
        let mut body = BodyReader::new(BodyLength::Chunked, strangers).unwrap();
        assert_eq!(body.feed(b"1000\r\n"), Ok(6));
        body.feed(&[b'x'; 4096]).unwrap();
        assert_eq!(body.feed(b"\r\n1\r\n"), Err(error));

        for length in [BodyLength::Exactly(65_536), BodyLength::Chunked] {
            let mut body = BodyReader::new(length, Keep::Nothing).unwrap();
            if length == BodyLength::Chunked {
                body.feed(b"10000\r\n").unwrap();
            }
            for _ in 0..16 {
                assert_eq!(body.feed(&[b'x'; 4096]), Ok(4096));
                assert_eq!(body.held(), 0);
            }
            if length == BodyLength::Chunked {
                let mut more = BodyReader::new(length, Keep::Nothing).unwrap();
                assert!(more.feed(b"10001\r\n").is_err());
                assert_eq!(body.feed(b"\r\n0\r\n\r\nGET"), Ok(7));
            }
            assert!(body.is_done());
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"5 5\r\n",
            b"5\nhello",
            b"5\rx\r\n",
            b"2\r\nabc\r\n",
            b"1\r\na\n0\r\n",
        ] {
            assert_eq!(chunked(text).unwrap_err(), BodyError::Malformed, "{text:?}");
        }
        assert_eq!(chunked(&[b'1'; 300]).unwrap_err(), BodyError::Malformed);
        let trailers = [&b"0\r\n"[..], &b"T: y\r\n".repeat(400)].concat();
        assert_eq!(chunked(&trailers).unwrap_err(), BodyError::Malformed);
    }
}

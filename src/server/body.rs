//! A request's body out of the bytes of the connection: by length or in the chunked coding (RFC 9112, sections 6 and 7).

use super::head::BodyLength;

/// Takes a body in as it arrives. Memory grows with what has arrived, never with what was announced.
#[derive(Debug)]
pub struct BodyReader {
    bytes: Vec<u8>,
    state: State,
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
    /// Trailer fields, of which so many bytes have been passed over.
    Trailers(usize),
    Done,
}

/// Why a body is refused; the connection is closed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// 413.
    #[error("the request body is larger than 64 KiB")]
    TooLarge,
    /// 400.
    #[error("the chunked body is malformed")]
    Malformed,
}

impl BodyError {
    /// The status code that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Malformed => 400,
        }
    }
}

impl BodyReader {
    /// Prepares to read a body framed like this.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when it is announced as larger than [`MAX_BODY`].
    pub fn new(length: BodyLength) -> Result<Self, BodyError> {
        let state = match length {
            BodyLength::Exactly(0) => State::Done,
            BodyLength::Exactly(length) => match usize::try_from(length) {
                Ok(length) if length <= MAX_BODY => State::Exactly(length),
                _ => return Err(BodyError::TooLarge),
            },
            BodyLength::Chunked => State::Size,
        };
        Ok(Self {
            bytes: Vec::new(),
            state,
        })
    }

    /// Whether the whole body is in.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The body.
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
                    self.bytes.extend_from_slice(&rest[..taken]);
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
                    let size = chunk_size(line)?;
                    if size > MAX_BODY - self.bytes.len() {
                        return Err(BodyError::TooLarge);
                    }
                    used += line.len() + 2;
                    self.state = match size {
                        0 => State::Trailers(0),
                        size => State::Chunk(size),
                    };
                }
                State::Chunk(missing) => {
                    let taken = missing.min(rest.len());
                    self.bytes.extend_from_slice(&rest[..taken]);
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
                State::Trailers(passed) => {
                    let Some(line) = line(rest, MAX_TRAILERS)? else {
                        return Ok(used);
                    };
                    used += line.len() + 2;
                    let passed = passed + line.len() + 2;
                    if passed > MAX_TRAILERS {
                        return Err(BodyError::Malformed);
                    }
                    self.state = if line.is_empty() {
                        State::Done
                    } else {
                        State::Trailers(passed)
                    };
                }
            }
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

/// RFC 9112, section 7.1: hexadecimal digits, then extensions, which are passed over.
fn chunk_size(line: &[u8]) -> Result<usize, BodyError> {
    let digits = line
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(line.len());
    let extension = line[digits..].trim_ascii_start();
    if digits == 0 || !(extension.is_empty() || extension.starts_with(b";")) {
        return Err(BodyError::Malformed);
    }
    if digits > 8 {
        return Err(BodyError::TooLarge);
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| BodyError::Malformed)?;
    usize::from_str_radix(text, 16).map_err(|_| BodyError::TooLarge)
}

/// A body larger than this is 413. The largest honest one, a password change, has some 200 bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Room for the size and a short extension.
const MAX_SIZE_LINE: usize = 256;

/// Trailers carry nothing that is used here.
const MAX_TRAILERS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(input: &[u8]) -> Result<(BodyReader, usize), BodyError> {
        let mut body = BodyReader::new(BodyLength::Chunked)?;
        let used = body.feed(input)?;
        Ok((body, used))
    }

    #[test]
    fn a_body_by_length_ends_where_it_says() {
        let mut body = BodyReader::new(BodyLength::Exactly(5)).unwrap();
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

        let mut body = BodyReader::new(BodyLength::Chunked).unwrap();
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
            BodyReader::new(BodyLength::Exactly(65_537)).unwrap_err(),
            BodyError::TooLarge
        );
        assert_eq!(
            BodyReader::new(BodyLength::Exactly(u64::MAX)).unwrap_err(),
            BodyError::TooLarge
        );
        assert_eq!(chunked(b"10001\r\n").unwrap_err(), BodyError::TooLarge);
        assert_eq!(
            chunked(b"ffffffffffffffffff\r\n").unwrap_err(),
            BodyError::TooLarge
        );
        let mut body = BodyReader::new(BodyLength::Chunked).unwrap();
        let mut chunk = b"8000\r\n".to_vec();
        chunk.extend(vec![b'x'; 0x8000]);
        chunk.extend(b"\r\n");
        body.feed(&chunk).unwrap();
        body.feed(&chunk).unwrap();
        assert_eq!(body.feed(b"1\r\n"), Err(BodyError::TooLarge));
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

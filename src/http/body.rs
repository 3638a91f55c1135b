//! A message's body out of the bytes of the connection: by length, in the chunked coding, or up to the connection's end (RFC
//! 9112, sections 6 and 7).

use std::fmt;

use super::field::{is_text, parse_field, skip_blank, split_token};
use super::framing::Framing;

/// Takes a body's framing off as it arrives. Keeps nothing of the body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// How many bytes the body may have, and has had.
    most: u64,
    length: u64,
    /// How many bytes of chunk extensions and trailers have been passed over.
    passed: usize,
}

/// Takes a body in as it arrives. Memory grows with what has arrived, never with what was announced.
pub struct BodyReader {
    bytes: Vec<u8>,
    is_kept: bool,
    decoder: Decoder,
}

/// How far it is: what has come may be a password.
impl fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyReader").field(&self.decoder).finish()
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
    Length(u64),
    /// Nobody knows how many.
    UntilClose,
    /// A chunk's size line comes next.
    Size,
    /// Inside a chunk.
    Chunk(u64),
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
    TooLarge(u64),
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
    pub fn new(framing: Framing, keep: Keep) -> Result<Self, BodyError> {
        let (most, is_kept) = match keep {
            Keep::UpTo(most) => (most, true),
            Keep::Nothing => (MAX_BODY, false),
        };
        Ok(Self {
            bytes: Vec::new(),
            is_kept,
            decoder: Decoder::new(framing, most as u64)?,
        })
    }

    /// Whether the whole body is in.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether nothing is missing if the connection ends here.
    #[must_use]
    pub fn may_end(&self) -> bool {
        self.decoder.may_end()
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
        let Self {
            bytes,
            is_kept,
            decoder,
        } = self;
        decoder.decode(input, &mut |part| {
            if *is_kept {
                bytes.extend_from_slice(part);
            }
        })
    }
}

impl Decoder {
    /// Prepares for a body framed like this, of at most so many bytes.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when it is announced as larger.
    pub const fn new(framing: Framing, most: u64) -> Result<Self, BodyError> {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > most => return Err(BodyError::TooLarge(most)),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size,
            Framing::UntilClose => State::UntilClose,
        };
        Ok(Self {
            state,
            most,
            length: 0,
            passed: 0,
        })
    }

    /// Of no body at all.
    #[must_use]
    pub const fn over() -> Self {
        Self {
            state: State::Done,
            most: 0,
            length: 0,
            passed: 0,
        }
    }

    /// Whether the body is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether nothing is missing if the connection ends here.
    #[must_use]
    pub const fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Hands the body's bytes at the front of `input` to `take`; returns how much of `input` was the body with its framing.
    /// The rest wants more behind it, or is the next message's.
    ///
    /// # Errors
    /// When the body is too large or its chunks are malformed.
    pub fn decode(
        &mut self,
        input: &[u8],
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, BodyError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.state {
                State::Done => return Ok(used),
                State::UntilClose => {
                    self.grow(rest.len() as u64)?;
                    take(rest);
                    return Ok(input.len());
                }
                State::Length(missing) | State::Chunk(missing) => {
                    let taken =
                        usize::try_from(missing).map_or(rest.len(), |most| most.min(rest.len()));
                    take(&rest[..taken]);
                    used += taken;
                    let missing = missing - taken as u64;
                    self.state = match self.state {
                        State::Chunk(_) if missing == 0 => State::ChunkEnd,
                        State::Chunk(_) => State::Chunk(missing),
                        _ if missing == 0 => State::Done,
                        _ => State::Length(missing),
                    };
                    if missing > 0 {
                        return Ok(used);
                    }
                }
                State::Size => {
                    let Some(line) = line(rest, MAX_SIZE_LINE)? else {
                        return Ok(used);
                    };
                    let (size, extensions) = chunk_size(line, self.most)?;
                    self.grow(size)?;
                    self.pass(extensions)?;
                    used += line.len() + 2;
                    self.state = match size {
                        0 => State::Trailers,
                        size => State::Chunk(size),
                    };
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
                    self.pass(line.len())?;
                }
            }
        }
    }

    const fn grow(&mut self, by: u64) -> Result<(), BodyError> {
        if by > self.most - self.length {
            return Err(BodyError::TooLarge(self.most));
        }
        self.length += by;
        Ok(())
    }

    const fn pass(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.passed += bytes;
        if self.passed > MAX_PASSED {
            return Err(BodyError::Malformed);
        }
        Ok(())
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
fn chunk_size(line: &[u8], most: u64) -> Result<(u64, usize), BodyError> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, extensions) = line.split_at(digits.unwrap_or(line.len()));
    if digits.is_empty() || !are_extensions(extensions) {
        return Err(BodyError::Malformed);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BodyError::Malformed)?;
    let size = u64::from_str_radix(digits, 16).map_err(|_| BodyError::TooLarge(most))?;
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
        let mut body = BodyReader::new(Framing::Chunked, ALL)?;
        let used = body.feed(input)?;
        Ok((body, used))
    }

    #[test]
    fn a_body_never_shows_what_has_come() {
        let mut body = BodyReader::new(Framing::Length(100), ALL).unwrap();
        body.feed(b"{\"password\":\"hunter22\"}").unwrap();
        let shown = format!("{body:?}");
        assert!(
            !shown.contains("hunter22") && !shown.contains("104, 117"),
            "{shown}"
        );
    }

    #[test]
    fn a_body_by_length_ends_where_it_says() {
        let mut body = BodyReader::new(Framing::Length(5), ALL).unwrap();
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

        let mut body = BodyReader::new(Framing::Chunked, ALL).unwrap();
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
            BodyReader::new(Framing::Length(65_537), ALL).unwrap_err(),
            BodyError::TooLarge(MAX_BODY as u64)
        );
        assert_eq!(
            BodyReader::new(Framing::Length(u64::MAX), ALL).unwrap_err(),
            BodyError::TooLarge(MAX_BODY as u64)
        );
        assert_eq!(
            chunked(b"10001\r\n").unwrap_err(),
            BodyError::TooLarge(MAX_BODY as u64)
        );
        assert_eq!(
            chunked(b"ffffffffffffffffff\r\n").unwrap_err(),
            BodyError::TooLarge(MAX_BODY as u64)
        );
        let mut body = BodyReader::new(Framing::Chunked, ALL).unwrap();
        let mut chunk = b"8000\r\n".to_vec();
        chunk.extend(vec![b'x'; 0x8000]);
        chunk.extend(b"\r\n");
        body.feed(&chunk).unwrap();
        body.feed(&chunk).unwrap();
        assert_eq!(
            body.feed(b"1\r\n"),
            Err(BodyError::TooLarge(MAX_BODY as u64))
        );
    }

    #[test]
    fn a_strangers_body_is_bounded_to_4_kib_and_one_that_nobody_wants_is_not_kept() {
        let strangers = Keep::UpTo(MAX_STRANGERS_BODY);
        assert!(BodyReader::new(Framing::Length(4096), strangers).is_ok());
        let error = BodyReader::new(Framing::Length(4097), strangers).unwrap_err();
        assert_eq!(error.to_string(), "the request body is larger than 4 KiB");
        let mut body = BodyReader::new(Framing::Chunked, strangers).unwrap();
        assert_eq!(body.feed(b"1000\r\n"), Ok(6));
        body.feed(&[b'x'; 4096]).unwrap();
        assert_eq!(body.feed(b"\r\n1\r\n"), Err(error));

        for length in [Framing::Length(65_536), Framing::Chunked] {
            let mut body = BodyReader::new(length, Keep::Nothing).unwrap();
            if length == Framing::Chunked {
                body.feed(b"10000\r\n").unwrap();
            }
            for _ in 0..16 {
                assert_eq!(body.feed(&[b'x'; 4096]), Ok(4096));
                assert_eq!(body.held(), 0);
            }
            if length == Framing::Chunked {
                let mut more = BodyReader::new(length, Keep::Nothing).unwrap();
                assert!(more.feed(b"10001\r\n").is_err());
                assert_eq!(body.feed(b"\r\n0\r\n\r\nGET"), Ok(7));
            }
            assert!(body.is_done());
        }
    }

    /// What comes out of these bytes, given in pieces of `piece` bytes, and whether the body is over.
    fn decoded(framing: Framing, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool), BodyError> {
        let mut body = Decoder::new(framing, u64::MAX)?;
        let (mut raw, mut out) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            raw.extend_from_slice(piece);
            let used = body.decode(&raw, &mut |part| out.extend_from_slice(part))?;
            raw.drain(..used);
        }
        Ok((out, body.is_done()))
    }

    #[test]
    fn a_body_comes_out_whole_however_it_is_cut() {
        for (framing, bytes, text, is_over) in [
            (Framing::Length(5), &b"12345behind"[..], "12345", true),
            (Framing::Length(9), b"12345", "12345", false),
            (Framing::Length(0), b"", "", true),
            (Framing::UntilClose, b"12345", "12345", false),
            (
                Framing::Chunked,
                b"3\r\n123\r\nA;x=y\r\n4567890123\r\n0\r\n\r\n",
                "1234567890123",
                true,
            ),
            (
                Framing::Chunked,
                b"3\r\n123\r\n0\r\nA: b\r\nC: d\r\n\r\nbehind",
                "123",
                true,
            ),
            (Framing::Chunked, b"5\r\n123", "123", false),
        ] {
            for piece in 1..=bytes.len().max(1) {
                let (out, over) = decoded(framing, bytes, piece).unwrap();
                assert_eq!((&*out, over), (text.as_bytes(), is_over), "{piece}");
            }
        }
        assert!(Decoder::new(Framing::UntilClose, 1).unwrap().may_end());
        assert!(!Decoder::new(Framing::Chunked, 1).unwrap().may_end());
        let mut body = Decoder::new(Framing::UntilClose, 2).unwrap();
        assert_eq!(body.decode(b"12", &mut |_| ()), Ok(2));
        assert_eq!(body.decode(b"3", &mut |_| ()), Err(BodyError::TooLarge(2)));
    }

    #[test]
    fn what_never_ends_is_not_gathered() {
        let endless = [
            [b"1;".to_vec(), vec![b'x'; 1000]].concat(),
            [b"0\r\n".to_vec(), b"A: b\r\n".repeat(1000)].concat(),
            [b"0\r\n".to_vec(), vec![b'x'; 5000]].concat(),
        ];
        for bytes in endless {
            let ended = decoded(Framing::Chunked, &bytes, 10);
            assert_eq!(ended, Err(BodyError::Malformed));
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

//! A message's body out of the bytes of the connection: by length, in the chunked coding, or up to the connection's end (RFC
//! 9112, sections 6 and 7).

use std::fmt;

use super::field::{is_text, parse_field, skip_blank, split_token};
use super::framing::Framing;

/// Takes a body's framing off as it arrives. Keeps nothing of the body.
#[derive(Debug)]
pub struct Decoder {
    state: DecoderState,
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
pub enum BodyWanted {
    /// It is for a handler, and may have so many bytes.
    UpTo(usize),
    /// Nobody wants it: it is passed over, up to [`MAX_BODY`], so that the next request is found behind it.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecoderState {
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
    /// The status code of the response to it.
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
    pub fn new(framing: Framing, keep: BodyWanted) -> Result<Self, BodyError> {
        let (most, is_kept) = match keep {
            BodyWanted::UpTo(most) => (most, true),
            BodyWanted::Nothing => (MAX_BODY, false),
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
            Framing::Length(0) => DecoderState::Done,
            Framing::Length(length) if length > most => return Err(BodyError::TooLarge(most)),
            Framing::Length(length) => DecoderState::Length(length),
            Framing::Chunked => DecoderState::Size,
            Framing::UntilClose => DecoderState::UntilClose,
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
            state: DecoderState::Done,
            most: 0,
            length: 0,
            passed: 0,
        }
    }

    /// Whether the body is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == DecoderState::Done
    }

    /// Whether nothing is missing if the connection ends here.
    #[must_use]
    pub const fn may_end(&self) -> bool {
        matches!(self.state, DecoderState::Done | DecoderState::UntilClose)
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
                DecoderState::Done => return Ok(used),
                DecoderState::UntilClose => {
                    self.grow(rest.len() as u64)?;
                    take(rest);
                    return Ok(input.len());
                }
                DecoderState::Length(missing) | DecoderState::Chunk(missing) => {
                    let taken =
                        usize::try_from(missing).map_or(rest.len(), |most| most.min(rest.len()));
                    take(&rest[..taken]);
                    used += taken;
                    let missing = missing - taken as u64;
                    self.state = match self.state {
                        DecoderState::Chunk(_) if missing == 0 => DecoderState::ChunkEnd,
                        DecoderState::Chunk(_) => DecoderState::Chunk(missing),
                        _ if missing == 0 => DecoderState::Done,
                        _ => DecoderState::Length(missing),
                    };
                    if missing > 0 {
                        return Ok(used);
                    }
                }
                DecoderState::Size => {
                    let Some(line) = line(rest, MAX_SIZE_LINE)? else {
                        return Ok(used);
                    };
                    let (size, extensions) = chunk_size(line, self.most)?;
                    self.grow(size)?;
                    self.pass(extensions)?;
                    used += line.len() + 2;
                    self.state = match size {
                        0 => DecoderState::Trailers,
                        size => DecoderState::Chunk(size),
                    };
                }
                DecoderState::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        self.state = DecoderState::Size;
                    }
                    [] | [b'\r'] => return Ok(used),
                    _ => return Err(BodyError::Malformed),
                },
                DecoderState::Trailers => {
                    let Some(line) = line(rest, MAX_PASSED)? else {
                        return Ok(used);
                    };
                    used += line.len() + 2;
                    if line.is_empty() {
                        self.state = DecoderState::Done;
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
mod tests;

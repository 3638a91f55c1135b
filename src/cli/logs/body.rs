//! The body of an answer: bytes off the wire to the body's own, however it is framed, and those to lines. No I/O, and
//! nothing that grows with what the other end likes to send.

use httparse::{Status, parse_chunk_size};

use crate::cli::answer::Framing;

/// Where in the body we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes are to come.
    Length(u64),
    UntilClose,
    /// Before a chunk's size (RFC 9112, section 7.1).
    Size,
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// Before the line end behind a chunk.
    ChunkEnd,
    /// In the fields behind the last chunk; so many bytes of them may still come.
    Trailer(usize),
    Over,
}

/// These bytes are no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoBody;

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::Over,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Size,
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Moves what is the body's from `raw` to the end of `out`. What stays in `raw` wants more bytes behind it.
    pub(super) fn decode(&mut self, raw: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), NoBody> {
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            match *self {
                Self::UntilClose => {
                    out.extend_from_slice(rest);
                    at = raw.len();
                }
                Self::Length(left) | Self::Chunk(left) => {
                    let taken =
                        usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    out.extend_from_slice(&rest[..taken]);
                    at += taken;
                    let left = left - taken as u64;
                    *self = match *self {
                        Self::Length(_) if left == 0 => Self::Over,
                        Self::Length(_) => Self::Length(left),
                        _ if left == 0 => Self::ChunkEnd,
                        _ => Self::Chunk(left),
                    };
                }
                Self::Size => {
                    // httparse would take a missing number for 0.
                    if !rest[0].is_ascii_hexdigit() {
                        return Err(NoBody);
                    }
                    match parse_chunk_size(rest) {
                        Ok(Status::Complete((length, size))) => {
                            at += length;
                            *self = match size {
                                0 => Self::Trailer(MAX_TRAILER),
                                size => Self::Chunk(size),
                            };
                        }
                        Ok(Status::Partial) if rest.len() <= MAX_SIZE_LINE => break,
                        _ => return Err(NoBody),
                    }
                }
                Self::ChunkEnd if rest.starts_with(b"\r\n") => {
                    at += 2;
                    *self = Self::Size;
                }
                Self::ChunkEnd if rest == b"\r" => break,
                Self::ChunkEnd => return Err(NoBody),
                Self::Trailer(most) => {
                    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                        if rest.len() > most {
                            return Err(NoBody);
                        }
                        break;
                    };
                    at += end + 2;
                    *self = match most.checked_sub(end + 2) {
                        _ if end == 0 => Self::Over,
                        Some(most) => Self::Trailer(most),
                        None => return Err(NoBody),
                    };
                }
                Self::Over => at = raw.len(),
            }
        }
        raw.drain(..at);
        Ok(())
    }

    /// Whether nothing is missing if nothing more comes.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::UntilClose | Self::Over)
    }
}

/// Takes the first line out of `text`, without its end, if there is a whole one.
pub(super) fn take_line(text: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let mut line: Vec<u8> = text.drain(..=end).collect();
    line.pop();
    Some(line)
}

/// A size is 16 digits at most; nobody has a use for extensions behind it.
const MAX_SIZE_LINE: usize = 256;

/// postern sends none.
const MAX_TRAILER: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of these bytes, given in pieces of `piece` bytes.
    fn decoded(framing: Framing, bytes: &[u8], piece: usize) -> Result<(Body, Vec<u8>), NoBody> {
        let (mut body, mut raw, mut out) = (Body::new(framing), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            raw.extend_from_slice(piece);
            body.decode(&mut raw, &mut out)?;
        }
        Ok((body, out))
    }

    #[test]
    fn a_body_comes_out_whole_however_it_is_cut() {
        for (framing, bytes, text, end) in [
            (Framing::Length(5), &b"12345behind"[..], "12345", Body::Over),
            (Framing::Length(9), b"12345", "12345", Body::Length(4)),
            (Framing::Length(0), b"", "", Body::Over),
            (Framing::UntilClose, b"12345", "12345", Body::UntilClose),
            (
                Framing::Chunked,
                b"3\r\n123\r\nA;x=y\r\n4567890123\r\n0\r\n\r\n",
                "1234567890123",
                Body::Over,
            ),
            (
                Framing::Chunked,
                b"3\r\n123\r\n0\r\nA: b\r\nC: d\r\n\r\nbehind",
                "123",
                Body::Over,
            ),
            (Framing::Chunked, b"5\r\n123", "123", Body::Chunk(2)),
        ] {
            for piece in 1..=bytes.len().max(1) {
                let (body, out) = decoded(framing, bytes, piece).unwrap();
                assert_eq!((body, out.as_slice()), (end, text.as_bytes()), "{piece}");
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused_and_what_never_ends_is_not_gathered() {
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"11111111111111111\r\n",
            b"3\r\n123xx",
            b"3\r\n123\rx",
        ] {
            for piece in [1, bytes.len()] {
                assert_eq!(decoded(Framing::Chunked, bytes, piece), Err(NoBody));
            }
        }
        let endless = [b"1;".to_vec(), vec![b'x'; 1000]].concat();
        assert_eq!(decoded(Framing::Chunked, &endless, 10), Err(NoBody));
        let endless = [b"0\r\n".to_vec(), b"A: b\r\n".repeat(1000)].concat();
        assert_eq!(decoded(Framing::Chunked, &endless, 10), Err(NoBody));
        let endless = [b"0\r\n".to_vec(), vec![b'x'; 5000]].concat();
        assert_eq!(decoded(Framing::Chunked, &endless, 10), Err(NoBody));
    }

    #[test]
    fn lines_are_taken_only_when_they_are_whole() {
        let mut text = b"one\n\ntw".to_vec();
        assert_eq!(take_line(&mut text).as_deref(), Some(&b"one"[..]));
        assert_eq!(take_line(&mut text).as_deref(), Some(&b""[..]));
        assert_eq!(take_line(&mut text), None);
        assert_eq!(text, b"tw");
    }
}

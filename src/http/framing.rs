//! How the end of a message's body is known (RFC 9112, section 6.3): one judge for requests and responses.

use super::head_error::HeadError;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It has that many bytes; zero without a body.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// It lasts as long as the connection. No request's does.
    UntilClose,
}

/// The header fields that tell, gathered before any of them is believed.
#[derive(Default)]
pub(super) struct FramingFields<'a> {
    length: OnceField<'a>,
    codings: Vec<&'a [u8]>,
}

/// A field that may be given once.
#[derive(Default, Clone, Copy)]
pub(super) enum OnceField<'a> {
    #[default]
    Never,
    Once(&'a [u8]),
    Again,
}

impl<'a> OnceField<'a> {
    pub const fn take(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Never => Self::Once(value),
            Self::Once(_) | Self::Again => Self::Again,
        };
    }
}

impl<'a> FramingFields<'a> {
    /// Notes a field; says whether it is one of these.
    pub fn take(&mut self, name: &[u8], value: &'a [u8]) -> bool {
        if name.eq_ignore_ascii_case(b"Content-Length") {
            self.length.take(value);
        } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
            self.codings.extend(words(value));
        } else {
            return false;
        }
        true
    }

    /// What they say; `None` if they say nothing, which is no body for a request, and one that lasts as long as the connection
    /// for a response.
    ///
    /// # Errors
    /// They could be read in two ways, or in none.
    pub fn of(&self, http_1_0: bool) -> Result<Option<Framing>, HeadError> {
        match (self.length, &self.codings[..]) {
            (OnceField::Never, []) => Ok(None),
            (OnceField::Once(length), []) => parse_length(length).map(Framing::Length).map(Some),
            (OnceField::Again, []) => Err(HeadError::Malformed("Content-Length is given twice")),
            (OnceField::Once(_) | OnceField::Again, [_, ..]) => Err(HeadError::Malformed(
                "Content-Length and Transfer-Encoding exclude each other",
            )),
            (OnceField::Never, _) if http_1_0 => {
                Err(HeadError::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            (OnceField::Never, [before @ .., last]) => {
                let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
                if !is_chunked(last) || before.iter().any(is_chunked) {
                    Err(HeadError::Malformed(
                        "the last transfer coding, and only that, must be chunked",
                    ))
                } else if before.is_empty() {
                    Ok(Some(Framing::Chunked))
                } else {
                    Err(HeadError::TransferCoding)
                }
            }
        }
    }
}

/// A comma-separated field's words; an empty one is kept, for whoever minds.
pub(super) fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// One too large for any number is still one: the largest.
fn parse_length(value: &[u8]) -> Result<u64, HeadError> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(HeadError::Malformed("Content-Length is not a number"));
    }
    Ok(value.iter().fold(0_u64, |length, digit| {
        length
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

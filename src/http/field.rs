//! Checks one header or trailer line (RFC 9112, section 5), and holds the fields of a head.

use std::fmt;
use std::ops::Range;

/// What is wrong with a field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// No token, or no colon right behind it. So is a line that begins with whitespace (`obs-fold`).
    Name,
    /// A control character.
    Value,
}

/// The header fields of a message, in the order they came: parts of its head.
pub struct Fields {
    /// ASCII.
    head: String,
    /// Whether it was so from the beginning.
    was_ascii: bool,
    /// Of each field its name and its value.
    parts: Vec<(Range<u16>, Range<u16>)>,
}

/// Only how many: some are credentials.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fields").field(&self.parts.len()).finish()
    }
}

impl Fields {
    /// None yet, of this head, of which the first 64 KiB may be fields. What is not ASCII becomes a question mark: it may
    /// stand in a value alone, and nobody takes that for anything. The field itself stays, since a proxy's part of it may be good.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let mut head = head.to_vec();
        let was_ascii = head.is_ascii();
        if !was_ascii {
            head.iter_mut()
                .filter(|byte| !byte.is_ascii())
                .for_each(|byte| *byte = b'?');
        }
        Self {
            head: String::from_utf8(head).unwrap_or_default(),
            was_ascii,
            parts: Vec::with_capacity(USUAL_FIELDS),
        }
    }

    /// Whether no byte of the head was replaced.
    #[must_use]
    pub const fn was_ascii(&self) -> bool {
        self.was_ascii
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Reads a line of the head, without its CRLF, which begins at `start`; gives its name and its value.
    ///
    /// # Errors
    /// The line is no field.
    pub fn read<'a>(
        &mut self,
        line: &'a [u8],
        start: usize,
    ) -> Result<(&'a [u8], &'a [u8]), FieldError> {
        let (name, value) = parse_field(line)?;
        // Behind the colon, and what blanks there are.
        let from_value = line[name.len() + 1..].trim_ascii_start();
        let value_start = start + line.len() - from_value.len();
        self.push(
            start..start + name.len(),
            value_start..value_start + value.len(),
        );
        Ok((name, value))
    }

    /// Adds one, by where in the head its name and its value stand.
    fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        let short = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        let part = |part: Range<usize>| short(part.start)..short(part.end);
        self.parts.push((part(name), part(value)));
    }

    /// A part of the head; nothing where there is none.
    #[must_use]
    pub fn part(&self, place: Range<usize>) -> &str {
        self.head.get(place).unwrap_or_default()
    }

    /// The values of the fields with this name.
    #[must_use]
    pub fn values(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &str> {
        let text = |part: &Range<u16>| self.part(usize::from(part.start)..usize::from(part.end));
        self.parts
            .iter()
            .filter(move |(called, _)| {
                called.len() == name.len() && text(called).eq_ignore_ascii_case(name)
            })
            .map(move |(_, value)| text(value))
    }
}

/// A field's name, and its value without the whitespace around it.
///
/// # Errors
/// The line, without its CRLF, is no field.
pub(super) fn parse_field(line: &[u8]) -> Result<(&[u8], &[u8]), FieldError> {
    let (name, rest) = split_token(line);
    let (false, Some(value)) = (name.is_empty(), rest.strip_prefix(b":")) else {
        return Err(FieldError::Name);
    };
    if !is_all_text(value) {
        return Err(FieldError::Value);
    }
    // Of what this trims, only spaces and tabs are text.
    Ok((name, value.trim_ascii()))
}

/// The token (RFC 9110, section 5.6.2) that `text` begins with, perhaps empty, and the rest.
pub(super) fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    // A plain loop: made for size, `position` costs a call for each byte.
    let mut end = 0;
    while let Some(byte) = text.get(end)
        && IS_TOKEN[usize::from(*byte)]
    {
        end += 1;
    }
    text.split_at(end)
}

/// Which bytes a token is made of.
const IS_TOKEN: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        is_token[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    is_token
};

/// `text` without the spaces and tabs that it begins with; nothing else is whitespace in HTTP.
pub(super) fn skip_blank(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte));
    &text[start.unwrap_or(text.len())..]
}

/// A byte of a field's value or of a quoted string: no control character but the tab.
pub(super) const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether all bytes are text. A token's header is some 400 bytes, so eight are looked at in one go; only where one of them may be
/// a control character is each looked at alone.
fn is_all_text(bytes: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    let is_plain = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        // The high bit of a byte that is below b' ', or that was 0x7f, is set; a carry may set it for others, too.
        let low = word.wrapping_sub(EACH * 0x20) & !word;
        let deletes = word ^ (EACH * 0x7f);
        let deletes = deletes.wrapping_sub(EACH) & !deletes;
        (low | deletes) & (EACH * 0x80) == 0
    };
    let is_text = |byte: &u8| is_text(*byte);
    words
        .iter()
        .all(|word| is_plain(word) || word.iter().all(is_text))
        && rest.iter().all(is_text)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Room for what most clients send; a browser sends twice as many.
const USUAL_FIELDS: usize = 8;

#[cfg(test)]
mod tests;

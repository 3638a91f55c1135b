//! One field line (RFC 9112, section 5), of a head or of the trailers: both are judged here alone.

/// What is wrong with a field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// No token, or no colon right behind it. So is a line that begins with whitespace (`obs-fold`).
    Name,
    /// A control character.
    Value,
}

/// A field's name, and its value without the whitespace around it.
///
/// # Errors
/// The line, without its CRLF, is no field.
pub fn parse_field(line: &[u8]) -> Result<(&[u8], &[u8]), FieldError> {
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
pub fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
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
pub fn skip_blank(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte));
    &text[start.unwrap_or(text.len())..]
}

/// A byte of a field's value or of a quoted string: no control character but the tab.
pub const fn is_text(byte: u8) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_at_each_place_is_judged_as_if_alone() {
        for byte in 0..=u8::MAX {
            for neighbour in [b'a', b' ', b'\t', 0x80, 0xff, 0x21, 0x7e] {
                for at in 0..19 {
                    let mut bytes = [neighbour; 19];
                    bytes[at] = byte;
                    assert_eq!(
                        is_all_text(&bytes),
                        is_text(byte),
                        "{byte} at {at} in {neighbour}"
                    );
                }
            }
        }
        assert!(is_all_text(b""));
    }

    #[test]
    fn a_token_is_made_of_what_rfc_9110_lists() {
        let listed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        for byte in 0..=u8::MAX {
            assert_eq!(split_token(&[byte]).1.is_empty(), listed(byte), "{byte}");
        }
    }
}

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
pub fn parse_field(line: &[u8]) -> Result<(&str, &[u8]), FieldError> {
    let (name, rest) = split_token(line);
    let (false, Some(value)) = (name.is_empty(), rest.strip_prefix(b":")) else {
        return Err(FieldError::Name);
    };
    let name = std::str::from_utf8(name).map_err(|_| FieldError::Name)?;
    if !value.iter().all(|byte| is_text(*byte)) {
        return Err(FieldError::Value);
    }
    let value = skip_blank(value);
    let end = value.iter().rposition(|byte| !is_blank(*byte));
    Ok((name, &value[..end.map_or(0, |last| last + 1)]))
}

/// The token (RFC 9110, section 5.6.2) that `text` begins with, perhaps empty, and the rest.
pub fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !IS_TOKEN[usize::from(*byte)]);
    text.split_at(end.unwrap_or(text.len()))
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

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

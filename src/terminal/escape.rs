//! Escapes text from elsewhere so that it cannot drive the terminal.

use std::fmt::Write;

/// Text that does nothing to a terminal but appear: what would, is shown as an escape instead.
pub(crate) fn plain(text: &str) -> String {
    if !text.contains(is_unsafe) {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// JSON text on one line, the same value in other words: what could drive a terminal is written as JSON's own escape.
pub(crate) fn json_line(raw: &str) -> String {
    let mut line = String::with_capacity(raw.len() + 1);
    for character in raw.chars() {
        if character.is_ascii_control() && character != '\x7f' {
            // Within a string JSON has none; between its parts a blank means the same.
            line.push(' ');
        } else if is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

/// Whether it moves, hides or rearranges what stands around it: Unicode's controls, line ends, marks of direction, and
/// what cannot be seen. Joiners and variation selectors are left, for words and signs are written with them.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e00ff}')
}

#[cfg(test)]
mod tests;

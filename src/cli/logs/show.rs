//! Entries as lines: for people, with colours and without anything that could drive a terminal, or as JSON.

use std::fmt::Write;

use serde_json::Value;

/// How lines look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Show {
    pub json: bool,
    pub color: bool,
}

impl Show {
    /// An entry: when, how severe, from where, what. `raw` is its JSON text.
    pub(super) fn entry(self, entry: &Value, raw: &str) -> String {
        if self.json {
            return json_line(raw);
        }
        let member = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("?");
        let level = member("level");
        let time = plain(member("timestamp")).replacen('T', " ", 1);
        let mut line = format!(
            "{} {} {}  {}",
            self.painted(DIM, &time),
            self.painted(color(level), &format!("{:<6}", plain(level))),
            plain(member("source")),
            plain(member("message")),
        );
        if let Some(arrived) = entry.get("arrived").and_then(Value::as_str) {
            let arrived = format!("  (arrived {})", plain(arrived).replacen('T', " ", 1));
            line.push_str(&self.painted(DIM, &arrived));
        }
        let fields = entry.get("fields").and_then(Value::as_object);
        for (name, value) in fields.into_iter().flatten() {
            let value = match value {
                Value::String(text) if is_word(text) => text.clone(),
                // Quoted by JSON's rules, whatever it is.
                other => plain(&other.to_string()),
            };
            let field = format!("{}={value}", plain(name));
            line.push_str("  ");
            line.push_str(&self.painted(DIM, &field));
        }
        line.push('\n');
        line
    }

    /// A word in between, for people.
    pub(super) fn notice(self, text: &str) -> String {
        format!("{}\n", self.painted(DIM, text))
    }

    fn painted(self, paint: &str, text: &str) -> String {
        if self.color && !paint.is_empty() {
            format!("\x1b[{paint}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Text that does nothing to a terminal but appear: what would, is shown as an escape instead.
pub(in crate::cli) fn plain(text: &str) -> String {
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
pub(in crate::cli) fn json_line(raw: &str) -> String {
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
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e00ff}')
}

/// Whether a field's value stands for itself without quotes.
fn is_word(text: &str) -> bool {
    let breaks = |c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '=' | '\\');
    !text.is_empty() && !text.contains(breaks)
}

/// How a level is painted (ECMA-48, section 8.3.117).
fn color(level: &str) -> &'static str {
    match level {
        "emerg" | "alert" | "crit" => "1;31",
        "error" => "31",
        "warn" => "33",
        "notice" => "36",
        "debug" => DIM,
        _ => "",
    }
}

const DIM: &str = "2";

#[cfg(test)]
mod tests;

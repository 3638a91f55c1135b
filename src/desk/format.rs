//! Entries as lines: for people, with colours and without anything that could drive a terminal, or as JSON.

use serde_json::Value;

use crate::terminal::escape::{is_unsafe, json_line, plain};

/// How lines look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EntryFormat {
    pub json: bool,
    pub color: bool,
}

impl EntryFormat {
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

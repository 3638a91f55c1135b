//! What one log entry is, before it has a number: a level, a source, a message and its bounds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// How severe an entry is: the severities of RFC 5424, section 6.2.1. A greater level is a more severe one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For developers.
    Debug,
    /// What goes its way.
    Info,
    /// Normal, but worth a look.
    Notice,
    /// May become an error.
    Warn,
    /// Something failed.
    Error,
    /// Something essential failed.
    Crit,
    /// Must be acted upon at once.
    Alert,
    /// The system is unusable.
    Emerg,
}

impl Level {
    /// The name on the stream and in `?level=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        }
    }

    /// The number syslog gives it: 0 (emergency) to 7 (debug).
    #[must_use]
    pub const fn severity(self) -> u8 {
        7 - self as u8
    }

    /// The level of a syslog severity; of a number over 7, [`Level::Debug`].
    #[must_use]
    pub const fn from_severity(severity: u8) -> Self {
        match severity {
            0 => Self::Emerg,
            1 => Self::Alert,
            2 => Self::Crit,
            3 => Self::Error,
            4 => Self::Warn,
            5 => Self::Notice,
            6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// Reads a level's name, in any case, or one of the names other systems have for it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let found = match name.to_ascii_lowercase().as_str() {
            "debug" | "trace" | "7" => Self::Debug,
            "info" | "informational" | "6" => Self::Info,
            "notice" | "5" => Self::Notice,
            "warn" | "warning" | "4" => Self::Warn,
            "error" | "err" | "3" => Self::Error,
            "crit" | "critical" | "fatal" | "2" => Self::Crit,
            "alert" | "1" => Self::Alert,
            "emerg" | "emergency" | "panic" | "0" => Self::Emerg,
            _ => return None,
        };
        Some(found)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No level has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a level: use debug, info, notice, warn, error, crit, alert or emerg")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name).ok_or(UnknownLevel)
    }
}

/// An entry on its way into the [`Ring`](super::Ring).
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Where it comes from: a source's name.
    pub source: Arc<str>,
    /// How severe it is.
    pub level: Level,
    /// When it happened, or was read.
    pub timestamp: Timestamp,
    /// When it was read, if it says that it happened over a day later: then nothing goes by what it says.
    pub arrived: Option<Timestamp>,
    /// The text, without its line ending.
    pub message: String,
    /// What else is known, by name.
    pub fields: Map<String, Value>,
}

impl NewEntry {
    /// An entry without fields.
    #[must_use]
    pub fn new(source: Arc<str>, level: Level, timestamp: Timestamp, message: String) -> Self {
        Self {
            source,
            level,
            timestamp,
            arrived: None,
            message,
            fields: Map::new(),
        }
    }

    /// Marks a time that lies over a day ahead of `now`, when it was read.
    #[must_use]
    pub fn read_at(mut self, now: Timestamp) -> Self {
        self.arrived = (self.timestamp > now + MAX_AHEAD).then_some(now);
        self
    }

    /// Cuts what is over the bounds and says so in the fields: `"truncated":true` and, unless the
    /// source has said it already, the message's length in `"bytes"`.
    pub(super) fn bound(&mut self) {
        let fields_fit = fits(&self.fields, MAX_FIELDS_BYTES);
        if !fields_fit {
            self.fields = Map::new();
        }
        let keep = bounded_len(&self.message);
        if keep < self.message.len() {
            let bytes = self.message.len();
            self.message.truncate(keep);
            self.message.shrink_to_fit();
            self.fields
                .entry("bytes")
                .or_insert_with(|| Value::from(bytes));
        } else if fields_fit {
            return;
        }
        self.fields.insert("truncated".into(), Value::from(true));
    }
}

/// How much of a message is kept: a whole number of characters within both bounds.
fn bounded_len(message: &str) -> usize {
    // Most messages are far below: nothing in JSON grows more than sixfold.
    if message.len() * 6 <= MAX_ESCAPED_BYTES {
        return message.len();
    }
    let mut escaped = 0;
    for (at, character) in message.char_indices() {
        escaped += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\x1f' => 6,
            other => other.len_utf8(),
        };
        if at + character.len_utf8() > MAX_MESSAGE_BYTES || escaped > MAX_ESCAPED_BYTES {
            return at;
        }
    }
    message.len()
}

fn fits(fields: &Map<String, Value>, limit: usize) -> bool {
    if fields.is_empty() {
        return true;
    }
    serde_json::to_vec(fields).is_ok_and(|text| text.len() <= limit)
}

/// A remote clock may be in another zone, or a little wrong. A time further ahead than this is none.
pub const MAX_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// A message's bound, in bytes of UTF-8. A longer line is no line for a person; it is cut and marked.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// A message's bound as JSON text: a line of control characters would be six times as long there, and
/// what a subscriber must be able to buffer follows from it.
pub const MAX_ESCAPED_BYTES: usize = 128 * 1024;

/// The bound of an entry's fields as JSON text. Over it they are left out, and the entry is marked.
pub const MAX_FIELDS_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;

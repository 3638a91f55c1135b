//! journalctl's lines to events, apart from any process.
//!
//! A line is a JSON object. A field is a string, an array of bytes if it is not UTF-8, an array of those if it was given
//! more than once, or null. A message may have any size, so a line is kept up to a bound, and of a longer one the beginning
//! and the end: the short fields stand at one of them, and the message is cut anyway.

use std::time::Duration;

use serde_json::Value;

use super::super::{SourceEvent, priority};
use crate::clock::Timestamp;

/// What is asked of journalctl; it adds the cursor, the times and the boot.
pub(super) const FIELDS: [&str; 9] = [
    "MESSAGE",
    "PRIORITY",
    "_PID",
    "SYSLOG_PID",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "_SYSTEMD_UNIT",
    "UNIT",
    "USER_UNIT",
];

/// How far the journal has been read.
pub(super) struct JournalReader {
    cursor: Option<String>,
    /// Our own process and boot, by which our own lines are told: they are on the stream already.
    own: (String, String),
    /// The line under way: its first bytes, up to a bound, …
    head: Vec<u8>,
    /// … the newest of what came after those, …
    tail: Vec<u8>,
    /// … and how long it is so far.
    length: usize,
}

impl JournalReader {
    pub(super) fn new() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.trim().replace('-', "");
        Self::of(std::process::id().to_string(), boot)
    }

    fn of(pid: String, boot: String) -> Self {
        Self {
            cursor: None,
            own: (pid, boot),
            head: Vec::new(),
            tail: Vec::new(),
            length: 0,
        }
    }

    /// The last whole line's, once there was one. A new child goes on from here, so what came of a line after it is
    /// forgotten.
    pub(super) fn cursor(&mut self) -> Option<&str> {
        self.clear();
        self.cursor.as_deref()
    }

    pub(super) fn forget_cursor(&mut self) {
        self.cursor = None;
    }

    /// Takes the next bytes and gives every event they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], mut give: impl FnMut(SourceEvent)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.take(&rest[..end]);
            rest = &rest[end + 1..];
            if let Some(event) = self.line() {
                give(event);
            }
            self.clear();
        }
        self.take(rest);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        let room = (MAX_HEAD - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend_from_slice(&bytes[room..]);
        if self.tail.len() > 2 * MAX_TAIL {
            self.tail.drain(..self.tail.len() - MAX_TAIL);
        }
    }

    fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
        self.length = 0;
        if self.head.capacity() > KEPT_CAPACITY {
            self.head = Vec::new();
            self.tail = Vec::new();
        }
    }

    fn line(&mut self) -> Option<SourceEvent> {
        if self.length > self.head.len() {
            return self.cut_line();
        }
        if self.head.is_empty() {
            return None;
        }
        match serde_json::from_slice(&self.head) {
            Ok(Value::Object(fields)) => {
                let message = fields.get("MESSAGE").map(text).unwrap_or_default();
                self.event(|name| fields.get(name).map(text), message)
            }
            _ => Some(SourceEvent {
                message: String::from_utf8_lossy(&self.head).into_owned(),
                ..SourceEvent::default()
            }),
        }
    }

    /// Makes what can be made of a line that was too long.
    fn cut_line(&mut self) -> Option<SourceEvent> {
        let (head, tail) = (
            std::mem::take(&mut self.head),
            std::mem::take(&mut self.tail),
        );
        let get = |name: &str| member(&head, name).or_else(|| member(&tail, name));
        let mut event = self.event(get, beginning(&head))?;
        event.fields.insert("truncated".to_owned(), true.into());
        event.fields.insert("bytes".to_owned(), self.length.into());
        Some(event)
    }

    /// `None` if it is a line of our own.
    fn event(
        &mut self,
        get: impl Fn(&str) -> Option<String>,
        mut message: String,
    ) -> Option<SourceEvent> {
        if let Some(cursor) = get("__CURSOR") {
            self.cursor = Some(cursor);
        }
        let pid = get("_PID");
        if pid.as_ref() == Some(&self.own.0) && get("_BOOT_ID").as_ref() == Some(&self.own.1) {
            return None;
        }
        message.truncate(message.trim_end_matches('\n').len());
        let mut event = SourceEvent {
            message,
            level: get("PRIORITY")
                .and_then(|level| level.parse().ok())
                .map(priority::level),
            timestamp: get("__REALTIME_TIMESTAMP")
                .and_then(|micros| micros.parse().ok())
                .map(|micros| Timestamp::default() + Duration::from_micros(micros)),
            ..SourceEvent::default()
        };
        // What systemd itself says is about a unit, which it names; it runs in none worth a word.
        let systemd = pid.as_deref() == Some("1");
        let unit = if systemd { get("UNIT") } else { None };
        let unit = unit
            .or_else(|| get("_SYSTEMD_UNIT"))
            .or_else(|| get("UNIT"))
            .or_else(|| get("USER_UNIT"));
        let identifier = get("SYSLOG_IDENTIFIER").or_else(|| get("_COMM"));
        let pid = pid.or_else(|| get("SYSLOG_PID"));
        for (name, value) in [("unit", unit), ("identifier", identifier)] {
            if let Some(value) = value {
                event.fields.insert(name.to_owned(), value.into());
            }
        }
        if let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) {
            event.fields.insert("pid".to_owned(), pid.into());
        }
        Some(event)
    }
}

/// A field's text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let bytes: Option<Vec<u8>> = values
                .iter()
                .map(|value| u8::try_from(value.as_u64()?).ok())
                .collect();
            match bytes {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                // Given several times.
                None => values.iter().map(text).collect::<Vec<_>>().join("\n"),
            }
        }
        _ => String::new(),
    }
}

/// A string member of an object of which a part is here. Within a string no quote stands without a backslash before it,
/// so no message can pretend to be a member.
fn member(part: &[u8], name: &str) -> Option<String> {
    let key = format!("\"{name}\":\"");
    let at = find(part, key.as_bytes())?;
    let value = &part[at + key.len()..];
    let end = end_of_string(value)?;
    string_of(&part[at + key.len() - 1..=at + key.len() + end])
}

/// As much as there is of the message in an object's beginning.
fn beginning(head: &[u8]) -> String {
    const KEY: &[u8] = b"\"MESSAGE\":";
    let Some(value) = find(head, KEY).map(|at| &head[at + KEY.len()..]) else {
        return String::new();
    };
    match value {
        [b'"', string @ ..] => {
            let string = &string[..end_of_string(string).unwrap_or(string.len())];
            // The cut may have gone through a character: two escapes at most, twelve bytes.
            (0..=12)
                .filter_map(|less| string.get(..string.len().checked_sub(less)?))
                .find_map(|string| string_of(&[b"\"", string, b"\""].concat()))
                .unwrap_or_default()
        }
        [b'[', array @ ..] => {
            let bytes: Vec<u8> = array
                .split(|&byte| byte == b',')
                .map_while(|number| std::str::from_utf8(number).ok()?.parse().ok())
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    }
}

fn string_of(json: &[u8]) -> Option<String> {
    match serde_json::from_slice(json) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// Where the quote stands that ends a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A message that is kept whole, at up to six bytes a byte, and its fields.
const MAX_HEAD: usize = 512 * 1024;

/// The fields alone.
const MAX_TAIL: usize = 8 * 1024;

/// The buffer is given back above this: one long line must not be paid for ever after.
const KEPT_CAPACITY: usize = 16 * 1024;

#[cfg(test)]
mod tests;

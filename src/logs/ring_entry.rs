//! One entry of the ring: numbered, and serialised once for all who read it.

use std::borrow::Cow;
use std::io::Write;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};
use tungstenite::Utf8Bytes;

use super::entry::{Level, MAX_ESCAPED_BYTES, MAX_FIELDS_BYTES, NewEntry};
use crate::clock::Timestamp;

/// One numbered entry. A clone shares the text.
#[derive(Debug, Clone)]
pub struct RingEntry {
    /// Its number in this run, from 1 on, rising by one.
    pub seq: u64,
    /// How severe it is.
    pub level: Level,
    /// Where it comes from.
    pub source: Arc<str>,
    /// The whole entry as the stream's JSON object, on one line.
    pub json: Utf8Bytes,
    /// When it happened; when it arrived, if its own time cannot be true.
    pub when: Timestamp,
    /// Where in `json` the message stands, with its quotes.
    message: Range<usize>,
}

impl RingEntry {
    /// Numbers an entry and writes its text in `scratch`, its members in the contract's order. Writing into a `Vec` cannot fail.
    pub(super) fn new(seq: u64, new: NewEntry, scratch: &mut Vec<u8>) -> Self {
        let text = scratch;
        text.clear();
        let _ = write!(
            text,
            r#"{{"type":"log","seq":{seq},"timestamp":"{}","#,
            new.timestamp
        );
        if let Some(arrived) = new.arrived {
            let _ = write!(text, r#""arrived":"{arrived}","#);
        }
        text.extend_from_slice(br#""source":"#);
        let _ = serde_json::to_writer(&mut *text, &*new.source);
        let _ = write!(text, r#","level":"{}","message":"#, new.level);
        let start = text.len();
        let _ = serde_json::to_writer(&mut *text, &new.message);
        let message = start..text.len();
        text.extend_from_slice(FIELDS.as_bytes());
        let _ = serde_json::to_writer(&mut *text, &new.fields);
        text.push(b'}');
        // One allocation of the exact size; it is UTF-8 already, so this borrows.
        let json = Utf8Bytes::from(&*String::from_utf8_lossy(text));
        if text.capacity() > SCRATCH_KEPT {
            *text = Vec::new();
        }
        Self {
            seq,
            level: new.level,
            source: new.source,
            json,
            when: new.arrived.unwrap_or(new.timestamp),
            message,
        }
    }

    /// The message as it was pushed.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        let quoted = self.json.get(self.message.clone()).unwrap_or_default();
        if quoted.contains('\\') {
            return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
        }
        Cow::Borrowed(quoted.trim_matches('"'))
    }

    /// Whether it has this field with this value: a text's own, or else the value's JSON.
    #[must_use]
    pub fn has_field(&self, name: &str, value: &str) -> bool {
        let fields = self
            .json
            .get(self.message.end + FIELDS.len()..self.json.len() - 1);
        let fields: Map<String, Value> = fields
            .and_then(|fields| serde_json::from_str(fields).ok())
            .unwrap_or_default();
        match fields.get(name) {
            None => false,
            Some(Value::String(text)) => text == value,
            Some(other) => {
                let json = other.to_string();
                json == value
            }
        }
    }

    /// What it weighs in the ring.
    pub(super) fn weight(&self) -> usize {
        self.json.len() + ENTRY_OVERHEAD
    }
}

/// What stands between the message and the fields.
const FIELDS: &str = r#","fields":"#;

/// What an entry costs beside its text: its place in the queue, which may be twice as large as it is full, and
/// the allocator's and the shared buffer's own words.
const ENTRY_OVERHEAD: usize = 2 * mem::size_of::<RingEntry>() + 48;

/// The scratch is given back above this: one long line must not be paid for ever after.
const SCRATCH_KEPT: usize = 8 * 1024;

/// The longest text of an entry: message, fields, and the rest (a source's name is a file's).
pub const MAX_JSON_BYTES: usize = MAX_ESCAPED_BYTES + MAX_FIELDS_BYTES + 4096;

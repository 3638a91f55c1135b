//! Answers as bytes, by `tiny_http`'s response writer.

use std::io;

use tiny_http::HTTPVersion;

use crate::api::error::Answer;
use crate::logs::hub::Encoding;

/// How an answer has to be written.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// The request was a `HEAD`.
    pub head_only: bool,
    /// The connection goes on after it.
    pub keep_alive: bool,
}

/// The connection ends with this answer.
pub(super) const LAST_WORDS: Manner = Manner {
    head_only: false,
    keep_alive: false,
};

/// Writes an answer with `tiny_http`'s writer.
pub(super) fn render(answer: Answer, manner: Manner) -> io::Result<Vec<u8>> {
    let length = answer.data_length().unwrap_or(0);
    let upgrade_required = answer.status_code().0 == 426;
    let mut bytes = Vec::with_capacity(length + 512);
    answer
        // The length is always known here; the chunked coding would only add to it.
        .with_chunked_threshold(usize::MAX)
        .raw_print(&mut bytes, HTTPVersion(1, 1), &[], manner.head_only, None)?;
    if upgrade_required {
        // RFC 9110, section 15.5.22. This field too tiny_http keeps to itself.
        insert_field(&mut bytes, b"Upgrade: websocket\r\n");
    }
    if !manner.keep_alive {
        // tiny_http reserves this field for itself, and has no call to set it.
        insert_field(&mut bytes, b"Connection: close\r\n");
    }
    Ok(bytes)
}

/// Writes the head of an answer whose body the hub will write.
pub(super) fn render_head(head: Answer, encoding: Encoding) -> io::Result<Vec<u8>> {
    let (upgrade, chunked) = match encoding {
        Encoding::WebSocket => (Some("websocket"), false),
        Encoding::JsonLines { chunked } | Encoding::ServerSentEvents { chunked } => (None, chunked),
    };
    let mut bytes = Vec::with_capacity(512);
    let head = head.with_data(io::empty(), None);
    head.raw_print(&mut bytes, HTTPVersion(1, 1), &[], true, upgrade)?;
    if upgrade.is_none() {
        insert_field(&mut bytes, b"Connection: close\r\n");
        if !chunked {
            // HTTP/1.0 does not know it; told to write that version, tiny_http would declare an empty body instead.
            remove_field(&mut bytes, b"Transfer-Encoding: chunked\r\n");
        }
    }
    Ok(bytes)
}

fn insert_field(bytes: &mut Vec<u8>, field: &[u8]) {
    if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        bytes.splice(end + 2..end + 2, field.iter().copied());
    }
}

fn remove_field(bytes: &mut Vec<u8>, field: &[u8]) {
    if let Some(at) = bytes.windows(field.len()).position(|part| part == field) {
        bytes.drain(at..at + field.len());
    }
}

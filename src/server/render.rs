//! Answers as bytes (RFC 9112, section 4).

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;
use tiny_http::StatusCode;

use crate::api::answer::Answer;
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

/// Writes an answer.
pub(super) fn render(answer: &Answer, manner: Manner) -> Vec<u8> {
    let mut text = head(answer, answer.body.len());
    if !manner.keep_alive {
        text.push_str(CLOSE);
    }
    // RFC 9110, section 8.6: a 204 must not tell a length.
    if answer.status != 204 {
        text.push_str("Content-Length: ");
        push_number(&mut text, answer.body.len());
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if !manner.head_only && !matches!(answer.status, 204 | 304) {
        bytes.extend_from_slice(&answer.body);
    }
    bytes
}

/// Writes the head of an answer whose body the hub will write.
pub(super) fn render_head(answer: &Answer, encoding: Encoding) -> Vec<u8> {
    let mut text = head(answer, 0);
    match encoding {
        Encoding::WebSocket => text.push_str("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        Encoding::JsonLines { chunked } | Encoding::ServerSentEvents { chunked } => {
            text.push_str(CLOSE);
            // HTTP/1.0 does not know it: there the end of the connection ends the body.
            if chunked {
                text.push_str("Transfer-Encoding: chunked\r\n");
            }
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The status line and the fields of every answer, with room for the rest and for a body of that many bytes.
fn head(answer: &Answer, body: usize) -> String {
    let mut text = String::with_capacity(LINES + answer.fields.len() + body);
    text.push_str("HTTP/1.1 ");
    push_number(&mut text, usize::from(answer.status));
    text.push(' ');
    text.push_str(StatusCode(answer.status).default_reason_phrase());
    text.push_str("\r\nDate: ");
    push_date(&mut text);
    text.push_str("\r\n");
    text.push_str(&answer.fields);
    text
}

fn push_number(text: &mut String, number: usize) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// RFC 9110, section 6.6.1. Made once a second.
fn push_date(text: &mut String) {
    thread_local! {
        static MADE: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    MADE.with_borrow_mut(|(second, date)| {
        if *second != seconds {
            // Later years have no date.
            let shown = seconds.min(LAST_SECOND);
            *date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(shown)).to_string();
            *second = seconds;
        }
        text.push_str(date);
    });
}

const CLOSE: &str = "Connection: close\r\n";

/// What the lines take, in bytes, that are not the answer's own fields.
const LINES: usize = 160;

/// 9999-12-31 23:59:59 UTC.
const LAST_SECOND: u64 = 253_402_300_799;

//! A response, and its way to bytes (RFC 9112, section 4).

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;
use tiny_http::StatusCode;

use super::framing::Framing;

/// A response. What belongs to the connection (`Date`, `Connection`, the framing) is added where it is written.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields as they are sent: lines that end with CRLF.
    pub fields: Cow<'static, str>,
    /// The body.
    pub body: Cow<'static, [u8]>,
}

impl Response {
    /// A response without a body. `fields` are whole lines that end with CRLF.
    #[must_use]
    pub const fn new(status: u16, fields: &'static str) -> Self {
        Self {
            status,
            fields: Cow::Borrowed(fields),
            body: Cow::Borrowed(&[]),
        }
    }

    /// The same response with this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same response with one header field more. What may not stand in a field becomes a question mark.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: &str) -> Self {
        let fields = self.fields.to_mut();
        fields.extend([name, ": "]);
        fields.extend(value.chars().map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        }));
        fields.push_str("\r\n");
        self
    }
}

/// How a response has to be written.
#[derive(Clone, Copy)]
pub struct WriteOptions {
    /// The request was a `HEAD`.
    pub head_only: bool,
    /// The connection goes on after it.
    pub keep_alive: bool,
}

/// The connection ends with this response.
pub const CLOSING: WriteOptions = WriteOptions {
    head_only: false,
    keep_alive: false,
};

/// Writes a response.
#[must_use]
pub fn render(response: &Response, options: WriteOptions) -> Vec<u8> {
    let mut text = head(response, response.body.len());
    if !options.keep_alive {
        text.push_str(CLOSE);
    }
    // RFC 9110, section 8.6: a 204 must not tell a length.
    if response.status != 204 {
        text.push_str("Content-Length: ");
        push_number(&mut text, response.body.len());
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if !options.head_only && !matches!(response.status, 204 | 304) {
        bytes.extend_from_slice(&response.body);
    }
    bytes
}

/// Writes the head of a response with which the connection becomes a WebSocket (RFC 6455, section 4.2.2).
#[must_use]
pub fn render_upgrade(response: &Response) -> Vec<u8> {
    let mut text = head(response, 0);
    text.push_str("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    text.into_bytes()
}

/// Writes the head of a response whose body goes on for as long as the connection, in chunks or as it is.
#[must_use]
pub fn render_head(response: &Response, framing: Framing) -> Vec<u8> {
    let mut text = head(response, 0);
    text.push_str(CLOSE);
    if framing == Framing::Chunked {
        text.push_str("Transfer-Encoding: chunked\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The status line and the fields of every response, with room for the rest and for a body of that many bytes.
fn head(response: &Response, body: usize) -> String {
    let mut text = String::with_capacity(LINES + response.fields.len() + body);
    text.push_str("HTTP/1.1 ");
    push_number(&mut text, usize::from(response.status));
    text.push(' ');
    text.push_str(StatusCode(response.status).default_reason_phrase());
    text.push_str("\r\nDate: ");
    push_date(&mut text);
    text.push_str("\r\n");
    text.push_str(&response.fields);
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

/// What the lines take, in bytes, that are not the response's own fields.
const LINES: usize = 160;

/// 9999-12-31 23:59:59 UTC.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests;

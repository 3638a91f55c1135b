//! An answer as the handlers make it, whichever connection it goes out by.

use std::borrow::Cow;

use serde::Serialize;

/// An answer. What belongs to the connection (`Date`, `Connection`, the framing) is added where it is written.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields as they are sent: lines that end with CRLF.
    pub fields: Cow<'static, str>,
    /// The body.
    pub body: Cow<'static, [u8]>,
}

impl Answer {
    /// An answer without a body. `fields` are whole lines that end with CRLF.
    #[must_use]
    pub const fn new(status: u16, fields: &'static str) -> Self {
        Self {
            status,
            fields: Cow::Borrowed(fields),
            body: Cow::Borrowed(&[]),
        }
    }

    /// The same answer with this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same answer with one header field more. What may not stand in a field becomes a question mark.
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

/// A JSON answer.
///
/// # Panics
/// If `body` has no form in JSON; everything that is answered has.
#[must_use]
pub fn json_answer(status: u16, body: &impl Serialize) -> Answer {
    let mut text = Vec::with_capacity(USUAL_BODY);
    serde_json::to_writer(&mut text, body)
        .expect("all that we answer is JSON, and memory takes it");
    // The line end is for people: curl prints the answer just before the shell's prompt.
    text.push(b'\n');
    Answer::new(status, JSON).with_body(text)
}

/// A success, and the `data` that was asked for.
#[must_use]
pub fn success_answer(data: &impl Serialize) -> Answer {
    #[derive(Serialize)]
    struct Success<'a, T> {
        status: &'static str,
        data: &'a T,
    }
    let status = "success";
    json_answer(200, &Success { status, data })
}

/// A success whose `data` is a list of what is JSON already; parsing it to write it again would only cost. Beside it what
/// is in the object `more`, if that is one.
pub fn json_lines_answer<T: AsRef<str>>(
    entries: impl Iterator<Item = T>,
    more: &serde_json::Value,
) -> Answer {
    let mut body = String::from("{\"status\":\"success\",\"data\":[");
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(entry.as_ref());
    }
    body.push(']');
    match more.to_string().strip_prefix('{') {
        Some(more) => body.extend([",", more, "\n"]),
        None => body.push_str("}\n"),
    }
    Answer::new(200, JSON).with_body(body.into_bytes())
}

/// A text of some other type.
#[must_use]
pub fn text_answer(status: u16, content_type: &str, body: String) -> Answer {
    Answer::new(status, COMMON)
        .with_field("Content-Type", content_type)
        .with_body(body.into_bytes())
}

/// What most answers fit in, in bytes.
const USUAL_BODY: usize = 256;

macro_rules! common {
    () => {
        "Server: postern\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    };
}

/// The fields that an answer carries unless it has a reason not to.
pub const COMMON: &str = common!();

const JSON: &str = concat!(
    "Content-Type: application/json; charset=utf-8\r\n",
    common!()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_field() {
        let answer = Answer::new(200, COMMON).with_field("Allow", "GET\r\nX: y\0\u{e9}");
        assert_eq!(
            answer.fields.strip_prefix(COMMON),
            Some("Allow: GET??X: y??\r\n")
        );
    }
}

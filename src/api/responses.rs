//! Responses as the handlers make them.

use serde::Serialize;

use crate::http::response::Response;

/// A JSON response.
///
/// # Panics
/// If `body` has no form in JSON; everything that is answered has.
#[must_use]
pub fn json_response(status: u16, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(USUAL_BODY);
    serde_json::to_writer(&mut text, body)
        .expect("all that we answer is JSON, and memory takes it");
    // The line end is for people: curl prints the answer just before the shell's prompt.
    text.push(b'\n');
    Response::new(status, JSON).with_body(text)
}

/// A success, and the `data` that was asked for.
#[must_use]
pub fn success_response(data: &impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Success<'a, T> {
        status: &'static str,
        data: &'a T,
    }
    let status = "success";
    json_response(200, &Success { status, data })
}

/// A success whose `data` is a list of what is JSON already; parsing it to write it again would only cost. Beside it what
/// is in the object `more`, if that is one.
pub fn json_lines_response<T: AsRef<str>>(
    entries: impl Iterator<Item = T>,
    more: &serde_json::Value,
) -> Response {
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
    Response::new(200, JSON).with_body(body.into_bytes())
}

/// A text of some other type.
#[must_use]
pub fn text_response(status: u16, content_type: &str, body: String) -> Response {
    Response::new(status, COMMON)
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

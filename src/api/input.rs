//! What handlers take from a request: a JSON object, numbers, a path's segment; or the refusal in words.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::http::request::{Request, RequestTarget};
use crate::json;

/// The body as a JSON object. Whatever `Content-Type` says: `curl -d` sends the wrong one.
///
/// # Errors
/// [`ApiError::BadRequest`], naming where the text stops being JSON.
pub fn json_object(request: &Request) -> Result<Members, ApiError> {
    if request.body.is_empty() {
        return Err(ApiError::BadRequest(
            "the request needs a body, a JSON object".into(),
        ));
    }
    match json::parse(&request.body) {
        Ok(Value::Object(members)) => Ok(Members(members)),
        Ok(_) => Err(ApiError::BadRequest(
            "the body must be a JSON object".into(),
        )),
        Err(error) if error.is_data() => Err(ApiError::BadRequest(format!(
            "the body gives a member twice: line {}, column {}",
            error.line(),
            error.column()
        ))),
        // Only the place: the library's own words may quote what it found there, and that may be a password.
        Err(error) => Err(ApiError::BadRequest(format!(
            "the body is not valid JSON: line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// The members of a request's JSON object. No `Debug`: some are passwords.
pub struct Members(Map<String, Value>);

impl Members {
    /// Whether the member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// A member that must be there and be a string.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`], naming the member.
    pub fn string(&self, name: &str) -> Result<&str, ApiError> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(ApiError::BadRequest(format!("'{name}' must be a string"))),
            None => Err(ApiError::BadRequest(format!("'{name}' is missing"))),
        }
    }
}

/// A query parameter that must be a whole number if it is there.
///
/// # Errors
/// [`ApiError::BadRequest`], naming the parameter.
pub fn query_number(target: &RequestTarget, name: &str) -> Result<Option<u64>, ApiError> {
    match target.query(name) {
        None => Ok(None),
        Some(text) => whole_number(name, &text).map(Some),
    }
}

/// The value of the query parameter `name` as a whole number.
///
/// # Errors
/// [`ApiError::BadRequest`], naming the parameter.
pub fn whole_number(name: &str, text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let below = if digits { " below 2^64" } else { "" };
        ApiError::BadRequest(format!("'{name}' must be a whole number{below}"))
    })
}

/// Decodes one path segment, a route's parameter.
#[must_use]
pub fn decode_segment(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

//! A request as the handlers see it, whichever listener it came through.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tiny_http::Method;

use super::error::ApiError;
use crate::journal::ClientKey;
use crate::json;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client of the TLS listener: the address its limits are counted under.
    Network(ClientKey),
    /// Whoever may open the local socket: the administrator, without limits.
    Local,
}

/// A request, whole.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: Target,
    /// The authority the client believes to talk to, in lower case.
    pub host: Option<String>,
    /// The header fields.
    pub fields: Fields,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
    /// Who sent it.
    pub peer: Peer,
    /// Whether it came by HTTP/1.0, which has no chunked coding.
    pub http_1_0: bool,
}

impl Request {
    /// The first value of a header field.
    #[must_use]
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// All values of a header field.
    #[must_use]
    pub fn header_values(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &str> {
        self.fields.values(name)
    }

    /// Whether a comma-separated header field holds this word.
    #[must_use]
    pub fn header_has(&self, name: &'static str, word: &str) -> bool {
        self.header_values(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    }

    /// The body as a JSON object. Whatever `Content-Type` says: `curl -d` sends the wrong one.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`], naming where the text stops being JSON.
    pub fn json(&self) -> Result<Members, ApiError> {
        if self.body.is_empty() {
            return Err(ApiError::BadRequest(
                "the request needs a body, a JSON object".into(),
            ));
        }
        match json::parse(&self.body) {
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
}

/// The header fields of a request, in the order they came: parts of its head. No `Debug`: some are credentials.
pub struct Fields {
    /// ASCII.
    head: String,
    /// Of each field its name and its value.
    parts: Vec<(Range<u16>, Range<u16>)>,
}

impl Fields {
    /// None yet, of this head. What is beyond its first 64 KiB is no field's.
    #[must_use]
    pub fn of(head: String) -> Self {
        Self {
            head,
            parts: Vec::with_capacity(USUAL_FIELDS),
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds one, by where in the head its name and its value stand.
    pub fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        let short = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        let part = |part: Range<usize>| short(part.start)..short(part.end);
        self.parts.push((part(name), part(value)));
    }

    /// A part of the head; nothing where there is none.
    #[must_use]
    pub fn part(&self, place: Range<usize>) -> &str {
        self.head.get(place).unwrap_or_default()
    }

    /// The values of the fields with this name.
    fn values(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &str> {
        let text = |part: &Range<u16>| self.part(usize::from(part.start)..usize::from(part.end));
        self.parts
            .iter()
            .filter(move |(called, _)| {
                called.len() == name.len() && text(called).eq_ignore_ascii_case(name)
            })
            .map(move |(_, value)| text(value))
    }
}

/// What it is for. Not its fields and body: there are credentials in them.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
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

/// The path and the query of a request.
#[derive(Clone)]
pub struct Target {
    path: String,
    query: String,
}

impl Target {
    /// From the origin form: `/path?query`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
        }
    }

    /// The path as it was sent, nothing decoded. Routes are matched on this alone.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Path and query as they were sent.
    #[cfg(test)]
    pub(crate) fn spelling(&self) -> String {
        match &*self.query {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// The query parameters, name and value, decoded.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }

    /// The first value of a query parameter, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        self.parameters()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A query parameter that must be a whole number if it is there.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`], naming the parameter.
    pub fn query_number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.query(name) {
            None => Ok(None),
            Some(text) => whole_number(name, &text).map(Some),
        }
    }

    /// Whether any way of reading this path leads below `/api`: decoded once or twice, with dots resolved and empty
    /// segments dropped. Such a path never gets an answer without a credential unless it is an open route, spelt exactly.
    #[must_use]
    pub fn may_mean_api(&self) -> bool {
        let once = percent_decode_str(&self.path).decode_utf8_lossy();
        let twice = percent_decode_str(&once).decode_utf8_lossy();
        [self.path.as_str(), &once, &twice].into_iter().any(|path| {
            let path = path.replace('\\', "/").to_ascii_lowercase();
            // Any segment will do: what `..` makes of the ones before it differs between readers.
            path.split('/').any(|segment| segment == "api")
        })
    }
}

/// The path alone: a query may hold a ticket.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.path).finish()
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

/// Room for what most clients send; a browser sends twice as many.
const USUAL_FIELDS: usize = 8;

//! A request, whichever listener it came through.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tiny_http::Method;

use super::field::Fields;
use crate::ids::ClientKey;

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
    pub target: RequestTarget,
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

/// The path and the query of a request.
#[derive(Clone)]
pub struct RequestTarget {
    path: String,
    query: String,
}

impl RequestTarget {
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

    /// Whether any way of reading this path leads below `/api`: decoded once or twice, with dots resolved and empty
    /// segments dropped. Such a path never gets a response without a credential unless it is an open route, spelt exactly.
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
impl std::fmt::Debug for RequestTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.path).finish()
    }
}

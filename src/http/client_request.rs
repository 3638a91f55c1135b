//! The one writer of requests, for whatever in postern asks a server: `postern logs`, the commands on the board, and the
//! update check.

use zeroize::Zeroizing;

/// A request to be sent. Each has a connection of its own.
#[derive(Clone, Copy)]
pub struct ClientRequest<'a> {
    /// `GET`, say.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The authority that is asked.
    pub host: &'a str,
    /// Further header fields: name and value.
    pub fields: &'a [(&'a str, &'a str)],
    /// May be a secret, and so may a field.
    pub body: &'a [u8],
}

/// A part of the request would have become a line of its own, or another part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be written as an HTTP request")]
pub struct UnwritableRequest;

impl ClientRequest<'_> {
    /// The bytes to send; they are wiped when they are dropped.
    ///
    /// # Errors
    /// A part of the head holds a control character, such as CR or LF; or a blank, where that would end the part.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, UnwritableRequest> {
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
        let is_field =
            |(name, value): &(&str, &str)| is_word(name) && !value.contains(char::is_control);
        if ![self.method, self.target, self.host]
            .into_iter()
            .all(is_word)
            || !self.fields.iter().all(is_field)
        {
            return Err(UnwritableRequest);
        }
        let length = self.body.len().to_string();
        let (method, target, host) = (self.method, self.target, self.host);
        let mut parts = vec![method, " ", target, " HTTP/1.1\r\nHost: ", host, USER_AGENT];
        for (name, value) in self.fields {
            parts.extend([*name, ": ", *value, "\r\n"]);
        }
        if method == "POST" || !self.body.is_empty() {
            parts.extend(["Content-Length: ", &length, "\r\n"]);
        }
        parts.push("\r\n");
        // Room for all of it: a buffer that grows leaves copies of the secret behind.
        let room = parts.iter().map(|part| part.len()).sum::<usize>() + self.body.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(self.body);
        Ok(bytes)
    }
}

/// What stands in every request behind the host.
const USER_AGENT: &str = concat!(
    "\r\nUser-Agent: postern/",
    env!("CARGO_PKG_VERSION"),
    "\r\nConnection: close\r\n"
);

#[cfg(test)]
mod tests;

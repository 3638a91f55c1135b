//! An HTTPS URL that is safe to request, show and link to. Nothing in it can hide where it leads, or break out of
//! a page, a log line or a request.

use std::fmt;

/// An `https` URL: printable ASCII without quotes, brackets or a user before the host; at most [`MAX_URL`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsUrl(String);

impl HttpsUrl {
    /// Takes a URL that is one.
    ///
    /// # Errors
    /// What is wrong with it, without showing it: it may hold a secret.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .get(..SCHEME.len())
            .filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
            .map(|scheme| &text[scheme.len()..])
            .ok_or("is not an https:// URL")?;
        if text.len() > MAX_URL {
            return Err("is longer than 2048 bytes");
        }
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&b);
        if !text.bytes().all(plain) {
            return Err("holds a character that a URL cannot have");
        }
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if authority.contains('@') {
            return Err("holds a user name or a password, which would show wherever the URL shows");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, "443"),
        };
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        if !is_host(host) || !digits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err("has no host, or a port that does not exist");
        }
        Ok(Self(format!("{SCHEME}{rest}")))
    }

    /// All of it. What stands behind a `?` may be a secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL with this added to its path, before the query.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let (path, rest) = self.0.split_at(self.path_end());
        // A bare host has the path `/`: the suffix must not become a part of the name.
        let slash = if path[SCHEME.len()..].contains('/') {
            ""
        } else {
            "/"
        };
        Self([path, slash, suffix, rest].concat())
    }

    fn path_end(&self) -> usize {
        self.0.find(['?', '#']).unwrap_or(self.0.len())
    }
}

/// For whoever asks there.
#[cfg(feature = "updates")]
impl HttpsUrl {
    /// `host` or `host:port`, as a request names it.
    pub(crate) fn authority(&self) -> &str {
        let rest = &self.0[SCHEME.len()..];
        &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
    }

    /// The host, an IPv6 one without its brackets, and the port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let (host, port) = match self.authority().rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(443)),
            _ => (self.authority(), 443),
        };
        (host.trim_matches(['[', ']']), port)
    }

    /// Path and query, as a request names them.
    pub(crate) fn target(&self) -> String {
        let rest = &self.0[SCHEME.len() + self.authority().len()..];
        let rest = &rest[..rest.find('#').unwrap_or(rest.len())];
        let slash = if rest.starts_with('/') { "" } else { "/" };
        [slash, rest].concat()
    }

    /// Where a redirect from here leads: a whole URL, or a path that begins with a slash. `None`: nowhere that is
    /// HTTPS.
    pub(crate) fn redirected(&self, to: &str) -> Option<Self> {
        let to = match to.strip_prefix('/') {
            Some(rest) if rest.starts_with('/') => ["https:", to].concat(),
            Some(_) => [SCHEME, self.authority(), to].concat(),
            None => to.to_owned(),
        };
        Self::parse(&to).ok()
    }
}

/// Whether a URL or an origin may have this host: a name, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// Without the query: a secret of whoever serves it often stands there.
impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0[..self.path_end()])
    }
}

/// As it is displayed.
impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const SCHEME: &str = "https://";

/// What browsers and servers take without complaint.
const MAX_URL: usize = 2048;

#[cfg(test)]
mod tests;

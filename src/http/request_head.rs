//! From bytes to a request head that can only be valid (RFC 9112). What two readers could understand differently is
//! refused here, so nothing behind this file has to think about request smuggling.

use std::net::Ipv6Addr;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};
use tiny_http::Method;

use super::field::{Fields, split_token};
use super::framing::{Framing, FramingFields, OnceField, words};
use super::head_error::HeadError;
use super::request::{Peer, Request, RequestTarget};

/// A request's head, and how its body is framed.
#[derive(Debug)]
pub struct RequestHead {
    /// The request, its body still empty.
    pub request: Request,
    /// How long the body is.
    pub body: Framing,
    /// Whether the client wants to go on using the connection (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
}

/// Looks for the end of a head in a buffer that grows, reading each byte once.
#[derive(Debug, Default)]
pub struct HeadReader {
    scanned: usize,
    line_start: usize,
    request_line: Option<RequestLine>,
}

impl HeadReader {
    /// Returns the head and its length once `buffer` holds all of it, `None` while it does not.
    ///
    /// # Errors
    /// As soon as the bytes so far can no longer become a valid head.
    pub fn read(
        &mut self,
        buffer: &[u8],
        peer: Peer,
    ) -> Result<Option<(RequestHead, usize)>, HeadError> {
        let Some(length) = self.find_end(buffer)? else {
            return Ok(None);
        };
        let Some(line) = self.request_line.take() else {
            return Ok(None);
        };
        parse(&buffer[..length], line, peer).map(|head| Some((head, length)))
    }

    fn find_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, HeadError> {
        let within = &buffer[..buffer.len().min(MAX_HEAD)];
        while let Some(&byte) = within.get(self.scanned) {
            let follows_return = self.scanned > 0 && within[self.scanned - 1] == b'\r';
            match byte {
                b'\n' if follows_return => {
                    let start = self.line_start;
                    let line = &within[start..self.scanned - 1];
                    self.line_start = self.scanned + 1;
                    self.scanned += 1;
                    if self.request_line.is_some() {
                        if line.is_empty() {
                            return Ok(Some(self.scanned));
                        }
                    } else if !line.is_empty() {
                        // Checked at once: an HTTP/0.9 client sends nothing after this line.
                        self.request_line = Some(RequestLine::parse(line, start)?);
                    } else if self.scanned > 2 {
                        // One empty line before the request is forgiven (RFC 9112, section 2.2).
                        return Err(HeadError::Malformed("the request line is missing"));
                    }
                }
                b'\n' => {
                    return Err(HeadError::Malformed(
                        "a line ends without a carriage return",
                    ));
                }
                _ if follows_return => {
                    return Err(HeadError::Malformed("a carriage return stands alone"));
                }
                0 => return Err(HeadError::Malformed("the request head holds a NUL byte")),
                b'\r' => self.scanned += 1,
                // On to the next of those that matter.
                _ => {
                    let rest = &within[self.scanned..];
                    self.scanned += memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
                }
            }
        }
        if self.scanned >= MAX_HEAD {
            return Err(self.too_large());
        }
        Ok(None)
    }

    /// RFC 9112, section 3, wants to be told which part it is.
    const fn too_large(&self) -> HeadError {
        if self.request_line.is_some() {
            HeadError::TooLarge
        } else {
            HeadError::TargetTooLong
        }
    }
}

/// RFC 9112, section 3: `method SP target SP version`.
#[derive(Debug)]
struct RequestLine {
    method: Method,
    /// Where in the head it stands. It is all visible ASCII.
    target: Range<usize>,
    http_1_0: bool,
    /// Behind its CRLF.
    end: usize,
}

impl RequestLine {
    /// The line begins at `start` of the head.
    fn parse(line: &[u8], start: usize) -> Result<Self, HeadError> {
        const SHAPE: HeadError =
            HeadError::Malformed("the request line is not `method target version`");
        let mut spaces = memchr_iter(b' ', line);
        let (Some(first), Some(second), None) = (spaces.next(), spaces.next(), spaces.next())
        else {
            return Err(SHAPE);
        };
        let method = &line[..first];
        let http_1_0 = match &line[second + 1..] {
            b"HTTP/1.0" => true,
            // RFC 9110, section 2.5: a later minor version is read as the one that is known.
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => false,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(HeadError::Version);
            }
            _ => return Err(SHAPE),
        };
        let is_token = !method.is_empty() && split_token(method).1.is_empty();
        let method = std::str::from_utf8(method)
            .ok()
            .filter(|_| is_token)
            .and_then(|method| method.parse().ok())
            .ok_or(HeadError::Malformed("the method is malformed"))?;
        if !line[first + 1..second].iter().all(u8::is_ascii_graphic) {
            return Err(TARGET);
        }
        Ok(Self {
            method,
            target: start + first + 1..start + second,
            http_1_0,
            end: start + line.len() + 2,
        })
    }
}

/// `bytes` are a whole head: each line of it ends with CRLF, and neither stands anywhere else.
fn parse(bytes: &[u8], line: RequestLine, peer: Peer) -> Result<RequestHead, HeadError> {
    let RequestLine {
        method,
        target,
        http_1_0,
        end,
    } = line;
    let mut decisive = FramingHeaders::default();
    let mut fields = Fields::of(bytes);
    let mut start = end;
    // Up to the empty line.
    while let Some(length) = memchr(b'\r', &bytes[start..])
        && length > 0
    {
        if fields.len() == MAX_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        let line = &bytes[start..start + length];
        let (name, value) = fields.read(line, start).map_err(HeadError::of_field)?;
        decisive.take(name, value)?;
        start += length + 2;
    }
    let (target, authority) = split_target(&method, fields.part(target))?;
    let host = decisive.host(http_1_0)?;
    let body = decisive.framing.of(http_1_0)?;
    let body = body.unwrap_or(Framing::Length(0));
    let request = Request {
        method,
        target,
        host: authority.or(host),
        fields,
        body: Vec::new(),
        peer,
        http_1_0,
    };
    Ok(RequestHead {
        body,
        keep_alive: !http_1_0 && !decisive.close,
        expects_continue: decisive.expects_continue && !http_1_0,
        request,
    })
}

/// The header fields that decide where a request ends and whom it is for, gathered before anything is believed.
#[derive(Default)]
struct FramingHeaders<'a> {
    host: OnceField<'a>,
    framing: FramingFields<'a>,
    close: bool,
    expects_continue: bool,
}

impl<'a> FramingHeaders<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), HeadError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if self.framing.take(name, value) {
            return Ok(());
        }
        if is("Host") {
            self.host.take(value);
        } else if is("Connection") {
            self.close |= words(value).any(|word| word.eq_ignore_ascii_case(b"close"));
        } else if is("Expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(HeadError::Expectation);
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    /// RFC 9112, section 3.2: exactly one in HTTP/1.1, at most one in HTTP/1.0.
    fn host(&self, http_1_0: bool) -> Result<Option<String>, HeadError> {
        match self.host {
            OnceField::Never if http_1_0 => Ok(None),
            OnceField::Never => Err(HeadError::Malformed("the Host header is missing")),
            OnceField::Once(host) => valid_authority(host)
                .map(Some)
                .ok_or(HeadError::Malformed("the Host header is malformed")),
            OnceField::Again => Err(HeadError::Malformed("the Host header is given twice")),
        }
    }
}

/// Origin form; absolute form, whose authority then takes the place of `Host`; or `*`, the server as a whole (RFC 9112,
/// section 3.2).
fn split_target(
    method: &Method,
    target: &str,
) -> Result<(RequestTarget, Option<String>), HeadError> {
    if *method == Method::Connect {
        return match valid_authority(target.as_bytes()) {
            Some(authority) if has_port(&authority) => Err(HeadError::Connect),
            _ => Err(TARGET),
        };
    }
    let options = *method == Method::Options;
    if target == "*" && options {
        return Ok((RequestTarget::parse(target), None));
    }
    if target.starts_with('/') {
        return Ok((valid_target(target)?, None));
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| {
            let head = target.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme)
                .then(|| &target[scheme.len()..])
        })
        .ok_or(TARGET)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = valid_authority(authority.as_bytes()).ok_or(TARGET)?;
    let target = match path {
        // Section 3.2.4: so a client asks a proxy for what is `*` here.
        "" if options => RequestTarget::parse("*"),
        "" => RequestTarget::parse("/"),
        path if path.starts_with('?') => valid_target(&format!("/{path}"))?,
        path => valid_target(path)?,
    };
    Ok((target, Some(authority)))
}

/// Path and query as RFC 3986 has them, and what browsers and curl send besides: `[]^|` anywhere, and in a query any
/// visible character, a percent sign by itself too.
fn valid_target(text: &str) -> Result<RequestTarget, HeadError> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let clean = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%[]^|".contains(&byte));
    let queried = query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if clean && queried && escapes_are_whole(path.as_bytes()) {
        Ok(RequestTarget::parse(text))
    } else {
        Err(TARGET)
    }
}

/// Whether two hexadecimal digits follow on each percent sign.
fn escapes_are_whole(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'%');
    parts.next();
    parts.all(|part| matches!(part, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

/// `host`, `host:port` or `[v6]:port` (RFC 3986, section 3.2); no user, no list, no path. A link-local address may name its
/// interface (RFC 6874).
fn valid_authority(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let (host, port) = match value.rfind(':') {
        Some(colon) if !value.ends_with(']') => (&value[..colon], &value[colon + 1..]),
        _ => (value, ""),
    };
    let is_name = |text: &str| {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~%".contains(&byte);
        !text.is_empty() && text.bytes().all(named)
    };
    let good = match host.strip_prefix('[') {
        Some(literal) => {
            let literal = literal.strip_suffix(']')?;
            let (address, zone) = literal.split_once('%').unwrap_or((literal, "-"));
            address.parse::<Ipv6Addr>().is_ok() && is_name(zone)
        }
        None => is_name(host) && escapes_are_whole(host.as_bytes()),
    };
    let numbered = port.is_empty()
        || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    (value.len() <= MAX_AUTHORITY && good && numbered).then(|| value.to_ascii_lowercase())
}

fn has_port(authority: &str) -> bool {
    authority
        .rsplit(':')
        .next()
        .is_some_and(|port| authority.len() > port.len() && port.parse::<u16>().is_ok())
}

const TARGET: HeadError = HeadError::Malformed("the request target is malformed");

/// A head larger than this is 431. Tokens and cookies of the usual sort fit twice.
pub const MAX_HEAD: usize = 8 * 1024;

/// Browsers send some twenty fields.
const MAX_FIELDS: usize = 64;

/// A DNS name has 253 characters; a port and brackets come on top.
const MAX_AUTHORITY: usize = 272;

#[cfg(test)]
mod tests;

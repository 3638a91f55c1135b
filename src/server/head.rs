//! From bytes to a request head that can only be valid (RFC 9112). What two readers could understand differently is
//! refused here, so nothing behind this file has to think about request smuggling.

use tiny_http::{Header, Method};

use crate::api::request::{Peer, Request, Target};

/// A request's head, and how its body is framed.
#[derive(Debug)]
pub struct Head {
    /// The request, its body still empty.
    pub request: Request,
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the client wants to go on using the connection (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
}

/// The framing of a request's body (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// That many bytes; zero without a body.
    Exactly(u64),
    /// The chunked coding.
    Chunked,
}

/// Why a head is refused. After any of these the connection is closed: where its next request would begin is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// 431.
    #[error("the request head is larger than 8 KiB")]
    TooLarge,
    /// 431.
    #[error("the request has more than 64 header fields")]
    TooManyFields,
    /// 505.
    #[error("this server speaks HTTP/1.1")]
    Version,
    /// 501.
    #[error("the only transfer coding understood is chunked")]
    TransferCoding,
    /// 417.
    #[error("the only expectation understood is 100-continue")]
    Expectation,
    /// 400.
    #[error("{0}")]
    Malformed(&'static str),
}

impl HeadError {
    /// The status code that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            Self::TransferCoding => 501,
            Self::Expectation => 417,
            Self::Malformed(_) => 400,
        }
    }
}

/// Looks for the end of a head in a buffer that grows, reading each byte once.
#[derive(Debug, Default)]
pub struct HeadReader {
    scanned: usize,
    line_start: usize,
    first_line_seen: bool,
}

impl HeadReader {
    /// Returns the head and its length once `buffer` holds all of it, `None` while it does not.
    ///
    /// # Errors
    /// As soon as the bytes so far can no longer become a valid head.
    pub fn read(&mut self, buffer: &[u8], peer: Peer) -> Result<Option<(Head, usize)>, HeadError> {
        let Some(length) = self.find_end(buffer)? else {
            return Ok(None);
        };
        parse(&buffer[..length], peer).map(|head| Some((head, length)))
    }

    fn find_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(&byte) = buffer.get(self.scanned) {
            if self.scanned >= MAX_HEAD {
                return Err(HeadError::TooLarge);
            }
            match byte {
                b'\n' => {
                    if self.scanned == 0 || buffer[self.scanned - 1] != b'\r' {
                        return Err(HeadError::Malformed(
                            "a line ends without a carriage return",
                        ));
                    }
                    let line = &buffer[self.line_start..self.scanned - 1];
                    self.line_start = self.scanned + 1;
                    self.scanned += 1;
                    if self.first_line_seen {
                        if line.is_empty() {
                            return Ok(Some(self.scanned));
                        }
                    } else if !line.is_empty() {
                        // Checked at once: an HTTP/0.9 client sends nothing after this line.
                        check_request_line(line)?;
                        self.first_line_seen = true;
                    } else if self.scanned > 2 {
                        // One empty line before the request is forgiven (RFC 9112, section 2.2).
                        return Err(HeadError::Malformed("the request line is missing"));
                    }
                }
                _ if self.scanned > 0 && buffer[self.scanned - 1] == b'\r' => {
                    return Err(HeadError::Malformed("a carriage return stands alone"));
                }
                0 => return Err(HeadError::Malformed("the request head holds a NUL byte")),
                _ => self.scanned += 1,
            }
        }
        if self.scanned >= MAX_HEAD {
            return Err(HeadError::TooLarge);
        }
        Ok(None)
    }
}

fn check_request_line(line: &[u8]) -> Result<(), HeadError> {
    const SHAPE: HeadError =
        HeadError::Malformed("the request line is not `method target version`");
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(_), Some(_), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(SHAPE);
    };
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(HeadError::Version)
        }
        _ => Err(SHAPE),
    }
}

fn parse(bytes: &[u8], peer: Peer) -> Result<Head, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => {
            return Err(HeadError::Malformed("the request head is cut short"));
        }
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
        Err(httparse::Error::HeaderName) => {
            return Err(HeadError::Malformed("a header field's name is malformed"));
        }
        Err(httparse::Error::HeaderValue) => {
            return Err(HeadError::Malformed("a header field's value is malformed"));
        }
        Err(_) => return Err(HeadError::Malformed("the request line is malformed")),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(HeadError::Malformed("the request line is malformed"));
    };
    let http_1_0 = version == 0;
    let framing = Framing::of(parsed.headers, http_1_0)?;
    let (target, authority) = split_target(target)?;
    let host = framing.host(http_1_0)?;
    let request = Request {
        method: parse_method(method)?,
        target,
        host: authority.or(host),
        headers: parsed
            .headers
            .iter()
            .filter_map(|field| Header::from_bytes(field.name, in_ascii(field.value)).ok())
            .collect(),
        body: Vec::new(),
        peer,
        http_1_0,
    };
    Ok(Head {
        body: framing.body()?,
        keep_alive: !http_1_0 && !framing.close,
        expects_continue: framing.expects_continue && !http_1_0,
        request,
    })
}

/// `tiny_http`'s vocabulary holds ASCII alone. What is not becomes a question mark, which no handler takes for anything; the
/// field itself stays, since a proxy's part of it may be good.
fn in_ascii(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .map(|&byte| if byte.is_ascii() { byte } else { b'?' })
        .collect()
}

fn parse_method(method: &str) -> Result<Method, HeadError> {
    method
        .parse()
        .map_err(|()| HeadError::Malformed("the method is malformed"))
}

/// The header fields that decide where a request ends and whom it is for, gathered before anything is believed.
#[derive(Default)]
struct Framing<'a> {
    hosts: Vec<&'a [u8]>,
    lengths: Vec<&'a [u8]>,
    codings: Vec<&'a [u8]>,
    close: bool,
    expects_continue: bool,
    http_1_0: bool,
}

impl<'a> Framing<'a> {
    fn of(fields: &[httparse::Header<'a>], http_1_0: bool) -> Result<Self, HeadError> {
        let mut framing = Self {
            http_1_0,
            ..Self::default()
        };
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("Host") {
                framing.hosts.push(field.value);
            } else if is("Content-Length") {
                framing.lengths.push(field.value);
            } else if is("Transfer-Encoding") {
                framing.codings.push(field.value);
            } else if is("Connection") {
                framing.close |= field
                    .value
                    .split(|&byte| byte == b',')
                    .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
            } else if is("Expect") {
                if !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::Expectation);
                }
                framing.expects_continue = true;
            }
        }
        Ok(framing)
    }

    /// RFC 9112, section 3.2: exactly one in HTTP/1.1, at most one in HTTP/1.0.
    fn host(&self, http_1_0: bool) -> Result<Option<String>, HeadError> {
        match self.hosts[..] {
            [] if http_1_0 => Ok(None),
            [] => Err(HeadError::Malformed("the Host header is missing")),
            [host] => valid_authority(host)
                .map(Some)
                .ok_or(HeadError::Malformed("the Host header is malformed")),
            _ => Err(HeadError::Malformed("the Host header is given twice")),
        }
    }

    fn body(&self) -> Result<BodyLength, HeadError> {
        match (&self.lengths[..], &self.codings[..]) {
            ([], []) => Ok(BodyLength::Exactly(0)),
            ([length], []) => parse_length(length).map(BodyLength::Exactly),
            ([_, _, ..], []) => Err(HeadError::Malformed("Content-Length is given twice")),
            ([_, ..], [_, ..]) => Err(HeadError::Malformed(
                "Content-Length and Transfer-Encoding exclude each other",
            )),
            ([], _) if self.http_1_0 => {
                Err(HeadError::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
            ([], _) => Err(HeadError::TransferCoding),
        }
    }
}

fn parse_length(value: &[u8]) -> Result<u64, HeadError> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)
        .and_then(|text| text.parse().ok())
        .ok_or(HeadError::Malformed("Content-Length is not a number"))
}

/// Origin form, or absolute form, whose authority then takes the place of `Host` (RFC 9112, section 3.2.2).
fn split_target(target: &str) -> Result<(Target, Option<String>), HeadError> {
    const MALFORMED: HeadError = HeadError::Malformed("the request target is malformed");
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
        return Err(MALFORMED);
    }
    if target.starts_with('/') || target == "*" {
        return Ok((Target::parse(target), None));
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| {
            let head = target.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme)
                .then(|| &target[scheme.len()..])
        })
        .ok_or(MALFORMED)?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(end) if rest.as_bytes()[end] == b'/' => rest.split_at(end),
        Some(_) => return Err(MALFORMED),
        None => (rest, "/"),
    };
    let authority = valid_authority(authority.as_bytes()).ok_or(MALFORMED)?;
    Ok((Target::parse(path), Some(authority)))
}

/// `host`, `host:port` or `[v6]:port`; no user, no list, no path.
fn valid_authority(value: &[u8]) -> Option<String> {
    let fits = (1..=MAX_AUTHORITY).contains(&value.len());
    let clean = value
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-_~%[]:".contains(byte));
    (fits && clean).then(|| String::from_utf8_lossy(value).to_ascii_lowercase())
}

/// A head larger than this is 431. Tokens and cookies of the usual sort fit twice.
pub const MAX_HEAD: usize = 8 * 1024;

/// Browsers send some twenty fields.
const MAX_FIELDS: usize = 64;

/// A DNS name has 253 characters; a port and brackets come on top.
const MAX_AUTHORITY: usize = 272;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
        HeadReader::default().read(bytes, Peer::Local)
    }

    fn good(text: &str) -> Head {
        let (head, length) = read(text.as_bytes()).expect("valid").expect("complete");
        assert_eq!(length, text.len());
        head
    }

    fn status(text: &str) -> u16 {
        match read(text.as_bytes()) {
            Err(error) => error.status(),
            Ok(head) => panic!("accepted: {head:?}"),
        }
    }

    #[test]
    fn an_ordinary_head_is_understood() {
        let head = good(
            "POST /api/logs?limit=5 HTTP/1.1\r\nHost: Board.local:8443\r\nContent-Length: 12\r\n\r\n",
        );
        assert_eq!(head.request.method, Method::Post);
        assert_eq!(head.request.target.path(), "/api/logs");
        assert_eq!(head.request.host.as_deref(), Some("board.local:8443"));
        assert_eq!(head.body, BodyLength::Exactly(12));
        assert!(head.keep_alive);
    }

    #[test]
    fn a_head_never_shows_what_may_be_a_secret() {
        let mut head = good(
            "GET /api/ws/logs?token=hunter22 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter22\r\n\
             Sec-WebSocket-Protocol: postern.token.hunter22\r\nCookie: a=hunter22\r\n\r\n",
        );
        head.request.body = b"{\"password\":\"hunter22\"}".to_vec();
        let shown = format!("{head:?}");
        assert!(shown.contains("/api/ws/logs"), "{shown}");
        // As text, and as a list of bytes.
        assert!(
            !shown.contains("hunter22") && !shown.contains("104, 117"),
            "{shown}"
        );
    }

    #[test]
    fn a_head_may_arrive_byte_by_byte() {
        let text = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET";
        let mut reader = HeadReader::default();
        for end in 0..text.len() - 4 {
            assert!(reader.read(&text[..end], Peer::Local).unwrap().is_none());
        }
        let (_, length) = reader.read(text, Peer::Local).unwrap().unwrap();
        assert_eq!(length, text.len() - 3);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nX: a\rb\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\0b\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(status(text), 400, "{text:?}");
        }
    }

    #[test]
    fn unknown_transfer_codings_are_not_implemented() {
        for coding in [
            "gzip",
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
        ] {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n");
            assert_eq!(status(&text), 501, "{coding}");
        }
        let twice = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(status(twice), 501);
    }

    #[test]
    fn other_versions_of_http_are_named() {
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        assert_eq!(status("GET / HTTP/3.0\r\nHost: a\r\n\r\n"), 505);
    }

    #[test]
    fn a_head_over_8_kib_is_refused_before_it_ends() {
        let mut text = String::from("GET / HTTP/1.1\r\nHost: a\r\nX: ");
        text.push_str(&"x".repeat(MAX_HEAD));
        assert_eq!(status(&text), 431);
        let many = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(MAX_FIELDS)
        );
        assert_eq!(status(&many), 431);
    }

    #[test]
    fn the_absolute_form_names_the_host() {
        let head = good("GET https://Board:8443/health?x HTTP/1.1\r\nHost: other\r\n\r\n");
        assert_eq!(head.request.target.path(), "/health");
        assert_eq!(head.request.host.as_deref(), Some("board:8443"));
    }

    #[test]
    fn the_client_may_ask_to_close_or_to_be_told_to_go_on() {
        assert!(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n").keep_alive);
        assert!(!good("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(good("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expects_continue);
        assert_eq!(
            status("PUT / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n"),
            417
        );
    }
}

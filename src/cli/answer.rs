//! The head of an HTTP answer, for the commands that ask a server: bytes to what they must know of it. No I/O.

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub framing: Framing,
    /// After how many seconds to ask again, if it says so.
    pub retry_after: Option<u64>,
    /// Where the body begins.
    pub begin: usize,
}

/// How the end of the body is known (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has so many bytes.
    Length(u64),
    /// It comes in chunks.
    Chunked,
    /// It lasts as long as the connection.
    UntilClose,
}

/// These bytes begin no HTTP/1 answer, or one whose body could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoHead;

/// Understands a head; `None` while it is not whole. The caller bounds how much it gathers.
pub(super) fn head(answer: &[u8]) -> Result<Option<Head>, NoHead> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let begin = match response.parse(answer) {
        Ok(httparse::Status::Complete(begin)) => begin,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NoHead),
    };
    let mut length = None;
    let mut chunked = false;
    let mut retry_after = None;
    for header in response.headers.iter() {
        let value = std::str::from_utf8(header.value).map_or("", str::trim);
        if header.name.eq_ignore_ascii_case("content-length") {
            let given = number(value).ok_or(NoHead)?;
            if length.replace(given).is_some_and(|before| before != given) {
                return Err(NoHead);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(NoHead);
            }
            chunked = true;
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            retry_after = number(value);
        }
    }
    let framing = match (chunked, length) {
        (true, None) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
        (true, Some(_)) => return Err(NoHead),
    };
    Ok(Some(Head {
        status: response.code.unwrap_or(0),
        framing,
        retry_after,
        begin,
    }))
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The server sends about ten.
const MAX_HEADERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(fields: &str) -> Result<Framing, NoHead> {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\nbody");
        let head = head(text.as_bytes())?.expect("a whole head");
        assert_eq!(&text[head.begin..], "body");
        Ok(head.framing)
    }

    #[test]
    fn the_end_of_a_body_is_known_in_one_way_or_refused() {
        for (fields, expected) in [
            ("", Ok(Framing::UntilClose)),
            ("Content-Length: 7\r\n", Ok(Framing::Length(7))),
            (
                "content-length: 7\r\nContent-Length: 7\r\n",
                Ok(Framing::Length(7)),
            ),
            ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("Content-Length: 7\r\nContent-Length: 8\r\n", Err(NoHead)),
            ("Content-Length: +7\r\n", Err(NoHead)),
            ("Content-Length: 99999999999999999999\r\n", Err(NoHead)),
            (
                "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
                Err(NoHead),
            ),
            ("Transfer-Encoding: gzip\r\n", Err(NoHead)),
        ] {
            assert_eq!(framing(fields), expected, "{fields}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_waited_for_and_garbage_is_not() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nA: b"), Ok(None));
        assert_eq!(head(b"SSH-2.0-x\r\n"), Err(NoHead));
        let many = "A: b\r\n".repeat(100);
        assert_eq!(framing(&many), Err(NoHead));
        let busy = b"HTTP/1.1 429 X\r\nRetry-After: 12\r\n\r\n";
        let busy = head(busy).unwrap().unwrap();
        assert_eq!((busy.status, busy.retry_after), (429, Some(12)));
    }
}

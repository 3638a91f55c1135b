use super::*;

fn framing(fields: &str) -> Option<Framing> {
    let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\nbody");
    let head = ResponseHead::read(text.as_bytes()).ok()?;
    let head = head.expect("a whole head");
    assert_eq!(&text[head.length..], "body");
    Some(head.framing)
}

#[test]
fn the_end_of_a_body_is_known_in_one_way_or_refused() {
    for (fields, expected) in [
        ("", Some(Framing::UntilClose)),
        ("Content-Length: 7\r\n", Some(Framing::Length(7))),
        ("Transfer-Encoding: Chunked\r\n", Some(Framing::Chunked)),
        ("content-length: 7\r\nContent-Length: 7\r\n", None),
        ("Content-Length: 7\r\nContent-Length: 8\r\n", None),
        ("Content-Length: +7\r\n", None),
        ("Content-Length: \r\n", None),
        ("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", None),
        ("Transfer-Encoding: gzip\r\n", None),
        ("Transfer-Encoding: chunked, chunked\r\n", None),
        ("A: b\r\n folded\r\n", None),
        ("A : b\r\n", None),
        ("A: b\nContent-Length: 7\r\n", None),
        ("A: b\rContent-Length: 7\r\n", None),
    ] {
        assert_eq!(framing(fields), expected, "{fields}");
    }
    for status in [100, 204, 304] {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 7\r\n\r\n");
        let head = ResponseHead::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0), "{status}");
    }
}

#[test]
fn a_head_that_is_not_whole_is_waited_for_and_garbage_is_not() {
    let text = b"HTTP/1.0 429 Too Many\r\nRetry-After:  12 \r\nETag: \"\xe9\"\r\n\r\n";
    for end in 0..text.len() {
        assert!(ResponseHead::read(&text[..end]).unwrap().is_none(), "{end}");
    }
    let head = ResponseHead::read(text).unwrap().unwrap();
    assert_eq!((head.status, head.retry_after()), (429, Some(12)));
    assert_eq!(head.fields.values("etag").collect::<Vec<_>>(), ["\"?\""]);
    for text in [
        "SSH-2.0-x\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.x 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 O\rXContent-Length: 3\r\n\r\n",
    ] {
        assert!(ResponseHead::read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(ResponseHead::read(b"HTTP/1.1 200\r\n\r\n").is_ok());
    let signed = b"HTTP/1.1 429 X\r\nRetry-After: +12\r\n\r\n";
    let signed = ResponseHead::read(signed).unwrap().unwrap();
    assert_eq!(signed.retry_after(), None);
    let many = "A: b\r\n".repeat(100);
    assert_eq!(framing(&many), None);
}

use super::*;
use crate::http::framing::Framing;
use crate::http::request::Peer;
use crate::http::request_head::HeadReader;

const GET: ClientRequest<'_> = ClientRequest {
    method: "GET",
    target: "/api/logs?limit=5",
    host: "board:8443",
    fields: &[],
    body: b"",
};

#[test]
fn what_is_written_is_what_the_server_reads() {
    let fields = [
        ("Authorization", "Bearer abc"),
        ("If-None-Match", "\"1 2\""),
    ];
    let body = b"{\"a\":1}";
    let request = ClientRequest {
        method: "POST",
        fields: &fields,
        body,
        ..GET
    };
    let bytes = request.to_bytes().unwrap();
    // Nothing was moved while it grew.
    assert_eq!(bytes.len(), bytes.capacity());
    let head = bytes.strip_suffix(body).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "POST /api/logs?limit=5 HTTP/1.1\r\nHost: board:8443\r\nUser-Agent: postern/{version}\r\n\
         Connection: close\r\nAuthorization: Bearer abc\r\nIf-None-Match: \"1 2\"\r\nContent-Length: 7\r\n\r\n"
    );
    assert_eq!(std::str::from_utf8(head).unwrap(), expected);
    let (read, length) = HeadReader::default()
        .read(&bytes, Peer::Local)
        .unwrap()
        .unwrap();
    assert_eq!((length, read.body), (head.len(), Framing::Length(7)));
    assert_eq!(read.request.header("Authorization"), Some("Bearer abc"));
}

#[test]
fn a_body_has_its_length_and_a_get_has_none() {
    let text = |request: ClientRequest<'_>| {
        String::from_utf8(request.to_bytes().unwrap().to_vec()).unwrap()
    };
    assert!(!text(GET).contains("Content-Length"));
    let post = ClientRequest {
        method: "POST",
        ..GET
    };
    assert!(text(post).contains("\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn no_part_of_a_head_becomes_another_part() {
    for bad in ["a\rb", "a\nb", "a\r\nX: y", "a\0b", "a\tb"] {
        assert!(ClientRequest { method: bad, ..GET }.to_bytes().is_err());
        assert!(ClientRequest { target: bad, ..GET }.to_bytes().is_err());
        assert!(ClientRequest { host: bad, ..GET }.to_bytes().is_err());
        let (name, value) = ([(bad, "x")], [("X", bad)]);
        assert!(
            ClientRequest {
                fields: &name,
                ..GET
            }
            .to_bytes()
            .is_err()
        );
        assert!(
            ClientRequest {
                fields: &value,
                ..GET
            }
            .to_bytes()
            .is_err()
        );
    }
    for bad in ["", "/a b", "/\u{e9}"] {
        assert!(ClientRequest { target: bad, ..GET }.to_bytes().is_err());
    }
}

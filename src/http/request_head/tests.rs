use super::*;

fn read(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, HeadError> {
    HeadReader::default().read(bytes, Peer::Local)
}

fn good(text: &str) -> RequestHead {
    let (head, length) = read(text.as_bytes()).expect("valid").expect("complete");
    assert_eq!(length, text.len());
    head
}

#[test]
fn an_ordinary_head_is_understood() {
    let head = good(
        "POST /api/logs?limit=5 HTTP/1.1\r\nHost: Board.local:8443\r\nContent-Length: 12\r\n\r\n",
    );
    assert_eq!(head.request.method, Method::Post);
    assert_eq!(head.request.target.path(), "/api/logs");
    assert_eq!(head.request.host.as_deref(), Some("board.local:8443"));
    assert_eq!(head.body, Framing::Length(12));
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
}

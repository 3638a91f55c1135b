use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use super::*;

/// What the command prints and returns when a server at the other end does `serve` to the connection.
fn against(serve: impl FnOnce(UnixStream) + Send + 'static) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    let result = run_at(&path);
    server.join().unwrap();
    result
}

fn run_at(path: &Path) -> (u8, String, String) {
    super::super::tests::with_terminal(b"", |terminal| {
        run(Some(path.to_owned()), || unreachable!(), terminal).unwrap()
    })
}

fn answering(status: u16, body: &str) -> (u8, String, String) {
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    against(move |mut stream| {
        let sent = local::request("GET", "/health").to_bytes().unwrap();
        let mut request = sent.to_vec();
        stream.read_exact(&mut request).unwrap();
        assert_eq!(request, *sent);
        stream.write_all(answer.as_bytes()).unwrap();
        // Not closed until the client has gone: the length alone ends the answer.
        let _ = stream.read(&mut request);
    })
}

#[test]
fn a_healthy_server_is_0() {
    let (status, out, err) = answering(200, r#"{"status":"healthy","version":"0.1.0"}"#);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "healthy\n", ""));
}

#[test]
fn a_degraded_server_is_1_with_its_reasons_on_one_line() {
    let body = r#"{"status":"degraded","reasons":["the journal\ncannot be written","disk full"]}"#;
    for status in [200, 503] {
        let (status, out, _) = answering(status, body);
        assert_eq!(status, 1);
        assert_eq!(out, "degraded: the journal cannot be written; disk full\n");
    }
}

#[test]
fn anything_else_is_2_with_one_line() {
    for (status, body) in [
        (500, r#"{"status":"healthy"}"#),
        (200, r#"{"status":"fine"}"#),
        (200, "<html>"),
        (200, ""),
    ] {
        let (status, out, err) = answering(status, body);
        assert_eq!((status, out.as_str()), (2, ""), "{body}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    for answer in ["", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let (status, _, err) = against(move |mut stream| {
            stream.write_all(answer.as_bytes()).unwrap();
        });
        assert_eq!(status, 2, "{err}");
    }
}

#[test]
fn nobody_there_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let (status, _, err) = run_at(&folder.path().join("none"));
    assert_eq!(status, 2);
    assert!(err.contains("no postern listens there"), "{err}");
}

#[test]
fn an_answer_without_end_is_not_read_to_it() {
    let (status, _, err) = against(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 1024]).is_ok() {}
    });
    assert_eq!(status, 2);
    assert!(err.contains("longer than"), "{err}");
}

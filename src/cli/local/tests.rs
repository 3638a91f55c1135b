use super::*;
use std::os::unix::net::UnixListener;

#[test]
fn a_server_that_is_silent_slow_or_hung_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    // Accepted by the kernel, answered by nobody.
    let error = ask(&path, &request("GET", "/health"), Duration::from_millis(30)).unwrap_err();
    assert!(matches!(error, NoAnswer::TimedOut), "{error}");
    // A byte now and then: each comes in time, all of them do not.
    let server = thread::spawn(move || {
        let (_silent, _) = listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let error = ask(&path, &request("GET", "/health"), Duration::from_millis(60)).unwrap_err();
    assert!(matches!(error, NoAnswer::TimedOut), "{error}");
    server.join().unwrap();
}

#[test]
fn a_full_backlog_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let error = ask(&path, &request("GET", "/health"), Duration::from_millis(30)).unwrap_err();
    assert!(matches!(error, NoAnswer::TimedOut), "{error}");
}

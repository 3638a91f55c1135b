//! `postern health`: asks the running server how it is, over its Unix socket. For watchdogs: one line, and an exit status
//! within a known time whatever stands at the other end.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::Value;

use super::answer::{Framing, NoHead, head};
use super::{Console, FAILURE, SUCCESS, USELESS};
use crate::config::{Config, ConfigError};

/// Asks at `socket`, or at the one that the configuration names.
pub(super) fn run(
    socket: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    let socket = match socket.map_or_else(
        || {
            let needed = ["LOCAL_SOCKET", "STATE_DIR"];
            let config = config().or_else(|error| error.beside(&needed));
            config.map(|config| config.local_socket)
        },
        |path| Ok(Some(path)),
    ) {
        Ok(Some(socket)) => socket,
        Ok(None) => {
            writeln!(
                console.err,
                "no answer: LOCAL_SOCKET is empty, so there is no socket to ask at"
            )?;
            return Ok(USELESS);
        }
        Err(error) => {
            console.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    match ask(&socket, TIMEOUT) {
        Ok(Health::Healthy) => {
            writeln!(console.out, "healthy")?;
            Ok(SUCCESS)
        }
        Ok(Health::Degraded(reasons)) => {
            writeln!(console.out, "degraded: {reasons}")?;
            Ok(FAILURE)
        }
        Err(error) => {
            writeln!(console.err, "no answer: {}: {error}", socket.display())?;
            Ok(USELESS)
        }
    }
}

/// What a server says of itself.
#[derive(Debug, PartialEq, Eq)]
enum Health {
    Healthy,
    /// With its reasons, on one line.
    Degraded(String),
}

/// Why nothing is known.
#[derive(Debug)]
enum NoAnswer {
    Connect(io::Error),
    TimedOut,
    Broken(io::Error),
    TooLong,
    NotHealth,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => {
                write!(f, "{error}; is postern running, and may this user ask it?")
            }
            Self::TimedOut => f.write_str("nothing came in time"),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::TooLong => write!(f, "the answer is longer than {MAX_ANSWER} bytes"),
            Self::NotHealth => f.write_str("the answer is not one of postern's"),
        }
    }
}

/// One question and its answer, in `timeout` all together: a server that sends a byte now and then does not prolong it.
fn ask(socket: &Path, timeout: Duration) -> Result<Health, NoAnswer> {
    let deadline = Instant::now() + timeout;
    let mut stream = connected(socket, deadline)?;
    stream
        .set_write_timeout(Some(left(deadline)?))
        .map_err(NoAnswer::Broken)?;
    stream.write_all(REQUEST).map_err(broken)?;

    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        stream
            .set_read_timeout(Some(left(deadline)?))
            .map_err(NoAnswer::Broken)?;
        match stream.read(&mut buffer) {
            Ok(0) => return understand(&answer),
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        }
        if answer.len() > MAX_ANSWER {
            return Err(NoAnswer::TooLong);
        }
        // The other end need not close to be understood.
        if is_whole(&answer) {
            return understand(&answer);
        }
    }
}

/// A connection, waited for no longer than `deadline`: where the server hangs, its backlog is full and a plain connect
/// would wait for ever.
fn connected(socket: &Path, deadline: Instant) -> Result<UnixStream, NoAnswer> {
    let failed = |error: Errno| NoAnswer::Connect(error.into());
    let address = SocketAddrUnix::new(socket).map_err(failed)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    loop {
        match connect(&fd, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) => thread::sleep(left(deadline)?.min(RETRY)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false).map_err(NoAnswer::Broken)?;
    Ok(stream)
}

fn left(deadline: Instant) -> Result<Duration, NoAnswer> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(NoAnswer::TimedOut),
        left => Ok(left),
    }
}

fn broken(error: io::Error) -> NoAnswer {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => NoAnswer::TimedOut,
        _ => NoAnswer::Broken(error),
    }
}

fn is_whole(answer: &[u8]) -> bool {
    match head(answer) {
        Ok(Some(head)) => match head.framing {
            Framing::Length(length) => (answer.len() - head.begin) as u64 >= length,
            Framing::Chunked | Framing::UntilClose => false,
        },
        Ok(None) => false,
        // Nothing that follows will make sense of it.
        Err(NoHead) => true,
    }
}

fn understand(answer: &[u8]) -> Result<Health, NoAnswer> {
    let head = head(answer).ok().flatten().ok_or(NoAnswer::NotHealth)?;
    let body = &answer[head.begin..];
    let body = match head.framing {
        Framing::Length(length) => {
            &body[..usize::try_from(length).map_or(body.len(), |length| length.min(body.len()))]
        }
        Framing::Chunked | Framing::UntilClose => body,
    };
    let body: Value = serde_json::from_slice(body).map_err(|_| NoAnswer::NotHealth)?;
    match body.get("status").and_then(Value::as_str) {
        Some("healthy") if head.status == 200 => Ok(Health::Healthy),
        Some("degraded") => Ok(Health::Degraded(reasons(&body))),
        _ => Err(NoAnswer::NotHealth),
    }
}

fn reasons(body: &Value) -> String {
    let reasons = body.get("reasons").and_then(Value::as_array);
    let reasons: Vec<&str> = reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if reasons.is_empty() {
        return "no reason given".to_owned();
    }
    // One line, whatever is in them.
    reasons.join("; ").replace(char::is_control, " ")
}

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A watchdog's patience; a healthy server answers in a millisecond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a full backlog is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// An answer has some 300 bytes; a degraded one with many reasons, a few thousand.
const MAX_ANSWER: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

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
        super::super::tests::with_console(b"", |console| {
            run(Some(path.to_owned()), || unreachable!(), console).unwrap()
        })
    }

    fn answering(status: u16, body: &str) -> (u8, String, String) {
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        against(move |mut stream| {
            let mut request = [0; REQUEST.len()];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request, REQUEST);
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
        let body =
            r#"{"status":"degraded","reasons":["the journal\ncannot be written","disk full"]}"#;
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
        assert!(err.contains("is postern running"), "{err}");
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

    #[test]
    fn a_server_that_is_silent_slow_or_hung_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        // Accepted by the kernel, answered by nobody.
        let error = ask(&path, Duration::from_millis(30)).unwrap_err();
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
        let error = ask(&path, Duration::from_millis(60)).unwrap_err();
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
        let error = ask(&path, Duration::from_millis(30)).unwrap_err();
        assert!(matches!(error, NoAnswer::TimedOut), "{error}");
    }
}

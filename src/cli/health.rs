//! `postern health`: asks the running server how it is, over its Unix socket. For watchdogs: one line, and an exit status
//! within a known time whatever stands at the other end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::local::{self, NoAnswer, Reply};
use super::{Console, FAILURE, SUCCESS, USELESS};
use crate::config::{Config, ConfigError};

/// Asks at `socket`, or at the one that the configuration names.
pub(super) fn run(
    socket: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, console)? else {
        return Ok(USELESS);
    };
    match local::ask(&socket, &local::request("GET", "/health"), TIMEOUT)
        .and_then(|reply| understand(&reply))
    {
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

fn understand(reply: &Reply) -> Result<Health, NoAnswer> {
    match reply.body.get("status").and_then(Value::as_str) {
        Some("healthy") if reply.status == 200 => Ok(Health::Healthy),
        Some("degraded") => Ok(Health::Degraded(reasons(&reply.body))),
        _ => Err(NoAnswer::NotOurs),
    }
}

pub(super) fn reasons(body: &Value) -> String {
    let reasons = body.get("reasons").and_then(Value::as_array);
    let reasons: Vec<&str> = reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if reasons.is_empty() {
        return "no reason given".to_owned();
    }
    local::shown(&reasons.join("; "))
}

/// A watchdog's patience; a healthy server answers in a millisecond.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
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
            let mut request = local::request("GET", "/health").to_vec();
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request, *local::request("GET", "/health"));
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
}

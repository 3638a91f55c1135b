//! Asks the running server over its Unix socket and reads the answer, within a known time, whatever the other end does.
//! Whoever may open the socket is the administrator, so no password is needed.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::Value;

use super::{FAILURE, USELESS};
use crate::config::{Config, ConfigError};
use crate::http::body::{BodyReader, BodyWanted};
use crate::http::client_request::{ClientRequest, UnwritableRequest};
use crate::http::framing::Framing;
use crate::http::response_head::ResponseHead;
use crate::json;
use crate::terminal::Terminal;

/// The socket that was named, or the configuration's. If there is none, says so and returns nothing.
pub(super) fn socket(
    named: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<Option<PathBuf>> {
    if named.is_some() {
        return Ok(named);
    }
    // Other problems of the configuration do not matter here.
    let config = config().or_else(|error| error.beside(&["LOCAL_SOCKET", "STATE_DIR"]));
    match config {
        Ok(config) => {
            if config.local_socket.is_none() {
                let message = "no answer: LOCAL_SOCKET is empty, so the server has no socket";
                writeln!(terminal.err, "{message}")?;
            }
            Ok(config.local_socket)
        }
        Err(error) => {
            terminal.config_error(&error)?;
            Ok(None)
        }
    }
}

/// What the server answered.
#[derive(Debug)]
pub(super) struct LocalResponse {
    pub status: u16,
    pub body: Value,
}

/// Why there is no usable answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Request(UnwritableRequest),
    Connect(io::Error),
    TimedOut,
    Broken(io::Error),
    TooLong,
    NotOurs,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    write!(f, "{error}: this user may not use that socket")
                }
                _ => write!(f, "{error}: no postern listens there"),
            },
            Self::Request(error) => error.fmt(f),
            Self::TimedOut => f.write_str("nothing came in time"),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::TooLong => write!(f, "the answer is longer than {MAX_ANSWER} bytes"),
            Self::NotOurs => f.write_str("the answer is not one of postern's"),
        }
    }
}

/// A request without a body.
pub(super) fn request<'a>(method: &'a str, path: &'a str) -> ClientRequest<'a> {
    ClientRequest {
        method,
        target: path,
        host: "localhost",
        fields: &[],
        body: b"",
    }
}

/// Asks. If the answer is a refusal or not usable, says so on standard error.
pub(super) fn ask_or_explain(
    socket: &Path,
    request: &ClientRequest<'_>,
    terminal: &mut Terminal<'_>,
) -> io::Result<Result<Value, u8>> {
    body_or_explain(ask(socket, request, PATIENCE), socket, terminal)
}

/// The body of a good answer. Otherwise standard error has the reason, and this is the exit status.
pub(super) fn body_or_explain(
    answer: Result<LocalResponse, NoAnswer>,
    socket: &Path,
    terminal: &mut Terminal<'_>,
) -> io::Result<Result<Value, u8>> {
    let (message, status) = match answer {
        Ok(LocalResponse { status: 200, body }) => return Ok(Ok(body)),
        Ok(LocalResponse { body, .. }) => match body.get("detail").and_then(Value::as_str) {
            Some(detail) => (shown(detail), FAILURE),
            None => (NoAnswer::NotOurs.to_string(), USELESS),
        },
        Err(error) => (format!("no answer: {}: {error}", socket.display()), USELESS),
    };
    writeln!(terminal.err, "postern: {message}")?;
    Ok(Err(status))
}

/// On one line, whatever is in it.
pub(super) fn shown(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// One question and its answer, in `timeout` all together: a server that sends a byte now and then does not prolong it.
pub(super) fn ask(
    socket: &Path,
    request: &ClientRequest<'_>,
    timeout: Duration,
) -> Result<LocalResponse, NoAnswer> {
    let deadline = Instant::now() + timeout;
    let mut stream = connected(socket, deadline)?;
    stream
        .set_write_timeout(Some(left(deadline)?))
        .map_err(NoAnswer::Broken)?;
    let request = request.to_bytes().map_err(NoAnswer::Request)?;
    stream.write_all(&request).map_err(broken)?;

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

/// A connection, or an error at `deadline`. While the server hangs its backlog is full, and a plain connect
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

/// Whether a server listens there, and this user may connect.
pub(super) fn is_reachable(socket: &Path) -> bool {
    connected(socket, Instant::now() + RETRY).is_ok()
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
    match ResponseHead::read(answer) {
        Ok(Some(head)) => match head.framing {
            Framing::Length(length) => (answer.len() - head.length) as u64 >= length,
            Framing::Chunked | Framing::UntilClose => false,
        },
        Ok(None) => false,
        // Nothing that follows will make sense of it.
        Err(_) => true,
    }
}

fn understand(answer: &[u8]) -> Result<LocalResponse, NoAnswer> {
    let head = ResponseHead::read(answer).ok().flatten();
    let head = head.ok_or(NoAnswer::NotOurs)?;
    let not_ours = |_| NoAnswer::NotOurs;
    let mut body = BodyReader::new(head.framing, BodyWanted::UpTo(MAX_ANSWER)).map_err(not_ours)?;
    body.feed(&answer[head.length..]).map_err(not_ours)?;
    let body = json::parse(&body.into_bytes()).map_err(|_| NoAnswer::NotOurs)?;
    Ok(LocalResponse {
        status: head.status,
        body,
    })
}

/// A small board takes seconds for the hash of a password, and longer while others wait for theirs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a full backlog is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// The status of a board with many sources has some thousand bytes; 4,096 clients with failed attempts, 400 KiB; ten
/// thousand vulnerabilities, which are all that are kept, 4 MB.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests;

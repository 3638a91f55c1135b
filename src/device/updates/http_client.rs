//! The little of an HTTP client that one question needs: a connection under a deadline, TLS on it, a request, and a
//! response of a known size. One request a connection; what could be read in two ways is refused.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::error::UpdateError;
use crate::config::HttpsUrl;
use crate::http::body::{BodyError, BodyReader, BodyWanted};
use crate::http::client_request::ClientRequest;
use crate::http::framing::Framing;
use crate::http::response_head::ResponseHead;

/// How long a question may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the connection is up, TLS included.
    pub connect: Duration,
    /// Until the body is there, redirects included.
    pub whole: Duration,
}

/// The response to one request.
pub struct FeedResponse {
    pub status: u16,
    pub tag: Option<String>,
    pub location: Option<String>,
    /// Empty, unless the status is 200.
    pub body: Vec<u8>,
}

/// Asks once. The body may have `limit` bytes.
pub fn ask(
    url: &HttpsUrl,
    tls: &Arc<ClientConfig>,
    patience: Patience,
    deadline: Instant,
    tag: Option<&str>,
    limit: usize,
) -> Result<FeedResponse, UpdateError> {
    let mut link = FeedConnection::open(url, tls, patience.connect, deadline)?;
    let json = ("Accept", "application/json");
    let fields: Vec<_> = [Some(json), tag.map(|tag| ("If-None-Match", tag))]
        .into_iter()
        .flatten()
        .collect();
    let request = ClientRequest {
        method: "GET",
        target: &url.target(),
        host: url.authority(),
        fields: &fields,
        body: b"",
    };
    let request = request.to_bytes().map_err(|_| UpdateError::Http)?;
    link.stream.write_all(&request).map_err(failure)?;
    let head = link.head()?;
    let text = |name| head.fields.values(name).find(|value| !value.is_empty());
    Ok(FeedResponse {
        status: head.status,
        tag: text("ETag").map(str::to_owned),
        // A question mark in the place of another byte would begin a query.
        location: text("Location")
            .filter(|_| head.fields.was_ascii())
            .map(str::to_owned),
        body: match head.status {
            200 => link.body(head.framing, limit)?,
            _ => Vec::new(),
        },
    })
}

struct FeedConnection {
    stream: StreamOwned<ClientConnection, DeadlineStream>,
    /// What has come and was not used.
    buffered: Vec<u8>,
}

impl FeedConnection {
    fn open(
        url: &HttpsUrl,
        tls: &Arc<ClientConfig>,
        connect: Duration,
        deadline: Instant,
    ) -> Result<Self, UpdateError> {
        let (host, port) = url.host_and_port();
        let addresses = (host, port).to_socket_addrs().map_err(UpdateError::Name)?;
        let up = deadline.min(Instant::now() + connect);
        let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut socket = None;
        for address in addresses.take(MAX_ADDRESSES) {
            let left = left(up).map_err(failure)?;
            // So that one that swallows everything leaves time for the next.
            match TcpStream::connect_timeout(&address, left / 2) {
                Ok(connected) => {
                    socket = Some(connected);
                    break;
                }
                Err(error) => refused = error,
            }
        }
        let socket = socket.ok_or_else(|| failure(refused))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| UpdateError::Http)?;
        let mut tls = ClientConnection::new(tls.clone(), name).map_err(UpdateError::Tls)?;
        let mut socket = DeadlineStream(socket, up);
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(failure)?;
        }
        socket.1 = deadline;
        Ok(Self {
            stream: StreamOwned::new(tls, socket),
            buffered: Vec::new(),
        })
    }

    /// Reads what is there; false at an orderly end.
    fn fill(&mut self) -> Result<bool, UpdateError> {
        let mut piece = [0; 4096];
        let length = self.stream.read(&mut piece).map_err(failure)?;
        self.buffered.extend_from_slice(&piece[..length]);
        Ok(length > 0)
    }

    fn head(&mut self) -> Result<ResponseHead, UpdateError> {
        loop {
            let head = ResponseHead::read(&self.buffered);
            if let Some(head) = head.map_err(|_| UpdateError::Http)? {
                self.buffered.drain(..head.length);
                return Ok(head);
            }
            if self.buffered.len() > MAX_HEAD || !self.fill()? {
                return Err(UpdateError::Http);
            }
        }
    }

    fn body(&mut self, framing: Framing, limit: usize) -> Result<Vec<u8>, UpdateError> {
        let failure = |error| match error {
            BodyError::TooLarge(_) => UpdateError::Size,
            BodyError::Malformed => UpdateError::Http,
        };
        let mut body = BodyReader::new(framing, BodyWanted::UpTo(limit)).map_err(failure)?;
        loop {
            let used = body.feed(&self.buffered).map_err(failure)?;
            self.buffered.drain(..used);
            if body.is_done() {
                return Ok(body.into_bytes());
            }
            if !self.fill()? {
                let whole = body.may_end().then(|| body.into_bytes());
                return whole.ok_or(UpdateError::Http);
            }
        }
    }
}

/// A socket that gives up at a time, however it is kept busy.
struct DeadlineStream(TcpStream, Instant);

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.set_read_timeout(Some(left(self.1)?))?;
        self.0.read(buffer)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set_write_timeout(Some(left(self.1)?))?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

fn failure(error: io::Error) -> UpdateError {
    if let Some(tls) = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>())
    {
        return UpdateError::Tls(tls.clone());
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => UpdateError::Time,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => UpdateError::Http,
        _ => UpdateError::Network(error),
    }
}

/// A head has to fit into it. GitHub's has 3 KiB.
const MAX_HEAD: usize = 16 * 1024;

/// More than any feed has; each is tried in turn.
const MAX_ADDRESSES: usize = 8;

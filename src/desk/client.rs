//! Questions to the board: one a connection, over TLS that is pinned, each in a known time and with a bounded answer.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memchr;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use super::Timing;
use super::board::BoardAddress;
use super::error::DeskError;
use super::known_boards::{CertificateFingerprint, KnownBoard};
use super::pin::Pin;
use super::socket::BoardSocket;
use super::stop::StopSignal;
use crate::config::SecretString;
use crate::http::body::Decoder;
use crate::http::response_head::ResponseHead;
use crate::json;
use crate::terminal::escape::plain;

/// Which certificate is trusted, and why.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub fingerprint: CertificateFingerprint,
    /// Where that stands.
    source: String,
    /// What to do if the board really has another one.
    way_out: String,
}

impl Trust {
    /// It was the board's before.
    pub(super) fn known(known: &KnownBoard) -> Self {
        let (file, line) = (known.file.display(), known.line);
        Self {
            fingerprint: known.fingerprint,
            source: format!("line {line} of {file}"),
            way_out: format!(
                "If they agree, remove line {line} of\n{file}, or give --fingerprint with the new one."
            ),
        }
    }

    /// `--fingerprint` names it.
    pub(super) fn given(fingerprint: CertificateFingerprint) -> Self {
        Self {
            fingerprint,
            source: "--fingerprint".to_owned(),
            way_out: "If they agree, --fingerprint is wrong.".to_owned(),
        }
    }

    /// The user was shown it, or a login was made under it.
    pub(super) fn earlier(fingerprint: CertificateFingerprint, when: &str) -> Self {
        Self {
            fingerprint,
            source: when.to_owned(),
            way_out: "If they agree, try again.".to_owned(),
        }
    }
}

/// One board, with whatever is needed to ask it.
pub(super) struct BoardClient<'a> {
    pub board: &'a BoardAddress,
    pub trust: Trust,
    pub stop: &'a StopSignal,
    pub timing: Timing,
    connector: TlsConnector,
}

/// What a handshake needs.
#[derive(Clone)]
struct TlsConnector {
    pin: Arc<Pin>,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnector {
    fn new(
        board: &BoardAddress,
        expected: Option<CertificateFingerprint>,
    ) -> Result<Self, DeskError> {
        let pin = Pin::new(expected);
        let tls = pin
            .config()
            .map_err(|error| DeskError::Permanent(error.to_string()))?;
        let name = board
            .server_name()
            .ok_or_else(|| DeskError::Permanent(format!("{board} is no name that TLS knows")))?;
        Ok(Self { pin, tls, name })
    }

    fn open<'a>(
        &self,
        board: &BoardAddress,
        stop: &'a StopSignal,
        timing: Timing,
    ) -> Result<Tls<'a>, DeskError> {
        let mut socket =
            BoardSocket::connect(board, stop, timing.connect).map_err(|e| lost(board, &e))?;
        socket.deadline = Some(Instant::now() + timing.answer);
        let tls = ClientConnection::new(self.tls.clone(), self.name.clone());
        let mut tls = tls.map_err(|error| DeskError::Permanent(error.to_string()))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|e| lost(board, &e))?;
        }
        Ok(StreamOwned::new(tls, socket))
    }
}

type Tls<'a> = StreamOwned<ClientConnection, BoardSocket<'a>>;

/// A handshake and nothing else: which certificate the board shows.
pub(super) fn first_look(
    board: &BoardAddress,
    stop: &StopSignal,
    timing: Timing,
) -> Result<CertificateFingerprint, DeskError> {
    let connector = TlsConnector::new(board, None)?;
    connector.open(board, stop, timing)?;
    let shown = connector.pin.shown();
    shown.ok_or_else(|| DeskError::Permanent(format!("{board} showed no certificate")))
}

/// What is asked.
pub(super) struct BoardRequest<'a> {
    pub method: &'static str,
    pub target: &'a str,
    pub token: Option<&'a SecretString>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> BoardClient<'a> {
    pub(super) fn new(
        board: &'a BoardAddress,
        trust: Trust,
        stop: &'a StopSignal,
        timing: Timing,
    ) -> Result<Self, DeskError> {
        let connector = TlsConnector::new(board, Some(trust.fingerprint))?;
        Ok(Self {
            board,
            trust,
            stop,
            timing,
            connector,
        })
    }

    /// The same board, asked in another time and whatever has ended.
    pub(super) fn with<'b>(&self, stop: &'b StopSignal, timing: Timing) -> BoardClient<'b>
    where
        'a: 'b,
    {
        BoardClient {
            board: self.board,
            trust: self.trust.clone(),
            stop,
            timing,
            connector: self.connector.clone(),
        }
    }

    pub(super) fn get(
        &self,
        target: &str,
        token: &SecretString,
    ) -> Result<BoardResponse<'a>, DeskError> {
        self.ask(&BoardRequest {
            method: "GET",
            target,
            token: Some(token),
            body: &[],
        })
    }

    /// Asks; the answer's head is there, and is a 200.
    pub(super) fn ask(&self, request: &BoardRequest<'_>) -> Result<BoardResponse<'a>, DeskError> {
        let opened = self.connector.open(self.board, self.stop, self.timing);
        let mut stream = opened.map_err(|failure| match self.connector.pin.stranger() {
            Some(shown) => DeskError::Permanent(self.stranger(shown)),
            None => failure,
        })?;
        stream
            .write_all(&request.text(self.board))
            .and_then(|()| stream.flush())
            .map_err(|error| lost(self.board, &error))?;
        BoardResponse::read(self.board, stream)?.accepted(self.timing)
    }

    /// What to say of a certificate that is not the one that is trusted.
    fn stranger(&self, shown: CertificateFingerprint) -> String {
        let board = self.board;
        let Trust {
            fingerprint,
            source,
            way_out,
        } = &self.trust;
        format!(
            "{board} shows another certificate than it should. Nothing was sent to it.\n\
             \n  expected  SHA-256 {fingerprint}  ({source})\
             \n  shown     SHA-256 {shown}\n\
             \nEither the board has a new certificate, or somebody else answers in its place. Compare what is shown \
             with what the\nboard printed at its last start. {way_out}"
        )
    }
}

impl BoardRequest<'_> {
    fn text(&self, board: &BoardAddress) -> Zeroizing<Vec<u8>> {
        let token = self.token.map_or("", SecretString::expose);
        // Room for all of it: a buffer that grows leaves copies of the secret behind.
        let room = 512 + self.target.len() + token.len() + self.body.len();
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        let host = board.authority();
        let mut line = |parts: &[&str]| {
            for part in parts {
                text.extend_from_slice(part.as_bytes());
            }
            text.extend_from_slice(b"\r\n");
        };
        line(&[self.method, " ", self.target, " HTTP/1.1"]);
        line(&["Host: ", &host]);
        line(&["User-Agent: postern/", env!("CARGO_PKG_VERSION")]);
        line(&["Connection: close"]);
        if !token.is_empty() {
            line(&["Authorization: Bearer ", token]);
        }
        if self.method == "POST" {
            line(&["Content-Type: application/json"]);
            line(&["Content-Length: ", &self.body.len().to_string()]);
        }
        line(&[]);
        text.extend_from_slice(self.body);
        text
    }
}

/// An answer, its body still to be read.
pub(super) struct BoardResponse<'a> {
    board: String,
    status: u16,
    retry_after: Option<u64>,
    stream: Tls<'a>,
    body: Decoder,
    /// Off the wire, not yet decoded. Like `text` it may hold tokens.
    raw: Zeroizing<Vec<u8>>,
    /// Of the body, not yet taken.
    text: Zeroizing<Vec<u8>>,
}

impl<'a> BoardResponse<'a> {
    fn read(board: &BoardAddress, stream: Tls<'a>) -> Result<Self, DeskError> {
        let mut answer = Self {
            board: board.to_string(),
            status: 0,
            retry_after: None,
            stream,
            body: Decoder::over(),
            raw: Zeroizing::new(Vec::with_capacity(MAX_HEAD + READ)),
            text: Zeroizing::new(Vec::with_capacity(MAX_HEAD + READ)),
        };
        let head = loop {
            match ResponseHead::read(&answer.raw) {
                Ok(Some(head)) => break head,
                Ok(None) if answer.raw.len() <= MAX_HEAD => {}
                _ => return Err(answer.nonsense("this is no answer of postern's")),
            }
            if !answer.fill()? {
                return Err(answer.broken());
            }
        };
        answer.status = head.status;
        answer.retry_after = head.retry_after();
        let body = Decoder::new(head.framing, u64::MAX);
        answer.body = body.map_err(|_| answer.nonsense("the body of its answer is malformed"))?;
        answer.raw.drain(..head.length);
        Ok(answer)
    }

    /// Itself if it is a 200; else what the board says.
    fn accepted(self, timing: Timing) -> Result<Self, DeskError> {
        if self.status == 200 {
            return Ok(self);
        }
        let (board, status, retry_after) = (self.board.clone(), self.status, self.retry_after);
        let body = self.whole(MAX_SMALL, timing.answer);
        let body = body.ok().and_then(|body| json::parse(&body).ok());
        let detail = body.as_ref().and_then(|body| body.get("detail")?.as_str());
        let mut reason = match detail {
            Some(detail) => format!("{board}: {}", plain(detail)),
            None => format!("{board} answers with status {status}"),
        };
        // Postern says it in words, too; any other number (a port, say) is not it.
        if let Some(seconds) = retry_after
            && !detail.is_some_and(|detail| detail.contains(&format!(" {seconds} s")))
        {
            reason = format!("{reason}; try again in {seconds} s");
        }
        Err(match status {
            401 => DeskError::Denied(reason),
            429 | 500.. => DeskError::Temporary {
                reason,
                after: retry_after.map(Duration::from_secs),
            },
            _ => DeskError::Permanent(reason),
        })
    }

    /// The body, which has at most `limit` bytes and is here within that time.
    pub(super) fn whole(
        mut self,
        limit: usize,
        within: Duration,
    ) -> Result<Zeroizing<Vec<u8>>, DeskError> {
        self.stream.sock.deadline = Some(Instant::now() + within);
        loop {
            self.decode()?;
            if self.text.len() > limit {
                return Err(self.nonsense(&format!("its answer is longer than {limit} bytes")));
            }
            if self.body.is_done() {
                return Ok(self.text);
            }
            if !self.fill()? {
                return if self.body.may_end() {
                    Ok(self.text)
                } else {
                    Err(self.broken())
                };
            }
        }
    }

    /// The body's next line; nothing at its end. What is no whole line there is dropped: it will come again.
    pub(super) fn line(&mut self) -> Result<Option<Vec<u8>>, DeskError> {
        loop {
            self.decode()?;
            if let Some(line) = take_line(&mut self.text) {
                return Ok(Some(line));
            }
            if self.text.len() > MAX_LINE {
                let longer = format!("it sends a line longer than {MAX_LINE} bytes");
                return Err(self.nonsense(&longer));
            }
            if self.body.is_done() || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// From now on lines may come when they come.
    pub(super) fn wait_for_ever(&mut self) {
        self.stream.sock.deadline = None;
    }

    fn decode(&mut self) -> Result<(), DeskError> {
        let text = &mut self.text;
        let decoded = (self.body).decode(&self.raw, &mut |part| text.extend_from_slice(part));
        let used = decoded.map_err(|_| self.nonsense("the body of its answer is malformed"))?;
        self.raw.drain(..used);
        Ok(())
    }

    /// Reads a piece; false at the end of the connection.
    fn fill(&mut self) -> Result<bool, DeskError> {
        let mut piece = Zeroizing::new([0; READ]);
        match self.stream.read(&mut *piece) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.raw.extend_from_slice(&piece[..length]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(DeskError::temporary(format!("{}: {error}", self.board))),
        }
    }

    fn broken(&self) -> DeskError {
        DeskError::temporary(format!("{}: the connection ended in the midst", self.board))
    }

    fn nonsense(&self, what: &str) -> DeskError {
        DeskError::Permanent(format!("{}: {what}", self.board))
    }
}

/// Takes the first line out of `text`, without its end, if there is a whole one.
fn take_line(text: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = memchr(b'\n', text)?;
    let mut line: Vec<u8> = text.drain(..=end).collect();
    line.pop();
    Some(line)
}

fn lost(board: &BoardAddress, error: &io::Error) -> DeskError {
    DeskError::temporary(match error.kind() {
        io::ErrorKind::InvalidData => format!("{board}: the TLS handshake failed: {error}"),
        _ => format!("{board}: {error}"),
    })
}

/// What is read at once.
const READ: usize = 8 * 1024;

/// The board's heads have some 300 bytes.
const MAX_HEAD: usize = 16 * 1024;

/// A pair of tokens, an error, a status with its log sources: a few KiB at most.
pub(super) const MAX_SMALL: usize = 256 * 1024;

/// The longest entry: its message and fields at their bounds (`logs::entry`), and its source's name.
const MAX_LINE: usize = 256 * 1024;

#[cfg(test)]
mod tests;

//! Questions to the board: one a connection, over TLS that is pinned, each in a known time and with a bounded answer.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memchr;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use super::Timing;
use super::board::Board;
use super::failure::Failure;
use super::known::{Fingerprint, Known};
use super::pin::Pin;
use super::stop::Stop;
use super::wire::Wire;
use crate::config::SecretString;
use crate::http::body::Decoder;
use crate::http::response_head::ResponseHead;
use crate::json;
use crate::terminal::escape::plain;

/// Which certificate is trusted, and why.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub fingerprint: Fingerprint,
    /// Where that stands.
    source: String,
    /// What to do if the board really has another one.
    way_out: String,
}

impl Trust {
    /// It was the board's before.
    pub(super) fn known(known: &Known) -> Self {
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
    pub(super) fn given(fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            source: "--fingerprint".to_owned(),
            way_out: "If they agree, --fingerprint is wrong.".to_owned(),
        }
    }

    /// The user was shown it, or a login was made under it.
    pub(super) fn earlier(fingerprint: Fingerprint, when: &str) -> Self {
        Self {
            fingerprint,
            source: when.to_owned(),
            way_out: "If they agree, try again.".to_owned(),
        }
    }
}

/// One board, with whatever is needed to ask it.
pub(super) struct Client<'a> {
    pub board: &'a Board,
    pub trust: Trust,
    pub stop: &'a Stop,
    pub timing: Timing,
    door: Door,
}

/// What a handshake needs.
#[derive(Clone)]
struct Door {
    pin: Arc<Pin>,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Door {
    fn new(board: &Board, expected: Option<Fingerprint>) -> Result<Self, Failure> {
        let pin = Pin::new(expected);
        let tls = pin
            .config()
            .map_err(|error| Failure::Final(error.to_string()))?;
        let name = board
            .server_name()
            .ok_or_else(|| Failure::Final(format!("{board} is no name that TLS knows")))?;
        Ok(Self { pin, tls, name })
    }

    fn open<'a>(&self, board: &Board, stop: &'a Stop, timing: Timing) -> Result<Tls<'a>, Failure> {
        let mut wire = Wire::connect(board, stop, timing.connect).map_err(|e| lost(board, &e))?;
        wire.deadline = Some(Instant::now() + timing.answer);
        let tls = ClientConnection::new(self.tls.clone(), self.name.clone());
        let mut tls = tls.map_err(|error| Failure::Final(error.to_string()))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut wire).map_err(|e| lost(board, &e))?;
        }
        Ok(StreamOwned::new(tls, wire))
    }
}

type Tls<'a> = StreamOwned<ClientConnection, Wire<'a>>;

/// A handshake and nothing else: which certificate the board shows.
pub(super) fn first_look(
    board: &Board,
    stop: &Stop,
    timing: Timing,
) -> Result<Fingerprint, Failure> {
    let door = Door::new(board, None)?;
    door.open(board, stop, timing)?;
    let shown = door.pin.shown();
    shown.ok_or_else(|| Failure::Final(format!("{board} showed no certificate")))
}

/// What is asked.
pub(super) struct Request<'a> {
    pub method: &'static str,
    pub target: &'a str,
    pub token: Option<&'a SecretString>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> Client<'a> {
    pub(super) fn new(
        board: &'a Board,
        trust: Trust,
        stop: &'a Stop,
        timing: Timing,
    ) -> Result<Self, Failure> {
        let door = Door::new(board, Some(trust.fingerprint))?;
        Ok(Self {
            board,
            trust,
            stop,
            timing,
            door,
        })
    }

    /// The same board, asked in another time and whatever has ended.
    pub(super) fn with<'b>(&self, stop: &'b Stop, timing: Timing) -> Client<'b>
    where
        'a: 'b,
    {
        Client {
            board: self.board,
            trust: self.trust.clone(),
            stop,
            timing,
            door: self.door.clone(),
        }
    }

    pub(super) fn get(&self, target: &str, token: &SecretString) -> Result<Answer<'a>, Failure> {
        self.ask(&Request {
            method: "GET",
            target,
            token: Some(token),
            body: &[],
        })
    }

    /// Asks; the answer's head is there, and is a 200.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<Answer<'a>, Failure> {
        let opened = self.door.open(self.board, self.stop, self.timing);
        let mut stream = opened.map_err(|failure| match self.door.pin.stranger() {
            Some(shown) => Failure::Final(self.stranger(shown)),
            None => failure,
        })?;
        stream
            .write_all(&request.text(self.board))
            .and_then(|()| stream.flush())
            .map_err(|error| lost(self.board, &error))?;
        Answer::read(self.board, stream)?.accepted(self.timing)
    }

    /// What to say of a certificate that is not the one that is trusted.
    fn stranger(&self, shown: Fingerprint) -> String {
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

impl Request<'_> {
    fn text(&self, board: &Board) -> Zeroizing<Vec<u8>> {
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
pub(super) struct Answer<'a> {
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

impl<'a> Answer<'a> {
    fn read(board: &Board, stream: Tls<'a>) -> Result<Self, Failure> {
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
    fn accepted(self, timing: Timing) -> Result<Self, Failure> {
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
            401 => Failure::Denied(reason),
            429 | 500.. => Failure::Passing {
                reason,
                after: retry_after.map(Duration::from_secs),
            },
            _ => Failure::Final(reason),
        })
    }

    /// The body, which has at most `limit` bytes and is here within that time.
    pub(super) fn whole(
        mut self,
        limit: usize,
        within: Duration,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
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
    pub(super) fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
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

    fn decode(&mut self) -> Result<(), Failure> {
        let text = &mut self.text;
        let decoded = (self.body).decode(&self.raw, &mut |part| text.extend_from_slice(part));
        let used = decoded.map_err(|_| self.nonsense("the body of its answer is malformed"))?;
        self.raw.drain(..used);
        Ok(())
    }

    /// Reads a piece; false at the end of the connection.
    fn fill(&mut self) -> Result<bool, Failure> {
        let mut piece = Zeroizing::new([0; READ]);
        match self.stream.read(&mut *piece) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.raw.extend_from_slice(&piece[..length]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(Failure::passing(format!("{}: {error}", self.board))),
        }
    }

    fn broken(&self) -> Failure {
        Failure::passing(format!("{}: the connection ended in the midst", self.board))
    }

    fn nonsense(&self, what: &str) -> Failure {
        Failure::Final(format!("{}: {what}", self.board))
    }
}

/// Takes the first line out of `text`, without its end, if there is a whole one.
fn take_line(text: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = memchr(b'\n', text)?;
    let mut line: Vec<u8> = text.drain(..=end).collect();
    line.pop();
    Some(line)
}

fn lost(board: &Board, error: &io::Error) -> Failure {
    Failure::passing(match error.kind() {
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

//! One client of the TLS listener: what has come, what is to be sent, and what is going on in between.
//!
//! A connection never blocks. Its worker *drives* it until it has nothing to do without the network, the pool or the
//! clock, and parks it with a deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustls::ServerConnection;
use tiny_http::{HTTPVersion, Method};

use super::admission::Place;
use super::body::BodyReader;
use super::head::{Head, HeadReader};
use crate::api::error::{Answer, ApiError};
use crate::api::request::{Peer, Request};
use crate::api::{Api, Call, Outcome, Stream};
use crate::logs::hub::Encoding;

/// A client's connection.
pub struct Connection {
    socket: TcpStream,
    tls: Box<ServerConnection>,
    peer: Peer,
    place: Place,
    phase: Phase,
    /// Decrypted bytes that no request has claimed yet: a head, or what a client sent ahead.
    inbound: Vec<u8>,
    /// An answer being sent, and how much of it TLS has taken.
    outbound: Vec<u8>,
    sent: usize,
    deadline: Instant,
    /// The last read emptied the socket: only an event makes another worth while.
    drained: bool,
    /// The poller saw the peer's end: behind the last bytes there is an end of file, which raises no event of its own.
    hung_up: bool,
    /// The server is leaving: this connection's next answer is its last.
    leaving: bool,
}

enum Phase {
    /// Nothing has come yet.
    New,
    /// The TLS handshake.
    Handshake,
    /// Between requests, or reading a head.
    Head(HeadReader),
    /// Reading a body.
    Body(Box<Pending>),
    /// The pool has the request.
    Waiting(Manner),
    /// Sending an answer.
    Answering(Then),
    /// All is said; what the client still sends is read and dropped, so that it sees the answer and not a reset.
    Lingering { passed: usize },
}

struct Pending {
    request: Request,
    verdict: Result<Call, Answer>,
    body: BodyReader,
    manner: Manner,
}

/// How the answer has to be written.
#[derive(Clone, Copy)]
struct Manner {
    head_only: bool,
    keep_alive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    NextRequest,
    Close,
}

/// What a drive led to.
pub enum Turn {
    /// It waits for an event, an outcome or its deadline.
    Parked,
    /// It had its share; it wants another turn.
    More,
    /// The pool must finish this request.
    Dispatch(Box<(Call, Request)>),
    /// It becomes a log stream: see [`Connection::into_stream`].
    Stream(Box<Stream>),
    /// It is over.
    Closed,
}

enum Step {
    Go,
    Turn(Turn),
}

enum Received {
    Bytes,
    Nothing,
    End,
    /// The first byte is no TLS record's.
    PlainText,
}

impl Connection {
    /// A fresh connection; the socket must be non-blocking.
    #[must_use]
    pub fn new(
        socket: TcpStream,
        tls: ServerConnection,
        peer: Peer,
        place: Place,
        now: Instant,
    ) -> Self {
        let mut tls = Box::new(tls);
        tls.set_buffer_limit(Some(TLS_BUFFER));
        Self {
            socket,
            tls,
            peer,
            place,
            phase: Phase::New,
            inbound: Vec::new(),
            outbound: Vec::new(),
            sent: 0,
            deadline: now + HANDSHAKE,
            drained: false,
            hung_up: false,
            leaving: false,
        }
    }

    /// When it must be looked at again, whatever happens.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The socket, to poll it.
    #[must_use]
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whose place it takes.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it only waits for a next request, and so can be closed to make room.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head(_)) && self.inbound.is_empty()
    }

    /// The poller saw something happen; `hung_up` says whether that was the peer's end.
    pub const fn wake(&mut self, hung_up: bool) {
        self.drained = false;
        self.hung_up |= hung_up;
    }

    /// The server is leaving. Returns whether the connection can be closed at once.
    pub fn leave(&mut self) -> bool {
        self.leaving = true;
        self.is_idle() || matches!(self.phase, Phase::New | Phase::Handshake)
    }

    /// Goes on as far as it can without waiting, and at most a bounded amount.
    pub fn drive(&mut self, api: &Api, scratch: &mut [u8], now: Instant) -> Turn {
        let mut budget = TURN_BYTES;
        loop {
            match self.send(&mut budget, now) {
                Ok(true) => {}
                Ok(false) if budget == 0 => return Turn::More,
                Ok(false) => return Turn::Parked,
                Err(_) => return Turn::Closed,
            }
            let step = match &mut self.phase {
                Phase::New | Phase::Handshake => self.shake_hands(api, scratch, now),
                Phase::Head(_) => self.read_head(api, scratch, now),
                Phase::Body(_) => self.read_body(api, scratch, now),
                Phase::Waiting(_) => Step::Turn(Turn::Parked),
                Phase::Answering(then) => {
                    let then = *then;
                    self.after_answer(then, now)
                }
                Phase::Lingering { .. } => self.linger(scratch),
            };
            match step {
                Step::Turn(turn) => return turn,
                Step::Go => {}
            }
        }
    }

    /// The pool's (or the worker's own) outcome of the request under way. The connection must be driven after it, unless
    /// it becomes a stream.
    pub fn finish(&mut self, outcome: Outcome, now: Instant) -> Option<Box<Stream>> {
        let Phase::Waiting(manner) = self.phase else {
            return None;
        };
        match outcome {
            Outcome::Answer(answer) => {
                self.answer(answer, manner, now);
                None
            }
            Outcome::Stream(stream) => Some(stream),
        }
    }

    /// Its deadline has passed.
    pub fn expire(&mut self, now: Instant) -> Turn {
        match &self.phase {
            // The pool always answers; its own limits bound the wait.
            Phase::Waiting(_) => {
                self.deadline = now + WAITING;
                Turn::Parked
            }
            Phase::Head(_) if !self.inbound.is_empty() => self.time_out(now),
            Phase::Body(_) => self.time_out(now),
            Phase::Head(_) => {
                self.tls.send_close_notify();
                let mut budget = TURN_BYTES;
                let _ = self.send(&mut budget, now);
                Turn::Closed
            }
            _ => Turn::Closed,
        }
    }

    fn time_out(&mut self, now: Instant) -> Turn {
        self.refuse(408, "the request took too long to arrive", now);
        Turn::More
    }

    /// Takes the connection apart for the hub, with the stream's head on its way and whatever the client sent ahead.
    ///
    /// # Errors
    /// When not even the head can be written.
    pub fn into_stream(
        mut self,
        head: Answer,
        encoding: Encoding,
    ) -> io::Result<(TcpStream, Box<ServerConnection>, Vec<u8>, Place)> {
        let head = render_head(head, encoding)?;
        self.tls.writer().write_all(&head)?;
        Ok((self.socket, self.tls, self.inbound, self.place))
    }

    // --- reading ---

    fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Received> {
        if self.drained {
            return Ok(Received::Nothing);
        }
        let count = match self.socket.read(scratch) {
            Ok(0) => return Ok(Received::End),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                return Ok(Received::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Received::Bytes),
            Err(error) => return Err(error),
        };
        // A short read means there was no more, and more raises an event again (epoll(7), edge-triggered streams).
        // Except for the end: it may have come together with these bytes, in one event.
        self.drained = count < scratch.len() && !self.hung_up;
        if matches!(self.phase, Phase::New) {
            if scratch[0] != TLS_HANDSHAKE_RECORD {
                return Ok(Received::PlainText);
            }
            self.phase = Phase::Handshake;
        }
        let mut input = &scratch[..count];
        let mut closed = false;
        while !input.is_empty() {
            self.tls.read_tls(&mut input)?;
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert tells the client why, if it still listens.
                    let _ = self.tls.write_tls(&mut self.socket);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            };
            let length = self.inbound.len();
            self.inbound
                .resize(length + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut self.inbound[length..])?;
            closed |= state.peer_has_closed();
        }
        // What came before the goodbye is still answered.
        if closed && self.inbound.is_empty() {
            return Ok(Received::End);
        }
        Ok(Received::Bytes)
    }

    fn shake_hands(&mut self, api: &Api, scratch: &mut [u8], now: Instant) -> Step {
        if matches!(self.phase, Phase::Handshake) && !self.tls.is_handshaking() {
            self.await_request(now);
            return Step::Go;
        }
        match self.receive(scratch) {
            Ok(Received::Bytes) => Step::Go,
            Ok(Received::Nothing) => Step::Turn(Turn::Parked),
            Ok(Received::PlainText) => self.explain_https(api, now),
            Ok(Received::End) | Err(_) => Step::Turn(Turn::Closed),
        }
    }

    /// Somebody speaks plain HTTP to this port, and should be told in words he can read.
    fn explain_https(&mut self, api: &Api, now: Instant) -> Step {
        if api.charge_malformed(self.peer).is_err() {
            return Step::Turn(Turn::Closed);
        }
        let error = ApiError::Protocol(400, "this port speaks HTTPS".into());
        let rendered = render(error.answer(), LAST_WORDS);
        // Some two hundred bytes into an empty socket buffer: they fit, or the client does without.
        let told = rendered.and_then(|bytes| self.socket.write_all(&bytes));
        if told.is_err() || self.socket.shutdown(Shutdown::Write).is_err() {
            return Step::Turn(Turn::Closed);
        }
        self.phase = Phase::Lingering { passed: 0 };
        self.deadline = now + LINGER;
        Step::Go
    }

    fn await_request(&mut self, now: Instant) {
        self.phase = Phase::Head(HeadReader::default());
        self.deadline = now + if self.inbound.is_empty() { IDLE } else { HEAD };
        if self.inbound.is_empty() {
            // An idle connection holds no buffer.
            self.inbound = Vec::new();
        }
    }

    fn read_head(&mut self, api: &Api, scratch: &mut [u8], now: Instant) -> Step {
        let Phase::Head(reader) = &mut self.phase else {
            return Step::Go;
        };
        let was_idle = self.inbound.is_empty();
        match reader.read(&self.inbound, self.peer) {
            Ok(Some((head, length))) => {
                self.inbound.drain(..length);
                return self.take_request(api, head, now);
            }
            Ok(None) => {}
            Err(error) => {
                match api.charge_malformed(self.peer) {
                    Ok(()) => self.refuse(error.status(), &error.to_string(), now),
                    Err(limit) => self.answer(limit.answer(), LAST_WORDS, now),
                }
                return Step::Go;
            }
        }
        match self.receive(scratch) {
            Ok(Received::Bytes) => {
                if was_idle && !self.inbound.is_empty() {
                    self.deadline = now + HEAD;
                }
                Step::Go
            }
            Ok(Received::Nothing) => Step::Turn(Turn::Parked),
            _ => Step::Turn(Turn::Closed),
        }
    }

    fn take_request(&mut self, api: &Api, head: Head, now: Instant) -> Step {
        let manner = Manner {
            head_only: head.request.method == Method::Head,
            keep_alive: head.keep_alive && !self.leaving,
        };
        let verdict = api.admit(&head.request);
        let body = match BodyReader::new(head.body) {
            Ok(body) => body,
            Err(error) => {
                // Refused unread. The request limit goes first: it must not be possible to dodge it with a large body.
                match verdict {
                    Err(limit) if limit.status_code().0 == 429 => {
                        self.answer(limit, LAST_WORDS, now)
                    }
                    _ => self.refuse(error.status(), &error.to_string(), now),
                }
                return Step::Go;
            }
        };
        if head.expects_continue && !body.is_done() && self.inbound.is_empty() {
            if let Err(refusal) = verdict {
                // The client has not sent its body yet and need not.
                self.answer(refusal, LAST_WORDS, now);
                return Step::Go;
            }
            self.outbound
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.deadline = now + BODY;
        self.phase = Phase::Body(Box::new(Pending {
            request: head.request,
            verdict,
            body,
            manner,
        }));
        Step::Go
    }

    fn read_body(&mut self, api: &Api, scratch: &mut [u8], now: Instant) -> Step {
        let Phase::Body(pending) = &mut self.phase else {
            return Step::Go;
        };
        match pending.body.feed(&self.inbound) {
            Ok(used) => {
                self.inbound.drain(..used);
            }
            Err(error) => {
                self.refuse(error.status(), &error.to_string(), now);
                return Step::Go;
            }
        }
        if pending.body.is_done() {
            let Phase::Body(pending) = std::mem::replace(&mut self.phase, Phase::New) else {
                return Step::Go;
            };
            return self.answer_request(api, *pending, now);
        }
        match self.receive(scratch) {
            Ok(Received::Bytes) => Step::Go,
            Ok(Received::Nothing) => Step::Turn(Turn::Parked),
            _ => Step::Turn(Turn::Closed),
        }
    }

    fn answer_request(&mut self, api: &Api, pending: Pending, now: Instant) -> Step {
        let Pending {
            mut request,
            verdict,
            body,
            manner,
        } = pending;
        request.body = body.into_bytes();
        self.phase = Phase::Waiting(manner);
        let call = match verdict {
            Ok(call) => call,
            Err(refusal) => {
                self.answer(refusal, manner, now);
                return Step::Go;
            }
        };
        if call.cost() > crate::api::route::Cost::Cheap {
            self.deadline = now + WAITING;
            return Step::Turn(Turn::Dispatch(Box::new((call, request))));
        }
        match self.finish(api.run(call, &request), now) {
            Some(stream) => Step::Turn(Turn::Stream(stream)),
            None => Step::Go,
        }
    }

    // --- answering ---

    /// Refuses in words and closes: after this nobody knows where the next request would begin.
    fn refuse(&mut self, status: u16, detail: &str, now: Instant) {
        let error = ApiError::Protocol(status, detail.to_owned());
        self.answer(error.answer(), LAST_WORDS, now);
    }

    fn answer(&mut self, answer: Answer, manner: Manner, now: Instant) {
        let manner = Manner {
            keep_alive: manner.keep_alive && !self.leaving,
            ..manner
        };
        let (bytes, then) = match render(answer, manner) {
            Ok(bytes) if manner.keep_alive => (bytes, Then::NextRequest),
            Ok(bytes) => (bytes, Then::Close),
            // Writing to memory does not fail; if it did, silence is all that is left.
            Err(_) => (Vec::new(), Then::Close),
        };
        self.outbound.extend(bytes);
        self.phase = Phase::Answering(then);
        self.deadline = now + STALLED_WRITE;
    }

    fn after_answer(&mut self, then: Then, now: Instant) -> Step {
        if then == Then::NextRequest && !self.leaving {
            self.await_request(now);
            // One request a turn; others want to be served between this one's pipelined requests.
            return match self.inbound.is_empty() {
                true if self.drained => Step::Turn(Turn::Parked),
                true => Step::Go,
                false => Step::Turn(Turn::More),
            };
        }
        self.tls.send_close_notify();
        self.phase = Phase::Lingering { passed: 0 };
        self.deadline = now + LINGER;
        Step::Go
    }

    /// Sends what there is. Returns whether all of it went out.
    fn send(&mut self, budget: &mut usize, now: Instant) -> io::Result<bool> {
        loop {
            while self.tls.wants_write() {
                match self.tls.write_tls(&mut self.socket) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        *budget = budget.saturating_sub(count);
                        if matches!(self.phase, Phase::Answering(_)) {
                            self.deadline = now + STALLED_WRITE;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        // Distinguishes "the socket is full" from "the turn is over".
                        *budget = (*budget).max(1);
                        return Ok(false);
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.sent == self.outbound.len() {
                self.outbound = Vec::new();
                self.sent = 0;
                return Ok(true);
            }
            if *budget == 0 {
                return Ok(false);
            }
            self.sent += self.tls.writer().write(&self.outbound[self.sent..])?;
        }
    }

    fn linger(&mut self, scratch: &mut [u8]) -> Step {
        let Phase::Lingering { passed } = &mut self.phase else {
            return Step::Go;
        };
        if *passed == 0 {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        match self.socket.read(scratch) {
            Ok(0) => Step::Turn(Turn::Closed),
            Ok(count) if *passed + count <= MAX_LINGER_BYTES => {
                *passed += count;
                Step::Go
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Turn(Turn::Parked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::Go,
            _ => Step::Turn(Turn::Closed),
        }
    }
}

/// Writes an answer with tiny_http's writer.
fn render(answer: Answer, manner: Manner) -> io::Result<Vec<u8>> {
    let length = answer.data_length().unwrap_or(0);
    let mut bytes = Vec::with_capacity(length + 512);
    answer
        // The length is always known here; the chunked coding would only add to it.
        .with_chunked_threshold(usize::MAX)
        .raw_print(&mut bytes, HTTPVersion(1, 1), &[], manner.head_only, None)?;
    if !manner.keep_alive {
        // tiny_http reserves this field for itself, and has no call to set it.
        insert_field(&mut bytes, b"Connection: close\r\n");
    }
    Ok(bytes)
}

/// Writes the head of an answer whose body the hub will write.
pub(super) fn render_head(head: Answer, encoding: Encoding) -> io::Result<Vec<u8>> {
    let (upgrade, chunked) = match encoding {
        Encoding::WebSocket => (Some("websocket"), false),
        Encoding::JsonLines { chunked } | Encoding::ServerSentEvents { chunked } => (None, chunked),
    };
    let mut bytes = Vec::with_capacity(512);
    let head = head.with_data(io::empty(), None);
    head.raw_print(&mut bytes, HTTPVersion(1, 1), &[], true, upgrade)?;
    if upgrade.is_none() {
        insert_field(&mut bytes, b"Connection: close\r\n");
        if !chunked {
            // HTTP/1.0 does not know it; told to write that version, tiny_http would declare an empty body instead.
            remove_field(&mut bytes, b"Transfer-Encoding: chunked\r\n");
        }
    }
    Ok(bytes)
}

fn insert_field(bytes: &mut Vec<u8>, field: &[u8]) {
    if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        bytes.splice(end + 2..end + 2, field.iter().copied());
    }
}

fn remove_field(bytes: &mut Vec<u8>, field: &[u8]) {
    if let Some(at) = bytes.windows(field.len()).position(|part| part == field) {
        bytes.drain(at..at + field.len());
    }
}

const LAST_WORDS: Manner = Manner {
    head_only: false,
    keep_alive: false,
};

/// RFC 8446, section 5.1: the content type of the record that must come first.
const TLS_HANDSHAKE_RECORD: u8 = 22;

/// The whole TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A whole head, from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// A whole body.
const BODY: Duration = Duration::from_secs(20);
/// Between two requests.
const IDLE: Duration = Duration::from_secs(75);
/// A write that makes no progress.
const STALLED_WRITE: Duration = Duration::from_secs(20);
/// How often a connection that waits for the pool is looked at.
const WAITING: Duration = Duration::from_secs(60);
/// How long a client may take to read its last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much it may still send meanwhile: a refused body of moderate size.
const MAX_LINGER_BYTES: usize = 1024 * 1024;
/// What TLS may hold of an answer, encrypted and not yet sent.
const TLS_BUFFER: usize = 32 * 1024;
/// What one connection may send before the others get their turn.
const TURN_BYTES: usize = 128 * 1024;

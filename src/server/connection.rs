//! One client, of the TLS listener or of the local socket: what it sent, what is to be sent to it, and its state in
//! between.
//!
//! A connection never blocks. Its worker *drives* it until it has nothing to do without the network, the pool or the
//! clock, and parks it with a deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use tiny_http::Method;

use super::admission::{Conduct, ConnectionPermit, ConnectionsFull, Judge, SeatNumber};
use super::link::{Link, Received, Sent};
use crate::api::counts::RouteNumber;
use crate::api::error::ApiError;
use crate::api::route;
use crate::api::{Api, Call, Outcome, PendingChange, Stream};
use crate::auth::Session;
use crate::http::body::{BodyReader, BodyWanted, MAX_BODY, MAX_STRANGERS_BODY};
use crate::http::framing::Framing;
use crate::http::request::{Peer, Request};
use crate::http::request_head::{HeadReader, RequestHead};
use crate::http::response::{CLOSING, Response, WriteOptions, render, render_head, render_upgrade};
use crate::logs::hub::{Encoding, Transport};

/// A client's connection.
pub struct Connection {
    link: Link,
    peer: Peer,
    place: ConnectionPermit,
    phase: Phase,
    deadline: Instant,
    /// Which route the request under way is for, and when its head was there.
    under_way: Option<(RouteNumber, Instant)>,
    /// Somebody has signed in here.
    is_known: bool,
    /// How large the head of the request under way was.
    head_bytes: usize,
    /// The server is leaving: this connection's next answer is its last.
    leaving: bool,
}

enum Phase {
    /// From the first byte to the end of the TLS handshake.
    Handshake,
    /// Between requests, or reading a head.
    Head(HeadReader),
    /// Reading a body.
    Body(Box<Pending>),
    /// The pool has the request, or the journal.
    Waiting(WriteOptions),
    /// Sending an answer.
    Answering(Then),
    /// Sending the head of a stream, which is behind it the hub's.
    Opening(Option<Box<Stream>>),
    /// The answer is sent. What the client still sends is read and dropped, so that it sees the answer and not a reset.
    Lingering {
        /// The client was told that no more will come. Once: each time wakes the poller, and with it this connection.
        is_shut: bool,
        passed: usize,
    },
}

struct Pending {
    request: Request,
    verdict: Result<Call, Response>,
    body: BodyReader,
    options: WriteOptions,
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
    /// The journal must have this before the request under way can be answered.
    Change(Box<PendingChange>),
    /// Its answer's head is sent; it becomes a log stream: see [`Connection::into_stream`].
    Stream(Box<Stream>),
    /// It is over.
    Closed,
}

enum Step {
    Go,
    Turn(Turn),
}

impl Connection {
    /// A fresh connection.
    #[must_use]
    pub fn new(link: Link, peer: Peer, place: ConnectionPermit, now: Instant) -> Self {
        let (phase, limit) = if link.is_handshaking() {
            (Phase::Handshake, HANDSHAKE)
        } else {
            (Phase::Head(HeadReader::default()), IDLE)
        };
        Self {
            link,
            peer,
            place,
            phase,
            deadline: now + limit,
            under_way: None,
            is_known: peer == Peer::Local,
            head_bytes: 0,
            leaving: false,
        }
    }

    /// When it must be looked at again, whatever happens.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head(_)) && self.link.inbound.is_empty()
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// Notes who has sent the request under way, once that is known.
    pub fn sign_in(&mut self, sender: Option<&Session>) {
        if let Some(session) = sender {
            self.is_known = true;
            self.place.sign_in(session);
        }
    }

    /// Tells what it does and how much it holds, for when something is short. Gives the connections that have to be
    /// closed for what it holds.
    ///
    /// # Errors
    /// [`ConnectionsFull`]: it is this one that has to be closed.
    pub fn report(&mut self, judge: &dyn Judge) -> Result<Vec<SeatNumber>, ConnectionsFull> {
        let (conduct, limit) = match &self.phase {
            Phase::Handshake => (Conduct::Handshake, HANDSHAKE),
            Phase::Head(_) if self.is_idle() => (Conduct::Idle, IDLE),
            Phase::Head(_) => (Conduct::Asking, HEAD),
            Phase::Body(_) => (Conduct::Asking, BODY),
            Phase::Waiting(_) => (Conduct::Waiting, WAITING),
            Phase::Answering(_) => (Conduct::Answered, STALLED_WRITE),
            Phase::Opening(_) => (Conduct::Stream, STALLED_WRITE),
            Phase::Lingering { .. } => (Conduct::Answered, LINGER),
        };
        let since = self.deadline.checked_sub(limit).unwrap_or(self.deadline);
        self.place.tell(conduct, since);
        self.link.release();
        self.place.hold(self.held_unknown(), judge)
    }

    /// How many bytes of somebody's who has not signed in it holds.
    fn held_unknown(&self) -> usize {
        if self.is_known {
            return 0;
        }
        let request = match &self.phase {
            Phase::Body(pending) => self.head_bytes + pending.body.held(),
            Phase::Waiting(_) => self.head_bytes + MAX_STRANGERS_BODY,
            _ => 0,
        };
        self.link.held() + request
    }

    /// The poller saw something happen, perhaps the client's end.
    pub const fn wake(&mut self, ending: bool) {
        self.link.wake(ending);
    }

    /// The server is leaving. Returns whether the connection can be closed at once.
    pub fn leave(&mut self) -> bool {
        self.leaving = true;
        self.is_idle() || matches!(self.phase, Phase::Handshake)
    }

    /// Goes on as far as it can without waiting, and at most a bounded amount.
    pub fn drive(&mut self, api: &Api, scratch: &mut [u8], now: Instant) -> Turn {
        let mut share = TURN_BYTES;
        loop {
            match self.send(&mut share, now) {
                Ok(Sent::All) => {}
                Ok(Sent::Blocked) => return Turn::Parked,
                Ok(Sent::Share) => return Turn::More,
                Err(_) => return Turn::Closed,
            }
            let step = match &mut self.phase {
                Phase::Handshake => self.shake_hands(api, scratch, &mut share, now),
                Phase::Head(_) => self.read_head(api, scratch, &mut share, now),
                Phase::Body(_) => self.read_body(api, scratch, &mut share, now),
                Phase::Waiting(_) => Step::Turn(Turn::Parked),
                Phase::Answering(then) => {
                    let then = *then;
                    self.after_answer(then, now)
                }
                Phase::Opening(stream) => {
                    Step::Turn(stream.take().map_or(Turn::Closed, Turn::Stream))
                }
                Phase::Lingering { .. } => self.linger(scratch),
            };
            match step {
                Step::Turn(turn) => return turn,
                Step::Go => {}
            }
        }
    }

    /// The pool's (or the worker's own) outcome of the request under way.
    pub fn finish(&mut self, api: &Api, outcome: Outcome, now: Instant) -> Turn {
        match outcome {
            Outcome::Response(answer) => {
                if let Phase::Waiting(options) = self.phase {
                    self.answer(api, &answer, options, now);
                }
                Turn::More
            }
            Outcome::Stream(head, stream) => {
                self.open(api, &head, stream, now);
                Turn::More
            }
            Outcome::Change(pending) => {
                self.deadline = now + WAITING;
                Turn::Change(pending)
            }
        }
    }

    /// Its deadline has passed.
    pub fn expire(&mut self, api: &Api, now: Instant) -> Turn {
        match &self.phase {
            // The pool and the journal always answer; their own limits bound the wait.
            Phase::Waiting(_) => {
                self.deadline = now + WAITING;
                Turn::Parked
            }
            Phase::Head(_) if !self.link.inbound.is_empty() => self.time_out(api, now),
            Phase::Body(_) => self.time_out(api, now),
            Phase::Head(_) => {
                self.link.say_goodbye();
                let mut share = TURN_BYTES;
                let _ = self.send(&mut share, now);
                Turn::Closed
            }
            _ => Turn::Closed,
        }
    }

    fn time_out(&mut self, api: &Api, now: Instant) -> Turn {
        self.refuse(api, 408, "the request took too long to arrive", now);
        Turn::More
    }

    /// Takes the connection apart for the hub, with whatever the client sent ahead.
    #[must_use]
    pub fn into_stream(self) -> (Box<dyn Transport>, Vec<u8>, ConnectionPermit) {
        let (transport, leftover) = self.link.into_parts();
        (transport, leftover, self.place)
    }

    // --- reading ---

    fn shake_hands(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> Step {
        if !self.link.is_handshaking() {
            self.await_request(now);
            return Step::Go;
        }
        match self.link.receive(scratch, share) {
            Ok(Received::Bytes) => Step::Go,
            Ok(Received::Nothing) => Step::Turn(Turn::Parked),
            Ok(Received::Share) => Step::Turn(Turn::More),
            Ok(Received::PlainText) => self.explain_https(api, now),
            Ok(Received::End) | Err(_) => Step::Turn(Turn::Closed),
        }
    }

    /// A client speaks plain HTTP to this port, and gets an answer that it can read.
    fn explain_https(&mut self, api: &Api, now: Instant) -> Step {
        if api.charge_malformed(self.peer).is_err() {
            return Step::Turn(Turn::Closed);
        }
        let error = ApiError::Protocol(400, "this port speaks HTTPS".into());
        let bytes = render(&error.response(), CLOSING);
        if self.link.send_plain(&bytes).is_err() {
            return Step::Turn(Turn::Closed);
        }
        self.phase = LINGERING;
        self.deadline = now + LINGER;
        Step::Go
    }

    fn await_request(&mut self, now: Instant) {
        self.phase = Phase::Head(HeadReader::default());
        self.deadline = now
            + if self.link.inbound.is_empty() {
                IDLE
            } else {
                HEAD
            };
        self.link.release();
    }

    fn read_head(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> Step {
        let Phase::Head(reader) = &mut self.phase else {
            return Step::Go;
        };
        let was_idle = self.link.inbound.is_empty();
        match reader.read(&self.link.inbound, self.peer) {
            Ok(Some((head, length))) => {
                self.link.inbound.drain(..length);
                self.head_bytes = length;
                return self.take_request(api, head, now);
            }
            Ok(None) => {}
            Err(error) => {
                match api.charge_malformed(self.peer) {
                    Ok(()) => self.refuse(api, error.status(), &error.to_string(), now),
                    Err(limit) => self.answer(api, &limit.response(), CLOSING, now),
                }
                return Step::Go;
            }
        }
        let step = self.receive(scratch, share);
        if was_idle && !self.link.inbound.is_empty() {
            self.deadline = now + HEAD;
        }
        step
    }

    /// Reads on, past the handshake.
    fn receive(&mut self, scratch: &mut [u8], share: &mut usize) -> Step {
        match self.link.receive(scratch, share) {
            Ok(Received::Bytes) => Step::Go,
            Ok(Received::Nothing) => Step::Turn(Turn::Parked),
            Ok(Received::Share) => Step::Turn(Turn::More),
            Ok(Received::End | Received::PlainText) | Err(_) => Step::Turn(Turn::Closed),
        }
    }

    fn take_request(&mut self, api: &Api, head: RequestHead, now: Instant) -> Step {
        let options = WriteOptions {
            head_only: head.request.method == Method::Head,
            keep_alive: head.keep_alive && !self.leaving,
        };
        let found = route::find(&head.request.method, head.request.target.path());
        self.under_way = Some((RouteNumber::of(&found), Instant::now()));
        let verdict = api.admit(&head.request, found);
        if let Ok(call) = &verdict {
            self.sign_in(call.session());
        }
        let takes_body = !matches!(
            head.request.method,
            Method::Get | Method::Head | Method::Options
        );
        let keep = match &verdict {
            // A password that waits for bcrypt makes nobody known.
            Ok(call) if call.session().is_none() && self.peer != Peer::Local => {
                BodyWanted::UpTo(MAX_STRANGERS_BODY)
            }
            Ok(_) if takes_body => BodyWanted::UpTo(MAX_BODY),
            Err(_) | Ok(_) => BodyWanted::Nothing,
        };
        let body = match BodyReader::new(head.body, keep) {
            Ok(body) => body,
            Err(error) => {
                // Refused unread. The request limit goes first: it must not be possible to dodge it with a large body.
                match verdict {
                    Err(limit) if limit.status == 429 => {
                        self.answer(api, &limit, CLOSING, now);
                    }
                    _ => self.refuse(api, error.status(), &error.to_string(), now),
                }
                return Step::Go;
            }
        };
        if head.expects_continue && !body.is_done() && self.link.inbound.is_empty() {
            if let Err(refusal) = verdict {
                // The client has not sent its body yet and need not.
                self.answer(api, &refusal, CLOSING, now);
                return Step::Go;
            }
            self.link.queue(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        }
        if body.is_done() {
            let waited = false;
            return self.answer_request(api, head.request, verdict, options, waited, now);
        }
        self.deadline = now + BODY;
        self.phase = Phase::Body(Box::new(Pending {
            request: head.request,
            verdict,
            body,
            options,
        }));
        Step::Go
    }

    fn read_body(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> Step {
        let Phase::Body(pending) = &mut self.phase else {
            return Step::Go;
        };
        match pending.body.feed(&self.link.inbound) {
            Ok(used) => {
                self.link.inbound.drain(..used);
            }
            Err(error) => {
                self.refuse(api, error.status(), &error.to_string(), now);
                return Step::Go;
            }
        }
        if pending.body.is_done() {
            let Phase::Body(pending) = std::mem::replace(&mut self.phase, Phase::Waiting(CLOSING))
            else {
                return Step::Go;
            };
            let Pending {
                mut request,
                verdict,
                body,
                options,
            } = *pending;
            request.body = body.into_bytes();
            let waited = true;
            return self.answer_request(api, request, verdict, options, waited, now);
        }
        self.receive(scratch, share)
    }

    fn answer_request(
        &mut self,
        api: &Api,
        request: Request,
        verdict: Result<Call, Response>,
        options: WriteOptions,
        waited: bool,
        now: Instant,
    ) -> Step {
        self.phase = Phase::Waiting(options);
        let call = match verdict {
            Ok(call) => call,
            Err(refusal) => {
                self.answer(api, &refusal, options, now);
                return Step::Go;
            }
        };
        let outcome = match api.run_at_once(call, &request, waited) {
            Ok(outcome) => outcome,
            Err(call) => {
                self.deadline = now + WAITING;
                return Step::Turn(Turn::Dispatch(Box::new((*call, request))));
            }
        };
        match self.finish(api, outcome, now) {
            Turn::More => Step::Go,
            turn => Step::Turn(turn),
        }
    }

    // --- answering ---

    /// Refuses in words and closes: where the next request would begin is unknown.
    fn refuse(&mut self, api: &Api, status: u16, detail: &str, now: Instant) {
        let error = ApiError::Protocol(status, detail.to_owned());
        self.answer(api, &error.response(), CLOSING, now);
    }

    fn answer(&mut self, api: &Api, answer: &Response, options: WriteOptions, now: Instant) {
        self.count(api, answer.status);
        let options = WriteOptions {
            keep_alive: options.keep_alive && !self.leaving,
            ..options
        };
        self.link.queue(render(answer, options));
        self.phase = Phase::Answering(if options.keep_alive {
            Then::NextRequest
        } else {
            Then::Close
        });
        self.deadline = now + STALLED_WRITE;
    }

    /// The answer is a stream: its head is sent here, and what follows by the hub.
    fn open(&mut self, api: &Api, head: &Response, stream: Box<Stream>, now: Instant) {
        if !self.place.stream() {
            let busy = ApiError::Busy(RETRY_STREAMS).response();
            return self.answer(api, &busy, CLOSING, now);
        }
        // By a ticket too.
        self.is_known = true;
        self.count(api, head.status);
        let head = match stream.encoding {
            Encoding::WebSocket => render_upgrade(head),
            Encoding::JsonLines { chunked } | Encoding::ServerSentEvents { chunked } => {
                // HTTP/1.0 does not know chunks: there the end of the connection ends the body.
                let framing = if chunked {
                    Framing::Chunked
                } else {
                    Framing::UntilClose
                };
                render_head(head, framing)
            }
        };
        self.link.queue(head);
        self.phase = Phase::Opening(Some(stream));
        self.deadline = now + STALLED_WRITE;
    }

    fn count(&mut self, api: &Api, status: u16) {
        // What never became a request took no time that means anything.
        let (route, took) = self
            .under_way
            .take()
            .map_or((RouteNumber::OTHER, Duration::ZERO), |(route, since)| {
                (route, since.elapsed())
            });
        api.counts.requests.answered(route, status, took);
    }

    fn after_answer(&mut self, then: Then, now: Instant) -> Step {
        if then == Then::NextRequest && !self.leaving {
            self.await_request(now);
            // One request a turn; others want to be served between this one's pipelined requests.
            return match self.link.inbound.is_empty() {
                true if self.link.is_drained() => Step::Turn(Turn::Parked),
                true => Step::Go,
                false => Step::Turn(Turn::More),
            };
        }
        self.link.say_goodbye();
        self.phase = LINGERING;
        self.deadline = now + LINGER;
        Step::Go
    }

    fn send(&mut self, share: &mut usize, now: Instant) -> io::Result<Sent> {
        let mut progress = false;
        let sent = self.link.send(share, &mut progress);
        if progress && matches!(self.phase, Phase::Answering(_) | Phase::Opening(_)) {
            self.deadline = now + STALLED_WRITE;
        }
        sent
    }

    fn linger(&mut self, scratch: &mut [u8]) -> Step {
        let Phase::Lingering { is_shut, passed } = &mut self.phase else {
            return Step::Go;
        };
        if !*is_shut {
            *is_shut = true;
            self.link.shut_writing();
        }
        match self.link.discard(scratch) {
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

/// The socket, to poll it.
impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

/// As it begins.
const LINGERING: Phase = Phase::Lingering {
    is_shut: false,
    passed: 0,
};

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
/// How often a connection that waits for the pool or the journal is looked at.
const WAITING: Duration = Duration::from_secs(60);
/// How long a client may take to read its last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much it may still send meanwhile: a refused body of moderate size.
const MAX_LINGER_BYTES: usize = 1024 * 1024;
/// What one connection may send and read before the others get their turn.
const TURN_BYTES: usize = 128 * 1024;

/// Seconds after which a stream may have ended.
const RETRY_STREAMS: u64 = 5;

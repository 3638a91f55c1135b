//! One client, of the TLS listener or of the local socket: what it sent, what is to be sent to it, and its state in
//! between.
//!
//! A connection never blocks. Its worker *drives* it until it has nothing to do without the network, the pool or the
//! clock, and parks it with a deadline.

mod answering;
mod reading;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::admission::{
    ConnectionId, ConnectionPermit, ConnectionState, ConnectionsFull, Standing,
};
use super::link::{Link, Sent};
use crate::api::counts::RouteNumber;
use crate::api::{Api, Call, Outcome, PendingChange, Stream};
use crate::auth::Principal;
use crate::http::body::{BodyReader, MAX_STRANGERS_BODY};
use crate::http::request::{Peer, Request};
use crate::http::request_head::HeadReader;
use crate::http::response::{Response, WriteOptions};
use crate::logs::hub::Transport;

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
    Answering(AfterAnswer),
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
enum AfterAnswer {
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

enum DriveStep {
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
    pub fn sign_in(&mut self, sender: Option<&Principal>) {
        if let Some(principal) = sender {
            self.is_known = true;
            self.place.sign_in(principal);
        }
    }

    /// Tells what it does and how much it holds, for when something is short. Gives the connections that have to be
    /// closed for what it holds.
    ///
    /// # Errors
    /// [`ConnectionsFull`]: it is this one that has to be closed.
    pub fn report(&mut self, judge: &dyn Standing) -> Result<Vec<ConnectionId>, ConnectionsFull> {
        let (conduct, limit) = match &self.phase {
            Phase::Handshake => (ConnectionState::Handshake, HANDSHAKE),
            Phase::Head(_) if self.is_idle() => (ConnectionState::Idle, IDLE),
            Phase::Head(_) => (ConnectionState::Asking, HEAD),
            Phase::Body(_) => (ConnectionState::Asking, BODY),
            Phase::Waiting(_) => (ConnectionState::Waiting, WAITING),
            Phase::Answering(_) => (ConnectionState::Answered, STALLED_WRITE),
            Phase::Opening(_) => (ConnectionState::Stream, STALLED_WRITE),
            Phase::Lingering { .. } => (ConnectionState::Answered, LINGER),
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
                Phase::Waiting(_) => DriveStep::Turn(Turn::Parked),
                Phase::Answering(then) => {
                    let then = *then;
                    self.after_answer(then, now)
                }
                Phase::Opening(stream) => {
                    DriveStep::Turn(stream.take().map_or(Turn::Closed, Turn::Stream))
                }
                Phase::Lingering { .. } => self.linger(scratch),
            };
            match step {
                DriveStep::Turn(turn) => return turn,
                DriveStep::Go => {}
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

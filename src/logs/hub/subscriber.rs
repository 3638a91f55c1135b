//! One subscriber: a cursor into the ring, a wire, and its deadlines.

use std::any::Any;
use std::mem;
use std::time::Duration;

use super::protocol::StreamProtocol;
use super::stream::HttpStream;
use super::transport::Transport;
use super::websocket::WebSocketStream;
use super::wire::{Encoding, Flow, Inbound, Outgoing, StreamEnd};
use crate::clock::Moment;
use crate::logs::filter::Filter;
use crate::logs::ring::Ring;
use crate::logs::ring_entry::RingEntry;

/// How long a login still stands if nobody ends it; `None` once it has ended. Asked at [`recheck`](super::Hub::recheck) and
/// when that time is over. Must not block.
pub type Alive = Box<dyn Fn() -> Option<Duration> + Send>;

/// A stream to be served.
pub struct Subscription {
    /// The connection, non-blocking, after the response's head has been sent.
    pub transport: Box<dyn Transport>,
    /// How entries are put on the wire.
    pub encoding: Encoding,
    /// What the peer has sent behind its request; bounded by the reader of the request.
    pub leftover: Vec<u8>,
    /// Which entries to send.
    pub filter: Filter,
    /// Replay what the ring holds after this number; `None`: only what comes from now on.
    pub since: Option<u64>,
    /// Of which run `since` is a number; `None`: of this one.
    pub boot: Option<String>,
    /// How long the login this was opened under still stands.
    pub alive: Alive,
    /// Dropped with the subscriber.
    pub keep: Box<dyn Any + Send>,
}

pub(super) struct Subscriber {
    wire: StreamProtocol,
    filter: Filter,
    alive: Alive,
    /// When the login ends by itself, as far as is known.
    ends: Moment,
    _keep: Box<dyn Any + Send>,
    /// The number of the entry to look at next.
    cursor: u64,
    ready: Ready,
    /// Whether the wire holds output that is to be flushed first.
    pending: bool,
    /// Whether the ring had nothing after the cursor when last looked at.
    caught_up: bool,
    next_keep_alive: Moment,
    /// Whether one is due that has to wait for the output before it.
    owes_keep_alive: bool,
    heard: Moment,
    /// When the kernel last took output, or first refused it.
    progressed: Moment,
    /// Set once the stream is closing: until then the peer may take its time.
    closing: Option<Moment>,
}

/// What epoll, edge-triggered, has announced and we have not used up yet.
struct Ready {
    readable: bool,
    writable: bool,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubscriberTurn {
    /// Wait for its descriptor, its deadline, or the ring.
    Wait,
    /// There is more to do right now; the others come first.
    More,
    /// Drop it.
    Over,
}

impl Subscriber {
    /// Begins with the `hello`. Nothing is written before the first turn.
    pub(super) fn new(subscription: Subscription, ring: &Ring, now: Moment) -> Self {
        let (hello, (_, newest)) = ring.hello();
        let cursor = match subscription.since {
            None => newest.saturating_add(1),
            Some(since) => ring.after(since, subscription.boot.as_deref()),
        };
        let Subscription {
            transport,
            leftover,
            ..
        } = subscription;
        let stream = |transport, events, chunked| {
            StreamProtocol::Stream(HttpStream::new(transport, events, chunked, leftover.len()))
        };
        let boot = || Some(ring.boot().to_owned());
        let mut wire = match subscription.encoding {
            Encoding::JsonLines { chunked } => stream(transport, None, chunked),
            Encoding::ServerSentEvents { chunked } => stream(transport, boot(), chunked),
            Encoding::WebSocket => {
                StreamProtocol::WebSocket(Box::new(WebSocketStream::new(transport, leftover)))
            }
        };
        wire.send(Outgoing {
            event: Some("hello"),
            // One that has named no place, and is cut off before its first entry, must know as well where it was.
            id: subscription.since.is_none().then_some(newest),
            json: hello,
        });
        Self {
            wire,
            filter: subscription.filter,
            alive: subscription.alive,
            ends: now + Duration::MAX,
            _keep: subscription.keep,
            cursor,
            // Whatever the transport holds already, epoll will not announce it.
            ready: Ready {
                readable: true,
                writable: true,
            },
            pending: true,
            caught_up: false,
            next_keep_alive: now + KEEP_ALIVE,
            owes_keep_alive: false,
            heard: now,
            progressed: now,
            closing: None,
        }
    }

    pub(super) fn announce(&mut self, readable: bool, writable: bool, now: Moment) {
        self.ready.readable |= readable;
        if writable && !self.ready.writable {
            self.ready.writable = true;
            self.progressed = now;
        }
    }

    /// Whether it can take what the ring gets next.
    pub(super) fn awaits_push(&self) -> bool {
        self.closing.is_none() && self.caught_up && !self.pending
    }

    /// The last entry it has looked at.
    pub(super) fn seen(&self) -> u64 {
        self.cursor.saturating_sub(1)
    }

    /// Closes it if the login it was opened under has ended.
    pub(super) fn recheck(&mut self, now: Moment) {
        match (self.alive)() {
            Some(left) => self.ends = now + left,
            None => self.close(StreamEnd::LoginEnded, now + CLOSE_WAIT),
        }
    }

    pub(super) fn close(&mut self, ending: StreamEnd, until: Moment) {
        if let Some(earlier) = self.closing {
            self.closing = Some(earlier.min(until));
            return;
        }
        self.closing = Some(until);
        // What flushing says is seen in the next turn, for which this makes room.
        self.wire.close(ending);
        self.pending = true;
        self.ready.writable = true;
    }

    /// Listens, then speaks, a bounded amount of each.
    pub(super) fn turn(
        &mut self,
        now: Moment,
        ring: &Ring,
        batch: &mut Vec<RingEntry>,
    ) -> SubscriberTurn {
        if self.deadline() <= now && self.expire(now) == SubscriberTurn::Over {
            return SubscriberTurn::Over;
        }
        if self.ready.readable && self.listen(now) == SubscriberTurn::Over {
            return SubscriberTurn::Over;
        }
        let spoken = self.speak(now, ring, batch);
        if spoken == SubscriberTurn::Wait && self.ready.readable {
            return SubscriberTurn::More;
        }
        spoken
    }

    /// When something is due, or is to be given up.
    pub(super) fn deadline(&self) -> Moment {
        if let Some(until) = self.closing {
            return until;
        }
        let give_up = if self.wire.answers() {
            self.heard + SILENCE
        } else if self.pending {
            self.progressed + SILENCE
        } else {
            return self.next_keep_alive.min(self.ends);
        };
        self.next_keep_alive.min(give_up).min(self.ends)
    }

    fn expire(&mut self, now: Moment) -> SubscriberTurn {
        if self.closing.is_some() {
            return SubscriberTurn::Over;
        }
        if self.ends <= now {
            // Unless the clock was set back meanwhile: then it has longer.
            self.recheck(now);
        }
        let last = if self.wire.answers() {
            self.heard
        } else if self.pending {
            self.progressed
        } else {
            now
        };
        if now.saturating_since(last) >= SILENCE {
            return SubscriberTurn::Over;
        }
        if self.next_keep_alive <= now {
            self.next_keep_alive = now + KEEP_ALIVE;
            self.owes_keep_alive = true;
        }
        SubscriberTurn::Wait
    }

    fn listen(&mut self, now: Moment) -> SubscriberTurn {
        self.wire.transport().refill();
        let heard = self.wire.listen();
        let transport = self.wire.transport();
        self.ready.readable = transport.spent();
        if transport.received() {
            self.heard = now;
            // A ping is to be answered.
            self.pending = true;
        }
        match heard {
            Inbound::Nothing => {}
            Inbound::Gone => return SubscriberTurn::Over,
            Inbound::Closing => {
                self.closing.get_or_insert(now + CLOSE_WAIT);
                self.pending = true;
            }
            Inbound::Refused => {
                self.closing.get_or_insert(now + REFUSED_WAIT);
                self.pending = true;
            }
        }
        SubscriberTurn::Wait
    }

    fn speak(&mut self, now: Moment, ring: &Ring, batch: &mut Vec<RingEntry>) -> SubscriberTurn {
        if !self.ready.writable {
            return SubscriberTurn::Wait;
        }
        if self.pending {
            let flow = self.wire.flush();
            if self.follow(flow, now) == SubscriberTurn::Over {
                return SubscriberTurn::Over;
            }
        }
        if self.closing.is_some() || self.pending {
            return SubscriberTurn::Wait;
        }
        if mem::take(&mut self.owes_keep_alive) {
            let flow = self.wire.keep_alive();
            if self.follow(flow, now) == SubscriberTurn::Over {
                return SubscriberTurn::Over;
            }
        }
        if self.pending {
            return SubscriberTurn::Wait;
        }
        batch.clear();
        let gap = ring.read_from(self.cursor, ENTRIES_A_TURN, BYTES_A_TURN, batch);
        self.caught_up = batch.is_empty();
        if let Some(gap) = gap {
            self.cursor = gap.to + 1;
            ring.count_missed(gap);
            let flow = self.wire.send(Outgoing {
                event: Some("gap"),
                // Where it ends, so that a browser that comes back is not told of it again.
                id: Some(gap.to),
                json: gap.json(),
            });
            if self.follow(flow, now) == SubscriberTurn::Over {
                return SubscriberTurn::Over;
            }
        }
        for entry in batch.drain(..) {
            if !self.ready.writable {
                break;
            }
            self.cursor = entry.seq + 1;
            if !self.filter.matches(&entry) {
                continue;
            }
            let flow = self.wire.send(Outgoing {
                event: None,
                id: Some(entry.seq),
                json: entry.json,
            });
            if self.follow(flow, now) == SubscriberTurn::Over {
                return SubscriberTurn::Over;
            }
        }
        if self.ready.writable {
            let flow = self.wire.flush();
            if self.follow(flow, now) == SubscriberTurn::Over {
                return SubscriberTurn::Over;
            }
        }
        if self.caught_up || !self.ready.writable {
            SubscriberTurn::Wait
        } else {
            SubscriberTurn::More
        }
    }

    fn follow(&mut self, flow: Flow, now: Moment) -> SubscriberTurn {
        match flow {
            Flow::Free => self.pending = false,
            Flow::Blocked => {
                self.pending = true;
                self.ready.writable = false;
                self.progressed = now;
            }
            Flow::Over => return SubscriberTurn::Over,
        }
        SubscriberTurn::Wait
    }
}

/// The server pings this often.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A peer from which nothing came (WebSocket), or into which nothing could be written (HTTP), for this long is dropped.
pub(super) const SILENCE: Duration = Duration::from_secs(90);

/// A peer that was refused has this long to read why.
pub(super) const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// A peer has this long to answer a close.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// What one subscriber may look at before the others have their turn: entries, and bytes of them.
const ENTRIES_A_TURN: usize = 64;
const BYTES_A_TURN: usize = 64 * 1024;

//! What is sent to a client: answers, the heads of streams, and the way to the end of the connection.

use std::io;
use std::time::{Duration, Instant};

use super::{
    AfterAnswer, Connection, DriveStep, LINGER, LINGERING, MAX_LINGER_BYTES, Phase, STALLED_WRITE,
    Turn,
};
use crate::api::counts::RouteNumber;
use crate::api::error::ApiError;
use crate::api::{Api, Stream};
use crate::http::framing::Framing;
use crate::http::response::{CLOSING, Response, WriteOptions, render, render_head, render_upgrade};
use crate::logs::hub::Encoding;
use crate::server::link::Sent;

impl Connection {
    /// Refuses in words and closes: where the next request would begin is unknown.
    pub(super) fn refuse(&mut self, api: &Api, status: u16, detail: &str, now: Instant) {
        let error = ApiError::Protocol(status, detail.to_owned());
        self.answer(api, &error.response(), CLOSING, now);
    }

    pub(super) fn answer(
        &mut self,
        api: &Api,
        answer: &Response,
        options: WriteOptions,
        now: Instant,
    ) {
        self.count(api, answer.status);
        let options = WriteOptions {
            keep_alive: options.keep_alive && !self.leaving,
            ..options
        };
        self.link.queue(render(answer, options));
        self.phase = Phase::Answering(if options.keep_alive {
            AfterAnswer::NextRequest
        } else {
            AfterAnswer::Close
        });
        self.deadline = now + STALLED_WRITE;
    }

    /// The answer is a stream: its head is sent here, and what follows by the hub.
    pub(super) fn open(&mut self, api: &Api, head: &Response, stream: Box<Stream>, now: Instant) {
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

    pub(super) fn after_answer(&mut self, then: AfterAnswer, now: Instant) -> DriveStep {
        if then == AfterAnswer::NextRequest && !self.leaving {
            self.await_request(now);
            // One request a turn; others want to be served between this one's pipelined requests.
            return match self.link.inbound.is_empty() {
                true if self.link.is_drained() => DriveStep::Turn(Turn::Parked),
                true => DriveStep::Go,
                false => DriveStep::Turn(Turn::More),
            };
        }
        self.link.say_goodbye();
        self.phase = LINGERING;
        self.deadline = now + LINGER;
        DriveStep::Go
    }

    pub(super) fn send(&mut self, share: &mut usize, now: Instant) -> io::Result<Sent> {
        let mut progress = false;
        let sent = self.link.send(share, &mut progress);
        if progress && matches!(self.phase, Phase::Answering(_) | Phase::Opening(_)) {
            self.deadline = now + STALLED_WRITE;
        }
        sent
    }

    pub(super) fn linger(&mut self, scratch: &mut [u8]) -> DriveStep {
        let Phase::Lingering { is_shut, passed } = &mut self.phase else {
            return DriveStep::Go;
        };
        if !*is_shut {
            *is_shut = true;
            self.link.shut_writing();
        }
        match self.link.discard(scratch) {
            Ok(0) => DriveStep::Turn(Turn::Closed),
            Ok(count) if *passed + count <= MAX_LINGER_BYTES => {
                *passed += count;
                DriveStep::Go
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                DriveStep::Turn(Turn::Parked)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => DriveStep::Go,
            _ => DriveStep::Turn(Turn::Closed),
        }
    }
}

/// Seconds after which a stream may have ended.
const RETRY_STREAMS: u64 = 5;

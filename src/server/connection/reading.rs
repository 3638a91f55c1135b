//! What a client sends: its handshake, the heads of its requests, and their bodies.

use std::time::Instant;

use tiny_http::Method;

use super::{
    BODY, Connection, DriveStep, HEAD, IDLE, LINGER, LINGERING, Pending, Phase, Turn, WAITING,
};
use crate::api::counts::RouteNumber;
use crate::api::error::ApiError;
use crate::api::{Api, Call, route};
use crate::http::body::{BodyReader, BodyWanted, MAX_BODY, MAX_STRANGERS_BODY};
use crate::http::request::{Peer, Request};
use crate::http::request_head::{HeadReader, RequestHead};
use crate::http::response::{CLOSING, Response, WriteOptions, render};
use crate::server::link::Received;

impl Connection {
    pub(super) fn shake_hands(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> DriveStep {
        if !self.link.is_handshaking() {
            self.await_request(now);
            return DriveStep::Go;
        }
        match self.link.receive(scratch, share) {
            Ok(Received::Bytes) => DriveStep::Go,
            Ok(Received::Nothing) => DriveStep::Turn(Turn::Parked),
            Ok(Received::Share) => DriveStep::Turn(Turn::More),
            Ok(Received::PlainText) => self.explain_https(api, now),
            Ok(Received::End) | Err(_) => DriveStep::Turn(Turn::Closed),
        }
    }

    /// A client speaks plain HTTP to this port, and gets an answer that it can read.
    fn explain_https(&mut self, api: &Api, now: Instant) -> DriveStep {
        if api.charge_malformed(self.peer).is_err() {
            return DriveStep::Turn(Turn::Closed);
        }
        let error = ApiError::Protocol(400, "this port speaks HTTPS".into());
        let bytes = render(&error.response(), CLOSING);
        if self.link.send_plain(&bytes).is_err() {
            return DriveStep::Turn(Turn::Closed);
        }
        self.phase = LINGERING;
        self.deadline = now + LINGER;
        DriveStep::Go
    }

    pub(super) fn await_request(&mut self, now: Instant) {
        self.phase = Phase::Head(HeadReader::default());
        self.deadline = now
            + if self.link.inbound.is_empty() {
                IDLE
            } else {
                HEAD
            };
        self.link.release();
    }

    pub(super) fn read_head(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> DriveStep {
        let Phase::Head(reader) = &mut self.phase else {
            return DriveStep::Go;
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
                return DriveStep::Go;
            }
        }
        let step = self.receive(scratch, share);
        if was_idle && !self.link.inbound.is_empty() {
            self.deadline = now + HEAD;
        }
        step
    }

    /// Reads on, past the handshake.
    fn receive(&mut self, scratch: &mut [u8], share: &mut usize) -> DriveStep {
        match self.link.receive(scratch, share) {
            Ok(Received::Bytes) => DriveStep::Go,
            Ok(Received::Nothing) => DriveStep::Turn(Turn::Parked),
            Ok(Received::Share) => DriveStep::Turn(Turn::More),
            Ok(Received::End | Received::PlainText) | Err(_) => DriveStep::Turn(Turn::Closed),
        }
    }

    fn take_request(&mut self, api: &Api, head: RequestHead, now: Instant) -> DriveStep {
        let options = WriteOptions {
            head_only: head.request.method == Method::Head,
            keep_alive: head.keep_alive && !self.leaving,
        };
        let found = route::find(&head.request.method, head.request.target.path());
        self.under_way = Some((RouteNumber::of(&found), Instant::now()));
        let verdict = api.admit(&head.request, found);
        if let Ok(call) = &verdict {
            self.sign_in(call.principal());
        }
        let takes_body = !matches!(
            head.request.method,
            Method::Get | Method::Head | Method::Options
        );
        let keep = match &verdict {
            // A password that waits for bcrypt makes nobody known.
            Ok(call) if call.principal().is_none() && self.peer != Peer::Local => {
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
                return DriveStep::Go;
            }
        };
        if head.expects_continue && !body.is_done() && self.link.inbound.is_empty() {
            if let Err(refusal) = verdict {
                // The client has not sent its body yet and need not.
                self.answer(api, &refusal, CLOSING, now);
                return DriveStep::Go;
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
        DriveStep::Go
    }

    pub(super) fn read_body(
        &mut self,
        api: &Api,
        scratch: &mut [u8],
        share: &mut usize,
        now: Instant,
    ) -> DriveStep {
        let Phase::Body(pending) = &mut self.phase else {
            return DriveStep::Go;
        };
        match pending.body.feed(&self.link.inbound) {
            Ok(used) => {
                self.link.inbound.drain(..used);
            }
            Err(error) => {
                self.refuse(api, error.status(), &error.to_string(), now);
                return DriveStep::Go;
            }
        }
        if pending.body.is_done() {
            let Phase::Body(pending) = std::mem::replace(&mut self.phase, Phase::Waiting(CLOSING))
            else {
                return DriveStep::Go;
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
    ) -> DriveStep {
        self.phase = Phase::Waiting(options);
        let call = match verdict {
            Ok(call) => call,
            Err(refusal) => {
                self.answer(api, &refusal, options, now);
                return DriveStep::Go;
            }
        };
        let outcome = match api.run_at_once(call, &request, waited) {
            Ok(outcome) => outcome,
            Err(call) => {
                self.deadline = now + WAITING;
                return DriveStep::Turn(Turn::Dispatch(Box::new((*call, request))));
            }
        };
        match self.finish(api, outcome, now) {
            Turn::More => DriveStep::Go,
            turn => DriveStep::Turn(turn),
        }
    }
}

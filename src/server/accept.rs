//! How a worker accepts clients: who may do a TLS handshake, who gets a place, and who loses one for that.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::admission::{ConnectionId, ConnectionPermit, ConnectionsFull};
use super::connection::Connection;
use super::listen::Socket;
use super::worker::{OwnedConnection, Worker};
use crate::api::counts::ConnectionCounts;
use crate::http::request::Peer;
use crate::ids::ClientKey;

impl Worker {
    pub(super) fn accept(&mut self, listener: u64, now: Instant) {
        let listener = usize::try_from(listener)
            .ok()
            .and_then(|index| self.listeners.get(index))
            .cloned();
        let Some(listener) = listener else { return };
        for _ in 0..ACCEPTS {
            match listener.accept() {
                Ok((socket, peer)) => {
                    if self.may_shake_hands(peer) {
                        self.welcome(socket, peer, now);
                    } else {
                        self.refused(peer);
                    }
                }
                Err(error) => return self.not_accepted(&error, now),
            }
        }
    }

    /// A handshake costs far more than most requests, and comes before there is a request to count.
    fn may_shake_hands(&self, peer: Peer) -> bool {
        let Peer::Network(client) = peer else {
            return true;
        };
        let now = self.shared.api.clock.monotonic();
        self.is_proxy(client) || self.shared.handshakes.take(client, now).is_ok()
    }

    fn is_proxy(&self, client: ClientKey) -> bool {
        let proxies = &self.shared.trusted_proxies;
        proxies.iter().any(|net| net.contains(&client.address()))
    }

    fn not_accepted(&mut self, error: &io::Error, now: Instant) {
        if matches!(
            error.kind(),
            io::ErrorKind::WouldBlock
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::Interrupted
        ) {
            return;
        }
        if self
            .complained
            .is_none_or(|last| now.saturating_duration_since(last) >= COMPLAINTS)
        {
            self.complained = Some(now);
            log::warn!(error:% = error; "a connection could not be accepted");
        }
        // Out of descriptors or memory: room is made, if that is possible. If not, the listener is ready all the same,
        // and without a pause this would spin.
        let shared = self.shared.clone();
        let victim = (shared.admission.spare(&*shared.api, now))
            .or_else(|| shared.local_admission.spare(&*shared.api, now));
        match victim {
            Some(victim) => self.close(victim),
            None => thread::sleep(ACCEPT_PAUSE),
        }
    }

    /// Gives a newcomer a place, if need be that of a connection which gives way to it; else it is refused: closed.
    fn welcome(&mut self, socket: Socket, peer: Peer, now: Instant) {
        let shared = self.shared.clone();
        let (admission, client, is_counted) = match peer {
            Peer::Network(client) => (&shared.admission, Some(client), !self.is_proxy(client)),
            // All are one client, and it has the whole.
            Peer::Local => (&shared.local_admission, None, true),
        };
        let number = ConnectionId {
            worker: self.index,
            token: self.next_token,
        };
        self.next_token += 1;
        match admission.enter(number, client, is_counted, &*shared.api, now) {
            Ok((place, victim)) => {
                if let Some(victim) = victim {
                    self.close(victim);
                }
                self.admit(socket, peer, place, now);
            }
            Err(ConnectionsFull) => self.refused(peer),
        }
    }

    /// Closes a connection that has lost its place, whoever's it is.
    pub(super) fn close(&mut self, victim: ConnectionId) {
        if victim.worker == self.index {
            self.shed(victim.token);
        } else if let Some(colleague) = self.mailboxes.get(victim.worker) {
            colleague.shed(victim.token);
        }
    }

    pub(super) fn shed(&mut self, token: u64) {
        if let Some(connection) = self.forget(token)
            && connection.peer() != Peer::Local
        {
            count(&self.counts().shed);
        }
    }

    fn refused(&self, peer: Peer) {
        if peer != Peer::Local {
            count(&self.counts().refused);
        }
    }

    fn counts(&self) -> &ConnectionCounts {
        &self.shared.api.counts.connections
    }

    fn admit(&mut self, socket: Socket, peer: Peer, place: ConnectionPermit, now: Instant) {
        let token = place.number().token;
        let Ok(link) = socket.into_link(&self.shared.certificate) else {
            return;
        };
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        if epoll::add(&self.epoll, &link, EventData::new_u64(token), flags).is_err() {
            return;
        }
        if peer != Peer::Local {
            count(&self.counts().accepted);
        }
        let connection = Connection::new(link, peer, place, now);
        let kept = OwnedConnection {
            alarm: connection.deadline(),
            connection,
            is_ready: false,
        };
        self.alarms.insert((kept.alarm, token));
        self.connections.insert(token, kept);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// New clients accepted in one turn. Few, so that a rush spreads over the workers, and clients in service wait little.
const ACCEPTS: usize = 4;

/// The pause while there are no descriptors left: short for waiting clients, long for a loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The same trouble is worth a log line this often.
const COMPLAINTS: Duration = Duration::from_secs(60);

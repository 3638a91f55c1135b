//! The limits of connections: how many in all and from one address, how much memory before sign-in, and who
//! gives way when a limit is reached.
//!
//! The order is that of [`Precedence`]: the proven before the unproven, then whoever holds least. A connection that has
//! signed in is the last to give way. The choice is among all workers' connections, whichever worker the newcomer came
//! to.

mod permit;

pub use permit::ConnectionPermit;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::api::Api;
use crate::auth::Principal;
use crate::ids::ClientKey;
use crate::limits::fairness::{Holder, Holdings, NETWORK_SHARE, Precedence};

/// Counts connections and bytes against their limits.
#[derive(Debug)]
pub struct Admission {
    max_total: usize,
    max_per_client: usize,
    /// The unproven of a /64 together.
    max_per_network: usize,
    max_streams: usize,
    /// What all that have not signed in may hold together, in bytes.
    max_bytes: usize,
    total: Arc<AtomicUsize>,
    streams: AtomicUsize,
    /// What a [`ConnectionState`] counts its time from.
    origin: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    seats: HashMap<ConnectionId, ConnectionEntry>,
    places: Holdings,
    bytes: Holdings,
    /// What all hold together.
    total_bytes: usize,
    /// Those that lost their place and are not closed yet.
    leaving: usize,
}

/// Which connection: it is its worker's that many-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// The worker.
    pub worker: usize,
    /// Its token there.
    pub token: u64,
}

/// What the table knows of a connection.
#[derive(Debug)]
struct ConnectionEntry {
    holder: Holder,
    /// Whether it counts for its client. A proxy's connections do not: many people come through one.
    is_counted: bool,
    bytes: usize,
    told: Arc<ConnectionActivity>,
}

/// What a connection reports of itself, without a lock that others wait for.
#[derive(Debug, Default)]
struct ConnectionActivity {
    /// A [`ConnectionState`] in the upper byte, and since when, in microseconds.
    conduct: AtomicU64,
    principal: Mutex<Option<Principal>>,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// It shakes hands.
    Handshake,
    /// It waits for a request.
    Idle,
    /// It sends a request.
    Asking,
    /// It takes an answer.
    Answered,
    /// It waits for the server.
    Waiting,
    /// It is a log stream, which the hub has.
    Stream,
}

/// How soon a connection gives way before its equals: the last first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Busy,
    Idle,
    Handshake,
    /// It keeps the server waiting.
    Suspect,
}

/// Who is who. Asked with the table locked: must be cheap.
pub trait Standing {
    /// Whether the address had a success of late.
    fn is_proven(&self, client: ClientKey) -> bool;
    /// Whether what a caller has shown still holds.
    fn is_alive(&self, principal: &Principal) -> bool;
}

impl Standing for Api {
    fn is_proven(&self, client: ClientKey) -> bool {
        let now = self.clock.monotonic();
        self.auth.proven().contains(client, now)
    }

    fn is_alive(&self, principal: &Principal) -> bool {
        self.auth.is_alive(principal)
    }
}

/// Why there is no room: nobody holds more than the newcomer would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionsFull;

impl Admission {
    /// Limits for the network: in all, and for one address.
    #[must_use]
    pub fn new(max_total: usize, max_per_client: usize) -> Arc<Self> {
        Self::with_streams(max_total, max_per_client, max_total)
    }

    /// Limits for the local socket, where all are one client. Streams are not shed, so they leave half of it to
    /// questions.
    #[must_use]
    pub fn local(max_total: usize) -> Arc<Self> {
        Self::with_streams(max_total, max_total, max_total.div_ceil(2))
    }

    fn with_streams(max_total: usize, max_per_client: usize, max_streams: usize) -> Arc<Self> {
        Arc::new(Self {
            max_total,
            max_per_client,
            // Half, so that a host with any number of addresses leaves room for those from elsewhere.
            max_per_network: (NETWORK_SHARE * max_per_client)
                .min(max_total / 2)
                .max(max_per_client),
            max_streams,
            max_bytes: (max_total * BYTES_EACH).clamp(LEAST_BYTES, MOST_BYTES),
            total: Arc::default(),
            streams: AtomicUsize::new(0),
            origin: Instant::now(),
            table: Mutex::default(),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> Arc<AtomicUsize> {
        self.total.clone()
    }

    /// Takes a place, if need be that of a connection that the caller then closes: it has lost it already. Of a proxy,
    /// whose connections are many people's, `client` counts for nobody.
    ///
    /// # Errors
    /// [`ConnectionsFull`]
    pub fn enter(
        self: &Arc<Self>,
        number: ConnectionId,
        client: Option<ClientKey>,
        is_counted: bool,
        judge: &dyn Standing,
        now: Instant,
    ) -> Result<(ConnectionPermit, Option<ConnectionId>), ConnectionsFull> {
        let is_proven = client.is_none_or(|client| judge.is_proven(client)) || !is_counted;
        let holder = Holder { client, is_proven };
        let mut table = self.table.lock();
        let victim = match self.scope(&table, holder, is_counted) {
            Some(scope) => {
                let newcomer = (holder, is_counted, number.worker);
                Some(self.choose(&table, newcomer, scope, judge, now)?)
            }
            None => None,
        };
        if let Some(victim) = victim {
            self.dismiss(&mut table, victim);
        }
        let told = Arc::new(ConnectionActivity::default());
        let seat = ConnectionEntry {
            holder,
            is_counted,
            bytes: 0,
            told: told.clone(),
        };
        table.places.add(holder, usize::from(is_counted));
        table.seats.insert(number, seat);
        self.total.fetch_add(1, Ordering::Relaxed);
        let place = ConnectionPermit::new(self, number, told);
        place.tell(ConnectionState::Handshake, now);
        Ok((place, victim))
    }

    /// A connection that can be spared, if there is one; it has lost its place. For when the system has nothing left.
    pub fn spare(&self, judge: &dyn Standing, now: Instant) -> Option<ConnectionId> {
        let mut table = self.table.lock();
        let seats = table.seats.iter();
        let spared = seats.filter_map(|(number, seat)| {
            let (signed_in, rank, since) = self.look(seat, judge, now)?;
            let precedence = seat.precedence(&table.places, judge);
            let can_go = !precedence.is_proven() || rank != Rank::Busy;
            let order = (!signed_in, precedence, rank, std::cmp::Reverse(since));
            can_go.then_some((order, *number))
        });
        let (_, victim) = spared.max_by_key(|(order, _)| *order)?;
        self.dismiss(&mut table, victim);
        Some(victim)
    }

    /// Whose connection has to give way before this one may come in, if any has to.
    fn scope(&self, table: &Table, newcomer: Holder, is_counted: bool) -> Option<Scope> {
        if is_counted && table.places.of(newcomer.client) >= self.max_per_client {
            return Some(Scope::Client(newcomer.client));
        }
        let network = table.places.of_network(newcomer);
        if network.is_some_and(|held| held >= self.max_per_network) {
            return Some(Scope::Network(newcomer.network()));
        }
        (table.seats.len() >= self.max_total).then_some(Scope::All)
    }

    fn choose(
        &self,
        table: &Table,
        (newcomer, is_counted, worker): (Holder, bool, usize),
        scope: Scope,
        judge: &dyn Standing,
        now: Instant,
    ) -> Result<ConnectionId, ConnectionsFull> {
        // Until their workers have closed them they hold descriptors outside the limit. The newcomer's own does so at
        // once.
        let anywhere = table.leaving < MAX_LEAVING;
        let here = |number: &ConnectionId| anywhere || number.worker == worker;
        let candidates = table.seats.iter().filter(|(number, seat)| match scope {
            Scope::Client(client) => here(number) && seat.holder.client == client,
            Scope::Network(network) => here(number) && seat.holder.network() == network,
            Scope::All => here(number),
        });
        let spared = candidates.filter_map(|(number, seat)| {
            let (signed_in, rank, since) = self.look(seat, judge, now)?;
            let precedence = seat.precedence(&table.places, judge);
            let from = seat.is_counted.then_some(seat.holder);
            let after = if is_counted {
                table.places.precedence_with(newcomer, 1, from)
            } else {
                Precedence::of_one()
            };
            // Equals change places only where nobody is being served.
            let is_patient = matches!(rank, Rank::Idle | Rank::Suspect);
            let gives_way = if signed_in {
                let is_own = seat.holder.client == newcomer.client;
                is_patient && (is_own || (after.is_proven() && precedence > after))
            } else {
                precedence > after || (precedence == after && is_patient)
            };
            let order = (!signed_in, precedence, rank, std::cmp::Reverse(since));
            gives_way.then_some((order, *number))
        });
        let victim = spared.max_by_key(|(order, _)| *order);
        victim.map(|(_, number)| number).ok_or(ConnectionsFull)
    }

    /// Whether a connection has signed in, how soon it gives way, and since when. `None` for a stream.
    fn look(
        &self,
        seat: &ConnectionEntry,
        judge: &dyn Standing,
        now: Instant,
    ) -> Option<(bool, Rank, u64)> {
        let (conduct, since) = seat.told.conduct();
        let lasts = self.micros(now).saturating_sub(since);
        let is_slow = lasts >= SUSPECT_MICROS;
        let rank = match conduct {
            ConnectionState::Stream => return None,
            ConnectionState::Waiting => Rank::Busy,
            ConnectionState::Idle => Rank::Idle,
            _ if is_slow => Rank::Suspect,
            // On the local socket all are one client, who is asking now.
            ConnectionState::Handshake | ConnectionState::Asking
                if seat.holder.client.is_none() =>
            {
                Rank::Idle
            }
            ConnectionState::Handshake => Rank::Handshake,
            ConnectionState::Asking | ConnectionState::Answered => Rank::Busy,
        };
        let mut principal = seat.told.principal.lock();
        let signed_in = principal
            .as_ref()
            .is_some_and(|principal| judge.is_alive(principal));
        if !signed_in {
            *principal = None;
        }
        Some((signed_in, rank, since))
    }

    fn dismiss(&self, table: &mut Table, victim: ConnectionId) {
        if table.free(victim) {
            self.total.fetch_sub(1, Ordering::Relaxed);
            table.leaving += 1;
        }
    }

    fn micros(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Among whom room has to be made.
#[derive(Clone, Copy)]
enum Scope {
    Client(Option<ClientKey>),
    Network(Option<ClientKey>),
    All,
}

impl ConnectionEntry {
    /// Where it stands by what is held of one thing.
    fn precedence(&self, holdings: &Holdings, judge: &dyn Standing) -> Precedence {
        if !self.is_counted {
            return Precedence::of_one();
        }
        // It may have been proven since it came.
        let client = self.holder.client;
        let is_proven = client.is_none_or(|client| judge.is_proven(client));
        holdings.precedence(Holder { client, is_proven })
    }
}

impl Table {
    /// Takes a connection's place and its bytes from it.
    fn free(&mut self, number: ConnectionId) -> bool {
        let Some(seat) = self.seats.remove(&number) else {
            return false;
        };
        self.places
            .remove(seat.holder, usize::from(seat.is_counted));
        self.bytes.remove(seat.holder, seat.bytes);
        self.total_bytes -= seat.bytes;
        true
    }
}

impl ConnectionActivity {
    fn conduct(&self) -> (ConnectionState, u64) {
        let told = self.conduct.load(Ordering::Relaxed);
        let conduct = match told >> SINCE_BITS {
            0 => ConnectionState::Handshake,
            1 => ConnectionState::Idle,
            2 => ConnectionState::Asking,
            3 => ConnectionState::Answered,
            4 => ConnectionState::Waiting,
            _ => ConnectionState::Stream,
        };
        (conduct, told & ((1 << SINCE_BITS) - 1))
    }
}

/// A handshake, a head or a body is here within a fraction of this, if it is sent at all.
const SUSPECT: Duration = Duration::from_secs(2);
const SUSPECT_MICROS: u64 = SUSPECT.as_secs() * 1_000_000;

/// Microseconds in 56 bits last for two thousand years. In milliseconds, neighbours in time would be equals: a
/// connection is made and answered in less.
const SINCE_BITS: u32 = 56;

/// Connections that have lost their places and are not closed yet: that takes microseconds.
const MAX_LEAVING: usize = 16;

/// The share for each possible connection: half of the longest `ClientHello`.
const BYTES_EACH: usize = 8 * 1024;

/// Room for a few of those on the smallest board.
const LEAST_BYTES: usize = 512 * 1024;

/// What all clients together may hold before they have signed in.
const MOST_BYTES: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests;

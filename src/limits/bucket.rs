//! The token bucket in front of every request: one for each client address, and a larger one for each IPv6 /64, which its
//! proven addresses neither draw on nor are held to.
//!
//! Kept as the generic cell rate algorithm (ITU-T I.371): one number a client, the *theoretical arrival time* at which
//! its bucket would be full again. To take a token is to move that time on by the interval between two requests; a
//! request is refused when that would put it more than a burst ahead of now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::proven::{Accounts, MOST_PROVEN, NETWORK_SHARE};
use super::{Proven, whole_seconds};
use crate::clock::Moment;
use crate::ids::ClientKey;

/// The client must wait this many whole seconds, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// All buckets. Time is counted in *steps*: `rps` of them make a millisecond, so that the interval between two requests
/// is a whole number of steps whatever the rate, and the limit is exact.
pub struct Buckets {
    rps: u64,
    proven: Arc<Proven>,
    tables: Mutex<BucketTables>,
}

struct BucketTables {
    clients: BucketTable,
    networks: BucketTable,
}

struct BucketTable {
    /// Between two requests, in steps.
    interval: u64,
    /// How far ahead of now, in steps, a bucket may get.
    allowance: u64,
    capacity: usize,
    /// When each bucket is full again, in steps. A full bucket need not be here.
    full_at: HashMap<ClientKey, u64>,
    /// Shared by those for whom there is no room.
    overflow: u64,
    swept: Moment,
}

impl Buckets {
    /// Buckets of `burst` tokens (at least 1) that fill at `rps` tokens a second (1 to [`MAX_RPS`]), for at most
    /// `capacity` clients, and as many networks, at a time; those of a network are [`NETWORK_SHARE`] times as large. Further
    /// clients share one bucket: a flood from ten million addresses costs strangers their turn, not the board its memory. A
    /// proven client has always one of its own.
    #[must_use]
    pub fn new(rps: u32, burst: u32, capacity: usize, proven: Arc<Proven>) -> Self {
        let table = |interval, burst: u64| BucketTable {
            interval,
            allowance: burst.saturating_sub(1) * interval,
            capacity,
            full_at: HashMap::new(),
            overflow: 0,
            swept: Moment::default(),
        };
        let (burst, share) = (u64::from(burst), u64::from(NETWORK_SHARE));
        Self {
            rps: u64::from(rps.clamp(1, MAX_RPS)),
            proven,
            tables: Mutex::new(BucketTables {
                clients: table(INTERVAL, burst),
                networks: table(INTERVAL / share, burst * share),
            }),
        }
    }

    /// Takes one token of `client`'s, and of its network's unless it is proven: of both or of none.
    ///
    /// # Errors
    /// How long to wait for the next token, if there is none.
    pub fn take(&self, client: ClientKey, now: Moment) -> Result<(), RetryAfter> {
        let Accounts {
            own,
            network,
            proven,
        } = self.proven.accounts(client, now);
        let steps = self.steps(now);
        let mut tables = self.tables.lock();
        let BucketTables { clients, networks } = &mut *tables;
        let network = network.map(|network| networks.bucket(network, 0, steps, now));
        let extra = if proven { MOST_PROVEN } else { 0 };
        let own = clients.bucket(own, extra, steps, now);
        let buckets = || network.iter().chain([&own]);
        if let Some(wait) = buckets().map(|bucket| bucket.wait).max()
            && wait > 0
        {
            let wait = Duration::from_millis(wait.div_ceil(self.rps));
            return Err(RetryAfter(whole_seconds(wait)));
        }
        if let Some(network) = network {
            networks.take(network, steps);
        }
        clients.take(own, steps);
        Ok(())
    }

    /// Forgets the buckets that are full again. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        let steps = self.steps(now);
        let mut tables = self.tables.lock();
        tables.clients.sweep(steps, now);
        tables.networks.sweep(steps, now);
    }

    /// How many clients have a bucket that is not known to be full.
    pub fn len(&self) -> usize {
        self.tables.lock().clients.full_at.len()
    }

    /// Whether there is no such client.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn steps(&self, now: Moment) -> u64 {
        let millis = u64::try_from(now.since_origin().as_millis()).unwrap_or(u64::MAX);
        millis.saturating_mul(self.rps)
    }
}

/// A bucket that was looked at.
#[derive(Clone, Copy)]
struct Bucket {
    /// Whose; `None`: the one of those for whom there is no room.
    whose: Option<ClientKey>,
    full_at: u64,
    /// Steps to wait for a token, 0 if there is one.
    wait: u64,
}

impl BucketTable {
    /// Looks at a client's bucket. `extra` is the room beyond the capacity that is kept for clients like this one.
    fn bucket(&mut self, client: ClientKey, extra: usize, steps: u64, now: Moment) -> Bucket {
        let mut known = self.full_at.get(&client).copied();
        if known.is_none() {
            if self.full_at.len() >= self.capacity {
                self.sweep_if_due(steps, now);
            }
            known = (self.full_at.len() < self.capacity + extra).then_some(0);
        }
        let full_at = known.unwrap_or(self.overflow);
        Bucket {
            whose: known.map(|_| client),
            full_at,
            wait: full_at.saturating_sub(steps).saturating_sub(self.allowance),
        }
    }

    /// Takes a token of a bucket.
    fn take(&mut self, bucket: Bucket, steps: u64) {
        let full_at = bucket.full_at.max(steps) + self.interval;
        match bucket.whose {
            Some(client) => {
                self.full_at.insert(client, full_at);
            }
            None => self.overflow = full_at,
        }
    }

    fn sweep_if_due(&mut self, steps: u64, now: Moment) {
        if now.saturating_since(self.swept) >= SWEEP_PAUSE {
            self.sweep(steps, now);
        }
    }

    fn sweep(&mut self, steps: u64, now: Moment) {
        self.full_at.retain(|_, full_at| *full_at > steps);
        if self.full_at.len() < self.full_at.capacity() / 4 {
            self.full_at.shrink_to_fit();
        }
        self.swept = now;
    }
}

/// The highest rate: more than a board answers, and low enough that the steps last for ever.
pub const MAX_RPS: u32 = 1_000_000;

/// Between two requests of a client, in steps: `rps` requests a second, `rps` steps a millisecond, hence a thousand.
const INTERVAL: u64 = 1_000;

/// A full table is searched for full buckets at most this often, or a flood of new addresses would turn each request
/// into a walk over all of them.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

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
use super::{ClientKey, Proven, whole_seconds};
use crate::clock::Moment;

/// The client must wait this many whole seconds, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// All buckets. Time is counted in *steps*: `rps` of them make a millisecond, so that the interval between two requests
/// is a whole number of steps whatever the rate, and the limit is exact.
pub struct Buckets {
    rps: u64,
    proven: Arc<Proven>,
    tables: Mutex<Tables>,
}

struct Tables {
    clients: Table,
    networks: Table,
}

struct Table {
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
        let table = |interval, burst: u64| Table {
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
            tables: Mutex::new(Tables {
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
        let Tables { clients, networks } = &mut *tables;
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

impl Table {
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
mod tests {
    use super::*;
    use std::net::IpAddr;

    const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
    const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);

    fn at(millis: u64) -> Moment {
        Moment::default() + Duration::from_millis(millis)
    }

    fn fresh(rps: u32, burst: u32, capacity: usize) -> Buckets {
        Buckets::new(rps, burst, capacity, Arc::default())
    }

    /// The `host`th address of the `net`th network.
    fn v6(net: u64, host: u64) -> ClientKey {
        let prefix = 0x2001_0db8_0000_0000 | net;
        IpAddr::from((u128::from(prefix) << 64 | u128::from(host)).to_be_bytes()).into()
    }

    fn taken(buckets: &Buckets, client: ClientKey, now: Moment) -> usize {
        (0..1000)
            .take_while(|_| buckets.take(client, now).is_ok())
            .count()
    }

    #[test]
    fn a_fresh_client_gets_exactly_the_burst_and_then_the_rate() {
        for rps in [1, 3, 7, 20, 300] {
            let buckets = fresh(rps, 60, 100);
            assert_eq!(taken(&buckets, A, at(5_000)), 60);
            assert_eq!(taken(&buckets, B, at(5_000)), 60);
            let mut granted = 0;
            for millis in 5_001..=15_000 {
                granted += taken(&buckets, A, at(millis));
            }
            assert_eq!(granted, rps as usize * 10, "{rps} a second for 10 s");
            // A long pause fills the bucket to the burst, not beyond.
            assert_eq!(taken(&buckets, A, at(1_000_000)), 60);
        }
    }

    #[test]
    fn retry_after_is_enough_and_at_least_a_second() {
        let buckets = fresh(20, 60, 100);
        taken(&buckets, A, at(0));
        assert_eq!(buckets.take(A, at(0)), Err(RetryAfter(1)));
        assert_eq!(buckets.take(A, at(50)), Ok(()));

        let slow = fresh(1, 1, 100);
        assert_eq!(slow.take(A, at(0)), Ok(()));
        assert_eq!(slow.take(A, at(1)), Err(RetryAfter(1)));
        assert_eq!(slow.take(A, at(999)), Err(RetryAfter(1)));
        assert_eq!(slow.take(A, at(1000)), Ok(()));
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let buckets = fresh(1, 1, 100);
        assert_eq!(buckets.take(A, at(0)), Ok(()));
        for millis in 0..1000 {
            assert!(buckets.take(A, at(millis)).is_err());
        }
        assert_eq!(buckets.take(A, at(1000)), Ok(()));
    }

    #[test]
    fn millions_of_addresses_do_not_grow_the_table() {
        let buckets = fresh(20, 60, 1024);
        assert!(buckets.take(A, at(0)).is_ok());
        let mut strangers = 0;
        for n in 0..2_000_000_u32 {
            let client = ClientKey::V4((0x0a00_0000 + n).to_be_bytes());
            strangers += usize::from(buckets.take(client, at(0)).is_ok());
        }
        assert_eq!(buckets.len(), 1024);
        // Those with a bucket of their own, and one burst for all the others.
        assert_eq!(strangers, 1023 + 60);
        // Whoever was known before the flood is still served.
        assert_eq!(taken(&buckets, A, at(0)), 59);

        for n in 0..2_000_000_u64 {
            let _ = buckets.take(v6(n, 1), at(1 + n / 100));
            assert!(buckets.len() <= 1024);
            assert!(buckets.tables.lock().networks.full_at.len() <= 1024);
        }
        buckets.sweep(at(100_000));
        assert!(buckets.is_empty());
        assert!(buckets.tables.lock().networks.full_at.is_empty());
    }

    #[test]
    fn full_buckets_make_room_for_new_clients() {
        let buckets = fresh(20, 60, 2);
        assert!(buckets.take(A, at(0)).is_ok());
        assert!(buckets.take(B, at(0)).is_ok());
        let late = ClientKey::V4([192, 0, 2, 3]);
        assert_eq!(taken(&buckets, late, at(200)), 60);
        assert_eq!(buckets.len(), 1);
    }

    #[test]
    fn a_neighbour_costs_only_himself() {
        let buckets = fresh(20, 60, 100);
        assert_eq!(taken(&buckets, v6(1, 1), at(0)), 60);
        assert_eq!(taken(&buckets, v6(1, 2), at(0)), 60);
    }

    #[test]
    fn who_has_many_addresses_meets_the_account_of_their_network() {
        for rps in [1, 20, 300] {
            let buckets = fresh(rps, 60, 100_000);
            let flood = |from: u64, now| {
                (from..from + 10_000)
                    .filter(|host| buckets.take(v6(1, *host), now).is_ok())
                    .count()
            };
            assert_eq!(flood(0, at(0)), 600);
            assert_eq!(flood(10_000, at(0)), 0);
            // What is refused makes no entry.
            assert_eq!(buckets.len(), 600);
            let mut granted = 0;
            for second in 1..=10 {
                granted += flood(second * 10_000, at(second * 1000));
            }
            assert_eq!(granted, 600.min(rps as usize * 10) * 10, "{rps} a second");
            // Neither another network nor IPv4 notices.
            assert_eq!(taken(&buckets, v6(2, 1), at(10_000)), 60);
            assert_eq!(taken(&buckets, A, at(10_000)), 60);
        }
    }

    #[test]
    fn a_proven_address_neither_meets_nor_draws_on_the_account_of_its_network() {
        let proven = Arc::new(Proven::default());
        let buckets = Buckets::new(20, 60, 100_000, proven.clone());
        let owner = v6(1, 1);
        proven.note(owner, &"admin".into(), at(0));
        for host in 2..1000 {
            let _ = buckets.take(v6(1, host), at(0));
        }
        assert!(buckets.take(v6(1, 1000), at(0)).is_err());
        assert_eq!(taken(&buckets, owner, at(0)), 60);
        // Of the five that come back in 25 ms none went to the owner.
        assert_eq!(taken(&buckets, owner, at(25)), 0);
        let strangers = (1001..2000).filter(|host| buckets.take(v6(1, *host), at(25)).is_ok());
        assert_eq!(strangers.count(), 5);
    }

    #[test]
    fn a_proven_address_has_a_bucket_of_its_own_in_a_full_table() {
        let proven = Arc::new(Proven::default());
        let buckets = Buckets::new(20, 60, 64, proven.clone());
        for net in 0..10_000 {
            let _ = buckets.take(v6(net, 1), at(0));
        }
        assert!(buckets.take(v6(10_001, 1), at(0)).is_err(), "overflown");
        for owner in [A, v6(10_002, 1), v6(3, 2)] {
            proven.note(owner, &"admin".into(), at(0));
            assert_eq!(taken(&buckets, owner, at(0)), 60);
        }
        assert_eq!(buckets.len(), 64 + 3);
    }
}

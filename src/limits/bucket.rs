//! The token bucket in front of every request, one for each client address.
//!
//! Kept as the generic cell rate algorithm (ITU-T I.371): one number a client, the *theoretical arrival time* at which
//! its bucket would be full again. To take a token is to move that time on by the interval between two requests; a
//! request is refused when that would put it more than a burst ahead of now.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::{ClientKey, whole_seconds};
use crate::clock::Moment;

/// The client must wait this many whole seconds, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// All buckets. Time is counted in *steps*: `rps` of them make a millisecond, so that the interval between two requests
/// is a whole number of steps whatever the rate, and the limit is exact.
pub struct Buckets {
    rps: u64,
    /// How far ahead of now, in steps, a client may get.
    allowance: u64,
    capacity: usize,
    table: Mutex<Table>,
}

struct Table {
    /// When each bucket is full again, in steps. A full bucket need not be here.
    full_at: HashMap<ClientKey, u64>,
    /// Shared by the clients for whom there is no room.
    overflow: u64,
    swept: Moment,
}

impl Buckets {
    /// Buckets of `burst` tokens (at least 1) that fill at `rps` tokens a second (1 to [`MAX_RPS`]), for at most
    /// `capacity` clients at a time. Further clients share one bucket: a flood from ten million addresses costs
    /// strangers their turn, not the board its memory.
    #[must_use]
    pub fn new(rps: u32, burst: u32, capacity: usize) -> Self {
        Self {
            rps: u64::from(rps.clamp(1, MAX_RPS)),
            allowance: u64::from(burst.saturating_sub(1)) * INTERVAL,
            capacity,
            table: Mutex::new(Table {
                full_at: HashMap::new(),
                overflow: 0,
                swept: Moment::default(),
            }),
        }
    }

    /// Takes one token of `client`'s.
    ///
    /// # Errors
    /// How long to wait for the next token, if there is none.
    pub fn take(&self, client: ClientKey, now: Moment) -> Result<(), RetryAfter> {
        let steps = self.steps(now);
        let mut table = self.table.lock();
        let known = table.full_at.contains_key(&client);
        if !known && table.full_at.len() >= self.capacity {
            table.sweep_if_due(steps, now);
        }
        let table = &mut *table;
        let full_at = if known || table.full_at.len() < self.capacity {
            table.full_at.entry(client).or_insert(0)
        } else {
            &mut table.overflow
        };
        let ahead = full_at.saturating_sub(steps);
        if ahead > self.allowance {
            let wait = (ahead - self.allowance).div_ceil(self.rps);
            return Err(RetryAfter(whole_seconds(Duration::from_millis(wait))));
        }
        *full_at = steps + ahead + INTERVAL;
        Ok(())
    }

    /// Forgets the buckets that are full again. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        self.table.lock().sweep(self.steps(now), now);
    }

    /// How many clients have a bucket that is not known to be full.
    pub fn len(&self) -> usize {
        self.table.lock().full_at.len()
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

impl Table {
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
pub const MAX_RPS: u32 = 100_000;

/// Between two requests, in steps: `rps` requests a second, `rps` steps a millisecond, hence a thousand.
const INTERVAL: u64 = 1_000;

/// A full table is searched for full buckets at most this often, or a flood of new addresses would turn each request
/// into a walk over all of them.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
    const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);

    fn at(millis: u64) -> Moment {
        Moment::default() + Duration::from_millis(millis)
    }

    fn taken(buckets: &Buckets, client: ClientKey, now: Moment) -> usize {
        (0..1000)
            .take_while(|_| buckets.take(client, now).is_ok())
            .count()
    }

    #[test]
    fn a_fresh_client_gets_exactly_the_burst_and_then_the_rate() {
        for rps in [1, 3, 7, 20, 300] {
            let buckets = Buckets::new(rps, 60, 100);
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
        let buckets = Buckets::new(20, 60, 100);
        taken(&buckets, A, at(0));
        assert_eq!(buckets.take(A, at(0)), Err(RetryAfter(1)));
        assert_eq!(buckets.take(A, at(50)), Ok(()));

        let slow = Buckets::new(1, 1, 100);
        assert_eq!(slow.take(A, at(0)), Ok(()));
        assert_eq!(slow.take(A, at(1)), Err(RetryAfter(1)));
        assert_eq!(slow.take(A, at(999)), Err(RetryAfter(1)));
        assert_eq!(slow.take(A, at(1000)), Ok(()));
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let buckets = Buckets::new(1, 1, 100);
        assert_eq!(buckets.take(A, at(0)), Ok(()));
        for millis in 0..1000 {
            assert!(buckets.take(A, at(millis)).is_err());
        }
        assert_eq!(buckets.take(A, at(1000)), Ok(()));
    }

    #[test]
    fn millions_of_addresses_do_not_grow_the_table() {
        let buckets = Buckets::new(20, 60, 1024);
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
            let client = ClientKey::V6(n.to_be_bytes());
            let _ = buckets.take(client, at(1 + n / 100));
            assert!(buckets.len() <= 1024);
        }
        buckets.sweep(at(100_000));
        assert!(buckets.is_empty());
    }

    #[test]
    fn full_buckets_make_room_for_new_clients() {
        let buckets = Buckets::new(20, 60, 2);
        assert!(buckets.take(A, at(0)).is_ok());
        assert!(buckets.take(B, at(0)).is_ok());
        let late = ClientKey::V4([192, 0, 2, 3]);
        assert_eq!(taken(&buckets, late, at(200)), 60);
        assert_eq!(buckets.len(), 1);
    }
}

//! Failed password attempts: counts them by client over a sliding window, and locks guessers out.
//!
//! Attempts under way count against the allowance too, so that the limit is exact however many come at once: one that
//! would exceed it waits for an outcome. A lock-out begins with the failure that fills the allowance and lasts until the
//! oldest failure leaves the window. Success forgives nothing: an owner at work does not give a guesser beside him on the
//! same address a fresh allowance.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{ClientKey, whole_seconds};
use crate::clock::{Clock, Moment};

/// The table of attempts.
pub struct Attempts {
    max: usize,
    window: Duration,
    capacity: usize,
    patience: Duration,
    clients: Mutex<HashMap<ClientKey, Client>>,
    /// Signalled by every outcome.
    outcome: Condvar,
}

/// One client's account. At most `max` failures each.
#[derive(Default)]
struct Client {
    /// When each failure leaves the window, the first to leave in front.
    failures: Vec<Moment>,
    in_flight: usize,
    locked_until: Option<Moment>,
}

/// Why an attempt may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Too many failures.
    LockedOut {
        /// Whole seconds until the lock-out ends, at least 1.
        retry_after: u64,
    },
    /// The attempts before this one took too long to come to an outcome.
    Busy,
}

/// A lock-out that has just begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOut {
    /// Who is locked out.
    pub client: ClientKey,
    /// For how long from now.
    pub remaining: Duration,
}

/// A client with failures, as `/api/security/rate-limits` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// The address; an IPv6 /64 by its first address.
    pub ip: String,
    /// Failures within the window.
    pub attempts: u32,
    /// Whether it is locked out.
    pub blocked: bool,
    /// Whole seconds until the lock-out ends; 0 without one.
    pub retry_after: u64,
}

/// An attempt under way. Dropped without an outcome it counts as never made.
#[must_use = "an attempt has an outcome"]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    client: ClientKey,
}

impl Attempts {
    /// Allows `max` failures (1 to [`MAX_ALLOWANCE`]) within `window`. At most `capacity` clients are kept; see [`CAPACITY`].
    #[must_use]
    pub fn new(max: u32, window: Duration, capacity: usize) -> Self {
        Self {
            max: max.clamp(1, MAX_ALLOWANCE) as usize,
            window,
            capacity: capacity.max(1),
            patience: PATIENCE,
            clients: Mutex::new(HashMap::new()),
            outcome: Condvar::new(),
        }
    }

    /// A look without an attempt. Never blocks.
    ///
    /// # Errors
    /// If the client is locked out.
    pub fn check(&self, client: ClientKey, now: Moment) -> Result<(), NotAdmitted> {
        match self.clients.lock().get(&client) {
            Some(known) => known.locked(now),
            None => Ok(()),
        }
    }

    /// Begins an attempt. While the client's failures and attempts under way fill its allowance, blocks until one of
    /// those has an outcome.
    ///
    /// # Errors
    /// If the client is locked out, or if no outcome comes within half a minute.
    pub fn admit(&self, client: ClientKey, clock: &Clock) -> Result<Attempt<'_>, NotAdmitted> {
        let deadline = Instant::now() + self.patience;
        let mut clients = self.clients.lock();
        loop {
            let now = clock.monotonic();
            self.make_room(&mut clients, client, now)?;
            let known = clients.entry(client).or_default();
            known.expire(now);
            known.locked(now)?;
            if known.failures.len() + known.in_flight < self.max {
                known.in_flight += 1;
                return Ok(Attempt {
                    attempts: self,
                    client,
                });
            }
            if self.outcome.wait_until(&mut clients, deadline).timed_out() {
                return Err(NotAdmitted::Busy);
            }
        }
    }

    /// Everyone with failures in the window, by address.
    pub fn list(&self, now: Moment) -> Vec<AttemptRow> {
        let mut clients = self.clients.lock();
        let mut rows: Vec<(ClientKey, AttemptRow)> = clients
            .iter_mut()
            .filter_map(|(client, known)| {
                known.expire(now);
                let remaining = known.remaining(now);
                if known.failures.is_empty() && remaining.is_none() {
                    return None;
                }
                let row = AttemptRow {
                    ip: client.to_string(),
                    attempts: u32::try_from(known.failures.len()).unwrap_or(u32::MAX),
                    blocked: remaining.is_some(),
                    retry_after: remaining.map_or(0, whole_seconds),
                };
                Some((*client, row))
            })
            .collect();
        rows.sort_unstable_by_key(|(client, _)| *client);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Forgives a client everything. Says whether there was anything to forgive.
    pub fn clear(&self, client: ClientKey, now: Moment) -> bool {
        let mut clients = self.clients.lock();
        let Some(known) = clients.get_mut(&client) else {
            return false;
        };
        known.expire(now);
        let had_any = !known.failures.is_empty() || known.locked_until.is_some();
        known.failures.clear();
        known.locked_until = None;
        if known.in_flight == 0 {
            clients.remove(&client);
        }
        self.outcome.notify_all();
        had_any
    }

    /// Takes up a lock-out from before a restart. It never lasts longer than a window, whatever became of the clock.
    pub fn restore(&self, client: ClientKey, remaining: Duration, now: Moment) {
        let until = now + remaining.min(self.window);
        let mut clients = self.clients.lock();
        let known = clients.entry(client).or_default();
        // When each failure happened is not known any more; that none leaves before the lock-out ends is.
        known.failures = vec![until; self.max];
        known.locked_until = Some(until);
    }

    /// The lock-outs in force, with what remains of each.
    pub fn lock_outs(&self, now: Moment) -> Vec<(ClientKey, Duration)> {
        self.clients
            .lock()
            .iter()
            .filter_map(|(client, known)| Some((*client, known.remaining(now)?)))
            .collect()
    }

    /// Forgets what has left the window. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        sweep(&mut self.clients.lock(), now);
    }

    /// Sees to it that `client` is in the table or may be put there.
    fn make_room(
        &self,
        clients: &mut HashMap<ClientKey, Client>,
        client: ClientKey,
        now: Moment,
    ) -> Result<(), NotAdmitted> {
        if clients.len() < self.capacity || clients.contains_key(&client) {
            return Ok(());
        }
        sweep(clients, now);
        if clients.len() < self.capacity {
            return Ok(());
        }
        // Whose last failure is the longest ago makes room, but never someone locked out: that would let him in.
        let idle = clients
            .iter()
            .filter(|(_, known)| known.locked_until.is_none() && known.in_flight == 0)
            .min_by_key(|(_, known)| known.failures.last().copied())
            .map(|(client, _)| *client);
        if let Some(idle) = idle {
            clients.remove(&idle);
            return Ok(());
        }
        let soonest = clients.values().filter_map(|known| known.remaining(now));
        match soonest.min() {
            Some(wait) => Err(NotAdmitted::LockedOut {
                retry_after: whole_seconds(wait),
            }),
            None => Err(NotAdmitted::Busy),
        }
    }

    /// Ends an attempt.
    fn end(&self, client: ClientKey, failed_at: Option<Moment>) -> Option<LockOut> {
        let mut clients = self.clients.lock();
        // An attempt under way keeps its client in the table.
        let known = clients.get_mut(&client)?;
        known.in_flight = known.in_flight.saturating_sub(1);
        let begun = failed_at.and_then(|now| {
            known.expire(now);
            known.failures.push(now + self.window);
            if known.failures.len() < self.max || known.locked_until.is_some() {
                return None;
            }
            let until = *known.failures.first()?;
            known.locked_until = Some(until);
            Some(LockOut {
                client,
                remaining: until.saturating_since(now),
            })
        });
        if known.is_blank() {
            clients.remove(&client);
        }
        self.outcome.notify_all();
        begun
    }
}

impl Attempt<'_> {
    /// The credentials were wrong. Gives the lock-out if one begins with this failure.
    #[must_use = "a lock-out belongs into the journal"]
    pub fn failed(self, now: Moment) -> Option<LockOut> {
        let begun = self.attempts.end(self.client, Some(now));
        std::mem::forget(self);
        begun
    }

    /// The credentials were right.
    pub fn succeeded(self) {
        drop(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.attempts.end(self.client, None);
    }
}

impl Client {
    fn expire(&mut self, now: Moment) {
        self.failures.retain(|leaves| *leaves > now);
        if self.locked_until.is_some_and(|until| until <= now) {
            self.locked_until = None;
        }
    }

    fn remaining(&self, now: Moment) -> Option<Duration> {
        let until = self.locked_until.filter(|until| *until > now)?;
        Some(until.saturating_since(now))
    }

    fn locked(&self, now: Moment) -> Result<(), NotAdmitted> {
        match self.remaining(now) {
            Some(wait) => Err(NotAdmitted::LockedOut {
                retry_after: whole_seconds(wait),
            }),
            None => Ok(()),
        }
    }

    fn is_blank(&self) -> bool {
        self.failures.is_empty() && self.locked_until.is_none() && self.in_flight == 0
    }
}

fn sweep(clients: &mut HashMap<ClientKey, Client>, now: Moment) {
    for known in clients.values_mut() {
        known.expire(now);
    }
    clients.retain(|_, known| !known.is_blank());
}

/// How many clients to keep. Two runs of bcrypt at once, a quarter of a second each, make 2400 failures in the default
/// window, so that even a guesser with a /48 full of addresses cannot fill the table.
pub const CAPACITY: usize = 4096;

/// The largest allowance. Each failure is kept until it leaves the window, and who wants more than this wants no limit.
pub const MAX_ALLOWANCE: u32 = 1000;

/// How long an attempt waits for the outcome of those before it. A run of bcrypt takes a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;

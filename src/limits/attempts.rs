//! Failed password attempts: counts them by client over a sliding window, and locks guessers out.
//!
//! Attempts under way count against the allowance too, so that the limit is exact however many come at once: one that
//! would exceed it waits for an outcome. A lock-out begins with the failure that fills the allowance and lasts until the
//! oldest failure leaves the window. Success forgives nothing: an owner at work does not give a guesser beside him on the
//! same address a fresh allowance.
//!
//! Strangers of an IPv6 /64 are counted together, too, in a larger account of their network: one host can take any of its
//! addresses. Whoever is proven neither draws on it nor is held to it.
//!
//! The table of accounts is bounded. In a full one a newcomer takes the place of whoever failed the longest ago, never of
//! someone locked out. Once all of it is locked out, newcomers are refused until the first lock-out ends, since a password
//! check that is not counted is none that is made; only for the proven, who are not many, there is room beyond.

mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use super::proven::{Accounts, NETWORK_SHARE};
use super::{Proven, whole_seconds};
use crate::clock::{Clock, Moment};
use crate::ids::ClientKey;
use table::AttemptTable;

/// The table of attempts.
pub struct Attempts {
    max: usize,
    window: Duration,
    capacity: usize,
    patience: Duration,
    proven: Arc<Proven>,
    table: Mutex<AttemptTable>,
    /// Signalled by every outcome.
    outcome: Condvar,
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
    /// Who is locked out: the client, or the strangers of its network.
    pub client: ClientKey,
    /// For how long from now.
    pub remaining: Duration,
}

/// A client with failures, as `/api/security/rate-limits` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// The address, or the network.
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
    accounts: Accounts,
}

impl Attempts {
    /// Allows `max` failures (1 to [`MAX_ALLOWANCE`]) within `window`, and the strangers of a network [`NETWORK_SHARE`] times
    /// as many. At most `capacity` accounts are kept, and besides them those that are restored, and those of the proven.
    /// Two runs of bcrypt at once, a quarter of a second each, make 2400 failures in five minutes: even a guesser with a
    /// /48 full of addresses cannot fill a table of 4096 with lock-outs.
    #[must_use]
    pub fn new(max: u32, window: Duration, capacity: usize, proven: Arc<Proven>) -> Self {
        Self {
            max: max.clamp(1, MAX_ALLOWANCE) as usize,
            window,
            capacity: capacity.max(1),
            patience: PATIENCE,
            proven,
            table: Mutex::default(),
            outcome: Condvar::new(),
        }
    }

    /// A look without an attempt. Never blocks.
    ///
    /// # Errors
    /// If the client is locked out, or the strangers of its network are and it is one.
    pub fn check(&self, client: ClientKey, now: Moment) -> Result<(), NotAdmitted> {
        let accounts = self.proven.accounts(client, now);
        self.table.lock().locked(accounts, now)
    }

    /// Whether this very account is locked out.
    pub fn is_locked_out(&self, account: ClientKey, now: Moment) -> bool {
        let table = self.table.lock();
        let known = table.clients.get(&account);
        known.is_some_and(|known| known.remaining(now).is_some())
    }

    /// Begins an attempt. While failures and attempts under way fill the client's allowance, or that of its network, blocks
    /// until one of those has an outcome.
    ///
    /// # Errors
    /// As [`Attempts::check`], or if no outcome comes within half a minute.
    pub fn admit(&self, client: ClientKey, clock: &Clock) -> Result<Attempt<'_>, NotAdmitted> {
        let deadline = Instant::now() + self.patience;
        let mut table = self.table.lock();
        loop {
            let now = clock.monotonic();
            // Asked anew each time: an attempt before this one may have proven the client.
            let accounts = self.proven.accounts(client, now);
            table.locked(accounts, now)?;
            table.make_room(accounts, self.capacity, now)?;
            let admitted = accounts.iter().all(|account| {
                table.change(account, |known| {
                    known.expire(now);
                    known.failures.len() + known.in_flight < self.allowance(account)
                })
            });
            if admitted {
                for account in accounts.iter() {
                    table.change(account, |known| known.in_flight += 1);
                }
                return Ok(Attempt {
                    attempts: self,
                    accounts,
                });
            }
            if self.outcome.wait_until(&mut table, deadline).timed_out() {
                return Err(NotAdmitted::Busy);
            }
        }
    }

    /// Everyone with failures in the window, by address; the networks behind them.
    pub fn list(&self, now: Moment) -> Vec<AttemptRow> {
        let table = self.table.lock();
        let mut rows: Vec<(ClientKey, AttemptRow)> = table
            .clients
            .iter()
            .filter_map(|(client, known)| {
                let remaining = known.remaining(now);
                let failures = known.failures.iter().filter(|leaves| **leaves > now);
                // From before a restart only the lock-out is known: the allowance was full.
                let allowance = self.allowance(*client);
                let attempts = failures.count().max(remaining.map_or(0, |_| allowance));
                if attempts == 0 {
                    return None;
                }
                let row = AttemptRow {
                    ip: client.to_string(),
                    attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                    blocked: remaining.is_some(),
                    retry_after: remaining.map_or(0, whole_seconds),
                };
                Some((*client, row))
            })
            .collect();
        drop(table);
        rows.sort_unstable_by_key(|(client, _)| *client);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Forgives a client, or the strangers of a network, everything. Says whether there was anything to forgive.
    pub fn clear(&self, client: ClientKey, now: Moment) -> bool {
        let had_any = self.table.lock().change(client, |known| {
            known.expire(now);
            let had_any = !known.failures.is_empty() || known.locked_until.is_some();
            known.failures.clear();
            known.locked_until = None;
            had_any
        });
        self.outcome.notify_all();
        had_any
    }

    /// Takes up a lock-out from before a restart. It never lasts longer than a window, whatever became of the clock.
    pub fn restore(&self, client: ClientKey, remaining: Duration, now: Moment) {
        let until = now + remaining.min(self.window);
        // When each failure happened is not known any more; that none leaves before the lock-out ends is.
        let mut table = self.table.lock();
        table.change(client, |known| known.locked_until = Some(until));
    }

    /// The lock-outs in force, with what remains of each.
    pub fn lock_outs(&self, now: Moment) -> Vec<(ClientKey, Duration)> {
        let table = self.table.lock();
        let clients = table.clients.iter();
        clients
            .filter_map(|(client, known)| Some((*client, known.remaining(now)?)))
            .collect()
    }

    /// Forgets what has left the window. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        self.table.lock().sweep(now);
    }

    /// Ends an attempt.
    fn end(&self, accounts: Accounts, failed_at: Option<Moment>) -> Vec<LockOut> {
        let mut begun = Vec::new();
        let mut table = self.table.lock();
        for client in accounts.iter() {
            begun.extend(table.change(client, |known| {
                known.in_flight = known.in_flight.saturating_sub(1);
                let now = failed_at?;
                known.expire(now);
                known.failures.push(now + self.window);
                if known.failures.len() < self.allowance(client) || known.locked_until.is_some() {
                    return None;
                }
                let until = *known.failures.first()?;
                known.locked_until = Some(until);
                Some(LockOut {
                    client,
                    remaining: until.saturating_since(now),
                })
            }));
        }
        drop(table);
        self.outcome.notify_all();
        begun
    }

    /// How many failures an account may have.
    const fn allowance(&self, account: ClientKey) -> usize {
        match account {
            ClientKey::Network(..) => self.max * NETWORK_SHARE as usize,
            ClientKey::V4(_) | ClientKey::V6(..) => self.max,
        }
    }
}

impl NotAdmitted {
    fn locked_out(wait: Duration) -> Self {
        Self::LockedOut {
            retry_after: whole_seconds(wait),
        }
    }
}

impl Attempt<'_> {
    /// The credentials were wrong. Gives the lock-outs that begin with this failure.
    #[must_use = "a lock-out belongs into the journal"]
    pub fn failed(self, now: Moment) -> Vec<LockOut> {
        let begun = self.attempts.end(self.accounts, Some(now));
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
        self.attempts.end(self.accounts, None);
    }
}

/// The largest allowance. Each failure is kept until it leaves the window, and who wants more than this wants no limit.
pub const MAX_ALLOWANCE: u32 = 1000;

/// How long an attempt waits for the outcome of those before it. A run of bcrypt takes a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;

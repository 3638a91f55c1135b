//! What this room keeps across a power cut, as one [`JournalState`] for the journal: revocations, the password,
//! lock-outs, proven addresses.
//!
//! It is built before the journal, which replays into it, so it has no clock.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::revocation::{self, Revocations};
use crate::clock::Timestamp;
use crate::config::{MOST_ATTEMPT_CLIENTS, MOST_REVOCATIONS};
use crate::ids::{ClientKey, Id};
use crate::journal::format::{FRAME_OVERHEAD, MAX_FILE};
use crate::journal::{JournalState, MAX_NAME, PasswordOrigin, Record};
use crate::limits::proven::{MOST_PROVEN, PROOF_LASTS, Proofs};

/// The tables that outlive a restart.
pub struct Durable {
    /// Dead tokens.
    pub(super) revocations: Revocations,
    account: RwLock<Option<Account>>,
    superseding: Mutex<Superseding>,
    lock_outs: Mutex<HashMap<ClientKey, Timestamp>>,
    proofs: Mutex<Proofs<Timestamp>>,
    /// The longest lifetime, in seconds, that tokens were ever given.
    longest: AtomicU64,
    /// The newest [`Record::SessionsEnded`]: above the generation, below the second.
    ended: AtomicU64,
}

/// What the password makes pointless that is being committed.
#[derive(Clone, Copy, Default)]
enum Superseding {
    /// None is, or a replay gives it, which does not know the login that went on.
    #[default]
    Nothing,
    /// All logins there were.
    All,
    /// All but the one that asks.
    AllBut(Id),
}

/// The one account's password. The user's name is configuration.
#[derive(Clone)]
pub(super) struct Account {
    /// Counts passwords, from [`FIRST_GENERATION`].
    pub generation: u32,
    pub origin: PasswordOrigin,
    /// When it was set.
    pub at: Timestamp,
    /// bcrypt.
    pub hash: Arc<str>,
    /// The token that survived the change, and its expiry.
    pub spared: Option<(Id, Timestamp)>,
}

impl Durable {
    /// Empty tables, with room for a million revocations.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(as_usize(MOST_REVOCATIONS))
    }

    /// Empty tables, with room for so many revocations.
    #[must_use]
    pub fn with_capacity(revocations: usize) -> Self {
        Self {
            revocations: Revocations::new(revocations),
            account: RwLock::default(),
            superseding: Mutex::default(),
            lock_outs: Mutex::default(),
            proofs: Mutex::default(),
            longest: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// The longest that tokens were ever given to live, as far as the journal knows.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_secs(self.longest.load(Ordering::Relaxed))
    }

    /// Whether a token is dead because it is one of the oldest, under the password of this generation. To be asked
    /// after the revocations: some of them go once this is in force.
    pub(super) fn is_ended(&self, generation: u32, issued: Timestamp) -> bool {
        let (under, before) = self.ended();
        under == generation && issued < before
    }

    fn ended(&self) -> (u32, Timestamp) {
        let ended = self.ended.load(Ordering::Relaxed);
        let (generation, before) = (ended >> 32, ended & u64::from(u32::MAX));
        (
            u32::try_from(generation).unwrap_or(0),
            Timestamp::from_secs(before),
        )
    }

    /// A new password makes it pointless. If that came with a clock that was set back, it would even be in the future.
    pub(super) fn end_sessions(&self, generation: u32, before: Timestamp) {
        // The clock goes no further than 2100.
        let seconds = u32::try_from(before.as_secs()).unwrap_or(0);
        let ended = u64::from(generation) << 32 | u64::from(seconds);
        let known = self.ended.fetch_max(ended, Ordering::Relaxed);
        if known < ended && generation == self.generation() {
            self.revocations.forget_issued_before(before);
        }
    }

    fn ended_live(&self, sink: &mut dyn FnMut(&Record)) {
        let (generation, before) = self.ended();
        if generation > 0 && generation == self.generation() {
            sink(&Record::SessionsEnded { generation, before });
        }
    }

    /// How many revocations are kept.
    pub fn revocations(&self) -> usize {
        self.revocations.len()
    }

    /// The password that holds: its number, whose choice it was, and when. `None` before the first start has set one.
    pub fn password(&self) -> Option<(u32, PasswordOrigin, Timestamp)> {
        let account = self.account.read();
        account.as_ref().map(|a| (a.generation, a.origin, a.at))
    }

    pub(super) fn account(&self) -> Option<Account> {
        self.account.read().clone()
    }

    /// The password's generation; 0 before the first boot has set one.
    pub(super) fn generation(&self) -> u32 {
        self.account.read().as_ref().map_or(0, |a| a.generation)
    }

    /// Looks at the account without a copy, for the way of every request.
    pub(super) fn with_account<R>(&self, look: impl FnOnce(Option<&Account>) -> R) -> R {
        look(self.account.read().as_ref())
    }

    /// Commits a new password by `commit`, and forgets at once what it makes pointless. `going_on` is the login that
    /// goes on under it, if one does.
    pub(super) fn supersede<T>(&self, going_on: Option<Id>, commit: impl FnOnce() -> T) -> T {
        *self.superseding.lock() = going_on.map_or(Superseding::All, Superseding::AllBut);
        let committed = commit();
        *self.superseding.lock() = Superseding::Nothing;
        committed
    }

    pub(super) fn lock_out(&self, client: ClientKey, until: Timestamp) {
        let mut lock_outs = self.lock_outs.lock();
        lock_outs.insert(client, until);
        if lock_outs.len() > 2 * LOCK_OUTS {
            // Those that end last stay. No more than that are in force at once, so that only such go as are over.
            let mut by_end: Vec<_> = lock_outs.drain().map(|(c, until)| (until, c)).collect();
            let over = by_end.len() - LOCK_OUTS;
            by_end.select_nth_unstable(over);
            let kept = by_end.drain(over..).map(|(until, c)| (c, until));
            lock_outs.extend(kept);
        }
    }

    /// Says whether there was one to clear.
    pub(super) fn clear_lock_out(&self, client: ClientKey) -> bool {
        self.lock_outs.lock().remove(&client).is_some()
    }

    pub(super) fn lock_outs(&self) -> Vec<(ClientKey, Timestamp)> {
        let lock_outs = self.lock_outs.lock();
        lock_outs.iter().map(|(c, until)| (*c, *until)).collect()
    }

    /// Which addresses are proven, by which account or key, and until when.
    pub(super) fn proofs(&self) -> Vec<(ClientKey, Arc<str>, Timestamp)> {
        let proofs = self.proofs.lock();
        proofs
            .iter()
            .map(|(client, account, until)| (client, account.clone(), until))
            .collect()
    }

    /// Forgets what is over.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.revocations.sweep(now);
        self.lock_outs.lock().retain(|_, until| *until > now);
        self.proofs.lock().retain(|until| is_proof(until, now));
    }
}

impl Default for Durable {
    fn default() -> Self {
        Self::new()
    }
}

impl JournalState for Durable {
    fn apply(&self, record: &Record) {
        if self.revocations.apply(record) {
            return;
        }
        match record {
            Record::Password {
                generation,
                origin,
                at,
                hash,
                spared,
            } => {
                let mut account = self.account.write();
                if account.as_ref().is_none_or(|a| a.generation <= *generation) {
                    let superseding = mem::take(&mut *self.superseding.lock());
                    *account = Some(Account {
                        generation: *generation,
                        origin: *origin,
                        at: *at,
                        hash: hash.as_str().into(),
                        spared: *spared,
                    });
                    // Still under the lock of the account: nobody finds an old token neither revoked nor superseded,
                    // nor has one of the new generation been revoked yet.
                    match superseding {
                        Superseding::Nothing => {}
                        Superseding::All => self.revocations.forget_superseded(None),
                        Superseding::AllBut(login) => {
                            self.revocations.forget_superseded(Some(login));
                        }
                    }
                }
            }
            Record::LockOut { client, until } => self.lock_out(*client, *until),
            Record::LockOutCleared { client } => {
                self.clear_lock_out(*client);
            }
            Record::Proven {
                client,
                until,
                account,
            } => {
                let account = account.as_str().into();
                self.proofs.lock().note(*client, &account, *until);
            }
            Record::Lifetime { longest } => {
                self.longest.fetch_max(longest.as_secs(), Ordering::Relaxed);
            }
            Record::SessionsEnded { generation, before } => {
                self.end_sessions(*generation, *before);
            }
            _ => {}
        }
    }

    /// The account, the lock-outs and the proven addresses, then one for each shard of the revocations, and what takes
    /// the place of some: that last, or a revocation that goes meanwhile would be in neither.
    fn parts(&self) -> usize {
        1 + revocation::SHARDS + 1
    }

    fn live_part(&self, part: usize, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        if part > revocation::SHARDS {
            return self.ended_live(sink);
        }
        if let Some(shard) = part.checked_sub(1) {
            return self.revocations.live_shard(shard, now, sink);
        }
        if let Some(account) = self.account() {
            sink(&Record::Password {
                generation: account.generation,
                origin: account.origin,
                at: account.at,
                hash: account.hash.as_ref().to_owned(),
                spared: account.spared,
            });
        }
        let longest = self.longest();
        if !longest.is_zero() {
            sink(&Record::Lifetime { longest });
        }
        // It is kept far from its other copy.
        self.ended_live(sink);
        for (client, until) in self.lock_outs() {
            if until > now {
                sink(&Record::LockOut { client, until });
            }
        }
        for (client, account, until) in self.proofs() {
            if is_proof(until, now) {
                let account = account.as_ref().to_owned();
                sink(&Record::Proven {
                    client,
                    until,
                    account,
                });
            }
        }
    }
}

/// Whether a proof that ends then holds. One that would last longer than any is from a time that was taken back.
fn is_proof(until: Timestamp, now: Timestamp) -> bool {
    until > now && until <= now + PROOF_LASTS + Duration::from_secs(1)
}

/// The first boot's password.
pub(super) const FIRST_GENERATION: u32 = 1;

/// How many lock-outs to keep for a restart, whatever `MAX_ATTEMPT_CLIENTS` says by then: as many as were ever in force
/// at once, those of the proven beyond a full table among them. A journal to replay may name any number that are over,
/// and knows no clock to tell them by; of those up to as many again are kept, so that not each new one has all of them
/// looked through.
const LOCK_OUTS: usize = as_usize(MOST_ATTEMPT_CLIENTS) + MOST_PROVEN;

/// A journal is compacted when half of it is waste: the fullest tables and as much again must fit into one.
const _: () = assert!(
    2 * (as_usize(MOST_REVOCATIONS) * LONGEST_REVOCATION
        + 2 * LOCK_OUTS * LONGEST_LOCK_OUT
        + MOST_PROVEN * LONGEST_PROOF
        + ALL_ELSE)
        <= MAX_FILE
);

/// `RefreshUsed`: an id and two times.
const LONGEST_REVOCATION: usize = FRAME_OVERHEAD + 16 + 5 + 5;

/// A time and a link-local address.
const LONGEST_LOCK_OUT: usize = FRAME_OVERHEAD + 5 + 32;

/// The same, its length, and a name.
const LONGEST_PROOF: usize = LONGEST_LOCK_OUT + 1 + MAX_NAME;

/// The headers, a password, a mark, and a few changes of each.
const ALL_ELSE: usize = 4096;

#[expect(clippy::cast_possible_truncation, reason = "bounds of a million")]
const fn as_usize(bound: u64) -> usize {
    bound as usize
}

#[cfg(test)]
mod tests;

//! What the floor keeps through a power cut, as one [`State`] for the journal: revocations, the password, lock-outs.
//!
//! It is built before the journal, which replays into it, and so it knows no clock of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::revocation::Revocations;
use crate::clock::Timestamp;
use crate::journal::{ClientKey, Id, PasswordOrigin, Record, State};

/// The tables that outlive a restart.
pub struct Durable {
    /// Dead tokens.
    pub(super) revocations: Revocations,
    account: RwLock<Option<Account>>,
    lock_outs: Mutex<HashMap<ClientKey, Timestamp>>,
    /// The longest lifetime, in seconds, that tokens were ever given.
    longest: AtomicU64,
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
        Self::with_capacity(1_000_000)
    }

    /// Empty tables, with room for so many revocations.
    #[must_use]
    pub fn with_capacity(revocations: usize) -> Self {
        Self {
            revocations: Revocations::new(revocations),
            account: RwLock::default(),
            lock_outs: Mutex::default(),
            longest: AtomicU64::new(0),
        }
    }

    /// The longest that tokens were ever given to live, as far as the journal knows.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_secs(self.longest.load(Ordering::Relaxed))
    }

    /// How many revocations are kept.
    pub fn revocations(&self) -> usize {
        self.revocations.len()
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

    pub(super) fn lock_out(&self, client: ClientKey, until: Timestamp) {
        let mut lock_outs = self.lock_outs.lock();
        if lock_outs.len() >= LOCK_OUTS && !lock_outs.contains_key(&client) {
            // The one that ends first goes. It goes on in memory; only a restart would cut it short.
            let first = lock_outs.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(client, _)| *client) {
                lock_outs.remove(&first);
            }
        }
        lock_outs.insert(client, until);
    }

    /// Says whether there was one to clear.
    pub(super) fn clear_lock_out(&self, client: ClientKey) -> bool {
        self.lock_outs.lock().remove(&client).is_some()
    }

    pub(super) fn lock_outs(&self) -> Vec<(ClientKey, Timestamp)> {
        let lock_outs = self.lock_outs.lock();
        lock_outs.iter().map(|(c, until)| (*c, *until)).collect()
    }

    /// Forgets what is over.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.revocations.sweep(now);
        self.lock_outs.lock().retain(|_, until| *until > now);
    }
}

impl Default for Durable {
    fn default() -> Self {
        Self::new()
    }
}

impl State for Durable {
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
                    *account = Some(Account {
                        generation: *generation,
                        origin: *origin,
                        at: *at,
                        hash: hash.as_str().into(),
                        spared: *spared,
                    });
                }
            }
            Record::LockOut { client, until } => self.lock_out(*client, *until),
            Record::LockOutCleared { client } => {
                self.clear_lock_out(*client);
            }
            Record::Lifetime { longest } => {
                self.longest.fetch_max(longest.as_secs(), Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn live(&self, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
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
        for (client, until) in self.lock_outs() {
            if until > now {
                sink(&Record::LockOut { client, until });
            }
        }
        self.revocations.live(now, sink);
    }
}

/// The first boot's password.
pub(super) const FIRST_GENERATION: u32 = 1;

/// How many lock-outs to keep for a restart: more than are ever in force at once, see
/// [`attempts::CAPACITY`](crate::limits::attempts::CAPACITY); a journal to replay may hold as many again that are over.
const LOCK_OUTS: usize = 8192;

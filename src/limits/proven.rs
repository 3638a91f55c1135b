//! Who has shown a good credential of late: the addresses that the shared accounts and the queues do not hold up.
//!
//! An address is proven by a success of its own, for [`PROOF_LASTS`] from the last one. Each account or key keeps
//! [`PROVEN_EACH`] addresses, so that whoever has one good credential cannot prove a whole network. Only a success puts an
//! address in here, and being in here opens nothing: what is pushed out is held to the limits of everybody again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Moment;
use crate::ids::ClientKey;

/// The proven addresses. Shared by everything that asks.
#[derive(Default)]
pub struct Proven {
    table: Mutex<Proofs<Moment>>,
}

impl Proven {
    /// Whether the client has had a success in the last [`PROOF_LASTS`]. Cheap.
    pub fn contains(&self, client: ClientKey, now: Moment) -> bool {
        let table = self.table.lock();
        let proofs = table.clients.get(&client);
        proofs.is_some_and(|proofs| {
            let mut proofs = proofs.iter();
            proofs.any(|proof| now < proof.until)
        })
    }

    /// What a client's doings are counted on.
    pub(super) fn accounts(&self, client: ClientKey, now: Moment) -> Accounts {
        let proven = self.contains(client, now);
        Accounts {
            own: client,
            network: client.network().filter(|_| !proven),
            proven,
        }
    }

    /// Notes that the client has shown a good credential of that account or key just now. Says whether it is the first
    /// time of late. Cheap.
    pub fn note(&self, client: ClientKey, account: &Arc<str>, now: Moment) -> bool {
        self.table.lock().note(client, account, now + PROOF_LASTS)
    }

    /// Takes up a proof from before a restart. It never lasts longer than one of now, whatever became of the clock.
    pub fn restore(&self, client: ClientKey, account: &Arc<str>, remaining: Duration, now: Moment) {
        let until = now + remaining.min(PROOF_LASTS);
        self.table.lock().note(client, account, until);
    }

    /// What is proven, by which accounts and keys, and for how long yet.
    pub fn list(&self, now: Moment) -> Vec<(ClientKey, Arc<str>, Duration)> {
        let table = self.table.lock();
        table
            .iter()
            .map(|(client, account, until)| (client, account.clone(), until.saturating_since(now)))
            .filter(|(.., remaining)| !remaining.is_zero())
            .collect()
    }

    /// Forgets what is too old. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        self.table.lock().retain(|until| now < until);
    }
}

/// The accounts that something which a client does is counted on, and that it is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accounts {
    /// The address's own.
    pub own: ClientKey,
    /// That of its network, which only a stranger shares.
    pub network: Option<ClientKey>,
    /// Whether the address is proven.
    pub proven: bool,
}

impl Accounts {
    pub fn iter(self) -> impl Iterator<Item = ClientKey> {
        [Some(self.own), self.network].into_iter().flatten()
    }
}

/// How many strangers' allowances the account of their network has.
pub const NETWORK_SHARE: u32 = 10;

/// Proofs by client, each with its end: by the monotonic clock where they are in force, by the time of day where they are
/// kept for a restart.
pub(crate) struct Proofs<T> {
    clients: HashMap<ClientKey, Vec<ProofEntry<T>>>,
}

/// A client's last success with one account or key.
struct ProofEntry<T> {
    account: Arc<str>,
    until: T,
}

impl<T: Copy + Ord> Proofs<T> {
    /// Notes a success; says whether it was not known. The oldest makes room: of the account if that has [`PROVEN_EACH`],
    /// of all if these are [`MOST_PROVEN`].
    pub fn note(&mut self, client: ClientKey, account: &Arc<str>, until: T) -> bool {
        let proofs = self.clients.get_mut(&client);
        let known = proofs.and_then(|proofs| proofs.iter_mut().find(|p| p.account == *account));
        if let Some(known) = known {
            known.until = until;
            return false;
        }
        // Rare from here on: a client comes with an account for the first time.
        if self.of(Some(account)).count() >= PROVEN_EACH {
            self.drop_oldest(Some(account));
        } else if self.of(None).count() >= MOST_PROVEN {
            self.drop_oldest(None);
        }
        self.clients.entry(client).or_default().push(ProofEntry {
            account: account.clone(),
            until,
        });
        true
    }

    /// Keeps those whose end `keep` likes.
    pub fn retain(&mut self, keep: impl Fn(T) -> bool) {
        self.clients.retain(|_, proofs| {
            proofs.retain(|proof| keep(proof.until));
            !proofs.is_empty()
        });
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKey, &Arc<str>, T)> {
        let all = self.of(None);
        all.map(|(client, proof)| (client, &proof.account, proof.until))
    }

    /// The proofs of an account, or all.
    fn of(&self, account: Option<&Arc<str>>) -> impl Iterator<Item = (ClientKey, &ProofEntry<T>)> {
        let clients = self.clients.iter();
        let all = clients.flat_map(|(client, proofs)| proofs.iter().map(|p| (*client, p)));
        all.filter(move |(_, proof)| account.is_none_or(|account| proof.account == *account))
    }

    fn drop_oldest(&mut self, account: Option<&Arc<str>>) {
        let oldest = self.of(account).min_by_key(|(_, proof)| proof.until);
        let Some((client, account)) = oldest.map(|(client, p)| (client, p.account.clone())) else {
            return;
        };
        if let Some(proofs) = self.clients.get_mut(&client) {
            proofs.retain(|proof| proof.account != account);
            if proofs.is_empty() {
                self.clients.remove(&client);
            }
        }
    }
}

impl<T> Default for Proofs<T> {
    fn default() -> Self {
        Self {
            clients: HashMap::new(),
        }
    }
}

/// For how long a success proves its address.
pub const PROOF_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// The addresses that an account or key keeps: a person's devices, and the addresses that each of them changes to in a day.
pub const PROVEN_EACH: usize = 16;

/// All that are kept: so many for each of 64 accounts and keys.
pub const MOST_PROVEN: usize = 64 * PROVEN_EACH;

#[cfg(test)]
mod tests;

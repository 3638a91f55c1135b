//! Who has shown a good credential of late: the addresses that the shared accounts and the queues do not hold up.
//!
//! An address is proven by a success of its own, for [`PROOF_LASTS`] from the last one. Each account or key keeps
//! [`PROVEN_EACH`] addresses, so that whoever has one good credential cannot prove a whole network. Only a success puts an
//! address in here, and being in here opens nothing: what is pushed out is held to the limits of everybody again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::ClientKey;
use crate::clock::Moment;

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
            proofs.any(|proof| now < proof.at + PROOF_LASTS)
        })
    }

    /// Notes that the client has shown a good credential of that account or key just now. Cheap.
    pub fn note(&self, client: ClientKey, account: &Arc<str>, now: Moment) {
        self.table.lock().note(client, account, now);
    }

    /// Forgets what is too old. For the housekeeper.
    pub fn sweep(&self, now: Moment) {
        self.table
            .lock()
            .retain(|proof| now < proof.at + PROOF_LASTS);
    }
}

/// Successes by client, each with its time: by the monotonic clock in force, by the time of day in the journal.
pub(crate) struct Proofs<T> {
    clients: HashMap<ClientKey, Vec<Proof<T>>>,
}

/// A client's last success with one account or key.
struct Proof<T> {
    account: Arc<str>,
    at: T,
}

impl<T: Copy + Ord> Proofs<T> {
    /// Notes a success. The oldest makes room: of the account if that has [`PROVEN_EACH`], of all if these are
    /// [`MOST_PROVEN`].
    pub fn note(&mut self, client: ClientKey, account: &Arc<str>, at: T) {
        let proofs = self.clients.get_mut(&client);
        let known = proofs.and_then(|proofs| proofs.iter_mut().find(|p| p.account == *account));
        if let Some(known) = known {
            known.at = at;
            return;
        }
        // Rare from here on: a client comes with an account for the first time.
        if self.of(Some(account)).count() >= PROVEN_EACH {
            self.drop_oldest(Some(account));
        } else if self.of(None).count() >= MOST_PROVEN {
            self.drop_oldest(None);
        }
        self.clients.entry(client).or_default().push(Proof {
            account: account.clone(),
            at,
        });
    }

    /// Keeps what `keep` says.
    fn retain(&mut self, keep: impl Fn(&Proof<T>) -> bool) {
        self.clients.retain(|_, proofs| {
            proofs.retain(&keep);
            !proofs.is_empty()
        });
    }

    /// The proofs of an account, or all.
    fn of(&self, account: Option<&Arc<str>>) -> impl Iterator<Item = (ClientKey, &Proof<T>)> {
        let clients = self.clients.iter();
        let all = clients.flat_map(|(client, proofs)| proofs.iter().map(|p| (*client, p)));
        all.filter(move |(_, proof)| account.is_none_or(|account| proof.account == *account))
    }

    fn drop_oldest(&mut self, account: Option<&Arc<str>>) {
        let oldest = self.of(account).min_by_key(|(_, proof)| proof.at);
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
mod tests {
    use super::*;

    const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    fn stranger(n: u32) -> ClientKey {
        ClientKey::V4((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn a_success_proves_its_address_for_a_day_from_the_last_one() {
        let (proven, admin) = (Proven::default(), "admin".into());
        assert!(!proven.contains(A, at(0)));
        proven.note(A, &admin, at(0));
        proven.note(A, &admin, at(1000));
        let day = PROOF_LASTS.as_secs();
        assert!(proven.contains(A, at(1000 + day - 1)));
        assert!(!proven.contains(A, at(1000 + day)));
        assert!(!proven.contains(stranger(1), at(0)));
        proven.sweep(at(1000 + day));
        assert!(proven.table.lock().clients.is_empty());
    }

    #[test]
    fn an_account_keeps_its_sixteen_last_addresses_and_pushes_out_no_others() {
        let (proven, admin, viewer) = (Proven::default(), "admin".into(), "viewer".into());
        proven.note(A, &admin, at(0));
        for n in 0..10_000 {
            proven.note(stranger(n), &viewer, at(1 + u64::from(n)));
        }
        assert!(proven.contains(A, at(10_001)));
        assert!(!proven.contains(stranger(9_983), at(10_001)));
        for n in 9_984..10_000 {
            assert!(proven.contains(stranger(n), at(10_001)), "{n}");
        }
        assert_eq!(proven.table.lock().of(None).count(), 1 + PROVEN_EACH);
        // An address of two accounts is proven by either.
        proven.note(A, &viewer, at(10_001));
        for n in 0..16 {
            proven.note(stranger(n), &viewer, at(10_002));
        }
        assert!(proven.contains(A, at(10_002)));
    }

    #[test]
    fn the_table_is_bounded_whatever_the_number_of_accounts() {
        let proven = Proven::default();
        for n in 0..3000_u32 {
            let account = format!("user{}", n / 16).into();
            proven.note(stranger(n), &account, at(u64::from(n)));
        }
        assert_eq!(proven.table.lock().of(None).count(), MOST_PROVEN);
        assert!(proven.contains(stranger(2999), at(3000)));
        assert!(!proven.contains(stranger(0), at(3000)));
    }
}

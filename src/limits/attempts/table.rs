//! The table of accounts: who has failed how often, and who makes room in a full one.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::NotAdmitted;
use crate::clock::Moment;
use crate::ids::ClientKey;
use crate::limits::proven::{Accounts, MOST_PROVEN};

/// The accounts, and who of them makes room first: ten million newcomers must not make each of them look through the table.
#[derive(Default)]
pub(super) struct AttemptTable {
    pub(super) clients: HashMap<ClientKey, AttemptAccount>,
    /// All but those with an attempt under way.
    order: BTreeSet<EvictionRank>,
}

/// A client's place in the order: first those who are not locked out, the longest idle in front, then the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EvictionRank {
    locked_out: bool,
    /// When the lock-out ends, or else when the last failure leaves the window.
    until: Moment,
    client: ClientKey,
}

/// The account of a client or a network. At most as many failures as its allowance.
#[derive(Default)]
pub(super) struct AttemptAccount {
    /// When each failure leaves the window, the first to leave in front.
    pub(super) failures: Vec<Moment>,
    pub(super) in_flight: usize,
    pub(super) locked_until: Option<Moment>,
}

impl AttemptTable {
    /// Changes a client's account, and keeps its place in the order. One in which nothing stands is none.
    pub(super) fn change<R>(
        &mut self,
        client: ClientKey,
        change: impl FnOnce(&mut AttemptAccount) -> R,
    ) -> R {
        let known = self.clients.entry(client).or_default();
        if let Some(before) = known.eviction_rank(client) {
            self.order.remove(&before);
        }
        let result = change(known);
        if let Some(after) = known.eviction_rank(client) {
            self.order.insert(after);
        } else if known.in_flight == 0 {
            self.clients.remove(&client);
        }
        result
    }

    /// Whether one of the accounts is locked out; if so, until both may try again.
    pub(super) fn locked(&self, accounts: Accounts, now: Moment) -> Result<(), NotAdmitted> {
        let known = accounts.iter().filter_map(|a| self.clients.get(&a));
        let wait = known.filter_map(|known| known.remaining(now)).max();
        wait.map_or(Ok(()), |wait| Err(NotAdmitted::locked_out(wait)))
    }

    /// Sees to it that the accounts are in the table or may be put there.
    pub(super) fn make_room(
        &mut self,
        accounts: Accounts,
        capacity: usize,
        now: Moment,
    ) -> Result<(), NotAdmitted> {
        let mut wanted = accounts.iter();
        let new = wanted.by_ref().filter(|a| !self.clients.contains_key(a));
        let new = new.count();
        // The two accounts of one client fit into any table.
        let capacity = capacity.max(2);
        if new == 0 || self.clients.len() + new <= capacity {
            return Ok(());
        }
        // Whose lock-out is over is as idle as anybody.
        let mut first_locked_out = self.first_locked_out();
        while let Some(over) = first_locked_out.filter(|rank| rank.until <= now) {
            self.change(over.client, |known| known.expire(now));
            first_locked_out = self.first_locked_out();
        }
        while self.clients.len() + new > capacity {
            let mut idle = self.order.iter().take_while(|rank| !rank.locked_out);
            // Nor this client's own: its failures would be forgotten.
            match idle
                .find(|rank| accounts.iter().all(|a| a != rank.client))
                .copied()
            {
                Some(idle) => {
                    self.order.remove(&idle);
                    self.clients.remove(&idle.client);
                }
                // Never someone locked out: that would let him in.
                None if accounts.proven && self.clients.len() < capacity + MOST_PROVEN => break,
                None => {
                    return Err(self.first_locked_out().map_or(NotAdmitted::Busy, |first| {
                        NotAdmitted::locked_out(first.until.saturating_since(now))
                    }));
                }
            }
        }
        Ok(())
    }

    pub(super) fn first_locked_out(&self) -> Option<EvictionRank> {
        let from = EvictionRank {
            locked_out: true,
            until: Moment::default(),
            client: ClientKey::V4([0; 4]),
        };
        self.order.range(from..).next().copied()
    }

    pub(super) fn sweep(&mut self, now: Moment) {
        for known in self.clients.values_mut() {
            known.expire(now);
        }
        let kept = |(client, known): (&ClientKey, &AttemptAccount)| known.eviction_rank(*client);
        self.order = self.clients.iter().filter_map(kept).collect();
        self.clients
            .retain(|client, known| known.in_flight > 0 || known.eviction_rank(*client).is_some());
        if self.clients.len() < self.clients.capacity() / 4 {
            self.clients.shrink_to_fit();
        }
    }
}

impl AttemptAccount {
    pub(super) fn expire(&mut self, now: Moment) {
        self.failures.retain(|leaves| *leaves > now);
        if self.locked_until.is_some_and(|until| until <= now) {
            self.locked_until = None;
        }
    }

    pub(super) fn remaining(&self, now: Moment) -> Option<Duration> {
        let until = self.locked_until.filter(|until| *until > now)?;
        Some(until.saturating_since(now))
    }

    /// Where it stands in the order of those who make room; nowhere with an attempt under way, or without any failure.
    pub(super) fn eviction_rank(&self, client: ClientKey) -> Option<EvictionRank> {
        let until = self.locked_until.or(self.failures.last().copied());
        let until = until.filter(|_| self.in_flight == 0)?;
        Some(EvictionRank {
            locked_out: self.locked_until.is_some(),
            until,
            client,
        })
    }
}

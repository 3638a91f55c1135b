//! A bounded queue of jobs in which each client waits behind itself, not in front of others.
//!
//! The proven are served before the unproven. Among equals each client has its turn: whoever was served, or came, goes to
//! the end. The unproven of a /64 take turns as if they were one. In a full queue the last job of whoever stands worst
//! ([`Precedence`](super::fairness::Precedence)) gives way.

use std::collections::{HashMap, VecDeque};

use super::fairness::{Holder, Holdings};
use crate::ids::ClientKey;

/// The queue. Its sizes are small (hundreds), so that looking through all of it is cheap beside any job.
#[derive(Debug)]
pub struct FairQueue<T> {
    capacity: usize,
    at_once: usize,
    waiting: usize,
    clients: HashMap<HolderKey, QueuedClient<T>>,
    /// When each /64 had its turn. Of those alone that have a client here.
    networks: HashMap<ClientKey, u64>,
    /// Jobs that wait and jobs that were taken and are not over.
    holdings: Holdings,
    turns: u64,
}

type HolderKey = (Option<ClientKey>, bool);

#[derive(Debug)]
struct QueuedClient<T> {
    jobs: VecDeque<T>,
    /// How many are being done.
    taken: usize,
    /// When it was served last, or else when it came.
    turn: u64,
}

impl<T> FairQueue<T> {
    /// Room for `capacity` jobs; of one client `at_once` are done at a time.
    #[must_use]
    pub fn new(capacity: usize, at_once: usize) -> Self {
        Self {
            capacity,
            at_once,
            waiting: 0,
            clients: HashMap::new(),
            networks: HashMap::new(),
            holdings: Holdings::default(),
            turns: 0,
        }
    }

    /// Puts a job into the queue. Gives back the one for which there is no room: this one, or that of somebody who holds
    /// more.
    pub fn push(&mut self, holder: Holder, job: T) -> Option<T> {
        let gives_way = match self.make_room(holder) {
            Ok(gives_way) => gives_way,
            Err(QueueFull) => return Some(job),
        };
        self.turns += 1;
        let turn = self.turns;
        let client = self.clients.entry(key(holder)).or_insert(QueuedClient {
            jobs: VecDeque::new(),
            taken: 0,
            turn,
        });
        client.jobs.push_back(job);
        if let Some(network) = holder.network() {
            self.networks.entry(network).or_insert(turn);
        }
        self.holdings.add(holder, 1);
        self.waiting += 1;
        gives_way
    }

    /// Takes the next job, if there is one that may be done now. Tell [`FairQueue::done`] when it is over.
    pub fn pop(&mut self) -> Option<(Holder, T)> {
        let next = self
            .clients
            .iter()
            .filter(|(_, client)| !client.jobs.is_empty() && client.taken < self.at_once)
            .map(|(&key, client)| {
                let holder = holder(key);
                let network = holder.network().and_then(|of| self.networks.get(&of));
                let turn = network.copied().unwrap_or(client.turn);
                ((!holder.is_proven, turn, client.turn), holder)
            })
            .min_by_key(|(order, _)| *order);
        let (_, holder) = next?;
        self.send_to_the_end(holder);
        let client = self.clients.get_mut(&key(holder))?;
        client.taken += 1;
        self.waiting -= 1;
        let job = client.jobs.pop_front()?;
        Some((holder, job))
    }

    /// A job of this holder's, which was taken, is over.
    pub fn done(&mut self, holder: Holder) {
        // Once more: whoever came meanwhile is before its next job.
        self.send_to_the_end(holder);
        if let Some(client) = self.clients.get_mut(&key(holder)) {
            client.taken = client.taken.saturating_sub(1);
        }
        self.let_go(holder);
    }

    fn send_to_the_end(&mut self, holder: Holder) {
        self.turns += 1;
        if let Some(client) = self.clients.get_mut(&key(holder)) {
            client.turn = self.turns;
        }
        let network = holder.network();
        if let Some(turn) = network.and_then(|network| self.networks.get_mut(&network)) {
            *turn = self.turns;
        }
    }

    /// How many jobs wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.waiting
    }

    /// Whether no job waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        for (key, client) in &mut self.clients {
            self.holdings.remove(holder(*key), client.jobs.len());
            client.jobs.clear();
        }
        self.clients.retain(|_, client| client.taken > 0);
        self.networks.clear();
        self.waiting = 0;
    }

    /// Sees to it that there is room for one more of `newcomer`'s.
    fn make_room(&mut self, newcomer: Holder) -> Result<Option<T>, QueueFull> {
        if self.waiting < self.capacity {
            return Ok(None);
        }
        let worst = self
            .clients
            .iter()
            .filter(|(_, client)| !client.jobs.is_empty())
            .map(|(&key, client)| {
                let holder = holder(key);
                // Among equals whoever came last.
                (self.holdings.precedence(holder), client.turn, holder)
            })
            .max_by_key(|(precedence, turn, _)| (*precedence, *turn));
        let (precedence, _, worst) = worst.ok_or(QueueFull)?;
        if self.holdings.precedence_with(newcomer, 1, Some(worst)) >= precedence {
            return Err(QueueFull);
        }
        let job = self
            .clients
            .get_mut(&key(worst))
            .and_then(|client| client.jobs.pop_back());
        self.waiting -= 1;
        self.let_go(worst);
        job.ok_or(QueueFull).map(Some)
    }

    /// One job less of this holder's.
    fn let_go(&mut self, holder: Holder) {
        self.holdings.remove(holder, 1);
        let is_over = self
            .clients
            .get(&key(holder))
            .is_some_and(|client| client.jobs.is_empty() && client.taken == 0);
        if is_over {
            self.clients.remove(&key(holder));
        }
        if let Some(network) = holder.network()
            && self.holdings.of_network(holder) == Some(0)
        {
            self.networks.remove(&network);
        }
    }
}

/// The queue is full, and nobody in it holds more.
struct QueueFull;

const fn key(holder: Holder) -> HolderKey {
    (holder.client, holder.is_proven)
}

const fn holder((client, is_proven): HolderKey) -> Holder {
    Holder { client, is_proven }
}

#[cfg(test)]
mod tests;

//! A bounded line of jobs in which each client waits behind itself, not in front of others.
//!
//! The proven are served before the unproven. Among equals each client has its turn: whoever was served, or came, goes to
//! the end. The unproven of a /64 take turns as if they were one. In a full line the last job of whoever stands worst
//! ([`Standing`](super::standing::Standing)) gives way.

use std::collections::{HashMap, VecDeque};

use super::ClientKey;
use super::standing::{Holder, Holdings};

/// The line. Its sizes are small (hundreds), so that looking through all of it is cheap beside any job.
#[derive(Debug)]
pub struct Line<T> {
    capacity: usize,
    at_once: usize,
    waiting: usize,
    clients: HashMap<Key, Client<T>>,
    /// When each /64 had its turn. Of those alone that have a client here.
    networks: HashMap<ClientKey, u64>,
    /// Jobs that wait and jobs that were taken and are not over.
    holdings: Holdings,
    turns: u64,
}

type Key = (Option<ClientKey>, bool);

#[derive(Debug)]
struct Client<T> {
    jobs: VecDeque<T>,
    /// How many are being done.
    taken: usize,
    /// When it was served last, or else when it came.
    turn: u64,
}

impl<T> Line<T> {
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

    /// Puts a job into the line. Gives back the one for which there is no room: this one, or that of somebody who holds
    /// more.
    pub fn push(&mut self, holder: Holder, job: T) -> Option<T> {
        let gives_way = match self.make_room(holder) {
            Ok(gives_way) => gives_way,
            Err(NoRoom) => return Some(job),
        };
        self.turns += 1;
        let turn = self.turns;
        let client = self.clients.entry(key(holder)).or_insert(Client {
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

    /// Takes the next job, if there is one that may be done now. Tell [`Line::done`] when it is over.
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
    fn make_room(&mut self, newcomer: Holder) -> Result<Option<T>, NoRoom> {
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
                (self.holdings.standing(holder), client.turn, holder)
            })
            .max_by_key(|(standing, turn, _)| (*standing, *turn));
        let (standing, _, worst) = worst.ok_or(NoRoom)?;
        if self.holdings.standing_with(newcomer, 1, Some(worst)) >= standing {
            return Err(NoRoom);
        }
        let job = self
            .clients
            .get_mut(&key(worst))
            .and_then(|client| client.jobs.pop_back());
        self.waiting -= 1;
        self.let_go(worst);
        job.ok_or(NoRoom).map(Some)
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

/// The line is full, and nobody in it holds more.
struct NoRoom;

const fn key(holder: Holder) -> Key {
    (holder.client, holder.is_proven)
}

const fn holder((client, is_proven): Key) -> Holder {
    Holder { client, is_proven }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unproven(address: &str) -> Holder {
        Holder {
            client: Some(address.parse().expect("an address")),
            is_proven: false,
        }
    }

    fn proven(address: &str) -> Holder {
        Holder {
            is_proven: true,
            ..unproven(address)
        }
    }

    /// Takes and ends one job after the other.
    fn served(line: &mut Line<u32>) -> Vec<u32> {
        std::iter::from_fn(|| {
            let (holder, job) = line.pop()?;
            line.done(holder);
            Some(job)
        })
        .collect()
    }

    #[test]
    fn who_sends_two_hundred_waits_behind_himself() {
        let mut line = Line::new(1000, 1);
        for job in 0..200 {
            assert_eq!(line.push(unproven("192.0.2.1"), job), None);
        }
        assert_eq!(line.pop(), Some((unproven("192.0.2.1"), 0)));
        assert_eq!(line.push(unproven("192.0.2.2"), 1000), None);
        assert_eq!(line.push(unproven("192.0.2.2"), 1001), None);
        assert_eq!(line.push(unproven("192.0.2.3"), 1002), None);
        line.done(unproven("192.0.2.1"));
        let order = served(&mut line);
        assert_eq!(order[..6], [1000, 1002, 1, 1001, 2, 3]);
        assert_eq!(order.len(), 202);
    }

    #[test]
    fn the_proven_go_before_all_others() {
        let mut line = Line::new(1000, 1);
        for n in 0..160 {
            let guesser = unproven(&format!("192.0.2.{}", n % 40));
            assert_eq!(line.push(guesser, n), None);
        }
        assert_eq!(line.push(proven("192.0.2.200"), 1000), None);
        assert_eq!(line.push(proven("2001:db8::1"), 1001), None);
        let order = served(&mut line);
        assert_eq!(order[..3], [1000, 1001, 0]);
        assert_eq!(order.len(), 162);
        assert!(line.clients.is_empty() && line.holdings.is_empty());
    }

    #[test]
    fn many_addresses_of_one_64_take_turns_as_one() {
        let mut line = Line::new(1000, 1);
        for n in 1..=100 {
            line.push(unproven(&format!("2001:db8::{n:x}")), n);
        }
        assert_eq!(line.pop(), Some((unproven("2001:db8::1"), 1)));
        line.push(unproven("192.0.2.1"), 1000);
        line.push(unproven("192.0.2.2"), 1001);
        // A host of the /64 that came later than all the addresses of its neighbour.
        line.push(unproven("2001:db8::ffff"), 1002);
        line.done(unproven("2001:db8::1"));
        let order = served(&mut line);
        assert_eq!(order[..5], [1000, 1001, 2, 3, 4]);
        assert_eq!(order.last(), Some(&1002));
        assert!(line.networks.is_empty());
    }

    #[test]
    fn of_one_client_no_more_is_done_at_once_than_may_be() {
        let mut line = Line::new(1000, 1);
        line.push(unproven("192.0.2.1"), 0);
        line.push(unproven("192.0.2.1"), 1);
        let (first, _) = line.pop().expect("a job");
        assert_eq!(line.pop(), None);
        line.push(unproven("192.0.2.2"), 2);
        assert_eq!(line.pop(), Some((unproven("192.0.2.2"), 2)));
        line.done(first);
        assert_eq!(line.pop(), Some((unproven("192.0.2.1"), 1)));
    }

    #[test]
    fn in_a_full_line_whoever_holds_most_gives_way() {
        let mut line = Line::new(4, 1);
        for job in 0..3 {
            assert_eq!(line.push(unproven("192.0.2.1"), job), None);
        }
        assert_eq!(line.push(unproven("192.0.2.2"), 10), None);
        // The last of the fullest, not the first.
        assert_eq!(line.push(unproven("192.0.2.3"), 20), Some(2));
        // Nobody holds more than the newcomer would: it is refused.
        assert_eq!(line.push(unproven("192.0.2.1"), 3), Some(3));
        assert_eq!(line.push(unproven("192.0.2.2"), 11), Some(11));
        assert_eq!(line.push(proven("192.0.2.4"), 30), Some(1));
        // Nor is one who holds as much as he would.
        assert_eq!(line.push(unproven("192.0.2.5"), 40), Some(40));
        for job in 31..34 {
            assert!(
                line.push(proven("192.0.2.4"), job)
                    .is_some_and(|job| job < 31)
            );
        }
        assert_eq!(line.push(proven("192.0.2.4"), 34), Some(34));
        // Another proven one gets half.
        assert_eq!(line.push(proven("192.0.2.6"), 50), Some(33));
        assert_eq!(line.len(), 4);
    }

    #[test]
    fn a_flood_of_addresses_leaves_nothing_behind() {
        let mut line = Line::new(64, 1);
        for n in 0..10_000_u32 {
            line.push(unproven(&format!("2001:db8:{:x}::{n:x}", n % 7)), n);
            if n % 3 == 0 {
                let (holder, _) = line.pop().expect("a job");
                line.done(holder);
            }
        }
        assert!(line.len() <= 64 && line.clients.len() <= 64 && line.networks.len() <= 7);
        line.clear();
        assert!(line.is_empty() && line.clients.is_empty());
        assert!(line.networks.is_empty() && line.holdings.is_empty());
    }
}

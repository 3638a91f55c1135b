//! Tickets for the log stream: short-lived, single-use stand-ins for a credential, for clients that cannot send headers.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::digest;

use super::{Proof, Session};
use crate::clock::Moment;
use crate::entropy::Entropy;
use crate::journal::Id;

/// The tickets that have not been used yet.
pub struct Tickets {
    lifetime: Duration,
    capacity: usize,
    /// The oldest first, which is also the first to expire.
    unused: Mutex<Vec<Ticket>>,
}

struct Ticket {
    /// SHA-256 of the ticket's bits. Tickets themselves are not kept, and the time a look-up takes says nothing
    /// about them.
    key: [u8; 32],
    session: Session,
    expires: Moment,
}

/// Whose ticket it is: a login's, or one of the ways in without a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Local,
    Basic,
    Login(Id),
}

impl Tickets {
    /// At most `capacity` tickets that are good for `lifetime`.
    #[must_use]
    pub fn new(lifetime: Duration, capacity: usize) -> Self {
        Self {
            lifetime,
            capacity,
            unused: Mutex::default(),
        }
    }

    /// Issues a ticket for `session`: 256 random bits, in base64url without padding.
    pub fn issue(&self, session: &Session, now: Moment, entropy: &dyn Entropy) -> String {
        let mut bits = [0; 32];
        entropy.fill(&mut bits);
        let owner = Owner::of(session);
        let mut unused = self.unused.lock();
        unused.retain(|ticket| ticket.expires > now);
        let is_owners = |ticket: &Ticket| Owner::of(&ticket.session) == owner;
        if unused.iter().filter(|ticket| is_owners(ticket)).count() >= MAX_FOR_ONE {
            remove_oldest(&mut unused, is_owners);
        } else if unused.len() >= self.capacity {
            let greedy = greediest(&unused, owner);
            remove_oldest(&mut unused, |ticket| {
                Some(Owner::of(&ticket.session)) == greedy
            });
        }
        unused.push(Ticket {
            key: key(&bits),
            session: session.clone(),
            expires: now + self.lifetime,
        });
        BASE64_URL_SAFE_NO_PAD.encode(bits)
    }

    /// Whose ticket it is, if it is good. Does not use it up.
    pub fn peek(&self, ticket: &str, now: Moment) -> Option<Session> {
        let key = parse(ticket)?;
        let unused = self.unused.lock();
        let found = unused.iter().find(|ticket| ticket.key == key)?;
        (found.expires > now).then(|| found.session.clone())
    }

    /// Whose ticket it is, if it is good; it is good no more. Of any number of callers one gets it.
    pub fn redeem(&self, ticket: &str, now: Moment) -> Option<Session> {
        let key = parse(ticket)?;
        let mut unused = self.unused.lock();
        let at = unused.iter().position(|ticket| ticket.key == key)?;
        let found = unused.remove(at);
        (found.expires > now).then_some(found.session)
    }

    /// Forgets expired tickets and those whose login is dead.
    pub fn sweep(&self, now: Moment, is_alive: impl Fn(&Session) -> bool) {
        self.unused
            .lock()
            .retain(|ticket| ticket.expires > now && is_alive(&ticket.session));
    }
}

impl Owner {
    fn of(session: &Session) -> Self {
        match session.proof {
            Proof::Local => Self::Local,
            Proof::Basic { .. } => Self::Basic,
            Proof::Token { family, .. } => Self::Login(family),
        }
    }
}

fn remove_oldest(unused: &mut Vec<Ticket>, whose: impl Fn(&Ticket) -> bool) {
    if let Some(oldest) = unused.iter().position(whose) {
        unused.remove(oldest);
    }
}

/// Who holds the most tickets. Where several do, whoever asks for one more is the greediest: nobody gets more than others
/// at their expense.
fn greediest(unused: &[Ticket], asks: Owner) -> Option<Owner> {
    let mut counts: HashMap<Owner, usize> = HashMap::new();
    for ticket in unused {
        *counts.entry(Owner::of(&ticket.session)).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(owner, count)| (*count, *owner == asks))?;
    Some(most.0)
}

fn parse(ticket: &str) -> Option<[u8; 32]> {
    // The length first: a URL can be long.
    if ticket.len() != TEXT_LENGTH {
        return None;
    }
    let bits = BASE64_URL_SAFE_NO_PAD.decode(ticket).ok()?;
    Some(key(&bits))
}

fn key(bits: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest::digest(&digest::SHA256, bits).as_ref());
    key
}

/// 256 bits in base64url.
const TEXT_LENGTH: usize = 43;

/// One login's: a browser with 32 tabs that all reconnect at once.
pub const MAX_FOR_ONE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::FakeEntropy;
    use std::thread;

    const MAX: usize = 1024;

    fn session(family: u16) -> Session {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&family.to_be_bytes());
        Session {
            user: "admin".into(),
            proof: Proof::Token {
                id: Id(id),
                jti: *b"01234567",
                family: Id(id),
                generation: Some(1),
                issued: Timestamp::from_secs(0),
                expires: Timestamp::from_secs(1),
            },
        }
    }

    fn at(secs: u64) -> Moment {
        Moment::default() + Duration::from_secs(secs)
    }

    #[test]
    fn a_ticket_is_good_once_and_for_its_lifetime() {
        let (tickets, entropy) = (
            Tickets::new(Duration::from_secs(120), MAX),
            FakeEntropy::new(1),
        );
        let ticket = tickets.issue(&session(1), at(0), &entropy);
        assert_eq!(ticket.len(), 43);
        assert_eq!(tickets.peek(&ticket, at(119)), Some(session(1)));
        assert_eq!(tickets.peek(&ticket, at(120)), None);
        assert_eq!(tickets.redeem(&ticket, at(119)), Some(session(1)));
        assert_eq!(tickets.redeem(&ticket, at(119)), None);
        let late = tickets.issue(&session(1), at(0), &entropy);
        assert_eq!(tickets.redeem(&late, at(120)), None);
        tickets.sweep(at(240), |_| true);
        assert_eq!(tickets.unused.lock().len(), 0);
    }

    #[test]
    fn of_many_uses_at_once_one_wins() {
        let (tickets, entropy) = (
            Tickets::new(Duration::from_secs(120), MAX),
            FakeEntropy::new(1),
        );
        let ticket = tickets.issue(&session(1), at(0), &entropy);
        let winners: usize = thread::scope(|scope| {
            let uses: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| tickets.redeem(&ticket, at(1)).is_some()))
                .collect();
            uses.into_iter()
                .map(|u| usize::from(u.join().unwrap()))
                .sum()
        });
        assert_eq!(winners, 1);
    }

    #[test]
    fn other_spellings_are_no_tickets() {
        let (tickets, entropy) = (
            Tickets::new(Duration::from_secs(120), MAX),
            FakeEntropy::new(1),
        );
        let ticket = tickets.issue(&session(1), at(0), &entropy);
        let stem = &ticket[..42];
        let last = ticket.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for other in alphabet.chars().filter(|c| *c != last) {
            assert_eq!(tickets.peek(&format!("{stem}{other}"), at(1)), None);
        }
        for other in [format!("{ticket}="), String::new(), "é".repeat(22)] {
            assert_eq!(tickets.peek(&other, at(1)), None);
        }
    }

    #[test]
    fn a_flood_by_one_login_evicts_only_its_own_oldest() {
        let (tickets, entropy) = (
            Tickets::new(Duration::from_secs(120), MAX),
            FakeEntropy::new(1),
        );
        let mine = tickets.issue(&session(1), at(0), &entropy);
        let flood: Vec<String> = (0..1000)
            .map(|_| tickets.issue(&session(2), at(0), &entropy))
            .collect();
        assert_eq!(tickets.unused.lock().len(), 1 + MAX_FOR_ONE);
        assert!(tickets.peek(&mine, at(1)).is_some());
        assert!(tickets.peek(&flood[999], at(1)).is_some());
        assert!(tickets.peek(&flood[967], at(1)).is_none());
        assert!(tickets.peek(&flood[968], at(1)).is_some());

        // With many logins the greediest pays.
        for login in 3..5000 {
            tickets.issue(&session(login), at(0), &entropy);
        }
        assert_eq!(tickets.unused.lock().len(), MAX);
        assert!(tickets.peek(&flood[998], at(1)).is_none());
    }

    #[test]
    fn a_flood_into_a_full_table_takes_no_more_than_an_equal_share() {
        let (tickets, entropy) = (
            Tickets::new(Duration::from_secs(120), 99),
            FakeEntropy::new(1),
        );
        for login in 0..11 {
            for _ in 0..9 {
                tickets.issue(&session(login), at(0), &entropy);
            }
        }
        let held = |login: u16| {
            let owner = Owner::of(&session(login));
            let unused = tickets.unused.lock();
            unused
                .iter()
                .filter(|t| Owner::of(&t.session) == owner)
                .count()
        };
        for _ in 0..1000 {
            tickets.issue(&session(99), at(0), &entropy);
            assert_eq!(tickets.unused.lock().len(), 99);
        }
        assert_eq!(held(99), 9);
        assert!((0..11).all(|login| held(login) >= 8), "an equal share");
        assert!(tickets.unused.lock().capacity() <= 128);
    }
}

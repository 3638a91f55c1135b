//! Tickets for the log stream: short-lived, single-use stand-ins for a credential, for clients that cannot send headers.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::digest;

use super::{Principal, Proof};
use crate::clock::Moment;
use crate::entropy::Entropy;
use crate::ids::Id;

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
    principal: Principal,
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

    /// Issues a ticket for `principal`: 256 random bits, in base64url without padding.
    pub fn issue(&self, principal: &Principal, now: Moment, entropy: &dyn Entropy) -> String {
        let mut bits = [0; 32];
        entropy.fill(&mut bits);
        let owner = Owner::of(principal);
        let mut unused = self.unused.lock();
        unused.retain(|ticket| ticket.expires > now);
        let is_owners = |ticket: &Ticket| Owner::of(&ticket.principal) == owner;
        if unused.iter().filter(|ticket| is_owners(ticket)).count() >= MAX_FOR_ONE {
            remove_oldest(&mut unused, is_owners);
        } else if unused.len() >= self.capacity {
            let greedy = greediest(&unused, owner);
            remove_oldest(&mut unused, |ticket| {
                Some(Owner::of(&ticket.principal)) == greedy
            });
        }
        unused.push(Ticket {
            key: key(&bits),
            principal: principal.clone(),
            expires: now + self.lifetime,
        });
        BASE64_URL_SAFE_NO_PAD.encode(bits)
    }

    /// Whose ticket it is, if it is good. Does not use it up.
    pub fn peek(&self, ticket: &str, now: Moment) -> Option<Principal> {
        let key = parse(ticket)?;
        let unused = self.unused.lock();
        let found = unused.iter().find(|ticket| ticket.key == key)?;
        (found.expires > now).then(|| found.principal.clone())
    }

    /// Whose ticket it is, if it is good. It is used up by this: of any number of callers one gets it.
    pub fn redeem(&self, ticket: &str, now: Moment) -> Option<Principal> {
        let key = parse(ticket)?;
        let mut unused = self.unused.lock();
        let at = unused.iter().position(|ticket| ticket.key == key)?;
        let found = unused.remove(at);
        (found.expires > now).then_some(found.principal)
    }

    /// Forgets expired tickets and those whose login is dead.
    pub fn sweep(&self, now: Moment, is_alive: impl Fn(&Principal) -> bool) {
        self.unused
            .lock()
            .retain(|ticket| ticket.expires > now && is_alive(&ticket.principal));
    }
}

impl Owner {
    fn of(principal: &Principal) -> Self {
        match principal.proof {
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

/// The session that holds the most tickets. If several do, it is the one that asks for another.
fn greediest(unused: &[Ticket], asks: Owner) -> Option<Owner> {
    let mut counts: HashMap<Owner, usize> = HashMap::new();
    for ticket in unused {
        *counts.entry(Owner::of(&ticket.principal)).or_default() += 1;
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
mod tests;

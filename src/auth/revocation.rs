//! Which tokens are dead before their time: revoked ones, revoked logins (*families*: every token descended from one
//! login), and refresh tokens that have been used.
//!
//! An entry is forgotten only when the guarded clock has passed the expiry of everything it forbids. When the table is
//! full, new entries are refused; forgetting an old one would let a dead token back in.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::journal::{Id, Record};

/// The table of revocations. In memory a revoked token or login comes to 24 to 48 bytes, a used refresh token to 33 to
/// 66, hash table included: the most just after it has grown.
pub struct Revocations {
    capacity: usize,
    tables: RwLock<Tables>,
}

#[derive(Default)]
struct Tables {
    tokens: HashMap<Id, Seconds>,
    families: HashMap<Id, Seconds>,
    used: HashMap<Id, Used>,
}

/// A used refresh token.
#[derive(Clone, Copy)]
struct Used {
    expires: Seconds,
    at: Seconds,
    /// The part of `at` below a second.
    at_millis: u16,
}

/// Whole seconds since the Unix epoch in four bytes, which last until 2106. Later expiries are [`Seconds::NEVER`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seconds(u32);

/// The table is full: nothing was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the table of revocations is full")]
pub struct Full;

/// What became of the use of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is the first: this caller has won the token.
    First,
    /// It was used before, then.
    Again(Timestamp),
}

impl Revocations {
    /// A table for at most `capacity` entries of all kinds; see [`CAPACITY`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            tables: RwLock::default(),
        }
    }

    /// Whether the token, by its own id or by its login, is revoked.
    pub fn is_revoked(&self, id: Id, family: Id) -> bool {
        let tables = self.tables.read();
        tables.families.contains_key(&family) || tables.tokens.contains_key(&id)
    }

    /// Revokes one token, which expires then.
    ///
    /// # Errors
    /// [`Full`]; then it is not revoked.
    pub fn revoke_token(&self, id: Id, expires: Timestamp) -> Result<(), Full> {
        let mut tables = self.tables.write();
        if !tables.tokens.contains_key(&id) && tables.len() >= self.capacity {
            return Err(Full);
        }
        keep_later(&mut tables.tokens, id, expires);
        Ok(())
    }

    /// Revokes a login, whose last token expires then.
    ///
    /// # Errors
    /// [`Full`]; then it is not revoked.
    pub fn revoke_family(&self, family: Id, expires: Timestamp) -> Result<(), Full> {
        let mut tables = self.tables.write();
        if !tables.families.contains_key(&family) && tables.len() >= self.capacity {
            return Err(Full);
        }
        keep_later(&mut tables.families, family, expires);
        Ok(())
    }

    /// Uses up a refresh token, which expires then. Of any number of callers exactly one is the [`Use::First`].
    ///
    /// # Errors
    /// [`Full`], while an eighth of the table is still free: that is kept for logging out.
    pub fn use_up(&self, id: Id, now: Timestamp, expires: Timestamp) -> Result<Use, Full> {
        let mut tables = self.tables.write();
        if let Some(used) = tables.used.get(&id) {
            return Ok(Use::Again(used.at()));
        }
        if tables.len() >= self.capacity - self.capacity / 8 {
            return Err(Full);
        }
        tables.used.insert(id, Used::new(now, expires));
        Ok(Use::First)
    }

    /// Takes a use back that could not be made durable and was not answered with a pair.
    pub fn give_back(&self, id: Id) {
        self.tables.write().used.remove(&id);
    }

    /// Takes in a record of the journal; says whether it was one of this table's. Not bound by the capacity: what the
    /// journal holds was within it once, and must be kept.
    pub fn apply(&self, record: &Record) -> bool {
        let mut tables = self.tables.write();
        match *record {
            Record::TokenRevoked { id, expires } => keep_later(&mut tables.tokens, id, expires),
            Record::FamilyRevoked { family, expires } => {
                keep_later(&mut tables.families, family, expires);
            }
            Record::RefreshUsed { id, used, expires } => {
                // The first use counts.
                tables
                    .used
                    .entry(id)
                    .or_insert_with(|| Used::new(used, expires));
            }
            _ => return false,
        }
        true
    }

    /// Every entry that still forbids something, as records.
    pub fn live(&self, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        let tables = self.tables.read();
        for (&id, expires) in tables.tokens.iter().filter(|(_, e)| !e.passed(now)) {
            let expires = expires.timestamp();
            sink(&Record::TokenRevoked { id, expires });
        }
        for (&family, expires) in tables.families.iter().filter(|(_, e)| !e.passed(now)) {
            let expires = expires.timestamp();
            sink(&Record::FamilyRevoked { family, expires });
        }
        for (&id, used) in tables.used.iter().filter(|(_, u)| !u.expires.passed(now)) {
            sink(&Record::RefreshUsed {
                id,
                used: used.at(),
                expires: used.expires.timestamp(),
            });
        }
    }

    /// Forgets what the guarded clock has passed. For the housekeeper.
    pub fn sweep(&self, now: Timestamp) {
        let tables = &mut *self.tables.write();
        tables.tokens.retain(|_, expires| !expires.passed(now));
        tables.families.retain(|_, expires| !expires.passed(now));
        tables.used.retain(|_, used| !used.expires.passed(now));
        give_back(&mut tables.tokens);
        give_back(&mut tables.families);
        give_back(&mut tables.used);
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.tables.read().len()
    }
}

impl Tables {
    fn len(&self) -> usize {
        self.tokens.len() + self.families.len() + self.used.len()
    }
}

impl Used {
    fn new(at: Timestamp, expires: Timestamp) -> Self {
        Self {
            expires: Seconds::up(expires),
            at: Seconds::down(at),
            at_millis: u16::try_from(at.as_millis() % 1000).unwrap_or(0),
        }
    }

    fn at(self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.at.0) * 1000 + u64::from(self.at_millis))
    }
}

impl Seconds {
    /// Too late to be counted, and so never forgotten.
    const NEVER: Self = Self(u32::MAX);

    fn down(time: Timestamp) -> Self {
        u32::try_from(time.as_secs()).map_or(Self::NEVER, Self)
    }

    fn up(time: Timestamp) -> Self {
        u32::try_from(time.as_millis().div_ceil(1000)).map_or(Self::NEVER, Self)
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_secs(u64::from(self.0))
    }

    fn passed(self, now: Timestamp) -> bool {
        self != Self::NEVER && self.timestamp() <= now
    }
}

fn keep_later(table: &mut HashMap<Id, Seconds>, id: Id, expires: Timestamp) {
    let expires = Seconds::up(expires);
    let known = table.entry(id).or_insert(expires);
    *known = expires.max(*known);
}

/// A table that was large once gives its memory back when it is mostly empty.
fn give_back<K: Hash + Eq, V>(table: &mut HashMap<K, V>) {
    if table.len() < table.capacity() / 4 {
        table.shrink_to_fit();
    }
}

/// How many entries to keep: a login refreshed every minute for the seven days of a refresh token makes ten thousand, so
/// this is a hundred such clients. It comes to 36 MB if most are used refresh tokens, to 55 MB in the worst mixture, and
/// to half of that again for the moment in which it grows.
pub const CAPACITY: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn id(n: u32) -> Id {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        Id(bytes)
    }

    fn later(secs: u64) -> Timestamp {
        NOW + Duration::from_secs(secs)
    }

    #[test]
    fn a_revocation_is_forgotten_only_after_the_expiry_of_what_it_forbids() {
        let revocations = Revocations::new(100);
        revocations.revoke_token(id(1), later(10)).unwrap();
        revocations.revoke_family(id(2), later(10)).unwrap();
        revocations.use_up(id(3), NOW, later(10)).unwrap();
        // An earlier expiry does not shorten it.
        revocations.revoke_token(id(1), later(5)).unwrap();

        revocations.sweep(later(9));
        assert!(revocations.is_revoked(id(1), id(9)));
        assert!(revocations.is_revoked(id(9), id(2)));
        assert_eq!(
            revocations.use_up(id(3), later(9), later(10)),
            Ok(Use::Again(NOW))
        );
        revocations.sweep(later(10));
        assert_eq!(revocations.len(), 0);
    }

    #[test]
    fn expiries_are_rounded_up_and_those_beyond_2106_are_never_forgotten() {
        let revocations = Revocations::new(100);
        let odd = NOW + Duration::from_millis(1);
        revocations.revoke_token(id(1), odd).unwrap();
        revocations
            .revoke_token(id(2), Timestamp::from_millis(u64::MAX))
            .unwrap();
        revocations.sweep(odd);
        assert!(revocations.is_revoked(id(1), id(1)));
        revocations.sweep(Timestamp::from_millis(u64::MAX));
        assert!(!revocations.is_revoked(id(1), id(1)));
        assert!(revocations.is_revoked(id(2), id(2)));
    }

    #[test]
    fn a_full_table_refuses_and_forgets_nothing() {
        let revocations = Revocations::new(16);
        for n in 0..14 {
            assert_eq!(revocations.use_up(id(n), NOW, later(10)), Ok(Use::First));
        }
        assert_eq!(revocations.use_up(id(14), NOW, later(10)), Err(Full));
        // The rest is for logging out.
        revocations.revoke_family(id(100), later(10)).unwrap();
        revocations.revoke_token(id(101), later(10)).unwrap();
        assert_eq!(revocations.revoke_family(id(102), later(10)), Err(Full));
        assert_eq!(revocations.revoke_token(id(102), later(10)), Err(Full));
        assert_eq!(revocations.revoke_token(id(101), later(11)), Ok(()));
        assert!(!revocations.is_revoked(id(102), id(102)));
        assert_eq!(
            revocations.use_up(id(0), NOW, later(10)),
            Ok(Use::Again(NOW))
        );
        assert_eq!(revocations.len(), 16);
    }

    #[test]
    fn a_restart_keeps_every_entry() {
        let before = Revocations::new(100);
        before.revoke_token(id(1), later(10)).unwrap();
        before.revoke_family(id(2), later(10)).unwrap();
        before.use_up(id(3), NOW, later(10)).unwrap();
        before.revoke_token(id(4), NOW).unwrap();
        let after = Revocations::new(1);
        before.live(NOW, &mut |record| {
            assert!(after.apply(record));
            assert!(after.apply(record));
        });
        assert_eq!(after.len(), 3);
        assert!(after.is_revoked(id(1), id(9)));
        assert!(after.is_revoked(id(9), id(2)));
        assert_eq!(after.use_up(id(3), NOW, later(10)), Ok(Use::Again(NOW)));
        assert!(!after.apply(&Record::Mark { at: NOW }));
    }

    #[test]
    fn entries_are_small() {
        // A hash table has one more byte a slot, and is at least 7/16 full after it has grown.
        let at_most = |slot: usize| (slot + 1) * 16 / 7;
        assert_eq!(at_most(size_of::<(Id, Seconds)>()), 48);
        assert_eq!(at_most(size_of::<(Id, Used)>()), 66);
    }
}

//! Which tokens are dead before their time: revoked ones, revoked logins (*families*: every token descended from one
//! login), and refresh tokens that have been used.
//!
//! An entry is forgotten only when the guarded clock has passed the expiry of everything it forbids. When the table is
//! full, new entries are refused; forgetting an old one would let a dead token back in.

mod sorted;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::REFRESH_TTL;
use crate::clock::Timestamp;
use crate::ids::Id;
use crate::journal::Record;
use sorted::Sorted;

/// The table of revocations: 20 bytes for a revoked token or login, 28 for a used refresh token, and a quarter more
/// at most.
///
/// It is cut into [`SHARDS`], each under a lock of its own, that is never held for longer than it takes to go through
/// one: a request waits neither for the table to grow, nor for a sweep, nor for a compaction of the journal.
pub struct Revocations {
    capacity: usize,
    /// Ids of foreign tokens may be anything, consecutive numbers too: a keyed hash spreads them over the shards.
    hasher: RandomState,
    shards: Box<[RwLock<Shard>]>,
    /// The entries in all shards.
    len: AtomicUsize,
    /// The guarded time of the last sweep. Held while one goes on.
    swept: Mutex<Timestamp>,
    /// Whether an entry has been refused, and there has not been much room since.
    refused: AtomicBool,
}

#[derive(Default)]
struct Shard {
    tokens: Sorted<Seconds>,
    families: Sorted<Seconds>,
    used: Sorted<UsedRefreshToken>,
}

/// A shard's revoked tokens, revoked logins and used refresh tokens.
type Entries = (
    Vec<(Id, Seconds)>,
    Vec<(Id, Seconds)>,
    Vec<(Id, UsedRefreshToken)>,
);

/// A used refresh token.
#[derive(Clone, Copy)]
struct UsedRefreshToken {
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
pub enum RefreshUse {
    /// It is the first: this caller has won the token.
    First,
    /// It was used before, then.
    Again(Timestamp),
}

impl Revocations {
    /// A table for at most `capacity` entries of all kinds.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(RwLock::default)
                .take(SHARDS)
                .collect(),
            len: AtomicUsize::new(0),
            swept: Mutex::default(),
            refused: AtomicBool::new(false),
        }
    }

    /// Whether the token, by its own id or by its login, is revoked.
    pub fn is_revoked(&self, id: Id, family: Id) -> bool {
        self.shard(family).read().families.contains(family)
            || self.shard(id).read().tokens.contains(id)
    }

    /// Revokes one token, which expires then, and leaves room for its login, which ends next. `now` is the guarded
    /// clock's, as everywhere here.
    ///
    /// # Errors
    /// [`Full`], while there is room for one; then it is not revoked. A logout that finds room for half of what it
    /// enters would be in force and not in the journal.
    pub fn revoke_token(&self, id: Id, expires: Timestamp, now: Timestamp) -> Result<(), Full> {
        let room = self.capacity.saturating_sub(1);
        self.with_room(now, || {
            self.keep_later(id, expires, room, |s| &mut s.tokens)
        })
    }

    /// Revokes a login, whose last token expires then.
    ///
    /// # Errors
    /// [`Full`]; then it is not revoked.
    pub fn revoke_family(
        &self,
        family: Id,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Full> {
        self.with_room(now, || {
            self.keep_later(family, expires, self.capacity, |s| &mut s.families)
        })
    }

    /// Uses up a refresh token, which expires then. Of any number of callers exactly one is the [`RefreshUse::First`].
    ///
    /// # Errors
    /// [`Full`], while an eighth of the table is still free: that is kept for logging out.
    pub fn use_up(&self, id: Id, now: Timestamp, expires: Timestamp) -> Result<RefreshUse, Full> {
        self.with_room(now, || {
            self.keep_first(id, now, expires, self.room_for_refreshes())
        })
    }

    /// Takes a use back that could not be made durable and was not answered with a pair.
    pub fn give_back(&self, id: Id) {
        if self.shard(id).write().used.remove(id) {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes in a record of the journal; says whether it was one of this table's. Not bound by the capacity: what the
    /// journal holds was within it once, and must be kept.
    pub fn apply(&self, record: &Record) -> bool {
        // Without a bound there is always room.
        let _ = match *record {
            Record::TokenRevoked { id, expires } => {
                self.keep_later(id, expires, usize::MAX, |s| &mut s.tokens)
            }
            Record::FamilyRevoked { family, expires } => {
                self.keep_later(family, expires, usize::MAX, |s| &mut s.families)
            }
            Record::RefreshUsed { id, used, expires } => self
                .keep_first(id, used, expires, usize::MAX)
                .map(|_: RefreshUse| ()),
            _ => return false,
        };
        true
    }

    /// Every entry of one of the [`SHARDS`] that still forbids something, as records. No lock is held while `sink` runs.
    /// An entry that is there throughout is given, whatever comes and goes beside it.
    pub fn live_shard(&self, shard: usize, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        let Some(shard) = self.shards.get(shard) else {
            return;
        };
        let (tokens, families, used) = shard.read().copy();
        for (id, expires) in tokens.into_iter().filter(|(_, e)| !e.passed(now)) {
            let expires = expires.timestamp();
            sink(&Record::TokenRevoked { id, expires });
        }
        for (family, expires) in families.into_iter().filter(|(_, e)| !e.passed(now)) {
            let expires = expires.timestamp();
            sink(&Record::FamilyRevoked { family, expires });
        }
        for (id, used) in used.into_iter().filter(|(_, u)| !u.expires.passed(now)) {
            sink(&Record::RefreshUsed {
                id,
                used: used.at(),
                expires: used.expires.timestamp(),
            });
        }
    }

    /// Forgets entries that have expired by the guarded clock. The housekeeper calls it.
    pub fn sweep(&self, now: Timestamp) {
        self.sweep_shards(&mut self.swept.lock(), now);
    }

    /// Forgets what a new password has made pointless: the ends of logins, and used refresh tokens, for all of these are
    /// dead by its generation. The login that goes on, if one does, may end all the same. Single tokens stay: they are
    /// foreign ones, which name no generation.
    ///
    /// The new generation must be in force for whoever looks here from now on.
    pub fn forget_superseded(&self, going_on: Option<Id>) {
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.len();
            shard.families.clear_but(going_on);
            shard.used.clear_but(None);
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
        self.tell_of_room();
    }

    /// Before when all tokens must have been issued that are to die at once, so that an eighth of the entries becomes
    /// pointless, the oldest; more, where many are of one second. It is not later than now. `None` if there is no such time:
    /// all is too new, or single tokens, of which nobody knows when they were issued.
    pub fn oldest_eighth(&self, now: Timestamp) -> Option<Timestamp> {
        let (mut issued, mut looked_at) = (Vec::new(), 0);
        for shard in &self.shards {
            let (tokens, families, used) = shard.read().copy();
            looked_at += tokens.len() + families.len() + used.len();
            issued.extend(families.into_iter().map(|(_, e)| e.issued()));
            issued.extend(used.into_iter().map(|(_, u)| u.issued()));
            // The hash has dealt them out at random: so many tell the eighth of a million well enough.
            if looked_at >= SAMPLE {
                break;
            }
        }
        let last = issued.len().checked_sub(1)?;
        let eighth = (looked_at / 8).saturating_sub(1).min(last);
        let (older, youngest, _) = issued.select_nth_unstable(eighth);
        let before = Seconds(youngest.0.saturating_add(1)).min(Seconds::down(now));
        let oldest = older.iter().min().map_or(*youngest, |oldest| *oldest);
        (oldest < before).then(|| before.timestamp())
    }

    /// Forgets what is pointless once every token is dead that was issued before then. That must be in force for whoever
    /// looks here from now on.
    pub fn forget_issued_before(&self, before: Timestamp) {
        let before = Seconds::down(before);
        self.retain(|_| true, |e| e.issued() >= before, |u| u.issued() >= before);
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether entries are being refused.
    pub fn is_full(&self) -> bool {
        self.refused.load(Ordering::Relaxed) && self.len() >= self.room_for_refreshes()
    }

    fn shard(&self, id: Id) -> &RwLock<Shard> {
        // The remainder is less than the number of shards.
        let at = self.hasher.hash_one(id) % self.shards.len() as u64;
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    fn room_for_refreshes(&self) -> usize {
        self.capacity - self.capacity / 8
    }

    /// Enters `id` with the later of both expiries. Only if there are fewer than `room` entries, or `id` is one of
    /// them.
    fn keep_later(
        &self,
        id: Id,
        expires: Timestamp,
        room: usize,
        kind: fn(&mut Shard) -> &mut Sorted<Seconds>,
    ) -> Result<(), Full> {
        let expires = Seconds::up(expires);
        let mut shard = self.shard(id).write();
        let table = kind(&mut shard);
        match table.find(id) {
            Ok(place) => {
                let known = table.at(place);
                *known = expires.max(*known);
            }
            Err(place) => {
                self.take_room(room)?;
                table.insert(place, id, expires);
            }
        }
        Ok(())
    }

    /// Enters the use of a refresh token, unless it was used before, if there are fewer than `room` entries.
    fn keep_first(
        &self,
        id: Id,
        at: Timestamp,
        expires: Timestamp,
        room: usize,
    ) -> Result<RefreshUse, Full> {
        let used = &mut self.shard(id).write().used;
        match used.find(id) {
            Ok(place) => Ok(RefreshUse::Again(used.at(place).at())),
            Err(place) => {
                self.take_room(room)?;
                used.insert(place, id, UsedRefreshToken::new(at, expires));
                Ok(RefreshUse::First)
            }
        }
    }

    /// Counts one more entry. Of many callers at once no more succeed than there is room for.
    fn take_room(&self, room: usize) -> Result<(), Full> {
        let one_more = |len: usize| (len < room).then_some(len + 1);
        let taken = self
            .len
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.map(|_| ()).map_err(|_| Full)
    }

    /// Tries `enter`, and again after a sweep if the table is full.
    fn with_room<T>(&self, now: Timestamp, enter: impl Fn() -> Result<T, Full>) -> Result<T, Full> {
        let entered = enter().or_else(|Full| {
            let mut swept = self.swept.lock();
            // Expiries are whole seconds: a second sweep within one finds nothing, and a full table would turn each
            // request into a walk over all of it.
            if now.as_secs() > swept.as_secs() {
                self.sweep_shards(&mut swept, now);
            }
            drop(swept);
            enter()
        });
        if entered.is_err() && !self.refused.swap(true, Ordering::Relaxed) {
            log::error!(
                entries = self.len(), capacity = self.capacity;
                "the table of revocations is full: logins cannot be refreshed until entries expire, and once the last eighth \
                 is used up too, each logout that finds no room ends the oldest sessions; see MAX_REVOCATIONS"
            );
        }
        entered
    }

    fn sweep_shards(&self, swept: &mut Timestamp, now: Timestamp) {
        *swept = now;
        let counts = |expires: Seconds| !expires.passed(now);
        self.retain(counts, counts, |used| counts(used.expires));
    }

    /// Keeps what these say of revoked tokens, revoked logins and used refresh tokens.
    fn retain(
        &self,
        token: impl Fn(Seconds) -> bool,
        family: impl Fn(Seconds) -> bool,
        used: impl Fn(UsedRefreshToken) -> bool,
    ) {
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.len();
            shard.tokens.retain(&token);
            shard.families.retain(&family);
            shard.used.retain(&used);
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
        self.tell_of_room();
    }

    fn tell_of_room(&self) {
        // A quarter, so that a table at its limit does not say so again and again.
        let much = self.len() <= self.capacity - self.capacity / 4;
        if much && self.refused.swap(false, Ordering::Relaxed) {
            log::warn!(entries = self.len(); "the table of revocations has room again");
        }
    }
}

impl Shard {
    fn len(&self) -> usize {
        self.tokens.len() + self.families.len() + self.used.len()
    }

    fn copy(&self) -> Entries {
        let Self {
            tokens,
            families,
            used,
        } = self;
        (tokens.copy(), families.copy(), used.copy())
    }
}

impl UsedRefreshToken {
    fn new(at: Timestamp, expires: Timestamp) -> Self {
        Self {
            expires: Seconds::up(expires),
            at: Seconds::down(at),
            at_millis: u16::try_from(at.as_millis() % 1000).unwrap_or(0),
        }
    }

    /// The token was issued no later than this, and so were the tokens that it was traded for.
    fn issued(self) -> Seconds {
        self.at.max(self.expires.issued())
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

    /// If a login was ended, no later than this were its tokens issued: it is remembered for [`REFRESH_TTL`] at least.
    fn issued(self) -> Self {
        let least = u32::try_from(REFRESH_TTL.as_secs()).unwrap_or(0);
        Self(self.0.saturating_sub(least))
    }

    fn passed(self, now: Timestamp) -> bool {
        self != Self::NEVER && self.timestamp() <= now
    }
}

/// So many entries are looked at to find the oldest: a quarter of a megabyte.
const SAMPLE: usize = 65_536;

/// A full table has four thousand entries in each, which are gone through in some ten microseconds; empty they take 20 KB
/// together.
pub const SHARDS: usize = 256;

//! What happens to a device, step by step, and the crashes that are tried at each step.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use postern::auth::{AuthError, Proof, TokenPair};
use postern::clock::{FakeTimeSource, Timestamp};
use postern::ids::{ClientKey, Id};
use postern::journal::storage::{Fault, StorageCall};
use postern::journal::{MemoryStorage, OpenError, Record};
use proptest::prelude::*;
use proptest::{prop_oneof, strategy::Strategy};

use crate::board::{Board, FIRST_PASSWORD, NOON, Passwords, Start};
use crate::model::{Fact, Model, yes};

/// One step.
#[derive(Debug, Clone)]
pub enum Action {
    Login,
    Refresh(usize),
    /// A refresh token a second time, long after.
    Reuse(usize),
    Logout(usize),
    ChangePassword,
    /// Wrong passwords until the address is locked out.
    Guess(u8),
    Forgive(u8),
    /// Many logins end at once, with one sync.
    EndMany(u8),
    /// Time passes, and the housekeeper comes.
    Wait(u16),
    Compact,
    /// A compaction during which other things happen.
    CompactDuring(Vec<Action>),
    /// After so many calls the disk goes wrong for so many.
    Fault(Fault, u8, u8),
    /// The process dies; the machine goes on.
    Kill,
    /// The power fails, and comes back.
    PowerCut,
}

pub fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => simple(),
        1 => Just(Action::Compact),
        1 => proptest::collection::vec(simple(), 1..5).prop_map(Action::CompactDuring),
        2 => (fault(), 0..12_u8, 1..12_u8).prop_map(|(fault, after, calls)| Action::Fault(fault, after, calls)),
        1 => Just(Action::Kill),
        1 => Just(Action::PowerCut),
    ]
}

fn simple() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Login),
        4 => any::<usize>().prop_map(Action::Refresh),
        1 => any::<usize>().prop_map(Action::Reuse),
        4 => any::<usize>().prop_map(Action::Logout),
        2 => Just(Action::ChangePassword),
        1 => (0..4_u8).prop_map(Action::Guess),
        1 => (0..4_u8).prop_map(Action::Forgive),
        1 => (1..60_u8).prop_map(Action::EndMany),
        2 => (1..900_u16).prop_map(Action::Wait),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Full),
        Just(Fault::Io),
        Just(Fault::ReadOnly),
        Just(Fault::Short),
    ]
}

/// Whether the disk does what it says it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    Honest,
    /// Every third sync says that it succeeded, and did nothing.
    Lying,
}

/// A login of which nobody knows that it has ended.
struct Login {
    family: Id,
    pair: TokenPair,
}

pub struct History {
    honesty: Honesty,
    board: Board,
    model: Model,
    logins: Vec<Login>,
    /// Refresh tokens that were used, and their logins.
    used: Vec<Login>,
    password: String,
    passwords: Passwords,
    random: Random,
    boots: u64,
    tried: u64,
    /// The latest time that a start must know of, whatever its system's clock says.
    reached: Timestamp,
}

impl History {
    pub fn begin(honesty: Honesty, seed: u64) -> Self {
        let disk = MemoryStorage::new();
        make(&disk, honesty);
        let mut model = Model::default();
        let mut passwords = Passwords::default();
        passwords.add(FIRST_PASSWORD);
        let first = Some(FIRST_PASSWORD.to_owned());
        model.ask(&Fact::Password, &first, first.clone());
        let mut history = Self {
            honesty,
            board: Board::boot(disk, NOON, seed).expect("a new disk opens"),
            model,
            logins: Vec::new(),
            used: Vec::new(),
            password: FIRST_PASSWORD.to_owned(),
            passwords,
            random: Random(seed),
            boots: 1,
            tried: 0,
            reached: Timestamp::default(),
        };
        history.try_crashes();
        history.model.answer(&Fact::Password, first);
        history.has_reached(Duration::ZERO);
        history
    }

    /// How many crashes were tried.
    pub fn end(mut self) -> u64 {
        self.board.disk.work_again();
        self.act(&Action::Wait(600));
        self.act(&Action::Compact);
        assert!(self.board.journal.healthy(), "it heals once the disk works");
        self.act(&Action::PowerCut);
        self.tried
    }

    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Login => self.login(),
            Action::Refresh(which) => self.refresh(*which),
            Action::Reuse(which) => self.reuse(*which),
            Action::Logout(which) => self.logout(*which),
            Action::ChangePassword => self.change_password(),
            Action::Guess(client) => self.guess(ClientKey::V4([192, 0, 2, *client])),
            Action::Forgive(client) => self.forgive(ClientKey::V4([192, 0, 2, *client])),
            Action::EndMany(count) => self.end_many(*count),
            Action::Wait(seconds) => self.wait(*seconds),
            Action::Compact => {
                let compacted = self.board.journal.compact();
                self.try_crashes();
                if compacted.is_ok() {
                    self.has_reached(Duration::ZERO);
                }
            }
            Action::CompactDuring(actions) => self.compact_during(actions),
            Action::Fault(fault, after, calls) => self.fault(*fault, *after, *calls),
            Action::Kill => self.restart(|disk, _| disk.after_kill()),
            Action::PowerCut => self.restart(|disk, random| disk.crashed(&mut |n| random.below(n))),
        }
        self.step_ends();
    }

    fn step_ends(&mut self) {
        self.try_crashes();
        if self.board.journal.healthy() {
            self.model.settle();
        }
    }

    fn login(&mut self) {
        let pair = self.board.auth.login(None, "admin", &self.password);
        let pair = pair.expect("the password works, whatever became of the disk");
        let family = self.family(&pair);
        self.logins.push(Login { family, pair });
    }

    fn family(&self, pair: &TokenPair) -> Id {
        let session = self.board.auth.bearer(&pair.access_token);
        match session.expect("a fresh token is good").proof {
            Proof::Token { family, .. } => family,
            _ => unreachable!("a token"),
        }
    }

    fn refresh(&mut self, which: usize) {
        if self.logins.is_empty() {
            return;
        }
        let which = which % self.logins.len();
        let (family, old) = (self.logins[which].family, self.logins[which].pair.clone());
        let fact = Fact::Used(token_id(&old.refresh_token));
        self.model.ask(&fact, &yes(), None);
        match self.board.auth.refresh(&old.refresh_token) {
            Ok(pair) => {
                self.try_crashes();
                self.model.answer(&fact, yes());
                self.has_reached(Duration::ZERO);
                self.logins[which].pair = pair;
                self.used.push(Login { family, pair: old });
            }
            // Expired meanwhile; or used by a call that got no answer before a kill, and then it is taken for theft.
            Err(error) => {
                let (used, ended) = (self.value_in_force(&fact), Fact::Ended(family));
                if self.value_in_force(&ended).is_some() && !self.model.is_open(&ended) {
                    self.model.ask(&ended, &yes(), yes());
                }
                if error == AuthError::InvalidToken {
                    self.model.answer(&fact, used);
                    self.logins.swap_remove(which);
                } else {
                    // Not done; or done, as a theft, and not durable.
                    assert!(matches!(error, AuthError::NotDone | AuthError::NotDurable));
                    self.model.ask(&fact, &yes(), used);
                }
            }
        }
    }

    fn reuse(&mut self, which: usize) {
        if self.used.is_empty() {
            return;
        }
        let stolen = self.used.swap_remove(which % self.used.len());
        self.board.time.advance(Duration::from_secs(11));
        let fact = Fact::Ended(stolen.family);
        // Then its tokens are refused for that, and nothing is asked of the disk.
        let is_over =
            self.model.is_open(&fact) || self.model.certain(&fact).is_some_and(Option::is_some);
        if !is_over {
            self.model.ask(&fact, &yes(), yes());
        }
        let refused = self.board.auth.refresh(&stolen.pair.refresh_token);
        let error = refused.err().expect("a used token is used for good");
        self.try_crashes();
        self.logins.retain(|login| login.family != stolen.family);
        let dead_before = self.board.auth.bearer(&stolen.pair.access_token);
        assert!(dead_before.is_err(), "the whole login is over");
        if error == AuthError::InvalidToken && !is_over {
            let value = self.value_in_force(&fact);
            self.model.answer(&fact, value);
        }
    }

    /// A token that was dead for another reason (an old password, its age) ends no login when it comes again.
    fn value_in_force(&mut self, fact: &Fact) -> crate::model::Value {
        let found = self.in_force();
        found.get(fact).cloned()
    }

    fn in_force(&mut self) -> BTreeMap<Fact, String> {
        crate::board::found(&self.board.durable, self.board.now(), &mut self.passwords)
    }

    fn logout(&mut self, which: usize) {
        if self.logins.is_empty() {
            return;
        }
        let login = self.logins.swap_remove(which % self.logins.len());
        let Ok(session) = self.board.auth.bearer(&login.pair.access_token) else {
            return;
        };
        let fact = Fact::Ended(login.family);
        self.model.ask(&fact, &yes(), yes());
        let ended = self.board.auth.logout(&session);
        self.try_crashes();
        match ended {
            Ok(()) => self.model.answer(&fact, yes()),
            Err(error) => assert_eq!(error, AuthError::NotDurable),
        }
        assert!(self.board.auth.bearer(&login.pair.access_token).is_err());
    }

    fn change_password(&mut self) {
        let new = format!("number {} of them", self.random.next());
        self.passwords.add(&new);
        let value = Some(new.clone());
        let old = Some(self.password.clone());
        self.model.ask(&Fact::Password, &value, old);
        let session = self.board.auth.local();
        let changed = self
            .board
            .auth
            .change_password(None, &session, &self.password, &new);
        self.try_crashes();
        match changed {
            Ok(()) => {
                self.model.answer(&Fact::Password, value);
                // Its time is rounded up.
                self.has_reached(Duration::from_secs(1));
                self.password = new;
                self.logins.clear();
                self.used.clear();
            }
            Err(error) => assert_eq!(error, AuthError::NotDone),
        }
    }

    fn guess(&mut self, client: ClientKey) {
        let fact = Fact::LockedOut(client);
        for _ in 0..2 {
            self.model.ask(&fact, &yes(), self.model_of(&fact));
            let _ = self.board.auth.login(client, "admin", "not the password");
            let is_locked_out = self
                .board
                .auth
                .lockouts()
                .iter()
                .any(|row| row.blocked && row.ip == client.to_string());
            let value = if is_locked_out { yes() } else { None };
            self.model.ask(&fact, &value, value.clone());
            self.try_crashes();
            if self.board.journal.healthy() {
                self.model.answer(&fact, value);
            }
        }
    }

    fn model_of(&self, fact: &Fact) -> crate::model::Value {
        self.model.certain(fact).cloned().flatten()
    }

    fn forgive(&mut self, client: ClientKey) {
        let fact = Fact::LockedOut(client);
        self.model.ask(&fact, &None, None);
        let cleared = self.board.auth.clear_lockout(client);
        self.try_crashes();
        if cleared.is_ok() {
            self.model.answer(&fact, None);
        }
    }

    fn end_many(&mut self, count: u8) {
        let expires = self.board.now() + Duration::from_secs(7 * 86_400);
        let families: Vec<Id> = (0..count)
            .map(|_| {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&self.random.next().to_le_bytes());
                Id(id)
            })
            .collect();
        let mut records = Vec::new();
        for family in families.iter().copied() {
            self.model.ask(&Fact::Ended(family), &yes(), None);
            records.push(Record::FamilyRevoked { family, expires });
        }
        let ended = self.board.journal.commit_all(records);
        self.try_crashes();
        if ended.is_ok() {
            for family in families {
                self.model.answer(&Fact::Ended(family), yes());
            }
        }
    }

    fn wait(&mut self, seconds: u16) {
        self.board.time.advance(Duration::from_secs(seconds.into()));
        self.board.auth.tick();
        self.board.journal.tick();
        self.try_crashes();
        // A larger file may be looked at instead, whether it is worth compacting.
        let is_small = self.board.journal.stats().bytes < 64 * 1024;
        if is_small && self.board.journal.healthy() {
            self.has_reached(MARK_EVERY);
        }
    }

    /// The journal knows by now that it was so long ago.
    fn has_reached(&mut self, ago: Duration) {
        let known = self.board.now().saturating_sub(ago).as_secs();
        self.reached = self.reached.max(Timestamp::from_secs(known));
    }

    fn compact_during(&mut self, actions: &[Action]) {
        let (disk, journal) = (self.board.disk.clone(), self.board.journal.clone());
        disk.hold_replacement();
        let compaction = thread::spawn(move || journal.compact());
        // It comes to the gate, or fails before.
        while !compaction.is_finished() && !disk.is_held() {
            thread::yield_now();
        }
        for action in actions {
            if compaction.is_finished() || !self.board.journal.healthy() {
                break;
            }
            // A failure would have the writer itself stand at the gate.
            if disk.is_held() {
                self.act(action);
            }
        }
        disk.release();
        let _ = compaction.join().expect("no panic");
    }

    fn fault(&mut self, fault: Fault, after: u8, calls: u8) {
        let (from, to) = (u32::from(after), u32::from(after) + u32::from(calls));
        let lies = self.honesty == Honesty::Lying;
        let mut call = 0;
        self.board.disk.plan_faults(move |kind| {
            call += 1;
            if from < call && call <= to {
                Some(fault)
            } else {
                lies.then(|| lie(kind, call)).flatten()
            }
        });
    }

    fn restart(&mut self, find: impl FnOnce(&MemoryStorage, &mut Random) -> MemoryStorage) {
        let now = self.board.now();
        let locked_out = self.locked_out();
        let disk = find(&self.board.disk, &mut self.random);
        self.boots += 1;
        let seed = self.random.next() ^ self.boots;
        self.board = match Board::boot(disk, now, seed) {
            Ok(board) => board,
            Err(refused) => return self.refused(&refused),
        };
        let found = self.in_force();
        self.check_with(&found, &locked_out);
        self.model.found(&found);
        self.password.clone_from(&found[&Fact::Password]);
        // Whoever's login has ended without his knowing is out; everybody else is in.
        let (auth, model) = (&self.board.auth, &self.model);
        self.logins.retain(|login| {
            let alive = auth.bearer(&login.pair.access_token).is_ok();
            let ended = model.certain(&Fact::Ended(login.family)).is_some();
            assert!(!(alive && ended), "an ended login lives");
            alive
        });
        self.used.retain(|login| {
            model
                .certain(&Fact::Used(token_id(&login.pair.refresh_token)))
                .is_some()
        });
        make(&self.board.disk, self.honesty);
    }

    /// A disk that lied may leave a file without its head, which is refused, with a word on what to do.
    fn refused(&self, refused: &OpenError) {
        assert!(
            self.honesty == Honesty::Lying && matches!(refused, OpenError::Unreadable { .. }),
            "{refused}"
        );
    }

    fn check(&self, found: &BTreeMap<Fact, String>) {
        self.check_with(found, &self.locked_out());
    }

    /// Who is locked out for long enough that the journal must still say so.
    fn locked_out(&self) -> HashSet<String> {
        let rows = self.board.auth.lockouts().into_iter();
        let certain = rows.filter(|row| row.blocked && row.retry_after > 6);
        certain.map(|row| row.ip).collect()
    }

    fn check_with(&self, found: &BTreeMap<Fact, String>, locked_out: &HashSet<String>) {
        match self.honesty {
            Honesty::Honest => self.model.check(found, |fact| {
                matches!(fact, Fact::LockedOut(client) if !locked_out.contains(&client.to_string()))
            }),
            Honesty::Lying => self.model.check_nothing_invented(found),
        }
    }

    /// Pulls the plug at every call since the last time, in several ways each, and once more while the next start mends
    /// what it finds.
    fn try_crashes(&mut self) {
        let mut seen = HashSet::new();
        let mut points = self.board.disk.take_crash_points();
        points.push(self.board.disk.after_kill());
        for point in points {
            for way in 0..WAYS {
                let random = &mut self.random;
                let crashed = point.crashed(&mut |n| match way {
                    0 => 0,
                    1 => n - 1,
                    _ => random.below(n),
                });
                if seen.insert(crashed.files()) {
                    self.try_crash(&crashed);
                }
            }
        }
    }

    fn try_crash(&mut self, crashed: &MemoryStorage) {
        self.tried += 1;
        let time = Arc::new(FakeTimeSource::new(self.board.now()));
        let faulty = crashed.after_kill();
        crashed.record_crash_points();
        let start = match Start::of(crashed, &time, self.tried) {
            Ok(start) => start,
            Err(refused) => return self.refused(&refused),
        };
        assert!(start.journal.healthy());
        let found = start.found(&mut self.passwords);
        self.check(&found);
        drop(start);
        if self.honesty == Honesty::Honest && self.tried.is_multiple_of(WITHOUT_CLOCK) {
            self.try_without_clock(&faulty.after_kill());
        }
        self.try_faulty_start(&faulty, &time, &found);

        // Of the crashes in the middle of the mending, one.
        let mut points = crashed.take_crash_points();
        if points.is_empty() {
            return;
        }
        let point = points.swap_remove(self.random.below(points.len()));
        let again = point.crashed(&mut |n| self.random.below(n));
        let start = Start::of(&again, &time, self.tried).expect("as before");
        let found_again = start.found(&mut self.passwords);
        assert_eq!(found_again, found, "a crash while mending changes nothing");
    }
}

impl History {
    /// The disk goes wrong while the start mends what it finds, and the plug is pulled after that.
    fn try_faulty_start(
        &mut self,
        disk: &MemoryStorage,
        time: &Arc<FakeTimeSource>,
        expected: &BTreeMap<Fact, String>,
    ) {
        if self.honesty == Honesty::Lying {
            return;
        }
        let faults = [Fault::Full, Fault::Io, Fault::ReadOnly, Fault::Short];
        let fault = faults[self.random.below(faults.len())];
        let (from, calls) = (self.random.below(8), 1 + self.random.below(4));
        let mut call = 0;
        disk.plan_faults(move |_| {
            call += 1;
            (from < call && call <= from + calls).then_some(fault)
        });
        let Ok(start) = Start::of(disk, time, self.tried) else {
            assert!(expected.is_empty(), "a journal that is there opens");
            return;
        };
        assert_eq!(
            &start.found(&mut self.passwords),
            expected,
            "{fault:?} at {from}"
        );
        drop(start);
        disk.work_again();
        let again = disk.crashed(&mut |n| self.random.below(n));
        let start = Start::of(&again, time, self.tried).expect("as before");
        assert_eq!(
            &start.found(&mut self.passwords),
            expected,
            "{fault:?} at {from}, then a cut"
        );
    }
}

impl History {
    /// A board whose clock is back in 1970 goes on from the last mark.
    fn try_without_clock(&self, disk: &MemoryStorage) {
        let time = Arc::new(FakeTimeSource::new(Timestamp::default()));
        let start = Start::of(disk, &time, self.tried).expect("as before");
        let (now, reached) = (start.replayed.clock.now(), self.reached);
        assert!(now >= reached, "it is {now}, and was {reached} before");
    }
}

/// A mark is made this often.
const MARK_EVERY: Duration = Duration::from_secs(600);

/// One crash of so many is followed by a start in 1970.
const WITHOUT_CLOCK: u64 = 3;

/// A disk from its first call on.
fn make(disk: &MemoryStorage, honesty: Honesty) {
    disk.record_crash_points();
    if honesty == Honesty::Lying {
        let mut call = 0;
        disk.plan_faults(move |kind| {
            call += 1;
            lie(kind, call)
        });
    }
}

fn lie(kind: StorageCall, call: u32) -> Option<Fault> {
    (matches!(kind, StorageCall::Sync | StorageCall::SyncFolder) && call.is_multiple_of(3))
        .then_some(Fault::Lie)
}

/// The id under which the journal knows a token: 128 bits of its `jti`'s SHA-256.
fn token_id(token: &str) -> Id {
    use base64::Engine;
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let jti = claims["jti"].as_str().unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, jti.as_bytes());
    Id(*hash.as_ref().first_chunk().unwrap())
}

/// `SplitMix64`: repeatable, and good enough to choose by.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

/// In how many ways the plug is pulled at each call. Those that leave the same disk are tried once.
const WAYS: u32 = 12;

//! A device: authentication over a journal on a disk that can be crashed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postern::auth::{Auth, Durable, Settings};
use postern::clock::{FakeTimeSource, Timestamp};
use postern::entropy::FakeEntropy;
use postern::journal::{Journal, JournalState, MemoryStorage, OpenError, Record, Replayed};

use crate::model::Fact;

pub const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);
pub const WINDOW: Duration = Duration::from_secs(300);
pub const FIRST_PASSWORD: &str = "the very first one";

/// A running device.
pub struct Board {
    pub disk: MemoryStorage,
    pub time: Arc<FakeTimeSource>,
    pub durable: Arc<Durable>,
    pub journal: Arc<Journal>,
    pub auth: Auth,
    pub replayed: Replayed,
}

/// The journal of a device that has just started, and what it keeps; no more than that.
pub struct Start {
    pub durable: Arc<Durable>,
    pub journal: Journal,
    pub replayed: Replayed,
}

impl Start {
    /// # Errors
    /// If the journal is refused.
    pub fn of(
        disk: &MemoryStorage,
        time: &Arc<FakeTimeSource>,
        seed: u64,
    ) -> Result<Self, OpenError> {
        let durable = Arc::new(Durable::new());
        let (journal, replayed) = Journal::open_with(
            Box::new(disk.clone()),
            durable.clone(),
            time.clone(),
            Box::new(FakeEntropy::new(seed)),
        )?;
        Ok(Self {
            durable,
            journal,
            replayed,
        })
    }

    /// What is in force. Two passwords, or a hash that is of none, would show as something that was never asked for.
    pub fn found(&self, passwords: &mut Passwords) -> BTreeMap<Fact, String> {
        found(&self.durable, self.replayed.clock.now(), passwords)
    }
}

impl Board {
    /// Boots, and has its first password if it never had one.
    ///
    /// # Errors
    /// If the journal is refused.
    pub fn boot(disk: MemoryStorage, system: Timestamp, seed: u64) -> Result<Self, OpenError> {
        let time = Arc::new(FakeTimeSource::new(system));
        let Start {
            durable,
            journal,
            replayed,
        } = Start::of(&disk, &time, seed)?;
        let journal = Arc::new(journal);
        let entropy = Arc::new(FakeEntropy::new(seed ^ 0x5EED));
        let auth = Auth::new(
            settings(),
            durable.clone(),
            journal.clone(),
            replayed.clock.clone(),
            entropy,
            None,
            Box::new(|| ()),
        );
        let ready = auth.initialise(Some(FIRST_PASSWORD), time.as_ref());
        ready.expect("the password is stored");
        Ok(Self {
            disk,
            time,
            durable,
            journal,
            auth,
            replayed,
        })
    }

    pub fn now(&self) -> Timestamp {
        self.replayed.clock.now()
    }
}

pub fn found(
    durable: &Durable,
    now: Timestamp,
    passwords: &mut Passwords,
) -> BTreeMap<Fact, String> {
    let mut found = BTreeMap::new();
    let mut put = |fact, value: String| {
        let before = found.insert(fact, value);
        assert!(before.is_none(), "twice in force");
    };
    durable.live(now, &mut |record| match record {
        Record::FamilyRevoked { family, .. } => put(Fact::Ended(*family), "yes".into()),
        Record::RefreshUsed { id, .. } => put(Fact::Used(*id), "yes".into()),
        Record::LockOut { client, .. } => put(Fact::LockedOut(*client), "yes".into()),
        Record::Password { hash, .. } => put(Fact::Password, passwords.behind(hash)),
        Record::Lifetime { .. } => {}
        other => panic!("nobody asked for {other:?}"),
    });
    found
}

/// Every password that was ever asked for, and which hash is whose.
#[derive(Default)]
pub struct Passwords {
    asked_for: Vec<String>,
    known: BTreeMap<String, String>,
}

impl Passwords {
    pub fn add(&mut self, password: &str) {
        self.asked_for.push(password.to_owned());
    }

    /// The one password that works with this hash.
    fn behind(&mut self, hash: &str) -> String {
        if let Some(password) = self.known.get(hash) {
            return password.clone();
        }
        let works = |password: &&String| bcrypt::verify(password.as_str(), hash).unwrap();
        let working: Vec<&String> = self.asked_for.iter().filter(works).collect();
        assert_eq!(working.len(), 1, "exactly one password works");
        let password = working[0].clone();
        self.known.insert(hash.to_owned(), password.clone());
        password
    }
}

fn settings() -> Settings {
    Settings {
        max_attempts: 2,
        attempts_window: WINDOW,
        max_attempt_clients: 64,
        max_tickets: 64,
        bcrypt_waiting: 8,
        ..crate::settings::settings(Path::new("/nonexistent"))
    }
}

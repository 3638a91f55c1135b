//! The floor's promises, kept end to end: fake time, a journal in memory, cheap bcrypt.

mod clock;
mod durability;
mod kept;
mod lock_outs;
mod logins;
mod oldest;
mod passwords;
mod proven;
mod spellings;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::clock::FakeTimeSource;
use crate::entropy::FakeEntropy;
use crate::ids::ClientKey;
use crate::journal::JournalState;

const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);
const RIGHT: &str = "a fine password";
const OTHER: &str = "another fine one";
const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const CLIENT: ClientKey = ClientKey::V4([192, 0, 2, 1]);
const NEIGHBOUR: ClientKey = ClientKey::V4([192, 0, 2, 2]);

/// A server's worth of authentication.
struct Fixture {
    time: Arc<FakeTimeSource>,
    durable: Arc<Durable>,
    journalled: Arc<Journalled>,
    directory: Arc<TempDir>,
    auth: Auth,
}

/// The tables, and beside them what the journal has made durable.
struct Journalled {
    durable: Arc<Durable>,
    records: Mutex<Vec<Record>>,
}

impl JournalState for Journalled {
    fn apply(&self, record: &Record) {
        self.records.lock().push(record.clone());
        self.durable.apply(record);
    }

    fn live_part(&self, _: usize, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        self.durable.live(now, sink);
    }
}

fn settings(directory: &TempDir) -> Settings {
    Settings {
        user: "admin".into(),
        secret_key: Zeroizing::new(KEY.to_vec()),
        secret_key_previous: None,
        access_ttl: Duration::from_secs(8 * 3600),
        refresh_reuse_grace: Duration::from_secs(10),
        ticket_ttl: Duration::from_secs(120),
        max_attempts: 5,
        attempts_window: Duration::from_secs(300),
        max_attempt_clients: 4096,
        max_tickets: 1024,
        // The gate runs these tests with few too.
        max_cached_tokens: std::env::var("MAX_CACHED_TOKENS")
            .map_or(1024, |most| most.parse().unwrap()),
        bcrypt_cost: Some(4),
        bcrypt_at_once: 2,
        bcrypt_waiting: 64,
        state_dir: directory.path().to_owned(),
    }
}

impl Fixture {
    /// A first boot with [`RIGHT`] in the configuration.
    fn new() -> Self {
        Self::watched(Box::new(|| ()))
    }

    /// The same, and this is called when logins end.
    fn watched(on_end: OnEnd) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let settings = settings(&directory);
        let fixture = Self::watched_with(settings, Durable::new(), NOON, directory, on_end);
        let first = fixture.auth.initialise(Some(RIGHT), fixture.time.as_ref());
        assert_eq!(first.unwrap(), FirstPassword::Configured);
        fixture
    }

    fn bare(durable: Durable, system: Timestamp, directory: Arc<TempDir>) -> Self {
        Self::with(settings(&directory), durable, system, directory)
    }

    fn with(
        settings: Settings,
        durable: Durable,
        system: Timestamp,
        directory: Arc<TempDir>,
    ) -> Self {
        Self::watched_with(settings, durable, system, directory, Box::new(|| ()))
    }

    fn watched_with(
        settings: Settings,
        durable: Durable,
        system: Timestamp,
        directory: Arc<TempDir>,
        on_end: OnEnd,
    ) -> Self {
        let time = Arc::new(FakeTimeSource::new(system));
        let durable = Arc::new(durable);
        let journalled = Arc::new(Journalled {
            durable: durable.clone(),
            records: Mutex::default(),
        });
        let (journal, clock) = Journal::in_memory(journalled.clone(), time.clone());
        // Another seed each time, as the kernel's would be.
        let seed = u64::from(settings.max_attempts) + system.as_millis();
        let entropy = Arc::new(FakeEntropy::new(seed));
        let journal = Arc::new(journal);
        Self {
            auth: Auth::new(
                settings,
                durable.clone(),
                journal,
                clock,
                entropy,
                None,
                on_end,
            ),
            time,
            durable,
            journalled,
            directory,
        }
    }

    /// What a start after a power cut finds: what the journal was given. A compacted journal holds no less.
    fn restarted(&self) -> Self {
        let restarted = self.restarted_with(settings(&self.directory));
        let now = self.auth.clock.now();
        let (journal, memory) = (live(&restarted.durable, now), live(&self.durable, now));
        assert_eq!(journal, memory);
        restarted
    }

    fn restarted_with(&self, settings: Settings) -> Self {
        self.restarted_into(Durable::new(), settings)
    }

    /// With these tables, which are still empty.
    fn restarted_into(&self, durable: Durable, settings: Settings) -> Self {
        // Behind whatever nobody waits for.
        self.auth.journal.tick();
        let now = self.auth.clock.now();
        let records = self.journalled.records.lock().clone();
        for record in &records {
            durable.apply(record);
        }
        let restarted = Self::with(settings, durable, now, self.directory.clone());
        *restarted.journalled.records.lock() = records;
        restarted
    }

    fn pass(&self, secs: u64) {
        self.time.advance(Duration::from_secs(secs));
    }

    fn login(&self) -> TokenPair {
        self.auth.login(CLIENT, "admin", RIGHT).unwrap()
    }

    fn is_good(&self, pair: &TokenPair) -> bool {
        self.auth.bearer(&pair.access_token).is_ok()
    }
}

/// Only in tests: a refusal carries no pair.
fn refusal<T>(result: Result<T, AuthError>) -> Option<AuthError> {
    result.err()
}

fn live(durable: &Durable, now: Timestamp) -> Vec<String> {
    let mut records = Vec::new();
    durable.live(now, &mut |record| records.push(format!("{record:?}")));
    records.sort();
    records
}

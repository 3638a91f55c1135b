//! The floor's promises, kept end to end: fake time, a journal in memory, cheap bcrypt.

mod logins;
mod passwords;
mod spellings;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::clock::FakeTimeSource;
use crate::entropy::FakeEntropy;
use crate::journal::State;

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
    directory: Arc<TempDir>,
    auth: Auth,
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
        bcrypt_cost: Some(4),
        bcrypt_at_once: 2,
        bcrypt_waiting: 64,
        state_dir: directory.path().to_owned(),
    }
}

impl Fixture {
    /// A first boot with [`RIGHT`] in the configuration.
    fn new() -> Self {
        let fixture = Self::bare(Durable::new(), NOON, Arc::new(tempfile::tempdir().unwrap()));
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
        let time = Arc::new(FakeTimeSource::new(system));
        let durable = Arc::new(durable);
        let (journal, clock) = Journal::in_memory(durable.clone(), time.clone());
        // Another seed each time, as the kernel's would be.
        let seed = u64::from(settings.max_attempts) + system.as_millis();
        let entropy = Arc::new(FakeEntropy::new(seed));
        Self {
            auth: Auth::new(settings, durable.clone(), Arc::new(journal), clock, entropy),
            time,
            durable,
            directory,
        }
    }

    /// What a start after a power cut finds, with the clock of the guarded line.
    fn restarted(&self) -> Self {
        let durable = Durable::new();
        let now = self.auth.clock.now();
        self.durable.live(now, &mut |record| durable.apply(record));
        Self::bare(durable, now, self.directory.clone())
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

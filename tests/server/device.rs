//! A whole device for tests: the real server in this process, on loopback and free ports, in a folder of its own, with a
//! clock that the test turns.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern::clock::{FakeTimeSource, Timestamp};
use postern::device::updates::fetch::Patience;
use postern::device::{advisories, updates};
use postern::journal::{MemoryStorage, OpenError};
use postern::logs::{Filter, Level, NewEntry};
use postern::server::{Dependencies, Server, StartError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Response};
use crate::config;

pub use crate::client::{PASSWORD, USER};

/// 2026-11-18, some time after the release's epoch.
pub const TODAY: Timestamp = Timestamp::from_secs(1_795_000_000);

/// News of updates is asked for over and over, and waited for without end: what must not wait for it would hang.
const UPDATE_PACE: updates::watch::FeedIntervals = updates::watch::FeedIntervals {
    first: Duration::from_millis(20),
    period: Duration::from_millis(20),
    retry: Duration::from_millis(20),
    clock: Duration::from_millis(20),
    patience: Patience {
        connect: Duration::from_secs(60 * 60),
        whole: Duration::from_secs(60 * 60),
    },
};

/// Advisories and packages are looked at as often.
const ADVISORY_PACE: advisories::watch::CheckIntervals = advisories::watch::CheckIntervals {
    first: Duration::from_millis(20),
    period: Duration::from_millis(20),
    rest: Duration::from_millis(20),
};

/// A device; its state outlives [`Device::restart`] and [`Device::pull_plug`].
pub struct Device {
    pub time: Arc<FakeTimeSource>,
    folder: TempDir,
    settings: BTreeMap<String, String>,
    /// The journal's storage; files in the folder if there is none.
    memory: Option<MemoryStorage>,
    server: Option<Server>,
}

impl Device {
    /// A device with defaults fit for tests.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A device with these variables set, or unset where the value is empty.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::with_journal(variables, None)
    }

    /// The same, with its journal in this memory.
    pub fn with_journal_in(memory: &MemoryStorage, variables: &[(&str, &str)]) -> Self {
        Self::with_journal(variables, Some(memory.clone()))
    }

    /// A device on a copy of this state folder, that begins at this time of day.
    pub fn on_state(state: &Path, variables: &[(&str, &str)], now: Timestamp) -> Self {
        let mut device = Self::off(variables, None);
        device.time = Arc::new(FakeTimeSource::new(now));
        copy_files(state, &device.state(""));
        device.boot();
        device
    }

    fn with_journal(variables: &[(&str, &str)], memory: Option<MemoryStorage>) -> Self {
        let mut device = Self::off(variables, memory);
        device.boot();
        device
    }

    /// One that was never switched on.
    fn off(variables: &[(&str, &str)], memory: Option<MemoryStorage>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let own = [("BASIC_AUTH_PASSWORD", PASSWORD), ("WORKERS", "2")];
        let mut settings = config::variables(folder.path(), &own);
        // So that all of this can be run with the cache off, and at its smallest.
        if let Ok(most) = std::env::var("MAX_CACHED_TOKENS") {
            settings.insert("MAX_CACHED_TOKENS".to_owned(), most);
        }
        for (name, value) in variables {
            settings.insert((*name).to_owned(), (*value).to_owned());
        }
        Self {
            time: Arc::new(FakeTimeSource::new(TODAY)),
            folder,
            settings,
            memory,
            server: None,
        }
    }

    /// Starts the server again.
    pub fn boot(&mut self) {
        let mut started = None;
        crate::eventually("nobody answers at the socket any more", || {
            match self.try_boot() {
                // As with the lock below, where a plug was pulled.
                Err(StartError::Door(_)) => {}
                other => started = Some(other),
            }
            started.is_some()
        });
        started
            .expect("it has been waited for")
            .expect("a started server");
    }

    /// Starts the server again, or tells why it does not start.
    pub fn try_boot(&mut self) -> Result<(), StartError> {
        let config = config::config(self.folder.path(), &self.settings);
        let mut dependencies = Dependencies {
            time: self.time.clone(),
            // A device without packages, until a test puts some there.
            root: self.folder.path().join("root"),
            update_pace: UPDATE_PACE,
            advisory_pace: ADVISORY_PACE,
            ..Dependencies::real()
        };
        if let Some(memory) = self.memory.clone() {
            dependencies.storage = Box::new(move |_| Ok(Box::new(memory.clone())));
        }
        // A program that another test is just starting has a copy of every lock until it has become that program.
        let mut started = None;
        crate::eventually("the lock is free", || {
            match Server::start(config.clone(), &dependencies) {
                Err(StartError::Journal(OpenError::Locked { .. })) => {}
                other => started = Some(other),
            }
            started.is_some()
        });
        self.server = Some(started.expect("it has been waited for")?);
        Ok(())
    }

    /// Changes a variable for the next boot.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Stops in good order and starts again.
    pub fn restart(&mut self) {
        self.stop();
        self.boot();
    }

    /// Stops in good order.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("a running server")
    }

    pub fn address(&self) -> SocketAddr {
        self.server().addresses()[0]
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// A file of the device's own, as `etc/os-release`; its folder is made.
    pub fn on_the_device(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join("root").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        path
    }

    pub fn advance(&self, seconds: u64) {
        self.time.advance(Duration::from_secs(seconds));
    }

    /// A new connection, TLS done and the certificate verified.
    pub fn connect(&self) -> Client {
        Client::connect(self.address(), &self.state("tls-cert.pem"))
    }

    /// One request on a connection of its own.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&Value>,
    ) -> Response {
        self.connect().request(method, path, authorization, body)
    }

    pub fn get(&self, path: &str, authorization: Option<&str>) -> Response {
        self.request("GET", path, authorization, None)
    }

    pub fn post(&self, path: &str, authorization: Option<&str>, body: &Value) -> Response {
        self.request("POST", path, authorization, Some(body))
    }

    pub fn login_with(&self, password: &str) -> Response {
        self.connect().login(USER, password)
    }

    /// Logs in with the first password.
    pub fn login(&self) -> Tokens {
        Tokens::of(&self.login_with(PASSWORD))
    }

    pub fn refresh(&self, refresh_token: &str) -> Response {
        self.post(
            "/api/auth/refresh",
            None,
            &json!({"refresh_token": refresh_token}),
        )
    }

    /// Whether a bearer token is accepted on a protected path.
    pub fn accepts(&self, access_token: &str) -> bool {
        let response = self.get("/api/security/rate-limits", Some(&bearer(access_token)));
        match response.status {
            200 => true,
            401 => false,
            other => panic!("{other}: {}", response.text()),
        }
    }

    pub fn change_password(&self, authorization: &str, current: &str, new: &str) -> Response {
        let body = json!({"current_password": current, "new_password": new});
        self.post("/api/change-password", Some(authorization), &body)
    }
}

/// A pair of tokens.
#[derive(Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn of(response: &Response) -> Self {
        assert_eq!(response.status, 200, "{}", response.text());
        let json = response.json();
        let member = |name: &str| json[name].as_str().expect("a token").to_owned();
        Self {
            access: member("access_token"),
            refresh: member("refresh_token"),
        }
    }

    pub fn bearer(&self) -> String {
        bearer(&self.access)
    }
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let text = format!("{user}:{password}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

impl Device {
    /// Puts an entry of the source `app` into the ring; returns its number.
    pub fn log(&self, message: &str) -> u64 {
        self.log_as("app", Level::Info, message)
    }

    pub fn log_as(&self, source: &str, level: Level, message: &str) -> u64 {
        let time = self.server().api().clock.now();
        let entry = NewEntry::new(source.into(), level, time, message.into());
        self.server().api().ring.push(entry)
    }

    /// What the ring holds, the newest last.
    pub fn entries(&self) -> Vec<Value> {
        let ring = &self.server().api().ring;
        let entries = ring.recent(usize::MAX, None, &Filter::default());
        entries
            .iter()
            .map(|json| serde_json::from_str(json).expect("JSON"))
            .collect()
    }

    /// Waits until the hub serves that many streams.
    pub fn wait_for_subscribers(&self, count: usize) {
        crate::eventually("the number of subscribers", || {
            self.server().api().hub.subscribers() == count
        });
    }

    /// Waits until the TLS listener holds that many connections.
    pub fn wait_for_connections(&self, count: usize) {
        crate::eventually("the number of connections", || {
            self.server().api().connection_count() == count
        });
    }
}

impl Device {
    /// What a kill or a pulled plug leaves behind at this instant: a second device on a copy of the state folder, taken
    /// while the first one still runs. Its system clock starts at `system`.
    pub fn copy_after_power_cut(&self, system: Timestamp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        copy_files(&self.state(""), &state);
        let mut settings = self.settings.clone();
        let state = state.to_str().expect("UTF-8").to_owned();
        settings.insert("STATE_DIR".into(), state);
        let mut copy = Self {
            time: Arc::new(FakeTimeSource::new(system)),
            folder,
            settings,
            memory: self.memory.as_ref().map(MemoryStorage::after_power_cut),
            server: None,
        };
        copy.boot();
        copy
    }
}

/// Into a new state folder, with the modes that such a folder has.
fn copy_files(from: &Path, to: &Path) {
    use std::fs::{self, Permissions};
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the state folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            let copy = to.join(entry.file_name());
            fs::copy(entry.path(), &copy).expect("a copy");
            fs::set_permissions(copy, Permissions::from_mode(0o600)).expect("closed");
        }
    }
}

impl Device {
    /// A request over the local socket; the status and the body.
    pub fn ask_locally(&self, method: &str, path: &str) -> (u16, String) {
        let mut client = Client::local(&self.state("postern.sock"));
        let answer = client.request(method, path, None, None);
        (answer.status, answer.text())
    }
}

/// Has postern's own events reach the rings, those of every device in this process; nothing goes to stderr.
pub fn install_own_events() {
    postern::logs::own::install(log::LevelFilter::Off);
}

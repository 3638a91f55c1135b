//! Known vulnerabilities: advisories that somebody put into a folder, held against what this device is made of.
//!
//! Whoever wants to know asks [`Advisories::report`], which only looks at what the last check left here: no answer of the
//! server's ever waits for a disk.

mod archive;
pub mod finding;
mod fingerprint;
mod folder;
mod format;
pub mod order;
mod osv;
mod rustsec;
pub mod severity;
pub mod watch;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::packages::{self, CRATES, Packages};
use crate::clock::{Clock, LATEST, Moment, RELEASE_EPOCH, Timestamp};
pub use finding::Finding;
use finding::Match;
use folder::{FolderReading, StoredMatch};
use order::BadVersion;
pub use severity::Severity;

/// What is known of vulnerabilities. One for the whole server.
pub struct Advisories {
    settings: AdvisorySettings,
    root: PathBuf,
    clock: Arc<Clock>,
    report: Mutex<Arc<AdvisoryReport>>,
    /// Held while everything is read.
    known: Mutex<LastCheck>,
}

/// What the last check leaves to the next.
#[derive(Default)]
struct LastCheck {
    packages: Packages,
    kept: Vec<StoredMatch>,
    /// What the files looked like when they were read, and when that was.
    read: Option<(u64, Moment)>,
    /// Device and number of the folder that advisories were last seen in.
    home: Option<(u64, u64)>,
    /// What they look like while they change, and since when they do.
    changing: Option<(u64, Moment)>,
}

/// Where advisories come from.
#[derive(Debug, Clone)]
pub struct AdvisorySettings {
    /// The folder, or the zip file (`ADVISORY_DIR`, or `STATE_DIR/advisories`).
    pub place: PathBuf,
    /// Whether it was configured: then it has to be there.
    pub is_given: bool,
    /// Names of vulnerabilities that somebody has looked into and found not to matter here (`ADVISORY_IGNORE`).
    pub ignored: Vec<String>,
}

/// What there is to say of vulnerabilities.
#[derive(Debug, Clone, Default)]
pub struct AdvisoryReport {
    /// In a word.
    pub state: AdvisoryState,
    /// When the last check ended.
    pub checked: Option<Timestamp>,
    /// What could not be read then, in words without a secret.
    pub error: Option<String>,
    /// How many advisories were read.
    pub advisories: usize,
    /// Those of this system's packages, if it is one that is known, and those of crates.
    pub ecosystems: Vec<EcosystemSummary>,
    /// How many packages they were held against.
    pub packages: usize,
    /// How many apply and are ignored.
    pub ignored: usize,
    /// Those that apply; the most severe first.
    pub findings: Vec<Finding>,
}

/// What was read about one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcosystemSummary {
    /// Its name, as OSV has it.
    pub name: String,
    /// How many advisories are about it.
    pub advisories: usize,
    /// When the youngest of them was written or last changed, as it says; none if none says so. It tells how old a set of
    /// advisories is.
    pub newest: Option<Timestamp>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdvisoryState {
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

impl AdvisoryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Unknown, Self::Current, Self::Failing];

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
    pub fn new(settings: AdvisorySettings, root: PathBuf, clock: Arc<Clock>) -> Self {
        Self {
            settings,
            root,
            clock,
            report: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// What the last check found.
    #[must_use]
    pub fn report(&self) -> Arc<AdvisoryReport> {
        self.report.lock().clone()
    }

    /// Reads the advisories and the device's packages, if any of them changed since, or some hours have gone by. May take
    /// a minute on a slow board; gives up, with everything as before, once `stop` says so. Tells whether something is
    /// changing just now, and should be looked at again soon.
    pub fn check(&self, stop: &dyn Fn() -> bool) -> bool {
        let mut known = self.known.lock();
        let fingerprint =
            fingerprint::fingerprint(&self.settings.place, packages::paths(&self.root));
        let now = self.clock.monotonic();
        if let Some((read, at)) = known.read {
            let failing = self.report.lock().state == AdvisoryState::Failing;
            if read == fingerprint {
                known.changing = None;
                if now.saturating_since(at) < if failing { RETRY } else { AGAIN } {
                    return false;
                }
            } else {
                // Somebody may be copying still. Not for ever, though.
                let (last, since) = known.changing.unwrap_or((read, now));
                if last != fingerprint && now.saturating_since(since) < RESTLESS {
                    known.changing = Some((fingerprint, since));
                    return true;
                }
            }
        }
        let (packages, trouble) = Packages::look(&self.root, Some(&known.packages));
        let place = &self.settings.place;
        // A clock that was never set knows nothing of the future.
        let wall = self.clock.wall();
        let latest = if wall < RELEASE_EPOCH {
            LATEST
        } else {
            wall + A_DAY
        };
        let Some(mut reading) = FolderReading::of(place, &packages, &known.kept, latest, stop)
        else {
            return false;
        };
        let before = self.report();
        let is_off = !reading.is_there && !self.settings.is_given;
        // Emptied, it is the same folder. Where something was mounted, there is another one below.
        let home = fs::metadata(place)
            .ok()
            .map(|there| (there.dev(), there.ino()));
        let is_empty = reading.is_there && reading.advisories == 0 && reading.broken == 0;
        if is_empty && known.home.is_some() && known.home != home {
            reading.problem = Some(format!(
                "{}: what was mounted here is gone",
                place.display()
            ));
            reading.keep_all();
        }
        let FolderReading {
            kept,
            advisories,
            about,
            newest,
            broken,
            problem,
            ..
        } = reading;
        // A folder that was taken away took along what it said.
        let kept = if is_off { Vec::new() } else { kept };
        let error = match broken {
            _ if is_off => None,
            0 | 1 => problem,
            _ => problem.map(|first| format!("{broken} places, first {first}")),
        };
        let error = trouble.filter(|_| !is_off).or(error);
        let state = match error {
            Some(_) => AdvisoryState::Failing,
            None if advisories == 0 => AdvisoryState::Off,
            None => AdvisoryState::Current,
        };
        let matches = kept.iter().map(|kept| &kept.found);
        let (findings, ignored) = finding::put_together(matches, &self.settings.ignored);
        let names = [packages.system(), Some(CRATES.to_owned())];
        let ecosystems = names.into_iter().zip(about.into_iter().zip(newest));
        let ecosystems = ecosystems.filter_map(|(name, (advisories, newest))| {
            Some(EcosystemSummary {
                name: name?,
                advisories,
                newest,
            })
        });
        let report = Arc::new(AdvisoryReport {
            state,
            checked: Some(self.clock.wall()),
            error,
            advisories,
            ecosystems: ecosystems.collect(),
            packages: packages.count(),
            ignored,
            findings,
        });
        if !is_empty {
            known.home = home;
        }
        known.kept = kept;
        known.packages = packages;
        known.read = Some((fingerprint, now));
        known.changing = None;
        drop(known);
        *self.report.lock() = report.clone();
        tell(&before, &report);
        false
    }
}

/// Says what is new.
fn tell(before: &AdvisoryReport, now: &AdvisoryReport) {
    match &now.error {
        Some(problem) if before.error != now.error => {
            log::warn!(problem = problem.as_str(); "not all advisories can be read; what those said before stands, if they could be read since the start");
        }
        None if before.error.is_some() && now.state == AdvisoryState::Current => {
            log::info!("all advisories can be read again");
        }
        _ => {}
    }
    if before.findings == now.findings {
        return;
    }
    match now.findings.first() {
        Some(worst) => {
            log::warn!(count = now.findings.len(), worst = worst.id.as_str(), severity = worst.severity.name(), package = worst.package.as_str();
                "known vulnerabilities apply to this device");
        }
        None if now.state == AdvisoryState::Off => {
            log::warn!("there are no advisories here any more");
        }
        None => log::info!("no known vulnerability applies to this device any more"),
    }
}

/// Why an advisory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    /// The file system's words.
    #[error("{0}")]
    File(io::Error),
    /// It ends too early.
    #[error("it is cut off")]
    CutOff,
    /// Not JSON, or nested too deeply.
    #[error("it is no JSON that could be read")]
    Json,
    /// JSON of another shape.
    #[error("it is no advisory of OSV's")]
    Shape,
    /// Markdown without TOML in front.
    #[error("it is no advisory of RustSec's")]
    Toml,
    /// Its name is none.
    #[error("it has no name that an advisory could have")]
    Id,
    /// It cannot be judged.
    #[error("it names a version that this ecosystem does not allow")]
    Version,
    /// The archive is damaged, cut off, or packed in a way that is not known.
    #[error("this is no zip file that is whole and packed as usual (deflated or stored)")]
    Zip,
    /// More than an advisory has.
    #[error("it is larger than an advisory may be")]
    TooLarge,
    /// Folders in folders in folders.
    #[error("it is more than eight folders down")]
    TooDeep,
    /// More than anybody has.
    #[error("there is too much here; nothing behind it is read")]
    TooMuch,
    /// Who knows where it leads.
    #[error("it is a link, which is not followed")]
    Link,
}

impl AdvisoryError {
    /// Without what stood there.
    fn json(error: &serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Eof => Self::CutOff,
            serde_json::error::Category::Data => Self::Shape,
            _ => Self::Json,
        }
    }
}

impl From<io::Error> for AdvisoryError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<BadVersion> for AdvisoryError {
    fn from(_: BadVersion) -> Self {
        Self::Version
    }
}

/// Takes in what applies.
///
/// # Errors
/// [`AdvisoryError::TooMuch`] when there is no room for more.
type MatchSink<'a> = dyn FnMut(Match) -> Result<(), AdvisoryError> + 'a;

/// Which of those that are here an advisory names.
#[derive(Debug, Default)]
pub struct Relevance {
    crates: bool,
    system: bool,
    /// When it was written or last changed, as it says.
    changed: Option<Timestamp>,
}

impl Relevance {
    fn add(&mut self, is_crates: bool) {
        self.crates |= is_crates;
        self.system |= !is_crates;
    }

    /// Takes in a time (RFC 3339), or what calls itself one.
    fn date(&mut self, text: &str) {
        let time = humantime::parse_rfc3339(text).ok();
        let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        self.changed = since.map(|since| Timestamp::from_secs(since.as_secs()));
    }
}

/// When everything is read again though nothing seems to have changed.
const AGAIN: Duration = Duration::from_secs(6 * 60 * 60);

/// By how much the clocks of those who write advisories may be ahead.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long it is waited until files come to rest.
const RESTLESS: Duration = Duration::from_secs(10 * 60);

/// The same after something could not be read: a card may answer the second time.
const RETRY: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;

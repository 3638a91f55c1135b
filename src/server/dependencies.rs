//! What a server takes from outside: time, randomness, storage.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::watchdog::Watchdog;
use crate::clock::{SystemTimeSource, TimeSource};
#[cfg(feature = "advisories")]
use crate::device::advisories;
#[cfg(feature = "updates")]
use crate::device::updates;
use crate::entropy::{Entropy, SystemEntropy};
use crate::journal::{FileStorage, OpenError, Storage};

/// What a server takes from outside: time, randomness and the journal's storage, so that tests can bring their own.
pub struct Dependencies {
    /// Clocks.
    pub time: Arc<dyn TimeSource>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Opens the journal's storage in the state folder.
    pub storage: OpenStorage,
    /// Listening, non-blocking sockets to serve TLS on in place of `LISTEN`; none, to open those.
    pub listeners: Vec<Arc<TcpListener>>,
    /// The root of the device's files: what it runs, and its packages.
    pub root: PathBuf,
    /// When news of updates is asked for.
    #[cfg(feature = "updates")]
    pub update_pace: updates::watch::FeedIntervals,
    /// How often to look whether advisories or packages have changed.
    #[cfg(feature = "advisories")]
    pub advisory_pace: advisories::watch::CheckIntervals,
    /// Who is to hear that all is well.
    pub watchdog: Option<Watchdog>,
}

/// Opens the journal's storage in a folder.
pub type OpenStorage = Box<dyn Fn(&Path) -> Result<Box<dyn Storage>, OpenError>>;

impl Dependencies {
    /// The operating system's.
    #[must_use]
    pub fn real() -> Self {
        Self {
            time: Arc::new(SystemTimeSource::new()),
            entropy: Arc::new(SystemEntropy),
            storage: Box::new(|folder| Ok(Box::new(FileStorage::open(folder)?))),
            listeners: Vec::new(),
            root: "/".into(),
            #[cfg(feature = "updates")]
            update_pace: updates::watch::FeedIntervals::REAL,
            #[cfg(feature = "advisories")]
            advisory_pace: advisories::watch::CheckIntervals::REAL,
            watchdog: None,
        }
    }
}

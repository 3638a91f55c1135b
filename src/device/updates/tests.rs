//! What a feed and a dropped file can do, and what is known of updates afterwards.

mod dropped;
mod feed;
mod feeds;
pub mod signer;

use std::sync::Arc;
use std::time::Duration;

use semver::Version;
use tempfile::TempDir;

use super::error::UpdateError;
use super::fetch::Patience;
use super::{UpdateState, Updates};
use crate::clock::{Clock, FakeTimeSource, Timestamp};
use crate::config::{HttpsUrl, UpdateSettings};
use feed::Feed;
use signer::Signer;

/// 2026-11-18.
const TODAY: Timestamp = Timestamp::from_secs(1_795_000_000);

/// Longer than anything here takes; nothing waits for it.
const PATIENT: Patience = Patience {
    connect: Duration::from_secs(20),
    whole: Duration::from_secs(20),
};

/// A board of version 0.1.0.
struct Board {
    updates: Updates,
    time: Arc<FakeTimeSource>,
    folder: TempDir,
}

impl Board {
    fn without_feed() -> Self {
        Self::with(UpdateSettings::default())
    }

    /// One that asks this feed at `/u`.
    fn asking(feed: &Feed) -> Self {
        Self::with(settings(feed))
    }

    fn with(settings: UpdateSettings) -> Self {
        Self::at(TODAY, settings)
    }

    fn at(time: Timestamp, settings: UpdateSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let time = Arc::new(FakeTimeSource::new(time));
        let clock = Arc::new(Clock::new(time.clone(), None));
        let place = folder.path().to_owned();
        let updates = Updates::new(settings, place, Version::new(0, 1, 0), clock);
        Self {
            updates,
            time,
            folder,
        }
    }

    fn ask(&self) -> Result<(), UpdateError> {
        self.updates.ask(PATIENT)
    }

    /// The version that is known, and how things stand.
    fn known(&self) -> (Option<String>, UpdateState) {
        let version = self.updates.known().map(|u| u.version.to_string());
        (version, self.updates.report().state)
    }
}

fn settings(feed: &Feed) -> UpdateSettings {
    UpdateSettings {
        url: Some(HttpsUrl::parse(&feed.url("/u")).expect("a URL")),
        public_key: None,
        ca_file: Some(feed.ca_file()),
    }
}

fn available(version: &str) -> (Option<String>, UpdateState) {
    (Some(version.to_owned()), UpdateState::Available)
}

//! News of a newer postern: from a feed that is asked now and then, if one is configured, and from a file that may be
//! dropped into the state folder. Nothing is ever fetched but the news, and nothing is installed.
//!
//! Whoever wants to know asks [`Updates::known`] or [`Updates::report`], which only look at what the last check left
//! here: no answer of the server's ever waits for a disk or the network.

pub mod dropped;
pub mod error;
pub mod fetch;
mod http_client;
pub mod manifest;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use semver::Version;

use crate::clock::{Clock, RELEASE_EPOCH, Timestamp};
use crate::config::{HttpsUrl, UpdateSettings};
use dropped::DroppedMarks;
use error::UpdateError;
use fetch::{Fetched, Patience};
use manifest::OfferedRelease;

/// All that is known of updates. One for the whole server.
pub struct Updates {
    settings: UpdateSettings,
    folder: PathBuf,
    current: Version,
    clock: Arc<Clock>,
    found: Mutex<KnownUpdates>,
}

/// What both ways of hearing of an update have brought.
#[derive(Default)]
struct KnownUpdates {
    feed: ChannelState,
    file: ChannelState,
    /// What the dropped files looked like when they were last read.
    marks: Option<DroppedMarks>,
    /// The tag of the feed's last answer that was believed.
    tag: Option<String>,
    /// The version that was last told of.
    told: Option<Version>,
}

#[derive(Default)]
struct ChannelState {
    /// The last good news, if it was of an update.
    update: Option<OfferedRelease>,
    checked: Option<Timestamp>,
    /// What went wrong at the last check.
    trouble: Option<String>,
}

/// What there is to say of updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateReport {
    /// In a word.
    pub state: UpdateState,
    /// When somebody was last asked, or the file read; successfully or not.
    pub checked: Option<Timestamp>,
    /// What went wrong then, in words without a secret.
    pub error: Option<String>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateState {
    /// No feed is configured, and no file was dropped.
    Off,
    /// Nobody has been asked yet.
    Unknown,
    /// Whoever was asked knows of nothing newer.
    Current,
    /// There is an update.
    Available,
    /// None is known, and the last check failed: there may be one.
    Failing,
}

impl UpdateState {
    /// The state's name in `/api/status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unknown => "unknown",
            Self::Current => "current",
            Self::Available => "available",
            Self::Failing => "failing",
        }
    }
}

impl Updates {
    /// Of a postern of this version, whose state is kept in `folder`. Looks for a dropped file at once.
    #[must_use]
    pub fn new(
        settings: UpdateSettings,
        folder: PathBuf,
        current: Version,
        clock: Arc<Clock>,
    ) -> Self {
        let updates = Self {
            settings,
            folder,
            current,
            clock,
            found: Mutex::default(),
        };
        updates.look();
        updates
    }

    /// The newest update that is known.
    #[must_use]
    pub fn known(&self) -> Option<OfferedRelease> {
        self.found.lock().newest().cloned()
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self) -> UpdateReport {
        let found = self.found.lock();
        let heard = || [&found.feed, &found.file].into_iter();
        let checked = heard().filter_map(|h| h.checked).max();
        let error = heard().find_map(|h| h.trouble.clone());
        let state = if found.newest().is_some() {
            UpdateState::Available
        } else if error.is_some() {
            UpdateState::Failing
        } else if checked.is_some() {
            UpdateState::Current
        } else if self.settings.url.is_some() {
            UpdateState::Unknown
        } else {
            UpdateState::Off
        };
        UpdateReport {
            state,
            checked,
            error,
        }
    }

    /// Looks at the dropped file, and reads it if it has changed. Cheap if it has not.
    pub fn look(&self) {
        let marks = DroppedMarks::of(&self.folder);
        let mut found = self.found.lock();
        if found.marks.as_ref() == Some(&marks) {
            return;
        }
        let is_there = marks.is_there();
        found.marks = Some(marks);
        if !is_there {
            // Taken away, and with it what it said.
            found.file = ChannelState::default();
            return;
        }
        drop(found);
        let read = dropped::read(&self.folder, self.settings.public_key.as_ref());
        self.learn(UpdateChannel::File, read.map(News::Release).as_ref());
    }

    /// Asks the feed once, if there is one. May wait as long as `patience` says, and for the resolver.
    ///
    /// # Errors
    /// What [`Updates::report`] then says too, and the log.
    pub fn ask(&self, patience: Patience) -> Result<(), UpdateError> {
        let Some(url) = &self.settings.url else {
            return Ok(());
        };
        let news = self.asked(url, patience);
        self.learn(UpdateChannel::Feed, news.as_ref());
        news.map(|_| ())
    }

    fn asked(&self, url: &HttpsUrl, patience: Patience) -> Result<News, UpdateError> {
        if self.clock.wall() < RELEASE_EPOCH {
            return Err(UpdateError::Clock);
        }
        let known = self.found.lock().tag.clone();
        match fetch::ask(url, &self.settings, &self.clock, patience, known.as_deref())? {
            Fetched::Unchanged => Ok(News::Nothing),
            Fetched::Manifest { bytes, tag } => {
                let release = manifest::parse(&bytes)?;
                // Only now: of what was not understood there must be no "unchanged".
                self.found.lock().tag = tag;
                Ok(News::Release(release))
            }
        }
    }

    /// Takes news in. What is said of it is said when the lock is free again.
    fn learn(&self, way: UpdateChannel, news: Result<&News, &UpdateError>) {
        let now = self.clock.wall();
        let mut found = self.found.lock();
        let heard = match way {
            UpdateChannel::Feed => &mut found.feed,
            UpdateChannel::File => &mut found.file,
        };
        if !matches!(news, Err(UpdateError::Clock)) {
            heard.checked = Some(now);
        }
        if let Ok(News::Release(release)) = news {
            let update = release
                .clone()
                .filter(|release| manifest::is_update(&self.current, &release.version));
            heard.update = match way {
                // An old manifest, replayed with its good signature, hides nothing.
                UpdateChannel::Feed => newer(update, heard.update.take()),
                UpdateChannel::File => update,
            };
        }
        let trouble = news
            .err()
            .map(|failure| way.name().to_owned() + ": " + &failure.to_string());
        let is_as_before = heard.trouble == trouble;
        heard.trouble.clone_from(&trouble);
        let untold = found
            .newest()
            .filter(|update| Some(&update.version) != found.told.as_ref());
        let untold = untold.cloned();
        if let Some(update) = &untold {
            found.told = Some(update.version.clone());
        }
        drop(found);

        // Somebody may be trying to sell an update: that is said each time.
        let forged = matches!(news, Err(UpdateError::Signature(_)));
        match trouble {
            Some(trouble) if forged || !is_as_before => {
                log::warn!(problem = trouble.as_str(); "news of updates is not to be had; what was known before holds");
            }
            None if !is_as_before => {
                log::info!(from = way.name(); "news of updates is to be had again");
            }
            _ => {}
        }
        if let Some(OfferedRelease { version, url }) = untold {
            let url = url.map_or_else(String::new, |url| url.to_string());
            log::info!(version:% = version, url = url.as_str(); "an update of postern is available");
        }
    }
}

impl KnownUpdates {
    fn newest(&self) -> Option<&OfferedRelease> {
        let updates = [&self.feed.update, &self.file.update];
        let updates = updates.into_iter().flatten();
        updates.reduce(|a, b| if comes_before(a, b) { b } else { a })
    }
}

/// The newer of the two, if there are two.
fn newer(a: Option<OfferedRelease>, b: Option<OfferedRelease>) -> Option<OfferedRelease> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if comes_before(&a, &b) { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Whether `b` is the better news: later, or of the same version with an address.
fn comes_before(a: &OfferedRelease, b: &OfferedRelease) -> bool {
    let by_version = a.version.cmp_precedence(&b.version);
    by_version
        .then(a.url.is_some().cmp(&b.url.is_some()))
        .is_lt()
}

enum News {
    /// Nothing that was not known.
    Nothing,
    /// A release, if there is one for everybody.
    Release(Option<OfferedRelease>),
}

/// How news comes in.
#[derive(Clone, Copy)]
enum UpdateChannel {
    Feed,
    File,
}

impl UpdateChannel {
    const fn name(self) -> &'static str {
        match self {
            Self::Feed => "UPDATE_URL",
            Self::File => dropped::FILE,
        }
    }
}

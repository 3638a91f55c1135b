//! A source that tests turn by hand, with time of their own and the real kernel's news.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::{SourceContext, SourceShared, SourceState, SourceStop};
use super::watch::{SLOW_LOOK, WatchMethod, Watcher};
use super::{FileSource, Followed, NamedFile, PatternFiles, Pause};
use crate::clock::{Clock, FakeTimeSource, Timestamp};
use crate::config::LineFormat;
use crate::logs::{Filter, Ring};

/// Only the kernel's news ends the sleep: no timer runs but that of the slow look, after trouble or without `/proc`.
#[track_caller]
pub(super) fn assert_sleeps(pause: Pause) {
    let is_asleep = pause.at_most.is_none_or(|most| most >= SLOW_LOOK);
    assert!(is_asleep, "{pause:?}");
}

pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) source: FileSource,
    context: SourceContext,
    time: Arc<FakeTimeSource>,
    seen: u64,
}

impl Bench {
    /// Follows this one file of an empty folder.
    pub(super) fn one(path: &str) -> Self {
        let path = path.to_owned();
        Self::new(WatchMethod::Inotify, move |folder| {
            Box::new(NamedFile::new(folder.join(path), LineFormat::Auto))
        })
    }

    /// Follows what this pattern fits in an empty folder.
    pub(super) fn all(pattern: &str, is_named: bool) -> Self {
        let pattern = pattern.to_owned();
        Self::new(WatchMethod::Inotify, move |folder| {
            let pattern = folder.join(pattern).display().to_string();
            Box::new(PatternFiles::new(&pattern, is_named, LineFormat::Raw))
        })
    }

    pub(super) fn new(
        means: WatchMethod,
        followed: impl FnOnce(&Path) -> Box<dyn Followed>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(FakeTimeSource::new(Timestamp::default()));
        Self {
            source: FileSource {
                watcher: Watcher::new(means),
                ..FileSource::new(followed(folder.path()), WatchMethod::PollingAlone)
            },
            context: SourceContext {
                shared: Arc::new(SourceShared::new("file", "source", "file:source".into())),
                ring: Arc::new(Ring::new(1 << 24, "b".into(), Box::new(|| ()))),
                clock: Arc::new(Clock::new(time.clone(), None)),
                stop: Arc::new(SourceStop::new().unwrap()),
            },
            folder,
            time,
            seen: 0,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn pass(&self, duration: Duration) {
        self.time.advance(duration);
    }

    pub(super) fn turn(&mut self) -> Pause {
        self.source.turn(&self.context)
    }

    /// Takes what the kernel has to tell within this time; true if that is anything.
    pub(super) fn hear(&mut self, within: Duration) -> bool {
        let woken = self.source.watcher.wait(&self.context.stop, Some(within));
        let news = woken.everything || !woken.written.is_empty();
        self.source.woken.written.extend(woken.written);
        self.source.woken.everything |= woken.everything;
        news
    }

    /// Turns until nothing is left to do or to hear.
    pub(super) fn settle(&mut self) -> Pause {
        for _ in 0..1000 {
            let pause = self.turn();
            let is_due = pause.at_most == Some(Duration::ZERO);
            if !self.hear(Duration::ZERO) && !is_due {
                return pause;
            }
        }
        panic!("it never settles");
    }

    /// Waits for the kernel's news, and settles.
    pub(super) fn wake(&mut self) -> Pause {
        assert!(self.hear(Duration::from_secs(10)), "nothing was reported");
        self.settle()
    }

    /// The entries since the last call.
    pub(super) fn entries(&mut self) -> Vec<Value> {
        let ring = &self.context.ring;
        let texts = ring.recent(100_000, Some(self.seen), &Filter::default());
        self.seen = ring.bounds().1;
        texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    }

    /// Their messages.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let message = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        self.entries().iter().map(message).collect()
    }

    pub(super) fn state(&self) -> SourceState {
        self.context.shared.state()
    }
}

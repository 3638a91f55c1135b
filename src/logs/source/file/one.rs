//! One file, named in `LOG_SOURCES`, as something that is followed.

use std::path::PathBuf;

use super::super::{SourceEvent, format};
use super::follower::{FileState, Follower};
use super::tail::Tail;
use super::watch::WakeUp;
use super::watched::{WatchedFolder, watched};
use super::{FileReport, Followed, LookResult};
use crate::clock::Moment;
use crate::config::LineFormat;

pub(super) struct NamedFile {
    follower: Follower,
    format: LineFormat,
    state: FileState,
    /// How often in a row the file was not there.
    missed: u32,
}

impl NamedFile {
    pub(super) fn new(path: PathBuf, format: LineFormat) -> Self {
        Self {
            follower: Follower::new(path),
            format,
            state: FileState::Waiting,
            missed: 0,
        }
    }

    /// Whether the file has only just gone: rotation puts another one in its place within a moment, and that is no
    /// news.
    fn is_between(&self) -> bool {
        self.state == FileState::Waiting && self.follower.is_open() && self.missed < BETWEEN
    }
}

impl Followed for NamedFile {
    fn look(&mut self, _: &WakeUp, now: Moment, give: &mut dyn FnMut(SourceEvent)) -> LookResult {
        let held = self.follower.held();
        let format = self.format;
        let mut read = false;
        let (state, more) = self.follower.poll(now, &mut |line| {
            read = true;
            give(format::event(line, format));
        });
        self.missed = if state == FileState::Waiting {
            self.missed.saturating_add(1)
        } else {
            0
        };
        self.state = state;
        LookResult {
            more,
            read,
            changed: held != self.follower.held(),
        }
    }

    fn watched(&self) -> Vec<WatchedFolder> {
        watched(self.follower.path(), false)
    }

    fn tails(&mut self) -> Box<dyn Iterator<Item = &mut Tail> + '_> {
        Box::new(self.follower.tails())
    }

    fn is_pending(&self) -> bool {
        self.is_between() || self.follower.is_pending()
    }

    fn report(&self) -> FileReport {
        let (state, error) = match &self.state {
            FileState::Following => ("following", None),
            FileState::Waiting if self.is_between() => ("following", None),
            FileState::Waiting => ("waiting for the file", None),
            FileState::NotAFile => ("not a regular file", None),
            FileState::Failed(error) => {
                let path = self.follower.path().display();
                ("error", Some(format!("{path}: {error}")))
            }
        };
        FileReport {
            state,
            error,
            files: None,
        }
    }

    fn finish(&mut self, give: &mut dyn FnMut(SourceEvent)) {
        let format = self.format;
        self.follower
            .finish(&mut |line| give(format::event(line, format)));
    }
}

/// With a look each 250 ms, somewhat longer than a rotation takes.
const BETWEEN: u32 = 3;

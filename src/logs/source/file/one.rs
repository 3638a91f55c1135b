//! One file, named in `LOG_SOURCES`, as something that is followed.

use std::path::PathBuf;

use super::super::{Event, format};
use super::follower::{Follower, State};
use super::places::{Place, places};
use super::tail::Tail;
use super::watch::Woken;
use super::{Followed, Look, Report};
use crate::clock::Moment;
use crate::config::LineFormat;

pub(super) struct One {
    follower: Follower,
    format: LineFormat,
    state: State,
    /// How often in a row the file was not there.
    missed: u32,
}

impl One {
    pub(super) fn new(path: PathBuf, format: LineFormat) -> Self {
        Self {
            follower: Follower::new(path),
            format,
            state: State::Waiting,
            missed: 0,
        }
    }

    /// Whether the file has only just gone: rotation puts another one in its place within a moment, and that is no
    /// news.
    fn is_between(&self) -> bool {
        self.state == State::Waiting && self.follower.is_open() && self.missed < BETWEEN
    }
}

impl Followed for One {
    fn look(&mut self, _: &Woken, now: Moment, give: &mut dyn FnMut(Event)) -> Look {
        let held = self.follower.held();
        let format = self.format;
        let mut read = false;
        let (state, more) = self.follower.poll(now, &mut |line| {
            read = true;
            give(format::event(line, format));
        });
        self.missed = if state == State::Waiting {
            self.missed.saturating_add(1)
        } else {
            0
        };
        self.state = state;
        Look {
            more,
            read,
            changed: held != self.follower.held(),
        }
    }

    fn places(&self) -> Vec<Place> {
        places(self.follower.path(), false)
    }

    fn tails(&mut self) -> Box<dyn Iterator<Item = &mut Tail> + '_> {
        Box::new(self.follower.tails())
    }

    fn is_pending(&self) -> bool {
        self.is_between() || self.follower.is_pending()
    }

    fn report(&self) -> Report {
        let (state, error) = match &self.state {
            State::Following => ("following", None),
            State::Waiting if self.is_between() => ("following", None),
            State::Waiting => ("waiting for the file", None),
            State::NotAFile => ("not a regular file", None),
            State::Failed(error) => {
                let path = self.follower.path().display();
                ("error", Some(format!("{path}: {error}")))
            }
        };
        Report {
            state,
            error,
            files: None,
        }
    }

    fn finish(&mut self, give: &mut dyn FnMut(Event)) {
        let format = self.format;
        self.follower
            .finish(&mut |line| give(format::event(line, format)));
    }
}

/// With a look each 250 ms, somewhat longer than a rotation takes.
const BETWEEN: u32 = 3;

//! Time that never runs backwards.
//!
//! A board without a clock chip boots in 1970, or when it was last shut down, until the network tells it better.
//! A server that believed that would revive expired tokens and forget live revocations. So wall-clock time here is
//! the later of the system's clock and a *mark*: the newest time the journal knows of, carried on by the monotonic
//! clock.
//!
//! A leap far ahead may be a bad NTP answer, or a board that was switched off over the weekend. So it is believed at once
//! for what can be taken back, [`Clock::wall`]: what is issued, and whether a token has expired. For what can not,
//! [`Clock::now`], it is *held* until it has stood for a while: what may be forgotten, and which marks are made.

mod source;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use source::whole_millis;
pub use source::{FakeTimeSource, Moment, SystemTimeSource, TimeSource, Timestamp};

/// What the guarded clock makes of the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// The system's clock is followed.
    Synchronised,
    /// The system's clock leapt ahead by this much; it is not believed yet.
    Held(Duration),
    /// The system's clock is this far behind the newest mark.
    Behind(Duration),
}

impl ClockState {
    /// The state's name in `/api/status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synchronised => "synchronised",
            Self::Held(_) => "held",
            Self::Behind(_) => "behind",
        }
    }
}

/// The guarded clock. All expiry is decided on it: what a client may still do on [`Clock::wall`], what may be forgotten
/// on [`Clock::now`].
pub struct Clock {
    source: Arc<dyn TimeSource>,
    line: Mutex<Line>,
}

/// The guarded line: a point on it, from which the monotonic clock carries on.
struct Line {
    wall: Timestamp,
    at: Moment,
    /// Since when, and how far ahead of the line, the system's clock has stood after a leap.
    leap: Option<(Moment, Duration)>,
    state: ClockState,
}

impl Clock {
    /// A clock that will never be earlier than `newest_mark`. Without a mark (a first boot) it starts at the system's time.
    #[must_use]
    pub fn new(source: Arc<dyn TimeSource>, newest_mark: Option<Timestamp>) -> Self {
        let at = source.monotonic();
        let wall = newest_mark.unwrap_or_else(|| source.system());
        let clock = Self {
            source,
            line: Mutex::new(Line {
                wall,
                at,
                leap: None,
                state: ClockState::Synchronised,
            }),
        };
        clock.now();
        clock
    }

    /// Wall-clock time as well as it can be told: that of [`Clock::now`], or the system's where that is later. A leap that
    /// is taken back takes it back too.
    pub fn wall(&self) -> Timestamp {
        self.now().max(self.source.system())
    }

    /// Wall-clock time that never runs backwards, and follows a leap only once it has stood.
    pub fn now(&self) -> Timestamp {
        let mut line = self.line.lock();
        let system = self.source.system();
        let at = self.source.monotonic();
        let before = line.state;
        line.advance(system, at);
        let (now, state) = (line.wall, line.state);
        drop(line);
        if before.name() != state.name() {
            report(state, now);
        }
        now
    }

    /// The monotonic clock, for everything that measures a length of time within this run.
    pub fn monotonic(&self) -> Moment {
        self.source.monotonic()
    }

    /// What the clock makes of the system's, as of its last reading.
    pub fn state(&self) -> ClockState {
        self.now();
        self.line.lock().state
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl Line {
    fn advance(&mut self, system: Timestamp, at: Moment) {
        // Whole milliseconds are carried over; what is left of one stays behind in `at`.
        let passed = Duration::from_millis(whole_millis(at.saturating_since(self.at)));
        self.wall = self.wall + passed;
        self.at = self.at + passed;

        if system < self.wall {
            self.leap = None;
            let behind = self.wall.saturating_since(system);
            self.state = if behind > TOLERATED_LAG {
                ClockState::Behind(behind)
            } else {
                ClockState::Synchronised
            };
            return;
        }
        let ahead = system.saturating_since(self.wall);
        let never_set = self.wall < RELEASE_EPOCH;
        if ahead <= MAX_LEAP || never_set || self.has_stood(ahead) {
            self.wall = system;
            self.leap = None;
            self.state = ClockState::Synchronised;
        } else {
            self.state = ClockState::Held(ahead);
        }
    }

    /// Whether a leap of this size has stood for long enough. A further leap starts the wait anew.
    fn has_stood(&mut self, ahead: Duration) -> bool {
        match self.leap {
            Some((since, size)) if ahead.abs_diff(size) <= MAX_LEAP => {
                self.at.saturating_since(since) >= HOLD
            }
            _ => {
                self.leap = Some((self.at, ahead));
                false
            }
        }
    }
}

fn report(state: ClockState, now: Timestamp) {
    match state {
        ClockState::Synchronised => log::info!(now:% = now; "the system clock is followed"),
        ClockState::Held(leap) => {
            log::warn!(leap_seconds = leap.as_secs(), now:% = now; "the system clock leapt ahead; until it has stood for a while, nothing is forgotten by it");
        }
        ClockState::Behind(by) => {
            log::warn!(behind_seconds = by.as_secs(), now:% = now; "the system clock is behind the journal; the journal's time goes on");
        }
    }
}

/// A leap ahead of more than this is held.
pub const MAX_LEAP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a leap must stand before it is believed.
pub const HOLD: Duration = Duration::from_secs(5 * 60);

/// A guarded line before this was never set: no release of postern is older, so a leap from there is the clock being
/// set for the first time (2026-11-01T00:00:00Z).
pub const RELEASE_EPOCH: Timestamp = Timestamp::from_secs(1_793_491_200);

/// NTP slews by fractions of a second; that is no state worth a word.
const TOLERATED_LAG: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;

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
//!
//! A time beyond [`LATEST`] is no time at all, as 1970 is none.

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
    /// The system's clock is followed. Whether anybody sets that is another question.
    Followed,
    /// The system's clock leapt ahead by this much; it is not believed yet.
    Held(Duration),
    /// The system's clock is this far behind the newest mark.
    Behind(Duration),
    /// The system's clock is beyond [`LATEST`], and not believed.
    OutOfRange,
}

impl ClockState {
    /// All names that [`ClockState::name`] gives.
    pub const NAMES: [&str; 4] = ["followed", "held", "behind", "out_of_range"];

    /// The state's name in `/api/status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Followed => "followed",
            Self::Held(_) => "held",
            Self::Behind(_) => "behind",
            Self::OutOfRange => "out_of_range",
        }
    }
}

/// The guarded clock. All expiry is decided on it: what a client may still do on [`Clock::wall`], what may be forgotten
/// on [`Clock::now`].
pub struct Clock {
    source: Arc<dyn TimeSource>,
    line: Mutex<GuardedTime>,
}

/// The guarded line: a point on it, from which the monotonic clock carries on.
struct GuardedTime {
    wall: Timestamp,
    at: Moment,
    /// Since when, and how far ahead of the line, the system's clock has stood after a leap.
    leap: Option<(Moment, Duration)>,
    /// From where to where the line itself last leapt.
    leapt: Option<(Timestamp, Timestamp)>,
    /// Until when it is doubted: nobody knew the time before this run, so the first that was believed may be wrong.
    doubted_until: Option<Moment>,
    state: ClockState,
    telling: bool,
}

/// What is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClockEvent {
    Behind(Duration),
    CaughtUp,
    Held(Duration),
    Believed(Duration),
    TakenBack,
    SetAhead(Duration),
    OutOfRange,
}

impl Clock {
    /// A clock that will never be earlier than `newest_mark`. Without a mark (a first boot) it starts at the system's time,
    /// and doubts it for [`HOLD`]. It logs nothing before [`Clock::tell`].
    #[must_use]
    pub fn new(source: Arc<dyn TimeSource>, newest_mark: Option<Timestamp>) -> Self {
        let at = source.monotonic();
        let newest_mark = newest_mark.filter(|mark| *mark <= LATEST);
        let clock = Self {
            line: Mutex::new(GuardedTime {
                wall: newest_mark.unwrap_or_else(|| believable(source.system())),
                at,
                leap: None,
                leapt: None,
                doubted_until: newest_mark.is_none().then(|| at + HOLD),
                state: ClockState::Followed,
                telling: false,
            }),
            source,
        };
        clock.now();
        clock
    }

    /// From now on what the clock does is logged, once each time; and what it is doing already. To be called when
    /// there is a log that keeps it.
    pub fn tell(&self) {
        let now = self.now();
        let mut line = self.line.lock();
        line.telling = true;
        let state = line.state;
        drop(line);
        match state {
            ClockState::Followed => {}
            ClockState::Held(leap) => ClockEvent::Held(leap).report(now),
            ClockState::Behind(by) => ClockEvent::Behind(by).report(now),
            ClockState::OutOfRange => ClockEvent::OutOfRange.report(now),
        }
    }

    /// Wall-clock time as well as it can be told: that of [`Clock::now`], or the system's where that is later. A leap that
    /// is taken back takes it back too.
    pub fn wall(&self) -> Timestamp {
        self.now().max(believable(self.source.system()))
    }

    /// Wall-clock time that never runs backwards, and follows a leap only once it has stood.
    pub fn now(&self) -> Timestamp {
        let mut line = self.line.lock();
        let system = self.source.system();
        let at = self.source.monotonic();
        let event = line.advance(system, at).filter(|_| line.telling);
        let now = line.wall;
        drop(line);
        if let Some(event) = event {
            event.report(now);
        }
        now
    }

    /// How long ago it was `earlier` by [`Clock::now`]. A leap in between is time that nobody waited, and does not count;
    /// of several, the last.
    pub fn elapsed(&self, earlier: Timestamp) -> Duration {
        let now = self.now();
        match self.line.lock().leapt {
            Some((from, to)) if earlier <= from && to <= now => {
                from.saturating_since(earlier) + now.saturating_since(to)
            }
            _ => now.saturating_since(earlier),
        }
    }

    /// The monotonic clock, for everything that measures a length of time within this run.
    pub fn monotonic(&self) -> Moment {
        self.source.monotonic()
    }

    /// What the clock makes of the system's.
    pub fn state(&self) -> ClockState {
        self.now();
        self.line.lock().state
    }

    /// Whether its time can be gone by: nothing is wrong with the system's, and it is not before this release.
    pub fn is_believed(&self) -> bool {
        let now = self.now();
        now >= RELEASE_EPOCH && self.state() == ClockState::Followed
    }

    /// The system's time, if the first time that was ever believed has turned out to be a month ahead of it before it had stood for [`HOLD`]. To follow it there, [`Clock::set_back`].
    pub fn refuted(&self) -> Option<Timestamp> {
        self.now();
        let line = self.line.lock();
        let system = self.source.system();
        (line.doubted_until.is_some() && line.is_refuted_by(system)).then_some(system)
    }

    /// Takes the first time back that was believed: the one way in which the clock runs backwards, and only while
    /// [`Clock::refuted`]. Everything that was issued must have been ended before, for good.
    pub fn set_back(&self, to: Timestamp) {
        let mut line = self.line.lock();
        if line.doubted_until.is_some() && line.is_refuted_by(to) {
            let at = self.source.monotonic();
            line.wall = to;
            line.at = at;
            line.leapt = None;
            line.doubted_until = Some(at + HOLD);
            line.state = ClockState::Followed;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl GuardedTime {
    fn advance(&mut self, system: Timestamp, at: Moment) -> Option<ClockEvent> {
        // Whole milliseconds are carried over; what is left of one stays behind in `at`.
        let passed = Duration::from_millis(whole_millis(at.saturating_since(self.at)));
        self.wall = self.wall + passed;
        self.at = self.at + passed;
        let never_set = self.wall < RELEASE_EPOCH;
        self.doubt(never_set, system);

        let before = self.state;
        if system > LATEST {
            self.leap = None;
            self.state = ClockState::OutOfRange;
            return (before != ClockState::OutOfRange).then_some(ClockEvent::OutOfRange);
        }
        if system < self.wall {
            self.leap = None;
            let behind = self.wall.saturating_since(system);
            let was_behind = matches!(before, ClockState::Behind(_));
            // Not the same edge both ways, or a clock that is being slewed would flap at it.
            let lag = if was_behind { CAUGHT_UP } else { TOLERATED_LAG };
            if behind > lag {
                self.state = ClockState::Behind(behind);
                return (!was_behind).then_some(ClockEvent::Behind(behind));
            }
            return self.followed(None);
        }
        let ahead = system.saturating_since(self.wall);
        if ahead <= MAX_LEAP || never_set {
            self.leap_to(system);
            return self.followed((ahead > WORTH_A_WORD).then_some(ClockEvent::SetAhead(ahead)));
        }
        if self.has_stood(ahead) {
            self.leap_to(system);
            self.state = ClockState::Followed;
            return Some(ClockEvent::Believed(ahead));
        }
        self.state = ClockState::Held(ahead);
        (!matches!(before, ClockState::Held(_))).then_some(ClockEvent::Held(ahead))
    }

    /// The system's clock is followed again, or still; then `otherwise` is what there is to say.
    fn followed(&mut self, otherwise: Option<ClockEvent>) -> Option<ClockEvent> {
        match std::mem::replace(&mut self.state, ClockState::Followed) {
            ClockState::Followed => otherwise,
            ClockState::Held(_) | ClockState::OutOfRange => Some(ClockEvent::TakenBack),
            ClockState::Behind(_) => Some(ClockEvent::CaughtUp),
        }
    }

    fn leap_to(&mut self, system: Timestamp) {
        // A slewed clock creeps ahead at each reading; that is no leap.
        if system.saturating_since(self.wall) > CAUGHT_UP {
            self.leapt = Some((self.wall, system));
        }
        self.wall = system;
        self.leap = None;
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

    /// The first time to be believed is doubted until it has stood. A contradiction keeps the doubt up until something
    /// is done about it.
    fn doubt(&mut self, never_set: bool, system: Timestamp) {
        match self.doubted_until {
            Some(_) if self.is_refuted_by(system) => self.doubted_until = Some(self.at + HOLD),
            Some(until) if self.at >= until && !never_set => self.doubted_until = None,
            _ if never_set => self.doubted_until = Some(self.at + HOLD),
            _ => {}
        }
    }

    fn is_refuted_by(&self, system: Timestamp) -> bool {
        system >= RELEASE_EPOCH && system + REFUTED_BY < self.wall
    }
}

impl ClockEvent {
    fn report(self, now: Timestamp) {
        match self {
            Self::Behind(by) => {
                log::warn!(behind_seconds = by.as_secs(), now:% = now; "the system clock is behind the newest time that is known; time goes on from that one");
            }
            Self::CaughtUp => {
                log::info!(now:% = now; "the system clock has caught up and is followed again");
            }
            Self::Held(leap) => {
                log::warn!(leap_seconds = leap.as_secs(), now:% = now; "the system clock leapt ahead; for five minutes postern forgets nothing because of it");
            }
            Self::Believed(leap) => {
                log::warn!(leap_seconds = leap.as_secs(), now:% = now; "the system clock has been ahead for five minutes; postern follows it now");
            }
            Self::TakenBack => {
                log::info!(now:% = now; "the leap of the system clock was taken back; it is followed again");
            }
            Self::OutOfRange => {
                log::warn!(now:% = now; "the system clock is beyond the year 2099 and is not believed; time goes on from the newest that is known");
            }
            Self::SetAhead(leap) => {
                log::info!(leap_seconds = leap.as_secs(), now:% = now; "the system clock was set ahead and is followed");
            }
        }
    }
}

/// What the system's clock is good for.
fn believable(system: Timestamp) -> Timestamp {
    if system > LATEST {
        Timestamp::default()
    } else {
        system
    }
}

/// No board says a later time and is right. Tokens can tell times until 2106, and live for a year at most
/// (2100-01-01T00:00:00Z).
pub const LATEST: Timestamp = Timestamp::from_secs(4_102_444_800);

/// A leap ahead of more than this is held.
pub const MAX_LEAP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a leap must stand before it is believed.
pub const HOLD: Duration = Duration::from_secs(5 * 60);

/// The first time that was ever believed is given up for one that is earlier by more than this. Who has to wait for less
/// until the system's clock has caught up need not have all logins ended.
const REFUTED_BY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A guarded line before this was never set: no release of postern is older, so a leap from there is the clock being
/// set for the first time (2026-11-01T00:00:00Z).
pub const RELEASE_EPOCH: Timestamp = Timestamp::from_secs(1_793_491_200);

/// NTP slews by fractions of a second; that is no state worth a word.
const TOLERATED_LAG: Duration = Duration::from_secs(2);

/// Behind no further than this, the system's clock has caught up.
const CAUGHT_UP: Duration = Duration::from_secs(1);

/// Set ahead by less than this, it is just followed.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;

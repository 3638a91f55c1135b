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

use std::fmt;
use std::ops::Add;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Wall-clock time: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time `duration` before this one, the epoch at the earliest.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }
}

/// RFC 3339 in UTC with milliseconds, as on the log stream: `2026-11-23T14:32:10.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let Ok(time) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
            return f.write_str("9999-12-31T23:59:59.999Z");
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        )
    }
}

/// A reading of the monotonic clock, from an arbitrary origin within this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The distance from the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// Where the two kinds of time come from.
pub trait TimeSource: Send + Sync {
    /// The system's wall clock, as wrong as it may be.
    fn system(&self) -> Timestamp;
    /// The monotonic clock.
    fn monotonic(&self) -> Moment;
}

/// The operating system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemTimeSource {
    origin: Instant,
}

impl SystemTimeSource {
    /// Clocks whose monotonic origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemTimeSource {
    fn default() -> Self {
        Self::new()
    }
}

impl TimeSource for SystemTimeSource {
    fn system(&self) -> Timestamp {
        // Before 1970 is as good as 1970: the marks decide then.
        Timestamp(whole_millis(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        ))
    }

    fn monotonic(&self) -> Moment {
        Moment(self.origin.elapsed())
    }
}

/// Clocks that a test turns by hand.
#[derive(Debug)]
pub struct FakeTimeSource(Mutex<(Timestamp, Moment)>);

impl FakeTimeSource {
    /// Clocks that stand at `system`.
    #[must_use]
    pub fn new(system: Timestamp) -> Self {
        Self(Mutex::new((system, Moment::default())))
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, duration: Duration) {
        let mut clocks = self.0.lock();
        clocks.0 = clocks.0 + duration;
        clocks.1 = clocks.1 + duration;
    }

    /// Sets the system's clock alone, as NTP or a dead battery does.
    pub fn set_system(&self, system: Timestamp) {
        self.0.lock().0 = system;
    }
}

impl TimeSource for FakeTimeSource {
    fn system(&self) -> Timestamp {
        self.0.lock().0
    }

    fn monotonic(&self) -> Moment {
        self.0.lock().1
    }
}

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

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn clock_at(system: Timestamp, mark: Option<Timestamp>) -> (Arc<FakeTimeSource>, Clock) {
        let source = Arc::new(FakeTimeSource::new(system));
        let clock = Clock::new(source.clone(), mark);
        (source, clock)
    }

    #[test]
    fn a_boot_in_1970_goes_on_from_the_newest_mark() {
        let (source, clock) = clock_at(Timestamp::default(), Some(NOON));
        assert_eq!(clock.now(), NOON);
        assert_eq!(clock.state().name(), "behind");
        source.advance(Duration::from_secs(10));
        assert_eq!(clock.now(), NOON + Duration::from_secs(10));
    }

    #[test]
    fn time_never_runs_backwards() {
        let (source, clock) = clock_at(NOON, None);
        source.set_system(NOON.saturating_sub(DAY));
        assert!(clock.now() >= NOON);
        source.set_system(NOON + Duration::from_secs(5));
        assert_eq!(clock.now(), NOON + Duration::from_secs(5));
        assert_eq!(clock.state(), ClockState::Synchronised);
    }

    #[test]
    fn a_leap_of_years_is_held_until_it_has_stood() {
        let (source, clock) = clock_at(NOON, Some(NOON));
        source.set_system(NOON + DAY * 3650);
        assert_eq!(clock.now(), NOON);
        assert_eq!(clock.state().name(), "held");
        source.advance(HOLD / 2);
        assert_eq!(clock.now(), NOON + HOLD / 2);
        source.advance(HOLD);
        assert!(clock.now() >= NOON + DAY * 3650);
    }

    #[test]
    fn a_leap_that_is_taken_back_leaves_no_trace() {
        let (source, clock) = clock_at(NOON, Some(NOON));
        source.set_system(NOON + DAY * 3650);
        clock.now();
        source.advance(Duration::from_secs(60));
        source.set_system(NOON + Duration::from_secs(60));
        assert_eq!(clock.now(), NOON + Duration::from_secs(60));
        assert_eq!(clock.state(), ClockState::Synchronised);
    }

    #[test]
    fn a_second_leap_starts_the_wait_anew() {
        let (source, clock) = clock_at(NOON, Some(NOON));
        source.set_system(NOON + DAY * 30);
        clock.now();
        source.advance(HOLD.saturating_sub(Duration::from_secs(1)));
        source.set_system(NOON + DAY * 300);
        clock.now();
        source.advance(Duration::from_secs(2));
        assert!(clock.now() < NOON + DAY);
    }

    #[test]
    fn a_clock_that_was_never_set_believes_the_first_plausible_time() {
        let (source, clock) = clock_at(Timestamp::from_secs(100), None);
        source.set_system(NOON);
        assert_eq!(clock.now(), NOON);
    }

    #[test]
    fn timestamps_are_written_as_rfc_3339() {
        let time = Timestamp::from_millis(1_795_530_730_123);
        assert_eq!(time.to_string(), "2026-11-24T14:32:10.123Z");
        assert_eq!(
            Timestamp::from_millis(u64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }
}

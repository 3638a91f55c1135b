//! The clock as a board without a clock chip would have it.

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
    assert_eq!(clock.state(), ClockState::Followed);
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
    assert_eq!(clock.state(), ClockState::Followed);
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
fn a_time_beyond_what_can_be_told_is_no_more_believed_than_1970() {
    let beyond = LATEST + DAY;
    let (source, clock) = clock_at(NOON, Some(NOON));
    source.set_system(beyond);
    assert_eq!(said(&source, &clock), Some(ClockEvent::OutOfRange));
    source.advance(HOLD * 2);
    assert_eq!(said(&source, &clock), None, "once");
    assert_eq!(clock.now(), NOON + HOLD * 2);
    assert_eq!(clock.wall(), clock.now());
    assert_eq!(clock.state().name(), "out_of_range");
    source.set_system(NOON + HOLD * 2);
    assert_eq!(said(&source, &clock), Some(ClockEvent::TakenBack));
    assert_eq!(clock.state(), ClockState::Followed);

    // Nor at a first start, nor as a mark that an older version has made of it.
    for mark in [None, Some(beyond)] {
        let (source, clock) = clock_at(beyond, mark);
        assert!(clock.now() < NOON, "{mark:?}");
        source.set_system(NOON);
        assert_eq!(clock.now(), NOON, "{mark:?}");
    }
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

/// What the log would say of this reading.
fn said(source: &FakeTimeSource, clock: &Clock) -> Option<ClockEvent> {
    let (system, at) = (source.system(), source.monotonic());
    clock.line.lock().advance(system, at)
}

#[test]
fn what_the_clock_does_is_said_once() {
    let (source, clock) = clock_at(NOON, Some(NOON));
    let minute = Duration::from_secs(60);
    let quiet_minute = || {
        for _ in 0..60 {
            source.advance(Duration::from_secs(1));
            assert_eq!(said(&source, &clock), None);
        }
    };
    quiet_minute();
    // An hour behind, and caught up.
    source.set_system((NOON + minute).saturating_sub(minute * 60));
    assert_eq!(said(&source, &clock), Some(ClockEvent::Behind(minute * 60)));
    quiet_minute();
    source.set_system(NOON + minute * 2);
    assert_eq!(said(&source, &clock), Some(ClockEvent::CaughtUp));
    quiet_minute();
    // An hour ahead is followed at once, a second is not worth a word.
    source.set_system(NOON + minute * 63);
    assert_eq!(
        said(&source, &clock),
        Some(ClockEvent::SetAhead(minute * 60))
    );
    source.set_system(NOON + minute * 63 + Duration::from_secs(1));
    assert_eq!(said(&source, &clock), None);
    quiet_minute();
    // A year ahead, taken back.
    let before = source.system();
    source.set_system(before + DAY * 365);
    assert_eq!(said(&source, &clock), Some(ClockEvent::Held(DAY * 365)));
    quiet_minute();
    source.set_system(before + minute);
    assert_eq!(said(&source, &clock), Some(ClockEvent::TakenBack));
    quiet_minute();
    // A year ahead, believed.
    source.set_system(source.system() + DAY * 365);
    assert_eq!(said(&source, &clock), Some(ClockEvent::Held(DAY * 365)));
    for _ in 0..4 {
        quiet_minute();
    }
    source.advance(minute);
    assert_eq!(said(&source, &clock), Some(ClockEvent::Believed(DAY * 365)));
    quiet_minute();
}

#[test]
fn a_clock_at_the_edge_of_what_is_tolerated_does_not_flap() {
    let (source, clock) = clock_at(NOON, Some(NOON));
    let millis = Duration::from_millis;
    let mut words = Vec::new();
    for step in 0..1000_u64 {
        source.advance(millis(10));
        let now = NOON + millis(10) * u32::try_from(step + 1).unwrap();
        // To and fro over two seconds, as a slewed clock may go.
        source.set_system(now.saturating_sub(millis(1950 + step % 100)));
        words.extend(said(&source, &clock));
    }
    assert_eq!(words.len(), 1, "{words:?}");
    let now = clock.now();
    source.set_system(now);
    assert_eq!(said(&source, &clock), Some(ClockEvent::CaughtUp));
    assert_eq!(clock.state(), ClockState::Followed);
}

#[test]
fn only_a_first_time_is_doubted_and_only_until_it_has_stood() {
    let year = DAY * 365;
    let month_back = NOON + DAY * (365 - 31);
    // A first boot; one in 1970 that is set to a wrong time; and a mark.
    let (source, clock) = clock_at(NOON + year, None);
    source.set_system(month_back);
    assert_eq!(clock.refuted(), Some(month_back));
    source.set_system(NOON + DAY * (365 - 29));
    assert_eq!(clock.refuted(), None, "worth waiting for");
    source.set_system(Timestamp::from_secs(100));
    assert_eq!(clock.refuted(), None, "a time that cannot be");

    let (source, clock) = clock_at(Timestamp::from_secs(100), None);
    source.advance(HOLD * 2);
    clock.now();
    source.set_system(NOON + year);
    assert_eq!(clock.now(), NOON + year);
    source.advance(HOLD / 2);
    source.set_system(NOON);
    assert_eq!(clock.refuted(), Some(NOON));
    // The doubt stays until something is done about it.
    source.advance(HOLD / 2);
    clock.now();
    source.advance(HOLD / 2);
    let now = source.system();
    assert_eq!(clock.refuted(), Some(now));
    clock.set_back(now);
    assert_eq!((clock.now(), clock.refuted()), (now, None));
    assert_eq!(clock.state(), ClockState::Followed);

    for stands in [false, true] {
        let mark = (!stands).then_some(NOON + year);
        let (source, clock) = clock_at(NOON + year, mark);
        if stands {
            source.advance(HOLD);
            clock.now();
        }
        let before = clock.now();
        source.set_system(NOON);
        assert_eq!(clock.refuted(), None);
        clock.set_back(NOON);
        assert!(clock.now() >= before);
    }
}

#[test]
fn a_leap_is_no_time_that_passed() {
    let (source, clock) = clock_at(NOON, Some(NOON));
    let seconds = Duration::from_secs;
    let before = clock.now();
    source.advance(seconds(3));
    source.set_system(NOON + DAY / 2);
    source.advance(seconds(4));
    assert_eq!(clock.elapsed(before), seconds(7));
    assert_eq!(clock.elapsed(clock.now()), Duration::ZERO);
    clock.now();
    source.advance(seconds(5));
    assert_eq!(clock.elapsed(before), seconds(12));
}

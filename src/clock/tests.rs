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

use super::*;

const MINUTE: u64 = 60;

fn minutes(wait: Duration) -> u64 {
    wait.as_secs() / MINUTE
}

#[test]
fn the_feed_is_asked_each_six_hours_or_so_and_not_at_once() {
    let pace = FeedIntervals::REAL;
    for (chance, first, period) in [(0, 1, 330), (128, 1, 360), (255, 2, 390)] {
        assert_eq!(minutes(pace.before_the_first(chance)), first);
        assert_eq!(minutes(pace.after(&Ok(()), 0, chance)), period);
    }
}

#[test]
fn after_failures_it_is_asked_ever_more_seldom_and_never_oftener_than_each_quarter_of_an_hour() {
    let failed = Err(UpdateError::Time);
    let waits: Vec<_> = (1..9)
        .map(|failures| minutes(FeedIntervals::REAL.after(&failed, failures, 0)))
        .collect();
    assert_eq!(waits, [15, 30, 60, 120, 240, 360, 360, 360]);
    assert_eq!(
        minutes(FeedIntervals::REAL.after(&failed, u32::MAX, 255)),
        405
    );
    assert_eq!(minutes(FeedIntervals::REAL.after(&failed, 1, 255)), 16);
}

#[test]
fn a_clock_that_is_not_set_is_looked_at_again_soon() {
    let outcome = Err(UpdateError::Clock);
    assert_eq!(minutes(FeedIntervals::REAL.after(&outcome, 99, 255)), 1);
}

//! What a clock that is wrong, or that is set right, does to those who log in.

use postern::clock::{HOLD, Timestamp};

use crate::device::{Device, TODAY, Tokens};

fn days_later(days: u64) -> Timestamp {
    Timestamp::from_secs(TODAY.as_secs() + days * 86_400)
}

#[test]
fn after_a_weekend_switched_off_a_login_lasts_and_what_expired_stays_expired() {
    let mut device = Device::start();
    let friday = device.login();
    device.stop();
    device.time.set_system(days_later(3));
    device.boot();
    // Longer off than a day: the leap is held, and it is the truth all the same.
    assert_eq!(device.server().api().clock.state().name(), "held");
    assert!(!device.accepts(&friday.access));
    let monday = device.login();
    assert!(device.accepts(&monday.access));
    device.advance(HOLD.as_secs() + 60);
    assert_eq!(device.server().api().clock.state().name(), "synchronised");
    assert!(device.accepts(&monday.access));
    Tokens::of(&device.refresh(&monday.refresh));
}

#[test]
fn a_token_from_ten_years_ahead_dies_when_the_clock_is_right_again() {
    let device = Device::start();
    let before = device.login();
    device.time.set_system(days_later(3652));
    assert!(!device.accepts(&before.access));
    let ahead = device.login();
    assert!(device.accepts(&ahead.access));
    device.advance(60);
    device
        .time
        .set_system(Timestamp::from_secs(TODAY.as_secs() + 60));
    assert!(device.accepts(&before.access));
    assert!(!device.accepts(&ahead.access));
    assert_eq!(device.refresh(&ahead.refresh).status, 401);
}

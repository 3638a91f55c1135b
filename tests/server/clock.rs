//! What a clock that is wrong, or that is set right, does to those who log in.

use std::time::Duration;

use postern::clock::{HOLD, Timestamp};
use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, TODAY, Tokens, USER, basic, install_own_events};

const DAY: Duration = Duration::from_secs(86_400);

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
    assert_eq!(device.server().api().clock.state().name(), "followed");
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

/// As a person sees it. Whether this machine's own clock is synchronised is left out.
fn clock_in_status(device: &Device) -> Value {
    let answer = device.get("/api/status", Some(&basic(USER, PASSWORD)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut clock = answer.json()["clock"].clone();
    let believed = clock["believed"].as_bool().expect("whether it is believed");
    let synchronised = clock
        .as_object_mut()
        .expect("an object")
        .remove("synchronised");
    assert!(believed || synchronised == Some(json!(false)), "{clock}");
    clock
}

/// What the log says of the clock in a year that no other test lives in.
fn told(device: &Device, year: &str) -> Vec<String> {
    let entries = device.entries();
    let said = entries.iter().filter(|entry| {
        let now = entry["fields"]["now"].as_str();
        entry["source"] == "postern" && now.is_some_and(|now| now.starts_with(year))
    });
    said.map(|entry| entry["message"].as_str().expect("a message").to_owned())
        .collect()
}

#[test]
fn status_shows_what_the_clock_does_and_the_log_says_it_once() {
    install_own_events();
    let another_year = Timestamp::from_secs(1_930_000_000);
    let mut device = Device::start();
    device.stop();
    device.time.set_system(another_year);
    device.boot();
    device.advance(HOLD.as_secs() + 60);
    assert_eq!(
        clock_in_status(&device),
        json!({"state": "followed", "believed": true})
    );
    device.restart();
    assert_eq!(told(&device, "2031-"), [""; 0]);

    let now = || device.server().api().clock.now();
    let ask = |times: u32, expected: &Value| {
        for _ in 0..times {
            assert_eq!(&clock_in_status(&device), expected);
        }
    };
    // A leap that is taken back.
    device.time.set_system(now() + DAY * 2);
    ask(
        3,
        &json!({"state": "held", "believed": false, "leap_seconds": 2 * 86_400}),
    );
    device.time.set_system(now());
    ask(3, &json!({"state": "followed", "believed": true}));
    // Behind, and caught up.
    device.time.set_system(now().saturating_sub(DAY));
    ask(
        3,
        &json!({"state": "behind", "believed": false, "behind_seconds": 86_400}),
    );
    device.time.set_system(now());
    ask(3, &json!({"state": "followed", "believed": true}));
    let so_far = told(&device, "2031-");
    let words = ["leapt ahead", "taken back", "is behind", "caught up"];
    assert_eq!(so_far.len(), words.len(), "{so_far:?}");
    for (line, word) in so_far.iter().zip(words) {
        assert!(line.contains(word), "{so_far:?}");
    }
    // A leap that stands.
    device.time.set_system(now() + DAY * 2);
    ask(
        1,
        &json!({"state": "held", "believed": false, "leap_seconds": 2 * 86_400}),
    );
    device.advance(HOLD.as_secs());
    ask(3, &json!({"state": "followed", "believed": true}));
    assert_eq!(told(&device, "2031-").len(), 6);

    // What it does already when it starts is said too, where it can be read.
    device.stop();
    device.time.set_system(Timestamp::from_secs(5));
    device.boot();
    assert_eq!(clock_in_status(&device)["state"], "behind");
    let told = told(&device, "2031-");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("is behind"));
}

/// No clock chip, no network: nothing has told this board the time.
#[test]
fn a_clock_of_1970_is_followed_but_neither_believed_nor_synchronised() {
    let mut device = Device::start();
    device.stop();
    std::fs::remove_dir_all(device.state("")).expect("no state");
    device.time.set_system(Timestamp::from_secs(60));
    device.boot();
    let status = device
        .get("/api/status", Some(&basic(USER, PASSWORD)))
        .json();
    assert_eq!(
        status["clock"],
        json!({"state": "followed", "believed": false, "synchronised": false})
    );
    device.time.set_system(TODAY);
    assert_eq!(
        clock_in_status(&device),
        json!({"state": "followed", "believed": true})
    );
}

#[test]
fn a_first_boot_ten_years_ahead_is_put_right_a_minute_later() {
    let mut device = Device::start();
    device.stop();
    std::fs::remove_dir_all(device.state("")).expect("no state");
    device.time.set_system(days_later(3652));
    device.boot();
    let ahead = device.login();
    assert!(device.accepts(&ahead.access));
    device.advance(60);
    device.time.set_system(TODAY);
    // The housekeeper does it every few seconds.
    crate::eventually("the clock set back", || {
        device.server().api().clock.now() < days_later(1)
    });
    assert_eq!(
        clock_in_status(&device),
        json!({"state": "followed", "believed": true})
    );
    assert!(!device.accepts(&ahead.access));
    let now = device.login();
    // The first made it, the second takes the wrong time out.
    crate::eventually("the journal written anew", || {
        device.server().api().journal.stats().rewrites == 2
    });
    let cut = device.copy_after_power_cut(Timestamp::from_secs(5));
    assert!(cut.server().api().clock.now() < days_later(1));
    assert!(cut.accepts(&now.access));
}

#[test]
fn tickets_and_request_rates_run_on_a_clock_that_nobody_sets() {
    let device = Device::with(&[("RATE_LIMIT_RPS", "1"), ("RATE_LIMIT_BURST", "30")]);
    let me = basic(USER, PASSWORD);
    let ticket = || device.get("/api/ws-token", Some(&me)).json()["token"].clone();
    let redeem = |ticket: &Value| {
        let ticket = ticket.as_str().expect("a ticket");
        device.server().api().auth.redeem_ticket(ticket).is_ok()
    };
    let (early, late) = (ticket(), ticket());
    device.time.set_system(days_later(3652));
    assert!(redeem(&early), "no leap ends a ticket");
    device.time.set_system(Timestamp::from_secs(5));
    device.advance(120);
    assert!(!redeem(&late), "nor does one prolong it");

    let spend = || (0..40).find(|_| device.get("/health", None).status == 429);
    assert!(spend().is_some());
    for system in [days_later(1), days_later(3652), Timestamp::from_secs(5)] {
        device.time.set_system(system);
        assert_eq!(device.get("/health", None).status, 429);
    }
    device.advance(1);
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn a_lock_out_begun_in_1970_goes_on_when_the_clock_is_set_and_the_plug_is_pulled() {
    let mut device = Device::start();
    device.stop();
    std::fs::remove_dir_all(device.state("")).expect("no state");
    device.time.set_system(Timestamp::from_secs(5));
    device.boot();
    for _ in 0..5 {
        assert_eq!(device.login_with("wrong").status, 401);
    }
    let writes = || device.server().api().journal.stats().writes;
    let before = writes();
    device.time.set_system(TODAY);
    // The housekeeper does it every few seconds.
    crate::eventually("the lock-out kept anew", || writes() > before);
    let cut = device.copy_after_power_cut(TODAY);
    assert_eq!(cut.login_with(PASSWORD).status, 429);
    device.restart();
    assert_eq!(device.login_with(PASSWORD).status, 429);
    device.advance(300);
    assert_eq!(device.login_with(PASSWORD).status, 200);
}

#[test]
fn a_lock_out_outlives_a_stop_right_after_the_clock_was_set() {
    let mut device = Device::start();
    for _ in 0..5 {
        assert_eq!(device.login_with("wrong").status, 401);
    }
    let noon = Timestamp::from_secs(TODAY.as_secs() + 43_200);
    device.time.set_system(noon);
    device.restart();
    assert_eq!(device.login_with(PASSWORD).status, 429);
    device.advance(300);
    assert_eq!(device.login_with(PASSWORD).status, 200);
}

#[test]
fn under_a_clock_beyond_all_times_a_login_works_and_the_status_says_why_it_is_off() {
    let device = Device::start();
    let before = device.login();
    device.time.set_system(Timestamp::from_secs(7_258_118_400));
    assert_eq!(
        clock_in_status(&device),
        json!({"state": "out_of_range", "believed": false})
    );
    assert!(device.accepts(&before.access));
    let login = device.login();
    assert!(device.accepts(&login.access));
    Tokens::of(&device.refresh(&login.refresh));
}

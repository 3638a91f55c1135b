//! Refresh tokens: good once, forgiving for a moment, and telling when stolen.

use std::thread;

use serde_json::json;

use crate::client::request_text;
use crate::device::{Device, PASSWORD, TODAY, Tokens};
use crate::forge::{at_once, count};

fn refresh_text(token: &str) -> String {
    let body = json!({"refresh_token": token}).to_string();
    request_text("POST", "/api/auth/refresh", &[], &body)
}

#[test]
fn a_refresh_token_is_good_once_and_its_successor_after_it() {
    let device = Device::start();
    let first = device.login();
    let second = Tokens::of(&device.refresh(&first.refresh));
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(first.access, second.access);
    let again = device.refresh(&first.refresh);
    assert_eq!(again.status, 401);
    let challenge = again.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    // A second use at once is a race: nobody is thrown out.
    assert!(device.accepts(&first.access) && device.accepts(&second.access));
    assert_eq!(device.refresh(&second.refresh).status, 200);
}

#[test]
fn neither_kind_of_token_serves_as_the_other() {
    let device = Device::start();
    let pair = device.login();
    assert_eq!(device.refresh(&pair.access).status, 401);
    assert!(!device.accepts(&pair.refresh));
    // And trying cost neither of them anything.
    assert!(device.accepts(&pair.access));
    assert_eq!(device.refresh(&pair.refresh).status, 200);
}

#[test]
fn of_many_uses_at_once_exactly_one_wins() {
    let device = Device::start();
    for _ in 0..3 {
        let pair = device.login();
        let answers = at_once(&device, &vec![refresh_text(&pair.refresh); 32]);
        assert_eq!(count(&answers, 200), 1);
        assert_eq!(count(&answers, 401), 31);
        let winner = answers.iter().find(|answer| answer.status == 200);
        let winner = Tokens::of(winner.expect("a winner"));
        assert!(device.accepts(&winner.access) && device.accepts(&pair.access));
        assert_eq!(device.refresh(&winner.refresh).status, 200);
    }
}

#[test]
fn a_reuse_within_the_grace_is_a_race_and_after_it_theft() {
    let device = Device::start();
    let (stolen, other) = (device.login(), device.login());
    let next = Tokens::of(&device.refresh(&stolen.refresh));
    let last = Tokens::of(&device.refresh(&next.refresh));
    device.advance(10);
    assert_eq!(device.refresh(&stolen.refresh).status, 401);
    assert!(device.accepts(&last.access));

    device.advance(1);
    assert_eq!(device.refresh(&stolen.refresh).status, 401);
    for pair in [&stolen, &next, &last] {
        assert!(!device.accepts(&pair.access));
        assert_eq!(device.refresh(&pair.refresh).status, 401);
    }
    assert!(device.accepts(&other.access));
    assert_eq!(device.refresh(&other.refresh).status, 200);
}

#[test]
fn the_grace_is_as_long_as_it_is_configured() {
    let device = Device::with(&[("REFRESH_REUSE_GRACE_SECONDS", "60")]);
    let pair = device.login();
    assert_eq!(device.refresh(&pair.refresh).status, 200);
    device.advance(60);
    assert_eq!(device.refresh(&pair.refresh).status, 401);
    assert!(device.accepts(&pair.access));
    device.advance(1);
    assert_eq!(device.refresh(&pair.refresh).status, 401);
    assert!(!device.accepts(&pair.access));
}

#[test]
fn without_a_grace_every_second_use_is_theft() {
    let device = Device::with(&[("REFRESH_REUSE_GRACE_SECONDS", "0")]);
    let pair = device.login();
    let next = Tokens::of(&device.refresh(&pair.refresh));
    // The clock stands: not a millisecond has passed.
    assert_eq!(device.refresh(&pair.refresh).status, 401);
    assert!(!device.accepts(&pair.access) && !device.accepts(&next.access));
}

#[test]
fn a_use_and_a_theft_are_remembered_through_a_power_cut() {
    let mut device = Device::start();
    let used = device.login();
    let next = Tokens::of(&device.refresh(&used.refresh));
    // The plug is pulled right after the answer; the thief comes a minute later.
    let after = device.copy_after_power_cut(TODAY);
    assert_eq!(after.refresh(&used.refresh).status, 401);
    assert!(
        after.accepts(&next.access),
        "within the grace, by the journal's time"
    );
    after.advance(60);
    assert_eq!(after.refresh(&used.refresh).status, 401);
    assert!(!after.accepts(&next.access));
    let after = after.copy_after_power_cut(TODAY);
    assert!(!after.accepts(&next.access));
    assert_eq!(after.refresh(&next.refresh).status, 401);

    device.advance(60);
    device.restart();
    assert!(device.accepts(&next.access));
    assert_eq!(device.refresh(&used.refresh).status, 401);
    assert!(!device.accepts(&next.access));
}

#[test]
fn tokens_end_on_their_second() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "90s")]);
    let pair = device.login();
    device.advance(89);
    assert!(device.accepts(&pair.access));
    device.advance(1);
    assert!(!device.accepts(&pair.access));
    device.advance(7 * 86_400 - 91);
    let next = Tokens::of(&device.refresh(&pair.refresh));
    device.advance(7 * 86_400);
    assert_eq!(device.refresh(&next.refresh).status, 401);
}

#[test]
fn whatever_ends_the_login_also_ends_a_pair_under_way() {
    let device = Device::start();
    for _ in 0..8 {
        let pair = device.login();
        let refreshed = thread::scope(|scope| {
            let refreshing = scope.spawn(|| device.refresh(&pair.refresh));
            let left = device.request("POST", "/api/logout", Some(&pair.bearer()), None);
            assert_eq!(left.status, 200);
            refreshing.join().expect("an answer")
        });
        if refreshed.status == 200 {
            let next = Tokens::of(&refreshed);
            assert!(!device.accepts(&next.access));
            assert_eq!(device.refresh(&next.refresh).status, 401);
        }
    }
    let pair = device.login();
    let refreshed = thread::scope(|scope| {
        let refreshing = scope.spawn(|| device.refresh(&pair.refresh));
        let changed = device.change_password(&pair.bearer(), PASSWORD, "a wholly new one");
        assert_eq!(changed.status, 200);
        refreshing.join().expect("an answer")
    });
    if refreshed.status == 200 {
        let next = Tokens::of(&refreshed);
        assert!(!device.accepts(&next.access));
        assert_eq!(device.refresh(&next.refresh).status, 401);
    }
}

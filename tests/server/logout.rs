//! Logging out: one login, one logout, for good.

use postern::clock::Timestamp;

use crate::device::{Device, PASSWORD, TODAY, Tokens, USER, basic};
use crate::forge::{at_once, count};

const NEW_YEAR_1970: Timestamp = Timestamp::from_secs(5);

fn logout(device: &Device, authorization: &str) {
    let response = device.request("POST", "/api/logout", Some(authorization), None);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["status"], "success");
}

/// A login that was refreshed twice, and ended with the token in the middle.
fn ended(device: &Device) -> [Tokens; 3] {
    let first = device.login();
    let second = Tokens::of(&device.refresh(&first.refresh));
    let third = Tokens::of(&device.refresh(&second.refresh));
    logout(device, &second.bearer());
    [first, second, third]
}

fn assert_dead(device: &Device, pairs: &[Tokens]) {
    for pair in pairs {
        let refused = device.get("/api/status", Some(&pair.bearer()));
        assert_eq!(refused.status, 401);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert_eq!(device.refresh(&pair.refresh).status, 401);
    }
}

#[test]
fn a_logout_ends_all_that_descends_from_its_login_and_no_other() {
    let device = Device::start();
    let other = device.login();
    let ended = ended(&device);
    assert_dead(&device, &ended);
    assert!(device.accepts(&other.access));
    assert_eq!(device.refresh(&other.refresh).status, 200);
    // A second time is like any other call with a dead token.
    let again = device.request("POST", "/api/logout", Some(&ended[1].bearer()), None);
    assert_eq!(again.status, 401);
}

#[test]
fn a_logout_with_basic_is_a_no_op_that_answers_200() {
    let device = Device::start();
    let pair = device.login();
    let me = basic(USER, PASSWORD);
    for _ in 0..3 {
        logout(&device, &me);
    }
    assert_eq!(device.get("/api/status", Some(&me)).status, 200);
    assert!(device.accepts(&pair.access));
}

#[test]
fn a_logout_survives_a_restart() {
    let mut device = Device::start();
    let other = device.login();
    let ended = ended(&device);
    device.restart();
    assert_dead(&device, &ended);
    assert!(device.accepts(&other.access));
}

#[test]
fn a_logout_that_was_answered_survives_a_pulled_plug() {
    let device = Device::start();
    let other = device.login();
    let ended = ended(&device);
    let after = device.copy_after_power_cut(TODAY);
    assert_dead(&after, &ended);
    assert!(after.accepts(&other.access));
    let mut after = after.copy_after_power_cut(NEW_YEAR_1970);
    assert_dead(&after, &ended);
    assert!(after.accepts(&other.access));
    // The network tells the time at last, and then it is turned back again.
    after.time.set_system(TODAY);
    assert_dead(&after, &ended);
    after.time.set_system(NEW_YEAR_1970);
    after.restart();
    assert_dead(&after, &ended);
}

#[test]
fn many_logouts_at_once_are_all_there_after_a_pulled_plug() {
    let device = Device::start();
    let pairs: Vec<_> = (0..24).map(|_| device.login()).collect();
    let requests: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let bearer = pair.bearer();
            let headers = [("Authorization", bearer.as_str())];
            crate::client::request_text("POST", "/api/logout", &headers, "")
        })
        .collect();
    assert_eq!(count(&at_once(&device, &requests), 200), 24);
    assert_dead(&device.copy_after_power_cut(TODAY), &pairs);
}

#[test]
fn what_has_expired_stays_expired_in_1970() {
    let mut device = Device::with(&[("JWT_EXPIRE_DURATION", "1h")]);
    let pair = device.login();
    device.advance(3600);
    assert!(!device.accepts(&pair.access));
    device.stop();
    device.time.set_system(NEW_YEAR_1970);
    device.boot();
    assert!(!device.accepts(&pair.access));
    // The clock goes on from there.
    let fresh = device.login();
    assert!(device.accepts(&fresh.access));
    device.advance(3600);
    assert!(!device.accepts(&fresh.access));
    // And in 1970 a week is a week.
    assert_eq!(device.refresh(&pair.refresh).status, 200);
    device.advance(7 * 86_400);
    assert_eq!(device.refresh(&fresh.refresh).status, 401);
}

#[test]
fn what_the_journal_saw_expire_stays_expired_after_a_pulled_plug_too() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "1h")]);
    let pair = device.login();
    device.advance(3600 + 600);
    // The housekeeper's mark, each ten minutes.
    device.server().api().journal.tick();
    let after = device.copy_after_power_cut(NEW_YEAR_1970);
    assert!(!after.accepts(&pair.access));
    let status = after.get("/api/status", Some(&after.login().bearer()));
    assert_eq!(status.json()["clock"]["state"], "behind");
}

#[test]
fn a_wild_leap_of_the_clock_forgets_no_logout() {
    let device = Device::start();
    let ended = ended(&device);
    // A bad NTP answer, ten years ahead, and the housekeeper comes by.
    device
        .time
        .set_system(Timestamp::from_secs(TODAY.as_secs() + 3650 * 86_400));
    device.server().api().auth.tick();
    device.server().api().journal.tick();
    device.time.set_system(TODAY);
    assert_dead(&device, &ended);
    assert_dead(&device.copy_after_power_cut(TODAY), &ended);
}

#[test]
fn a_logout_is_remembered_for_as_long_as_any_of_its_tokens_could_live() {
    let mut device = Device::with(&[("JWT_EXPIRE_DURATION", "30d")]);
    let first = device.login();
    let second = Tokens::of(&device.refresh(&first.refresh));
    device.advance(86_400);
    logout(&device, &second.bearer());
    for day in 2..30 {
        device.advance(86_400);
        device.server().api().auth.tick();
        if day % 9 == 0 {
            device.restart();
        }
        assert!(!device.accepts(&first.access), "day {day}");
        assert!(!device.accepts(&second.access), "day {day}");
    }
}

#[test]
fn a_logout_is_remembered_though_lifetimes_are_made_shorter_and_longer_again() {
    let mut device = Device::with(&[("JWT_EXPIRE_DURATION", "30d")]);
    let first = device.login();
    device.set("JWT_EXPIRE_DURATION", "8h");
    device.restart();
    let second = Tokens::of(&device.refresh(&first.refresh));
    logout(&device, &second.bearer());
    for _ in 0..8 {
        device.advance(86_400);
        device.server().api().auth.tick();
    }
    device.set("JWT_EXPIRE_DURATION", "30d");
    device.restart();
    assert!(!device.accepts(&first.access));
}

#[test]
fn a_journal_that_was_removed_is_written_anew_before_a_logout_is_answered() {
    let device = Device::start();
    let login = device.login();
    std::fs::remove_file(device.state("journal")).expect("removed");
    logout(&device, &login.bearer());
    assert_dead(&device.copy_after_power_cut(TODAY), &[login]);
}

#[test]
fn without_its_journal_a_device_takes_no_old_token() {
    let mut device = Device::start();
    let login = device.login();
    device.stop();
    std::fs::remove_file(device.state("journal")).expect("removed");
    device.boot();
    assert!(!device.accepts(&login.access));
}

#[test]
fn a_request_that_began_before_the_logout_does_nothing_after_it() {
    let device = Device::start();
    let login = device.login();
    let mut slow = device.connect();
    slow.send(format!(
        "GET /api/ws-token HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        login.bearer()
    ));
    // The head has been looked at, and the token was good.
    assert_eq!(slow.response_to("GET").status, 100);
    logout(&device, &login.bearer());
    slow.send("{}");
    assert_eq!(slow.response_to("GET").status, 401);
}

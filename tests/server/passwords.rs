//! How the password changes, what dies with the old one, and where the first one comes from.

use std::os::unix::fs::PermissionsExt;
use std::thread;

use serde_json::json;

use crate::client::{Response, request_text};
use crate::device::{Device, PASSWORD, TODAY, Tokens, USER, basic};
use crate::forge::{at_once, count};

const NEW: &str = "a wholly new one";

fn with_basic(device: &Device, password: &str) -> u16 {
    let me = basic(USER, password);
    device.get("/api/security/rate-limits", Some(&me)).status
}

/// Changes it with a token of a login of its own.
fn change(device: &Device, current: &str, new: &str) -> Response {
    device.change_password(&device.login().bearer(), current, new)
}

#[test]
fn each_rule_refuses_with_a_sentence_of_its_own() {
    let device = Device::start();
    let me = device.login().bearer();
    let long = "x1".repeat(37);
    let wide = "\u{e9}".repeat(37);
    for (new, sentence) in [
        (
            "seven77",
            "the password is too short: it needs at least 8 characters",
        ),
        (
            "",
            "the password is too short: it needs at least 8 characters",
        ),
        (
            "\u{e9}\u{e9}\u{e9}\u{e9}",
            "the password is too short: it needs at least 8 characters",
        ),
        (
            &long[..73],
            "the password is too long: bcrypt reads no more than 72 bytes",
        ),
        (
            &wide,
            "the password is too long: bcrypt reads no more than 72 bytes",
        ),
        (PASSWORD, "the new password is the current one"),
        (
            "password",
            "the password is one of the first that anybody would guess",
        ),
        (
            "PassWord123",
            "the password is one of the first that anybody would guess",
        ),
        (
            "12345678",
            "the password is one of the first that anybody would guess",
        ),
        (
            "nul\0inside it",
            "the password must not contain a NUL character",
        ),
    ] {
        let response = device.change_password(&me, PASSWORD, new);
        assert_eq!(response.status, 400, "{new}");
        assert_eq!(response.detail(), sentence);
    }
    // None of that was a failed attempt, nor a change.
    assert_eq!(
        device.get("/api/security/rate-limits", Some(&me)).json()["data"],
        json!([])
    );
    assert_eq!(with_basic(&device, PASSWORD), 200);
    // Just long enough, and just short enough.
    assert_eq!(change(&device, PASSWORD, "eight  8").status, 200);
    let again = Tokens::of(&device.login_with("eight  8")).bearer();
    assert_eq!(
        device
            .change_password(&again, "eight  8", &long[..72])
            .status,
        200
    );
    assert_eq!(with_basic(&device, &long[..72]), 200);
    assert_eq!(with_basic(&device, &long[..73]), 401);
}

#[test]
fn the_users_name_is_no_password() {
    let device = Device::with(&[("BASIC_AUTH_USERNAME", "caretaker")]);
    let me = basic("caretaker", PASSWORD);
    for new in ["caretaker", "CareTaker"] {
        let response = device.change_password(&me, PASSWORD, new);
        assert_eq!(response.status, 400);
        assert_eq!(response.detail(), "the password is the user's name");
    }
}

#[test]
fn a_wrong_current_password_is_400_and_counts() {
    let device = Device::start();
    let me = device.login().bearer();
    for _ in 0..5 {
        let response = device.change_password(&me, "wrong", NEW);
        assert_eq!(response.status, 400);
        assert_eq!(response.detail(), "'current_password' is wrong");
    }
    let locked = device.change_password(&me, PASSWORD, NEW);
    assert_eq!(locked.status, 429);
    assert_eq!(locked.header("retry-after"), Some("300"));
    device.advance(300);
    assert_eq!(device.change_password(&me, PASSWORD, NEW).status, 200);
}

#[test]
fn a_change_ends_every_other_token_and_the_old_password_at_once() {
    let mut device = Device::start();
    let (mine, other) = (device.login(), device.login());
    let next = Tokens::of(&device.refresh(&other.refresh));
    // Recognised without bcrypt from here on.
    assert_eq!(with_basic(&device, PASSWORD), 200);
    let runs = device.server().api().auth.bcrypt_runs();
    assert_eq!(with_basic(&device, PASSWORD), 200);
    assert_eq!(device.server().api().auth.bcrypt_runs(), runs);

    let changed = device.change_password(&mine.bearer(), PASSWORD, NEW);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let after = device.copy_after_power_cut(TODAY);
    let check = |device: &Device| {
        assert_eq!(with_basic(device, PASSWORD), 401);
        assert_eq!(with_basic(device, NEW), 200);
        assert_eq!(device.login_with(PASSWORD).status, 401);
        assert_eq!(device.login_with(NEW).status, 200);
        assert!(device.accepts(&mine.access));
        for dead in [&mine, &other, &next] {
            assert_eq!(device.refresh(&dead.refresh).status, 401);
        }
        assert!(!device.accepts(&other.access) && !device.accepts(&next.access));
    };
    check(&device);
    check(&after);
    device.restart();
    check(&device);
    // The token that was spared can still be logged out.
    let out = device.request("POST", "/api/logout", Some(&mine.bearer()), None);
    assert_eq!(out.status, 200);
    assert!(!device.accepts(&mine.access));
    device.restart();
    assert!(!device.accepts(&mine.access));
}

#[test]
fn a_change_with_basic_spares_no_token() {
    let device = Device::start();
    let pair = device.login();
    let changed = device.change_password(&basic(USER, PASSWORD), PASSWORD, NEW);
    assert_eq!(changed.status, 200);
    assert!(!device.accepts(&pair.access));
    assert_eq!(with_basic(&device, PASSWORD), 401);
    assert_eq!(with_basic(&device, NEW), 200);
}

#[test]
fn a_ticket_from_before_a_change_opens_no_stream() {
    let device = Device::start();
    let (mine, other) = (device.login(), device.login());
    let ticket = device.get("/api/ws-token", Some(&other.bearer())).json();
    let ticket = ticket["token"].as_str().expect("a ticket").to_owned();
    assert_eq!(
        device.change_password(&mine.bearer(), PASSWORD, NEW).status,
        200
    );
    let response = device.get(&format!("/api/ws/logs?token={ticket}"), None);
    assert_eq!(response.status, 401);
    assert_eq!(response.detail(), "invalid or expired token");
}

#[test]
fn of_many_changes_at_once_one_wins() {
    let device = Device::with(&[("MAX_LOGIN_ATTEMPTS", "100")]);
    let new = |n: usize| format!("{NEW}, number {n}");
    // One token for all of them: the first change spares it, so that it does not stop the others.
    let token = device.login().bearer();
    let requests: Vec<_> = (0..8)
        .map(|n| {
            let body = json!({"current_password": PASSWORD, "new_password": new(n)});
            let headers = [("Authorization", token.as_str())];
            request_text("POST", "/api/change-password", &headers, &body.to_string())
        })
        .collect();
    let answers = at_once(&device, &requests);
    assert_eq!(count(&answers, 200), 1);
    assert_eq!(with_basic(&device, PASSWORD), 401);
    for (n, answer) in answers.iter().enumerate() {
        let works = with_basic(&device, &new(n));
        assert_eq!(works, if answer.status == 200 { 200 } else { 401 });
    }
}

#[test]
fn logins_under_way_slip_no_token_past_a_change() {
    for _ in 0..4 {
        let device = Device::start();
        let me = device.login().bearer();
        let answers: Vec<Response> = thread::scope(|scope| {
            let logins: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| device.login_with(PASSWORD)))
                .collect();
            assert_eq!(device.change_password(&me, PASSWORD, NEW).status, 200);
            logins
                .into_iter()
                .map(|login| login.join().expect("an answer"))
                .collect()
        });
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            let pair = Tokens::of(answer);
            assert!(!device.accepts(&pair.access));
            assert_eq!(device.refresh(&pair.refresh).status, 401);
        }
    }
}

#[test]
fn a_generated_password_is_in_its_file_until_it_is_changed() {
    let mut device = Device::with(&[("BASIC_AUTH_PASSWORD", "")]);
    let file = device.state("initial-password");
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let password = std::fs::read_to_string(&file).expect("the file");
    let password = password.trim_end();
    assert!(device.server().banner().contains(password), "printed once");
    assert_eq!(with_basic(&device, password), 200);

    device.restart();
    assert!(!device.server().banner().contains(password));
    assert!(file.exists());
    assert_eq!(with_basic(&device, password), 200);
    assert_eq!(
        with_basic(&device.copy_after_power_cut(TODAY), password),
        200
    );

    let pair = Tokens::of(&device.login_with(password));
    assert_eq!(
        device.change_password(&pair.bearer(), password, NEW).status,
        200
    );
    assert!(!file.exists());
    device.restart();
    assert!(!file.exists());
    assert_eq!(with_basic(&device, password), 401);
    assert_eq!(with_basic(&device, NEW), 200);
}

#[test]
fn the_state_folder_is_its_owners_alone() {
    let device = Device::with(&[("BASIC_AUTH_PASSWORD", "")]);
    let mode = |path| {
        std::fs::metadata(path)
            .expect("metadata")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(device.state("")), 0o700);
    for entry in std::fs::read_dir(device.state("")).expect("the folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
    }
}

#[test]
fn the_configured_password_matters_until_one_is_chosen() {
    let mut device = Device::start();
    let before = device.login();
    device.set("BASIC_AUTH_PASSWORD", "one from the integrator");
    device.restart();
    assert_eq!(with_basic(&device, "one from the integrator"), 200);
    assert_eq!(with_basic(&device, PASSWORD), 401);
    assert!(!device.accepts(&before.access));

    let pair = Tokens::of(&device.login_with("one from the integrator"));
    let changed = device.change_password(&pair.bearer(), "one from the integrator", NEW);
    assert_eq!(changed.status, 200);
    for later in ["one from the integrator", PASSWORD, "", "password"] {
        device.set("BASIC_AUTH_PASSWORD", later);
        device.restart();
        assert_eq!(with_basic(&device, NEW), 200, "{later}");
        assert_eq!(device.login_with("one from the integrator").status, 401);
        device
            .server()
            .api()
            .auth
            .clear_lockout("127.0.0.1".parse().expect("an address"))
            .expect("cleared");
    }
}

#[test]
fn a_left_over_initial_password_that_cannot_be_removed_does_not_stop_the_start() {
    let mut device = Device::start();
    let login = device.login();
    let changed = device.change_password(&login.bearer(), PASSWORD, "another one altogether");
    assert_eq!(changed.status, 200);
    device.stop();
    // No file's removal removes a folder.
    std::fs::create_dir(device.state("initial-password")).expect("made");
    device.boot();
    assert_eq!(device.login_with("another one altogether").status, 200);
}

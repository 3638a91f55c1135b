//! The limit of failed attempts: exact, true to the second, and not to be dodged.

use std::net::Ipv4Addr;

use rustls::pki_types::ServerName;
use serde_json::{Value, json};

use crate::client::{Client, Response, request_text, tcp_from, tls_config};
use crate::device::{Device, PASSWORD, TODAY, USER, basic};
use crate::forge::{at_once, count};

fn try_basic(device: &Device, password: &str) -> Response {
    let me = basic(USER, password);
    device.get("/api/security/rate-limits", Some(&me))
}

fn fail(device: &Device, times: usize) {
    for _ in 0..times {
        assert_eq!(try_basic(device, "wrong").status, 401);
    }
}

fn assert_locked(response: &Response, seconds: &str) {
    assert_eq!(response.status, 429, "{}", response.text());
    assert_eq!(response.header("retry-after"), Some(seconds));
    assert!(response.detail().contains("too many failed attempts"));
}

fn rows(device: &Device, token: &str) -> Value {
    let answer = device.get("/api/security/rate-limits", Some(token));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].clone()
}

#[test]
fn five_wrong_passwords_lock_every_password_out_but_no_token() {
    let device = Device::start();
    let pair = device.login();
    let me = pair.bearer();
    // Of each kind that counts.
    fail(&device, 2);
    assert_eq!(device.login_with("wrong").status, 401);
    let unknown = json!({"username": "root", "password": PASSWORD});
    assert_eq!(device.post("/api/auth/login", None, &unknown).status, 401);
    assert_eq!(
        device
            .change_password(&me, "wrong", "a wholly new one")
            .status,
        400
    );

    let runs = device.server().api().auth.bcrypt_runs();
    assert_locked(&try_basic(&device, "wrong"), "300");
    assert_locked(&try_basic(&device, PASSWORD), "300");
    assert_locked(&device.login_with(PASSWORD), "300");
    assert_locked(
        &device.change_password(&me, PASSWORD, "a wholly new one"),
        "300",
    );
    assert_eq!(
        device.server().api().auth.bcrypt_runs(),
        runs,
        "bcrypt is not run"
    );

    assert!(device.accepts(&pair.access));
    assert_eq!(device.refresh(&pair.refresh).status, 200);
    assert_eq!(
        rows(&device, &me),
        json!([{"ip": "127.0.0.1", "attempts": 5, "blocked": true, "retry_after": 300}])
    );
}

#[test]
fn retry_after_is_true_to_the_second() {
    let device = Device::start();
    for _ in 0..5 {
        fail(&device, 1);
        device.advance(10);
    }
    // The failures were at 0, 10, 20, 30 and 40; it is 50 now.
    assert_locked(&try_basic(&device, PASSWORD), "250");
    device.advance(249);
    assert_locked(&try_basic(&device, PASSWORD), "1");
    device.advance(1);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
    // Four are still in the window, the oldest for ten seconds.
    fail(&device, 1);
    assert_locked(&try_basic(&device, PASSWORD), "10");
    device.advance(10);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
}

#[test]
fn a_password_recognised_without_bcrypt_is_locked_out_too() {
    let device = Device::start();
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
    fail(&device, 5);
    assert_locked(&try_basic(&device, PASSWORD), "300");
}

#[test]
fn allowance_and_window_are_as_configured() {
    let device = Device::with(&[
        ("MAX_LOGIN_ATTEMPTS", "2"),
        ("RATE_LIMIT_WINDOW_SECONDS", "7"),
    ]);
    fail(&device, 2);
    assert_locked(&try_basic(&device, PASSWORD), "7");
    device.advance(7);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
}

#[test]
fn of_fifty_wrong_passwords_at_once_exactly_five_are_tried() {
    let device = Device::with(&[("MAX_CONNECTIONS_PER_IP", "200")]);
    let runs = device.server().api().auth.bcrypt_runs();
    let requests: Vec<_> = (0..50)
        .map(|n| {
            let guess = format!("guess number {n}");
            if n % 2 == 0 {
                let me = basic(USER, &guess);
                request_text("GET", "/api/status", &[("Authorization", &me)], "")
            } else {
                let body = json!({"username": USER, "password": guess}).to_string();
                request_text("POST", "/api/auth/login", &[], &body)
            }
        })
        .collect();
    let answers = at_once(&device, &requests);
    assert_eq!(count(&answers, 401), 5);
    assert_eq!(count(&answers, 429), 45);
    assert_eq!(device.server().api().auth.bcrypt_runs() - runs, 5);
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        assert_locked(answer, "300");
    }
}

#[test]
fn thirty_right_passwords_at_once_on_a_cold_start_share_one_run_of_bcrypt() {
    let mut device = Device::with(&[("BCRYPT_COST", "9"), ("MAX_CONNECTIONS_PER_IP", "200")]);
    let me = basic(USER, PASSWORD);
    let requests: Vec<_> = (0..30)
        .map(|n| {
            if n % 2 == 0 {
                request_text("GET", "/api/status", &[("Authorization", &me)], "")
            } else {
                let body = json!({"username": USER, "password": PASSWORD}).to_string();
                request_text("POST", "/api/auth/login", &[], &body)
            }
        })
        .collect();
    // The first boot has hashed the password; that is no check.
    let runs = device.server().api().auth.bcrypt_runs();
    assert_eq!(count(&at_once(&device, &requests), 200), 30);
    assert_eq!(device.server().api().auth.bcrypt_runs() - runs, 1);
    // A later start compares the configured password in the background: that one run serves everybody.
    device.restart();
    assert_eq!(count(&at_once(&device, &requests), 200), 30);
    assert_eq!(device.server().api().auth.bcrypt_runs(), 1);
}

fn login_text(password: &str) -> String {
    let body = json!({"username": USER, "password": password}).to_string();
    request_text("POST", "/api/auth/login", &[], &body)
}

#[test]
fn a_recognised_credential_waits_behind_nobody_not_even_oneself() {
    // A run of bcrypt takes longer than an answer without one.
    let device = Device::with(&[("BCRYPT_COST", "11")]);
    device.login();
    let mut clients: Vec<Client> = (0..4).map(|_| device.connect()).collect();
    let runs = device.server().api().auth.bcrypt_runs();
    let (mut recognised, mut guessers) = (clients.remove(0), clients);
    for (n, guesser) in guessers.iter_mut().enumerate() {
        guesser.send(login_text(&format!("guess number {n}")));
    }
    let answer = recognised.raw(login_text(PASSWORD));
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Nor does what is no credential at all.
    let nothing = request_text("POST", "/api/auth/login", &[], "{}");
    assert_eq!(recognised.raw(&nothing).status, 400);
    assert!(device.server().api().auth.bcrypt_runs() - runs < 3);
    for guesser in &mut guessers {
        assert_eq!(guesser.response_to("POST").status, 401);
    }
    // The lock-out comes first, all the same.
    fail(&device, 2);
    assert_locked(&recognised.raw(login_text(PASSWORD)), "300");
}

#[test]
fn a_proven_address_is_served_before_a_crowd_of_guessers_and_never_refused() {
    let device = Device::with(&[
        ("BCRYPT_COST", "8"),
        ("MAX_CONNECTIONS", "256"),
        ("MAX_CONNECTIONS_PER_IP", "200"),
    ]);
    device.login();
    let mut owner = device.connect();
    let config = tls_config(&device.state("tls-cert.pem"));
    let mut guessers: Vec<Client> = (0..160)
        .map(|n: u8| {
            let from = Ipv4Addr::new(127, 0, 1, n % 40);
            let socket = tcp_from(from, device.address());
            let name = ServerName::from(device.address().ip());
            Client::over(socket, config.clone(), name).expect("TLS")
        })
        .collect();
    let runs = device.server().api().auth.bcrypt_runs();
    for (n, guesser) in guessers.iter_mut().enumerate() {
        guesser.send(login_text(&format!("guess number {n}")));
    }
    // A password that only bcrypt can refuse. 128 may wait; who has no place is told so.
    assert_eq!(owner.raw(login_text("not this one")).status, 401);
    assert!(device.server().api().auth.bcrypt_runs() - runs < 100);
    let answers: Vec<u16> = (guessers.iter_mut())
        .map(|guesser| guesser.response_to("POST").status)
        .collect();
    let all_told = answers.iter().all(|status| [401, 503].contains(status));
    assert!(all_told && answers.contains(&401), "{answers:?}");
}

#[test]
fn what_is_no_credential_and_a_bad_bearer_token_are_no_attempts() {
    let device = Device::start();
    let me = device.login().bearer();
    for _ in 0..4 {
        for bad in [
            "Bearer a.b.c",
            "Bearer",
            "Basic",
            "Basic !!",
            "Basic bm9jb2xvbg==",
            "Digest x",
        ] {
            assert_eq!(device.get("/api/status", Some(bad)).status, 401);
        }
        assert_eq!(device.refresh("a.b.c").status, 401);
        assert_eq!(
            device
                .post("/api/auth/login", None, &json!({"username": USER}))
                .status,
            400
        );
        assert_eq!(device.get("/api/ws/logs?token=x", None).status, 401);
    }
    assert_eq!(rows(&device, &me), json!([]));
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
}

#[test]
fn a_success_forgives_no_failures() {
    let device = Device::start();
    fail(&device, 4);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
    fail(&device, 1);
    assert_locked(&try_basic(&device, PASSWORD), "300");
}

#[test]
fn an_administrator_lists_and_clears_addresses() {
    let device = Device::start();
    let me = device.login().bearer();
    let clear = |ip: &str| {
        let path = format!("/api/security/rate-limits/{ip}");
        device.request("DELETE", &path, Some(&me), None)
    };
    assert_eq!(clear("127.0.0.1").status, 404);
    fail(&device, 2);
    assert_eq!(
        rows(&device, &me),
        json!([{"ip": "127.0.0.1", "attempts": 2, "blocked": false, "retry_after": 0}])
    );
    fail(&device, 3);
    assert_eq!(try_basic(&device, PASSWORD).status, 429);
    assert_eq!(clear("192.0.2.1").status, 404);
    assert_eq!(clear("somewhere").status, 400);
    let cleared = clear("127.0.0.1");
    assert_eq!(cleared.status, 200);
    assert_eq!(cleared.json()["status"], "success");
    assert_eq!(rows(&device, &me), json!([]));
    assert_eq!(clear("127.0.0.1").status, 404);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
    // Cleared means cleared, also after a power cut.
    assert_eq!(
        try_basic(&device.copy_after_power_cut(TODAY), PASSWORD).status,
        200
    );
    // And the count begins anew.
    fail(&device, 5);
    assert_locked(&try_basic(&device, PASSWORD), "300");
}

#[test]
fn a_lock_out_outlives_restarts_and_power_cuts() {
    let mut device = Device::start();
    let pair = device.login();
    fail(&device, 5);
    let cut = device.copy_after_power_cut(TODAY);
    assert_locked(&try_basic(&cut, PASSWORD), "300");
    assert!(cut.accepts(&pair.access));
    // Nor is a clock that starts in 1970 a way out, or a way to be locked out for half a century.
    let in_1970 = device.copy_after_power_cut(postern::clock::Timestamp::from_secs(5));
    let locked = try_basic(&in_1970, PASSWORD);
    assert_eq!(locked.status, 429);
    in_1970.advance(300);
    assert_eq!(try_basic(&in_1970, PASSWORD).status, 200);

    device.advance(100);
    device.restart();
    assert_locked(&try_basic(&device, PASSWORD), "200");
    device.advance(199);
    assert_locked(&device.login_with(PASSWORD), "1");
    device.advance(1);
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
    device.restart();
    assert_eq!(try_basic(&device, PASSWORD).status, 200);
}

#[test]
fn a_forged_x_forwarded_for_dodges_nothing() {
    let device = Device::start();
    let mut client = device.connect();
    let mut try_from = |from: &str, password: &str| {
        let me = basic(USER, password);
        let headers = [("Authorization", me.as_str()), ("X-Forwarded-For", from)];
        client.ask("GET", "/api/status", &headers, "").status
    };
    for n in 0..5 {
        assert_eq!(try_from(&format!("10.0.0.{n}"), "wrong"), 401);
    }
    assert_eq!(try_from("192.168.1.1", PASSWORD), 429);
    assert_eq!(try_from("127.0.0.1", PASSWORD), 429);
}

#[test]
fn a_trusted_proxy_is_believed_from_the_right() {
    let device = Device::with(&[("TRUSTED_PROXIES", "127.0.0.1/32, 10.1.0.0/16")]);
    let me = device.login().bearer();
    let mut client = device.connect();
    let mut try_from = |from: &[&str], password: &str| {
        let me = basic(USER, password);
        let mut headers = vec![("Authorization", me.as_str())];
        headers.extend(from.iter().map(|from| ("X-Forwarded-For", *from)));
        client.ask("GET", "/api/status", &headers, "").status
    };
    // What a guesser puts on the left is his own invention.
    for n in 0..5 {
        assert_eq!(
            try_from(&[&format!("198.51.100.{n}, 203.0.113.7")], "wrong"),
            401
        );
    }
    assert_eq!(try_from(&["203.0.113.7"], PASSWORD), 429);
    assert_eq!(try_from(&["127.0.0.1, 203.0.113.7"], PASSWORD), 429);
    // Two fields are one list, and a second trusted hop vouches for the one before it.
    assert_eq!(try_from(&["198.51.100.9", "203.0.113.7"], PASSWORD), 429);
    assert_eq!(try_from(&["203.0.113.7, 10.1.2.3"], PASSWORD), 429);
    assert_eq!(try_from(&["203.0.113.7, 198.51.100.9"], PASSWORD), 200);
    assert_eq!(try_from(&[], PASSWORD), 200);
    assert_eq!(
        rows(&device, &me),
        json!([{"ip": "203.0.113.7", "attempts": 5, "blocked": true, "retry_after": 300}])
    );
    let path = "/api/security/rate-limits/203.0.113.7";
    assert_eq!(device.request("DELETE", path, Some(&me), None).status, 200);
    assert_eq!(try_from(&["203.0.113.7"], PASSWORD), 200);
}

#[test]
fn mapped_addresses_are_counted_as_ipv4() {
    let device = Device::with(&[("TRUSTED_PROXIES", "127.0.0.1/32")]);
    let mut client = device.connect();
    let mut try_from = |from: &str, password: &str| {
        let me = basic(USER, password);
        let headers = [("Authorization", me.as_str()), ("X-Forwarded-For", from)];
        client.ask("GET", "/api/status", &headers, "").status
    };
    for _ in 0..5 {
        assert_eq!(try_from("::ffff:203.0.113.9", "wrong"), 401);
    }
    assert_eq!(try_from("203.0.113.9", PASSWORD), 429);
}

//! The limit of requests: before everything else, for everybody but the local socket.

use crate::device::{Device, PASSWORD, USER, basic};

fn device() -> Device {
    Device::with(&[("RATE_LIMIT_BURST", "5"), ("RATE_LIMIT_RPS", "1")])
}

fn assert_refused(device: &Device, path: &str, authorization: Option<&str>, wait: &str) {
    let response = device.get(path, authorization);
    assert_eq!(response.status, 429, "{path}");
    assert_eq!(response.header("retry-after"), Some(wait));
    assert!(response.detail().contains("too many requests"));
}

#[test]
fn a_burst_is_served_and_the_next_request_is_429_on_any_path() {
    let device = device();
    let token = device.login().bearer();
    for _ in 0..4 {
        assert_eq!(device.get("/health", None).status, 200);
    }
    for path in [
        "/health",
        "/api/health",
        "/readyz",
        "/api/status",
        "/nothing",
    ] {
        assert_refused(&device, path, None, "1");
        assert_refused(&device, path, Some(&token), "1");
    }
    assert_eq!(device.login_with(PASSWORD).status, 429);
    let preflight = [
        ("Origin", "https://a.example"),
        ("Access-Control-Request-Method", "GET"),
    ];
    assert_eq!(
        device
            .connect()
            .ask("OPTIONS", "/health", &preflight, "")
            .status,
        429
    );
}

#[test]
fn a_refused_password_is_not_tried() {
    let device = device();
    for _ in 0..5 {
        assert_eq!(device.get("/health", None).status, 200);
    }
    let runs = device.server().api().auth.bcrypt_runs();
    for _ in 0..10 {
        assert_eq!(
            device
                .get("/api/status", Some(&basic(USER, "wrong")))
                .status,
            429
        );
    }
    assert_eq!(device.server().api().auth.bcrypt_runs(), runs);
    device.advance(5);
    assert_eq!(
        device
            .get("/api/status", Some(&basic(USER, PASSWORD)))
            .status,
        200
    );
}

#[test]
fn the_bucket_fills_again_at_its_rate_and_no_higher() {
    let device = device();
    let drain = |expected: usize| {
        let mut client = device.connect();
        let served = (0..10).filter(|_| client.request("GET", "/health", None, None).status == 200);
        assert_eq!(served.count(), expected);
    };
    drain(5);
    device.advance(1);
    drain(1);
    device.advance(3);
    drain(3);
    device.advance(86_400);
    drain(5);
}

#[test]
fn malformed_requests_are_charged_too() {
    let device = device();
    for _ in 0..5 {
        assert_eq!(device.connect().raw("GET / HTTP/1.1\r\n\r\n").status, 400);
    }
    assert_refused(&device, "/health", None, "1");
}

#[test]
fn the_local_socket_is_exempt() {
    let device = device();
    for _ in 0..20 {
        assert_eq!(device.ask_locally("GET", "/api/status").0, 200);
    }
    for _ in 0..5 {
        assert_eq!(device.get("/health", None).status, 200);
    }
    assert_refused(&device, "/health", None, "1");
    assert_eq!(device.ask_locally("GET", "/health").0, 200);
}

#[test]
fn a_forged_address_gives_nobody_a_fresh_bucket() {
    let device = device();
    let mut client = device.connect();
    for n in 0..10 {
        let from = format!("203.0.113.{n}");
        let response = client.ask("GET", "/health", &[("X-Forwarded-For", &from)], "");
        assert_eq!(response.status, if n < 5 { 200 } else { 429 });
    }
}

#[test]
fn each_client_of_a_trusted_proxy_has_a_bucket_of_its_own() {
    let device = Device::with(&[
        ("RATE_LIMIT_BURST", "5"),
        ("RATE_LIMIT_RPS", "1"),
        ("TRUSTED_PROXIES", "127.0.0.1/32"),
    ]);
    let mut client = device.connect();
    for n in 0..20 {
        let from = format!("203.0.113.{}", n / 5);
        let response = client.ask("GET", "/health", &[("X-Forwarded-For", &from)], "");
        assert_eq!(response.status, 200);
    }
    let again = client.ask("GET", "/health", &[("X-Forwarded-For", "203.0.113.0")], "");
    assert_eq!(again.status, 429);
}

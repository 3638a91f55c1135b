//! All hosts of a LAN share one IPv6 /64: what one of them does in its own name costs no other anything, and who takes many
//! addresses meets the account of the network, which nobody who is proven is held to.

use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, USER, basic, bearer};

const OWNER: &str = "2001:db8:1:2::1";
const NEIGHBOUR: &str = "2001:db8:1:2::2";

/// A device behind a proxy on this machine, so that the tests may come from any address.
fn device(variables: &[(&str, &str)]) -> Device {
    Device::with(&[&[("TRUSTED_PROXIES", "127.0.0.1/32")], variables].concat())
}

fn ask(device: &Device, from: &str, path: &str, authorization: &str) -> u16 {
    let headers = [("Authorization", authorization), ("X-Forwarded-For", from)];
    let mut client = device.connect();
    client.ask("GET", path, &headers, "").status
}

fn try_from(device: &Device, from: &str, password: &str) -> u16 {
    ask(device, from, "/api/status", &basic(USER, password))
}

/// One of the neighbour's other addresses.
fn another(n: usize) -> String {
    format!("2001:db8:1:2:bad::{n:x}")
}

fn rows(device: &Device) -> Value {
    let (status, body) = device.ask_locally("GET", "/api/security/rate-limits");
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body["data"].clone()
}

/// Five wrong passwords for each of ten addresses, which is what strangers of a network have together.
fn flood(device: &Device) {
    for n in 0..50 {
        assert_eq!(try_from(device, &another(n / 5), "wrong"), 401, "{n}");
    }
    assert_eq!(try_from(device, &another(99), PASSWORD), 429);
}

#[test]
fn a_neighbours_wrong_passwords_lock_out_only_himself() {
    let device = device(&[]);
    for _ in 0..5 {
        assert_eq!(try_from(&device, NEIGHBOUR, "wrong"), 401);
    }
    assert_eq!(try_from(&device, NEIGHBOUR, PASSWORD), 429);
    // Not even before a first success.
    assert_eq!(try_from(&device, OWNER, PASSWORD), 200);
    let network = "2001:db8:1:2::/64";
    assert_eq!(
        rows(&device),
        json!([
            {"ip": NEIGHBOUR, "attempts": 5, "blocked": true, "retry_after": 300},
            {"ip": network, "attempts": 5, "blocked": false, "retry_after": 0},
        ])
    );
    let clear = |path: &str| device.ask_locally("DELETE", path).0;
    // An address stands for itself alone; the network's account has a name of its own.
    let base = "/api/security/rate-limits";
    assert_eq!(clear(&format!("{base}/{OWNER}")), 404);
    assert_eq!(clear(&format!("{base}/{NEIGHBOUR}")), 200);
    assert_eq!(try_from(&device, NEIGHBOUR, PASSWORD), 200);
    assert_eq!(clear(&format!("{base}/2001:db8:1:2::%2F64")), 200);
    assert_eq!(rows(&device), json!([]));
    assert_eq!(clear(&format!("{base}/2001:db8:1:2::/64")), 404);
    for bad in ["192.0.2.1/64", "2001:db8::/48", "2001:db8::1%25eth0"] {
        assert_ne!(clear(&format!("{base}/{bad}")), 200, "{bad}");
    }
    assert_eq!(
        clear(&format!("{base}/fe80::1%25eth0")),
        404,
        "is an address"
    );
    assert_eq!(clear(&format!("{base}/fe80::1%25eth0%25")), 400);
}

#[test]
fn a_neighbours_requests_empty_only_his_own_bucket() {
    let device = device(&[("RATE_LIMIT_BURST", "5"), ("RATE_LIMIT_RPS", "1")]);
    let health = |from: &str| ask(&device, from, "/health", "");
    for _ in 0..5 {
        assert_eq!(health(NEIGHBOUR), 200);
    }
    assert_eq!(health(NEIGHBOUR), 429);
    assert_eq!(health(OWNER), 200);
    // With many addresses he has what ten strangers have, and that is that.
    let granted = (0..100).filter(|n| health(&another(*n)) == 200);
    assert_eq!(granted.count(), 50 - 6);
    assert_eq!(health(OWNER), 429);
    assert_eq!(health("2001:db8:1:3::1"), 200);
}

#[test]
fn a_proven_address_is_held_to_its_own_bucket_alone() {
    let device = device(&[("RATE_LIMIT_BURST", "5"), ("RATE_LIMIT_RPS", "1")]);
    let health = |device: &Device, from: &str| ask(device, from, "/health", "");
    assert_eq!(try_from(&device, OWNER, PASSWORD), 200);
    let flood = |device: &Device| {
        for n in 0..60 {
            let _ = health(device, &another(n));
        }
        assert_eq!(health(device, &another(99)), 429);
    };
    flood(&device);
    for _ in 0..4 {
        assert_eq!(health(&device, OWNER), 200);
    }
    assert_eq!(health(&device, OWNER), 429, "his own he meets");
    let mut device = device;
    device.restart();
    flood(&device);
    assert_eq!(health(&device, OWNER), 200);
}

#[test]
fn who_guesses_from_many_addresses_locks_out_strangers_only() {
    let mut device = device(&[("RATE_LIMIT_BURST", "1000")]);
    let pair = device.login();
    // A token is as good a proof as a password.
    assert_eq!(ask(&device, OWNER, "/api/me", &pair.bearer()), 404);
    flood(&device);
    assert_eq!(try_from(&device, OWNER, PASSWORD), 200);
    device.restart();
    assert_eq!(try_from(&device, OWNER, PASSWORD), 200);
    assert_eq!(try_from(&device, &another(100), PASSWORD), 429);
    // His own mistakes still count.
    for _ in 0..5 {
        assert_eq!(try_from(&device, OWNER, "wrong"), 401);
    }
    assert_eq!(try_from(&device, OWNER, PASSWORD), 429);
    // A day after his last success he is a stranger, too.
    device.advance(24 * 60 * 60);
    flood(&device);
    assert_eq!(try_from(&device, OWNER, PASSWORD), 429);
}

#[test]
fn a_bad_token_proves_nothing() {
    let device = device(&[("RATE_LIMIT_BURST", "1000")]);
    let pair = device.login();
    let logout = device.request("POST", "/api/logout", Some(&pair.bearer()), None);
    assert_eq!(logout.status, 200);
    for bad in [pair.bearer(), bearer("a.b.c"), basic(USER, "wrong")] {
        assert_eq!(ask(&device, OWNER, "/api/status", &bad), 401);
    }
    for n in 0..49 {
        assert_eq!(try_from(&device, &another(n), "wrong"), 401);
    }
    assert_eq!(try_from(&device, OWNER, PASSWORD), 429);
}

#[test]
fn the_audit_log_names_the_whole_address_and_the_network_that_was_locked_out() {
    let device = device(&[]);
    flood(&device);
    let failures = device.audited("failure");
    assert_eq!(failures[0]["address"], "2001:db8:1:2:bad::");
    let lock_outs = device.audited("lock_out");
    assert_eq!(lock_outs.len(), 11);
    assert_eq!(lock_outs[0]["address"], "2001:db8:1:2:bad::");
    assert_eq!(lock_outs[0]["seconds"], "300");
    assert_eq!(lock_outs[10]["address"], "2001:db8:1:2:bad::9");
    assert_eq!(lock_outs[10]["network"], "2001:db8:1:2::/64");
}

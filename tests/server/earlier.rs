//! What postern 0.1.0 left in its state folder is in force. `fixtures/0.1.0` is such a folder, and what its clients had.

use std::path::{Path, PathBuf};

use postern::audit::verify;
use postern::clock::Timestamp;
use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, USER, basic};

/// What the clients of 0.1.0 had.
struct Clients(Value);

impl Clients {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().expect("a text")
    }

    fn access(&self, name: &str) -> &str {
        self.0[name]["access_token"].as_str().expect("a token")
    }

    fn refresh(&self, name: &str) -> &str {
        self.0[name]["refresh_token"].as_str().expect("a token")
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/fixtures/0.1.0")
}

/// A device that was upgraded a minute after 0.1.0 was stopped, whatever the date is today.
fn upgraded() -> (Device, Clients) {
    let clients = std::fs::read(fixture().join("clients.json")).expect("read");
    let clients: Value = serde_json::from_slice(&clients).expect("JSON");
    let made = clients["made"].as_u64().expect("seconds");
    let device = Device::on_state(
        &fixture().join("state"),
        &[("TRUSTED_PROXIES", "127.0.0.1")],
        Timestamp::from_secs(made + 60),
    );
    (device, Clients(clients))
}

/// The status of a Basic credential from another address, and its `Retry-After` in seconds.
fn try_from(device: &Device, address: &str, password: &str) -> (u16, Option<u64>) {
    let me = basic(USER, password);
    let headers = [("Authorization", me.as_str()), ("X-Forwarded-For", address)];
    let answer = device.connect().ask("GET", "/api/status", &headers, "");
    let retry_after = answer.header("retry-after");
    (
        answer.status,
        retry_after.map(|seconds| seconds.parse().expect("seconds")),
    )
}

#[test]
fn its_folder_opens_whole_and_the_changed_password_counts() {
    let (device, clients) = upgraded();
    assert!(!device.state("journal.damaged.1").exists());
    let health = device.get("/health", None).json();
    assert_eq!(health["status"], "healthy", "{health}");
    for wrong in [clients.text("old_password"), PASSWORD] {
        assert_eq!(device.login_with(wrong).status, 401, "{wrong}");
    }
    assert_eq!(device.login_with(clients.text("new_password")).status, 200);
    // Its certificate serves on: the client trusts no other.
    let name = "tls-cert.pem";
    let certificate = std::fs::read(fixture().join("state").join(name)).expect("read");
    assert_eq!(
        std::fs::read(device.state(name)).expect("read"),
        certificate
    );
    // Nothing reads the numbers of its log any more.
    assert!(fixture().join("state/log-sequence").exists());
    assert!(!device.state("log-sequence").exists());
}

#[test]
fn its_logouts_and_its_password_change_ended_what_they_ended_and_nothing_else() {
    let (mut device, clients) = upgraded();
    // And so it is after the journal has been written on and read again.
    for _ in 0..2 {
        for live in ["live", "changer"] {
            assert!(device.accepts(clients.access(live)), "{live}");
        }
        for ended in ["logged_out", "before_change"] {
            assert!(!device.accepts(clients.access(ended)), "{ended}");
            let refreshed = device.refresh(clients.refresh(ended));
            assert_eq!(refreshed.status, 401, "{ended}");
        }
        device.restart();
    }
    assert_eq!(device.refresh(clients.refresh("live")).status, 200);
}

#[test]
fn its_used_refresh_token_is_used_up_and_its_second_use_means_theft() {
    let (device, clients) = upgraded();
    assert!(device.accepts(clients.access("live")));
    // The time until this start does not count: nobody waited through it.
    device.advance(60);
    assert_eq!(device.refresh(clients.refresh("used")).status, 401);
    assert!(!device.accepts(clients.access("live")), "of the same login");
    assert!(device.accepts(clients.access("changer")), "of another one");
}

#[test]
fn its_lock_outs_last_for_as_long_as_they_had_left() {
    let (device, clients) = upgraded();
    let password = clients.text("new_password");
    // Of an IPv6 address 0.1.0 locked out the whole /64.
    for locked_out in ["203.0.113.7", "2001:db8:1:2::7", "2001:db8:1:2::8"] {
        let (status, retry_after) = try_from(&device, locked_out, password);
        assert_eq!(status, 429, "{locked_out}");
        let left = retry_after.expect("Retry-After");
        assert!((200..=245).contains(&left), "{locked_out}: {left} s");
    }
    for other in ["203.0.113.8", "2001:db8:1:3::7"] {
        assert_eq!(try_from(&device, other, password).0, 200, "{other}");
    }
    device.advance(250);
    for free in ["203.0.113.7", "2001:db8:1:2::7", "2001:db8:1:2::8"] {
        assert_eq!(try_from(&device, free, password).0, 200, "{free}");
    }
}

#[test]
fn its_audit_log_is_read_and_goes_on() {
    let (mut device, clients) = upgraded();
    let me = format!("Bearer {}", clients.access("live"));
    let entries = device.get("/api/audit-log", Some(&me)).json();
    let entries = entries["data"].as_array().expect("entries");
    let first_new = entries
        .iter()
        .rposition(|entry| entry["event"] == "start")
        .expect("this start");
    let old: Vec<&Value> = entries[..first_new]
        .iter()
        .map(|entry| &entry["event"])
        .collect();
    for event in [
        "start",
        "login",
        "password_change",
        "logout",
        "lock_out",
        "stop",
    ] {
        assert!(old.contains(&&json!(event)), "{event}: {old:?}");
    }
    device.stop();
    let report = verify(&device.state("")).expect("a log");
    assert_eq!(report.problem_count, 0, "{:?}", report.problems);
    assert_eq!(report.first, Some(1));
    assert!(report.entries > entries.len() as u64, "the stop is there");
}

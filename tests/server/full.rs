//! When there is no room to remember another revocation: refused loudly, nothing forgotten, and over by itself.

use postern::journal::{MemoryStorage, Room};
use serde_json::json;

use crate::device::{Device, Tokens, install_own_events};

#[test]
fn a_full_table_of_revocations_refuses_says_so_once_and_recovers_when_entries_expire() {
    install_own_events();
    let device = Device::with(&[("MAX_REVOCATIONS", "100")]);
    let mut tokens = device.login();
    let first = tokens.clone();
    let others: Vec<Tokens> = (0..13).map(|_| device.login()).collect();
    // All but the eighth that is kept for logging out.
    for _ in 0..88 {
        tokens = Tokens::of(&device.refresh(&tokens.refresh));
    }
    for _ in 0..5 {
        device.advance(1);
        let refused = device.refresh(&tokens.refresh);
        assert_eq!(refused.status, 503);
        assert_eq!(refused.detail(), "the table of revocations is full");
        assert!(refused.header("retry-after").is_some());
    }
    let health = device.get("/health", None).json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        health["reasons"],
        json!(["the table of revocations is full"])
    );
    assert_eq!(device.get("/readyz", None).status, 503);

    for other in &others[..12] {
        let logout = device.post("/api/logout", Some(&other.bearer()), &json!({}));
        assert_eq!(logout.status, 200);
    }
    let last = &others[12];
    let logout = device.post("/api/logout", Some(&last.bearer()), &json!({}));
    assert_eq!(logout.status, 503);
    assert!(device.accepts(&last.access), "nothing was done");
    assert!(others[..12].iter().all(|o| !device.accepts(&o.access)));
    assert_eq!(device.refresh(&first.refresh).status, 401);
    let lines = device.get(
        "/api/logs?source=postern&q=table%20of%20revocations",
        Some(&tokens.bearer()),
    );
    assert_eq!(lines.json()["data"].as_array().map(Vec::len), Some(1));

    // Refresh tokens live for seven days.
    device.advance(7 * 86_400);
    let tokens = Tokens::of(&device.refresh(&device.login().refresh));
    assert!(device.accepts(&tokens.access));
    assert_eq!(device.get("/readyz", None).status, 200);
    assert!(!device.accepts(&last.access) && !device.accepts(&others[0].access));
}

/// Nobody asks for a commit.
fn assert_idle_board_says(room: Room, reason: &str) {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[]);
    let ready = || device.get("/readyz", None).status;
    assert_eq!(ready(), 200);
    memory.say_room(room);
    crate::eventually("503", || ready() == 503);
    let health = device.get("/health", None).json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["reasons"], json!([reason]));
    memory.say_room(Room::Enough);
    crate::eventually("200 by itself", || ready() == 200);
}

#[test]
fn an_idle_board_says_that_its_file_system_is_full_and_that_it_is_no_more() {
    assert_idle_board_says(Room::Full, "the file system of STATE_DIR is full");
}

#[test]
fn an_idle_board_says_that_its_file_system_is_read_only_and_that_it_is_no_more() {
    assert_idle_board_says(Room::ReadOnly, "the file system of STATE_DIR is read-only");
}

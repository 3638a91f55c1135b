//! When there is no room to remember another revocation: refused loudly, nothing forgotten, and over by itself.

use parking_lot::Mutex;
use postern::journal::{MemoryStorage, Room};
use serde_json::json;

use crate::device::{Device, PASSWORD, TODAY, Tokens, USER, install_own_events};

/// What one device says of its table is heard by all in this process, and one test counts it.
static ONE_TABLE: Mutex<()> = Mutex::new(());

#[test]
fn a_full_table_of_revocations_refuses_says_so_once_and_recovers_when_entries_expire() {
    let _alone = ONE_TABLE.lock();
    install_own_events();
    let device = Device::with(&[("MAX_REVOCATIONS", "100")]);
    let mut tokens = device.login();
    let first = tokens.clone();
    let others: Vec<Tokens> = (0..13).map(|_| device.login()).collect();
    // All but the eighth that is kept for logging out.
    for _ in 0..88 {
        tokens = Tokens::of(&device.refresh(&tokens.refresh));
    }
    let health = || device.get("/health", None).json();
    assert_eq!(health()["status"], "healthy");
    for other in &others[..12] {
        let logout = device.post("/api/logout", Some(&other.bearer()), &json!({}));
        assert_eq!(logout.status, 200);
    }
    // All of it is of this very second: nothing is old enough to make room.
    let last = &others[12];
    let logout = device.post("/api/logout", Some(&last.bearer()), &json!({}));
    assert_eq!(logout.status, 503);
    for _ in 0..5 {
        device.advance(1);
        let refused = device.refresh(&tokens.refresh);
        assert_eq!(refused.status, 503);
        assert_eq!(refused.detail(), "the table of revocations is full");
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(health()["status"], "degraded");
    assert_eq!(
        health()["reasons"],
        json!(["the table of revocations is full"])
    );
    assert_eq!(device.get("/readyz", None).status, 503);
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

#[test]
fn a_logout_in_a_full_table_is_done_and_ends_the_oldest_sessions() {
    let _alone = ONE_TABLE.lock();
    let device = Device::with(&[("MAX_REVOCATIONS", "100")]);
    let logout = |of: &Tokens| {
        device
            .post("/api/logout", Some(&of.bearer()), &json!({}))
            .status
    };
    let idle = device.login();
    device.advance(1);
    let mut ended = Vec::new();
    let mut login_and_out = || {
        let tokens = device.login();
        assert_eq!(logout(&tokens), 200);
        ended.push(tokens);
        device.advance(1);
    };
    for _ in 0..50 {
        login_and_out();
    }
    let living = device.login();
    let last = device.login();
    let descendant = Tokens::of(&device.refresh(&last.refresh));
    for _ in 0..49 {
        login_and_out();
    }
    assert!(device.accepts(&idle.access));
    assert_eq!(device.refresh(&living.refresh).status, 503);
    assert_eq!(logout(&last), 200);
    let later = device.login();
    let me = device.login().bearer();
    let audit = device.get("/api/audit-log?limit=20", Some(&me));
    assert!(
        audit.text().contains(r#""by":"full table""#),
        "{}",
        audit.text()
    );

    let after = device.copy_after_power_cut(TODAY);
    for device in [&device, &after] {
        for dead in ended.iter().chain([&last, &descendant, &idle]) {
            assert!(!device.accepts(&dead.access));
            assert_eq!(device.refresh(&dead.refresh).status, 401);
        }
        // Neither is among the oldest.
        assert!(device.accepts(&living.access) && device.accepts(&later.access));
    }
}

#[test]
fn a_password_change_makes_room_in_a_full_table_at_once() {
    let _alone = ONE_TABLE.lock();
    let device = Device::with(&[("MAX_REVOCATIONS", "100")]);
    let caller = device.login();
    let (ended, open) = (device.login(), device.login());
    let mut tokens = device.login();
    let first = tokens.clone();
    for _ in 0..87 {
        tokens = Tokens::of(&device.refresh(&tokens.refresh));
    }
    let logout = |of: &Tokens| {
        device
            .post("/api/logout", Some(&of.bearer()), &json!({}))
            .status
    };
    while logout(&device.login()) == 200 {}
    assert_eq!(logout(&ended), 503);
    assert_eq!(device.get("/readyz", None).status, 503);

    let changed = device.change_password(&caller.bearer(), PASSWORD, "staple battery horse");
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(device.get("/readyz", None).status, 200);
    let login = || {
        let body = json!({"username": USER, "password": "staple battery horse"});
        Tokens::of(&device.post("/api/auth/login", None, &body))
    };
    let fresh = Tokens::of(&device.refresh(&login().refresh));
    for _ in 0..50 {
        assert_eq!(logout(&login()), 200);
    }
    let dead = [&ended, &open, &tokens, &first];
    let after = device.copy_after_power_cut(TODAY);
    for device in [&device, &after] {
        assert!(device.accepts(&caller.access) && device.accepts(&fresh.access));
        for old in dead {
            assert!(!device.accepts(&old.access));
            assert_eq!(device.refresh(&old.refresh).status, 401);
        }
    }
    // The login that went on can end as well, and for good.
    assert_eq!(logout(&caller), 200);
    assert!(!device.accepts(&caller.access));
    assert!(!device.copy_after_power_cut(TODAY).accepts(&caller.access));
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

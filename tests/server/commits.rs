//! What waits for the journal: answered once its sync has come back, all with one, and nobody else waits with it.

use postern::journal::MemoryStorage;

use crate::client::request_text;
use crate::device::{Device, Tokens};

fn logout_text(tokens: &Tokens) -> String {
    let bearer = tokens.bearer();
    request_text(
        "POST",
        "/api/logout",
        &[("Authorization", bearer.as_str())],
        "",
    )
}

#[test]
fn a_logout_is_answered_only_once_its_sync_has_come_back() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[]);
    let login = device.login();
    let mut client = device.connect();
    // After this nothing is left to read: TLS has sent its tickets too.
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
    memory.hold_syncs();
    client.send(logout_text(&login));
    memory.wait_for_held_call();
    // In force at once, for everybody, but not yet answered.
    assert!(!device.accepts(&login.access));
    let stream = &client.stream.sock;
    stream.set_nonblocking(true).expect("set");
    let unanswered = stream.peek(&mut [0]);
    assert_eq!(
        unanswered.map_err(|error| error.kind()),
        Err(std::io::ErrorKind::WouldBlock)
    );
    stream.set_nonblocking(false).expect("set");
    memory.release();
    assert_eq!(client.response_to("POST").status, 200);
}

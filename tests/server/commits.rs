//! What waits for the journal: answered once its sync has come back, all with one, and nobody else waits with it.

use std::net::TcpStream;
use std::thread;

use postern::journal::MemoryStorage;
use postern::journal::storage::Failing;
use serde_json::json;

use crate::client::{Client, request_text};
use crate::device::{Device, PASSWORD, TODAY, Tokens};

const ONE_WORKER: [(&str, &str); 1] = [("WORKERS", "1")];

/// Syncs fail, and so does the rewriting of the journal that would heal it.
const BROKEN: Failing = Failing {
    appends: false,
    syncs: true,
    replacements: true,
    publishing: false,
    read_only: false,
};

fn logout_text(tokens: &Tokens) -> String {
    let bearer = tokens.bearer();
    request_text(
        "POST",
        "/api/logout",
        &[("Authorization", bearer.as_str())],
        "",
    )
}

fn refresh_text(tokens: &Tokens) -> String {
    let body = json!({"refresh_token": tokens.refresh}).to_string();
    request_text("POST", "/api/auth/refresh", &[], &body)
}

impl Device {
    fn wait_until_dead(&self, login: &Tokens) {
        crate::eventually("the login's end", || !self.accepts(&login.access));
    }
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

#[test]
fn logouts_at_once_share_a_sync_and_nobody_else_waits_for_it() {
    let memory = MemoryStorage::new();
    // One worker: whoever is answered is answered by the thread that also has the logouts.
    let device = Device::with_journal_in(&memory, &ONE_WORKER);
    let logins: Vec<_> = (0..64).map(|_| device.login()).collect();
    let other = device.login();
    let mut clients: Vec<_> = logins.iter().map(|_| device.connect()).collect();
    memory.hold_syncs();
    let before = memory.counts().syncs;
    for (number, (client, login)) in clients.iter_mut().zip(&logins).enumerate() {
        client.send(logout_text(login));
        if number == 0 {
            memory.wait_for_held_call();
        }
    }
    for login in &logins {
        device.wait_until_dead(login);
    }
    assert!(device.accepts(&other.access));
    assert_eq!(device.get("/health", None).status, 200);
    memory.release();
    for client in &mut clients {
        assert_eq!(client.response_to("POST").status, 200);
    }
    // The first had one to itself; the others came while it was under way.
    assert_eq!(memory.counts().syncs - before, 2);
    let after = device.copy_after_power_cut(TODAY);
    assert!(logins.iter().all(|login| !after.accepts(&login.access)));
    assert!(after.accepts(&other.access));
}

#[test]
fn whoever_hangs_up_during_a_logout_is_logged_out() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &ONE_WORKER);
    let login = device.login();
    let mut client = device.connect();
    memory.hold_syncs();
    client.send(logout_text(&login));
    device.wait_until_dead(&login);
    drop(client);
    assert!(device.copy_after_power_cut(TODAY).accepts(&login.access));
    memory.release();
    // Its place is free again.
    device.wait_for_connections(0);
    assert!(!device.copy_after_power_cut(TODAY).accepts(&login.access));
}

#[test]
fn a_refresh_that_cannot_be_written_gives_its_token_back_even_if_the_client_has_left() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[("REFRESH_REUSE_GRACE_SECONDS", "0")]);
    let (first, second) = (device.login(), device.login());
    memory.hold_syncs();
    let mut left = device.connect();
    left.send(refresh_text(&first));
    memory.wait_for_held_call();
    drop(left);
    let mut patient = device.connect();
    patient.send(refresh_text(&second));
    memory.fail(BROKEN);
    memory.release();
    let refused = patient.response_to("POST");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    device.wait_for_connections(1);

    memory.fail(Failing::default());
    device.advance(60);
    device.server().api().journal.tick();
    // With no grace at all a second use would be theft.
    for login in [first, second] {
        assert_eq!(device.refresh(&login.refresh).status, 200);
        assert!(device.accepts(&login.access));
    }
}

#[test]
fn a_login_that_ends_while_its_refresh_is_being_written_gets_no_pair() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[]);
    let login = device.login();
    let mut clients = [device.connect(), device.connect()];
    let [refreshing, leaving] = &mut clients;
    memory.hold_syncs();
    refreshing.send(refresh_text(&login));
    memory.wait_for_held_call();
    leaving.send(logout_text(&login));
    device.wait_until_dead(&login);
    memory.release();
    assert_eq!(refreshing.response_to("POST").status, 401);
    assert_eq!(leaving.response_to("POST").status, 200);
}

#[test]
fn requests_behind_a_logout_on_its_connection_wait_for_their_turn() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &ONE_WORKER);
    let login = device.login();
    let bearer = login.bearer();
    let after = request_text("GET", "/api/status", &[("Authorization", &bearer)], "");
    let mut client = device.connect();
    memory.hold_syncs();
    client.send(logout_text(&login) + &after + "GET /health HTTP/1.0\r\n\r\n");
    device.wait_until_dead(&login);
    memory.release();
    let answers = [(); 3].map(|()| client.response_to("POST"));
    assert_eq!(answers.map(|answer| answer.status), [200, 401, 200]);
    assert!(client.is_closed());
}

#[test]
fn an_answer_that_waited_for_the_journal_may_be_read_by_a_page_of_an_allowed_origin() {
    let memory = MemoryStorage::new();
    let origin = "https://console.example";
    let device = Device::with_journal_in(&memory, &[("CORS_ALLOWED_ORIGINS", origin)]);
    let (one, other) = (device.login(), device.login());
    let logout = |login: &Tokens| {
        let headers = [("Authorization", &*login.bearer()), ("Origin", origin)];
        device.connect().ask("POST", "/api/logout", &headers, "")
    };
    let durable = logout(&one);
    memory.fail(BROKEN);
    let not_durable = logout(&other);
    for (answer, status) in [(durable, 200), (not_durable, 503)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    // In force all the same.
    assert!(!device.accepts(&other.access));
}

#[test]
fn a_server_that_stops_answers_the_logouts_that_are_being_written() {
    let memory = MemoryStorage::new();
    let mut device = Device::with_journal_in(&memory, &ONE_WORKER);
    let login = device.login();
    let mut client = device.connect();
    memory.hold_syncs();
    client.send(logout_text(&login));
    device.wait_until_dead(&login);
    let address = device.address();
    thread::scope(|scope| {
        scope.spawn(|| device.stop());
        crate::eventually("the listener to close", || {
            TcpStream::connect(address).is_err()
        });
        memory.release();
        let answer = client.response_to("POST");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        // The server need not wait for it to hang up.
        drop(client);
    });
    device.boot();
    assert!(!device.accepts(&login.access));
}

#[test]
fn a_logout_over_the_local_socket_waits_for_its_sync_and_for_nobody_else() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[]);
    let login = device.login();
    let mut local = Client::local(&device.state("postern.sock"));
    memory.hold_syncs();
    local.send(logout_text(&login));
    memory.wait_for_held_call();
    assert!(!device.accepts(&login.access));
    assert!(device.copy_after_power_cut(TODAY).accepts(&login.access));
    memory.release();
    assert_eq!(local.response_to("POST").status, 200);
    assert!(!device.copy_after_power_cut(TODAY).accepts(&login.access));
}

#[test]
fn what_could_not_be_written_says_whether_it_was_done() {
    let memory = MemoryStorage::new();
    let device = Device::with_journal_in(&memory, &[]);
    let (one, other) = (device.login(), device.login());
    memory.fail(BROKEN);
    let logout = device.post("/api/logout", Some(&one.bearer()), &json!({}));
    let refresh = device.refresh(&other.refresh);
    let change = device.change_password(&other.bearer(), PASSWORD, "another one altogether");
    for (answer, said) in [
        (&logout, "is in force"),
        (&refresh, "nothing has changed"),
        (&change, "nothing has changed"),
    ] {
        assert_eq!(answer.status, 503);
        assert!(answer.detail().contains(said), "{}", answer.detail());
    }
    assert!(!device.accepts(&one.access) && device.accepts(&other.access));
    assert_eq!(device.login_with(PASSWORD).status, 200);
}

//! The server as its clients see it: in this process, through real TLS, with a clock that the tests turn.

mod client;
mod connections;
mod device;
mod follow;
mod hostile;
mod local;
mod process;
mod stop;
mod stream_endings;
mod streams;
mod tickets;
mod tls;
mod websocket;

use std::time::{Duration, Instant};

/// Waits for what another thread is about to do. For effects that no answer announces.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

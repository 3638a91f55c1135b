//! The server as its clients see it: in this process, through real TLS, with a clock that the tests turn.

mod activation;
mod advisories;
mod audit;
mod bucket;
#[path = "../support/client.rs"]
mod client;
mod clock;
mod commits;
#[path = "../support/config.rs"]
mod config;
mod connections;
mod console;
mod cors;
mod damaged;
mod desk;
mod device;
mod earlier;
mod files;
mod follow;
mod forge;
mod full;
mod hostile;
mod limits;
mod listen;
mod local;
mod login;
mod logout;
mod metrics;
mod neighbours;
mod passwords;
mod process;
#[path = "../support/program.rs"]
mod program;
mod refresh;
mod secrets;
mod state_folder;
mod stop;
mod stream_endings;
mod streams;
mod tickets;
mod tls;
mod tokens;
mod updates;
mod watchdog;
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

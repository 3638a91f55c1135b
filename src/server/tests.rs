use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::hot_paths::Served;
use super::*;
use crate::config::Machine;

#[test]
fn bcrypt_leaves_a_core_to_the_requests() {
    let at_once = [0, 1, 2, 3, 4, 64].map(bcrypts_on);
    assert_eq!(at_once, [1, 1, 1, 2, 2, 2]);
}

#[test]
fn of_many_requests_at_once_each_has_a_turn_of_its_own() {
    const REQUESTS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("STATE_DIR", folder.path().to_str().unwrap()),
        ("LOCAL_SOCKET", ""),
        ("LOG_SOURCES", ""),
        ("BCRYPT_COST", "4"),
        ("RATE_LIMIT_BURST", "1000"),
    ];
    let machine = Machine {
        env_file: folder.path().join("no-such.env"),
        ..Machine::detect()
    };
    let config = Config::load_on(&machine, settings, None).unwrap();
    let api = hot_paths::api(&config, &Dependencies::real()).unwrap();
    let (mut client, socket) = UnixStream::pair().unwrap();
    let mut served = Served::plain(&api, socket).unwrap();
    let one = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(one.repeat(REQUESTS).as_bytes()).unwrap();
    // Whoever else is ready gets his turn between two of them.
    assert_eq!(served.serve(), REQUESTS as u64);
    drop(served);
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), REQUESTS);
}

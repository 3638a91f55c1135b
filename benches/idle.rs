//! What rustls holds for an idle connection, `cargo bench --bench idle`: connections under the settings that the program
//! serves with, without sockets. Each has done a full TLS 1.3 handshake, taken one request and given one answer.
//!
//! Its client is gone by the time memory is read. What that leaves behind as holes in the heap is counted along.

use std::io::{self, Read, Write};
use std::sync::Arc;

use postern::clock::{SystemTimeSource, TimeSource};
use postern::server::tls::Certificate;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConfig, ServerConnection};

#[expect(dead_code, reason = "the client that has a socket")]
#[path = "../tests/support/client.rs"]
mod client;

fn main() {
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let now = SystemTimeSource::new().system();
    let certificate = Certificate::own(folder.path(), now).expect("a certificate");
    let server = certificate.config();
    let mut client = client::tls_config(&folder.path().join("tls-cert.pem"));
    // As versus' clients, none of which has been there before.
    client.resumption = Resumption::disabled();
    let client = Arc::new(client);

    let mut idle: Vec<Box<ServerConnection>> = Vec::with_capacity(MOST);
    // What is allocated once is none of a connection's.
    drop(connection(&server, &client));
    let before = resident();
    for count in [1_000, MOST] {
        while idle.len() < count {
            idle.push(connection(&server, &client));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = (resident() - before) as f64 / count as f64;
        println!("{count} connections: {each:.2} KiB each");
    }
}

/// One that has answered a request, with the buffers that it would have in the program from then on.
fn connection(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Box<ServerConnection> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(client.clone(), name).expect("a client");
    let mut server = Box::new(ServerConnection::new(server.clone()).expect("a server"));
    server.set_buffer_limit(Some(TLS_BUFFER));
    let mut grown = false;
    while client.is_handshaking() || server.is_handshaking() {
        exchange(&mut client, &mut server, &mut grown);
    }
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));

    client.writer().write_all(REQUEST).expect("room");
    exchange(&mut client, &mut server, &mut grown);
    let mut request = vec![0; REQUEST.len()];
    server.reader().read_exact(&mut request).expect("a request");
    server.writer().write_all(ANSWER).expect("room");
    exchange(&mut client, &mut server, &mut grown);
    let mut answer = vec![0; ANSWER.len()];
    client.reader().read_exact(&mut answer).expect("an answer");
    if grown {
        // As `Link::release` has it cut its buffer to size.
        let _ = server.read_tls(&mut NothingYet);
    }
    server
}

/// Brings all that the client has to say to the server, and then the other way. `grown`: the server read more at once than
/// it keeps room for.
fn exchange(client: &mut ClientConnection, server: &mut ServerConnection, grown: &mut bool) {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("written");
    }
    *grown |= bytes.len() > TLS_READ;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).expect("read");
        server.process_new_packets().expect("good records");
    }
    bytes.clear();
    while server.wants_write() {
        server.write_tls(&mut bytes).expect("written");
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        client.read_tls(&mut rest).expect("read");
        client.process_new_packets().expect("good records");
    }
}

/// A reader for which there is nothing yet.
struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// `VmRSS`, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.expect("VmRSS").split_whitespace().nth(1);
    words.expect("a figure").parse().expect("a number")
}

/// How many connections in the end: as many as `benches/versus` holds open.
const MOST: usize = 10_000;

/// What TLS may hold of an answer, as in `server/link`.
const TLS_BUFFER: usize = 32 * 1024;

/// What TLS reads at a time, as there.
const TLS_READ: usize = 4 * 1024;

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// About as long as the one to it.
const ANSWER: &[u8] = &[b'x'; 300];

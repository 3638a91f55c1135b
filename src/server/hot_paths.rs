//! The hot paths, each callable by itself: `benches/instructions.d/paths.rs` runs them while their instructions are counted. What such a
//! path consists of is private, and named in this file alone. The program never calls anything here.

use std::hint::black_box;
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection};

use super::admission::{Admission, ConnectionId};
use super::assembly::assemble;
use super::connection::{Connection, Turn};
use super::link::Link;
use super::{Dependencies, StartError};
use crate::api::{Api, Call, Outcome, route};
use crate::config::Config;
use crate::http::request::{Peer, Request};
use crate::http::request_head::HeadReader;
use crate::http::response::{Response, WriteOptions, render};
use crate::ids::ClientKey;

/// Where all requests come from.
pub const CLIENT: ClientKey = ClientKey::V4([192, 0, 2, 1]);

/// Everything below the sockets.
///
/// # Errors
/// The first thing that fails.
pub fn api(config: &Config, dependencies: &Dependencies) -> Result<Arc<Api>, StartError> {
    assemble(config, dependencies, 1, Arc::default()).map(|(api, _)| api)
}

/// Reads a head this often, each time from its first byte.
pub fn parse(head: &[u8], times: u64) {
    for _ in 0..times {
        black_box(read(black_box(head)));
    }
}

/// Has a request admitted this often: limits, route, and who sends it.
pub fn admit(api: &Api, head: &[u8], times: u64) {
    let request = read(head);
    for _ in 0..times {
        let call = admitted(api, black_box(&request));
        assert!(black_box(call).is_ok(), "the request was refused");
    }
}

/// Has an admitted request answered this often, as bytes.
pub fn respond(api: &Api, head: &[u8], times: u64) {
    let request = read(head);
    let Ok(mut call) = admitted(api, &request) else {
        panic!("the request was refused");
    };
    let options = WriteOptions {
        head_only: false,
        keep_alive: true,
    };
    for _ in 0..times {
        let Outcome::Response(response) = api.run(&mut call, black_box(&request)) else {
            panic!("the request has no ordinary answer");
        };
        black_box(render(&response, options));
    }
}

fn admitted(api: &Api, request: &Request) -> Result<Call, Response> {
    let found = route::find(&request.method, request.target.path());
    api.admit(request, found)
}

fn read(head: &[u8]) -> Request {
    let read = HeadReader::default().read(head, Peer::Network(CLIENT));
    let (head, _) = read.expect("a valid head").expect("a whole head");
    head.request
}

/// The server's end of one connection, driven as a worker drives it.
pub struct Served {
    api: Arc<Api>,
    connection: Connection,
    scratch: Vec<u8>,
}

impl Served {
    /// Serves a client of the network without TLS.
    ///
    /// # Errors
    /// The socket cannot be made non-blocking.
    pub fn plain(api: &Arc<Api>, socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self::over(api, Link::plain(socket)))
    }

    /// Serves a client of the network.
    ///
    /// # Errors
    /// The socket cannot be made non-blocking, or the configuration does not do.
    pub fn tls(api: &Arc<Api>, socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::over(api, Link::tls(socket, tls)))
    }

    fn over(api: &Arc<Api>, link: Link) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = ConnectionId {
            worker: 0,
            token: NEXT.fetch_add(1, Ordering::Relaxed),
        };
        let now = Instant::now();
        let entered = Admission::new(1, 1).enter(number, Some(CLIENT), true, &**api, now);
        let (place, _) = entered.expect("the only one");
        Self {
            api: api.clone(),
            connection: Connection::new(link, Peer::Network(CLIENT), place, now),
            scratch: vec![0; 16 * 1024],
        }
    }

    /// Serves what the client has sent, until there is nothing more to do. Gives the number of turns that it took, between
    /// which a worker would have served others.
    pub fn serve(&mut self) -> u64 {
        self.connection.wake(false);
        for turns in 1.. {
            let turn = (self.connection).drive(&self.api, &mut self.scratch, Instant::now());
            let held = self.connection.report(&*self.api);
            assert!(held.is_ok_and(|gone| gone.is_empty()), "there is room");
            match turn {
                Turn::Parked => return turns,
                Turn::More => {}
                _ => panic!("the worker could not go on by itself"),
            }
        }
        unreachable!("so many turns take for ever")
    }
}

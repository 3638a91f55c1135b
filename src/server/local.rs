//! The administrator's door on the device itself: a Unix socket, 0600, plain HTTP, served by `tiny_http`.
//!
//! Whoever may open it is the administrator, so nothing here guards against the other end: that is the file's permission.
//! A WebSocket is not served here, since `tiny_http` gives no pollable connection away; `follow=true` streams instead.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use tiny_http::{HTTPVersion, Server};

use super::body::MAX_BODY;
use crate::api::error::{Answer, ApiError};
use crate::api::request::{Peer, Request, Target};
use crate::api::{Api, Outcome, Stream};
use crate::logs::hub::Subscription;

/// The running local listener.
pub struct Local {
    path: PathBuf,
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
    /// Disconnected once the last thread has ended.
    ended: Receiver<Infallible>,
}

impl Local {
    /// Opens the socket and serves it.
    ///
    /// # Errors
    /// The file system's, or the system's when it has no thread to give.
    pub fn start(path: &Path, api: &Arc<Api>) -> io::Result<Self> {
        let listener = bind(path)?;
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        let server = Arc::new(server);
        let streams = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::with_capacity(THREADS);
        let (running, ended) = bounded(0);
        for index in 0..THREADS {
            let (server, api, streams) = (server.clone(), api.clone(), streams.clone());
            let running = running.clone();
            let thread = Builder::new().name(format!("local-{index}"));
            threads.push(thread.spawn(move || {
                let _running = running;
                while let Ok(request) = server.recv() {
                    serve(&api, &streams, request);
                }
            })?);
        }
        Ok(Self {
            path: path.to_owned(),
            server,
            threads,
            ended,
        })
    }

    /// Takes no new requests; the socket's file is gone.
    pub fn leave(&self) {
        let _ = fs::remove_file(&self.path);
        for _ in &self.threads {
            self.server.unblock();
        }
    }

    /// Waits until what is under way is finished, but no longer than this: `tiny_http` waits without limit for a client
    /// that stopped in the middle of its body or its answer.
    pub fn finish(self, deadline: Instant) {
        if self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            log::warn!("a client of the local socket did not finish; it is left behind");
            return;
        }
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Makes the socket under another name, closes it to others, and only then gives it its own: at no instant can anybody
/// else open it, whatever the folder's permissions, and a file left by a crash is replaced.
fn bind(path: &Path) -> io::Result<UnixListener> {
    // No longer than the name itself is likely to be: a socket's address has room for 107 bytes.
    let fresh = path.with_file_name(".new-sock");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
    fs::rename(&fresh, path)?;
    Ok(listener)
}

fn serve(api: &Arc<Api>, streams: &Arc<AtomicUsize>, mut incoming: tiny_http::Request) {
    let outcome = match read(&mut incoming) {
        Ok(request) => match api.admit(&request) {
            Ok(call) => api.run(call, &request),
            Err(answer) => Outcome::Answer(answer),
        },
        Err(error) => Outcome::Answer(error.answer()),
    };
    match outcome {
        // A client that left needs no answer.
        Outcome::Answer(answer) => drop(incoming.respond(answer)),
        Outcome::Stream(stream) => {
            if let Err(refused) = follow(api, streams, incoming, *stream) {
                let (incoming, answer) = *refused;
                drop(incoming.respond(answer));
            }
        }
    }
}

fn read(incoming: &mut tiny_http::Request) -> Result<Request, ApiError> {
    let too_large = || ApiError::Protocol(413, "the request body is larger than 64 KiB".into());
    if incoming
        .body_length()
        .is_some_and(|length| length > MAX_BODY)
    {
        return Err(too_large());
    }
    let asks_to_upgrade = incoming.headers().iter().any(|header| {
        let value = header.value.as_str().to_ascii_lowercase();
        header.field.equiv("Connection") && value.contains("upgrade")
    });
    let length = if asks_to_upgrade {
        // Then tiny_http's reader has no end: it goes on into what would be the upgraded stream.
        incoming.body_length().unwrap_or(0)
    } else {
        MAX_BODY + 1
    };
    let mut body = Vec::new();
    incoming
        .as_reader()
        .take(length as u64)
        .read_to_end(&mut body)
        .map_err(|_| ApiError::BadRequest("the request body could not be read".into()))?;
    if body.len() > MAX_BODY {
        return Err(too_large());
    }
    let host = incoming
        .headers()
        .iter()
        .find(|header| header.field.equiv("Host"))
        .map(|header| header.value.as_str().to_ascii_lowercase());
    Ok(Request {
        method: incoming.method().clone(),
        target: Target::parse(incoming.url()),
        host,
        headers: incoming.headers().to_vec(),
        body,
        peer: Peer::Local,
        http_1_0: *incoming.http_version() < HTTPVersion(1, 1),
    })
}

/// Lets the hub write into one end of a socket pair, and carries its bytes from the other end to the client.
fn follow(
    api: &Api,
    streams: &Arc<AtomicUsize>,
    incoming: tiny_http::Request,
    stream: Stream,
) -> Result<(), Box<(tiny_http::Request, Answer)>> {
    let busy = || ApiError::Busy(5).answer();
    if streams.fetch_add(1, Ordering::Relaxed) >= MAX_STREAMS {
        streams.fetch_sub(1, Ordering::Relaxed);
        return Err(Box::new((incoming, busy())));
    }
    let guard = StreamGuard(streams.clone());
    let pair = UnixStream::pair().and_then(|(ours, hubs)| {
        hubs.set_nonblocking(true)?;
        Ok((ours, hubs))
    });
    let Ok((mut ours, hubs)) = pair else {
        return Err(Box::new((incoming, busy())));
    };
    let Ok(head) = super::render::render_head(stream.head, stream.encoding) else {
        return Err(Box::new((incoming, busy())));
    };
    let mut client = incoming.into_writer();
    let carry = move || {
        let _guard = guard;
        let mut buffer = vec![0; CARRY];
        if client
            .write_all(&head)
            .and_then(|()| client.flush())
            .is_err()
        {
            return;
        }
        while let Ok(count @ 1..) = ours.read(&mut buffer) {
            let sent = client
                .write_all(&buffer[..count])
                .and_then(|()| client.flush());
            if sent.is_err() {
                return;
            }
        }
    };
    // Without a thread both ends are dropped, and the client sees its connection close.
    if Builder::new()
        .name("local-stream".into())
        .spawn(carry)
        .is_ok()
    {
        api.hub.subscribe(Subscription {
            transport: Box::new(hubs),
            encoding: stream.encoding,
            leftover: Vec::new(),
            filter: stream.filter,
            since: stream.since,
            boot: stream.boot,
            alive: stream.alive,
            keep: Box::new(()),
        });
    }
    Ok(())
}

struct StreamGuard(Arc<AtomicUsize>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A watchdog and a person at the keyboard.
const THREADS: usize = 2;

/// Each local stream has a thread; a handful of people sit at one board.
const MAX_STREAMS: usize = 8;

/// What is carried at once.
const CARRY: usize = 8 * 1024;

//! The administrator's door on the device itself: a Unix socket, 0600, plain HTTP, served by `tiny_http`.
//!
//! Whoever may open it is the administrator, so nothing here guards against the other end: that is the file's permission.
//! A WebSocket is not served here, since `tiny_http` gives no pollable connection away; `follow=true` streams instead.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use tiny_http::{HTTPVersion, Server};

use super::body::MAX_BODY;
use crate::api::error::{Answer, ApiError};
use crate::api::metrics::RouteNumber;
use crate::api::request::{Peer, Request, Target};
use crate::api::{Api, Commit, Outcome, Stream};
use crate::logs::hub::Subscription;

/// The running local listener.
pub struct Local {
    path: PathBuf,
    server: Arc<Server>,
    receiver: JoinHandle<()>,
    /// Disconnected once the last request is answered.
    ended: Receiver<Infallible>,
}

/// What the threads share.
struct Door {
    api: Arc<Api>,
    /// Requests under way.
    busy: AtomicUsize,
    streams: Streams,
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
        let door = Arc::new(Door {
            api: api.clone(),
            busy: AtomicUsize::new(0),
            streams: Streams::default(),
        });
        let (running, ended) = bounded(0);
        let requests = server.clone();
        let receiver = Builder::new().name("local".into()).spawn(move || {
            while let Ok(request) = requests.recv() {
                open(&door, &running, request);
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            server,
            receiver,
            ended,
        })
    }

    /// Takes no new requests; the socket's file is gone.
    pub fn leave(&self) {
        let _ = fs::remove_file(&self.path);
        self.server.unblock();
    }

    /// Waits until what is under way is finished, but no longer than this: `tiny_http` waits without limit for a client
    /// that stopped in the middle of its body or its answer.
    pub fn finish(self, deadline: Instant) {
        if self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            log::warn!("a client of the local socket did not finish; it is left behind");
            return;
        }
        let _ = self.receiver.join();
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

/// Answers a request on a thread of its own: a client that does not finish its body, or does not read its answer, must
/// not keep the watchdog out.
fn open(door: &Arc<Door>, running: &Sender<Infallible>, incoming: tiny_http::Request) {
    if door.busy.fetch_add(1, Ordering::AcqRel) >= MAX_REQUESTS {
        door.busy.fetch_sub(1, Ordering::AcqRel);
        // Short enough for any socket buffer.
        drop(incoming.respond(ApiError::Busy(RETRY_BUSY).answer()));
        return;
    }
    let guard = Busy(door.clone());
    let running = running.clone();
    // Without a thread the request is dropped, and the client sees its connection close.
    let _ = Builder::new().name("local-request".into()).spawn(move || {
        let _running = running;
        serve(&guard.0, incoming);
    });
}

/// A request under way.
struct Busy(Arc<Door>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(door: &Arc<Door>, mut incoming: tiny_http::Request) {
    let api = &door.api;
    let begun = Instant::now();
    let mut route = RouteNumber::OTHER;
    let outcome = match read(&mut incoming) {
        Ok(request) => {
            route = RouteNumber::of(&request);
            match api.admit(&request) {
                Ok(call) => api.run(call, &request),
                Err(answer) => Outcome::Answer(answer),
            }
        }
        Err(error) => Outcome::Answer(error.answer()),
    };
    let count = |answer: &Answer| {
        let status = answer.status_code().0;
        api.metrics
            .requests
            .answered(route, status, begun.elapsed());
    };
    match outcome {
        // A client that left needs no answer.
        Outcome::Answer(answer) => {
            count(&answer);
            drop(incoming.respond(answer));
        }
        Outcome::Commit(Commit { records, then }) => {
            let committed = api.journal.commit_all(records);
            let answer = then(api, committed);
            count(&answer);
            drop(incoming.respond(answer));
        }
        Outcome::Stream(stream) => {
            count(&stream.head);
            if let Err(refused) = follow(door, incoming, *stream) {
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

/// The streams, the oldest first; each holds whether it may go on.
#[derive(Default)]
struct Streams(Mutex<VecDeque<Arc<AtomicBool>>>);

impl Streams {
    /// Takes a new stream in. `tiny_http` does not tell when a client leaves, so one that left is noticed only when there
    /// is something to write to it; the oldest has to make room for a newcomer. Returns whether one has to.
    fn enter(&self, goes_on: &Arc<AtomicBool>) -> bool {
        let mut streams = self.0.lock();
        streams.push_back(goes_on.clone());
        if streams.len() <= MAX_STREAMS {
            return false;
        }
        if let Some(oldest) = streams.pop_front() {
            oldest.store(false, Ordering::Relaxed);
        }
        true
    }

    fn leave(&self, goes_on: &Arc<AtomicBool>) {
        self.0.lock().retain(|other| !Arc::ptr_eq(other, goes_on));
    }
}

/// Lets the hub write into one end of a socket pair, and carries its bytes from the other end to the client.
fn follow(
    door: &Arc<Door>,
    incoming: tiny_http::Request,
    stream: Stream,
) -> Result<(), Box<(tiny_http::Request, Answer)>> {
    let busy = || ApiError::Busy(RETRY_BUSY).answer();
    let pair = UnixStream::pair().and_then(|(ours, hubs)| {
        hubs.set_nonblocking(true)?;
        Ok((ours, hubs))
    });
    let Ok((ours, hubs)) = pair else {
        return Err(Box::new((incoming, busy())));
    };
    let Ok(head) = super::render::render_head(stream.head, stream.encoding) else {
        return Err(Box::new((incoming, busy())));
    };
    let mut client = incoming.into_writer();
    let alive = stream.alive;
    let goes_on = Arc::new(AtomicBool::new(true));
    if door.streams.enter(&goes_on) {
        door.api.hub.recheck();
    }
    let (owner, own) = (door.clone(), goes_on.clone());
    let carry = move || {
        // Our end closes with it, which the hub notices.
        let _ = carry(&mut client, &head, ours);
        owner.streams.leave(&own);
    };
    // Without a thread both ends are dropped, and the client sees its connection close.
    if Builder::new()
        .name("local-stream".into())
        .spawn(carry)
        .is_ok()
    {
        door.api.hub.subscribe(Subscription {
            transport: Box::new(hubs),
            encoding: stream.encoding,
            leftover: Vec::new(),
            filter: stream.filter,
            since: stream.since,
            boot: stream.boot,
            alive: Box::new(move || goes_on.load(Ordering::Relaxed) && alive()),
            keep: Box::new(()),
        });
    }
    Ok(())
}

/// Writes the head and then whatever comes, each as soon as it is there, until either side ends.
fn carry(client: &mut dyn Write, head: &[u8], mut from: UnixStream) -> io::Result<()> {
    client.write_all(head)?;
    client.flush()?;
    let mut buffer = vec![0; CARRY];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => client.write_all(&buffer[..count])?,
        }
        client.flush()?;
    }
}

/// Requests at once: a watchdog, and a few people and scripts at one board.
const MAX_REQUESTS: usize = 16;

/// Each local stream has a thread; a handful of people sit at one board.
const MAX_STREAMS: usize = 8;

/// Seconds after which to come again.
const RETRY_BUSY: u64 = 1;

/// What is carried at once.
const CARRY: usize = 8 * 1024;

//! A worker: one thread, one epoll instance, and the connections it accepted, from their first byte to their last.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use ipnet::IpNet;
use rustc_hash::FxBuildHasher;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::admission::Admission;
use super::connection::{Connection, Turn};
use super::listen::Listener;
use super::mailbox::{Mail, Mailbox};
use super::pool::{Job, Pool};
use super::tls::Certificate;
use crate::api::{Api, Outcome, PendingChange, Stream};
use crate::journal::{CommitError, ReplyTo};
use crate::limits::bucket::Buckets;
use crate::logs::hub::Subscription;

/// What all workers share.
pub struct WorkerContext {
    /// The API.
    pub api: Arc<Api>,
    /// The threads that may wait.
    pub pool: Pool,
    /// Whose settings TLS is served with.
    pub certificate: Arc<Certificate>,
    /// The connection limits of the network.
    pub admission: Arc<Admission>,
    /// Those of the local socket, for which nobody else's connection is closed.
    pub local_admission: Arc<Admission>,
    /// How often an address may connect.
    pub handshakes: Arc<Buckets>,
    /// Peers whose connections are many people's.
    pub trusted_proxies: Vec<IpNet>,
}

/// A connection as its worker has it.
pub(super) struct OwnedConnection {
    pub(super) connection: Connection,
    /// Its entry in [`Worker::alarms`], no later than its deadline. Each request puts the deadline off; the entry is
    /// moved only when its time has come.
    pub(super) alarm: Instant,
    /// Whether it is in [`Worker::ready`].
    pub(super) is_ready: bool,
}

/// One worker. Made on the starting thread, so that a failure is the start's; then moved to its own.
pub struct Worker {
    pub(super) shared: Arc<WorkerContext>,
    pub(super) listeners: Vec<Listener>,
    pub(super) epoll: OwnedFd,
    mailbox: Arc<Mailbox>,
    mail: Receiver<Mail>,
    /// All workers', its own among them at `index`.
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    pub(super) index: usize,
    /// By token. Nobody outside chooses those, so their hash need not be a keyed one.
    pub(super) connections: HashMap<u64, OwnedConnection, FxBuildHasher>,
    /// What the journal is writing, by the connection whose request has begun it. That may be gone.
    changes: HashMap<u64, Box<PendingChange>, FxBuildHasher>,
    /// When each connection is looked at, one entry each.
    pub(super) alarms: BTreeSet<(Instant, u64)>,
    ready: VecDeque<u64>,
    pub(super) next_token: u64,
    scratch: Box<[u8]>,
    leaving: Option<Instant>,
    /// When it was last logged that a client could not be accepted.
    pub(super) complained: Option<Instant>,
}

impl Worker {
    /// The worker number `index` of those with these mailboxes, for these listeners. `mail` comes in by its own.
    ///
    /// # Errors
    /// When the system has no epoll instance to give.
    pub fn new(
        shared: Arc<WorkerContext>,
        listeners: &[Listener],
        mailboxes: &[Arc<Mailbox>],
        index: usize,
        mail: Receiver<Mail>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mailbox = mailboxes[index].clone();
        epoll::add(
            &epoll,
            &mailbox,
            EventData::new_u64(WAKE),
            EventFlags::IN | EventFlags::ET,
        )?;
        for (index, listener) in listeners.iter().enumerate() {
            watch(&epoll, index, listener)?;
        }
        Ok(Self {
            shared,
            listeners: listeners.to_vec(),
            epoll,
            mailbox,
            mail,
            mailboxes: mailboxes.to_vec(),
            index,
            connections: HashMap::default(),
            changes: HashMap::default(),
            alarms: BTreeSet::new(),
            ready: VecDeque::new(),
            next_token: FIRST_CONNECTION,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            leaving: None,
            complained: None,
        })
    }

    /// Serves until told to leave.
    pub fn run(mut self) {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            if self
                .leaving
                .is_some_and(|deadline| self.connections.is_empty() || Instant::now() >= deadline)
            {
                return;
            }
            events.clear();
            let timeout = self.timeout();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    log::error!(error:% = error; "a worker cannot poll and ends");
                    return;
                }
            }
            let now = Instant::now();
            for event in events.drain(..) {
                match event.data.u64() {
                    WAKE => self.read_mail(now),
                    token if token < FIRST_CONNECTION => self.accept(token, now),
                    token => {
                        if let Some(kept) = self.connections.get_mut(&token) {
                            // Copied out: the kernel's struct is packed.
                            let flags = event.flags;
                            kept.connection.wake(
                                flags.intersects(
                                    EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR,
                                ),
                            );
                            self.make_ready(token);
                        }
                    }
                }
            }
            // Each gets one turn; whoever wants more is behind the others, and behind new events.
            for _ in 0..self.ready.len() {
                if let Some(token) = self.ready.pop_front() {
                    self.drive(token, now);
                }
            }
            self.expire(now);
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let wait = if self.ready.is_empty() {
            let first = self.alarms.first().map(|(alarm, _)| *alarm);
            let next = match (first, self.leaving) {
                (Some(first), Some(leaving)) => first.min(leaving),
                (first, leaving) => first.or(leaving)?,
            };
            // Rounded up, or the last fraction of a millisecond is spent spinning.
            next.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
        } else {
            Duration::ZERO
        };
        Some(Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        })
    }

    fn read_mail(&mut self, now: Instant) {
        self.mailbox.opened();
        while let Ok(mail) = self.mail.try_recv() {
            match mail {
                Mail::Outcome(token, outcome, sender) => {
                    if let Some(kept) = self.connections.get_mut(&token) {
                        kept.connection.sign_in(sender.as_ref());
                    }
                    self.finish(token, outcome, now);
                }
                Mail::Committed(token, committed) => self.committed(token, committed, now),
                Mail::Shed(token) => self.shed(token),
                Mail::Open(listener) => self.open(listener),
                Mail::LivenessCheck(answer) => answer(),
                Mail::Leave(deadline) => self.leave(deadline),
            }
        }
    }

    fn open(&mut self, listener: Listener) {
        if self.leaving.is_some() {
            return;
        }
        match watch(&self.epoll, self.listeners.len(), &listener) {
            Ok(()) => self.listeners.push(listener),
            Err(error) => {
                log::error!(error:% = error; "a worker cannot accept clients on a new listener");
            }
        }
    }

    /// Gives a connection a turn behind the others, one at a time.
    fn make_ready(&mut self, token: u64) {
        if let Some(kept) = self.connections.get_mut(&token)
            && !kept.is_ready
        {
            kept.is_ready = true;
            self.ready.push_back(token);
        }
    }

    fn drive(&mut self, token: u64, now: Instant) {
        let Some(kept) = self.connections.get_mut(&token) else {
            return;
        };
        kept.is_ready = false;
        let turn = (kept.connection).drive(&self.shared.api, &mut self.scratch, now);
        self.settle(token, turn);
    }

    fn finish(&mut self, token: u64, outcome: Outcome, now: Instant) {
        let Some(kept) = self.connections.get_mut(&token) else {
            // A client that left meanwhile needs no answer, but what it did is in force and has to be written.
            if let Outcome::Change(pending) = outcome {
                self.commit(token, pending);
            }
            return;
        };
        let turn = kept.connection.finish(&self.shared.api, outcome, now);
        self.settle(token, turn);
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(alarm, token)) = self.alarms.first() {
            if alarm > now {
                return;
            }
            self.alarms.remove(&(alarm, token));
            let Some(kept) = self.connections.get_mut(&token) else {
                continue;
            };
            let expired = kept.connection.deadline() <= now;
            let turn = expired.then(|| kept.connection.expire(&self.shared.api, now));
            kept.alarm = kept.connection.deadline();
            self.alarms.insert((kept.alarm, token));
            if let Some(turn) = turn {
                self.settle(token, turn);
            }
        }
    }

    /// Does what a turn asked for and sees to it that no deadline is missed.
    fn settle(&mut self, token: u64, turn: Turn) {
        let Some(kept) = self.connections.get_mut(&token) else {
            return;
        };
        let deadline = kept.connection.deadline();
        if deadline < kept.alarm {
            self.alarms.remove(&(kept.alarm, token));
            self.alarms.insert((deadline, token));
            kept.alarm = deadline;
        }
        let Ok(gone) = kept.connection.report(&*self.shared.api) else {
            // All that strangers may hold is held, and nobody holds more than this one. What it did is in force all the
            // same, and has to be written.
            if let Turn::Change(pending) = turn {
                self.commit(token, pending);
            }
            return self.shed(token);
        };
        for victim in gone {
            self.close(victim);
        }
        match turn {
            Turn::Parked => {}
            Turn::More => self.make_ready(token),
            Turn::Closed => self.drop_connection(token),
            Turn::Stream(stream) => self.hand_over(token, *stream),
            Turn::Change(pending) => self.commit(token, pending),
            Turn::Dispatch(work) => {
                let (call, request) = *work;
                let holder = self.shared.api.holder(&call);
                let job = Job {
                    call,
                    request,
                    reply_to: self.mailbox.clone(),
                    connection: token,
                };
                self.shared.pool.submit(holder, job);
            }
        }
    }

    /// Gives the records of a request's change to the journal, which writes a letter when it has them, or can not have
    /// them.
    fn commit(&mut self, token: u64, pending: Box<PendingChange>) {
        let records = pending.records();
        self.changes.insert(token, pending);
        let reply_to = ReplyTo::Letter(self.mailbox.clone(), token);
        self.shared.api.journal.submit(records, reply_to);
    }

    /// Answers a request's change. Finishes it also for a client that has left: what could not be written may have to
    /// be taken back.
    fn committed(&mut self, token: u64, committed: Result<(), CommitError>, now: Instant) {
        if let Some(pending) = self.changes.remove(&token) {
            let answer = self.shared.api.committed(*pending, committed);
            self.finish(token, Outcome::Response(answer), now);
        }
    }

    fn hand_over(&mut self, token: u64, stream: Stream) {
        let Some(connection) = self.forget(token) else {
            return;
        };
        let (transport, leftover, place) = connection.into_stream();
        // A stream is not shed. One that lost its place before it was one must not live outside the limit.
        if !place.is_held() {
            return;
        }
        self.shared.api.hub.subscribe(Subscription {
            transport,
            encoding: stream.encoding,
            leftover,
            filter: stream.filter,
            since: stream.since,
            boot: stream.boot,
            alive: stream.alive,
            keep: Box::new(place),
        });
    }

    fn leave(&mut self, deadline: Instant) {
        self.leaving = Some(deadline);
        for listener in self.listeners.drain(..) {
            let _ = epoll::delete(&self.epoll, &listener);
        }
        let done: Vec<_> = self
            .connections
            .iter_mut()
            .filter_map(|(token, kept)| kept.connection.leave().then_some(*token))
            .collect();
        for token in done {
            self.drop_connection(token);
        }
    }

    fn drop_connection(&mut self, token: u64) {
        drop(self.forget(token));
    }

    /// Takes a connection out of the worker; its socket is still open.
    pub(super) fn forget(&mut self, token: u64) -> Option<Connection> {
        let OwnedConnection {
            connection, alarm, ..
        } = self.connections.remove(&token)?;
        self.alarms.remove(&(alarm, token));
        let _ = epoll::delete(&self.epoll, &connection);
        Some(connection)
    }
}

/// Waits for clients of this listener. Exclusive: one worker wakes for a new client, not all of them.
fn watch(epoll: &OwnedFd, index: usize, listener: &Listener) -> io::Result<()> {
    let data = EventData::new_u64(index as u64);
    let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
    Ok(epoll::add(epoll, listener, data, flags)?)
}

/// The token of the mailbox's wake-up.
const WAKE: u64 = u64::MAX;

/// Tokens below it are listeners'. A connection's token is never used again, so a late outcome finds nobody.
const FIRST_CONNECTION: u64 = 1 << 16;

/// What one wait may return.
const EVENTS: usize = 128;

/// The largest TLS record there is, and its header (RFC 8446, section 5.2).
const SCRATCH: usize = 16 * 1024 + 512;

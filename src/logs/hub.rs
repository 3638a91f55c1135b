//! The hub: one thread and one epoll instance for all subscribers.
//!
//! A subscriber is a cursor into the ring and at most one bounded buffer of output, so a slow one costs no memory and
//! delays nobody: when the ring has overrun its cursor it is told by a `gap` and goes on. Each turn serves every
//! subscriber that can be served a bounded amount. The thread sleeps until a descriptor is ready, a deadline is due,
//! or a push wakes it; it asks for that only while somebody can take what is pushed.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::ring::Ring;
use super::ring_entry::RingEntry;
use crate::clock::{Moment, TimeSource};
use subscriber::{CLOSE_WAIT, Subscriber, SubscriberTurn};
use wire::StreamEnd;

mod protocol;
mod stream;
mod subscriber;
#[cfg(test)]
mod tests;
mod transport;
mod websocket;
mod wire;

pub use subscriber::{Alive, Subscription};
pub use transport::Transport;
pub use wire::Encoding;

/// The handle of the hub's thread. Dropped, it closes all streams at once.
pub struct Hub {
    // Unbounded, since each subscription in it holds a connection that was counted when it was accepted.
    commands: Sender<HubCommand>,
    waker: Arc<Waker>,
    count: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum HubCommand {
    Subscribe(Box<Subscription>),
    Recheck,
    Answer(Box<dyn FnOnce() + Send>),
    Shutdown(Duration),
}

impl Hub {
    /// Starts the thread. A ring has one hub, and wakes it by `waker`.
    ///
    /// # Errors
    /// The kernel gives no epoll instance or thread.
    pub fn start(
        ring: Arc<Ring>,
        waker: Arc<Waker>,
        time: Arc<dyn TimeSource>,
    ) -> io::Result<Self> {
        let (commands, inbox) = crossbeam_channel::unbounded();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &waker.0,
            epoll::EventData::new_u64(WAKER),
            epoll::EventFlags::IN,
        )?;
        let count = Arc::new(AtomicUsize::new(0));
        let service = HubThread {
            ring,
            time,
            epoll,
            inbox,
            waker: waker.clone(),
            count: count.clone(),
            subscribers: BTreeMap::new(),
            next_token: WAKER + 1,
            ending: None,
        };
        let thread = thread::Builder::new()
            .name("hub".into())
            .stack_size(STACK)
            .spawn(move || service.run())?;
        Ok(Self {
            commands,
            waker,
            count,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Takes over a connection. The `hello` is sent at once. After [`Hub::shutdown`] it is dropped.
    pub fn subscribe(&self, subscription: Subscription) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.command(HubCommand::Subscribe(Box::new(subscription)));
    }

    /// Has each subscriber's `alive` asked, and those closed (1008) whose login has ended. Call it after every
    /// revocation. It does not wait.
    pub fn recheck(&self) {
        self.command(HubCommand::Recheck);
    }

    /// Has the hub's thread call this soon, to see that it still turns. It does not wait.
    pub fn ask(&self, answer: Box<dyn FnOnce() + Send>) {
        self.command(HubCommand::Answer(answer));
    }

    /// How many streams are served, those that are closing included.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Closes every stream (1001), waits for the peers to take and answer that, at most this long (and no longer than
    /// 5 s), and ends the thread.
    pub fn shutdown(&self, within: Duration) {
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        self.command(HubCommand::Shutdown(within));
        if thread.join().is_err() {
            log::error!("the hub's thread had panicked");
        }
        self.count.store(0, Ordering::Relaxed);
    }

    fn command(&self, command: HubCommand) {
        // Fails only once the thread has ended; then the connection is closed with the command.
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

/// An event counter that ends the hub's sleep. It is made before the ring, which wakes the hub by it.
pub struct Waker(OwnedFd);

impl Waker {
    /// One that nobody has woken.
    ///
    /// # Errors
    /// The kernel gives no event counter.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(eventfd(0, flags)?))
    }

    /// What the ring calls.
    #[must_use]
    pub fn call(self: &Arc<Self>) -> Box<dyn Fn() + Send + Sync> {
        let waker = self.clone();
        Box::new(move || waker.wake())
    }

    /// Ends the sleep. Neither blocks nor logs.
    pub fn wake(&self) {
        // It can only fail when the counter is full, and then a wake-up is under way already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn reset(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// What the thread owns.
struct HubThread {
    ring: Arc<Ring>,
    time: Arc<dyn TimeSource>,
    epoll: OwnedFd,
    inbox: Receiver<HubCommand>,
    waker: Arc<Waker>,
    count: Arc<AtomicUsize>,
    subscribers: BTreeMap<u64, Subscriber>,
    /// Never used twice, so that a late event finds nobody rather than somebody else.
    next_token: u64,
    /// Set at shut-down: until then streams may close in good order.
    ending: Option<Moment>,
}

impl HubThread {
    fn run(mut self) {
        let mut batch = Vec::new();
        let mut more = false;
        loop {
            let now = self.time.monotonic();
            if let Some(until) = self.ending
                && (self.subscribers.is_empty() || until <= now)
            {
                return;
            }
            let timeout = if more || !self.may_sleep() {
                Some(Duration::ZERO)
            } else {
                self.next_deadline().map(|due| due.saturating_since(now))
            };
            if let Err(error) = self.wait(timeout) {
                log::error!(error:% = error; "the hub cannot wait for its subscribers and ends");
                return;
            }
            self.take_commands(&mut batch);
            more = self.serve(&mut batch);
        }
    }

    /// Asks for a wake-up at the next push where one is wanted; false if there is news already.
    fn may_sleep(&self) -> bool {
        let waiting = self.subscribers.values().filter(|s| s.awaits_push());
        match waiting.map(Subscriber::seen).min() {
            Some(seen) => self.ring.await_push(seen),
            None => true,
        }
    }

    fn next_deadline(&self) -> Option<Moment> {
        let first = self.subscribers.values().map(Subscriber::deadline).min();
        match (first, self.ending) {
            (Some(first), Some(ending)) => Some(first.min(ending)),
            (first, ending) => first.or(ending),
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        // A whole millisecond more: old kernels round down, and would have us spin until the deadline.
        let timeout = timeout.map(|timeout| {
            let slack = Duration::from_millis(u64::from(!timeout.is_zero()));
            Timespec::try_from(timeout.min(LONGEST_WAIT) + slack).unwrap_or_default()
        });
        let spare = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let now = self.time.monotonic();
        for event in events {
            let token = event.data.u64();
            if token == WAKER {
                self.waker.reset();
            } else if let Some(subscriber) = self.subscribers.get_mut(&token) {
                // Copied out: the kernel's struct is packed.
                let flags = event.flags;
                let broken = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
                subscriber.announce(
                    broken || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
                    broken || flags.contains(epoll::EventFlags::OUT),
                    now,
                );
            }
        }
        Ok(())
    }

    fn take_commands(&mut self, batch: &mut Vec<RingEntry>) {
        while let Ok(command) = self.inbox.try_recv() {
            let now = self.time.monotonic();
            match command {
                HubCommand::Subscribe(subscription) => self.add(*subscription, now),
                HubCommand::Recheck => {
                    for subscriber in self.subscribers.values_mut() {
                        subscriber.recheck(now);
                    }
                }
                HubCommand::Answer(answer) => answer(),
                HubCommand::Shutdown(within) => {
                    // Whoever keeps up gets what there is before the close.
                    self.serve(batch);
                    let until = now + within.min(CLOSE_WAIT);
                    self.ending = Some(until);
                    for subscriber in self.subscribers.values_mut() {
                        subscriber.close(StreamEnd::GoingAway, until);
                    }
                }
            }
        }
    }

    fn add(&mut self, subscription: Subscription, now: Moment) {
        let token = self.next_token;
        self.next_token += 1;
        let registered = epoll::add(
            &self.epoll,
            &subscription.transport,
            epoll::EventData::new_u64(token),
            // Edge-triggered, once for all: no system call a state change, and no storm of events from a peer
            // that is always writable.
            epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET,
        );
        if let Err(error) = registered {
            log::warn!(error:% = error; "a log stream cannot be served");
            self.count.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let mut subscriber = Subscriber::new(subscription, &self.ring, now);
        // The login may have ended between its check and here.
        subscriber.recheck(now);
        if let Some(until) = self.ending {
            subscriber.close(StreamEnd::GoingAway, until);
        }
        self.subscribers.insert(token, subscriber);
    }

    /// Gives every subscriber a turn; true if one has more to do right now.
    fn serve(&mut self, batch: &mut Vec<RingEntry>) -> bool {
        let now = self.time.monotonic();
        let mut more = false;
        let Self {
            ring, subscribers, ..
        } = self;
        let before = subscribers.len();
        subscribers.retain(|_, subscriber| {
            let turn = subscriber.turn(now, ring, batch);
            more |= turn == SubscriberTurn::More;
            turn != SubscriberTurn::Over
        });
        self.count
            .fetch_sub(before - self.subscribers.len(), Ordering::Relaxed);
        batch.clear();
        more
    }
}

/// The waker's token; subscribers' are greater.
const WAKER: u64 = 0;

/// Events taken from the kernel at once; the rest comes with the next turn.
const EVENTS_A_TURN: usize = 64;

/// Old kernels refuse a wait of more than 2³¹ ms. Nothing here waits longer than a ping anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// TLS and JSON need some depth; nothing here recurses.
const STACK: usize = 256 * 1024;

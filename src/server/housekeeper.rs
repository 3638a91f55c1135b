//! The one thread that looks after everything that only time changes: expiry, the journal's marks and compaction, the
//! certificate's files, doors that are missing, the watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::doors::Doors;
use super::tls::{Certificate, PairRefused};
use super::watchdog::{Feeder, INTERVAL};
use crate::api::{Api, CertificateState};
use crate::audit::{Event, EventKind, EventOutcome};
use crate::limits::bucket::Buckets;

/// The running housekeeper.
pub struct Housekeeper {
    orders: Sender<HousekeeperCommand>,
    /// Parts are ending, and need not answer any more.
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

enum HousekeeperCommand {
    Reload,
}

impl Housekeeper {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        api: Arc<Api>,
        handshakes: Arc<Buckets>,
        certificate: Arc<Certificate>,
        doors: Doors,
        feeder: Option<Feeder>,
    ) -> std::io::Result<Self> {
        // One reload waiting is as good as ten.
        let (orders, received) = bounded(1);
        let leaving = Arc::new(AtomicBool::new(false));
        let round = HousekeeperThread {
            api,
            handshakes,
            certificate,
            doors,
            feeder,
            leaving: leaving.clone(),
        };
        let thread = Builder::new()
            .name("housekeeper".into())
            .spawn(move || round.keep(&received))?;
        Ok(Self {
            orders,
            leaving,
            thread,
        })
    }

    /// The server is about to end. The watchdog has to be told so by others; it is not fed any more.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Reads the certificate's files again, soon.
    pub fn reload(&self) {
        let _ = self.orders.try_send(HousekeeperCommand::Reload);
    }

    /// Ends it.
    pub fn stop(self) {
        drop(self.orders);
        let _ = self.thread.join();
    }
}

struct HousekeeperThread {
    api: Arc<Api>,
    handshakes: Arc<Buckets>,
    certificate: Arc<Certificate>,
    doors: Doors,
    feeder: Option<Feeder>,
    leaving: Arc<AtomicBool>,
}

impl HousekeeperThread {
    fn keep(mut self, orders: &Receiver<HousekeeperCommand>) {
        let mut now = Instant::now();
        let (mut swept, mut next) = (now, now + INTERVAL);
        loop {
            let look = self.feeder.as_ref().map_or(next, Feeder::next);
            match orders.recv_deadline(next.min(look)) {
                Ok(HousekeeperCommand::Reload) => self.reload(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            now = Instant::now();
            if self.leaving.load(Ordering::Relaxed) {
                self.feeder = None;
            }
            // Before anything that may take its time.
            if let Some(feeder) = &mut self.feeder
                && feeder.next() <= now
            {
                feeder.look(now);
            }
            if now < next {
                continue;
            }
            next = now + INTERVAL;
            self.look_after();
            if now.saturating_duration_since(swept) >= SWEEP {
                swept = now;
                self.sweep();
            }
        }
    }

    fn look_after(&mut self) {
        if !self.leaving.load(Ordering::Relaxed) {
            self.doors.look(&self.api);
        }
        if self.certificate.wants_reading(self.api.clock.wall()) {
            self.reload();
        } else {
            tell_certificate(&self.api, &self.certificate, false);
        }
        // Always before the clock is marked: a lock-out must not end because the clock was set.
        self.api.auth.heed_clock();
        #[cfg(feature = "updates")]
        self.api.updates.look();
        // Before anybody's logout finds out.
        self.api.journal.look_for_room();
        if !self.api.journal.healthy() {
            self.api.journal.tick();
        }
    }

    fn sweep(&self) {
        let now = self.api.clock.monotonic();
        self.api.buckets.sweep(now);
        self.handshakes.sweep(now);
        self.api.auth.tick();
        self.api.journal.tick();
    }

    fn reload(&self) {
        let before = self.certificate.fingerprint();
        let read = self.certificate.reload(self.api.clock.wall());
        let fingerprint = self.certificate.fingerprint();
        tell_certificate(&self.api, &self.certificate, read.is_err());
        if read.is_ok() {
            log::info!(fingerprint = fingerprint.as_str(); "the certificate was read again");
            if fingerprint == before {
                return;
            }
        }
        // Refused or not: of the one that is served now.
        let event = Event {
            outcome: match read {
                Ok(()) => EventOutcome::Done,
                Err(PairRefused) => EventOutcome::Refused,
            },
            more: Some(("fingerprint", &fingerprint)),
            ..Event::default()
        };
        self.api.audit.record(EventKind::Certificate, &event);
    }
}

/// Tells the API about the certificate's state, and also the log, if that has changed or `again`.
pub fn tell_certificate(api: &Api, certificate: &Certificate, again: bool) {
    let trouble = certificate.trouble(api.clock.wall());
    let fresh = CertificateState {
        expires: certificate.expires(),
        trouble: trouble.clone(),
    };
    let told = std::mem::replace(&mut *api.certificate.lock(), fresh).trouble;
    match trouble {
        Some(trouble) if again || told.as_ref() != Some(&trouble) => {
            log::error!(problem = trouble.detail.as_str(); "{}", trouble.reason);
        }
        None if told.is_some() => log::info!("the certificate is good again"),
        _ => {}
    }
}

/// How often expired things are thrown away.
const SWEEP: Duration = Duration::from_secs(60);

//! The one thread that looks after everything that only time changes: expiry, the journal's marks and compaction, the
//! certificate's files, the watchdog.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sd_notify::NotifyState;

use super::tls::Certificate;
use crate::api::Api;
use crate::limits::bucket::Buckets;

/// The running housekeeper.
pub struct Housekeeper {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

enum Order {
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
    ) -> std::io::Result<Self> {
        // One reload waiting is as good as ten.
        let (orders, received) = bounded(1);
        let round = Round {
            api,
            handshakes,
            certificate,
            watchdog: watchdog_interval(),
        };
        let thread = Builder::new()
            .name("housekeeper".into())
            .spawn(move || round.keep(&received))?;
        Ok(Self { orders, thread })
    }

    /// Reads the certificate's files again, soon.
    pub fn reload(&self) {
        let _ = self.orders.try_send(Order::Reload);
    }

    /// Ends it.
    pub fn stop(self) {
        drop(self.orders);
        let _ = self.thread.join();
    }
}

struct Round {
    api: Arc<Api>,
    handshakes: Arc<Buckets>,
    certificate: Arc<Certificate>,
    watchdog: Option<Duration>,
}

impl Round {
    fn keep(&self, orders: &Receiver<Order>) {
        let mut swept = Instant::now();
        let interval = self
            .watchdog
            .map_or(INTERVAL, |watchdog| watchdog.min(INTERVAL));
        loop {
            match orders.recv_timeout(interval) {
                Ok(Order::Reload) => self.reload(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.watchdog.is_some() {
                let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
            }
            if self.certificate.files_changed() {
                self.reload();
            }
            // Always before the clock is marked: a lock-out must not end because the clock was set.
            self.api.auth.heed_clock();
            // Before anybody's logout finds out.
            self.api.journal.look_for_room();
            if !self.api.journal.healthy() {
                self.api.journal.tick();
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep();
            }
        }
    }

    fn sweep(&self) {
        let now = self.api.clock.monotonic();
        self.api.buckets.sweep(now);
        self.handshakes.sweep(now);
        self.api.numbers.keep_ahead(self.api.ring.bounds().1);
        self.api.auth.tick();
        self.api.journal.tick();
    }

    fn reload(&self) {
        match self.certificate.reload() {
            Ok(()) => {
                let fingerprint = self.certificate.fingerprint();
                log::info!(fingerprint = fingerprint.as_str(); "the certificate was read again");
            }
            Err(problem) => {
                log::error!(problem:% = problem; "the new certificate is refused; the old one serves on");
            }
        }
    }
}

/// Half of what systemd allows, as it advises (`sd_watchdog_enabled(3)`).
fn watchdog_interval() -> Option<Duration> {
    let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros / 2))
}

/// How soon a changed certificate or a healed disk is noticed. A sleeping board is woken no oftener.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often expired things are thrown away.
const SWEEP: Duration = Duration::from_secs(60);

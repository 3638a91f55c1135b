//! Reports to systemd's watchdog (`WatchdogSec=`), or another supervisor's. It reports that all is well only while
//! every part of the server answers; otherwise the supervisor restarts the server.

use std::env;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::liveness::{Liveness, WatchedPart};
use super::mailbox::Mailbox;
use super::pool;
use crate::api::Api;

/// A watchdog to be fed.
#[derive(Clone)]
pub struct Watchdog {
    /// After how long without food it bites.
    pub limit: Duration,
    /// Feeds it.
    pub feed: Arc<dyn Fn() + Send + Sync>,
}

impl Watchdog {
    /// systemd's, if it has one for this process (`sd_watchdog_enabled(3)`).
    #[must_use]
    pub fn of_systemd() -> Option<Self> {
        let variable = |name| env::var(name).ok();
        let limit = limit(
            variable("WATCHDOG_USEC"),
            variable("WATCHDOG_PID"),
            process::id(),
        )?;
        let feed = || drop(sd_notify::notify(false, &[NotifyState::Watchdog]));
        Some(Self {
            limit,
            feed: Arc::new(feed),
        })
    }
}

/// What the variables come to for the process `own`.
fn limit(micros: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

/// Everything that has to answer.
pub fn parts(api: &Arc<Api>, workers: &[Arc<Mailbox>], pool: &pool::Threads) -> Vec<WatchedPart> {
    let mut parts: Vec<_> = workers
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, worker)| {
            WatchedPart::answering(format!("worker-{index}"), move |answer| worker.ask(answer))
        })
        .collect();
    parts.extend(pool.parts(api));
    let hub = api.hub.clone();
    parts.push(WatchedPart::answering("hub".into(), move |answer| {
        hub.ask(answer);
    }));
    let journal = api.journal.clone();
    let ask = move |answer| journal.ask(answer);
    parts.push(WatchedPart::answering("journal".into(), ask));
    parts
}

/// Feeds the watchdog. It asks every part once in half the watchdog's limit, so that an idle board sleeps in between. A
/// part has half of the limit to answer.
pub struct Feeder {
    watchdog: Watchdog,
    liveness: Liveness,
    /// Whether answers are still out.
    asked: bool,
    fed: Instant,
    next: Instant,
    /// Who was last said not to answer.
    told: String,
}

impl Feeder {
    /// Asks for the first time.
    pub fn new(watchdog: Watchdog, mut liveness: Liveness, now: Instant) -> Self {
        liveness.ask();
        Self {
            next: now + step(watchdog.limit),
            watchdog,
            liveness,
            asked: true,
            fed: now,
            told: String::new(),
        }
    }

    /// When to look next.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Looks which parts have answered; feeds the watchdog if all have; asks again when it is time.
    pub fn look(&mut self, now: Instant) {
        let half = self.watchdog.limit / 2;
        let step = step(self.watchdog.limit);
        self.next = now + step;
        if self.asked {
            let silent = self.liveness.silent().join(", ");
            if silent.is_empty() {
                (self.watchdog.feed)();
                self.fed = now;
                self.asked = false;
                self.tell(silent);
            } else if now.saturating_duration_since(self.fed) >= half {
                self.tell(silent);
            }
        }
        // Looked at one step later, when it is time to feed.
        if !self.asked && now.saturating_duration_since(self.fed) >= half.saturating_sub(step) {
            self.liveness.ask();
            self.asked = true;
        }
    }

    fn tell(&mut self, silent: String) {
        if silent == self.told {
            return;
        }
        if silent.is_empty() {
            log::warn!("every part of the server answers again");
        } else {
            log::error!(silent = silent.as_str(); "parts of the server do not answer; unless they do soon, the watchdog will restart it");
        }
        self.told = silent;
    }
}

/// How long to wait between two looks: in the housekeeper's rounds, unless the limit is too short for that.
fn step(limit: Duration) -> Duration {
    INTERVAL.min(limit / 4)
}

/// How often the housekeeper looks, and so how soon a changed certificate or a healed disk is noticed. A sleeping board
/// is woken no oftener, not for a watchdog either.
pub const INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;

//! The watchdog of whoever started the server, systemd's `WatchdogSec=`: it hears that all is well only while every part of
//! the server answers, and restarts what does not.

use std::env;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::housekeeper::INTERVAL;
use super::pool;
use super::pulse::{Part, Pulse};
use super::worker::Mailbox;
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
pub fn parts(api: &Arc<Api>, workers: &[Arc<Mailbox>], pool: &pool::Threads) -> Vec<Part> {
    let mut parts: Vec<_> = workers
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, worker)| {
            Part::answering(format!("worker-{index}"), move |answer| worker.ask(answer))
        })
        .collect();
    parts.extend(pool.parts(api));
    let hub = api.hub.clone();
    parts.push(Part::answering("hub".into(), move |answer| hub.ask(answer)));
    let journal = api.journal.clone();
    let ask = move |answer| journal.ask(answer);
    parts.push(Part::answering("journal".into(), ask));
    parts
}

/// What feeds the watchdog. Everybody is asked once in half its limit, so that an idle board sleeps in between, and has
/// half of it to answer.
pub struct Feeder {
    watchdog: Watchdog,
    pulse: Pulse,
    /// Whether answers are still out.
    asked: bool,
    fed: Instant,
    next: Instant,
    /// Who was last said not to answer.
    told: String,
}

impl Feeder {
    /// Asks for the first time.
    pub fn new(watchdog: Watchdog, mut pulse: Pulse, now: Instant) -> Self {
        pulse.ask();
        Self {
            next: now + step(watchdog.limit),
            watchdog,
            pulse,
            asked: true,
            fed: now,
            told: String::new(),
        }
    }

    /// When to look next.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Looks who has answered; feeds if everybody has; asks if it is time.
    pub fn look(&mut self, now: Instant) {
        let half = self.watchdog.limit / 2;
        let step = step(self.watchdog.limit);
        self.next = now + step;
        if self.asked {
            let silent = self.pulse.silent().join(", ");
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
            self.pulse.ask();
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

#[cfg(test)]
mod tests {
    use super::super::pulse::Answer;
    use super::*;
    use parking_lot::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIMIT: Duration = Duration::from_secs(30);

    /// A feeder of one part that keeps what it is asked, and its time.
    struct Bench {
        feeder: Feeder,
        now: Instant,
        questions: Arc<Mutex<Vec<Answer>>>,
        asked: usize,
        meals: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(limit: Duration) -> Self {
            let questions = Arc::new(Mutex::new(Vec::new()));
            let kept = questions.clone();
            let part = Part::answering("part".into(), move |answer| kept.lock().push(answer));
            let meals = Arc::new(AtomicUsize::new(0));
            let count = meals.clone();
            let watchdog = Watchdog {
                limit,
                feed: Arc::new(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                }),
            };
            let now = Instant::now();
            Self {
                feeder: Feeder::new(watchdog, Pulse::new(vec![part]), now),
                now,
                questions,
                asked: 0,
                meals,
            }
        }

        fn answer(&mut self) {
            for answer in std::mem::take(&mut *self.questions.lock()) {
                self.asked += 1;
                answer();
            }
        }

        /// Lets time pass until the next look, and a moment more; whether it fed.
        fn look(&mut self) -> bool {
            let before = self.meals.load(Ordering::Relaxed);
            self.now = self.feeder.next() + Duration::from_millis(1);
            self.feeder.look(self.now);
            self.meals.load(Ordering::Relaxed) > before
        }
    }

    #[test]
    fn a_part_that_answers_is_asked_once_in_half_the_limit_and_the_watchdog_fed_as_often() {
        for limit in [LIMIT, Duration::from_millis(200), Duration::from_secs(3600)] {
            let mut bench = Bench::new(limit);
            let begun = bench.now;
            let mut fed_at = begun;
            while bench.now < begun + 50 * limit {
                bench.answer();
                if bench.look() {
                    let pause = bench.now.duration_since(fed_at);
                    assert!(pause < limit * 2 / 3, "{pause:?} of {limit:?}");
                    fed_at = bench.now;
                }
            }
            assert!(bench.asked <= 102, "{} times", bench.asked);
            assert!(bench.asked >= 90, "{} times", bench.asked);
        }
    }

    #[test]
    fn nothing_is_fed_while_a_part_is_silent_and_at_once_when_it_answers() {
        let mut bench = Bench::new(LIMIT);
        bench.answer();
        assert!(bench.look());
        let fed = bench.now;
        // Asked meanwhile, once.
        while bench.now < fed + 10 * LIMIT {
            assert!(!bench.look());
        }
        assert_eq!(bench.questions.lock().len(), 1);
        assert_eq!(bench.feeder.told, "part");
        bench.answer();
        assert!(bench.look());
        assert_eq!(bench.feeder.told, "");
    }

    #[test]
    fn a_part_has_half_the_limit_to_answer() {
        let mut bench = Bench::new(LIMIT);
        bench.answer();
        assert!(bench.look());
        let fed = bench.now;
        while bench.questions.lock().is_empty() {
            assert!(!bench.look());
        }
        let asked = bench.now;
        while bench.now < asked + LIMIT / 3 {
            assert!(!bench.look());
        }
        bench.answer();
        assert!(bench.look());
        assert!(bench.now < fed + LIMIT, "before it bites");
    }

    #[test]
    fn a_watchdog_is_heeded_if_it_is_for_this_process() {
        let of = |micros: &str, pid: Option<&str>| {
            limit(Some(micros.to_owned()), pid.map(str::to_owned), 42)
        };
        assert_eq!(of("30000000", Some("42")), Some(LIMIT));
        assert_eq!(of("30000000", None), Some(LIMIT));
        assert_eq!(of("30000000", Some("43")), None);
        assert_eq!(of("30000000", Some("x")), None);
        assert_eq!(of("0", Some("42")), None);
        assert_eq!(of("soon", Some("42")), None);
        assert_eq!(limit(None, Some("42".into()), 42), None);
    }
}

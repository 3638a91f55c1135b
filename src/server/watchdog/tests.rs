use super::super::liveness::LivenessReply;
use super::*;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const LIMIT: Duration = Duration::from_secs(30);

/// A feeder of one part that keeps what it is asked, and its time.
struct Bench {
    feeder: Feeder,
    now: Instant,
    questions: Arc<Mutex<Vec<LivenessReply>>>,
    asked: usize,
    meals: Arc<AtomicUsize>,
}

impl Bench {
    fn new(limit: Duration) -> Self {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let kept = questions.clone();
        let part = WatchedPart::answering("part".into(), move |answer| kept.lock().push(answer));
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
            feeder: Feeder::new(watchdog, Liveness::new(vec![part]), now),
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

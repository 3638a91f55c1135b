//! The count is exact, the lock-out is as long as it says, and the table never lets anybody in.

use super::*;
use crate::clock::{FakeTimeSource, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);
const WINDOW: Duration = Duration::from_secs(300);

struct Fixture {
    time: Arc<FakeTimeSource>,
    clock: Clock,
    attempts: Attempts,
}

fn fixture(max: u32, capacity: usize) -> Fixture {
    let time = Arc::new(FakeTimeSource::new(Timestamp::from_secs(1_795_000_000)));
    Fixture {
        clock: Clock::new(time.clone(), None),
        time,
        attempts: Attempts::new(max, WINDOW, capacity),
    }
}

impl Fixture {
    fn fail(&self, client: ClientKey) -> Result<Option<LockOut>, NotAdmitted> {
        let attempt = self.attempts.admit(client, &self.clock)?;
        Ok(attempt.failed(self.clock.monotonic()))
    }

    fn pass(&self, secs: u64) {
        self.time.advance(Duration::from_secs(secs));
    }

    fn retry_after(&self, client: ClientKey) -> Option<u64> {
        match self.attempts.check(client, self.clock.monotonic()) {
            Err(NotAdmitted::LockedOut { retry_after }) => Some(retry_after),
            _ => None,
        }
    }
}

#[test]
fn the_failure_that_fills_the_allowance_locks_out_until_the_oldest_leaves_the_window() {
    let f = fixture(5, 100);
    for _ in 0..4 {
        assert_eq!(f.fail(A), Ok(None));
        f.pass(10);
    }
    let begun = f.fail(A).unwrap().unwrap();
    assert_eq!(begun.remaining, Duration::from_secs(260));
    assert_eq!(f.retry_after(A), Some(260));
    assert_eq!(f.fail(A), Err(NotAdmitted::LockedOut { retry_after: 260 }));
    assert_eq!(f.retry_after(B), None);

    f.time.advance(Duration::from_millis(259_500));
    assert_eq!(f.retry_after(A), Some(1));
    f.time.advance(Duration::from_millis(500));
    assert_eq!(f.retry_after(A), None);
    // Four are still in the window: one more, and the next lock-out lasts until the second leaves.
    let again = f.fail(A).unwrap().unwrap();
    assert_eq!(again.remaining, Duration::from_secs(10));
}

#[test]
fn success_forgives_nothing_and_a_cancelled_attempt_costs_nothing() {
    let f = fixture(2, 100);
    assert_eq!(f.fail(A), Ok(None));
    f.attempts.admit(A, &f.clock).unwrap().succeeded();
    for _ in 0..10 {
        drop(f.attempts.admit(A, &f.clock).unwrap());
    }
    assert!(f.fail(A).unwrap().is_some());
}

#[test]
fn failures_leave_the_window_one_by_one() {
    let f = fixture(2, 100);
    for _ in 0..20 {
        assert_eq!(f.fail(A), Ok(None));
        f.pass(300);
    }
    assert!(f.attempts.list(f.clock.monotonic()).is_empty());
}

#[test]
fn of_fifty_failures_at_once_exactly_the_allowance_is_tried() {
    let f = fixture(5, 100);
    let tried = AtomicUsize::new(0);
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| match f.attempts.admit(A, &f.clock) {
                Ok(attempt) => {
                    tried.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    let _ = attempt.failed(f.clock.monotonic());
                }
                Err(NotAdmitted::LockedOut { retry_after: 300 }) => {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
                Err(other) => panic!("{other:?}"),
            });
        }
    });
    assert_eq!(tried.into_inner(), 5);
    assert_eq!(refused.into_inner(), 45);
}

#[test]
fn thirty_successes_at_once_all_pass() {
    let f = fixture(5, 100);
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| f.attempts.admit(A, &f.clock).unwrap().succeeded());
        }
    });
    assert!(f.attempts.table.lock().clients.is_empty());
}

#[test]
fn waiting_for_an_outcome_ends() {
    let mut f = fixture(1, 100);
    f.attempts.patience = Duration::from_millis(10);
    let never_ends = f.attempts.admit(A, &f.clock).unwrap();
    assert!(matches!(
        f.attempts.admit(A, &f.clock),
        Err(NotAdmitted::Busy)
    ));
    drop(never_ends);
    assert!(f.attempts.admit(A, &f.clock).is_ok());
}

#[test]
fn a_full_table_forgets_failures_but_never_a_lock_out() {
    let f = fixture(2, 3);
    for last in 1..=2 {
        let client = ClientKey::V4([10, 0, 0, last]);
        f.fail(client).unwrap();
        assert!(f.fail(client).unwrap().is_some());
    }
    for n in 0..1000_u64 {
        assert_eq!(f.fail(ClientKey::V6(n.to_be_bytes())), Ok(None));
        assert!(f.attempts.table.lock().clients.len() <= 3);
    }
    assert_eq!(f.attempts.lock_outs(f.clock.monotonic()).len(), 2);

    // Full of lock-outs: strangers are refused until the first ends, not let through uncounted.
    f.pass(100);
    f.fail(A).unwrap();
    f.fail(A).unwrap();
    assert_eq!(f.fail(B), Err(NotAdmitted::LockedOut { retry_after: 200 }));
    f.pass(200);
    assert_eq!(f.fail(B), Ok(None));
}

#[test]
fn a_restored_lock_out_goes_on_for_what_remained() {
    let f = fixture(5, 100);
    f.attempts
        .restore(A, Duration::from_secs(120), f.clock.monotonic());
    f.attempts
        .restore(B, Duration::from_secs(1 << 40), f.clock.monotonic());
    assert_eq!(f.retry_after(A), Some(120));
    assert_eq!(f.retry_after(B), Some(300));
    assert_eq!(
        f.attempts.list(f.clock.monotonic())[0],
        AttemptRow {
            ip: "192.0.2.1".into(),
            attempts: 5,
            blocked: true,
            retry_after: 120
        }
    );
    f.pass(120);
    assert_eq!(f.retry_after(A), None);
    assert_eq!(f.fail(A), Ok(None));
}

#[test]
fn restored_lock_outs_are_kept_whatever_the_capacity_and_newcomers_wait() {
    let f = fixture(5, 3);
    for n in 0..10_u64 {
        let remaining = Duration::from_secs(100 + n);
        let client = ClientKey::V6(n.to_be_bytes());
        f.attempts.restore(client, remaining, f.clock.monotonic());
    }
    assert_eq!(f.fail(A), Err(NotAdmitted::LockedOut { retry_after: 100 }));
    assert_eq!(f.attempts.lock_outs(f.clock.monotonic()).len(), 10);
    f.pass(106);
    assert_eq!(f.fail(A), Err(NotAdmitted::LockedOut { retry_after: 1 }));
    f.pass(1);
    assert_eq!(f.fail(A), Ok(None));
    assert_eq!(f.attempts.lock_outs(f.clock.monotonic()).len(), 2);
}

#[test]
fn clearing_lets_a_client_in_at_once() {
    let f = fixture(2, 100);
    f.fail(A).unwrap();
    f.fail(A).unwrap();
    assert!(f.attempts.clear(A, f.clock.monotonic()));
    assert!(!f.attempts.clear(A, f.clock.monotonic()));
    assert_eq!(f.fail(A), Ok(None));
    assert_eq!(f.attempts.list(f.clock.monotonic()).len(), 1);
    f.pass(300);
    assert!(!f.attempts.clear(A, f.clock.monotonic()));
}

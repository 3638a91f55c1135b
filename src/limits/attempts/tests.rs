//! The count is exact, the lock-out is as long as it says, and the table never lets anybody in.

use super::*;
use crate::clock::{FakeTimeSource, Timestamp};
use crate::limits::proven::MOST_PROVEN;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);
const WINDOW: Duration = Duration::from_secs(300);

/// The `host`th address of the `net`th network.
fn v6(net: u64, host: u64) -> ClientKey {
    let prefix = 0x2001_0db8_0000_0000 | net;
    IpAddr::from((u128::from(prefix) << 64 | u128::from(host)).to_be_bytes()).into()
}

/// The `n`th address of IPv4, which shares an account with nobody.
fn v4(n: u32) -> ClientKey {
    ClientKey::V4((0x0b00_0000 + n).to_be_bytes())
}

struct Fixture {
    time: Arc<FakeTimeSource>,
    clock: Clock,
    proven: Arc<Proven>,
    attempts: Attempts,
}

fn fixture(max: u32, capacity: usize) -> Fixture {
    let proven = Arc::new(Proven::default());
    let time = Arc::new(FakeTimeSource::new(Timestamp::from_secs(1_795_000_000)));
    Fixture {
        clock: Clock::new(time.clone(), None),
        time,
        attempts: Attempts::new(max, WINDOW, capacity, proven.clone()),
        proven,
    }
}

impl Fixture {
    fn fail(&self, client: ClientKey) -> Result<Option<LockOut>, NotAdmitted> {
        let attempt = self.attempts.admit(client, &self.clock)?;
        let begun = attempt.failed(self.clock.monotonic());
        Ok(begun.into_iter().find(|begun| begun.client == client))
    }

    fn prove(&self, client: ClientKey) {
        let now = self.clock.monotonic();
        self.proven.note(client, &"admin".into(), now);
    }

    fn is_locked_out(&self, account: Option<ClientKey>) -> bool {
        let now = self.clock.monotonic();
        self.attempts.is_locked_out(account.unwrap(), now)
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
    for n in 0..1000 {
        assert_eq!(f.fail(v4(n)), Ok(None));
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
    for n in 0..10 {
        let remaining = Duration::from_secs(100 + u64::from(n));
        let client = v4(n);
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

#[test]
fn a_neighbour_locks_out_only_himself() {
    let f = fixture(5, 100);
    let (owner, neighbour) = (v6(1, 1), v6(1, 2));
    for _ in 0..4 {
        assert_eq!(f.fail(neighbour), Ok(None));
    }
    assert!(f.fail(neighbour).unwrap().is_some());
    assert_eq!(f.retry_after(neighbour), Some(300));
    assert_eq!(f.retry_after(owner), None);
    assert!(f.fail(owner).is_ok());
}

#[test]
fn who_has_many_addresses_meets_the_account_of_their_network() {
    let f = fixture(5, 4096);
    for host in 0..50 {
        assert_eq!(f.fail(v6(1, host)), Ok(None), "{host}");
        f.pass(1);
    }
    let network = v6(1, 0).network();
    assert!(f.is_locked_out(network));
    assert_eq!(
        f.fail(v6(1, 1000)),
        Err(NotAdmitted::LockedOut { retry_after: 250 })
    );
    let rows = f.attempts.list(f.clock.monotonic());
    assert_eq!(rows.len(), 51);
    assert_eq!(
        rows[50],
        AttemptRow {
            ip: "2001:db8:0:1::/64".into(),
            attempts: 50,
            blocked: true,
            retry_after: 250
        }
    );
    // Not another network, nor IPv4.
    assert_eq!(f.fail(v6(2, 1)), Ok(None));
    assert_eq!(f.fail(A), Ok(None));
    // It is cleared like an address.
    assert!(f.attempts.clear(network.unwrap(), f.clock.monotonic()));
    assert_eq!(f.fail(v6(1, 1000)), Ok(None));
}

#[test]
fn of_many_addresses_at_once_exactly_the_allowance_of_their_network_is_tried() {
    let f = fixture(2, 4096);
    let tried = AtomicUsize::new(0);
    thread::scope(|scope| {
        for host in 0..60 {
            let (f, tried) = (&f, &tried);
            scope.spawn(move || {
                if let Ok(attempt) = f.attempts.admit(v6(1, host), &f.clock) {
                    tried.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    let _ = attempt.failed(f.clock.monotonic());
                }
            });
        }
    });
    assert_eq!(tried.into_inner(), 20);
}

#[test]
fn a_proven_address_neither_meets_nor_draws_on_the_account_of_its_network() {
    let f = fixture(5, 4096);
    let owner = v6(1, 1);
    f.prove(owner);
    for _ in 0..4 {
        assert_eq!(f.fail(owner), Ok(None));
    }
    for host in 2..52 {
        assert_eq!(f.fail(v6(1, host)), Ok(None), "{host}");
    }
    assert!(f.is_locked_out(owner.network()));
    assert_eq!(f.retry_after(owner), None);
    // His own mistakes count all the same.
    assert!(f.fail(owner).unwrap().is_some());
    assert_eq!(f.retry_after(owner), Some(300));
}

#[test]
fn who_becomes_proven_in_an_attempt_gives_back_what_it_took() {
    let f = fixture(1, 100);
    for host in 0..100 {
        let attempt = f.attempts.admit(v6(1, host), &f.clock).unwrap();
        f.prove(v6(1, host));
        attempt.succeeded();
    }
    assert!(f.attempts.table.lock().clients.is_empty());
}

#[test]
fn a_table_full_of_lock_outs_admits_the_proven() {
    let f = fixture(2, 8);
    for n in 0..8 {
        f.fail(v4(n)).unwrap();
        assert!(f.fail(v4(n)).unwrap().is_some());
    }
    assert!(f.fail(A).is_err());
    f.prove(A);
    assert_eq!(f.fail(A), Ok(None));
    assert!(f.fail(A).unwrap().is_some(), "and counts their failures");
    assert_eq!(f.attempts.lock_outs(f.clock.monotonic()).len(), 9);
    // There is an end to that, too.
    for n in 0..2 * u32::try_from(MOST_PROVEN).unwrap() {
        f.prove(v4(1000 + n));
        let _ = (f.fail(v4(1000 + n)), f.fail(v4(1000 + n)));
    }
    assert_eq!(f.attempts.table.lock().clients.len(), 8 + MOST_PROVEN);
}

#[test]
fn what_makes_room_is_never_the_account_that_is_counted_on() {
    let f = fixture(2, 3);
    // The network's is the longest idle, and one of its addresses comes back into a full table.
    for host in 0..19 {
        f.fail(v6(1, host)).unwrap();
    }
    f.pass(1);
    assert_eq!(f.fail(A), Ok(None));
    f.pass(1);
    f.fail(v6(1, 100)).unwrap();
    assert!(f.is_locked_out(v6(1, 0).network()));
}

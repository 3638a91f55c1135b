use super::*;
use std::net::IpAddr;

const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);

fn at(millis: u64) -> Moment {
    Moment::default() + Duration::from_millis(millis)
}

fn fresh(rps: u32, burst: u32, capacity: usize) -> Buckets {
    Buckets::new(rps, burst, capacity, Arc::default())
}

/// The `host`th address of the `net`th network.
fn v6(net: u64, host: u64) -> ClientKey {
    let prefix = 0x2001_0db8_0000_0000 | net;
    IpAddr::from((u128::from(prefix) << 64 | u128::from(host)).to_be_bytes()).into()
}

fn taken(buckets: &Buckets, client: ClientKey, now: Moment) -> usize {
    (0..1000)
        .take_while(|_| buckets.take(client, now).is_ok())
        .count()
}

#[test]
fn a_fresh_client_gets_exactly_the_burst_and_then_the_rate() {
    for rps in [1, 3, 7, 20, 300] {
        let buckets = fresh(rps, 60, 100);
        assert_eq!(taken(&buckets, A, at(5_000)), 60);
        assert_eq!(taken(&buckets, B, at(5_000)), 60);
        let mut granted = 0;
        for millis in 5_001..=15_000 {
            granted += taken(&buckets, A, at(millis));
        }
        assert_eq!(granted, rps as usize * 10, "{rps} a second for 10 s");
        // A long pause fills the bucket to the burst, not beyond.
        assert_eq!(taken(&buckets, A, at(1_000_000)), 60);
    }
}

#[test]
fn retry_after_is_enough_and_at_least_a_second() {
    let buckets = fresh(20, 60, 100);
    taken(&buckets, A, at(0));
    assert_eq!(buckets.take(A, at(0)), Err(RetryAfter(1)));
    assert_eq!(buckets.take(A, at(50)), Ok(()));

    let slow = fresh(1, 1, 100);
    assert_eq!(slow.take(A, at(0)), Ok(()));
    assert_eq!(slow.take(A, at(1)), Err(RetryAfter(1)));
    assert_eq!(slow.take(A, at(999)), Err(RetryAfter(1)));
    assert_eq!(slow.take(A, at(1000)), Ok(()));
}

#[test]
fn refused_requests_cost_nothing() {
    let buckets = fresh(1, 1, 100);
    assert_eq!(buckets.take(A, at(0)), Ok(()));
    for millis in 0..1000 {
        assert!(buckets.take(A, at(millis)).is_err());
    }
    assert_eq!(buckets.take(A, at(1000)), Ok(()));
}

#[test]
fn millions_of_addresses_do_not_grow_the_table() {
    let buckets = fresh(20, 60, 1024);
    assert!(buckets.take(A, at(0)).is_ok());
    let mut strangers = 0;
    for n in 0..2_000_000_u32 {
        let client = ClientKey::V4((0x0a00_0000 + n).to_be_bytes());
        strangers += usize::from(buckets.take(client, at(0)).is_ok());
    }
    assert_eq!(buckets.len(), 1024);
    // Those with a bucket of their own, and one burst for all the others.
    assert_eq!(strangers, 1023 + 60);
    // Whoever was known before the flood is still served.
    assert_eq!(taken(&buckets, A, at(0)), 59);

    for n in 0..2_000_000_u64 {
        let _ = buckets.take(v6(n, 1), at(1 + n / 100));
        assert!(buckets.len() <= 1024);
        assert!(buckets.tables.lock().networks.full_at.len() <= 1024);
    }
    buckets.sweep(at(100_000));
    assert!(buckets.is_empty());
    assert!(buckets.tables.lock().networks.full_at.is_empty());
}

#[test]
fn full_buckets_make_room_for_new_clients() {
    let buckets = fresh(20, 60, 2);
    assert!(buckets.take(A, at(0)).is_ok());
    assert!(buckets.take(B, at(0)).is_ok());
    let late = ClientKey::V4([192, 0, 2, 3]);
    assert_eq!(taken(&buckets, late, at(200)), 60);
    assert_eq!(buckets.len(), 1);
}

#[test]
fn a_neighbour_costs_only_himself() {
    let buckets = fresh(20, 60, 100);
    assert_eq!(taken(&buckets, v6(1, 1), at(0)), 60);
    assert_eq!(taken(&buckets, v6(1, 2), at(0)), 60);
}

#[test]
fn who_has_many_addresses_meets_the_account_of_their_network() {
    for rps in [1, 20, 300] {
        let buckets = fresh(rps, 60, 100_000);
        let flood = |from: u64, now| {
            (from..from + 10_000)
                .filter(|host| buckets.take(v6(1, *host), now).is_ok())
                .count()
        };
        assert_eq!(flood(0, at(0)), 600);
        assert_eq!(flood(10_000, at(0)), 0);
        // What is refused makes no entry.
        assert_eq!(buckets.len(), 600);
        let mut granted = 0;
        for second in 1..=10 {
            granted += flood(second * 10_000, at(second * 1000));
        }
        assert_eq!(granted, 600.min(rps as usize * 10) * 10, "{rps} a second");
        // Neither another network nor IPv4 notices.
        assert_eq!(taken(&buckets, v6(2, 1), at(10_000)), 60);
        assert_eq!(taken(&buckets, A, at(10_000)), 60);
    }
}

#[test]
fn a_proven_address_neither_meets_nor_draws_on_the_account_of_its_network() {
    let proven = Arc::new(Proven::default());
    let buckets = Buckets::new(20, 60, 100_000, proven.clone());
    let owner = v6(1, 1);
    proven.note(owner, &"admin".into(), at(0));
    for host in 2..1000 {
        let _ = buckets.take(v6(1, host), at(0));
    }
    assert!(buckets.take(v6(1, 1000), at(0)).is_err());
    assert_eq!(taken(&buckets, owner, at(0)), 60);
    // Of the five that come back in 25 ms none went to the owner.
    assert_eq!(taken(&buckets, owner, at(25)), 0);
    let strangers = (1001..2000).filter(|host| buckets.take(v6(1, *host), at(25)).is_ok());
    assert_eq!(strangers.count(), 5);
}

#[test]
fn a_proven_address_has_a_bucket_of_its_own_in_a_full_table() {
    let proven = Arc::new(Proven::default());
    let buckets = Buckets::new(20, 60, 64, proven.clone());
    for net in 0..10_000 {
        let _ = buckets.take(v6(net, 1), at(0));
    }
    assert!(buckets.take(v6(10_001, 1), at(0)).is_err(), "overflown");
    for owner in [A, v6(10_002, 1), v6(3, 2)] {
        proven.note(owner, &"admin".into(), at(0));
        assert_eq!(taken(&buckets, owner, at(0)), 60);
    }
    assert_eq!(buckets.len(), 64 + 3);
}

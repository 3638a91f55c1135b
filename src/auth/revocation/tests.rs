//! Nothing is forgotten too soon, nothing grows without a bound, and a full table says so.

use super::*;
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

impl Revocations {
    fn live(&self, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        for shard in 0..SHARDS {
            self.live_shard(shard, now, sink);
        }
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn id(n: u32) -> Id {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Id(bytes)
}

fn later(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

#[test]
fn a_revocation_is_forgotten_only_after_the_expiry_of_what_it_forbids() {
    let revocations = Revocations::new(100);
    revocations.revoke_token(id(1), later(10), NOW).unwrap();
    revocations.revoke_family(id(2), later(10), NOW).unwrap();
    revocations.use_up(id(3), NOW, later(10)).unwrap();
    // An earlier expiry does not shorten it.
    revocations.revoke_token(id(1), later(5), NOW).unwrap();

    revocations.sweep(later(9));
    assert!(revocations.is_revoked(id(1), id(9)));
    assert!(revocations.is_revoked(id(9), id(2)));
    assert_eq!(
        revocations.use_up(id(3), later(9), later(10)),
        Ok(RefreshUse::Again(NOW))
    );
    revocations.sweep(later(10));
    assert_eq!(revocations.len(), 0);
}

#[test]
fn a_new_password_frees_the_places_of_what_it_makes_pointless() {
    let revocations = Revocations::new(16);
    for n in 0..12 {
        revocations.use_up(id(n), NOW, later(10)).unwrap();
    }
    revocations.revoke_token(id(20), later(10), NOW).unwrap();
    revocations.revoke_family(id(30), later(10), NOW).unwrap();
    revocations.revoke_family(id(31), later(10), NOW).unwrap();
    revocations.revoke_family(id(32), later(10), NOW).unwrap();
    assert_eq!(revocations.revoke_family(id(33), later(10), NOW), Err(Full));
    assert!(revocations.is_full());

    revocations.forget_superseded(Some(id(31)));
    assert_eq!(revocations.len(), 2);
    assert!(!revocations.is_full());
    // A foreign token, and the login that goes on but was ended meanwhile.
    assert!(revocations.is_revoked(id(20), id(99)));
    assert!(revocations.is_revoked(id(99), id(31)));
    assert!(!revocations.is_revoked(id(99), id(30)));
    revocations.forget_superseded(None);
    assert_eq!(revocations.len(), 1);
    for n in 0..15 {
        revocations.revoke_family(id(n), later(10), NOW).unwrap();
    }
    assert_eq!(revocations.revoke_family(id(33), later(10), NOW), Err(Full));
}

#[test]
fn the_oldest_eighth_is_told_by_when_its_tokens_were_issued() {
    let ended = |at: Timestamp| at + REFRESH_TTL;
    let now = later(1000);
    let revocations = Revocations::new(100);
    assert_eq!(revocations.oldest_eighth(now), None);
    for n in 0..16 {
        let at = later(n.into());
        revocations.revoke_family(id(n), ended(at), NOW).unwrap();
        revocations.use_up(id(100 + n), at, ended(at)).unwrap();
    }
    for n in 200..208 {
        revocations.revoke_token(id(n), later(2000), NOW).unwrap();
    }
    // Forty entries: five of them, and the other one of their second.
    assert_eq!(revocations.oldest_eighth(now), Some(later(3)));
    revocations.forget_issued_before(later(3));
    assert_eq!(revocations.len(), 40 - 6);
    assert!(!revocations.is_revoked(id(0), id(2)) && revocations.is_revoked(id(0), id(3)));
    assert_eq!(
        revocations.use_up(id(103), now, later(9)),
        Ok(RefreshUse::Again(later(3)))
    );
    assert!((200..208).all(|n| revocations.is_revoked(id(n), id(0))));
    // Not later than now, and nothing of now.
    assert_eq!(revocations.oldest_eighth(later(4)), Some(later(4)));
    assert_eq!(revocations.oldest_eighth(later(3)), None);
    assert_eq!(revocations.oldest_eighth(NOW), None);
}

#[test]
fn of_many_entries_of_one_second_all_go_or_none() {
    let revocations = Revocations::new(100);
    for n in 0..100 {
        revocations
            .revoke_family(id(n), NOW + REFRESH_TTL, NOW)
            .unwrap();
    }
    assert_eq!(revocations.oldest_eighth(NOW), None);
    let half = NOW + Duration::from_millis(500);
    assert_eq!(revocations.oldest_eighth(half), None);
    assert_eq!(revocations.oldest_eighth(later(1)), Some(later(1)));
    revocations.forget_issued_before(later(1));
    assert_eq!(revocations.len(), 0);
}

#[test]
fn no_entry_looks_older_than_it_is() {
    let revocations = Revocations::new(100);
    // Ended within a second, whose tokens may be of it; remembered for longer than a week, as tokens lived longer once;
    // used by a clock behind the one it was issued by; not forgotten at all.
    let half = NOW + Duration::from_millis(500);
    revocations
        .revoke_family(id(1), half + REFRESH_TTL, NOW)
        .unwrap();
    revocations
        .revoke_family(id(2), later(30 * 86_400), NOW)
        .unwrap();
    revocations
        .use_up(id(3), NOW, later(60) + REFRESH_TTL)
        .unwrap();
    revocations.use_up(id(4), later(60), later(10)).unwrap();
    let never = Timestamp::from_millis(u64::MAX);
    revocations.revoke_family(id(5), never, NOW).unwrap();
    assert_eq!(revocations.oldest_eighth(later(1)), None);
    assert_eq!(revocations.oldest_eighth(later(600)), Some(later(2)));
    revocations.forget_issued_before(later(60));
    assert!(!revocations.is_revoked(id(0), id(1)));
    assert_eq!(revocations.len(), 4);
}

#[test]
fn expiries_are_rounded_up_and_those_beyond_2106_are_never_forgotten() {
    let revocations = Revocations::new(100);
    let odd = NOW + Duration::from_millis(1);
    revocations.revoke_token(id(1), odd, NOW).unwrap();
    revocations
        .revoke_token(id(2), Timestamp::from_millis(u64::MAX), NOW)
        .unwrap();
    revocations.sweep(odd);
    assert!(revocations.is_revoked(id(1), id(1)));
    revocations.sweep(Timestamp::from_millis(u64::MAX));
    assert!(!revocations.is_revoked(id(1), id(1)));
    assert!(revocations.is_revoked(id(2), id(2)));
}

#[test]
fn a_full_table_refuses_and_forgets_nothing() {
    let revocations = Revocations::new(16);
    for n in 0..14 {
        assert_eq!(
            revocations.use_up(id(n), NOW, later(10)),
            Ok(RefreshUse::First)
        );
    }
    assert_eq!(revocations.use_up(id(14), NOW, later(10)), Err(Full));
    // The rest is for logging out. A token takes no room that its login would then lack.
    revocations.revoke_token(id(101), later(10), NOW).unwrap();
    assert_eq!(revocations.revoke_token(id(102), later(10), NOW), Err(Full));
    revocations.revoke_family(id(100), later(10), NOW).unwrap();
    assert_eq!(
        revocations.revoke_family(id(102), later(10), NOW),
        Err(Full)
    );
    assert_eq!(revocations.revoke_token(id(102), later(10), NOW), Err(Full));
    assert_eq!(revocations.revoke_token(id(101), later(11), NOW), Ok(()));
    assert!(!revocations.is_revoked(id(102), id(102)));
    assert_eq!(
        revocations.use_up(id(0), NOW, later(10)),
        Ok(RefreshUse::Again(NOW))
    );
    assert_eq!(revocations.len(), 16);
}

#[test]
fn a_restart_keeps_every_entry() {
    let before = Revocations::new(100);
    before.revoke_token(id(1), later(10), NOW).unwrap();
    before.revoke_family(id(2), later(10), NOW).unwrap();
    before.use_up(id(3), NOW, later(10)).unwrap();
    before.revoke_token(id(4), NOW, NOW).unwrap();
    let after = Revocations::new(1);
    before.live(NOW, &mut |record| {
        assert!(after.apply(record));
        assert!(after.apply(record));
    });
    assert_eq!(after.len(), 3);
    assert!(after.is_revoked(id(1), id(9)));
    assert!(after.is_revoked(id(9), id(2)));
    assert_eq!(
        after.use_up(id(3), NOW, later(10)),
        Ok(RefreshUse::Again(NOW))
    );
    assert!(!after.apply(&Record::Mark { at: NOW }));
    // More than its capacity now: nothing goes, nothing comes.
    assert_eq!(after.revoke_token(id(5), later(10), NOW), Err(Full));
    assert_eq!(after.len(), 3);
}

#[test]
fn a_full_table_takes_new_entries_again_once_old_ones_have_expired() {
    let revocations = Revocations::new(16);
    for n in 0..14 {
        let expires = later(u64::from(10 + n));
        assert_eq!(
            revocations.use_up(id(n), NOW, expires),
            Ok(RefreshUse::First)
        );
    }
    revocations.revoke_token(id(100), later(60), NOW).unwrap();
    revocations.revoke_family(id(101), later(60), NOW).unwrap();
    assert_eq!(revocations.use_up(id(14), later(9), later(60)), Err(Full));
    assert!(revocations.is_full());
    // Nobody has swept. Two have expired, and those two alone are forgotten: the eighth is still kept.
    let now = later(11);
    assert_eq!(revocations.use_up(id(14), now, later(60)), Err(Full));
    assert_eq!(revocations.len(), 14);
    revocations.revoke_family(id(102), later(60), now).unwrap();
    revocations.revoke_family(id(103), later(60), now).unwrap();
    assert_eq!(
        revocations.revoke_family(id(104), later(60), now),
        Err(Full)
    );
    // One more has expired, and makes room for exactly one.
    let now = later(12);
    revocations.revoke_family(id(104), later(60), now).unwrap();
    assert_eq!(
        revocations.revoke_family(id(105), later(60), now),
        Err(Full)
    );
    for n in 3..14 {
        let used = revocations.use_up(id(n), now, later(60));
        assert_eq!(used, Ok(RefreshUse::Again(NOW)), "{n}");
    }
    assert!(revocations.is_revoked(id(100), id(9)));
    for n in 101..105 {
        assert!(revocations.is_revoked(id(9), id(n)), "{n}");
    }
    assert!(revocations.is_full());
    revocations.sweep(later(30));
    assert!(!revocations.is_full());
    assert_eq!(revocations.len(), 5);
}

#[test]
fn of_many_entries_at_once_no_more_are_taken_than_there_is_room_for() {
    let revocations = Revocations::new(1000);
    let taken: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let revocations = &revocations;
                scope.spawn(move || {
                    let ids = (0..500).map(|n| id(thread * 500 + n));
                    let revoked = ids.map(|id| revocations.revoke_family(id, later(10), NOW));
                    revoked.map(|r| u32::from(r.is_ok())).sum::<u32>()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(taken, 1000);
    assert_eq!(revocations.len(), 1000);
    let mut seen = 0;
    revocations.live(NOW, &mut |_| seen += 1);
    assert_eq!(seen, 1000);
}

#[test]
fn what_is_there_all_the_time_is_seen_while_others_come_and_go() {
    let revocations = Revocations::new(100_000);
    for n in 0..1000 {
        revocations.revoke_token(id(n), later(10), NOW).unwrap();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 1000;
            while !done.load(Ordering::Relaxed) {
                revocations.use_up(id(n), NOW, later(10)).unwrap();
                revocations.give_back(id(n.wrapping_sub(500)));
                revocations.sweep(NOW);
                n += 1;
            }
        });
        for _ in 0..50 {
            let mut seen = HashSet::new();
            revocations.live(NOW, &mut |record| {
                if let Record::TokenRevoked { id, .. } = record {
                    seen.insert(*id);
                }
            });
            assert_eq!(seen.len(), 1000);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn whoever_reads_all_entries_may_take_his_time() {
    let revocations = Revocations::new(1000);
    for n in 0..100 {
        revocations.revoke_token(id(n), later(10), NOW).unwrap();
        revocations.use_up(id(n), NOW, later(10)).unwrap();
    }
    revocations.live(NOW, &mut |_| {
        let mut shards = revocations.shards.iter();
        assert!(shards.all(|shard| shard.try_write().is_some()));
    });
}

#[test]
fn an_entry_takes_little_more_than_it_has_to_and_memory_is_given_back() {
    let count = 100_000;
    for (kind, size) in [(0, 20), (1, 20), (2, 28)] {
        let revocations = Revocations::new(count as usize * 2);
        let enter = |n, expires| match kind {
            0 => revocations.revoke_token(id(n), expires, NOW),
            1 => revocations.revoke_family(id(n), expires, NOW),
            _ => revocations.use_up(id(n), NOW, expires).map(|_| ()),
        };
        for n in 0..count {
            enter(n, later(if n % 10 == 0 { 20 } else { 10 })).unwrap();
        }
        let most = count as usize * size * 13 / 10;
        assert!(bytes(&revocations) <= most, "{}", bytes(&revocations));
        revocations.sweep(later(10));
        assert_eq!(revocations.len(), count as usize / 10);
        assert!(bytes(&revocations) <= most / 8);
        revocations.sweep(later(20));
        assert_eq!(bytes(&revocations), 0);
    }
    assert!(size_of::<RwLock<Shard>>() * SHARDS <= 25_000);
}

/// What the entries occupy.
fn bytes(revocations: &Revocations) -> usize {
    let shards = revocations.shards.iter().map(|shard| {
        let shard = shard.read();
        shard.tokens.bytes() + shard.families.bytes() + shard.used.bytes()
    });
    shards.sum()
}

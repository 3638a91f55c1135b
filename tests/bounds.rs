//! Nothing grows without a bound: floods of addresses, revocations, tickets and logins, each until memory has levelled
//! off, and what the bound may never cost.
//!
//! Memory is what the kernel says (`VmRSS`), so each flood has a process of its own. To see the figures:
//! `cargo test --release --test bounds -- --nocapture`.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use postern::auth::{Auth, AuthError, Durable, Principal, REFRESH_TTL, TokenPair};
use postern::clock::{Clock, FakeTimeSource, Moment, Timestamp};
use postern::entropy::SystemEntropy;
use postern::ids::ClientKey;
use postern::ids::Id;
use postern::journal::{FileStorage, Journal, JournalState, Record};
use postern::limits::{Attempts, Buckets, NotAdmitted, Proven};
use tempfile::TempDir;

use settings::settings;

#[path = "support/settings.rs"]
mod settings;

const TODAY: Timestamp = Timestamp::from_secs(1_795_000_000);
const PASSWORD: &str = "correct horse battery";
const OWNER: ClientKey = ClientKey::V4([192, 0, 2, 1]);
const MILLION: u64 = 1_000_000;

#[test]
fn ten_million_addresses_take_no_more_memory_than_a_million() {
    if !alone("ten_million_addresses_take_no_more_memory_than_a_million") {
        return;
    }
    let proven = Arc::new(Proven::default());
    let buckets = Buckets::new(20, 60, 16_384, proven.clone());
    let now = |n: u64| Moment::default() + Duration::from_millis(n / 1000);
    let before = resident();
    let mut levelled = 0;
    for n in 0..10 * MILLION {
        let _ = buckets.take(stranger(n), now(n));
        if n % 50_000 == 0 {
            // Once in 50 ms, as often as he may; the flood changes nothing about that.
            assert_eq!(buckets.take(OWNER, now(n)), Ok(()), "after {n} strangers");
            // And who is new, but proven, has a bucket too.
            let proven_late = stranger(u64::MAX - n);
            proven.note(proven_late, &"admin".into(), now(n));
            for _ in 0..60 {
                assert_eq!(buckets.take(proven_late, now(n)), Ok(()));
            }
        }
        if n == MILLION {
            levelled = resident();
        }
    }
    assert!(buckets.len() <= 16_384 + 16);
    let (grown, since) = (
        resident().saturating_sub(before),
        resident().saturating_sub(levelled),
    );
    println!("10,000,000 addresses ask: {grown} bytes, {since} of them after the first million");
    // A table of clients and one of networks.
    assert!(grown < 6 << 20 && since < 128 << 10);
}

#[test]
fn millions_of_guessers_evict_no_lock_out() {
    if !alone("millions_of_guessers_evict_no_lock_out") {
        return;
    }
    let time = Arc::new(FakeTimeSource::new(TODAY));
    let clock = Clock::new(time.clone(), None);
    let proven = Arc::new(Proven::default());
    let attempts = Attempts::new(5, Duration::from_secs(300), 4096, proven.clone());
    let fail = |client| {
        let attempt = attempts.admit(client, &clock)?;
        Ok::<_, NotAdmitted>(attempt.failed(clock.monotonic()).pop())
    };
    let known = |n: u64| stranger(u64::MAX - n);
    for n in 0..1000 {
        let begun = (0..5).filter_map(|_| fail(known(n)).unwrap());
        assert_eq!(begun.count(), 1);
    }
    let before = resident();
    let mut levelled = 0;
    for n in 0..GUESSERS {
        assert_eq!(fail(stranger(n)), Ok(None));
        if n % (GUESSERS / 200) == 0 {
            // In a network of a guesser who is locked out, too.
            let owner = neighbour(known(n % 1000), n);
            proven.note(owner, &"admin".into(), clock.monotonic());
            assert_eq!(fail(owner), Ok(None));
            time.advance(Duration::from_secs(1));
        }
        if n == GUESSERS / 10 {
            levelled = resident();
        }
    }
    let (grown, since) = (
        resident().saturating_sub(before),
        resident().saturating_sub(levelled),
    );
    println!("{GUESSERS} addresses fail: {grown} bytes, {since} of them after the first tenth");
    assert!(grown < 4 << 20 && since < 128 << 10);
    assert_eq!(attempts.list(clock.monotonic()).len(), 4096);
    assert_eq!(attempts.lock_outs(clock.monotonic()).len(), 1000);
    for n in 0..1000 {
        let refused = attempts.check(known(n), clock.monotonic());
        assert_eq!(refused, Err(NotAdmitted::LockedOut { retry_after: 100 }));
    }
}

/// A server's worth of authentication over a journal in a folder of its own.
struct Fixture {
    time: Arc<FakeTimeSource>,
    durable: Arc<Durable>,
    auth: Auth,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(FakeTimeSource::new(TODAY));
        let durable = Arc::new(Durable::new());
        let storage = Box::new(FileStorage::open(folder.path()).unwrap());
        let (journal, replayed) = Journal::open(storage, durable.clone(), time.clone()).unwrap();
        let entropy = Arc::new(SystemEntropy);
        let auth = Auth::new(
            settings(folder.path()),
            durable.clone(),
            journal.into(),
            replayed.clock,
            entropy,
            None,
            Box::new(|| ()),
        );
        auth.initialise(Some(PASSWORD), time.as_ref()).unwrap();
        Self {
            time,
            durable,
            auth,
            _folder: folder,
        }
    }

    fn login(&self) -> TokenPair {
        self.auth.login(OWNER, "admin", PASSWORD).unwrap()
    }

    fn session(&self) -> Principal {
        self.auth.bearer(&self.login().access_token).unwrap()
    }
}

/// Memory for one entry, in bytes, of a million that `record` makes out of a number.
fn a_million(kind: &str, record: fn(Id, Timestamp) -> Record) {
    let f = Fixture::new();
    let pair = f.login();
    let session = f.auth.bearer(&pair.access_token).unwrap();
    // As long as the end of a login is remembered at least: none of it is older than the session that asks.
    let expires = TODAY + Duration::from_secs(7 * 86_400);
    let fill = |from: u64| {
        let begun = Instant::now();
        // By many threads, as the server does it, which costs some allocators dear.
        thread::scope(|scope| {
            for first in from..from + 16 {
                let (f, record) = (&f, &record);
                scope.spawn(move || {
                    for n in (first..from + MILLION).step_by(THREADS) {
                        f.durable.apply(&record(id(n), expires));
                    }
                });
            }
        });
        begun.elapsed()
    };
    let before = resident();
    let elapsed = fill(0);
    let at_full = resident();
    let each = at_full.saturating_sub(before) / 1_000_000;
    println!("1,000,000 {kind}: {each} bytes each, entered in {elapsed:?}");
    // Less than the least that it can be would mean that nothing was measured.
    assert!(
        (20..=48).contains(&each),
        "{each} bytes for each of a million {kind}"
    );

    // Full: refused, and nothing forgotten for it.
    assert_eq!(
        f.auth.refresh(&pair.refresh_token).err(),
        Some(AuthError::Full)
    );
    assert_eq!(f.auth.logout(&session), Err(AuthError::Full));
    assert!(f.auth.is_full());
    assert_eq!(f.durable.revocations(), 1_000_000);
    let mut missing: Vec<bool> = vec![true; 1_000_000];
    f.durable.live(TODAY, &mut |entry| {
        let id = match entry {
            Record::TokenRevoked { id, .. } | Record::RefreshUsed { id, .. } => id,
            Record::FamilyRevoked { family, .. } => family,
            _ => return,
        };
        missing[number(*id)] = false;
    });
    assert!(!missing.contains(&true));

    // Expired: there is room again, at once, and in the same memory.
    f.time.advance(Duration::from_secs(7 * 86_400 + 1));
    let next = f.auth.refresh(&f.login().refresh_token).unwrap();
    assert_eq!(f.durable.revocations(), 1);
    f.auth
        .logout(&f.auth.bearer(&next.access_token).unwrap())
        .unwrap();
    assert!(!f.auth.is_full() && !f.auth.is_alive(&session));
    fill(MILLION);
    let grown = resident().saturating_sub(at_full);
    println!("1,000,000 {kind} once more: {grown} bytes more");
    assert!(grown < 4 << 20);
}

#[test]
fn a_million_revoked_tokens_take_48_bytes_each() {
    if !alone("a_million_revoked_tokens_take_48_bytes_each") {
        return;
    }
    a_million("revoked tokens", |id, expires| Record::TokenRevoked {
        id,
        expires,
    });
}

#[test]
fn a_million_ended_logins_take_48_bytes_each() {
    if !alone("a_million_ended_logins_take_48_bytes_each") {
        return;
    }
    a_million("ended logins", |family, expires| Record::FamilyRevoked {
        family,
        expires,
    });
}

#[test]
fn a_million_used_refresh_tokens_take_48_bytes_each() {
    if !alone("a_million_used_refresh_tokens_take_48_bytes_each") {
        return;
    }
    a_million("used refresh tokens", |id, expires| Record::RefreshUsed {
        id,
        used: TODAY,
        expires,
    });
}

#[test]
fn a_flood_of_tickets_costs_only_who_asks_for_it() {
    if !alone("a_flood_of_tickets_costs_only_who_asks_for_it") {
        return;
    }
    let f = Fixture::new();
    let others: Vec<Principal> = (0..10).map(|_| f.session()).collect();
    let others: Vec<String> = others
        .iter()
        .flat_map(|session| (0..31).map(|_| f.auth.issue_ticket(session)))
        .collect();
    let greedy = f.session();
    let first = f.auth.issue_ticket(&greedy);
    let mut before = 0;
    let mut last = String::new();
    for n in 0..100_000 {
        last = f.auth.issue_ticket(&greedy);
        if n == 1000 {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    println!("100,000 tickets: {grown} bytes after the first thousand");
    assert!(grown < 128 << 10);
    assert!(f.auth.peek_ticket(&first).is_err());
    assert!(f.auth.peek_ticket(&last).is_ok());
    assert!(
        others
            .iter()
            .all(|ticket| f.auth.redeem_ticket(ticket).is_ok())
    );
}

#[test]
fn a_hundred_thousand_families_are_remembered_until_they_expire() {
    if !alone("a_hundred_thousand_families_are_remembered_until_they_expire") {
        return;
    }
    let f = Fixture::new();
    // As many at once, so that they share the journal's syncs.
    let refreshed = |each: usize| {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..each {
                        let pair = f.login();
                        assert!(f.auth.refresh(&pair.refresh_token).is_ok());
                    }
                });
            }
        });
    };
    refreshed(100);
    let before = resident();
    refreshed(100_000 / THREADS);
    let full = resident();
    println!("100,000 families: {} bytes", full.saturating_sub(before));
    assert_eq!(f.durable.revocations(), 100_000 + 100 * THREADS);
    // Sixteen threads' heaps are in it too.
    assert!(full.saturating_sub(before) < 10 << 20);
    f.time.advance(REFRESH_TTL);
    f.auth.tick();
    assert_eq!(f.durable.revocations(), 0);
    refreshed(20_000 / THREADS);
    let grown = resident().saturating_sub(full);
    println!("and the next 20,000 when those have expired: {grown} bytes more");
    assert!(grown < 1 << 20);
}

/// Whether this is a process in which nothing else happens. Where it is not, runs such a one: this test binary once more,
/// for this one test.
fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
    for figure in said.lines().filter(|line| line.contains(" bytes")) {
        println!("{figure}");
    }
    false
}

/// Resident memory, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap() * 1024
}

/// The `n`th of as many /64s as there are.
fn stranger(n: u64) -> ClientKey {
    // Spread over all of them, as a guesser with many networks would be.
    let prefix = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64;
    IpAddr::from((prefix | 1).to_be_bytes()).into()
}

/// Another address in the same /64.
fn neighbour(of: ClientKey, n: u64) -> ClientKey {
    let ClientKey::V6(octets, _) = of else {
        unreachable!()
    };
    IpAddr::from((u128::from_be_bytes(octets) + 2 + u128::from(n)).to_be_bytes()).into()
}

/// The `n`th id, as random as real ones.
fn id(n: u64) -> Id {
    let mixed = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64;
    Id((mixed | u128::from(n)).to_be_bytes())
}

fn number(id: Id) -> usize {
    let low = id.0[12..].try_into().unwrap();
    u32::from_be_bytes(low) as usize
}

/// As many as the server has to enter revocations.
const THREADS: usize = 16;

/// Ten million in a test that is optimised; without, so many would take half a minute.
const GUESSERS: u64 = if cfg!(debug_assertions) {
    MILLION
} else {
    10 * MILLION
};

const ALONE: &str = "POSTERN_BOUNDS_ALONE";

//! How long a start reads in the journal, `cargo bench --bench replay`: a real file, which the kernel has in memory.
//!
//! The median run of a million must be through within a second, or this ends with an error.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use postern::auth::Durable;
use postern::clock::{SystemTimeSource, TimeSource};
use postern::ids::Id;
use postern::journal::{FileStorage, Journal, JournalState, Record};

fn main() {
    // `cargo test --all-targets` runs this too, and wants no figures.
    if std::env::args().any(|word| word == "--bench") {
        divan::main();
    }
}

#[divan::bench(args = [1_000, 100_000, MILLION], sample_count = 5, sample_size = 1)]
fn logouts(bencher: divan::Bencher, count: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let full = Arc::new(Durable::new());
    let expires = SystemTimeSource::new().system() + WEEK;
    for n in 0..count {
        let family = id(n);
        full.apply(&Record::FamilyRevoked { family, expires });
    }
    // There is no file yet: it is made of what is in the tables, as a compaction makes it.
    drop(open(storage(folder.path()), full));
    let mut times = Vec::new();
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| (storage(folder.path()), Arc::new(Durable::new())))
        .bench_local_values(|(storage, empty)| {
            let begun = Instant::now();
            let journal = open(storage, empty.clone());
            times.push(begun.elapsed());
            assert_eq!(empty.revocations() as u64, count);
            (journal, empty)
        });
    times.sort_unstable();
    let median = times[times.len() / 2];
    assert!(median <= LIMIT, "{count} took {median:?}");
}

fn storage(folder: &Path) -> FileStorage {
    FileStorage::open(folder).expect("a folder of one's own")
}

fn open(storage: FileStorage, state: Arc<Durable>) -> Journal {
    let time = Arc::new(SystemTimeSource::new());
    let opened = Journal::open(Box::new(storage), state, time);
    opened.expect("an open journal").0
}

/// The `n`th id, as random as real ones.
fn id(n: u64) -> Id {
    let mixed = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64;
    Id((mixed | u128::from(n)).to_be_bytes())
}

const MILLION: u64 = 1_000_000;

/// For a million, on two cores.
const LIMIT: Duration = Duration::from_secs(1);

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

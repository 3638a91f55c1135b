//! Power cuts at every call to the disk: random histories of logins, refreshes, logouts, password changes, lock-outs,
//! compactions and marks run over a disk that loses, tears and reorders what was not synced, fills up, fails and heals;
//! and at each of its calls the plug is pulled, in several ways, and what the next start finds is compared with a plain
//! model of what was answered.
//!
//! `POSTERN_CRASH_SEED` and `POSTERN_CRASH_HISTORIES` make it another run, or a long one:
//!
//! ```text
//! POSTERN_CRASH_SEED=7 POSTERN_CRASH_HISTORIES=20000 cargo test --release --test crash -- --nocapture
//! ```

mod board;
mod history;
mod model;
#[path = "../support/settings.rs"]
mod settings;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use history::{History, Honesty, action};

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a whole number"),
        Err(_) => default,
    }
}

/// Runs histories; gives how many crashes were tried.
fn run(honesty: Honesty, histories: u64, longest: usize) -> u64 {
    let seed = number("POSTERN_CRASH_SEED", 1);
    let histories = u32::try_from(number("POSTERN_CRASH_HISTORIES", histories)).unwrap();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = u8::from(honesty == Honesty::Lying);
    let config = Config {
        cases: histories,
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let crashes = AtomicU64::new(0);
    let input = (vec(action(), 1..longest), any::<u64>());
    let result = runner.run(&input, |(actions, seed)| {
        let mut history = History::begin(honesty, seed);
        for action in &actions {
            history.act(action);
        }
        crashes.fetch_add(history.end(), Ordering::Relaxed);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("seed {seed}: {failure}");
    }
    let crashes = crashes.into_inner();
    println!("seed {seed}: {histories} histories, {crashes} crashes");
    crashes
}

#[test]
fn whatever_was_answered_is_there_after_a_power_cut_at_any_call() {
    let crashes = run(Honesty::Honest, 1100, 40);
    if std::env::var_os("POSTERN_CRASH_HISTORIES").is_none() {
        assert!(crashes >= 100_000, "only {crashes} crashes were tried");
    }
}

#[test]
fn a_disk_that_lies_about_its_syncs_costs_no_more_than_what_it_lied_about() {
    run(Honesty::Lying, 100, 40);
}

//! What the tests of this floor have in common.

use std::thread;
use std::time::{Duration, Instant};

/// Waits for another thread; the length is only a bound for failure.
pub(super) fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came");
        thread::sleep(Duration::from_millis(1));
    }
}

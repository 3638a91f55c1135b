//! Work that nobody waits for.

use rustix::process::setpriority_process;

/// Gives this thread the lowest priority, of this thread alone (setpriority(2), "C library/kernel differences"). Where that is
/// forbidden, it goes on as it is.
pub fn yield_to_all() {
    let _ = setpriority_process(None, LOWEST);
}

/// Whoever has something to do comes first.
const LOWEST: i32 = 19;

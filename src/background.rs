//! Threads whose work comes after that of others. A priority is of one thread alone (setpriority(2), "C library/kernel
//! differences"). Where lowering it is forbidden, the thread goes on as it is.

use rustix::process::{getpriority_process, setpriority_process};

/// Gives this thread the lowest priority: for work that nobody waits for.
pub fn yield_to_all() {
    lower_to(19);
}

/// Lets this thread come after those that answer requests, for work that takes long: it gets a third of what one of them gets
/// (sched(7), "The nice value"), so that whoever waits for it is not starved on a board with one core.
pub fn yield_to_requests() {
    if let Ok(now) = getpriority_process(None) {
        lower_to(now + 5);
    }
}

/// To this niceness, unless it is that low already. Above 19 the system takes it for 19.
fn lower_to(niceness: i32) {
    if getpriority_process(None).is_ok_and(|now| now < niceness) {
        let _ = setpriority_process(None, niceness);
    }
}

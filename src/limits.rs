//! Who may ask how often: whose address a request counts against, the token bucket before everything else,
//! and the count of failed attempts that locks guessers out; and who comes first where something is short.

pub mod attempts;
pub mod bucket;
pub mod client;
pub mod fairness;
pub(crate) mod proven;
pub mod queue;

use std::time::Duration;

pub use attempts::{Attempt, AttemptRow, Attempts, LockOut, NotAdmitted};
pub use bucket::{Buckets, RetryAfter};
pub use client::client_address;
pub use proven::Proven;

/// A wait as `Retry-After` wants it (RFC 9110, section 10.2.3): whole seconds, rounded up, so that whoever keeps to it
/// does not come too early; and never 0, which would say "at once".
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

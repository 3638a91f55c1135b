//! What is counted while requests are served. `/metrics` shows it; without that feature nobody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::route::{ROUTES, RouteMatch};
use crate::histogram::Histogram;

/// All of it. One for the whole server.
#[derive(Debug, Default)]
pub struct Counts {
    /// The requests that were answered.
    pub requests: Requests,
    /// The TLS listener's connections.
    pub connections: ConnectionCounts,
}

/// What became of newcomers at the TLS listener, since the start.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    /// Those that got a place.
    pub accepted: AtomicU64,
    /// Those that got none: the limits of connections or of handshakes.
    pub refused: AtomicU64,
    /// Those that had to make room for another.
    pub shed: AtomicU64,
}

/// How many requests of which route were answered how, and how long that took. No lock: a request adds to its own row
/// alone.
#[derive(Debug)]
pub struct Requests(pub(super) Vec<Row>);

/// The counts of a route.
#[derive(Debug, Default)]
pub struct Row {
    /// One for each of [`STATUSES`], and one for all others.
    pub(super) statuses: [AtomicU64; STATUSES.len() + 1],
    pub(super) latency: Histogram,
}

/// A row of [`Requests`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteNumber(usize);

impl RouteNumber {
    /// What is at no route: unknown paths, wrong methods, and what never became a request. One row for all of it, or
    /// whoever asks for ever new paths would make the page grow.
    pub const OTHER: Self = Self(ROUTES.len());

    /// The route that was found for a request.
    #[must_use]
    pub const fn of(found: &RouteMatch) -> Self {
        match found {
            RouteMatch::Route(row, _) => Self(*row),
            RouteMatch::OtherMethods(..) | RouteMatch::Nothing => Self::OTHER,
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self((0..=ROUTES.len()).map(|_| Row::default()).collect())
    }
}

impl Requests {
    /// Counts an answer. `took`: from the request's head to the answer, without the time to send it.
    pub fn answered(&self, route: RouteNumber, status: u16, took: Duration) {
        let Some(row) = self.0.get(route.0) else {
            return;
        };
        let column = STATUSES.iter().position(|known| *known == status);
        row.statuses[column.unwrap_or(STATUSES.len())].fetch_add(1, Ordering::Relaxed);
        row.latency.observe(took);
    }
}

/// What postern answers with. Anything else, if it ever does, is `other`.
pub(super) const STATUSES: [u16; 21] = [
    101, 200, 204, 304, 400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 417, 426, 429, 431, 501,
    503, 505,
];

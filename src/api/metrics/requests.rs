//! How many requests of which route were answered how, and how long that took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::Page;
use crate::api::route::{ROUTES, RouteMatch};
use crate::histogram::Histogram;

/// The counts of all routes. No lock: a request adds to its own row alone.
#[derive(Debug)]
pub struct Requests(Vec<Row>);

#[derive(Debug, Default)]
struct Row {
    /// One for each of [`STATUSES`], and one for all others.
    statuses: [AtomicU64; STATUSES.len() + 1],
    latency: Histogram,
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

    pub(super) fn show(&self, page: &mut Page) {
        page.counter(
            "postern_http_requests",
            "Requests answered, by route and status.",
        );
        self.each(&mut |route, method, row| {
            for (column, count) in row.statuses.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = STATUSES.get(column);
                    let status =
                        status.map_or_else(|| "other".to_owned(), std::string::ToString::to_string);
                    let labels = [("route", route), ("method", method), ("status", &status)];
                    page.sample(&labels, &count);
                }
            }
        });
        page.histogram(
            "postern_http_request_duration_seconds",
            "Time from a request's head to its answer, without sending it, by route.",
        );
        self.each(&mut |route, method, row| {
            let counted = row.latency.counted();
            if counted.total() > 0 {
                page.distribution(&[("route", route), ("method", method)], &counted);
            }
        });
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str, &Row)) {
        for (index, row) in self.0.iter().enumerate() {
            let (path, method) = ROUTES.get(index).map_or(("other", "other"), |route| {
                (route.path, route.method.as_str())
            });
            show(path, method, row);
        }
    }
}

/// What postern answers with. Anything else, if it ever does, is `other`.
const STATUSES: [u16; 21] = [
    101, 200, 204, 304, 400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 417, 426, 429, 431, 501,
    503, 505,
];

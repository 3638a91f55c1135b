//! How many requests of which route were answered how, and how long that took: in the page.

use std::sync::atomic::Ordering;

use super::text::Page;
use crate::api::counts::{Requests, Row, STATUSES};
use crate::api::route::ROUTES;

impl Requests {
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

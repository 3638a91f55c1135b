//! Two spellings of the same metrics: `OpenMetrics` 1.0 (RFC draft, "text format"), and the form before it, which is
//! what `promtool` and whatever else does not ask for the newer one reads.
//!
//! They differ in one thing: a counter's family has no `_total` in `OpenMetrics`, and its samples do. With the library
//! `prometheus-client` a histogram's buckets would have other names in one form than in the other.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::histogram::{BOUNDS, HistogramSnapshot};

/// Which spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The Prometheus text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Form {
    /// The one that a client understands, by its `Accept` (RFC 9110, section 12.5.1): `OpenMetrics` if it says so.
    #[must_use]
    pub fn accepted<'a>(mut accept: impl Iterator<Item = &'a str>) -> Self {
        let understands = accept.any(|value| {
            value.split(',').any(|part| {
                let mut words = part.split(';').map(str::trim);
                let media_type = words.next().unwrap_or_default();
                media_type.eq_ignore_ascii_case("application/openmetrics-text")
                    && !words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
            })
        });
        if understands {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page of metrics that is being written, family after family.
pub(super) struct Page {
    form: Form,
    text: String,
    /// The family, and what its samples' names end with.
    family: &'static str,
    suffix: &'static str,
}

impl Page {
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            text: String::with_capacity(ROOM),
            family: "",
            suffix: "",
        }
    }

    /// Begins a family of counters; its name comes without `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) {
        self.begin(name, "_total", "counter", help);
    }

    /// Begins a family of gauges.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) {
        self.begin(name, "", "gauge", help);
    }

    /// Begins a family of histograms.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) {
        self.begin(name, "", "histogram", help);
    }

    fn begin(&mut self, name: &'static str, suffix: &'static str, kind: &str, help: &str) {
        (self.family, self.suffix) = (name, suffix);
        let shown = match self.form {
            Form::Prometheus => suffix,
            Form::OpenMetrics => "",
        };
        let _ = write!(
            self.text,
            "# HELP {name}{shown} {help}\n# TYPE {name}{shown} {kind}\n"
        );
    }

    /// A sample of the family begun last.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: &dyn Display) {
        self.line(self.suffix, labels, None, value);
    }

    /// A histogram of the family begun last.
    pub(super) fn distribution(&mut self, labels: &[(&str, &str)], counted: &HistogramSnapshot) {
        for (index, count) in counted.cumulative.iter().enumerate() {
            let bound = BOUNDS.get(index).map(Duration::as_secs_f64);
            // With a dot, as OpenMetrics has it.
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
            self.line("_bucket", labels, Some(("le", &bound)), count);
        }
        self.line("_sum", labels, None, &counted.sum.as_secs_f64());
        self.line("_count", labels, None, &counted.total());
    }

    /// `last`: one more label, behind the others.
    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        last: Option<(&str, &str)>,
        value: &dyn Display,
    ) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        let mut separator = '{';
        for (name, value) in labels.iter().copied().chain(last) {
            self.text.push(separator);
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The page, whole.
    pub(super) fn finish(mut self) -> String {
        // For the older form a comment, which tells a reader that nothing is missing all the same.
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// A label's value may hold anything, with these three escaped.
fn escape(value: &str, into: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            other => into.push(other),
        }
    }
}

/// A page of a board in use.
const ROOM: usize = 16 * 1024;

#[cfg(test)]
mod tests;

use super::*;
use crate::histogram::Histogram;

fn page(form: Form) -> String {
    let mut page = Page::new(form);
    page.counter("requests", "Requests.");
    page.sample(&[("path", "a\"b\\c\nd")], &7);
    page.gauge("load", "Load.");
    page.sample(&[], &0.5);
    page.histogram("took_seconds", "Time.");
    let histogram = Histogram::default();
    histogram.observe(Duration::from_millis(1500));
    page.distribution(&[("a", "b")], &histogram.counted());
    page.finish()
}

#[test]
fn a_counter_has_its_suffix_where_each_form_wants_it() {
    let open = page(Form::OpenMetrics);
    assert!(open.starts_with(
            "# HELP requests Requests.\n# TYPE requests counter\nrequests_total{path=\"a\\\"b\\\\c\\nd\"} 7\n"
        ));
    let old = page(Form::Prometheus);
    assert!(old.starts_with(
        "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{path="
    ));
    let rest = "# HELP load Load.\n# TYPE load gauge\nload 0.5\n";
    assert!(open.contains(rest) && old.contains(rest));
    assert!(open.ends_with(
            "took_seconds_bucket{a=\"b\",le=\"1.0\"} 0\ntook_seconds_bucket{a=\"b\",le=\"5.0\"} 1\n\
             took_seconds_bucket{a=\"b\",le=\"+Inf\"} 1\ntook_seconds_sum{a=\"b\"} 1.5\ntook_seconds_count{a=\"b\"} 1\n# EOF\n"
        ));
}

#[test]
fn a_bucket_has_the_same_name_in_both_forms() {
    for form in [Form::OpenMetrics, Form::Prometheus] {
        let page = page(form);
        assert!(page.contains("{a=\"b\",le=\"1.0\"} 0\n"), "{page}");
    }
}

#[test]
fn open_metrics_is_for_who_asks_for_it() {
    for (accept, form) in [
        ("*/*", Form::Prometheus),
        ("text/plain", Form::Prometheus),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
            Form::OpenMetrics,
        ),
        ("text/html, Application/OpenMetrics-Text", Form::OpenMetrics),
        ("application/openmetrics-text;q=0", Form::Prometheus),
    ] {
        assert_eq!(Form::accepted(std::iter::once(accept)), form, "{accept}");
    }
    assert_eq!(Form::accepted(std::iter::empty()), Form::Prometheus);
}

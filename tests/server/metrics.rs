//! What a monitor sees.

use crate::client::{Response, request_text, tcp};
use crate::device::{Device, PASSWORD, USER, basic};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

fn scrape(device: &Device, headers: &[(&str, &str)]) -> Response {
    let basic = basic(USER, PASSWORD);
    let mut all = vec![("Authorization", basic.as_str())];
    all.extend(headers);
    device.connect().ask("GET", "/metrics", &all, "")
}

/// The value of a sample, by its name and labels as they stand in the line.
fn value(page: &str, sample: &str) -> Option<f64> {
    let mut lines = page.lines().filter_map(|line| line.rsplit_once(' '));
    lines
        .find(|(name, _)| *name == sample)
        .map(|(_, value)| value.parse().expect("a number"))
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).expect("UTF-8")
}

#[test]
fn a_monitor_has_to_say_who_it_is_and_the_local_socket_has_not() {
    let device = Device::start();
    assert_eq!(device.get("/metrics", None).status, 401);
    assert_eq!(scrape(&device, &[]).status, 200);
    let (status, page) = device.ask_locally("GET", "/metrics");
    assert_eq!(status, 200);
    assert!(page.contains("postern_build_info{"));
}

#[test]
fn every_request_is_counted_under_its_route_and_status_once() {
    let device = Device::start();
    let basic = basic(USER, PASSWORD);
    for _ in 0..3 {
        device.get("/health", None);
    }
    device.get("/api/status", None);
    device.get("/api/status", Some(&basic));
    for path in ["/a", "/b", "/api/security/rate-limits/10.0.0.1/x"] {
        device.get(path, Some(&basic));
    }
    device.request(
        "DELETE",
        "/api/security/rate-limits/10.0.0.1",
        Some(&basic),
        None,
    );
    device.post("/health", None, &serde_json::json!({}));
    device.connect().ask("HEAD", "/health", &[], "");
    device.ask_locally("GET", "/health");
    let mut malformed = device.connect();
    malformed.raw(b"GET / HTTP/9.9\r\n\r\n");

    let page = scrape(&device, &[]);
    let page = text(&page);
    let count = |route: &str, method: &str, status: &str| {
        let labels = format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}");
        value(page, &format!("postern_http_requests_total{labels}"))
    };
    assert_eq!(count("/health", "GET", "200"), Some(5.0), "{page}");
    assert_eq!(count("/api/status", "GET", "401"), Some(1.0));
    assert_eq!(count("/api/status", "GET", "200"), Some(1.0));
    let cleared = count("/api/security/rate-limits/{ip}", "DELETE", "404");
    assert_eq!(cleared, Some(1.0));
    assert_eq!(count("other", "other", "404"), Some(3.0), "{page}");
    assert_eq!(count("other", "other", "405"), Some(1.0));
    assert_eq!(count("other", "other", "505"), Some(1.0));
    // Its own answer is not counted yet.
    assert_eq!(count("/metrics", "GET", "200"), None);

    let duration = |sample: &str| {
        value(
            page,
            &format!("postern_http_request_duration_seconds_{sample}"),
        )
    };
    assert_eq!(
        duration("count{route=\"/health\",method=\"GET\"}"),
        Some(5.0)
    );
    let all = "bucket{route=\"/health\",method=\"GET\",le=\"+Inf\"}";
    assert_eq!(duration(all), Some(5.0));
    // It may be quick, but not that quick.
    assert!(duration("sum{route=\"/api/status\",method=\"GET\"}") > Some(0.0));
}

#[test]
fn log_outs_reach_the_journals_figures_and_the_revocations() {
    let device = Device::start();
    let before = scrape(&device, &[]);
    let tokens = device.login();
    device.post(
        "/api/logout",
        Some(&tokens.bearer()),
        &serde_json::json!({}),
    );
    let after = scrape(&device, &[]);
    let rose = |sample: &str| {
        let value = |page| value(text(page), sample).expect(sample);
        value(&after) - value(&before)
    };
    for sample in [
        "postern_revocations",
        "postern_audit_events_total{event=\"login\"}",
        "postern_audit_events_total{event=\"logout\"}",
    ] {
        assert!((rose(sample) - 1.0).abs() < f64::EPSILON, "{sample}");
    }
    assert!(rose("postern_journal_records") >= 1.0);
    assert!(rose("postern_journal_bytes") > 0.0);
    assert!(rose("postern_journal_sync_duration_seconds_count") >= 1.0);
}

#[test]
fn the_clock_the_certificate_and_the_connections_are_told() {
    let device = Device::start();
    let page = scrape(&device, &[]);
    let page = text(&page);
    let sample = |name: &str| value(page, name).unwrap_or_else(|| panic!("{name} in {page}"));
    let expires = sample("postern_certificate_expiry_timestamp_seconds");
    assert!(sample("postern_certificate_usable") > 0.5);
    let now = sample("postern_clock_timestamp_seconds");
    assert!(expires > now);
    let states = ["followed", "held", "behind", "out_of_range"]
        .map(|state| sample(&format!("postern_clock_state{{state=\"{state}\"}}")));
    assert_eq!(states.map(|holds| holds > 0.5), [true, false, false, false]);
    assert!(sample("postern_connections") >= 1.0);
    assert!(sample("postern_connections_offered_total{outcome=\"accepted\"}") >= 1.0);
    assert!(sample("postern_ready") > 0.5);
}

#[test]
fn vulnerabilities_have_a_figure_a_severity_though_there_are_none() {
    let device = Device::start();
    for severity in ["critical", "high", "medium", "low", "none", "unknown"] {
        let sample = format!("postern_cves{{severity=\"{severity}\"}}");
        assert!(seen(&device, &sample).abs() < 0.5, "{severity}");
    }
    assert!(seen(&device, "postern_advisories").abs() < 0.5);
    // Of one page: the state changes once the first look is over.
    let (_, page) = device.ask_locally("GET", "/metrics");
    let states = ["off", "unknown", "current", "failing"].map(|state| {
        let sample = format!("postern_advisories_state{{state=\"{state}\"}}");
        value(&page, &sample).expect("a state")
    });
    assert!((states.iter().sum::<f64>() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_client_that_names_open_metrics_gets_it() {
    let device = Device::start();
    let open = scrape(&device, &[("Accept", OPEN_METRICS)]);
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(text(&open).contains("# TYPE postern_http_requests counter\n"));
    assert!(text(&open).ends_with("\n# EOF\n"));
    let old = scrape(&device, &[("Accept", "*/*")]);
    assert_eq!(
        old.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(text(&old).contains("# TYPE postern_http_requests_total counter\n"));
}

#[test]
fn a_thousand_unknown_paths_leave_the_page_as_long_as_one() {
    let device = Device::start();
    device.get("/nowhere/0", None);
    let one = text(&scrape(&device, &[])).lines().count();
    for index in 0..1000 {
        device.get(&format!("/nowhere/{index}"), None);
    }
    // The first scrape has been counted by then: one sample, and a histogram of its own.
    let thousand = text(&scrape(&device, &[])).lines().count();
    assert!(thousand <= one + 20, "{one} lines, then {thousand}");
}

/// The page by the local socket, where asking takes no connection.
fn seen(device: &Device, sample: &str) -> f64 {
    let (_, page) = device.ask_locally("GET", "/metrics");
    value(&page, sample).unwrap_or_else(|| panic!("{sample} in {page}"))
}

#[test]
fn who_had_to_make_room_is_counted_and_so_is_who_got_none() {
    let device = Device::with(&[("MAX_CONNECTIONS_PER_IP", "2"), ("WORKERS", "1")]);
    let shed = "postern_connections_shed_total";
    let mut held: Vec<_> = (0..2).map(|_| device.connect()).collect();
    for client in &mut held {
        client.ask("GET", "/health", &[], "");
    }
    let before = seen(&device, shed);
    held.push(device.connect());
    assert!((seen(&device, shed) - before - 1.0).abs() < f64::EPSILON);

    // Those that have only just begun stay, and whoever comes then is refused.
    let begun: Vec<_> = (0..2).map(|_| tcp(device.address())).collect();
    let refused = "postern_connections_offered_total{outcome=\"refused\"}";
    crate::eventually("a newcomer is refused", || {
        let _newcomer = tcp(device.address());
        seen(&device, refused) > 0.0
    });
    drop(begun);
}

#[test]
fn what_a_stream_missed_is_counted() {
    let device = Device::with(&[("LOG_BUFFER_BYTES", "16384")]);
    let first = device.log("first");
    for index in 0..1000 {
        device.log(&format!("{index} of many that leave no room for the first"));
    }
    let missed = "postern_log_missed_total";
    assert!(seen(&device, missed) < 0.5);
    let basic = basic(USER, PASSWORD);
    let mut client = device.connect();
    let target = format!("/api/logs?follow=true&since={first}");
    let authorization = ("Authorization", basic.as_str());
    client.send(request_text("GET", &target, &[authorization], ""));
    crate::eventually("the gap is counted", || seen(&device, missed) > 100.0);
    // What has gone out of the ring is not kept.
    let kept = seen(&device, "postern_log_buffer_entries");
    assert!((1.0..900.0).contains(&kept), "{kept}");
}

use serde_json::json;

use super::*;

#[test]
fn what_a_board_says_is_a_line_a_matter_and_what_it_lacks_is_none() {
    let status = json!({
        "version": "0.1.0", "advisories": {"state": "off", "advisories": 0, "packages": 0, "cves": 0}, "uptime_seconds": 90_061, "clock": {"state": "followed", "believed": true, "synchronised": false}, "load": [0.5, 0.25, 0.125],
        "memory": {"total_bytes": 436_000_000, "available_bytes": 272_000_000, "resident_bytes": 5_600_000},
        "temperature_celsius": 47.25, "connections": 3, "listen": ["LISTEN: 192.0.2.1:8443 is in use"], "certificate": {"expires": "2036-11-20T00:00:00Z", "problem": "/c.pem: gone"},
        "power": {"under_voltage": true, "throttled": false, "since_boot": {"under_voltage": true, "frequency_capped": true}}, "journal": {"bytes": 18_432, "records": 312, "writable": false},
        "logs": {"entries": 12, "sources": [
            {"name": "all", "state": "following", "entries": 12, "files": 2},
            {"name": "x", "place": "file:/x.log", "state": "error", "entries": 0, "error": "no\u{1b}[2Jway"},
        ]},
    });
    let health = json!({"status": "degraded", "reasons": ["the journal cannot be written"]});
    assert_eq!(
        table(&status, &health),
        "health            degraded: the journal cannot be written\n\
             version           0.1.0\n\
             vulnerabilities   not checked: there are no advisories; postern help cve says how to bring some\n\
             running for       1day 1h 1m 1s\n\
             clock             followed, not synchronised, believed\n\
             load              0.50 0.25 0.12\n\
             memory            259 MiB free of 415 MiB\n\
             postern's memory  5468 KiB\n\
             temperature       47.2 \u{b0}C\n\
             power             under voltage (since boot: frequency capped, under voltage)\n\
             certificate       until 2036-11-20T00:00:00Z; /c.pem: gone\n\
             connections       3\n\
             journal           312 records, 18 KiB, cannot be written\n\
             log entries       12\n\
             missing           LISTEN: 192.0.2.1:8443 is in use\n\
             log source        all: following, 12 entries of 2 files\n\
             log source        x (file:/x.log): error, 0 entries (no [2Jway)\n"
    );
}

#[test]
fn an_update_is_told_and_so_is_trouble_with_the_news_of_it() {
    let status = |updates| json!({"updates": updates});
    let line = |status, health| update(&status, &health);
    assert_eq!(line(status(json!({"state": "off"})), json!({})), None);
    assert_eq!(line(json!({}), json!({})), None);
    for (status, health, expected) in [
        (status(json!({"state": "current"})), json!({}), "current"),
        (
            status(json!({"state": "failing", "error": "no"})),
            json!({}),
            "failing: no",
        ),
        (
            status(json!({"state": "available"})),
            json!({"update_available": true, "update_version": "0.2.0"}),
            "0.2.0 is available",
        ),
        (
            status(json!({"state": "available", "error": "no"})),
            json!({"update_version": "0.2.0", "update_url": "https://a/"}),
            "0.2.0 is available: https://a/; the last check failed: no",
        ),
    ] {
        assert_eq!(line(status, health).as_deref(), Some(expected));
    }
}

#[test]
fn vulnerabilities_are_told_with_where_they_are_listed() {
    let line = |cves| {
        let summary = json!({"state": "current", "advisories": 9, "cves": cves});
        vulnerabilities(&json!({"advisories": summary}))
    };
    let some = "2 known of 9 advisories; postern cve lists them";
    assert_eq!(line(2).as_deref(), Some(some));
    assert_eq!(line(0).as_deref(), Some("none known of 9 advisories"));
    // An older server's.
    assert_eq!(vulnerabilities(&json!({})), None);
}

#[test]
fn sizes_have_two_digits_or_more() {
    for (size, text) in [
        (0, "0 bytes"),
        (10_239, "10239 bytes"),
        (10_240, "10 KiB"),
        (u64::MAX, "17179869183 GiB"),
    ] {
        assert_eq!(bytes(size), text);
    }
}

use serde_json::json;

use super::*;

const LINE: &str = "1066036250.129    465 192.168.0.4 TCP_MISS/200 1234 GET http://example.com/ - HIER_DIRECT/1.2.3.4 text/html";

#[test]
fn a_native_line_becomes_its_five_fields_with_its_own_time() {
    let event = event(LINE).unwrap();
    assert_eq!(event.message, LINE);
    assert_eq!(event.timestamp.unwrap().as_millis(), 1_066_036_250_129);
    assert_eq!(event.level, Some(Level::Info));
    assert_eq!(
        Value::Object(event.fields),
        json!({
            "client_ip": "192.168.0.4",
            "method": "GET",
            "destination": "http://example.com/",
            "status": 200,
            "bytes": 1234
        })
    );
}

#[test]
fn tunnels_aborted_and_anonymous_requests_are_lines_too() {
    for (line, destination, status) in [
        (
            "1795530730.001 60012 fd00::7 TCP_TUNNEL/200 5120 CONNECT example.com:443 ann HIER_DIRECT/93.184.215.14 -",
            "example.com:443",
            200,
        ),
        (
            "1795530730.001 -5 10.0.0.9 TCP_MISS_ABORTED/000 0 GET http://a/b?c=d - HIER_NONE/- -",
            "http://a/b?c=d",
            0,
        ),
        (
            "1795530730.001 0 10.0.0.9 NONE_NONE/400 3822 - error:invalid-request - HIER_NONE/- text/html",
            "error:invalid-request",
            400,
        ),
    ] {
        let event = event(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(event.fields["destination"], destination);
        assert_eq!(event.fields["status"], status);
        assert_eq!(event.fields.len(), 5);
    }
}

#[test]
fn what_the_proxy_denied_and_servers_that_fail_are_warnings() {
    for (result, expected) in [
        ("TCP_HIT/200", Level::Info),
        ("TCP_MISS/404", Level::Info),
        ("TCP_MISS/502", Level::Warn),
        ("TCP_DENIED/403", Level::Warn),
        ("TCP_DENIED_REPLY/403", Level::Warn),
        ("TCP_DENIED/407", Level::Info),
    ] {
        let line = LINE.replace("TCP_MISS/200", result);
        assert_eq!(event(&line).unwrap().level, Some(expected), "{result}");
    }
}

#[test]
fn a_line_that_only_begins_like_one_is_none() {
    let words: Vec<&str> = LINE.split_whitespace().collect();
    for count in 0..9 {
        assert!(event(&words[..count].join(" ")).is_none(), "{count}");
    }
    assert!(event(&words[..9].join(" ")).is_some());
    for (from, to) in [
        (".129", ""),
        (".129", ".1"),
        (".129", ".+12"),
        ("1066036250", "-106603625"),
        ("1066036250", "99999999999999999999"),
        ("465", "soon"),
        ("TCP_MISS/200", "200"),
        ("TCP_MISS/200", "tcp/200"),
        ("TCP_MISS/200", "TCP_MISS/2000"),
        ("TCP_MISS/200", "TCP_MISS/+20"),
        (" 1234 ", " -1 "),
        ("HIER_DIRECT/1.2.3.4", "direct"),
    ] {
        assert!(event(&LINE.replace(from, to)).is_none(), "{to}");
    }
}

#[test]
fn a_time_out_of_all_reason_is_not_used() {
    for seconds in ["0", "3600", "253402300800"] {
        let event = event(&LINE.replace("1066036250", seconds)).unwrap();
        assert_eq!(event.timestamp, None, "{seconds}");
    }
}

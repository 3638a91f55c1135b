use serde_json::json;

use super::*;

#[test]
fn a_row_a_vulnerability_and_what_they_are_worth_below() {
    let body = json!({
        "state": "current", "advisories": 1205, "packages": 312, "cves": 2, "severities": {"critical": 1, "unknown": 1},
        "checked_at": "2026-11-27T03:12:46.000Z", "newest": {"crates.io": "2026-11-18T00:00:00.000Z"}, "data": [
            {"id": "DSA-5000-1", "severity": "critical", "package": "openssl", "installed": "3.0.9-1", "fixed_in": "3.0.11-1", "link": "https://example.org/1"},
            {"id": "RUSTSEC-2026-0001", "severity": "unknown", "package": "time", "installed": "0.3.1"},
        ],
    });
    assert_eq!(
        table(&body),
        "id                 severity  package  installed  fixed in  link\n\
             DSA-5000-1         critical  openssl  3.0.9-1    3.0.11-1  https://example.org/1\n\
             RUSTSEC-2026-0001  unknown   time     0.3.1      -         -\n\
             2 known of 1205 advisories (1 critical, 1 unknown); 312 packages, checked at 2026-11-27T03:12:46.000Z; the newest \
             about crates.io is of 2026-11-18\n"
    );
}

#[test]
fn what_stands_in_an_advisory_cannot_drive_a_terminal() {
    let hostile = "\x1b]0;x\x07\x1b[2J\r\n\u{202e}\u{9b}31m";
    let row: serde_json::Map<_, _> = COLUMNS
        .iter()
        .map(|(name, _)| ((*name).to_owned(), hostile.into()))
        .collect();
    let body = json!({"state": "failing", "cves": 1, "data": [row], "error": hostile, "checked_at": hostile, "newest": {hostile: hostile}});
    let text = table(&body);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.chars()
            .all(|c| (!c.is_control() || c == '\n') && c != '\u{202e}'),
        "{text:?}"
    );
}

#[test]
fn nothing_looked_at_is_not_called_good() {
    for (summary, words) in [
        (
            json!({"state": "current", "advisories": 7}),
            "none known of 7 advisories",
        ),
        (
            json!({"state": "failing", "advisories": 7, "error": "no"}),
            "not everything could be read: no; none known of 7 advisories",
        ),
        (
            json!({"state": "current", "advisories": 7, "ecosystems": {"crates.io": 7, "Debian:12": 0}, "ignored": 2}),
            "none known of 7 advisories; none of these is about Debian:12; 2 more ignored",
        ),
        (json!({"state": "unknown"}), "not checked yet"),
        (
            json!({"state": "off"}),
            "not checked: there are no advisories; postern help cve says how to bring some",
        ),
    ] {
        assert_eq!(verdict(&summary), words);
    }
}

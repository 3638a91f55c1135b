use super::*;
use crate::clock::Timestamp;
use crate::device::advisories::AdvisoryState;

const HOSTILE: &str = "a\"\\\u{1b}[2J\u{202e}\n</script>";

fn finding(severity: Severity) -> Finding {
    Finding {
        id: "CVE-2026-1".into(),
        aliases: Vec::new(),
        ecosystem: "Debian:12".into(),
        package: "openssl".into(),
        installed: HOSTILE.into(),
        fixed_in: None,
        severity,
        link: None,
    }
}

#[test]
fn a_row_is_json_whatever_is_in_it_and_without_what_is_not_known() {
    let bare = row(&finding(Severity::Unknown));
    assert!(!bare.contains(char::is_control), "{bare}");
    let expected = json!({
        "id": "CVE-2026-1", "ecosystem": "Debian:12", "package": "openssl", "installed": HOSTILE, "severity": "unknown",
    });
    assert_eq!(serde_json::from_str::<Value>(&bare).unwrap(), expected);
    let whole = row(&Finding {
        aliases: vec!["DSA-1-1".into()],
        fixed_in: Some(HOSTILE.into()),
        link: Some("https://example.org/".into()),
        ..finding(Severity::High)
    });
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["aliases"], json!(["DSA-1-1"]));
    assert_eq!(whole["fixed_in"], HOSTILE);
    assert_eq!(whole["link"], "https://example.org/");
    assert_eq!(whole["severity"], "high");
}

#[test]
fn the_summary_counts_and_leaves_out_what_there_is_not() {
    let nothing = json!({"state": "unknown", "advisories": 0, "packages": 0, "ecosystems": {}, "cves": 0, "severities": {}});
    assert_eq!(summary(&AdvisoryReport::default()), nothing);
    let report = AdvisoryReport {
        state: AdvisoryState::Failing,
        checked: Some(Timestamp::from_secs(1_795_000_000)),
        error: Some(HOSTILE.into()),
        advisories: 9,
        packages: 7,
        ignored: 2,
        ecosystems: [
            ("Debian:12", 0, None),
            ("crates.io", 9, Some(1_794_960_000)),
        ]
        .map(|(name, advisories, newest)| EcosystemSummary {
            name: name.into(),
            advisories,
            newest: newest.map(Timestamp::from_secs),
        })
        .into(),
        findings: [Severity::High, Severity::High, Severity::None]
            .map(finding)
            .into(),
    };
    let summary = summary(&report);
    assert_eq!(summary["severities"], json!({"high": 2, "none": 1}));
    assert_eq!(
        (&summary["cves"], &summary["state"]),
        (&json!(3), &json!("failing"))
    );
    assert_eq!(
        summary["ecosystems"],
        json!({"Debian:12": 0, "crates.io": 9})
    );
    assert_eq!(
        summary["newest"],
        json!({"crates.io": "2026-11-18T00:00:00.000Z"})
    );
    assert_eq!(summary["checked_at"], "2026-11-18T11:06:40.000Z");
    assert_eq!(
        (&summary["error"], &summary["ignored"]),
        (&json!(HOSTILE), &json!(2))
    );
}

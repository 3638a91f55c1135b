mod judge;

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::device::packages::Packages;

/// A Debian 12 with two packages, and crates, one of the same name.
fn board() -> Packages {
    let root = tempfile::tempdir().expect("a folder");
    let file = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    file(
        "var/lib/dpkg/status",
        "Package: libssl3\nSource: openssl\nVersion: 3.0.11-1~deb12u2\n\nPackage: early\nVersion: 2.0.0-rc.3\n",
    );
    let (packages, problem) = Packages::look(root.path(), None);
    assert_eq!(problem, None);
    packages.with_crates(&[
        ("ring", "0.17.8"),
        ("early", "2.0.0-rc.3"),
        ("first", "0.0.0-rc.1"),
        ("twice", "1.0.0"),
        ("twice", "1.1.0"),
    ])
}

fn read_all(text: &[u8]) -> Result<Vec<Match>, AdvisoryError> {
    let mut found = Vec::new();
    read(text, &board(), &mut |one| {
        found.push(one);
        Ok(())
    })
    .map(|_| found)
}

pub fn found(advisory: &Value) -> Vec<Match> {
    read_all(advisory.to_string().as_bytes()).expect("an advisory")
}

/// About `ring` with this in its `affected`.
pub fn about_ring(affected: Value) -> Value {
    let mut affected = affected;
    affected["package"] = json!({"ecosystem": "crates.io", "name": "ring"});
    json!({"id": "RUSTSEC-2025-0009", "affected": [affected]})
}

pub fn semver_range(events: &Value) -> Value {
    about_ring(json!({"ranges": [{"type": "SEMVER", "events": events}]}))
}

#[test]
fn what_was_withdrawn_is_only_told_or_is_about_other_machines_does_not_count() {
    let mut advisory = about_ring(json!({}));
    assert_eq!(found(&advisory).len(), 1);
    advisory["withdrawn"] = json!(null);
    assert_eq!(found(&advisory).len(), 1);
    advisory["withdrawn"] = json!("2024-01-01T00:00:00Z");
    assert_eq!(found(&advisory), []);
    for odd in [json!(false), json!("")] {
        advisory["withdrawn"] = odd;
        assert!(read_all(advisory.to_string().as_bytes()).is_err());
    }
    let mut unsound = about_ring(json!({"database_specific": {"informational": "unsound"}}));
    assert_eq!(found(&unsound), []);
    unsound["aliases"] = json!(["GHSA-a-b"]);
    assert_eq!(found(&unsound), []);
    unsound["aliases"] = json!(["CVE-2025-1"]);
    assert_eq!(found(&unsound).len(), 1);
    for nothing in [
        json!({"database_specific": {"informational": "unmaintained"}}),
        json!({"ecosystem_specific": {"urgency": "unimportant"}}),
        json!({"ecosystem_specific": {"affects": {"os": ["windows"]}}}),
        json!({"ecosystem_specific": {"affects": {"arch": ["sparc64"]}}}),
    ] {
        assert_eq!(found(&about_ring(nothing.clone())), [], "{nothing}");
    }
    for something in [
        json!({"database_specific": {"informational": null}}),
        json!({"database_specific": {"informational": "unsound", "cvss": "CVSS:4.0/AV:L"}}),
        json!({"ecosystem_specific": {"urgency": "low"}}),
        json!({"ecosystem_specific": {"affects": {"os": ["windows", "linux"], "arch": []}}}),
        json!({"ecosystem_specific": 7, "database_specific": [[]]}),
    ] {
        assert_eq!(
            found(&about_ring(something.clone())).len(),
            1,
            "{something}"
        );
    }
}

#[test]
fn the_severity_is_a_vectors_or_else_a_word() {
    let v3 = json!({"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"});
    let low = json!({"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N"});
    let v4 = json!({"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N"});
    let cases = [
        (json!({}), Severity::Unknown),
        (json!({"severity": [v3]}), Severity::Critical),
        (json!({"severity": [low]}), Severity::Low),
        // The fourth version's scores are not worked out here.
        (json!({"severity": [v4]}), Severity::Unknown),
        (json!({"severity": [low, v3]}), Severity::Critical),
        (
            json!({"severity": [v4], "database_specific": {"severity": "CRITICAL"}}),
            Severity::Critical,
        ),
        (
            json!({"severity": [low], "database_specific": {"severity": "HIGH"}}),
            Severity::Low,
        ),
        (
            json!({"database_specific": {"severity": "MODERATE"}}),
            Severity::Medium,
        ),
        (
            json!({"severity": [{"type": "Ubuntu", "score": "low"}], "database_specific": 3}),
            Severity::Low,
        ),
        (json!({"severity": "high"}), Severity::Unknown),
    ];
    for (more, wanted) in cases {
        let mut advisory = about_ring(json!({}));
        let more = more.as_object().expect("an object");
        advisory
            .as_object_mut()
            .expect("an object")
            .extend(more.clone());
        assert_eq!(found(&advisory)[0].severity, wanted, "{advisory}");
    }
    // Or in the package's own part.
    for (block, wanted) in [
        (
            json!({"ecosystem_specific": {"urgency": "low"}}),
            Severity::Low,
        ),
        (
            json!({"ecosystem_specific": {"ubuntu_priority": "medium"}}),
            Severity::Medium,
        ),
        (
            json!({"database_specific": {"severity": "HIGH"}}),
            Severity::High,
        ),
        (json!({"severity": [v3]}), Severity::Critical),
    ] {
        assert_eq!(found(&about_ring(block))[0].severity, wanted);
    }
}

#[test]
fn names_and_links_are_only_taken_if_nothing_can_hide_in_them() {
    let mut advisory = about_ring(json!({}));
    advisory["aliases"] = json!(["CVE-2025-1", "<script>", "a b", "GHSA-a-b", "\u{1b}[2J"]);
    assert_eq!(found(&advisory)[0].aliases, ["CVE-2025-1", "GHSA-a-b"]);
    advisory["id"] = json!("ACME-1");
    assert_eq!(found(&advisory)[0].link, None);
    advisory["references"] = json!([
        {"type": "WEB", "url": "javascript:alert(1)"},
        {"type": "WEB", "url": "http://example.org/"},
        {"type": "WEB", "url": "https://user@example.org/"},
        {"type": "WEB", "url": "https://example.org/1"},
    ]);
    assert_eq!(
        found(&advisory)[0].link.as_deref(),
        Some("https://example.org/1")
    );
    advisory["references"][3]["type"] = json!("ADVISORY");
    advisory["id"] = json!("CVE-2025-1");
    let link = |advisory: &Value| found(advisory)[0].link.clone();
    assert_eq!(link(&advisory).as_deref(), Some("https://example.org/1"));
    advisory["references"] = json!(7);
    assert_eq!(
        link(&advisory).as_deref(),
        Some("https://osv.dev/vulnerability/CVE-2025-1")
    );
    for id in ["", "a b", "x\n", "é", &"x".repeat(65)] {
        advisory["id"] = json!(id);
        let read = read_all(advisory.to_string().as_bytes());
        assert!(matches!(read, Err(AdvisoryError::Id)), "{id:?}");
    }
}

#[test]
fn what_is_no_advisory_or_cannot_be_judged_is_told_and_never_taken_for_good_news() {
    let version = |version: &str| semver_range(&json!([{"introduced": version}])).to_string();
    let deep = format!(r#"{{"id":"A","details":{}"#, "[".repeat(200_000));
    let deeper = format!(
        r#"{{"id":"A","details":{}{}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let cases = [
        (String::new(), "cut off"),
        ("{".into(), "cut off"),
        ("[]".into(), "no advisory"),
        ("{}".into(), "no advisory"),
        (r#"{"id": 7}"#.into(), "no advisory"),
        (r#"{"id": "A", "affected": {}}"#.into(), "no advisory"),
        (r#"{"id": "A", "id": "B"}"#.into(), "no advisory"),
        ("nonsense".into(), "no JSON"),
        ("\u{feff}{}".into(), "no JSON"),
        (deep, "cut off"),
        (version("1.x"), "ecosystem does not allow"),
        (version("é"), "ecosystem does not allow"),
    ];
    for (text, wanted) in cases {
        let said = read_all(text.as_bytes()).expect_err("refused").to_string();
        let start: String = text.chars().take(60).collect();
        assert!(said.contains(wanted), "{start}: {said}");
    }
    for odd in [
        json!([7]),
        json!([{"type": "SEMVER", "events": 7}]),
        json!([{"events": []}]),
    ] {
        let text = about_ring(json!({"ranges": odd})).to_string();
        assert!(
            matches!(read_all(text.as_bytes()), Err(AdvisoryError::Shape)),
            "{text}"
        );
    }
    for many in [
        "{\"\":0},".repeat(MAX_OBJECTS + 1),
        "1,".repeat(MAX_VALUES + 1),
    ] {
        let text = format!(r#"{{"id":"A","affected":[],"x":[{many}1]}}"#);
        assert!(matches!(
            read_all(text.as_bytes()),
            Err(AdvisoryError::TooLarge)
        ));
    }
    // What nobody asks for may be as deep as it likes.
    assert!(read_all(deeper.as_bytes()).is_ok());
    assert!(read_all(b"{\"id\": \"A\xff\"}").is_err());
    let text = semver_range(&json!([{"introduced": "0"}])).to_string();
    for end in 0..text.len() {
        assert!(read_all(&text.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_package_of_many_blocks_is_found_once_and_a_bundle_without_end_stays_one() {
    let mut advisory = about_ring(json!({}));
    let block = advisory["affected"][0].clone();
    advisory["affected"] = json!(vec![block; 1000]);
    advisory["upstream"] = json!((0..300).map(|n| format!("CVE-{n}")).collect::<Vec<_>>());
    let found = found(&advisory);
    assert_eq!(found.len(), 1);
    // Its own name among them: so they are never all covered by others.
    assert_eq!(found[0].upstream.len(), MAX_UPSTREAM + 1);
    assert!(found[0].upstream.contains(&found[0].id));
}

#[test]
fn each_package_and_each_version_of_it_is_found_wherever_it_stands() {
    let affected = ["twice", "nowhere", "ring"]
        .map(|name| json!({"package": {"ecosystem": "crates.io", "name": name}}));
    for rotation in 0..affected.len() {
        let mut affected = affected.clone();
        affected.rotate_left(rotation);
        let found = found(&json!({"id": "CVE-2025-1", "affected": affected}));
        let mut found: Vec<_> = found
            .iter()
            .map(|one| (&*one.package, &*one.installed))
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [("ring", "0.17.8"), ("twice", "1.0.0"), ("twice", "1.1.0")]
        );
    }
}

#[test]
fn a_crate_and_a_package_of_the_same_name_and_version_are_two() {
    let affected = ["crates.io", "Debian:12", "Debian"]
        .map(|ecosystem| json!({"package": {"ecosystem": ecosystem, "name": "early"}}));
    let found = found(&json!({"id": "CVE-2025-1", "affected": affected}));
    let ecosystems: Vec<_> = found.iter().map(|one| &*one.ecosystem).collect();
    assert_eq!(ecosystems, ["crates.io", "Debian:12"]);
}

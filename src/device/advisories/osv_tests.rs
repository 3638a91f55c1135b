use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::device::packages::Packages;

/// A Debian 12 with one package, and crates.
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
        "Package: libssl3\nSource: openssl\nVersion: 3.0.11-1~deb12u2\nStatus: install ok installed\n",
    );
    let (packages, problem) = Packages::look(root.path(), None);
    assert_eq!(problem, None);
    packages.with_crates(&[("ring", "0.17.8"), ("early", "2.0.0-rc.3")])
}

fn read_all(text: &[u8]) -> Result<Vec<Match>, Broken> {
    let mut found = Vec::new();
    read(text, &board(), &mut |one| {
        found.push(one);
        Ok(())
    })
    .map(|_| found)
}

fn found(advisory: &Value) -> Vec<Match> {
    read_all(advisory.to_string().as_bytes()).expect("an advisory")
}

/// About `ring` with this in its `affected`.
fn about_ring(affected: Value) -> Value {
    let mut affected = affected;
    affected["package"] = json!({"ecosystem": "crates.io", "name": "ring"});
    json!({"id": "RUSTSEC-2025-0009", "affected": [affected]})
}

fn semver_range(events: &Value) -> Value {
    about_ring(json!({"ranges": [{"type": "SEMVER", "events": events}]}))
}

#[test]
fn a_version_is_judged_by_the_events_around_it_in_whatever_order_they_stand() {
    let cases = [
        (json!([{"introduced": "0"}]), Some(None)),
        (
            json!([{"introduced": "0.0.0-0"}, {"fixed": "0.17.12"}]),
            Some(Some("0.17.12")),
        ),
        (
            json!([{"fixed": "0.17.12"}, {"introduced": "0"}]),
            Some(Some("0.17.12")),
        ),
        (json!([{"introduced": "0"}, {"fixed": "0.17.8"}]), None),
        (json!([{"introduced": "0.17.8"}]), Some(None)),
        (json!([{"introduced": "0.17.9"}]), None),
        (
            json!([{"introduced": "0"}, {"last_affected": "0.17.8"}]),
            Some(None),
        ),
        (
            json!([{"introduced": "0"}, {"last_affected": "0.17.7"}]),
            None,
        ),
        (
            json!([{"introduced": "0"}, {"fixed": "0.9.0"}, {"introduced": "0.17.0"}, {"fixed": "0.18.0"}, {"fixed": "0.17.10"}]),
            Some(Some("0.17.10")),
        ),
        (
            json!([{"introduced": "0"}, {"fixed": "0.9.0"}, {"introduced": "0.18.0"}]),
            None,
        ),
        // At one and the same version the worse counts.
        (
            json!([{"fixed": "0.17.8"}, {"introduced": "0.17.8"}]),
            Some(None),
        ),
        // What begins and ends with one version is that one.
        (
            json!([{"introduced": "0.17.8"}, {"last_affected": "0.17.8"}]),
            Some(None),
        ),
        (
            json!([{"introduced": "0.17.7"}, {"last_affected": "0.17.7"}]),
            None,
        ),
        (
            json!([{"last_affected": "0.17.7"}, {"introduced": "0.17.7"}]),
            None,
        ),
        (
            json!([{"introduced": null, "fixed": "0.17.9"}]),
            Some(Some("0.17.9")),
        ),
        (json!([{"fixed": "0.17.9"}]), Some(Some("0.17.9"))),
        (json!([{"fixed": "0.17.1"}]), None),
        (json!([{"limit": "1.0.0"}]), Some(None)),
        (json!([]), Some(None)),
    ];
    for (events, wanted) in cases {
        let found = found(&semver_range(&events));
        let fixed_in = found.first().map(|one| one.fixed_in.as_deref());
        assert_eq!(fixed_in, wanted, "{events}");
    }
}

#[test]
fn a_range_of_many_is_enough_and_so_is_a_version_in_the_list() {
    let two = about_ring(json!({"ranges": [
        {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "0.16.0"}]},
        {"type": "ECOSYSTEM", "events": [{"introduced": "0.17.0"}, {"fixed": "0.17.9"}]},
    ]}));
    assert_eq!(found(&two)[0].fixed_in.as_deref(), Some("0.17.9"));
    let unmended = about_ring(json!({"ranges": [
        {"type": "SEMVER", "events": [{"introduced": "0.17.0"}]},
        {"type": "SEMVER", "events": [{"introduced": "0.18.0"}, {"fixed": "0.18.3"}]},
    ]}));
    assert_eq!(found(&unmended)[0].fixed_in, None);
    for (versions, wanted) in [(json!(["0.17.8"]), 1), (json!(["0.17.80", "0.17"]), 0)] {
        assert_eq!(
            found(&about_ring(json!({"versions": versions}))).len(),
            wanted
        );
    }
    // Who names no version at all, or none that can be compared, means all.
    assert_eq!(found(&about_ring(json!({}))).len(), 1);
    assert_eq!(
        found(&about_ring(json!({"versions": null, "ranges": null}))).len(),
        1
    );
    let git = json!({"ranges": [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "abc"}]}]});
    assert_eq!(found(&about_ring(git)).len(), 1);
}

#[test]
fn packages_of_the_system_are_judged_in_their_own_order() {
    let about = |ecosystem: &str, fixed: &str| {
        json!({"id": "DEBIAN-CVE-2024-1", "upstream": ["CVE-2024-1"], "affected": [{
            "package": {"ecosystem": ecosystem, "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }]})
    };
    let one = &found(&about("Debian:12", "3.0.13-1~deb12u1"))[0];
    assert_eq!(one.ecosystem, "Debian:12");
    assert_eq!(
        (&*one.package, &*one.installed),
        ("openssl", "3.0.11-1~deb12u2")
    );
    assert_eq!(one.fixed_in.as_deref(), Some("3.0.13-1~deb12u1"));
    assert_eq!(one.upstream, ["CVE-2024-1"]);
    assert_eq!(
        one.link.as_deref(),
        Some("https://osv.dev/vulnerability/DEBIAN-CVE-2024-1")
    );
    assert_eq!(found(&about("Debian", "3.0.13-1")).len(), 1);
    for (ecosystem, fixed) in [
        ("Debian:11", "3.0.13-1"),
        ("Ubuntu:22.04:LTS", "3.0.13-1"),
        ("Debian:12", "3.0.11-1~deb12u2"),
        ("crates.io", "3.0.13"),
    ] {
        assert_eq!(found(&about(ecosystem, fixed)), [], "{ecosystem} {fixed}");
    }
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
    let by_debian = about_ring(json!({"ecosystem_specific": {"urgency": "low"}}));
    assert_eq!(found(&by_debian)[0].severity, Severity::Low);
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
        assert!(matches!(read, Err(Broken::Id)), "{id:?}");
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
        (version("1.x"), "versions is none"),
        (version("é"), "versions is none"),
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
            matches!(read_all(text.as_bytes()), Err(Broken::Shape)),
            "{text}"
        );
    }
    for many in [
        "{\"\":0},".repeat(MAX_OBJECTS + 1),
        "1,".repeat(MAX_VALUES + 1),
    ] {
        let text = format!(r#"{{"id":"A","affected":[],"x":[{many}1]}}"#);
        assert!(matches!(read_all(text.as_bytes()), Err(Broken::TooLarge)));
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
fn a_pre_release_has_its_place_in_the_order() {
    let early = |events: Value| {
        json!({"id": "RUSTSEC-2025-1", "affected": [{
            "package": {"ecosystem": "crates.io", "name": "early"},
            "ranges": [{"type": "SEMVER", "events": events}],
        }]})
    };
    assert_eq!(
        found(&early(json!([{"introduced": "0"}, {"fixed": "2.0.0"}]))).len(),
        1
    );
    assert_eq!(
        found(&early(
            json!([{"introduced": "0"}, {"fixed": "2.0.0-rc.3"}])
        )),
        []
    );
    assert_eq!(
        found(&early(
            json!([{"introduced": "0"}, {"fixed": "2.0.0-rc.10"}])
        ))
        .len(),
        1
    );
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

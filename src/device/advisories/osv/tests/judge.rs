use serde_json::json;

use super::super::*;
use super::{about_ring, found, semver_range};

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
            json!([{"last_affected": "0.17.7"}, {"introduced": "0.17.7"}, {"introduced": "0.17.7"}]),
            None,
        ),
        // What is introduced at "0" is so before that version.
        (json!([{"introduced": "0"}, {"fixed": "0"}]), None),
        (json!([{"fixed": "0"}, {"introduced": "0"}]), None),
        (json!([{"last_affected": "0"}, {"introduced": "0"}]), None),
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
    // The list counts beside ranges too, of which the next good version is taken all the same.
    let listed = about_ring(json!({"versions": ["0.17.8"], "ranges": [
        {"type": "SEMVER", "events": [{"introduced": "0.18.0"}, {"fixed": "0.18.3"}]},
    ]}));
    assert_eq!(found(&listed)[0].fixed_in.as_deref(), Some("0.18.3"));
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
    // And at "0" it is there, although it comes before 0.0.0.
    let first = json!({"id": "RUSTSEC-2025-1", "affected": [{
        "package": {"ecosystem": "crates.io", "name": "first"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "0.0.0"}]}],
    }]});
    assert_eq!(found(&first).len(), 1);
}

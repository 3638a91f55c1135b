use super::*;

fn one(id: &str, aliases: &[&str], upstream: &[&str]) -> Match {
    let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
    Match {
        id: id.into(),
        aliases: owned(aliases),
        upstream: owned(upstream),
        ecosystem: "Debian:12".into(),
        package: "openssl".into(),
        installed: "1".into(),
        fixed_in: None,
        severity: Severity::Unknown,
        link: link(id),
    }
}

fn ids(matches: &[Match]) -> Vec<String> {
    put_together(matches)
        .into_iter()
        .map(|finding| finding.id)
        .collect()
}

#[test]
fn one_vulnerability_with_several_names_is_one() {
    let mut rustsec = one("RUSTSEC-2024-1", &["CVE-2024-1"], &[]);
    rustsec.severity = Severity::Low;
    let mut github = one("GHSA-a", &["CVE-2024-1", "RUSTSEC-2024-1"], &[]);
    github.severity = Severity::High;
    github.fixed_in = Some("2".into());
    let found = put_together(&[github, rustsec]);
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(finding.id, "RUSTSEC-2024-1");
    assert_eq!(finding.aliases, ["CVE-2024-1", "GHSA-a"]);
    assert_eq!(finding.severity, Severity::High);
    assert_eq!(finding.fixed_in.as_deref(), Some("2"));
    // In another package, or in another version that is here too, it is another.
    let mut elsewhere = one("CVE-2024-1", &[], &[]);
    elsewhere.package = "libressl".into();
    let mut older = one("CVE-2024-1", &[], &[]);
    older.installed = "0".into();
    assert_eq!(
        ids(&[one("CVE-2024-1", &[], &[]), elsewhere, older]).len(),
        3
    );
}

#[test]
fn an_update_that_mends_several_counts_only_for_those_that_have_no_advisory_of_their_own() {
    let dsa = one("DSA-5000-1", &[], &["CVE-2024-1", "CVE-2024-2"]);
    let [first, second] = ["1", "2"].map(|n| {
        one(
            &format!("DEBIAN-CVE-2024-{n}"),
            &[],
            &[&format!("CVE-2024-{n}")],
        )
    });
    assert_eq!(ids(&[dsa.clone()]), ["DSA-5000-1"]);
    assert_eq!(
        ids(&[dsa.clone(), first.clone()]),
        ["DEBIAN-CVE-2024-1", "DSA-5000-1"]
    );
    assert_eq!(
        ids(&[dsa, second, first]),
        ["DEBIAN-CVE-2024-1", "DEBIAN-CVE-2024-2"]
    );
    // An update that mends one is that one.
    let single = one("DSA-5001-1", &[], &["CVE-2024-3"]);
    assert_eq!(
        ids(&[single, one("DEBIAN-CVE-2024-3", &[], &["CVE-2024-3"])]),
        ["DEBIAN-CVE-2024-3"]
    );
}

#[test]
fn the_worst_comes_first() {
    let with = |id: &str, severity| Match {
        severity,
        ..one(id, &[], &[])
    };
    let matches = [
        with("CVE-1", Severity::Unknown),
        with("CVE-2", Severity::Critical),
        with("CVE-3", Severity::Low),
        with("CVE-0", Severity::Critical),
    ];
    assert_eq!(ids(&matches), ["CVE-0", "CVE-2", "CVE-3", "CVE-1"]);
}

#[test]
fn thousands_in_one_package_are_put_together_quickly_and_none_is_lost() {
    let matches: Vec<_> = (0..10_000)
        .map(|n| one(&format!("DEBIAN-CVE-{n}"), &[], &[&format!("CVE-{n}")]))
        .collect();
    assert_eq!(put_together(&matches).len(), 10_000);
}

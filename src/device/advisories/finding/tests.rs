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
    put_together(matches, &[])
        .0
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
    let found = put_together(&[github, rustsec], &[]).0;
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(finding.id, "RUSTSEC-2024-1");
    assert_eq!(finding.aliases, ["CVE-2024-1", "GHSA-a"]);
    assert_eq!(finding.severity, Severity::High);
    assert_eq!(finding.fixed_in.as_deref(), Some("2"));
    // Who knows no page of its own has another's.
    let found = put_together(
        &[
            one("A-1", &["CVE-2024-1"], &[]),
            one("CVE-2024-1", &[], &[]),
        ],
        &[],
    )
    .0;
    assert_eq!(found[0].id, "A-1");
    assert_eq!(found[0].link, link("CVE-2024-1"));
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
    let alone = put_together(std::slice::from_ref(&dsa), &[]).0;
    assert_eq!(alone[0].id, "DSA-5000-1");
    assert_eq!(alone[0].aliases, ["CVE-2024-1", "CVE-2024-2"]);
    assert_eq!(
        ids(&[dsa.clone(), first.clone()]),
        ["DEBIAN-CVE-2024-1", "DSA-5000-1"]
    );
    assert_eq!(
        ids(&[dsa, second.clone(), first.clone()]),
        ["DEBIAN-CVE-2024-1", "DEBIAN-CVE-2024-2"]
    );
    // Whatever it is called.
    let first_of_all = one("A-1", &[], &["CVE-2024-1", "CVE-2024-2"]);
    assert_eq!(
        ids(&[first_of_all, first.clone(), second.clone()]),
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
        Match {
            package: "bash".into(),
            ..with("CVE-5", Severity::Critical)
        },
        with("CVE-4", Severity::Medium),
    ];
    // What nobody has judged may be anything.
    assert_eq!(
        ids(&matches),
        ["CVE-5", "CVE-0", "CVE-2", "CVE-4", "CVE-1", "CVE-3"]
    );
}

#[test]
fn thousands_in_one_package_are_put_together_quickly_and_none_is_lost() {
    let matches: Vec<_> = (0..10_000)
        .map(|n| one(&format!("DEBIAN-CVE-{n}"), &[], &[&format!("CVE-{n}")]))
        .collect();
    assert_eq!(put_together(&matches, &[]).0.len(), 10_000);
}

#[test]
fn what_shows_that_two_are_the_same_joins_them() {
    let github = one("GHSA-a", &["CVE-2024-1", "RUSTSEC-2024-1"], &[]);
    let found = put_together(
        &[
            one("RUSTSEC-2024-1", &[], &[]),
            one("CVE-2024-1", &[], &[]),
            github,
        ],
        &[],
    )
    .0;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, "CVE-2024-1");
    assert_eq!(found[0].aliases, ["GHSA-a", "RUSTSEC-2024-1"]);
    // Whichever of them went into the other, its names lead there.
    let all = [
        one("CVE-2024-1", &["A-1"], &[]),
        one("RUSTSEC-2024-1", &["A-2"], &[]),
        one("GHSA-a", &["CVE-2024-1", "RUSTSEC-2024-1"], &[]),
        one("GHSA-b", &["A-1"], &[]),
        one("GHSA-c", &["A-2"], &[]),
    ];
    assert_eq!(ids(&all), ["CVE-2024-1"]);
    // A crate's is not a package's of that name.
    let mut of_a_crate = one("CVE-2024-1", &[], &[]);
    of_a_crate.ecosystem = "crates.io".into();
    assert_eq!(ids(&[of_a_crate, one("CVE-2024-1", &[], &[])]).len(), 2);
}

#[test]
fn what_is_ignored_is_so_by_any_name_but_an_update_only_with_all_that_it_mends() {
    let ignoring = |matches: &[Match], ignored: &[&str]| {
        let ignored: Vec<_> = ignored.iter().map(ToString::to_string).collect();
        let (found, ignored) = put_together(matches, &ignored);
        (
            found.into_iter().map(|one| one.id).collect::<Vec<_>>(),
            ignored,
        )
    };
    let both = [
        one("RUSTSEC-1", &["CVE-1"], &[]),
        one("GHSA-1", &["CVE-1"], &[]),
    ];
    for name in ["RUSTSEC-1", "cve-1", "GHSA-1"] {
        assert_eq!(ignoring(&both, &[name]), (vec![], 1), "{name}");
    }
    let dsa = [one("DSA-1", &[], &["CVE-1", "CVE-2"])];
    assert_eq!(ignoring(&dsa, &["CVE-1"]), (vec!["DSA-1".into()], 0));
    assert_eq!(ignoring(&dsa, &["CVE-1", "CVE-2"]), (vec![], 0));
    assert_eq!(ignoring(&dsa, &["DSA-1"]), (vec![], 1));
}

#[test]
fn names_without_end_are_cut_short() {
    let matches: Vec<_> = (0..500)
        .map(|n| one(&format!("A-{n}"), &["SAME", &format!("B-{n}")], &[]))
        .collect();
    let found = put_together(&matches, &[]).0;
    assert_eq!((found.len(), found[0].aliases.len()), (1, MAX_ALIASES));
}

use std::process::Command;

use proptest::prelude::*;

use super::*;

fn in_order(order: VersionOrder, versions: &[&str]) {
    for (i, a) in versions.iter().enumerate() {
        for (j, b) in versions.iter().enumerate() {
            assert_eq!(order.compare(a, b), Ok(i.cmp(&j)), "{a} and {b}");
        }
    }
}

#[test]
fn versions_of_crates_follow_semver() {
    let versions = [
        "0.9.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-rc.2",
        "1.0.0-rc.11",
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ];
    in_order(VersionOrder::Semver, &versions);
    // What is built in another way is the same version (section 10).
    assert_eq!(
        VersionOrder::Semver.compare("1.1.6+spec-1.1.0", "1.1.6"),
        Ok(Ordering::Equal)
    );
    for (short, long) in [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2-rc.1", "1.2.0-rc.1")] {
        assert_eq!(
            VersionOrder::Semver.compare(short, long),
            Ok(Ordering::Equal)
        );
    }
    for bad in ["", "1.", "1.x", "1.2.3.4", "v1.2.3", "1.2.3 ", "１.2.3"] {
        assert_eq!(VersionOrder::Semver.compare(bad, "1.0.0"), Err(BadVersion));
    }
}

#[test]
fn versions_of_debian_packages_follow_dpkg() {
    let versions = [
        "1.0~beta1-1",
        "1.0~rc1-1",
        "1.0-1",
        "1.0-1+b1",
        "1.0-1+deb12u1",
        "1.0-1.1",
        "1.0-2",
        "1.0.2",
        "1.10-1",
        "1:0.1-1",
    ];
    in_order(VersionOrder::Debian, &versions);
    for bad in ["1.0é", "", &"1".repeat(MAX_VERSION + 1)] {
        assert_eq!(VersionOrder::Debian.compare(bad, "1.0"), Err(BadVersion));
    }
}

#[test]
fn versions_of_alpine_packages_follow_apk() {
    let versions = [
        "0.1",
        "1.05",
        "1.1_alpha",
        "1.1_alpha2",
        "1.1_beta",
        "1.1_pre1",
        "1.1_rc1",
        "1.1_rc1_p1",
        "1.1",
        "1.1-r1",
        "1.1-r10",
        "1.1_cvs1",
        "1.1_svn1",
        "1.1_git20240101",
        "1.1_hg1",
        "1.1_p1-r0",
        "1.1_p2",
        "1.1_p10",
        "1.1a",
        "1.1b",
        "1.1.0",
        "1.1.1_rc1",
        "1.1.1",
        "1.5",
        "1.10",
        "20240101",
    ];
    in_order(VersionOrder::Alpine, &versions);
    for (a, b) in [("1.1-r0", "1.1"), ("1.1~a1b2", "1.1"), ("01.1", "1.1")] {
        assert_eq!(
            VersionOrder::Alpine.compare(a, b),
            Ok(Ordering::Equal),
            "{a} {b}"
        );
    }
    for bad in [
        "",
        "a",
        "1..2",
        "1.1-r",
        "1.1_huge1",
        "1.1-1",
        "1.1_p1x",
        "1.1ab",
    ] {
        assert_eq!(
            VersionOrder::Alpine.compare(bad, "1"),
            Err(BadVersion),
            "{bad}"
        );
    }
}

fn version() -> impl Strategy<Value = String> {
    "([0-9]{1,2}:)?[0-9][0-9a-z.+~]{0,8}(-[0-9a-z.+~]{1,5})?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The library against the program itself, where there is one.
    #[test]
    fn versions_of_debian_packages_come_as_dpkg_has_them(a in version(), b in version()) {
        let holds = |relation: &str| {
            let dpkg = Command::new("dpkg").args(["--compare-versions", &a, relation, &b]).status();
            dpkg.ok().map(|status| status.success())
        };
        let order = VersionOrder::Debian.compare(&a, &b).expect("versions");
        for (relation, wanted) in [("lt", Ordering::Less), ("eq", Ordering::Equal), ("gt", Ordering::Greater)] {
            if let Some(holds) = holds(relation) {
                prop_assert_eq!(order == wanted, holds, "{} {} {}", a, relation, b);
            }
        }
    }

    #[test]
    fn whatever_is_compared_nothing_breaks(a in ".{0,40}", b in ".{0,40}", c in "[ -~]{0,20}", d in "[ -~]{0,20}") {
        for order in [VersionOrder::Semver, VersionOrder::Debian, VersionOrder::Alpine] {
            let _ = order.compare(&a, &b);
            let there = order.compare(&c, &d);
            prop_assert_eq!(there.map(Ordering::reverse), order.compare(&d, &c));
        }
    }
}

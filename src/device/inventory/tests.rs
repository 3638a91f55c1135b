use super::crates;

#[test]
fn the_inventory_has_what_is_linked_and_nothing_that_only_builds_or_tests() {
    let crates = crates();
    let has = |name| crates.iter().any(|found| found.name == name);
    for name in ["ring", "rustls", "serde_json", "rustix", "libc"] {
        assert!(has(name), "{name}");
    }
    for name in [
        "proptest",
        "divan",
        "syn",
        "serde_derive",
        "cc",
        "windows-sys",
    ] {
        assert!(!has(name), "{name}");
    }
    assert!(crates.len() > 100, "{}", crates.len());
    assert!(crates.is_sorted_by_key(|one| one.name));
}

#[test]
fn each_has_a_version_and_a_checksum_and_postern_itself_the_one_it_tells() {
    for one in crates() {
        assert!(semver::Version::parse(one.version).is_ok(), "{one:?}");
        assert_eq!(one.checksum.is_empty(), one.is_own(), "{one:?}");
    }
    let own: Vec<_> = crates().into_iter().filter(super::Crate::is_own).collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].version, env!("CARGO_PKG_VERSION"));
}

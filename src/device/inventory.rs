//! What this program is made of: the crates that are linked into it, as `Cargo.lock` had them when it was built.

use std::sync::LazyLock;

use crate::packed::unpacked;

/// A crate in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crate {
    /// Its name in the registry.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The SHA-256 of its archive in the registry, in hex; empty for postern itself, and for a crate that a build put in the place
    /// of the registry's.
    pub checksum: &'static str,
}

/// Every crate in this program, postern itself among them, by name.
///
/// These are the crates of all targets that postern is built for (`deny.toml` lists them), so a few of them may be missing in this
/// one. Rust's own library is none.
#[must_use]
pub fn crates() -> Vec<Crate> {
    LINES.lines().map(Crate::of_line).collect()
}

impl Crate {
    /// Whether this is postern, and not a crate of the registry, where another one may have its name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.name == env!("CARGO_PKG_NAME")
    }

    /// As `src/build/inventory.rs` wrote it.
    fn of_line(line: &'static str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default();
        Self {
            name: word(),
            version: word(),
            checksum: word(),
        }
    }
}

/// Unpacked when somebody asks, and kept then: 15 KB.
static LINES: LazyLock<String> = LazyLock::new(|| {
    let text = unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/inventory.gz")));
    String::from_utf8(text).expect("the build wrote text")
});

/// The build script's half, so that its tests run.
#[cfg(test)]
#[path = "../build/inventory.rs"]
mod made;

#[cfg(test)]
mod tests {
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
}

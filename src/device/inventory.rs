//! What this program is made of: the crates that are linked into it, as `Cargo.lock` had them when it was built.

use std::sync::LazyLock;

use crate::gunzip::gunzip;

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
    let text = gunzip(include_bytes!(concat!(env!("OUT_DIR"), "/inventory.gz")));
    String::from_utf8(text).expect("the build wrote text")
});

/// The build script's half, so that its tests run.
#[cfg(test)]
#[path = "../build/inventory.rs"]
mod made;

#[cfg(test)]
mod tests;

//! What this program is made of: the crates that are linked into it, as `Cargo.lock` had them when it was built.

/// A crate in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crate {
    /// Its name in the registry.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The SHA-256 of its archive in the registry, in hex; empty for postern itself.
    pub checksum: &'static str,
}

/// Every crate in this program, postern itself among them, by name.
#[must_use]
pub fn crates() -> Vec<Crate> {
    vec![Crate {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        checksum: "",
    }]
}

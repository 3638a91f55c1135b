//! What kind of advisory a file is, and how large it may be.

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvisoryFormat {
    /// OSV's JSON.
    Osv,
    /// `RustSec`'s Markdown, or any other.
    RustSec,
    /// An archive of them.
    Zip,
}

impl AdvisoryFormat {
    /// That of a file of this name; none if it is no advisory.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        let point = name.iter().rposition(|b| *b == b'.')?;
        match name[point + 1..].to_ascii_lowercase().as_slice() {
            b"json" => Some(Self::Osv),
            b"md" => Some(Self::RustSec),
            b"zip" => Some(Self::Zip),
            _ => None,
        }
    }
}

/// Chosen with room to spare; what is larger is told.
pub const MAX_ADVISORY: u64 = 2 * 1024 * 1024;

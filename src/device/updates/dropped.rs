//! The file that a package manager or an integrator may drop into the state folder, and its signature beside it. It is
//! looked at every few seconds and read only when it has changed; postern never writes it.

use std::io;
use std::path::Path;

use minisign_verify::PublicKey;

use super::error::UpdateError;
use super::manifest::{self, MAX_MANIFEST, OfferedRelease};
use super::signature;
use crate::files::{self, FileStamp};

/// What both files look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedMarks([Result<FileStamp, io::ErrorKind>; 2]);

impl DroppedMarks {
    /// What the files in this folder look like.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self([FILE, SIGNATURE].map(|name| mark(&folder.join(name))))
    }

    /// Whether there is a file at all, as far as one may look.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0[0] != Err(io::ErrorKind::NotFound)
    }
}

fn mark(path: &Path) -> Result<FileStamp, io::ErrorKind> {
    let there = std::fs::symlink_metadata(path).map_err(|error| error.kind())?;
    Ok(FileStamp::from(&there))
}

/// Reads the file, and holds its signature against it if there is a key.
///
/// # Errors
/// [`UpdateError`].
pub fn read(folder: &Path, key: Option<&PublicKey>) -> Result<Option<OfferedRelease>, UpdateError> {
    let bytes =
        files::read_own_up_to(&folder.join(FILE), MAX_MANIFEST).map_err(UpdateError::File)?;
    if let Some(key) = key {
        let beside = folder.join(SIGNATURE);
        let signature = match files::read_own_up_to(&beside, signature::MAX_SIGNATURE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map_err(UpdateError::File)?),
        };
        signature::verify(&bytes, signature.as_deref(), key)?;
    }
    Ok(manifest::parse(&bytes)?)
}

/// The file in the state folder.
pub const FILE: &str = "update.json";

/// Its signature.
pub const SIGNATURE: &str = "update.json.minisig";

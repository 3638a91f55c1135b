//! Writes a damaged journal anew from its whole records. The damaged file stays beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::damaged_copies::{WhenFull, keep_copy};
use super::format::{MAGIC, Salt, headers};
use super::replay::{Piece, Unreadable};
use super::storage::Storage;
use super::survey::{self, FILE_NAME, Survey, survey};
use super::{FileStorage, OpenError};
use crate::entropy::Entropy;
use crate::files;

/// What became of a repair.
#[derive(Debug, PartialEq, Eq)]
pub enum RepairOutcome {
    /// There was nothing to repair: a torn tail at most.
    Whole(Survey),
    /// Written anew; the survey is of the damaged file.
    Repaired {
        /// What there was.
        found: Survey,
        /// Where the damaged file is now.
        kept: PathBuf,
    },
    /// Nothing in it could be saved, and there is no journal any more.
    SetAside {
        /// Where the damaged file is now.
        kept: PathBuf,
    },
    /// Nothing was changed: so much is lost that somebody has to agree.
    WantsConsent {
        /// What there is; `None`: nothing that could be read, since the header is lost.
        found: Option<Survey>,
    },
    /// Nothing was changed: nothing in it looks like a journal, and it is not where a server would have put one.
    Foreign,
}

/// How far a repair may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepairPermission {
    /// Even if no password is left in it, or nothing at all.
    pub consent: bool,
    /// Even if nothing in it looks like a journal: it lies where the server has its own.
    pub own: bool,
}

/// Repairs the journal at `path`; a link is not followed. One by the name of `journal` is a server's: its folder's lock
/// is held while anything is changed.
///
/// # Errors
/// [`OpenError::Locked`] while a server runs; [`OpenError::Unreadable`] for one of a newer version;
/// [`OpenError::Storage`]. The journal is as it was, and nothing new lies beside it.
pub fn repair(
    path: &Path,
    entropy: &dyn Entropy,
    leave: RepairPermission,
) -> Result<RepairOutcome, OpenError> {
    let located = |source| OpenError::Storage {
        location: path.display().to_string(),
        source,
    };
    // Before the lock: where nothing is to be done, nothing is made.
    if let RepairPlan::Nothing(outcome) = plan(path, entropy, leave)? {
        return Ok(outcome);
    }
    let lock = lock(path)?;
    let done = plan(path, entropy, leave).and_then(|plan| match plan {
        RepairPlan::Nothing(outcome) => Ok(outcome),
        RepairPlan::Replace { bytes, by } => replace(path, &bytes, by).map_err(located),
    });
    if done.is_err() {
        lock.into_iter().for_each(FileStorage::leave);
    }
    done
}

/// The lock of the server whose journal it may be.
///
/// # Errors
/// [`OpenError::Locked`] while it runs; [`OpenError::Storage`].
pub fn lock(path: &Path) -> Result<Option<FileStorage>, OpenError> {
    let is_journal = path.file_name().is_some_and(|name| name == FILE_NAME);
    is_journal
        .then(|| FileStorage::open(files::parent(path)))
        .transpose()
}

/// What there is to do.
enum RepairPlan {
    Nothing(RepairOutcome),
    Replace {
        bytes: Vec<u8>,
        /// What is in it, and the new file; `None`: nothing can be saved.
        by: Option<(Survey, Vec<u8>)>,
    },
}

fn plan(
    path: &Path,
    entropy: &dyn Entropy,
    leave: RepairPermission,
) -> Result<RepairPlan, OpenError> {
    let bytes = survey::read(path).map_err(|source| OpenError::Storage {
        location: path.display().to_string(),
        source,
    })?;
    let mut random = [0; 4];
    entropy.fill(&mut random);
    let salt = Salt::new(random);
    let mut image = headers(salt).to_vec();
    let found = survey(&bytes, &mut |piece| {
        if let Piece::Frame { frame, .. } = piece {
            frame.write(salt, &mut image);
        }
    });
    let found = match found {
        Ok(found) if found.whole() => return Ok(RepairPlan::Nothing(RepairOutcome::Whole(found))),
        Ok(found) => Some(found),
        Err(Unreadable::Header) if !leave.own && !has_header(&bytes) => {
            return Ok(RepairPlan::Nothing(RepairOutcome::Foreign));
        }
        Err(Unreadable::Header) => None,
        Err(reason @ Unreadable::Version { .. }) => {
            return Err(OpenError::Unreadable {
                location: path.display().to_string(),
                reason,
            });
        }
    };
    let password_left = found.as_ref().is_some_and(|found| found.password.is_some());
    if !password_left && !leave.consent {
        return Ok(RepairPlan::Nothing(RepairOutcome::WantsConsent { found }));
    }
    let by = found
        .filter(|found| found.records > 0)
        .map(|found| (found, image));
    Ok(RepairPlan::Replace { bytes, by })
}

/// Whether there is a trace of a header in it.
#[must_use]
pub fn has_header(bytes: &[u8]) -> bool {
    bytes.windows(MAGIC.len()).any(|window| window == MAGIC)
}

fn replace(path: &Path, bytes: &[u8], by: Option<(Survey, Vec<u8>)>) -> io::Result<RepairOutcome> {
    let storage = FileStorage::unguarded(files::parent(path));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or(io::ErrorKind::InvalidFilename)?;
    // There are hashes in it: this closes it to others, under both of its names.
    storage.open(name)?;
    // A crash in here leaves the damaged journal in its place, under one name or two.
    let second = keep_copy(&storage, name, bytes, WhenFull::Refuse)?;
    let kept = path.with_file_name(&second.name);
    let replaced = storage.sync_folder().and_then(|()| match &by {
        // A crash in here leaves the damaged one or the new one, whole.
        Some((_, image)) => files::replace(path, image),
        None => files::remove(path),
    });
    if replaced.is_err() && second.is_new {
        // A second name of a journal that is in use would grow with it.
        let _ = storage.remove(&second.name);
    }
    replaced?;
    Ok(match by {
        Some((found, _)) => RepairOutcome::Repaired { found, kept },
        None => RepairOutcome::SetAside { kept },
    })
}

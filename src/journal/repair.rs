//! A damaged journal written anew from all that is whole in it. The damaged file stays beside it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::format::{Salt, headers};
use super::replay::{Piece, Unreadable};
use super::survey::{self, FILE_NAME, Survey, survey};
use super::{FileStorage, OpenError};
use crate::entropy::Entropy;
use crate::files;

/// What became of a repair.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
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
        /// What could be saved; `None`: nothing.
        found: Option<Survey>,
    },
}

/// Repairs the journal at `path`. One by the name of `journal` is a server's: its folder's lock is held meanwhile.
///
/// `consent`: even if no password is left in it, or nothing at all.
///
/// # Errors
/// [`OpenError::Locked`] while a server runs; [`OpenError::Unreadable`] for one of a newer version;
/// [`OpenError::Storage`]. The journal is as it was, though the damaged file may have a second name already.
pub fn repair(path: &Path, entropy: &dyn Entropy, consent: bool) -> Result<Outcome, OpenError> {
    let failed = |source| OpenError::Storage {
        location: path.display().to_string(),
        source,
    };
    // Before the lock, which would make the folder.
    fs::metadata(path).map_err(failed)?;
    let _lock = if path.file_name().is_some_and(|name| name == FILE_NAME) {
        Some(FileStorage::open(folder_of(path))?)
    } else {
        None
    };
    let bytes = survey::read(path).map_err(failed)?;
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
        Ok(found) if !found.damaged() => return Ok(Outcome::Whole(found)),
        Ok(found) => Some(found).filter(|found| found.records > 0),
        Err(Unreadable::Header) => None,
        Err(reason @ Unreadable::Version { .. }) => {
            return Err(OpenError::Unreadable {
                location: path.display().to_string(),
                reason,
            });
        }
    };
    let password_left = found.as_ref().is_some_and(|found| found.password.is_some());
    if !password_left && !consent {
        return Ok(Outcome::WantsConsent { found });
    }
    // A crash in here leaves the damaged journal in its place, under one name or two.
    let kept = keep(path, &bytes).map_err(failed)?;
    let Some(found) = found else {
        files::remove(path).map_err(failed)?;
        return Ok(Outcome::SetAside { kept });
    };
    // A crash in here leaves the damaged one or the new one, whole.
    files::replace(path, &image).map_err(failed)?;
    Ok(Outcome::Repaired { found, kept })
}

/// Gives the file a second name that nothing has, durably.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    for number in 1..=MOST_KEPT {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged.{number}"));
        let name = PathBuf::from(name);
        // A second name takes no room on a full card, and is never one that is taken.
        let kept = match fs::hard_link(path, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(_) => copy(&name, bytes),
            linked => linked,
        };
        match kept {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            kept => kept?,
        }
        // There are hashes in it.
        fs::set_permissions(&name, Permissions::from_mode(0o600))?;
        files::sync_parent(&name)?;
        return Ok(name);
    }
    Err(io::Error::other(format!(
        "{MOST_KEPT} damaged journals lie beside it already; remove some"
    )))
}

/// Where the file system knows no second names.
fn copy(name: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(name)?;
    let copied = file.write_all(bytes).and_then(|()| file.sync_all());
    if copied.is_err() {
        // Half a copy is none.
        let _ = fs::remove_file(name);
    }
    copied
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Damaged journals to keep: a card that makes more of them wants to be replaced.
const MOST_KEPT: u32 = 99;

//! Makes the private state folder (mode 0700), or takes over one that is there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, fchmod, fstat, statat};

use super::{ours_alone, walk};

/// Makes the directory (and those above it) if need be, and closes it to everybody else (0700).
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidInput`] for a directory that everybody shares, like `/tmp` or `/`, or that
/// `is_ours` refuses after a look at the names in it, and at whether it was closed already;
/// [`io::ErrorKind::PermissionDenied`] for somebody else's. It is as it was then.
pub fn prepare_dir(path: &Path, is_ours: impl FnOnce(&[String], bool) -> bool) -> io::Result<()> {
    let (folder, mode) = judged(&walk::make(path)?, path, is_ours)?;
    if mode != Mode::RWXU {
        fchmod(&folder, Mode::RWXU)?;
    }
    Ok(())
}

/// Whether what a directory is and holds is why [`prepare_dir`] would refuse it. Changes nothing, so that whether one can be made
/// or closed is not known.
///
/// # Errors
/// Those of [`prepare_dir`].
pub fn check_dir(path: &Path, is_ours: impl FnOnce(&[String], bool) -> bool) -> io::Result<()> {
    match walk::open(path) {
        Ok(folder) => judged(&folder, path, is_ours).map(drop),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn judged(
    folder: &OwnedFd,
    path: &Path,
    is_ours: impl FnOnce(&[String], bool) -> bool,
) -> io::Result<(OwnedFd, Mode)> {
    let there = fstat(folder)?;
    let mode = Mode::from_raw_mode(there.st_mode);
    let above = statat(folder, "..", AtFlags::empty())?;
    let is_root = (above.st_dev, above.st_ino) == (there.st_dev, there.st_ino);
    let not_ours = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    if mode.contains(Mode::SVTX) || is_root {
        let shared = "everybody shares this folder; name one of postern's own";
        return Err(not_ours(shared.to_owned()));
    }
    ours_alone(&there, path)?;
    let folder = walk::reopen(folder.as_fd())?;
    let names = names(&folder)?;
    if !is_ours(&names, mode == Mode::RWXU) {
        let example = names.first().map_or("", String::as_str);
        return Err(not_ours(format!(
            "it is not empty, and what is in it (as {example:?}) is not postern's; it is left as it is. Name an empty \
             folder, or one that is not there yet"
        )));
    }
    Ok((folder, mode))
}

/// What is in a folder, by name; those of folders end in `/`.
fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match name.as_str() {
            "." | ".." => {}
            _ if entry.file_type() == FileType::Directory => names.push(name + "/"),
            _ => names.push(name),
        }
    }
    Ok(names)
}

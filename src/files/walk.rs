//! The way to a folder, one name after the other, so that no link which somebody else laid leads elsewhere.
//!
//! A path is walked by descriptors: each name is opened in the folder before it, without following a link (`O_NOFOLLOW`).
//! A link is followed if it is root's or the process's own, as systemd's from `/var/lib/postern` to `/var/lib/private`;
//! somebody else's is refused. `openat2` could refuse all links at once, and those as well; and below the folder a file's
//! name is a single one, of which `O_NOFOLLOW` says all.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Opens a folder, as a place to open files in (`O_PATH`).
///
/// # Errors
/// The file system's; [`io::ErrorKind::PermissionDenied`] for a link of somebody else's on the way.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    walk(path, false)
}

/// The same, and makes (0700) what is not there.
///
/// # Errors
/// As [`open`].
pub fn make(path: &Path) -> io::Result<OwnedFd> {
    walk(path, true)
}

/// The same folder, to be read, locked or synced.
///
/// # Errors
/// The file system's.
pub fn reopen(folder: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(folder, ".", flags, Mode::empty())?)
}

/// Whether a file or folder is root's or our own: nobody else can change it under our hands.
pub fn is_trusted(there: &Stat) -> bool {
    there.st_uid == 0 || there.st_uid == geteuid().as_raw()
}

fn walk(path: &Path, make: bool) -> io::Result<OwnedFd> {
    let mut left = names(path);
    let mut at = openat(CWD, ".", PLACE, Mode::empty())?;
    let mut links = 0;
    while let Some(name) = left.pop() {
        match openat(&at, &name, PLACE | OFlags::DIRECTORY, Mode::empty()) {
            Ok(next) => at = next,
            Err(Errno::NOENT) if make => {
                match mkdirat(&at, &name, Mode::RWXU) {
                    // Somebody else was faster, which is as good.
                    Ok(()) | Err(Errno::EXIST) => left.push(name),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::NOTDIR) => {
                let link = openat(&at, &name, PLACE, Mode::empty())?;
                let there = fstat(&link)?;
                if FileType::from_raw_mode(there.st_mode) != FileType::Symlink {
                    return Err(Errno::NOTDIR.into());
                }
                if !is_trusted(&there) {
                    return Err(refused(&name, there.st_uid, path));
                }
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&link, "", Vec::new())?.into_bytes();
                left.extend(names(Path::new(&OsString::from_vec(target))));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(at)
}

fn refused(name: &OsStr, owner: u32, path: &Path) -> io::Error {
    let message = format!(
        "{} in {} is a link that user {owner} made, and postern runs as user {}; it is not followed",
        Path::new(name).display(),
        path.display(),
        geteuid().as_raw()
    );
    io::Error::new(io::ErrorKind::PermissionDenied, message)
}

/// The names of a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

const PLACE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// As many as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;

//! The few files beside the journal: written whole or not at all, private, read with a bound.
//!
//! What lies in a state folder is opened by descriptor, without following a link, and only if nobody but root and the
//! process's own user could have put it there (the functions whose name ends in `own`, and all that write): a folder
//! that a service owns may hold what somebody who broke into the service left for root to find. That root does not work
//! there at all, but hands over to the folder's owner, is [`privileges`](crate::privileges)' part.

mod stamp;
mod state_dir;
mod walk;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

pub use stamp::FileStamp;
pub use state_dir::{check_dir, prepare_dir};

/// Replaces a file's contents atomically and durably; the file is 0600.
///
/// A crash before the rename leaves the old file, and a `.new` that the next call overwrites; one after it may still
/// show the old file, until the directory is synced. At no instant is there half a file.
///
/// # Errors
/// The file system's; [`io::ErrorKind::PermissionDenied`] in a folder that is somebody else's.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let (folder, name) = own_folder(path)?;
    let mut beside = name.to_owned();
    beside.push(".new");
    // Removed first: an old one might have other permissions, or be a link.
    gone(unlinkat(&folder, &beside, AtFlags::empty()))?;
    let mut file = create_at(&folder, &beside, OFlags::WRONLY)?;
    let written = file
        .write_all(contents)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(renameat(&folder, &beside, &folder, name)?));
    if written.is_err() {
        // Half a file on a full card would keep it full.
        let _ = unlinkat(&folder, &beside, AtFlags::empty());
    }
    written?;
    sync(&folder)
}

/// Says whose a file is that may not be used, and the way out, if that is what is wrong.
#[must_use]
pub fn whose(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    match fs::symlink_metadata(path) {
        Ok(there) if there.uid() != user && error.raw_os_error().is_some() => io::Error::new(
            error.kind(),
            format!(
                "{error}: it belongs to user {}, and postern runs as user {user}. As root: chown {user}:{group} {}",
                there.uid(),
                path.display()
            ),
        ),
        _ => error,
    }
}

/// Removes a file durably; one that is not there is no error.
///
/// # Errors
/// As [`replace`].
pub fn remove(path: &Path) -> io::Result<()> {
    let (folder, name) = own_folder(path)?;
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) => sync(&folder),
        // A read-only file system refuses without a look.
        Err(error) => match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            _ => Err(error.into()),
        },
    }
}

/// Removes a file, if it is there. A crash may undo it.
///
/// # Errors
/// As [`replace`].
pub fn unlink(path: &Path) -> io::Result<()> {
    let (folder, name) = own_folder(path)?;
    gone(unlinkat(&folder, name, AtFlags::empty()))
}

/// Gives a file another name in its folder, in place of what has that name.
///
/// # Errors
/// As [`replace`].
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (folder, name) = own_folder(from)?;
    Ok(renameat(&folder, name, &folder, last(to)?)?)
}

/// Gives a file a second name in its folder.
///
/// # Errors
/// As [`replace`]; if the name is taken.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    let (folder, name) = own_folder(from)?;
    Ok(linkat(&folder, name, &folder, last(to)?, AtFlags::empty())?)
}

/// Makes what was done to the names in a file's folder survive a crash.
///
/// # Errors
/// The file system's.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    sync(&walk::open(parent(path))?)
}

fn sync(folder: &OwnedFd) -> io::Result<()> {
    File::from(walk::reopen(folder.as_fd())?).sync_all()
}

/// Opens a folder for a lock on it.
///
/// # Errors
/// The file system's; [`io::ErrorKind::PermissionDenied`] if it is somebody else's.
pub fn open_folder(path: &Path) -> io::Result<File> {
    let folder = walk::open(path)?;
    ours_alone(&fstat(&folder)?, path)?;
    Ok(walk::reopen(folder.as_fd())?.into())
}

/// Makes a folder (0700) and those above it, if they are not there.
///
/// # Errors
/// The file system's.
pub fn make_folder(path: &Path) -> io::Result<()> {
    walk::make(path).map(drop)
}

/// Whose a folder is: user and group.
///
/// # Errors
/// The file system's.
pub fn owner(folder: &Path) -> io::Result<(u32, u32)> {
    let there = fstat(walk::open(folder)?)?;
    Ok((there.st_uid, there.st_gid))
}

/// What is known of a file, or of the link that has its name.
///
/// # Errors
/// The file system's.
pub fn stat(path: &Path) -> io::Result<Stat> {
    let folder = walk::open(parent(path))?;
    Ok(statat(&folder, last(path)?, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The folder that a file is in.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Reads a regular file of at most [`MAX_FILE`] bytes, also behind a link: one that the configuration names.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidData`] for something that is no regular file,
/// [`io::ErrorKind::FileTooLarge`] for what is too large.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    contents(&open_regular(path)?, MAX_FILE)
}

/// Reads a file of postern's own, or one that root left for it: no link, and nobody else can change it meanwhile.
///
/// # Errors
/// As [`read`], and as [`open_own`].
pub fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    read_own_up_to(path, MAX_FILE)
}

/// The same, of at most so many bytes. What is larger is refused before any of it is read.
///
/// # Errors
/// As [`read_own`].
pub fn read_own_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    contents(&open_own(path, OFlags::RDONLY)?, limit)
}

/// Reads a regular file of at most so many bytes, whoever's it is and wherever it lies, behind links or not.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    contents(&open_regular(path)?, limit)
}

/// Reads a regular file of at most so many bytes, whoever's it is, by a path that does not end in a link.
///
/// # Errors
/// As [`read`].
pub fn read_no_link(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    contents(&open_no_link(path)?, limit)
}

/// Opens a regular file for reading. Anything else, a FIFO say, is refused without waiting for it.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidData`] for something that is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(path)?;
    regular(file)
}

/// The same, of a path that does not end in a link, nor leads through one that somebody else made.
///
/// # Errors
/// As [`open_regular`]; [`io::ErrorKind::InvalidData`] for a link, too.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    open_at(&walk::open(parent(path))?, last(path)?, OFlags::RDONLY)
}

/// Opens a file in a folder of postern's own. File and folder are root's or ours, and neither is reached through a link
/// that somebody else made; the file itself is no link at all.
///
/// # Errors
/// As [`open_no_link`]; [`io::ErrorKind::PermissionDenied`] for what is somebody else's.
pub fn open_own(path: &Path, flags: OFlags) -> io::Result<File> {
    let (folder, name) = own_folder(path)?;
    let file = open_at(&folder, name, flags)?;
    ours_alone(&fstat(&file)?, path)?;
    Ok(file)
}

/// Makes a new, private file in a folder of postern's own.
///
/// # Errors
/// The file system's; [`io::ErrorKind::PermissionDenied`] in somebody else's folder.
pub fn create_own(path: &Path, flags: OFlags) -> io::Result<File> {
    let (folder, name) = own_folder(path)?;
    create_at(&folder, name, flags)
}

/// Opens a file of postern's own as [`open_own`], or makes it as [`create_own`].
///
/// # Errors
/// As those.
pub fn open_or_create(path: &Path, flags: OFlags) -> io::Result<File> {
    match open_own(path, flags) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match create_own(path, flags) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_own(path, flags),
        made => made,
    }
}

/// The folder that a file of ours is in, and its name there.
fn own_folder(path: &Path) -> io::Result<(OwnedFd, &OsStr)> {
    let parent = parent(path);
    let folder = walk::open(parent)?;
    ours_alone(&fstat(&folder)?, parent)?;
    Ok((folder, last(path)?))
}

fn last(path: &Path) -> io::Result<&OsStr> {
    path.file_name()
        .ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

fn open_at(folder: &OwnedFd, name: &OsStr, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let refused = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => regular(file.into()),
        Err(Errno::LOOP) => refused("this is a link, which is not followed"),
        // A socket, or a FIFO that nobody reads (`open(2)`).
        Err(Errno::NXIO) => refused(NOT_REGULAR),
        Err(error) => Err(error.into()),
    }
}

fn create_at(folder: &OwnedFd, name: &OsStr, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, NOT_REGULAR))
}

/// Fails for what somebody else owns, and so can change at any time.
fn ours_alone(there: &Stat, path: &Path) -> io::Result<()> {
    if walk::is_trusted(there) {
        return Ok(());
    }
    let (owner, user, group) = (there.st_uid, geteuid().as_raw(), getegid().as_raw());
    let message = format!(
        "{path} belongs to user {owner}, and postern runs as user {user}. Run it as that user (postern --user {owner} …), \
         or as root: chown {user}:{group} {path}",
        path = path.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// What is not there need not be removed.
fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Err(Errno::NOENT) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

const NOT_REGULAR: &str = "this is not a regular file";

fn contents(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let metadata = file.metadata()?;
    let mut contents = Vec::new();
    if metadata.len() <= limit {
        file.take(limit + 1).read_to_end(&mut contents)?;
    }
    if metadata.len().max(contents.len() as u64) > limit {
        let message = format!("the file is larger than {} KiB", limit / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(contents)
}

/// Keys, certificate chains and passwords are far smaller.
const MAX_FILE: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;

//! The few files beside the journal: written whole or not at all, private, read with a bound.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{getegid, geteuid};

/// Makes the directory (and those above it) if need be, and closes it to everybody else (0700).
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidInput`] for a directory that everybody shares, like `/tmp` or `/`.
pub fn prepare_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & STICKY != 0 || path.canonicalize()?.parent().is_none() {
        let shared = "everybody shares this folder; name one of postern's own";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, shared));
    }
    if mode & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Replaces a file's contents atomically and durably; the file is 0600, and its owner's as before.
///
/// A crash before the rename leaves the old file, and a `.new` that the next call overwrites; one after it may still show
/// the old file, until the directory is synced. At no instant is there half a file.
///
/// # Errors
/// The file system's.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // Removed first: an old one might have other permissions, or be a link.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    inherit_owner(&file, path);
    let written = file
        .write_all(contents)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Half a file on a full card would keep it full.
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_parent(path)
}

/// Gives a new file the owner of the one whose place it takes, or else the folder's. Root may put something right in a
/// service's folder, and the service has to be able to use it afterwards. Nobody else can, nor needs to.
pub fn inherit_owner(file: &File, path: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let model = fs::metadata(path).or_else(|_| fs::metadata(parent(path)));
    let (Ok(model), Ok(own)) = (model, file.metadata()) else {
        return;
    };
    if (model.uid(), model.gid()) != (own.uid(), own.gid()) {
        // Some file systems have no owners. It is no reason not to go on.
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
}

/// Says whose a file is that may not be used, and the way out, if that is what is wrong.
#[must_use]
pub fn whose(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    match fs::metadata(path) {
        Ok(there) if there.uid() != user => io::Error::new(
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
/// The file system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        // A read-only file system refuses without a look.
        Err(error) => match fs::symlink_metadata(path) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        },
    }
}

/// Makes what was done to the names in a file's folder survive a crash.
///
/// # Errors
/// The file system's.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// The folder that a file is in.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Reads a regular file of at most [`MAX_FILE`] bytes.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidData`] for something that is no regular file,
/// [`io::ErrorKind::FileTooLarge`] for what is too large.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, MAX_FILE)
}

/// Reads a regular file of at most so many bytes. What is larger is refused before any of it is read.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    contents(&open_regular(path)?, limit)
}

/// Reads a file that another program left for postern: no link, and root's or postern's own, so that nobody else can
/// change it meanwhile.
///
/// # Errors
/// As [`read`]; [`io::ErrorKind::PermissionDenied`] for somebody else's file.
pub fn read_left(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_no_link(path)?;
    let owner = file.metadata()?.uid();
    if owner != 0 && owner != geteuid().as_raw() {
        let message = format!("it belongs to user {owner}, who is neither root nor postern's");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    contents(&file, limit)
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
    open_with(path, OFlags::NONBLOCK)
}

/// The same, of a path that does not end in a link.
///
/// # Errors
/// As [`open_regular`].
pub fn open_no_link(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    if !file.metadata()?.is_file() {
        let message = "this is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(file)
}

/// Enough of a file's metadata to notice that it was replaced or rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark([u64; 3], [i64; 4]);

impl From<&Metadata> for Mark {
    fn from(there: &Metadata) -> Self {
        let times = [
            there.mtime(),
            there.mtime_nsec(),
            there.ctime(),
            there.ctime_nsec(),
        ];
        Self([there.dev(), there.ino(), there.len()], times)
    }
}

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

/// The mode bit of folders in which everybody may write (`inode(7)`).
const STICKY: u32 = 0o1000;

/// Keys, certificate chains and passwords are far smaller.
const MAX_FILE: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secret");
        replace(&path, b"one").expect("written");
        // A leftover of a crashed replacement is no obstacle.
        fs::write(dir.path().join("secret.new"), b"half").expect("written");
        replace(&path, b"two").expect("replaced");
        assert_eq!(read(&path).expect("read"), b"two");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert!(!dir.path().join("secret.new").exists());
        remove(&path).expect("removed");
        remove(&path).expect("removed twice");
        assert!(!path.exists());
    }

    #[test]
    fn the_state_folder_is_closed_to_others() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a/b");
        fs::create_dir_all(&path).expect("made");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("opened");
        prepare_dir(&path).expect("prepared");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn who_may_not_use_a_file_is_told_whose_it_is_and_the_way_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        fs::write(&path, "").expect("written");
        if !geteuid().is_root() || std::os::unix::fs::chown(&path, Some(1234), None).is_err() {
            return;
        }
        let said = whose(&path, io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(said.contains("belongs to user 1234"), "{said}");
        assert!(said.contains("chown 0:"), "{said}");
        let other = whose(&path, io::ErrorKind::StorageFull.into());
        assert_eq!(other.kind(), io::ErrorKind::StorageFull);
        assert!(!other.to_string().contains("belongs"));
    }

    #[test]
    fn a_replacement_that_fails_leaves_nothing_beside() {
        let dir = tempfile::tempdir().expect("a directory");
        // A folder cannot be replaced by a file.
        let path = dir.path().join("taken");
        fs::create_dir(&path).expect("made");
        assert!(replace(&path, b"anew").is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_folder_that_everybody_shares_is_not_closed_to_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let mode = || {
            fs::metadata(dir.path())
                .expect("there")
                .permissions()
                .mode()
                & 0o7777
        };
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).expect("opened");
        assert!(prepare_dir(dir.path()).is_err());
        assert_eq!(mode(), 0o1777);
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("closed");
    }

    #[test]
    fn what_is_no_small_regular_file_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(read(dir.path()).is_err());
        let large = dir.path().join("large");
        fs::write(&large, vec![0; 1024 * 1024 + 1]).expect("written");
        assert!(read(&large).is_err());
    }
}

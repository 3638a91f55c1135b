//! The few files beside the journal: written whole or not at all, private, read with a bound.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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

/// Replaces a file's contents atomically and durably; the file is 0600.
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
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_parent(path)
}

/// Removes a file durably; one that is not there is no error.
///
/// # Errors
/// The file system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes what was done to the names in a file's folder survive a crash.
///
/// # Errors
/// The file system's.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads a regular file of at most [`MAX_FILE`] bytes.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidData`] for something that is no regular file or too large.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, MAX_FILE)
}

/// Reads a regular file of at most so many bytes. What is larger is refused before any of it is read.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let refuse = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    // Non-blocking, so that a FIFO in the file's place cannot hold the start up.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(refuse("this is no regular file".to_owned()));
    }
    let mut contents = Vec::new();
    if metadata.len() <= limit {
        file.take(limit + 1).read_to_end(&mut contents)?;
    }
    if metadata.len().max(contents.len() as u64) > limit {
        let mebibytes = limit / (1024 * 1024);
        return Err(refuse(format!("the file is larger than {mebibytes} MiB")));
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

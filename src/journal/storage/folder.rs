//! The journal's files in a folder of the real file system.
//!
//! ```text
//! STATE_DIR/lock   held by flock(2) for as long as the storage lives; empty, never removed
//! ```
//!
//! The lock is a file of its own since a replacement gives `journal` a new inode, and a lock sits on the inode.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Storage, StorageFile, too_large};
use crate::journal::OpenError;

/// A folder that this process alone uses.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    lock: Mutex<File>,
}

impl FileStorage {
    /// Takes possession of `folder`, which is made (0700) if need be.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if another process (or another storage in this one) has it; [`OpenError::Storage`] if the
    /// folder or the lock in it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let failed = |path: &Path, source| OpenError::Storage {
            location: path.display().to_string(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)
            .map_err(|error| failed(folder, error))?;
        let path = folder.join(LOCK);
        match take_lock(&path) {
            Ok(lock) => Ok(Self {
                folder: folder.to_owned(),
                lock: Mutex::new(lock),
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(OpenError::Locked { path })
            }
            Err(error) => Err(failed(&path, error)),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Sees to it that the folder is still the one whose lock is held. Another file system may have been mounted in its
    /// place meanwhile (the old one failed): then that one's lock is taken.
    fn keep_lock(&self) -> io::Result<()> {
        let mut lock = self.lock.lock();
        let path = self.path(LOCK);
        let held = lock.metadata()?;
        let is_held = fs::metadata(&path)
            .is_ok_and(|there| there.dev() == held.dev() && there.ino() == held.ino());
        if !is_held {
            *lock = take_lock(&path)?;
        }
        Ok(())
    }
}

impl Storage for FileStorage {
    fn location(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn StorageFile>>> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true);
        let opened = match options.append(true).open(&path) {
            // What is in it has to be in force on a file system that cannot be written to as well. Writing will fail.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                return Ok(Some(Box::new(options.append(false).open(&path)?)));
            }
            opened => opened,
        };
        match opened {
            Ok(file) => {
                // Hashes are in it: a copy put back by hand must not stay readable for everybody.
                file.set_permissions(Permissions::from_mode(FILE_MODE))?;
                Ok(Some(Box::new(file)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.keep_lock()?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path(name))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl StorageFile for File {
    fn read(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.metadata()?.len()).unwrap_or(usize::MAX);
        if length > limit {
            return Err(too_large(limit));
        }
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn has_name(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }
}

/// [`io::ErrorKind::WouldBlock`] if somebody else has it.
fn take_lock(path: &Path) -> io::Result<File> {
    // For reading, which is all a lock needs: a read-only file system has locks too.
    let lock = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?,
        opened => opened?,
    };
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
        locked => locked.map(|()| lock).map_err(io::Error::from),
    }
}

const LOCK: &str = "lock";

/// Password hashes are for nobody else to read.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_that_the_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let first = FileStorage::open(folder.path()).unwrap();
        let second = FileStorage::open(folder.path()).unwrap_err();
        assert!(matches!(second, OpenError::Locked { .. }), "{second}");
        drop(first);
        FileStorage::open(folder.path()).unwrap();
    }

    #[test]
    fn nothing_is_made_in_a_folder_whose_lock_somebody_else_has() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let storage = FileStorage::open(&folder).unwrap();
        // As when another file system is mounted over it.
        fs::rename(&folder, outer.path().join("old")).unwrap();
        let other = FileStorage::open(&folder).unwrap();
        assert!(storage.create("journal.new").is_err());
        assert!(!folder.join("journal.new").exists());
        drop(other);
        storage.create("journal.new").unwrap();
        let refused = FileStorage::open(&folder).unwrap_err();
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    }

    #[test]
    fn nobody_else_may_read_what_is_kept() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let storage = FileStorage::open(&folder).unwrap();
        storage.create("journal").unwrap();
        assert_eq!(mode(&folder), 0o700);
        for name in ["lock", "journal"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        fs::set_permissions(folder.join("journal"), Permissions::from_mode(0o644)).unwrap();
        storage.open("journal").unwrap();
        assert_eq!(mode(&folder.join("journal")), 0o600);
    }
}

//! The journal in a folder of the real file system.
//!
//! ```text
//! STATE_DIR/lock             held by flock(2) for as long as the storage lives; empty, never removed
//! STATE_DIR/journal          the current file
//! STATE_DIR/journal.new      a replacement under way
//! STATE_DIR/journal.damaged  the last file that had damage before its tail, for whoever wants to look into it
//! ```
//!
//! The lock is a file of its own since a replacement gives `journal` a new inode, and a lock sits on the inode.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Storage, no_file, too_large};
use crate::journal::OpenError;

/// A journal in a folder that this process alone uses.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    /// Kept open for its `fsync`: a rename is durable only once the directory is.
    directory: File,
    /// None before the first file is published, and after a rename of which the directory may know nothing.
    current: Option<File>,
    replacement: Option<File>,
    _lock: File,
}

impl FileStorage {
    /// Takes possession of `folder`, which is made (0700) if need be.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if another process (or another storage in this one) has it; [`OpenError::Storage`] if the
    /// folder or a file in it cannot be opened.
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

        let lock_path = folder.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&lock_path)
            .map_err(|error| failed(&lock_path, error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked { path: lock_path }),
            Err(error) => return Err(failed(&lock_path, error.into())),
        }

        let directory = File::open(folder).map_err(|error| failed(folder, error))?;
        let path = folder.join(CURRENT);
        let current = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => {
                // Hashes are in it: a copy put back by hand must not stay readable for everybody.
                file.set_permissions(Permissions::from_mode(FILE_MODE))
                    .map_err(|error| failed(&path, error))?;
                Some(file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&path, error)),
        };
        let storage = Self {
            folder: folder.to_owned(),
            directory,
            current,
            replacement: None,
            _lock: lock,
        };
        // What a crash in the middle of a replacement left only takes room. If it stays, the next one removes it.
        let _ = remove_if_there(&storage.path(REPLACEMENT));
        Ok(storage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn current(&mut self) -> io::Result<&mut File> {
        self.current.as_mut().ok_or_else(no_file)
    }

    fn replacement(&mut self) -> io::Result<&mut File> {
        self.replacement.as_mut().ok_or_else(no_file)
    }
}

impl Storage for FileStorage {
    fn location(&self) -> String {
        self.path(CURRENT).display().to_string()
    }

    fn read(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        if self.current.is_none() {
            return Ok(None);
        }
        // A handle of its own reads from the start, wherever the appending one stands.
        let file = File::open(self.path(CURRENT))?;
        let length = file.metadata()?.len();
        let fits = usize::try_from(length).is_ok_and(|length| length <= limit);
        if !fits {
            return Err(too_large(limit));
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current()?.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let current = self.current()?;
        current.sync_data()?;
        // What is synced to a file without a name is lost with the process.
        if current.metadata()?.nlink() == 0 {
            return Err(io::Error::other("the journal was removed or replaced"));
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.current()?.set_len(len)
    }

    fn keep_damaged(&mut self) -> io::Result<()> {
        let kept = self.path(DAMAGED);
        // A crash here leaves the damaged journal in its place, to be found and kept again.
        remove_if_there(&kept)?;
        // A second name for the same inode takes no room on a full card. Some file systems have no such thing.
        if fs::hard_link(self.path(CURRENT), &kept).is_err() {
            fs::copy(self.path(CURRENT), &kept)?;
        }
        Ok(())
    }

    fn begin_replacement(&mut self) -> io::Result<()> {
        self.replacement = None;
        let path = self.path(REPLACEMENT);
        remove_if_there(&path)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)?;
        self.replacement = Some(file);
        Ok(())
    }

    fn write_replacement(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.replacement()?.write_all(bytes)
    }

    fn seal_replacement(&mut self) -> io::Result<()> {
        // Not `sync_data`: the new inode itself has to be on disk before a name points to it.
        self.replacement()?.sync_all()
    }

    fn publish_replacement(&mut self) -> io::Result<()> {
        let file = self.replacement.take().ok_or_else(no_file)?;
        // From the rename on, the old handle belongs to a file without a name: nothing may be appended to it.
        self.current = None;
        // A crash before the rename leaves the old file; the new one is a leftover.
        fs::rename(self.path(REPLACEMENT), self.path(CURRENT))?;
        // A crash here leaves either: both are whole, and both hold all that was answered.
        self.directory.sync_all()?;
        self.current = Some(file);
        Ok(())
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const CURRENT: &str = "journal";
const REPLACEMENT: &str = "journal.new";
const DAMAGED: &str = "journal.damaged";

/// Password hashes are for nobody else to read.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn replace(storage: &mut FileStorage, bytes: &[u8]) {
        storage.begin_replacement().unwrap();
        storage.write_replacement(bytes).unwrap();
        storage.seal_replacement().unwrap();
        storage.publish_replacement().unwrap();
    }

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
    fn nobody_else_may_read_what_is_kept() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        let mut storage = FileStorage::open(&folder).unwrap();
        replace(&mut storage, b"x");
        storage.keep_damaged().unwrap();
        assert_eq!(mode(&folder), 0o700);
        for name in ["lock", CURRENT, DAMAGED] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        drop(storage);
        fs::set_permissions(folder.join(CURRENT), Permissions::from_mode(0o644)).unwrap();
        FileStorage::open(&folder).unwrap();
        assert_eq!(mode(&folder.join(CURRENT)), 0o600);
    }

    #[test]
    fn appends_go_to_the_file_that_was_published_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = FileStorage::open(folder.path()).unwrap();
        assert_eq!(storage.read(100).unwrap(), None);
        assert!(storage.append(b"nowhere").is_err());
        replace(&mut storage, b"old");
        storage.append(b"er").unwrap();
        replace(&mut storage, b"new");
        storage.append(b"er and longer").unwrap();
        storage.sync().unwrap();
        storage.truncate(5).unwrap();
        storage.append(b"!").unwrap();
        assert_eq!(storage.read(100).unwrap().unwrap(), b"newer!");
        assert!(storage.read(5).is_err());
        drop(storage);
        let mut again = FileStorage::open(folder.path()).unwrap();
        assert_eq!(again.read(100).unwrap().unwrap(), b"newer!");
    }

    #[test]
    fn a_replacement_that_was_not_published_is_gone_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = FileStorage::open(folder.path()).unwrap();
        replace(&mut storage, b"old");
        storage.begin_replacement().unwrap();
        storage.write_replacement(b"half").unwrap();
        drop(storage);
        let mut again = FileStorage::open(folder.path()).unwrap();
        assert_eq!(again.read(100).unwrap().unwrap(), b"old");
        assert!(!folder.path().join(REPLACEMENT).exists());
    }

    #[test]
    fn a_damaged_file_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = FileStorage::open(folder.path()).unwrap();
        for bytes in [b"first", b"again"] {
            replace(&mut storage, bytes);
            storage.keep_damaged().unwrap();
            replace(&mut storage, b"clean");
            storage.append(b"er").unwrap();
            assert_eq!(fs::read(folder.path().join(DAMAGED)).unwrap(), bytes);
        }
    }
}

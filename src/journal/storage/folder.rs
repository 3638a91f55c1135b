//! The journal's files in a folder of the real file system.
//!
//! ```text
//! STATE_DIR/lock   held by flock(2) for as long as the storage lives; never removed. Empty, until an audit log is
//!                  written in the folder
//! ```
//!
//! The lock is a file of its own since a replacement gives `journal` a new inode, and a lock sits on the inode.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, OFlags, StatVfs, StatVfsMountFlags, fcntl_getfl, flock, statvfs};
use rustix::io::Errno;

use super::{LEAST_ROOM, Room, Storage, StorageFile, too_large};
use crate::files;
use crate::journal::OpenError;

/// A folder that this process alone uses.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    /// `None`: it is nobody's state folder, and what is done in it disturbs no server.
    lock: Option<Mutex<File>>,
    /// Whether the lock's file was made for it.
    made: bool,
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
        files::make_folder(folder).map_err(|error| failed(folder, error))?;
        let path = folder.join(LOCK);
        let made = files::stat(&path).is_err();
        match take_lock(&path) {
            Ok(lock) => Ok(Self {
                folder: folder.to_owned(),
                lock: Some(Mutex::new(lock)),
                made,
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(OpenError::Locked { path })
            }
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// A folder that is no server's: for a copy of a journal that lies anywhere.
    #[must_use]
    pub fn unguarded(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            lock: None,
            made: false,
        }
    }

    /// Leaves the folder as it was found: without a lock, if there was none.
    pub fn leave(self) {
        if self.made {
            // Still held: who has opened it meanwhile sees that it has lost its name, and makes another.
            let _ = files::remove(&self.path(LOCK));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Sees to it that the folder is still the one whose lock is held. Another file system may have been mounted in its
    /// place meanwhile (the old one failed): then that one's lock is taken.
    fn keep_lock(&self) -> io::Result<()> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        let mut lock = lock.lock();
        let path = self.path(LOCK);
        let held = lock.metadata()?;
        let is_held = files::stat(&path)
            .is_ok_and(|there| there.st_dev == held.dev() && there.st_ino == held.ino());
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
        let file = match files::open_own(&path, OFlags::RDWR | OFlags::APPEND) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // What is in it has to be in force on a file system that cannot be written to as well; `writable` tells.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                return Ok(Some(Box::new(files::open_own(&path, OFlags::RDONLY)?)));
            }
            // What is not understood must not pass for a first start.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory
                ) =>
            {
                let message = format!("{error}; move it away, or put back a copy of the journal");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            opened => opened.map_err(|error| files::whose(&path, error))?,
        };
        // Hashes are in it: a copy put back by hand must not stay readable for everybody.
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(|error| files::whose(&path, error))?;
        Ok(Some(Box::new(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.keep_lock()?;
        let flags = OFlags::RDWR | OFlags::APPEND;
        Ok(Box::new(files::create_own(&self.path(name), flags)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        files::rename(&self.path(from), &self.path(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        files::link(&self.path(from), &self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        files::unlink(&self.path(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        files::sync_parent(&self.path(LOCK))
    }

    fn room(&self) -> io::Result<Room> {
        let root = rustix::process::geteuid().is_root();
        Ok(room(&statvfs(&self.folder)?, root))
    }
}

/// What the numbers of a file system say to `root`, or to somebody else.
fn room(stat: &StatVfs, root: bool) -> Room {
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Room::ReadOnly;
    }
    // Some blocks are kept for root.
    let blocks = if root { stat.f_bfree } else { stat.f_bavail };
    // A file system that counts no blocks at all (a tmpfs without a limit) does not say how many are free.
    if stat.f_blocks > 0 && blocks.saturating_mul(stat.f_frsize) < LEAST_ROOM {
        return Room::Full;
    }
    Room::Enough
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

    fn writable(&self) -> io::Result<()> {
        let mode = fcntl_getfl(self)? & OFlags::RWMODE;
        if mode == OFlags::RDONLY {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    fn has_name(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }
}

/// [`io::ErrorKind::WouldBlock`] if somebody else has it.
fn take_lock(path: &Path) -> io::Result<File> {
    loop {
        let lock = try_lock(path)?;
        // Not one that was removed between the opening and the locking.
        if lock.metadata()?.nlink() > 0 {
            return Ok(lock);
        }
    }
}

fn try_lock(path: &Path) -> io::Result<File> {
    // For reading, which is all a lock needs: a read-only file system has locks too.
    let lock =
        files::open_or_create(path, OFlags::RDONLY).map_err(|error| files::whose(path, error))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
        locked => locked.map(|()| lock).map_err(io::Error::from),
    }
}

/// The lock's file.
pub const LOCK: &str = "lock";

/// Password hashes are for nobody else to read.
const FILE_MODE: u32 = 0o600;

#[cfg(test)]
mod tests;

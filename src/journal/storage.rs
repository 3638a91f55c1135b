//! Where the journal's bytes are kept: the calls of a file system that it rests on, behind one small trait.
//!
//! Each method is one call that can fail or lose power, and knows nothing of records. The real one is
//! [`FileStorage`], a folder; [`MemoryStorage`] is a model of what a file system may do, for tests of every floor.

mod crash;
mod faults;
mod folder;
mod memory;

pub use faults::{Counts, Failing, Fault, StorageCall};
pub use folder::{FileStorage, LOCK};
pub use memory::MemoryStorage;

use std::io;

/// A folder that this process alone uses.
pub trait Storage: Send + Sync {
    /// How to call a file of this storage in a message.
    fn location(&self, name: &str) -> String;

    /// Opens a file for reading and appending; `None` if there is none.
    ///
    /// # Errors
    /// The file system's.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn StorageFile>>>;

    /// Makes a new, empty file, open for appending. A crash before the next [`sync_folder`](Self::sync_folder) may
    /// leave it there or not.
    ///
    /// # Errors
    /// If there is one of that name already, or the file system fails.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, in place of the file that had it: at every instant that name is the one's or the
    /// other's. A crash before the next [`sync_folder`](Self::sync_folder) may undo it.
    ///
    /// # Errors
    /// If it is not certain.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name. A crash before the next [`sync_folder`](Self::sync_folder) may undo it.
    ///
    /// # Errors
    /// If the name is taken, or the file system has no such thing.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file, if it is there. A crash before the next [`sync_folder`](Self::sync_folder) may undo it.
    ///
    /// # Errors
    /// If it is not certain.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all changes of names survive a crash (`fsync` of the folder).
    ///
    /// # Errors
    /// If that is not certain.
    fn sync_folder(&self) -> io::Result<()>;

    /// Whether the file system would take more. Nothing is written for it.
    ///
    /// # Errors
    /// The file system's: it does not say.
    fn room(&self) -> io::Result<Room>;
}

/// Whether there is room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// As far as anybody can tell.
    Enough,
    /// Less than [`LEAST_ROOM`] is free.
    Full,
    /// The file system is read-only.
    ReadOnly,
}

/// Bytes that must be free: two thousand logouts, or a journal of a common size written anew.
pub const LEAST_ROOM: u64 = 64 * 1024;

/// An open file of a [`Storage`].
pub trait StorageFile: Send {
    /// The whole file.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than `limit` bytes.
    fn read(&mut self, limit: usize) -> io::Result<Vec<u8>>;

    /// Adds bytes at the end, and says how many were taken: perhaps not all. A crash before the next sync may leave
    /// all, none or any part of them, in any order of blocks, or a longer file with zeros or old bytes in it.
    ///
    /// # Errors
    /// If none was taken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes everything written so far, and the length, survive a crash (`fdatasync`).
    ///
    /// # Errors
    /// If that is not certain. Never to be tried again: the kernel may have dropped the page it could not write, and
    /// would call the next sync a success.
    fn sync_data(&mut self) -> io::Result<()>;

    /// As [`sync_data`](Self::sync_data), and the file itself too (`fsync`): before a name is made to point to it.
    ///
    /// # Errors
    /// As for [`sync_data`](Self::sync_data).
    fn sync_all(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` bytes. A crash before the next sync may undo it.
    ///
    /// # Errors
    /// If it is not certain.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Whether it was opened for writing.
    ///
    /// # Errors
    /// Why not: the file system is read-only.
    fn writable(&self) -> io::Result<()>;

    /// Whether the file still has a name: what is written to one without is lost with the process.
    ///
    /// # Errors
    /// The file system's.
    fn has_name(&self) -> io::Result<bool>;
}

/// Adds all of the bytes. After an error some of them may be there.
pub(super) fn write_all(file: &mut dyn StorageFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn too_large(limit: usize) -> io::Error {
    let message = format!(
        "it is larger than {} MiB, and a journal never is. If it is another file, move it away. If not, put back a \
         copy of the journal",
        limit / (1024 * 1024)
    );
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

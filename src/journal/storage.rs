//! Where the journal's bytes are kept, behind one small trait: real files, memory for tests, and room for one that
//! crashes on purpose.
//!
//! The trait names the steps in which a file system can fail or lose power, one each, and nothing of records.

mod file;
mod memory;

pub use file::FileStorage;
pub use memory::{Counts, Failing, MemoryStorage};

use std::io;

/// One journal's storage: the current file, and at most one replacement under way.
///
/// A storage that has failed an [`append`](Self::append), a [`sync`](Self::sync) or a
/// [`publish`](Self::publish_replacement) is only good for a replacement after that: what the current file holds on
/// disk is no longer known (the kernel may have dropped the page it could not write and call the next sync a
/// success). The writer keeps to that.
pub trait Storage: Send {
    /// How to call this storage in a message: the file's path.
    fn location(&self) -> String;

    /// The whole current file; `None` if there never was one.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than `limit` bytes.
    fn read(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>>;

    /// Adds `bytes` at the end. A crash before the next sync may leave all, none or any part of them, in any order
    /// of blocks, or a longer file with zeros or old bytes in it.
    ///
    /// # Errors
    /// If not all of them were taken; some may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended so far, and the length, survive a crash (`fdatasync`).
    ///
    /// # Errors
    /// If that is not certain. Never to be tried again on the same file.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the current file to `len` bytes. A crash before the next sync may undo it.
    ///
    /// # Errors
    /// If it is not certain.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Keeps the current file's bytes beside it, as `journal.damaged`, in place of an earlier such one.
    ///
    /// # Errors
    /// If it could not be kept; the current file is untouched.
    fn keep_damaged(&mut self) -> io::Result<()>;

    /// Starts an empty replacement. A crash leaves the current file, and a leftover that the next one removes.
    ///
    /// # Errors
    /// The current file is untouched.
    fn begin_replacement(&mut self) -> io::Result<()>;

    /// Adds to the replacement. A crash leaves what it leaves after `begin_replacement`.
    ///
    /// # Errors
    /// The current file is untouched.
    fn write_replacement(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the replacement's bytes survive a crash. The crash still finds the old file in place.
    ///
    /// # Errors
    /// The current file is untouched.
    fn seal_replacement(&mut self) -> io::Result<()>;

    /// Puts the sealed replacement in the current file's place and makes that survive a crash (rename, then sync the
    /// directory). A crash in between finds one of the two files, whole.
    ///
    /// # Errors
    /// Which of the two files a crash would find is not known. Only another replacement makes it so.
    fn publish_replacement(&mut self) -> io::Result<()>;
}

fn too_large(limit: usize) -> io::Error {
    let message = format!("it is larger than {} MiB", limit / (1024 * 1024));
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

fn no_file() -> io::Error {
    io::Error::other("there is no file to write to")
}

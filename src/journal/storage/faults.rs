//! What a test may ask of a storage in memory: which calls are counted, and how they may fail.

#[cfg(doc)]
use super::{Storage, StorageFile};

/// A call that changes the disk, or makes a change certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageCall {
    /// [`StorageFile::write`], and to which kind of file: the current one, or a new one.
    Write {
        /// Whether it is the current file.
        current: bool,
    },
    /// [`StorageFile::sync_data`] and [`StorageFile::sync_all`].
    Sync,
    /// [`StorageFile::truncate`].
    Truncate,
    /// [`Storage::create`].
    Create,
    /// [`Storage::rename`], [`Storage::link`] and [`Storage::remove`].
    Names,
    /// [`Storage::sync_folder`].
    SyncFolder,
}

/// What may become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full: a write takes half and the next one nothing; nothing can be made.
    Full,
    /// `EIO`: a write or a change of names may have happened or not. After a sync, nobody knows what of that file's
    /// unsynced bytes is on the disk, now and for ever, whatever later syncs say.
    Io,
    /// The file system has turned read-only: nothing happens.
    ReadOnly,
    /// A write takes only half of the bytes, and says so.
    Short,
    /// A sync says that it succeeded and did nothing.
    Lie,
}

/// What has been asked of the storage, failures included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Writes to the current file.
    pub appends: u64,
    /// Syncs of the current file.
    pub syncs: u64,
    /// Replacements begun.
    pub replacements: u64,
    /// Calls that change the disk or sync it.
    pub calls: u64,
}

/// What is to fail from now on.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "switches, each on its own")]
pub struct Failing {
    /// Writes to the current file take half of the bytes, then fail, as on a full card.
    pub appends: bool,
    /// Syncs of the current file fail.
    pub syncs: bool,
    /// Replacements fail at their first write: the current file stays good.
    pub replacements: bool,
    /// Replacements fail at the very end: nobody knows which file is there.
    pub publishing: bool,
    /// The current file can be opened for reading only, and nothing new can be made.
    pub read_only: bool,
}

//! The journal's files in their storage: the current one, its replacement under way, and what is kept of a damaged one.
//!
//! ```text
//! journal            the current file
//! journal.new        a replacement under way; a crash's leftover is removed at the next start
//! journal.damaged.1  and so on: files that were damaged, for whoever wants to look into them (`keep`)
//! ```
//!
//! Here is the order of the steps that make a replacement safe; what each of them may do on a crash is said in
//! [`storage`](super::storage).

use std::io;
use std::sync::Arc;
use std::thread;

use super::damaged_copies::{WhenFull, keep_copy};
use super::format::MAX_FILE;
use super::storage::{Storage, StorageFile, write_all};

/// The file that is appended to, and the way to put another in its place.
pub(super) struct Files {
    storage: Arc<dyn Storage>,
    /// None before there is one, and once it has failed: what it holds on disk is not known any more then (the kernel
    /// may have dropped the page it could not write and call the next sync a success). Only a replacement brings it back.
    current: Option<Box<dyn StorageFile>>,
}

/// A new file beside the current one, which nobody looks at before it is published.
pub(super) struct Replacement {
    file: Box<dyn StorageFile>,
}

impl Files {
    /// Opens the current file, if there is one.
    pub(super) fn open(storage: Arc<dyn Storage>) -> io::Result<Self> {
        // It only takes room. If it stays, the next replacement removes it.
        let _ = storage.remove(REPLACEMENT);
        let current = storage.open(CURRENT)?;
        Ok(Self { storage, current })
    }

    /// How to call the current file in a message.
    pub(super) fn location(&self) -> String {
        self.storage.location(CURRENT)
    }

    /// The whole current file; `None` if there never was one.
    pub(super) fn read(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        self.current
            .as_mut()
            .map(|file| file.read(limit))
            .transpose()
    }

    /// Adds to the current file. After an error some of the bytes may be there.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(self.current()?, bytes)
    }

    /// Makes everything appended survive a crash (`fdatasync`).
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let current = self.current()?;
        current.sync_data()?;
        if current.has_name()? {
            Ok(())
        } else {
            Err(io::Error::other("the journal was removed or replaced"))
        }
    }

    /// Makes all that was found at the start survive a crash, its name included: a process that was killed may have left
    /// what the kernel has and the disk has not.
    ///
    /// # Errors
    /// If that is not certain, or if the file could only be opened for reading.
    pub(super) fn sync_found(&mut self) -> io::Result<()> {
        self.current()?.writable()?;
        self.current()?.sync_all()?;
        self.storage.sync_folder()
    }

    /// Cuts the current file to `len` bytes; to be synced before the next append, or a crash after that could put new
    /// frames' blocks among the old tail's.
    pub(super) fn truncate(&mut self, len: usize) -> io::Result<()> {
        self.current()?.truncate(len as u64)
    }

    /// Lets go of the current file after a failure. Cuts it to its first `good` bytes as well as that can be: what was
    /// not answered should not come back after a restart, though a disk that fails does not promise it.
    pub(super) fn abandon(&mut self, good: usize) {
        if let Some(mut failed) = self.current.take() {
            let _ = failed.truncate(good as u64);
        }
    }

    /// Keeps the current file beside it, and says where.
    pub(super) fn keep_damaged(&mut self) -> io::Result<String> {
        // A crash here leaves the damaged journal in its place, to be found and kept again.
        let bytes = self.current()?.read(MAX_FILE)?;
        let kept = keep_copy(
            self.storage.as_ref(),
            CURRENT,
            &bytes,
            WhenFull::ReplaceLast,
        )?;
        // A copy, or a second name, that a crash takes back would leave nothing of what is replaced next.
        self.storage.sync_folder()?;
        Ok(self.storage.location(&kept.name))
    }

    /// Begins a replacement. A crash from here to its publishing leaves the current file, and a leftover.
    pub(super) fn replacement(&self) -> io::Result<Replacement> {
        self.storage.remove(REPLACEMENT)?;
        let file = self.storage.create(REPLACEMENT)?;
        Ok(Replacement { file })
    }

    /// Gives back the room that a replacement took which will not be published.
    pub(super) fn discard_replacement(&self) {
        // If it stays, the next one removes it.
        let _ = self.storage.remove(REPLACEMENT);
    }

    /// Puts a sealed replacement in the current file's place. A crash in here finds one of the two files, whole.
    ///
    /// # Errors
    /// Which of the two files a crash would find is not known, and neither may be written to. Only another replacement
    /// makes it so.
    pub(super) fn publish(&mut self, replacement: Replacement) -> io::Result<()> {
        // From the rename on, the old handle belongs to a file without a name: nothing may be appended to it.
        let old = self.current.take();
        self.storage.rename(REPLACEMENT, CURRENT)?;
        self.storage.sync_folder()?;
        self.current = Some(replacement.file);
        if let Some(old) = old {
            // Whoever lets go of the last of a file waits for all of its blocks to be freed: 10 to 20 ms for a million
            // revocations, in the rename itself if the file is not open any more. Commits need not wait for that. Where
            // there is no thread to be had, they do.
            let release = thread::Builder::new().name("release".to_owned());
            let _ = release.stack_size(STACK).spawn(move || drop(old));
        }
        Ok(())
    }

    fn current(&mut self) -> io::Result<&mut dyn StorageFile> {
        match &mut self.current {
            Some(file) => Ok(file.as_mut()),
            None => Err(io::Error::other("there is no file to write to")),
        }
    }
}

impl Replacement {
    /// Adds to it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(self.file.as_mut(), bytes)
    }

    /// Makes the bytes so far survive a crash, though nothing depends on that yet.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes all of it survive a crash, and the file itself: it has to be on disk before a name points to it.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Of the thread that lets go of a file, in bytes.
const STACK: usize = 64 * 1024;

/// The current file's name.
pub(super) const CURRENT: &str = "journal";
pub(super) const REPLACEMENT: &str = "journal.new";

#[cfg(test)]
mod tests;

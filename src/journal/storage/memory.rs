//! A journal in memory, for tests of every floor: its failures are switched on and off, and it knows what was synced.

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{Storage, no_file, too_large};

/// A handle to bytes in memory. Clones share them, so that a test keeps one and can open the journal again.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Told whenever a sync comes to the gate, and when the gate opens.
    gate: Condvar,
}

#[derive(Debug, Default)]
struct Disk {
    current: Option<Vec<u8>>,
    /// What a power cut would leave.
    durable: Option<Vec<u8>>,
    replacement: Option<Vec<u8>>,
    replacement_sealed: bool,
    damaged: Option<Vec<u8>>,
    counts: Counts,
    failing: Failing,
    gate_closed: bool,
    waiting_at_gate: usize,
}

/// What has been asked of the storage, failures included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Appends to the current file.
    pub appends: u64,
    /// Syncs of the current file.
    pub syncs: u64,
    /// Replacements begun.
    pub replacements: u64,
}

/// What is to fail from now on.
#[derive(Debug, Default, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four switches, each on its own"
)]
pub struct Failing {
    /// Appends take half of the bytes, then fail, as on a full card.
    pub appends: bool,
    /// Syncs fail, and nothing becomes durable.
    pub syncs: bool,
    /// Replacements fail at their first write: the current file stays good.
    pub replacements: bool,
    /// Replacements fail at the very end: nobody knows which file is there.
    pub publishing: bool,
}

impl MemoryStorage {
    /// A storage in which no journal was ever written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A storage that holds `bytes`, durably.
    #[must_use]
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let storage = Self::default();
        storage.set_bytes(bytes);
        storage
    }

    /// Puts other bytes on the disk, behind the journal's back.
    pub fn set_bytes(&self, bytes: Vec<u8>) {
        let mut disk = self.disk();
        disk.current = Some(bytes.clone());
        disk.durable = Some(bytes);
    }

    /// The current file, synced or not; empty if there is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.disk().current.clone().unwrap_or_default()
    }

    /// The part of it that a power cut would leave.
    #[must_use]
    pub fn durable(&self) -> Vec<u8> {
        self.disk().durable.clone().unwrap_or_default()
    }

    /// The storage as it is found after a power cut right now.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let after = Self::default();
        let durable = self.disk().durable.clone();
        {
            let mut disk = after.disk();
            disk.current.clone_from(&durable);
            disk.durable = durable;
        }
        after
    }

    /// The file that was kept as damaged.
    #[must_use]
    pub fn damaged(&self) -> Option<Vec<u8>> {
        self.disk().damaged.clone()
    }

    /// What has been asked of the storage so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.disk().counts
    }

    /// Switches failures on and off.
    pub fn fail(&self, failing: Failing) {
        self.disk().failing = failing;
    }

    /// Lets no sync come back until [`release_syncs`](Self::release_syncs).
    pub fn hold_syncs(&self) {
        self.disk().gate_closed = true;
    }

    /// Lets the syncs go that were held.
    pub fn release_syncs(&self) {
        self.disk().gate_closed = false;
        self.0.gate.notify_all();
    }

    /// Waits until a sync is being held.
    pub fn wait_for_held_sync(&self) {
        let mut disk = self.disk();
        while disk.waiting_at_gate == 0 {
            self.0.gate.wait(&mut disk);
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock()
    }
}

impl Storage for MemoryStorage {
    fn location(&self) -> String {
        "the journal in memory".to_owned()
    }

    fn read(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let disk = self.disk();
        if disk
            .current
            .as_ref()
            .is_some_and(|bytes| bytes.len() > limit)
        {
            return Err(too_large(limit));
        }
        Ok(disk.current.clone())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        disk.counts.appends += 1;
        let failing = disk.failing.appends;
        let taken = if failing {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        let current = disk.current.as_mut().ok_or_else(no_file)?;
        current.extend_from_slice(&bytes[..taken]);
        if failing {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.counts.syncs += 1;
        disk.waiting_at_gate += 1;
        self.0.gate.notify_all();
        while disk.gate_closed {
            self.0.gate.wait(&mut disk);
        }
        disk.waiting_at_gate -= 1;
        if disk.failing.syncs {
            return Err(io::Error::other("the sync was told to fail"));
        }
        let current = disk.current.clone();
        disk.durable = current;
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let len = usize::try_from(len).map_err(io::Error::other)?;
        disk.current.as_mut().ok_or_else(no_file)?.truncate(len);
        Ok(())
    }

    fn keep_damaged(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        let current = disk.current.clone();
        disk.damaged = current;
        Ok(())
    }

    fn begin_replacement(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.counts.replacements += 1;
        disk.replacement = Some(Vec::new());
        disk.replacement_sealed = false;
        Ok(())
    }

    fn write_replacement(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.failing.replacements {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let replacement = disk.replacement.as_mut().ok_or_else(no_file)?;
        replacement.extend_from_slice(bytes);
        Ok(())
    }

    fn seal_replacement(&mut self) -> io::Result<()> {
        self.disk().replacement_sealed = true;
        Ok(())
    }

    fn publish_replacement(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        let replacement = disk.replacement.take().ok_or_else(no_file)?;
        if !disk.replacement_sealed {
            return Err(io::Error::other("published before it was sealed"));
        }
        if disk.failing.publishing {
            // The name already points to the new file; the directory may or may not have reached the disk.
            disk.current = None;
            return Err(io::Error::other("the directory's sync was told to fail"));
        }
        disk.current = Some(replacement.clone());
        disk.durable = Some(replacement);
        Ok(())
    }
}

//! A file system in memory that may do whatever a real one may: it knows what was synced and what only written, fails on
//! demand, and can be crashed at any call.

use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::crash::{Disk, Inode, Names};
use super::faults::{Counts, Failing, Fault, StorageCall};
use super::{Room, Storage, StorageFile, too_large};
use crate::journal::damaged_copies::MOST_KEPT;
use crate::journal::files::{CURRENT, REPLACEMENT};

/// A handle to a disk in memory. Clones share it, so that a test keeps one and can open the journal again.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<SharedDisk>);

#[derive(Default)]
struct SharedDisk {
    disk: Mutex<Disk>,
    switches: Mutex<Switches>,
    /// Told whenever a call comes to the gate, and when a gate opens.
    gate: Condvar,
}

/// What the test has asked for.
#[derive(Default)]
struct Switches {
    counts: Counts,
    failing: Failing,
    plan: Option<FaultPlan>,
    /// What the file system says of its room; enough, if nothing was asked for.
    room: Option<Room>,
    syncs_held: bool,
    replacement: ReplacementPause,
    waiting: usize,
    /// The disk before each call that changed it.
    crash_points: Option<Vec<Disk>>,
}

/// What happens to writes to a replacement.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum ReplacementPause {
    #[default]
    Open,
    /// The first replacement that is written to is held.
    Waiting,
    /// This one is; another that is begun meanwhile is not.
    Holds(usize),
}

type FaultPlan = Box<dyn FnMut(StorageCall) -> Option<Fault> + Send>;

impl MemoryStorage {
    /// A storage in which no journal was ever written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A storage that holds `bytes` as its journal, durably.
    #[must_use]
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let mut disk = Disk::default();
        disk.files.push(Inode::certain(bytes));
        disk.names.insert(CURRENT, 0);
        disk.history = vec![disk.names.clone()];
        Self::holding(disk)
    }

    /// The journal, synced or not; empty if there is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.contents(CURRENT).unwrap_or_default()
    }

    /// The part of it that a power cut would leave at least.
    #[must_use]
    pub fn durable(&self) -> Vec<u8> {
        self.after_power_cut().bytes()
    }

    /// The first file that was kept as damaged.
    #[must_use]
    pub fn damaged(&self) -> Option<Vec<u8>> {
        self.contents(KEPT[0])
    }

    /// Every file that has a name, and what is in it.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let disk = self.disk();
        let names = disk.names.iter();
        names
            .map(|(name, file)| (*name, disk.files[*file].content.clone()))
            .collect()
    }

    /// The storage as it is found after a power cut right now, if everything is lost that can be.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        self.crashed(&mut |_| 0)
    }

    /// The storage as it may be found after a power cut right now. `choose` is given a number of possibilities and picks
    /// one; 0 is always the plainest: what is not certain is lost.
    #[must_use]
    pub fn crashed(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        Self::holding(self.disk().crashed(choose))
    }

    /// The storage as the next process finds it if this one is killed right now: written is as good as synced, until the
    /// power fails.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        Self::holding(self.disk().clone())
    }

    /// Remembers the disk before each call that changes it, from now on.
    pub fn record_crash_points(&self) {
        self.switches().crash_points = Some(Vec::new());
    }

    /// What was remembered since the last time this was asked.
    pub fn take_crash_points(&self) -> Vec<Self> {
        let mut switches = self.switches();
        let taken = switches.crash_points.as_mut().map(std::mem::take);
        let disks = taken.unwrap_or_default().into_iter();
        disks.map(Self::holding).collect()
    }

    /// What has been asked of the storage so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.switches().counts
    }

    /// Switches failures on and off.
    pub fn fail(&self, failing: Failing) {
        self.switches().failing = failing;
    }

    /// Has the file system say this of its room.
    pub fn say_room(&self, room: Room) {
        self.switches().room = Some(room);
    }

    /// Has every call from now on ask `plan` what becomes of it.
    pub fn plan_faults(&self, plan: impl FnMut(StorageCall) -> Option<Fault> + Send + 'static) {
        self.switches().plan = Some(Box::new(plan));
    }

    /// No more planned faults.
    pub fn work_again(&self) {
        self.switches().plan = None;
    }

    /// Lets no sync of the current file come back until [`release`](Self::release).
    pub fn hold_syncs(&self) {
        self.switches().syncs_held = true;
    }

    /// Lets no write to the next replacement come back until [`release`](Self::release). If that one is given up
    /// meanwhile, another passes.
    pub fn hold_replacement(&self) {
        self.switches().replacement = ReplacementPause::Waiting;
    }

    /// Lets the calls go that were held.
    pub fn release(&self) {
        let mut switches = self.switches();
        switches.syncs_held = false;
        switches.replacement = ReplacementPause::Open;
        drop(switches);
        self.0.gate.notify_all();
    }

    /// Waits until a call is being held.
    pub fn wait_for_held_call(&self) {
        let mut switches = self.switches();
        while switches.waiting == 0 {
            self.0.gate.wait(&mut switches);
        }
    }

    /// Whether a call is being held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.switches().waiting > 0
    }

    fn holding(disk: Disk) -> Self {
        let storage = Self::default();
        *storage.disk() = disk;
        storage
    }

    fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        let file = *disk.names.get(name)?;
        Some(disk.files.get(file)?.content.clone())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock()
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.switches.lock()
    }

    /// Counts a call, remembers the disk before it, waits at the gate, and says what is to become of it.
    fn begin(&self, call: StorageCall, file: Option<usize>) -> Option<Fault> {
        let current = file.is_some() && self.disk().names.get(CURRENT).copied() == file;
        let mut switches = self.switches();
        let is_write = matches!(call, StorageCall::Write { .. });
        let counts = &mut switches.counts;
        counts.calls += 1;
        counts.appends += u64::from(is_write && current);
        counts.syncs += u64::from(call == StorageCall::Sync && current);
        counts.replacements += u64::from(call == StorageCall::Create);
        switches.waiting += 1;
        self.0.gate.notify_all();
        if let (ReplacementPause::Waiting, true, false, Some(file)) =
            (switches.replacement, is_write, current, file)
        {
            switches.replacement = ReplacementPause::Holds(file);
        }
        while (switches.syncs_held && call == StorageCall::Sync && current)
            || file.is_some_and(|file| switches.replacement == ReplacementPause::Holds(file))
        {
            self.0.gate.wait(&mut switches);
        }
        switches.waiting -= 1;
        if let Some(points) = &mut switches.crash_points {
            points.push(self.disk().clone());
        }
        let failing = switches.failing;
        let asked_for = match call {
            StorageCall::Create if failing.read_only => Some(Fault::ReadOnly),
            StorageCall::Write { current: true } if failing.appends => Some(Fault::Full),
            StorageCall::Write { current: false } if failing.replacements => Some(Fault::Full),
            StorageCall::Sync if failing.syncs && current => Some(Fault::Io),
            StorageCall::SyncFolder if failing.publishing => Some(Fault::Io),
            _ => None,
        };
        asked_for.or_else(|| switches.plan.as_mut().and_then(|plan| plan(call)))
    }

    fn change_names(&self, change: impl FnOnce(&mut Names) -> io::Result<()>) -> io::Result<()> {
        let fault = self.begin(StorageCall::Names, None);
        if matches!(fault, Some(Fault::ReadOnly)) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let mut disk = self.disk();
        let mut names = disk.names.clone();
        change(&mut names)?;
        disk.change_names(names);
        match fault {
            Some(Fault::Io) => Err(io_error()),
            _ => Ok(()),
        }
    }
}

impl Storage for MemoryStorage {
    fn location(&self, name: &str) -> String {
        format!("the {name} in memory")
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn StorageFile>>> {
        let file = self.disk().names.get(name).copied();
        let storage = self.clone();
        Ok(file.map(|file| Box::new(MemoryFile { storage, file }) as Box<dyn StorageFile>))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        match self.begin(StorageCall::Create, None) {
            Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Some(Fault::Io) => return Err(io_error()),
            _ => {}
        }
        let mut disk = self.disk();
        let name = known(name)?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = disk.files.len();
        disk.files.push(Inode::default());
        let mut names = disk.names.clone();
        names.insert(name, file);
        disk.change_names(names);
        drop(disk);
        let storage = self.clone();
        Ok(Box::new(MemoryFile { storage, file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (known(from)?, known(to)?);
        self.change_names(|names| {
            let file = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            names.insert(to, file);
            Ok(())
        })
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (known(from)?, known(to)?);
        self.change_names(|names| {
            let file = *names.get(from).ok_or(io::ErrorKind::NotFound)?;
            match names.insert(to, file) {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => Ok(()),
            }
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if !self.disk().names.contains_key(name) {
            return Ok(());
        }
        self.change_names(|names| {
            names.remove(name);
            Ok(())
        })
    }

    fn sync_folder(&self) -> io::Result<()> {
        match self.begin(StorageCall::SyncFolder, None) {
            None | Some(Fault::Short | Fault::Full) => {
                let mut disk = self.disk();
                disk.history = vec![disk.names.clone()];
                Ok(())
            }
            Some(Fault::Lie) => Ok(()),
            Some(Fault::Io | Fault::ReadOnly) => Err(io_error()),
        }
    }

    fn room(&self) -> io::Result<Room> {
        Ok(self.switches().room.unwrap_or(Room::Enough))
    }
}

struct MemoryFile {
    storage: MemoryStorage,
    file: usize,
}

impl MemoryFile {
    fn is_current(&self) -> bool {
        self.storage.disk().names.get(CURRENT) == Some(&self.file)
    }

    fn inode<R>(&self, act: impl FnOnce(&mut Inode) -> R) -> R {
        // Files are never taken out of the list.
        act(&mut self.storage.disk().files[self.file])
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.storage.begin(StorageCall::Sync, Some(self.file)) {
            None | Some(Fault::Short | Fault::Full) => {
                self.inode(|inode| inode.changes.make_certain());
                Ok(())
            }
            Some(Fault::Lie) => Ok(()),
            Some(Fault::Io | Fault::ReadOnly) => {
                self.inode(|inode| inode.changes.make_doubtful());
                Err(io_error())
            }
        }
    }
}

impl StorageFile for MemoryFile {
    fn read(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let content = self.inode(|inode| inode.content.clone());
        if content.len() > limit {
            return Err(too_large(limit));
        }
        Ok(content)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let current = self.is_current();
        let half = &bytes[..bytes.len() / 2];
        let (taken, error) = match self
            .storage
            .begin(StorageCall::Write { current }, Some(self.file))
        {
            Some(Fault::Short) if !half.is_empty() => (half, None),
            None | Some(Fault::Lie | Fault::Short) => (bytes, None),
            Some(Fault::Full) => (half, Some(io::ErrorKind::StorageFull.into())),
            Some(Fault::Io) => (half, Some(io_error())),
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        };
        self.inode(|inode| inode.write(taken));
        error.map_or(Ok(taken.len()), Err)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let fault = self.storage.begin(StorageCall::Truncate, Some(self.file));
        if matches!(fault, Some(Fault::Io | Fault::ReadOnly)) {
            return Err(io_error());
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.inode(|inode| inode.cut(len));
        Ok(())
    }

    fn writable(&self) -> io::Result<()> {
        if self.storage.switches().failing.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    fn has_name(&self) -> io::Result<bool> {
        let disk = self.storage.disk();
        Ok(disk.names.values().any(|file| *file == self.file))
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

/// The journal's files; a disk of the journal's has no others.
fn known(name: &str) -> io::Result<&'static str> {
    [CURRENT, REPLACEMENT]
        .into_iter()
        .chain(KEPT)
        .find(|known| *known == name)
        .ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

/// Damaged files that were kept.
const KEPT: [&str; MOST_KEPT] = [
    "journal.damaged.1",
    "journal.damaged.2",
    "journal.damaged.3",
    "journal.damaged.4",
    "journal.damaged.5",
    "journal.damaged.6",
    "journal.damaged.7",
    "journal.damaged.8",
];

fn io_error() -> io::Error {
    io::Error::other("the disk was told to fail")
}

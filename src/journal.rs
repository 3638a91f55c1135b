//! What must outlive a pulled plug: one append-only file, read whole at the start, written by one thread.
//!
//! `format` draws the file, `storage` is the file system below it, `files` the order of steps that makes replacing a
//! file safe; `replay` reads, `commit` is the way of records to the disk, `writer` the thread that appends and heals,
//! `compaction` and `rewrite` make a new file on the side. This file is what the floors above see: open a journal over
//! a [`JournalState`], commit records to it, let the housekeeper tick it, close it.

mod commit;
mod compact;
mod compaction;
pub mod damaged_copies;
mod files;
pub mod format;
mod record;
pub mod repair;
pub mod replay;
mod request;
mod rewrite;
pub mod storage;
pub mod survey;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::{Mutex, RwLock};

pub use format::{MAX_NAME, PasswordOrigin, Record};
pub use request::{Recipient, ReplyTo};
pub use storage::{FileStorage, MemoryStorage, Room, Storage};

use crate::clock::{Clock, TimeSource, Timestamp};
use crate::entropy::{Entropy, SystemEntropy};
use crate::histogram::{Histogram, HistogramSnapshot};
use commit::QUEUE;
use files::Files;
use replay::{ReplayReport, Unreadable, replay};
use request::WriterRequest;
use writer::{Tools, Unmarked, Writer};

/// The in-memory truth that the journal replays into and compacts from.
pub trait JournalState: Send + Sync {
    /// Takes in one record: on replay, and on the writer's thread once the record is durable, before its
    /// [`Journal::commit`] returns. Must be idempotent, and must not wait for a thread that waits for a commit.
    ///
    /// Times come in the whole seconds that a replay will give ([`Record::in_whole_seconds`]).
    fn apply(&self, record: &Record);

    /// In how many parts [`live_part`](Self::live_part) gives what it has. Always the same number.
    fn parts(&self) -> usize {
        1
    }

    /// Gives every record of one part (counted from 0) that a compacted journal must hold, marks excepted. All parts
    /// are asked for one after the other, while records go on being applied: what was applied before the first is asked
    /// for, and has not expired by `now`, must be given. Each part is held in memory at once, so they should be small.
    /// Must not wait for a thread that waits for a commit.
    ///
    /// A record that is in force before its commit has returned (a revocation is put into memory first) must be among
    /// them: after a failure this is what the journal is rewritten from.
    fn live_part(&self, part: usize, now: Timestamp, sink: &mut dyn FnMut(&Record));

    /// All parts.
    fn live(&self, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        for part in 0..self.parts() {
            self.live_part(part, now, sink);
        }
    }
}

/// A record could not be made durable.
///
/// Until a later commit succeeds a restart may still find it: a disk that fails does not say what it kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct CommitError;

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns the folder.
    #[error(
        "another running postern holds {}: stop that one first, or give this one a STATE_DIR of its own",
        path.display()
    )]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// The storage failed.
    #[error("{location}: {source}")]
    Storage {
        /// The file or folder.
        location: String,
        /// What it said.
        source: io::Error,
    },
    /// There is a journal, but not one that can be read. It is left as it is.
    #[error(
        "{location}: {reason}. Put back a copy of it, or run the version that wrote it. To start without it, move it \
         away. That is a first start, with the password in BASIC_AUTH_PASSWORD, in initial-password, or a new one. \
         All logins end. If you gave a SECRET_KEY, give another one; otherwise logins that had ended may work again"
    )]
    Unreadable {
        /// The file.
        location: String,
        /// Why.
        reason: Unreadable,
    },
    /// The writer's thread could not be started.
    #[error("the journal's thread cannot be started: {0}")]
    Thread(io::Error),
}

/// What was found when the journal was opened.
#[derive(Debug)]
pub struct Replayed {
    /// The guarded clock, never earlier than anything in the journal.
    pub clock: Arc<Clock>,
    /// Whether there was no journal before.
    pub first_boot: bool,
    /// Records that were read.
    pub records: u64,
    /// Records of a newer version, which are kept but not understood.
    pub unknown_records: u64,
    /// Bytes of the file as it was found.
    pub bytes: u64,
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
    /// Damaged bytes before that.
    pub damaged_bytes: u64,
    /// Whether it was damaged, be it that not a record was left in it.
    pub damaged: bool,
    /// Where the damaged file is kept, if there was one and it could be.
    pub kept: Option<String>,
}

/// Whether a commit can be expected to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalHealth {
    /// Everything answered is on stable storage, and so would be the next.
    Durable,
    /// A write or sync failed and the journal could not be rewritten yet. Revocations are in force in memory only.
    Unavailable,
}

/// The journal in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Bytes of the current file.
    pub bytes: u64,
    /// Records in it, marks and unknown ones included.
    pub records: u64,
    /// Syncs of the file since the start; each is one batch, a mark, or the opening.
    pub syncs: u64,
    /// Appends since the start.
    pub writes: u64,
    /// Times the whole file was replaced since the start: creation, compaction, healing.
    pub rewrites: u64,
}

/// What the writer tells everybody.
struct WriterStatus {
    stats: Mutex<JournalStats>,
    sync_times: Histogram,
    health: Mutex<JournalHealth>,
    /// To be called by the writer.
    asked: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl WriterStatus {
    /// The writer's call, whenever it has got on.
    fn answer(&self) {
        // Taken first: no lock is held meanwhile.
        let asked = self.asked.lock().take();
        if let Some(answer) = asked {
            answer();
        }
    }
}

/// An open journal. All methods may be called from any thread.
pub struct Journal {
    /// None once closed. Sending happens under the read lock, so that all that was sent before closing is answered.
    requests: RwLock<Option<Sender<WriterRequest>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<WriterStatus>,
    /// The writer's: once that has ended, the folder's lock must be free for the next.
    storage: Weak<dyn Storage>,
    room: Mutex<Room>,
}

impl Journal {
    /// Reads the journal into `state`, mends what a crash left, and starts the writer.
    ///
    /// No file, or one of no bytes, is a first boot: a new one is put in place whole, by a rename, so that a crash
    /// never leaves half a header. A torn tail is cut. A damaged file is kept beside and rewritten from what was whole
    /// in it. If the mending fails for lack of space, say, the journal opens all the same, but is
    /// [`JournalHealth::Unavailable`]: the revocations in it have to be in force, and somebody has to get in to clean
    /// up.
    ///
    /// # Errors
    /// [`OpenError`]: if the file can't be read, isn't understood, or can't be made on a first boot.
    pub fn open(
        storage: Box<dyn Storage>,
        state: Arc<dyn JournalState>,
        time: Arc<dyn TimeSource>,
    ) -> Result<(Self, Replayed), OpenError> {
        Self::open_with(storage, state, time, Box::new(SystemEntropy))
    }

    /// As [`open`](Self::open), with a given source for the files' salts.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        storage: Box<dyn Storage>,
        state: Arc<dyn JournalState>,
        time: Arc<dyn TimeSource>,
        entropy: Box<dyn Entropy>,
    ) -> Result<(Self, Replayed), OpenError> {
        let location = storage.location(files::CURRENT);
        let failed = |source| OpenError::Storage {
            location: location.clone(),
            source,
        };
        let storage: Arc<dyn Storage> = storage.into();
        let mut files = Files::open(storage.clone()).map_err(failed)?;
        let storage = Arc::downgrade(&storage);
        let bytes = files.read(format::MAX_FILE).map_err(failed)?;
        // A file is only ever put in place whole. One of no bytes was not made by us, and holds nothing to lose.
        if bytes.as_ref().is_some_and(Vec::is_empty) {
            log::error!(file = location.as_str(); "the journal is an empty file; taken for a first boot");
        }
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        let mut report = None;
        let mut unmarked = Unmarked::default();
        if let Some(bytes) = &bytes {
            let found = replay(bytes, &mut |record| {
                state.apply(&record);
                unmarked.note(record);
            })
            .map_err(|reason| OpenError::Unreadable {
                location: location.clone(),
                reason,
            })?;
            report = Some(found);
        }
        let clock = Arc::new(Clock::new(
            time,
            report.as_ref().and_then(|report| report.newest_mark),
        ));
        let mut replayed = Replayed::new(&clock, bytes.as_deref(), report.as_ref());
        // On a small board the file's copy is worth giving back before anything else is built.
        drop(bytes);

        let shared = Arc::new(WriterStatus {
            stats: Mutex::default(),
            sync_times: Histogram::default(),
            health: Mutex::new(JournalHealth::Durable),
            asked: Mutex::default(),
        });
        let tools = Tools {
            files,
            state,
            clock,
            entropy,
            shared: shared.clone(),
        };
        let writer = match report {
            None => Writer::create(tools).map_err(failed)?,
            Some(report) => {
                let (writer, kept) = Writer::mend(tools, &report, &unmarked);
                replayed.kept = kept;
                writer
            }
        };
        let (sender, receiver) = bounded(QUEUE);
        let thread = start(writer, receiver)?;
        let journal = Self {
            requests: RwLock::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            shared,
            storage,
            room: Mutex::new(Room::Enough),
        };
        journal.look_for_room();
        Ok((journal, replayed))
    }

    /// A journal in memory, for tests of the floors above.
    #[must_use]
    pub fn in_memory(
        state: Arc<dyn JournalState>,
        time: Arc<dyn TimeSource>,
    ) -> (Self, Arc<Clock>) {
        let storage = Box::new(MemoryStorage::new());
        // An empty memory storage has no file to misread and no disk to fail.
        let (journal, replayed) =
            Self::open(storage, state, time).expect("a journal in memory opens");
        (journal, replayed.clock)
    }

    /// Whether a commit can be expected to succeed.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        *self.shared.health.lock()
    }

    /// Whether a commit can be expected to succeed.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.health() == JournalHealth::Durable
    }

    /// Whether the file system would take more, as of the last [`look_for_room`](Self::look_for_room). Where it would
    /// not, the next commit may fail, though none has yet.
    #[must_use]
    pub fn room(&self) -> Room {
        *self.room.lock()
    }

    /// The housekeeper's call, every few seconds: asks the file system how much room it has. Writes nothing.
    pub fn look_for_room(&self) {
        // A file system that does not say is found out by the next write.
        let room = self.storage.upgrade().map(|storage| storage.room());
        let room = room.and_then(Result::ok).unwrap_or(Room::Enough);
        let before = std::mem::replace(&mut *self.room.lock(), room);
        if before == room {
            return;
        }
        match room {
            Room::Enough => log::info!("the journal's file system has room again"),
            Room::Full => log::error!(
                "the journal's file system is full; make room, or the next logout may not survive a restart"
            ),
            Room::ReadOnly => log::error!(
                "the journal's file system is read-only; the next logout may not survive a restart"
            ),
        }
    }

    /// The journal in numbers, as of the last write.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        *self.shared.stats.lock()
    }

    /// How long the syncs of appends took, each a batch of commits or a mark.
    #[must_use]
    pub fn sync_times(&self) -> HistogramSnapshot {
        self.shared.sync_times.counted()
    }

    /// The housekeeper's call, once a minute or so: heals a failed journal, compacts one that is half waste, or marks
    /// the time if the newest mark is ten minutes old. Returns when that is done, or after five seconds while it goes
    /// on: the housekeeper feeds a watchdog too, and a card may take its time. Commits go on during a compaction.
    pub fn tick(&self) {
        let (done, ticked) = bounded(1);
        if self.send(WriterRequest::Tick(done)).is_ok() {
            let _ = ticked.recv_timeout(TICK_PATIENCE);
        }
    }

    /// Has the writer call this soon, to see that it still turns: with a disk that fails too, but not while a write or
    /// a sync does not come back. Does not wait. Another question takes its place.
    pub fn ask(&self, answer: Box<dyn FnOnce() + Send>) {
        *self.shared.asked.lock() = Some(answer);
        if let Some(requests) = self.requests.read().as_ref() {
            // Where the queue is full the writer looks for a question behind each request.
            let _ = requests.try_send(WriterRequest::Wake);
        }
    }

    /// Compacts the journal, whether it is worth it or not. Blocks until it is done; commits go on meanwhile.
    ///
    /// # Errors
    /// If there is no room for a second file, or the journal has failed; the one there is goes on.
    pub fn compact(&self) -> Result<(), CommitError> {
        let (done, compacted) = bounded(1);
        self.send(WriterRequest::Compact(done))?;
        compacted.recv().map_err(|_| CommitError)
    }

    /// Answers what waits, marks the time, and ends the writer. Further commits fail. May be called again.
    pub fn close(&self) {
        self.stop(true);
    }

    /// Commits that wait to be taken into a batch.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.requests.read().as_ref().map_or(0, Sender::len)
    }

    fn stop(&self, mark: bool) {
        // A second caller waits here until the first is done.
        let mut thread = self.thread.lock();
        if let Some(sender) = self.requests.write().take()
            && mark
        {
            let _ = sender.send(WriterRequest::FinalMark);
        }
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            log::error!("the journal's thread panicked");
        }
    }
}

/// Ends the writer, without a final mark.
impl Drop for Journal {
    fn drop(&mut self) {
        self.stop(false);
    }
}

impl Replayed {
    fn new(clock: &Arc<Clock>, bytes: Option<&[u8]>, report: Option<&ReplayReport>) -> Self {
        let wide = |length: usize| length as u64;
        Self {
            clock: clock.clone(),
            first_boot: report.is_none(),
            records: report.map_or(0, |report| report.records),
            unknown_records: report.map_or(0, |report| report.unknown_records),
            bytes: bytes.map_or(0, |bytes| wide(bytes.len())),
            cut_bytes: report.map_or(0, |report| wide(report.cut_bytes)),
            damaged_bytes: report.map_or(0, |report| wide(report.damaged_bytes)),
            damaged: report.is_some_and(ReplayReport::is_damaged),
            kept: None,
        }
    }
}

fn start(writer: Writer, requests: Receiver<WriterRequest>) -> Result<JoinHandle<()>, OpenError> {
    thread::Builder::new()
        .name("journal".to_owned())
        .stack_size(STACK)
        .spawn(move || writer.run(&requests))
        .map_err(OpenError::Thread)
}

/// The writer's stack, in bytes. Its buffers are on the heap, and `JournalState::live` is a loop.
const STACK: usize = 256 * 1024;

/// How long a tick is waited for.
const TICK_PATIENCE: Duration = Duration::from_secs(5);

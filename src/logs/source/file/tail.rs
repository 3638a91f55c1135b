//! One open file, read on from where it was left, whatever it is called by now.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::super::line::{Splitter, TextLine};
use crate::clock::Moment;

/// What tells one file from another, whatever they are called. It holds for as long as the file is open, or known to be
/// there: the number of a file that is gone is given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Why a file cannot be followed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CannotFollow {
    Missing,
    /// A folder, a FIFO or a device: reading it could hang, or never end.
    NotAFile,
    Failed(String),
}

impl From<&io::Error> for CannotFollow {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At this byte.
    At(u64),
    End,
}

/// How much came out of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAmount {
    Nothing,
    Some,
    /// As much as one turn allows; there is more.
    Budget,
}

/// The open file.
pub(super) struct Tail {
    file: File,
    /// What it was called when it was opened.
    path: PathBuf,
    identity: FileIdentity,
    /// How far it has been read, in bytes.
    position: u64,
    /// Its first bytes, of those that have been read. If they change, it is another log in the same file.
    head: Vec<u8>,
    /// The last bytes before the position, for the same reason: many a log begins with the same banner each time.
    before: Vec<u8>,
    splitter: Splitter,
    /// When it last grew.
    grew: Moment,
    /// Since when another file has its name, or it has none any more. Its writer may not know yet.
    left: Option<Moment>,
    /// The watch that tells of its changes.
    pub(super) watch: Option<i32>,
}

impl Tail {
    /// Opens a regular file, and nothing else.
    pub(super) fn open(path: &Path, start: Start, now: Moment) -> Result<Self, CannotFollow> {
        // Looked at before it is opened: opening a FIFO would make its writer believe in a reader, and a device may do
        // anything. Looked at again afterwards, in case it was changed between the two.
        check(&std::fs::metadata(path).map_err(|error| CannotFollow::from(&error))?)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|error| CannotFollow::from(&error))?;
        let metadata = file
            .metadata()
            .map_err(|error| CannotFollow::from(&error))?;
        check(&metadata)?;
        let position = match start {
            Start::At(position) => position.min(metadata.len()),
            Start::End => metadata.len(),
        };
        // An error here will come again at the first turn.
        let compared = position.min(COMPARED as u64);
        let head = bytes_at(&file, 0, compared).unwrap_or_default();
        let before = bytes_at(&file, position - compared, compared).unwrap_or_default();
        Ok(Self {
            file,
            path: path.to_owned(),
            identity: FileIdentity::of(&metadata),
            position,
            head,
            before,
            splitter: Splitter::default(),
            grew: now,
            left: None,
            watch: None,
        })
    }

    pub(super) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// What it was called when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// When it last grew, or was opened.
    pub(super) fn grew(&self) -> Moment {
        self.grew
    }

    /// Notes since when it is left to its old writer, or that it is not.
    pub(super) fn leave(&mut self, since: Option<Moment>) {
        self.left = since.map(|since| self.left.unwrap_or(since));
    }

    pub(super) fn is_left(&self) -> bool {
        self.left.is_some()
    }

    /// Whether nothing more is to be expected of it: it was left, and has been quiet for long enough.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        let is_quiet = |left| now.saturating_since(self.grew.max(left)) >= LEFT_QUIET;
        self.left.is_some_and(is_quiet)
    }

    /// Whether it has no name any more, so that only who has it open can write to it.
    pub(super) fn is_deleted(&self) -> bool {
        let metadata = self.file.metadata();
        metadata.is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Whether a line has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.splitter.is_partial()
    }

    /// Gives the unfinished line, if there is one, as it is.
    pub(super) fn finish(&mut self, give: &mut dyn FnMut(TextLine)) {
        self.splitter.finish(give);
    }

    /// Reads what is new, a bounded amount, through a buffer that files share.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        now: Moment,
        give: &mut dyn FnMut(TextLine),
    ) -> io::Result<ReadAmount> {
        let size = self.file.metadata()?.len();
        if size < self.position || !self.is_as_before()? {
            self.splitter.finish(&mut *give);
            self.position = 0;
            self.head.clear();
            self.before.clear();
        }
        let mut taken = 0;
        while self.position < size {
            if taken >= BYTES_A_TURN {
                return Ok(ReadAmount::Budget);
            }
            let read = match self.file.read_at(buffer, self.position) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..read];
            if self.head.len() < COMPARED && self.head.len() as u64 == self.position {
                let room = COMPARED - self.head.len();
                self.head.extend_from_slice(&bytes[..read.min(room)]);
            }
            self.before
                .extend_from_slice(&bytes[read.saturating_sub(COMPARED)..]);
            let surplus = self.before.len().saturating_sub(COMPARED);
            self.before.drain(..surplus);
            self.splitter.feed(bytes, &mut *give);
            self.position += read as u64;
            taken += read;
            self.grew = now;
        }
        if taken > 0 {
            return Ok(ReadAmount::Some);
        }
        if now.saturating_since(self.grew) >= PARTIAL_PATIENCE {
            self.splitter.finish(give);
        }
        Ok(ReadAmount::Nothing)
    }

    /// A file that was truncated may have grown past where it was read to before anybody looked.
    fn is_as_before(&self) -> io::Result<bool> {
        let is =
            |known: &[u8], at| bytes_at(&self.file, at, known.len() as u64).map(|now| now == known);
        let end = self.position - self.before.len() as u64;
        Ok(is(&self.head, 0)? && is(&self.before, end)?)
    }
}

/// So many bytes of a file at most.
fn bytes_at(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(COMPARED).min(COMPARED)];
    let read = file.read_at(&mut bytes, at)?;
    bytes.truncate(read);
    Ok(bytes)
}

impl AsFd for Tail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn check(metadata: &Metadata) -> Result<(), CannotFollow> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(CannotFollow::NotAFile)
    }
}

/// An unfinished line is shown as it is after this long without more of it.
pub(super) const PARTIAL_PATIENCE: Duration = Duration::from_secs(2);

/// What a turn reads at once.
pub(super) const BUFFER: usize = 16 * 1024;

/// What is read before the thread looks up to see whether it is to stop.
const BYTES_A_TURN: usize = 256 * 1024;

/// A file that was left is read on until nothing has come for this long. Its writer is often told late: logrotate runs
/// `postrotate` once, behind the renames of all its logs.
pub(super) const LEFT_QUIET: Duration = Duration::from_secs(5);

/// Enough for a first line's time, which differs from log to log.
pub(super) const COMPARED: usize = 256;

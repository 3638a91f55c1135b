//! One open file, read on from where it was left, whatever it is called by now.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::super::line::{Line, Splitter};
use crate::clock::Moment;

/// What tells one file from another, whatever they are called. It holds for as long as the file is open, or known to be
/// there: the number of a file that is gone is given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Why a file cannot be followed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    /// A folder, a FIFO or a device: reading it could hang, or never end.
    NotAFile,
    Failed(String),
}

impl From<&io::Error> for Refused {
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
pub(super) enum Amount {
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
    identity: Identity,
    /// How far it has been read, in bytes.
    position: u64,
    /// Its first bytes, of those that have been read. If they change, it is another log in the same file.
    head: Vec<u8>,
    splitter: Splitter,
    /// When it last grew.
    grew: Moment,
    /// The watch that tells of its changes.
    pub(super) watch: Option<i32>,
}

impl Tail {
    /// Opens a regular file, and nothing else.
    pub(super) fn open(path: &Path, start: Start, now: Moment) -> Result<Self, Refused> {
        // Looked at before it is opened: opening a FIFO would make its writer believe in a reader, and a device may do
        // anything. Looked at again afterwards, in case it was changed between the two.
        check(&std::fs::metadata(path).map_err(|error| Refused::from(&error))?)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|error| Refused::from(&error))?;
        let metadata = file.metadata().map_err(|error| Refused::from(&error))?;
        check(&metadata)?;
        let position = match start {
            Start::At(position) => position.min(metadata.len()),
            Start::End => metadata.len(),
        };
        let mut head = vec![0; HEAD.min(usize::try_from(position).unwrap_or(HEAD))];
        // An error here will come again at the first turn.
        let read = file.read_at(&mut head, 0).unwrap_or(0);
        head.truncate(read);
        Ok(Self {
            file,
            path: path.to_owned(),
            identity: Identity::of(&metadata),
            position,
            head,
            splitter: Splitter::default(),
            grew: now,
            watch: None,
        })
    }

    pub(super) fn identity(&self) -> Identity {
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

    /// Whether a line has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.splitter.is_partial()
    }

    /// Gives the unfinished line, if there is one, as it is.
    pub(super) fn finish(&mut self, give: &mut dyn FnMut(Line)) {
        self.splitter.finish(give);
    }

    /// Reads what is new, a bounded amount, through a buffer that files share.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        now: Moment,
        give: &mut dyn FnMut(Line),
    ) -> io::Result<Amount> {
        let size = self.file.metadata()?.len();
        if size < self.position || !self.begins_as_before()? {
            self.splitter.finish(&mut *give);
            self.position = 0;
            self.head.clear();
        }
        let mut taken = 0;
        while self.position < size {
            if taken >= BYTES_A_TURN {
                return Ok(Amount::Budget);
            }
            let read = match self.file.read_at(buffer, self.position) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..read];
            if self.head.len() < HEAD && self.head.len() as u64 == self.position {
                let room = HEAD - self.head.len();
                self.head.extend_from_slice(&bytes[..read.min(room)]);
            }
            self.splitter.feed(bytes, &mut *give);
            self.position += read as u64;
            taken += read;
            self.grew = now;
        }
        if taken > 0 {
            return Ok(Amount::Some);
        }
        if now.saturating_since(self.grew) >= PARTIAL_PATIENCE {
            self.splitter.finish(give);
        }
        Ok(Amount::Nothing)
    }

    /// A file that was truncated may have grown past where it was read to before anybody looked.
    fn begins_as_before(&self) -> io::Result<bool> {
        let mut now = [0; HEAD];
        let now = &mut now[..self.head.len()];
        let read = self.file.read_at(now, 0)?;
        Ok(now[..read] == self.head)
    }
}

impl AsFd for Tail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn check(metadata: &Metadata) -> Result<(), Refused> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Refused::NotAFile)
    }
}

/// An unfinished line is shown as it is after this long without more of it.
pub(super) const PARTIAL_PATIENCE: Duration = Duration::from_secs(2);

/// What a turn reads at once.
pub(super) const BUFFER: usize = 16 * 1024;

/// What is read before the thread looks up to see whether it is to stop.
const BYTES_A_TURN: usize = 256 * 1024;

/// Enough for a first line's time, which differs from log to log.
const HEAD: usize = 256;

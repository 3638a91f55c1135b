//! A file followed as `tail -F` does it: through rotation, truncation, and times when it is not there.
//!
//! It begins at the end of a file that is there at the start, and at the beginning of one that appears later.
//! When the path names another file, the old one is read on until nothing has come for a moment (a writer reopens its
//! log only after the rotation), then the new one from its beginning. A file shorter than what was read of it was
//! truncated and is read from its beginning. An unfinished line is kept until it ends, until 2 s have passed without
//! more of it, or until its file is left.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::super::line::{Line, Splitter};
use crate::clock::Moment;

/// What became of one look at the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Following,
    Waiting,
    /// A folder, a FIFO or a device: reading it could hang, or never end.
    NotAFile,
    Failed(String),
}

/// The follower, fed with time and polled by hand in tests.
pub(super) struct Follower {
    path: PathBuf,
    open: Option<Open>,
    pub(super) splitter: Splitter,
    /// Whether a file found now has been there all along, so that its contents are old.
    from_end: bool,
    /// When the file last grew.
    grew: Moment,
    buffer: Vec<u8>,
}

struct Open {
    file: File,
    device: u64,
    inode: u64,
    /// How far it has been read, in bytes.
    position: u64,
    /// Since when the path has named another file.
    replaced: Option<Moment>,
}

impl Follower {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: None,
            splitter: Splitter::default(),
            from_end: true,
            grew: Moment::default(),
            buffer: vec![0; BUFFER],
        }
    }

    /// Reads what is new, a bounded amount; true if there is more right now.
    pub(super) fn poll(&mut self, now: Moment, give: &mut dyn FnMut(Line)) -> (State, bool) {
        if self.open.is_none() {
            match open(&self.path) {
                Ok(mut open) => {
                    if !self.from_end {
                        open.position = 0;
                    }
                    self.open = Some(open);
                    self.grew = now;
                }
                Err(state) => {
                    // Whatever takes its place will be new.
                    if matches!(state, State::Waiting | State::NotAFile) {
                        self.from_end = false;
                    }
                    return (state, false);
                }
            }
        }
        self.from_end = false;
        let read = match self.read(now, give) {
            Ok(Amount::Budget) => return (State::Following, true),
            Ok(amount) => amount,
            Err(error) => {
                // A stale handle must not hide a file that has been put in its place.
                if self.is_replaced() == Some(true) {
                    self.leave(give);
                }
                return (State::Failed(error.to_string()), false);
            }
        };
        if read == Amount::Nothing && now.saturating_since(self.grew) >= PARTIAL_PATIENCE {
            self.splitter.finish(&mut *give);
        }
        self.follow_rotation(now, give)
    }

    /// Goes over to another file under the same name once the old one is really finished.
    fn follow_rotation(&mut self, now: Moment, give: &mut dyn FnMut(Line)) -> (State, bool) {
        let replaced = self.is_replaced();
        let Some(open) = &mut self.open else {
            return (State::Waiting, false);
        };
        match replaced {
            None => (State::Waiting, false),
            Some(false) => {
                open.replaced = None;
                (State::Following, false)
            }
            Some(true) => {
                let since = *open.replaced.get_or_insert(now);
                let quiet = now.saturating_since(self.grew.max(since)) >= ROTATION_QUIET;
                if quiet || now.saturating_since(since) >= ROTATION_LONGEST {
                    self.leave(give);
                    return (State::Following, true);
                }
                (State::Following, false)
            }
        }
    }

    /// Whether the path names another file now; `None` if it names none.
    fn is_replaced(&self) -> Option<bool> {
        let open = self.open.as_ref()?;
        // Our descriptor keeps the old inode from being used again, so equal numbers are the same file.
        match std::fs::metadata(&self.path) {
            Ok(found) => Some(found.dev() != open.device || found.ino() != open.inode),
            Err(_) => None,
        }
    }

    fn leave(&mut self, give: &mut dyn FnMut(Line)) {
        self.splitter.finish(give);
        self.open = None;
    }

    fn read(&mut self, now: Moment, give: &mut dyn FnMut(Line)) -> io::Result<Amount> {
        let Some(open) = &mut self.open else {
            return Ok(Amount::Nothing);
        };
        let size = open.file.metadata()?.len();
        if size < open.position {
            self.splitter.finish(&mut *give);
            open.position = 0;
        }
        let mut taken = 0;
        while open.position < size {
            if taken >= BYTES_A_TURN {
                return Ok(Amount::Budget);
            }
            let read = match open.file.read_at(&mut self.buffer, open.position) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.splitter.feed(&self.buffer[..read], &mut *give);
            open.position += read as u64;
            taken += read;
            self.grew = now;
        }
        Ok(if taken > 0 {
            Amount::Some
        } else {
            Amount::Nothing
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Nothing,
    Some,
    /// As much as one turn allows; there is more.
    Budget,
}

/// Opens a regular file, positioned at its end.
fn open(path: &Path) -> Result<Open, State> {
    // Looked at before it is opened: opening a FIFO would make its writer believe in a reader, and a device may do
    // anything. Looked at again afterwards, in case it was changed between the two.
    check(&std::fs::metadata(path).map_err(|error| state_of(&error))?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| state_of(&error))?;
    let metadata = file.metadata().map_err(|error| state_of(&error))?;
    check(&metadata)?;
    Ok(Open {
        file,
        device: metadata.dev(),
        inode: metadata.ino(),
        position: metadata.len(),
        replaced: None,
    })
}

fn check(metadata: &Metadata) -> Result<(), State> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(State::NotAFile)
    }
}

fn state_of(error: &io::Error) -> State {
    match error.kind() {
        io::ErrorKind::NotFound => State::Waiting,
        _ => State::Failed(error.to_string()),
    }
}

/// How often a file is looked at: soon enough to be called live, seldom enough for a board to sleep.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// An unfinished line is shown as it is after this long without more of it.
const PARTIAL_PATIENCE: Duration = Duration::from_secs(2);

/// A rotated file is left once nothing has been written to it for this long, …
const ROTATION_QUIET: Duration = Duration::from_millis(500);

/// … or after this long, if its writer never lets go of it.
const ROTATION_LONGEST: Duration = Duration::from_secs(5);

const BUFFER: usize = 16 * 1024;

/// What is read before the thread looks up to see whether it is to stop.
const BYTES_A_TURN: usize = 256 * 1024;

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;

//! The client's folder, with the boards' certificates and the logins. It is private, files are replaced whole, and a
//! lock keeps two commands from undoing each other's work.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::stop::StopSignal;
use crate::files;

/// The folder; it need not exist yet.
#[derive(Debug, Clone)]
pub struct DeskFolder(PathBuf);

/// Held as long as this is.
#[must_use]
pub(super) struct Lock {
    _file: File,
}

impl DeskFolder {
    /// In this folder.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The user's own: `$XDG_STATE_HOME/postern-client`, or `~/.local/state/postern-client`. Not the server's
    /// `postern` beside it, which a server of the same user owns. `None` if neither is known.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let folder = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
        Some(Self(state?.join("postern-client")))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder, and those in it that `name` stands in.
    pub(super) fn prepare(&self, name: &str) -> io::Result<PathBuf> {
        files::prepare_dir(&self.0, |_, _| true)?;
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            files::prepare_dir(parent, |_, _| true)?;
        }
        Ok(path)
    }

    /// Locks `name` against other commands. The holder may be asking a board, which has time limits.
    pub(super) fn lock(&self, name: &str, stop: &StopSignal) -> io::Result<Lock> {
        // A file beside it: the file itself is replaced, and a lock on the old one would hold nobody.
        let path = self.prepare(&format!("{name}.lock"))?;
        let file = files::open_or_create(&path, OFlags::WRONLY)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => stop.pause(RETRY)?,
                Err(Errno::WOULDBLOCK) => return Err(held(&path)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn held(path: &Path) -> io::Error {
    let path = path.display();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("another postern logs holds {path}"),
    )
}

/// Somewhat longer than the refresh that the holder may be waiting for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a lock that is held is tried again.
const RETRY: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;

//! What ends the command from outside: Ctrl-C, or the output's reader has gone. Waits end at either.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// An ear for what ends the command.
#[derive(Debug, Default)]
pub struct StopSignal {
    /// Readable once somebody wants the end.
    told: Option<UnixStream>,
    /// Whether standard output is watched, too: who reads it may go while no line comes.
    watches_output: bool,
    ended: Cell<Option<StopReason>>,
}

/// What ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    /// Ctrl-C, or SIGTERM.
    Told,
    /// Nobody reads what is written.
    ReaderGone,
}

impl StopSignal {
    /// Ends on SIGINT and SIGTERM, and when nobody reads standard output any more.
    ///
    /// # Errors
    /// The kernel gives no pair of sockets, or takes no handler.
    pub fn on_signals() -> io::Result<Self> {
        let (told, tell) = UnixStream::pair()?;
        pipe::register(SIGINT, tell.try_clone()?)?;
        pipe::register(SIGTERM, tell)?;
        Ok(Self {
            told: Some(told),
            watches_output: true,
            ended: Cell::new(None),
        })
    }

    /// Ends when a byte is written to the other end, or when that is dropped.
    ///
    /// # Errors
    /// The kernel gives no pair of sockets.
    pub fn by_hand() -> io::Result<(Self, UnixStream)> {
        let (told, tell) = UnixStream::pair()?;
        let stop = Self {
            told: Some(told),
            ..Self::default()
        };
        Ok((stop, tell))
    }

    /// What has ended it.
    pub(super) fn ended(&self) -> Option<StopReason> {
        self.ended.get()
    }

    /// Waits until the descriptor can be read (or written). False: the time has passed.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionAborted`] once the end has come; then [`StopSignal::ended`] tells which.
    pub(super) fn wait(
        &self,
        fd: Option<(BorrowedFd<'_>, Interest)>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        let stdout = io::stdout();
        loop {
            if self.ended.get().is_some() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // An error or a hang-up is told whatever is asked for, so nothing at all is asked of the output.
            let output = self
                .watches_output
                .then(|| PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()));
            let told = self.told.as_ref();
            let mut fds: Vec<PollFd<'_>> = [
                told.map(|told| PollFd::new(told, PollFlags::IN)),
                output,
                fd.map(|(fd, interest)| PollFd::from_borrowed_fd(fd, interest.flags())),
            ]
            .into_iter()
            .flatten()
            .collect();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(|left| Timespec::try_from(left).unwrap_or_default());
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) if left.is_some_and(|left| !left.is_zero()) => continue,
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
            if told.is_some() && ready.next() == Some(true) {
                self.ended.set(Some(StopReason::Told));
            } else if self.watches_output && ready.next() == Some(true) {
                self.ended.set(Some(StopReason::ReaderGone));
            } else if fd.is_some() && ready.next() == Some(true) {
                return Ok(true);
            }
        }
    }

    /// Waits so long.
    ///
    /// # Errors
    /// As [`StopSignal::wait`].
    pub(super) fn pause(&self, time: Duration) -> io::Result<()> {
        self.wait(None, Some(Instant::now() + time)).map(|_| ())
    }
}

/// What a descriptor is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    Read,
    Write,
}

impl Interest {
    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::IN,
            Self::Write => PollFlags::OUT,
        }
    }
}

#[cfg(test)]
mod tests;

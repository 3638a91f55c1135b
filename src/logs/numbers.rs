//! Where the entries' numbers go on. They must not begin anew with each run: a client that only knows its last number (an
//! `EventSource`) would take what the new run gave the same number for something that it has.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::entropy::Entropy;
use crate::files;

/// The file in the state folder that holds the first number which no run has used.
///
/// A run sets many numbers aside before it uses the first, and more before those are used up; when it ends in order it
/// gives back the rest. So nothing is written while entries come, and after a crash the numbers leap ahead.
pub struct Numbers {
    path: PathBuf,
    span: Span,
    /// Why the file could not be used at the start.
    problem: Option<io::Error>,
    /// What the file says: no number from here on is used. 0: nothing that can be relied on.
    reserved: Mutex<u64>,
}

/// The numbers of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub first: u64,
    /// From here on each number up to `first` was given to an entry, by runs that ended in order. At most `first`.
    pub unbroken: u64,
}

impl Numbers {
    /// Finds this run's numbers, and sets aside what it may use. Where that fails they begin at random: then an old number
    /// is hardly ever one of the new run's, and what cannot be kept on a read-only card costs nobody an entry.
    #[must_use]
    pub fn open(state_dir: &Path, entropy: &dyn Entropy) -> Self {
        let path = state_dir.join(FILE);
        let mut random = [0; 8];
        entropy.fill(&mut random);
        let random = RANDOM_BASE + u64::from_ne_bytes(random) % RANDOM_BASE;
        let span = match read(&path) {
            Ok(span) => Ok(span),
            // A new device, or an emptied one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Span::from(1)),
            Err(error) => Err(error),
        };
        let set_aside = |span: Span| {
            let ahead = ahead_of(span.first);
            write(&path, ahead).map(|()| (span, ahead))
        };
        let (span, reserved, problem) = match span.and_then(set_aside) {
            Ok((span, ahead)) => (span, ahead, None),
            Err(error) => {
                let span = Span::from(random);
                // What was no number is put right at once, where that can be done.
                let ahead = set_aside(span).map_or(0, |(_, ahead)| ahead);
                (span, ahead, Some(error))
            }
        };
        Self {
            span,
            problem,
            reserved: Mutex::new(reserved),
            path,
        }
    }

    /// The numbers of this run.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Says in the log what was wrong at the start, if anything was.
    pub fn tell(&self) {
        if let Some(problem) = &self.problem {
            log::warn!(file:% = self.path.display(), problem:% = problem; "where the log's numbers go on is not known or cannot be kept: they begin anew, at random");
        }
    }

    /// Sets more numbers aside if half of those set aside are used, `newest` being the last one. Nearly always free.
    pub fn keep_ahead(&self, newest: u64) {
        let mut reserved = self.reserved.lock();
        if reserved.saturating_sub(newest) > AHEAD / 2 {
            return;
        }
        let ahead = ahead_of(newest + 1);
        // What fails is tried again, and that the disk cannot be written is the journal's to tell.
        if write(&self.path, ahead).is_ok() {
            *reserved = ahead;
        }
    }

    /// The run ends, and `newest` was its last number: the next one goes on right behind it.
    pub fn end(&self, newest: u64) {
        let Span { first, unbroken } = self.span;
        let next = (newest + 1).max(first);
        // If this fails, the next run leaps ahead.
        let _ = files::replace(&self.path, format!("{next} {unbroken}\n").as_bytes());
    }
}

impl From<u64> for Span {
    /// Of a run before which nothing is known.
    fn from(first: u64) -> Self {
        Self {
            first,
            unbroken: first,
        }
    }
}

fn ahead_of(next: u64) -> u64 {
    next.saturating_add(AHEAD)
}

/// While a run goes on the file holds one number; how far the numbers are unbroken, only the end of a run can say.
fn write(path: &Path, next: u64) -> io::Result<()> {
    files::replace(path, format!("{next}\n").as_bytes())
}

fn read(path: &Path) -> io::Result<Span> {
    let text = files::read_own(path)?;
    let words = std::str::from_utf8(&text).unwrap_or_default();
    let numbers: Option<Vec<u64>> = words
        .split_ascii_whitespace()
        .map(|word| word.parse().ok())
        .collect();
    match numbers.as_deref() {
        Some([first @ 1..=MAX]) => Ok(Span::from(*first)),
        Some([first @ 1..=MAX, unbroken]) if (1..=*first).contains(unbroken) => Ok(Span {
            first: *first,
            unbroken: *unbroken,
        }),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "this does not hold what it should",
        )),
    }
}

const FILE: &str = "log-sequence";

/// How many are set aside at a time: at 50,000 entries a second enough for five minutes, on most boards for years.
const AHEAD: u64 = 1 << 24;

/// Numbers that begin at random begin between this and its double.
const RANDOM_BASE: u64 = 1 << 50;

/// A browser's numbers are exact up to 2^53; a run that begins here gets there after 4,500 thousand million entries.
const MAX: u64 = 1 << 52;

#[cfg(test)]
mod tests;

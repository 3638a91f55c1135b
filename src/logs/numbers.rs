//! Where the entries' numbers go on. They must not begin anew with each run: a client that only knows its last number (an
//! `EventSource`) would take what the new run gave the same number for something that it has.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::files;

/// The file in the state folder that holds the first number which no run has used.
///
/// A run sets many numbers aside before it uses the first, and more before those are used up; when it ends in order it
/// gives back the rest. So nothing is written while entries come, and after a crash the numbers leap ahead.
pub struct Numbers {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// What the file says: no number from here on is used.
    reserved: u64,
    /// Whether the last write failed, which is told once.
    failed: bool,
}

impl Numbers {
    /// Gives the first number for this run, after setting aside what it may use. A file that cannot be used is told in the
    /// log and costs no more than that: numbers may come again.
    #[must_use]
    pub fn open(state_dir: &Path) -> (Self, u64) {
        let path = state_dir.join(FILE);
        let first = match read(&path) {
            Ok(first) => first,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => {
                log::warn!(file:% = path.display(), problem:% = error; "where the log's numbers go on is not known: they begin at 1");
                1
            }
        };
        let numbers = Self {
            path,
            state: Mutex::new(State {
                reserved: first,
                failed: false,
            }),
        };
        numbers.keep_ahead(first - 1);
        (numbers, first)
    }

    /// Sets more numbers aside if half of those set aside are used, `newest` being the last one. Nearly always free.
    pub fn keep_ahead(&self, newest: u64) {
        let mut state = self.state.lock();
        if state.reserved.saturating_sub(newest) > AHEAD / 2 {
            return;
        }
        let ahead = (newest + 1).saturating_add(AHEAD);
        match self.write(ahead) {
            Ok(()) => {
                state.reserved = ahead;
                state.failed = false;
            }
            Err(error) if !state.failed => {
                log::warn!(file:% = self.path.display(), problem:% = error; "where the log's numbers go on cannot be kept: after a restart some may come again");
                state.failed = true;
            }
            Err(_) => {}
        }
    }

    /// The run ends, and `newest` was its last number: the next one goes on right behind it.
    pub fn end(&self, newest: u64) {
        // If this fails, the next run leaps ahead.
        let _ = self.write(newest + 1);
    }

    fn write(&self, next: u64) -> io::Result<()> {
        files::replace(&self.path, format!("{next}\n").as_bytes())
    }
}

fn read(path: &Path) -> io::Result<u64> {
    let text = files::read(path)?;
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.trim_ascii().parse().ok())
        .filter(|next| (1..=MAX).contains(next))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this holds no number"))
}

const FILE: &str = "log-sequence";

/// How many are set aside at a time: at 50,000 entries a second enough for five minutes, on most boards for years.
const AHEAD: u64 = 1 << 24;

/// Beyond this a browser's numbers are not exact any more. It takes half a thousand million crashes to get there.
const MAX: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_in_order_is_gone_on_from_and_a_crashed_one_is_leapt_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let (numbers, first) = Numbers::open(dir.path());
        assert_eq!(first, 1);
        numbers.end(1233);
        let (crashed, first) = Numbers::open(dir.path());
        assert_eq!(first, 1234);
        drop(crashed);
        let (_, first) = Numbers::open(dir.path());
        assert!(first > 1234 + AHEAD / 2);
    }

    #[test]
    fn numbers_are_set_aside_before_they_are_used_and_seldom() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FILE);
        let (numbers, _) = Numbers::open(dir.path());
        let mut writes = 0;
        let mut before = read(&path).expect("a number");
        for newest in (0..10 * AHEAD).step_by(250_000) {
            assert!(newest < before, "{newest} is not set aside");
            numbers.keep_ahead(newest);
            let now = read(&path).expect("a number");
            writes += u32::from(now != before);
            before = now;
        }
        assert!((10..=20).contains(&writes), "{writes}");
    }

    #[test]
    fn what_is_no_number_begins_anew_and_a_card_that_refuses_stops_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FILE);
        for damaged in [
            "",
            "0",
            "-1",
            "12x",
            "99999999999999999999",
            "9999999999999999",
        ] {
            fs::write(&path, damaged).expect("written");
            assert_eq!(Numbers::open(dir.path()).1, 1, "{damaged}");
        }
        fs::remove_file(&path).expect("removed");
        // A folder in its place can be neither read nor replaced.
        fs::create_dir(&path).expect("made");
        let (numbers, first) = Numbers::open(dir.path());
        assert_eq!(first, 1);
        numbers.keep_ahead(AHEAD);
        numbers.end(5);
    }
}

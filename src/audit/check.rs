//! Whether the chain on the disk is whole, found out in the background: what was changed while the server was stopped,
//! or in the older files, nobody would see otherwise before somebody looks.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::STACK;
use super::verify::{ChainReport, verify};
use crate::background;

/// What the last check found.
pub struct Check {
    folder: PathBuf,
    whole: AtomicBool,
    /// Whether the last check came to an end.
    known: AtomicBool,
    running: AtomicBool,
}

impl Check {
    /// Of the files in a folder, which pass for good until they are looked at.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            whole: AtomicBool::new(true),
            known: AtomicBool::new(true),
            running: AtomicBool::new(false),
        }
    }

    /// Whether nothing was wrong that can be seen.
    pub fn whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// Whether it is time for a check, the last of which was begun then.
    pub fn is_due(&self, last: Option<Instant>, now: Instant) -> bool {
        let settled = self.whole() && self.known.load(Ordering::Relaxed);
        let period = if settled { DAILY } else { AGAIN };
        last.is_none_or(|last| now.saturating_duration_since(last) >= period)
    }

    /// Looks, in a thread of its own that ends by itself: the largest log takes a small board seconds.
    pub fn start(check: &Arc<Self>) {
        // The older of two could have the last word.
        if check.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let own = check.clone();
        let started = Builder::new()
            .name("audit-check".into())
            .stack_size(STACK)
            .spawn(move || {
                background::yield_to_all();
                own.look();
                own.running.store(false, Ordering::Release);
            });
        if let Err(error) = started {
            check.failed(&error);
            check.running.store(false, Ordering::Release);
        }
    }

    fn look(&self) {
        let was_whole = self.whole();
        let whole = match verify(&self.folder) {
            Ok(report) => {
                if was_whole {
                    tell(&report);
                }
                report.whole()
            }
            // Before the first entry.
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            // A link, a folder, something endless.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                if was_whole {
                    log::error!(problem:% = error; "a file in the place of the audit log is not an audit log");
                }
                false
            }
            Err(error) => return self.failed(&error),
        };
        if whole && !was_whole {
            log::info!("the audit log is whole again");
        }
        self.whole.store(whole, Ordering::Relaxed);
        self.known.store(true, Ordering::Relaxed);
    }

    /// A card that does not answer is no sign of a change: what was known before still holds.
    fn failed(&self, error: &io::Error) {
        log::warn!(problem:% = error; "the audit log could not be checked, and will be in ten minutes");
        self.known.store(false, Ordering::Relaxed);
    }
}

fn tell(report: &ChainReport) {
    if let Some(first) = report.problems.first() {
        log::error!(places = report.problem_count, file = first.file.as_str(), line = first.line, problem = first.what.as_str();
            "the audit log was changed, or is damaged; postern audit verify names every place");
    }
}

const DAILY: Duration = Duration::from_secs(24 * 60 * 60);

/// While something is wrong, or not known: whoever puts it right should see that it helped.
pub const AGAIN: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;

//! Whether the chain on the disk is whole, found out in the background: what was changed while the server was stopped, or in
//! the older files, nobody would see otherwise before somebody looks.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use super::STACK;
use super::verify::{Report, verify};
use crate::background;

/// What the last check found.
pub struct Check {
    folder: PathBuf,
    whole: AtomicBool,
}

impl Check {
    /// Of the files in a folder, which pass for good until they are looked at.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            whole: AtomicBool::new(true),
        }
    }

    /// Whether nothing was wrong that can be seen.
    pub fn whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// How long after the last check it is time for the next.
    pub fn period(&self) -> Duration {
        if self.whole() { DAILY } else { AGAIN }
    }

    /// Looks, in a thread of its own that ends by itself: the largest log takes a small board seconds.
    pub fn start(check: &Arc<Self>) {
        let own = check.clone();
        let started = Builder::new()
            .name("audit-check".into())
            .stack_size(STACK)
            .spawn(move || {
                background::yield_to_all();
                own.look();
            });
        if let Err(error) = started {
            log::warn!(problem:% = error; "the audit log is not checked");
        }
    }

    fn look(&self) {
        let whole = match verify(&self.folder) {
            Ok(report) => {
                if self.whole() {
                    tell(&report);
                }
                report.whole()
            }
            // Before the first entry.
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => {
                if self.whole() {
                    log::error!(problem:% = error; "the audit log cannot be checked");
                }
                false
            }
        };
        self.whole.store(whole, Ordering::Relaxed);
    }
}

fn tell(report: &Report) {
    if let Some(first) = report.problems.first() {
        log::error!(places = report.problem_count, file = first.file.as_str(), line = first.line, problem = first.what.as_str();
            "the audit log was changed, or is damaged; postern audit verify names every place");
    }
}

const DAILY: Duration = Duration::from_secs(24 * 60 * 60);

/// While something is wrong: whoever moves the broken files away should see that it helped.
pub const AGAIN: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audit::line::{NONE_BEFORE, hash, line};
    use crate::audit::shelf::path;

    #[test]
    fn what_is_wrong_is_found_and_looked_at_sooner_until_it_is_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let check = Check::new(folder.path());
        let looked = || {
            check.look();
            (check.whole(), check.period())
        };
        assert_eq!(looked(), (true, DAILY), "there is none yet");
        let first = line(1, "\"event\":\"start\"", NONE_BEFORE);
        let second = line(2, "\"event\":\"stop\"", &hash(first.as_bytes()));
        let file = path(folder.path(), 0);
        let good = format!("{first}\n{second}\n");
        fs::write(&file, &good).unwrap();
        assert_eq!(looked(), (true, DAILY));
        fs::write(&file, good.replace("start", "stars")).unwrap();
        assert_eq!(looked(), (false, AGAIN));
        fs::write(&file, &good).unwrap();
        assert_eq!(looked(), (true, DAILY));
        fs::create_dir(path(folder.path(), 1)).unwrap();
        assert_eq!(looked(), (false, AGAIN), "no file");
    }
}

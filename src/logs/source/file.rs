//! Files that are followed, as a source of entries: one by its name, or all that a pattern fits.
//!
//! What is followed says where it is to be watched ([`watched`]), and is looked at when the [`watch`] says so. The order keeps
//! what is written in between from being lost: looked at, watched, and looked at once more if the watch is new.

use std::path::PathBuf;
use std::time::Duration;

use super::{Source, SourceContext, SourceEvent};
use crate::clock::Moment;
use crate::config::LineFormat;
use files::PatternFiles;
use one::NamedFile;
use tail::Tail;
use watch::{POLL, SLOW_LOOK, WakeUp, WatchMethod, WatchProblem, Watcher};
use watched::WatchedFolder;

mod files;
mod follower;
mod one;
mod pattern;
mod tail;
mod watch;
mod watched;

pub(super) struct FileSource {
    followed: Box<dyn Followed>,
    watcher: Watcher,
    woken: WakeUp,
}

/// One file or many.
trait Followed: Send {
    /// Reads what is new, a bounded amount.
    fn look(
        &mut self,
        woken: &WakeUp,
        now: Moment,
        give: &mut dyn FnMut(SourceEvent),
    ) -> LookResult;

    /// What decides which files these are.
    fn watched(&self) -> Vec<WatchedFolder>;

    /// The open files.
    fn tails(&mut self) -> Box<dyn Iterator<Item = &mut Tail> + '_>;

    /// Whether something is due after a while, even if nothing happens.
    fn is_pending(&self) -> bool;

    fn report(&self) -> FileReport;

    /// Gives what is unfinished.
    fn finish(&mut self, give: &mut dyn FnMut(SourceEvent));
}

/// What one look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct LookResult {
    /// There is more right now.
    more: bool,
    /// Something was read.
    read: bool,
    /// Other files are open than before.
    changed: bool,
}

/// What to tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileReport {
    state: &'static str,
    error: Option<String>,
    files: Option<usize>,
}

/// How to go on after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pause {
    /// Not to be disturbed for this long, …
    breath: Duration,
    /// … then until something happens, or for this long at most.
    at_most: Option<Duration>,
}

impl FileSource {
    /// The file of this name.
    pub(super) fn one(path: PathBuf, format: LineFormat) -> Self {
        Self::new(Box::new(NamedFile::new(path, format)), WatchMethod::Inotify)
    }

    /// All files that an absolute pattern fits. `is_named`: their entries carry the source's name, and a field that tells the
    /// file; else each file's own.
    pub(super) fn all(pattern: &str, is_named: bool, format: LineFormat) -> Self {
        let files = PatternFiles::new(pattern, is_named, format);
        Self::new(Box::new(files), WatchMethod::Inotify)
    }

    fn new(followed: Box<dyn Followed>, means: WatchMethod) -> Self {
        Self {
            followed,
            watcher: Watcher::new(means),
            woken: WakeUp::everything(),
        }
    }

    /// Looks at what may have changed.
    fn turn(&mut self, context: &SourceContext) -> Pause {
        let woken = std::mem::take(&mut self.woken);
        let now = context.now();
        let look = self
            .followed
            .look(&woken, now, &mut |event| context.push(event));
        if woken.everything || look.changed {
            let watched = self.followed.watched();
            if self.watcher.watch(watched, self.followed.tails()) {
                // What happened before was not reported.
                self.woken = WakeUp::everything();
            }
        }
        let is_troubled = self.report(context);
        let is_due = look.more || self.woken.everything;
        Pause {
            breath: if look.read && !is_due {
                BREATH
            } else {
                Duration::ZERO
            },
            at_most: if is_due {
                Some(Duration::ZERO)
            } else if self.followed.is_pending() {
                Some(POLL)
            } else if is_troubled {
                Some(self.watcher.patience().unwrap_or(SLOW_LOOK))
            } else {
                self.watcher.patience()
            },
        }
    }

    /// True if something is wrong with the files themselves.
    fn report(&self, context: &SourceContext) -> bool {
        let mut report = self.followed.report();
        let is_troubled = report.error.is_some();
        if let Some(blind) = self.watcher.blind() {
            if report.state == "following" {
                report.state = "following, by polling";
            }
            if let WatchProblem::Failed(error) = blind {
                report.error.get_or_insert_with(|| error.clone());
            }
        }
        if let Some(files) = report.files {
            context.report_files(files);
        }
        context.report(report.state, report.error);
        is_troubled
    }
}

impl Source for FileSource {
    fn run(mut self: Box<Self>, context: &SourceContext) {
        loop {
            let pause = self.turn(context);
            if pause.breath > Duration::ZERO {
                context.stop.sleep(pause.breath);
            }
            let woken = self.watcher.wait(&context.stop, pause.at_most);
            self.woken.written.extend(woken.written);
            self.woken.everything |= woken.everything;
            if context.stop.stopped() {
                self.followed.finish(&mut |event| context.push(event));
                return context.report("stopped", None);
            }
        }
    }
}

/// After something was read: whoever writes line by line is not answered with a system call for each, and a reader does not
/// notice.
const BREATH: Duration = Duration::from_millis(20);

#[cfg(test)]
mod bench;

#[cfg(test)]
mod tests;

//! A file followed by its name as `tail -F` does it: through rotation, truncation, and times when it is not there.
//!
//! It begins at the end of a file that is there at the start, and at the beginning of one that appears later.
//! When the path names another file, that one is opened at once, so that a further rotation cannot take it away. The old
//! one is read on until nothing has come for a moment, then the new one from its beginning, so that the order is kept. A
//! writer may be told seconds later that its log was renamed, so the old file is read beside the new one until it has been
//! quiet for 5 s. A file shorter than what was read of it, or with other bytes at its beginning or before the place it was
//! read to, was truncated and is read from its beginning. An unfinished line is kept until it ends, until 2 s have passed
//! without more of it, or until its file is closed.

use std::collections::{HashSet, VecDeque};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::line::TextLine;
use super::tail::{BUFFER, CannotFollow, FileIdentity, ReadAmount, Start, Tail};
use crate::clock::Moment;

/// What became of one look at the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileState {
    Following,
    Waiting,
    NotAFile,
    Failed(String),
}

impl From<CannotFollow> for FileState {
    fn from(refused: CannotFollow) -> Self {
        match refused {
            CannotFollow::Missing => Self::Waiting,
            CannotFollow::NotAFile => Self::NotAFile,
            CannotFollow::Failed(error) => Self::Failed(error),
        }
    }
}

/// The follower, fed with time and polled by hand in tests.
pub(super) struct Follower {
    path: PathBuf,
    /// Those that the path named before, the oldest first; their writers may still be at them.
    old: VecDeque<Tail>,
    open: Option<Tail>,
    /// What has taken the open one's place since, in that order.
    next: VecDeque<Tail>,
    /// Since when there is a next one.
    replaced: Option<Moment>,
    /// Whether a file found now has been there all along, so that its contents are old.
    from_end: bool,
    /// The rotated files beside it that hold nothing new.
    siblings: HashSet<Sibling>,
    buffer: Vec<u8>,
}

/// A number that was given away again comes with another time of birth, where the file system keeps one.
type Sibling = (FileIdentity, Option<SystemTime>);

impl Follower {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            old: VecDeque::new(),
            open: None,
            next: VecDeque::new(),
            replaced: None,
            from_end: true,
            siblings: HashSet::new(),
            buffer: vec![0; BUFFER],
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The files it holds open.
    pub(super) fn tails(&mut self) -> impl Iterator<Item = &mut Tail> {
        self.old
            .iter_mut()
            .chain(&mut self.open)
            .chain(&mut self.next)
    }

    /// Which they are.
    pub(super) fn held(&self) -> Vec<FileIdentity> {
        self.all().map(Tail::identity).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Tail> {
        self.old.iter().chain(&self.open).chain(&self.next)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether something is due after a while, even if nothing happens.
    pub(super) fn is_pending(&self) -> bool {
        let open = self.open.as_ref();
        self.replaced.is_some()
            || !self.old.is_empty()
            || open.is_some_and(|open| open.is_partial() || open.is_left())
    }

    /// Reads what is new, a bounded amount; true if there is more right now.
    pub(super) fn poll(
        &mut self,
        now: Moment,
        give: &mut dyn FnMut(TextLine),
    ) -> (FileState, bool) {
        if self.open.is_none() {
            let start = if self.from_end {
                Start::End
            } else {
                Start::At(0)
            };
            self.siblings = self.rotated().map(|(sibling, ..)| sibling).collect();
            match Tail::open(&self.path, start, now) {
                Ok(tail) => {
                    // What was rotated away since is as new as this one, and came before it.
                    self.find_missed(tail.identity(), now);
                    if self.from_end {
                        self.next.clear();
                    }
                    self.next.push_back(tail);
                    self.open = self.next.pop_front();
                }
                Err(refused) => {
                    // Whatever takes its place will be new.
                    if matches!(refused, CannotFollow::Missing | CannotFollow::NotAFile) {
                        self.from_end = false;
                    }
                    return (refused.into(), false);
                }
            }
        }
        self.from_end = false;
        if self.read_old(now, give) {
            return (FileState::Following, true);
        }
        let Some(open) = &mut self.open else {
            return (FileState::Waiting, false);
        };
        match open.read(&mut self.buffer, now, give) {
            Ok(ReadAmount::Budget) => (FileState::Following, true),
            Ok(_) => self.follow_rotation(now, give),
            Err(error) => {
                // A stale handle must not hide a file that has been put in its place.
                if self.look_at_path(now) == FileState::Following && !self.next.is_empty() {
                    self.advance(now);
                }
                (FileState::Failed(error.to_string()), false)
            }
        }
    }

    /// Gives what is unfinished.
    pub(super) fn finish(&mut self, give: &mut dyn FnMut(TextLine)) {
        for tail in self.old.iter_mut().chain(&mut self.open) {
            tail.finish(give);
        }
    }

    /// Reads what late writers added to the old files, and closes those that are over; true if there is more.
    fn read_old(&mut self, now: Moment, give: &mut dyn FnMut(TextLine)) -> bool {
        for old in &mut self.old {
            match old.read(&mut self.buffer, now, give) {
                Ok(ReadAmount::Budget) => return true,
                Ok(_) => {}
                // Not to be read any more. The file that has its name says so itself, if it is wrong too.
                Err(_) => old.finish(give),
            }
        }
        let mut surplus = self.old.len().saturating_sub(MAX_OLD);
        self.old.retain_mut(|old| {
            let is_over = surplus > 0 || old.is_over(now);
            surplus = surplus.saturating_sub(1);
            if is_over {
                old.finish(give);
            }
            !is_over
        });
        false
    }

    /// Goes over to another file under the same name once the old one is really finished.
    fn follow_rotation(
        &mut self,
        now: Moment,
        give: &mut dyn FnMut(TextLine),
    ) -> (FileState, bool) {
        let state = self.look_at_path(now);
        let Some(open) = &mut self.open else {
            return (state, false);
        };
        if self.next.is_empty() {
            self.replaced = None;
            open.leave((state == FileState::Waiting && open.is_deleted()).then_some(now));
            if open.is_over(now) {
                open.finish(give);
                self.open = None;
            }
            return (state, false);
        }
        let since = *self.replaced.get_or_insert(now);
        open.leave(Some(since));
        let is_quiet = now.saturating_since(open.grew().max(since)) >= ROTATION_QUIET;
        let quiet = is_quiet && !open.is_partial();
        let long = now.saturating_since(since) >= ROTATION_LONGEST;
        if quiet || long || self.next.len() > MAX_NEXT {
            self.advance(now);
            return (state, true);
        }
        (state, false)
    }

    /// Goes on to the next file. The open one is an old one then.
    fn advance(&mut self, now: Moment) {
        self.old.extend(self.open.take());
        self.open = self.next.pop_front();
        if let Some(open) = &mut self.open {
            open.leave(None);
        }
        self.replaced = (!self.next.is_empty()).then_some(now);
    }

    /// What the path names now; a file that is not held yet is opened.
    fn look_at_path(&mut self, now: Moment) -> FileState {
        let found = match std::fs::metadata(&self.path) {
            Ok(found) => FileIdentity::of(&found),
            Err(_) => return FileState::Waiting,
        };
        if let Some(at) = self.old.iter().position(|old| old.identity() == found) {
            // It was put back under its name.
            self.next.extend(self.old.remove(at));
        }
        if self.holds(found) {
            return FileState::Following;
        }
        match Tail::open(&self.path, Start::At(0), now) {
            Ok(tail) => {
                self.find_missed(tail.identity(), now);
                self.next.push_back(tail);
                FileState::Following
            }
            Err(refused) => refused.into(),
        }
    }

    /// Our descriptors keep the old inodes from being used again, so equal numbers are the same file.
    fn holds(&self, file: FileIdentity) -> bool {
        self.all().any(|tail| tail.identity() == file)
    }

    /// Files that came and were rotated away before anybody looked, by their names beside the path.
    fn find_missed(&mut self, newest: FileIdentity, now: Moment) {
        let mut missed: Vec<_> = self.rotated().collect();
        let siblings = missed.iter().map(|(sibling, ..)| *sibling).collect();
        missed.retain(|(sibling, ..)| {
            sibling.0 != newest && !self.holds(sibling.0) && !self.siblings.contains(sibling)
        });
        missed.sort_by_key(|(_, metadata, _)| metadata.modified().ok());
        let newest_first = missed.iter().rev().take(MAX_NEXT);
        for (.., path) in newest_first.rev() {
            if let Ok(tail) = Tail::open(path, Start::At(0), now)
                && !self.holds(tail.identity())
            {
                self.next.push_back(tail);
            }
        }
        self.siblings = siblings;
    }

    /// The regular files beside the path that are named as rotation names them: the name, `.` or `-`, a number or a date.
    fn rotated(&self) -> impl Iterator<Item = (Sibling, Metadata, PathBuf)> {
        let name = self.path.file_name().unwrap_or_default().to_owned();
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .take(MAX_LOOKED_AT)
            .flatten()
            .filter_map(move |entry| {
                let other = entry.file_name();
                let rest = other
                    .as_encoded_bytes()
                    .strip_prefix(name.as_encoded_bytes())?;
                let is_number = |byte: &u8| byte.is_ascii_digit() || b".-_".contains(byte);
                if rest.is_empty() || !rest.iter().all(is_number) {
                    return None;
                }
                let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
                let sibling = (FileIdentity::of(&metadata), metadata.created().ok());
                Some((sibling, metadata, entry.path()))
            })
    }
}

/// The next file waits until nothing has been written to the rotated one for this long, so that lines keep their order, …
const ROTATION_QUIET: Duration = Duration::from_millis(500);

/// … or for this long, if its writer never lets go of it, …
const ROTATION_LONGEST: Duration = Duration::from_secs(5);

/// … or until so many wait.
const MAX_NEXT: usize = 8;

/// How many old files are read on; each takes a descriptor, a watch and up to 64 KiB of an unfinished line.
const MAX_OLD: usize = 8;

/// A folder with more files than this is not where logs are rotated.
const MAX_LOOKED_AT: usize = 10_000;

#[cfg(test)]
mod tests;

//! All files that a pattern fits, followed at once.
//!
//! A file is known by its device and inode, not by its name: rotation renames it, and what was read of it is not new then.
//! Those that are there at the start are read from their ends, those that come later from their beginnings. One that the
//! pattern fits no more is read on until another file has its name, or it is deleted, and nothing has come for 5 s; then it is
//! closed.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::super::line::TextLine;
use super::super::{SourceEvent, format};
use super::pattern::{FilePattern, PatternMatches};
use super::tail::{BUFFER, CannotFollow, FileIdentity, ReadAmount, Start, Tail};
use super::watch::WakeUp;
use super::watched::WatchedFolder;
use super::{FileReport, Followed, LookResult};
use crate::clock::Moment;
use crate::config::LineFormat;
use crate::logs::label;

pub(super) struct PatternFiles {
    pattern: FilePattern,
    /// Whether the entries have one name, and a field that tells the file.
    is_named: bool,
    format: LineFormat,
    followed: Vec<FollowedFile>,
    /// From where each file that the pattern fits is to be read, should it be opened.
    known: HashMap<FileIdentity, KnownFile>,
    watched: Vec<WatchedFolder>,
    /// Whether the files found next have been there all along.
    is_first: bool,
    trouble: Option<String>,
    buffer: Vec<u8>,
}

struct FollowedFile {
    tail: Tail,
    label: Arc<str>,
    /// Whether the pattern does not fit it any more.
    is_old: bool,
    /// Whether it has more to be read right now.
    more: bool,
}

#[derive(Debug, Clone, Copy)]
struct KnownFile {
    position: u64,
    /// A number that was given away again comes with another time of birth, where the file system keeps one.
    born: Option<SystemTime>,
}

impl PatternFiles {
    pub(super) fn new(pattern: &str, is_named: bool, format: LineFormat) -> Self {
        Self {
            pattern: FilePattern::new(pattern),
            is_named,
            format,
            followed: Vec::new(),
            known: HashMap::new(),
            watched: Vec::new(),
            is_first: true,
            trouble: None,
            buffer: vec![0; BUFFER],
        }
    }

    /// Finds what the pattern fits now. True if other files are open than before.
    fn scan(&mut self, now: Moment) -> bool {
        let PatternMatches {
            mut files,
            watched,
            trouble,
            ..
        } = self.pattern.find();
        self.watched = watched;
        self.trouble = trouble;
        // Two names of one file: the first one counts.
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut listed: HashMap<FileIdentity, KnownFile> = HashMap::new();
        files.retain(|(_, metadata)| {
            let identity = FileIdentity::of(metadata);
            listed
                .insert(identity, self.known_of(identity, metadata))
                .is_none()
        });
        self.known = listed;
        let mut changed = false;
        for one in &mut self.followed {
            one.is_old = !self.known.contains_key(&one.tail.identity());
            // Until a new file has its name its writer is thought to be at the old one.
            let is_left =
                one.is_old && (one.tail.is_deleted() || std::fs::metadata(one.tail.path()).is_ok());
            one.tail.leave(is_left.then_some(now));
        }
        // The last written come first; those beyond the bound have been quiet for longest.
        files.sort_by_key(|(_, metadata)| std::cmp::Reverse(metadata.modified().ok()));
        let beyond = files.split_off(files.len().min(MAX_FILES));
        if !beyond.is_empty() {
            self.trouble.get_or_insert(format!(
                "{} files fit the pattern; the {MAX_FILES} last written are followed",
                MAX_FILES + beyond.len()
            ));
            for (_, metadata) in &beyond {
                changed |= self.close(FileIdentity::of(metadata));
            }
        }
        // Opened in the order in which they were written, as far as that can be told.
        for (path, metadata) in files.into_iter().rev() {
            let identity = FileIdentity::of(&metadata);
            if !self.follows(identity) {
                changed |= self.open(&path, identity, now);
            }
        }
        self.is_first = false;
        changed
    }

    fn known_of(&self, identity: FileIdentity, metadata: &Metadata) -> KnownFile {
        let born = metadata.created().ok();
        match self.known.get(&identity) {
            Some(known) if known.born == born || known.born.is_none() || born.is_none() => *known,
            _ => KnownFile {
                position: if self.is_first { metadata.len() } else { 0 },
                born,
            },
        }
    }

    fn follows(&self, identity: FileIdentity) -> bool {
        let mut followed = self.followed.iter();
        followed.any(|one| one.tail.identity() == identity)
    }

    fn open(&mut self, path: &Path, listed: FileIdentity, now: Moment) -> bool {
        let position = self.known.get(&listed).map_or(0, |known| known.position);
        match Tail::open(path, Start::At(position), now) {
            // The name may mean another file by now: the folder has told of it then, and the next scan finds it.
            Ok(tail) if tail.identity() == listed => {
                self.followed.push(FollowedFile {
                    tail,
                    label: label::of_file(path).into(),
                    is_old: false,
                    more: true,
                });
                true
            }
            Ok(_) | Err(CannotFollow::Missing | CannotFollow::NotAFile) => false,
            Err(CannotFollow::Failed(error)) => {
                self.trouble
                    .get_or_insert(format!("{}: {error}", path.display()));
                false
            }
        }
    }

    /// Closes those of too many old files that have been quiet for longest.
    fn close_oldest(&mut self, give: &mut dyn FnMut(SourceEvent)) {
        let old = self.followed.iter().filter(|one| one.is_old);
        for _ in MAX_OLD..old.count() {
            let all = self.followed.iter().enumerate();
            let old = all.filter(|(_, one)| one.is_old);
            let Some((at, _)) = old.min_by_key(|(_, one)| one.tail.grew()) else {
                return;
            };
            let mut one = self.followed.swap_remove(at);
            one.finish(self.format, self.is_named, give);
        }
    }

    /// Closes a file that may be opened again.
    fn close(&mut self, identity: FileIdentity) -> bool {
        let at = |one: &FollowedFile| one.tail.identity() == identity;
        let Some(at) = self.followed.iter().position(at) else {
            return false;
        };
        let one = self.followed.swap_remove(at);
        if let Some(known) = self.known.get_mut(&identity) {
            known.position = one.tail.position();
        }
        true
    }
}

impl Followed for PatternFiles {
    fn look(
        &mut self,
        woken: &WakeUp,
        now: Moment,
        give: &mut dyn FnMut(SourceEvent),
    ) -> LookResult {
        let mut look = LookResult::default();
        if woken.everything {
            look.changed = self.scan(now);
        }
        let (format, is_named) = (self.format, self.is_named);
        let mut failed = Vec::new();
        for one in &mut self.followed {
            let watch = one.tail.watch;
            let is_due = woken.everything
                || one.more
                || one.is_pending()
                || watch.is_none_or(|watch| woken.written.contains(&watch));
            if !is_due {
                continue;
            }
            let label = &one.label;
            let path = one.tail.path().to_owned();
            let mut give = |line| give(event(line, format, is_named, label, &path));
            match one.tail.read(&mut self.buffer, now, &mut give) {
                Ok(amount) => {
                    one.more = amount == ReadAmount::Budget;
                    look.more |= one.more;
                    look.read |= amount != ReadAmount::Nothing;
                }
                Err(error) => {
                    self.trouble
                        .get_or_insert(format!("{}: {error}", path.display()));
                    failed.push(one.tail.identity());
                }
            }
            if one.tail.is_over(now) {
                one.tail.finish(&mut give);
            }
        }
        let before = self.followed.len();
        // It is closed, and so tried again at the next scan.
        for identity in failed {
            self.close(identity);
        }
        self.followed.retain(|one| !one.tail.is_over(now));
        self.close_oldest(give);
        look.changed |= self.followed.len() != before;
        look
    }

    fn watched(&self) -> Vec<WatchedFolder> {
        self.watched.clone()
    }

    fn tails(&mut self) -> Box<dyn Iterator<Item = &mut Tail> + '_> {
        Box::new(self.followed.iter_mut().map(|one| &mut one.tail))
    }

    fn is_pending(&self) -> bool {
        self.followed.iter().any(FollowedFile::is_pending)
    }

    fn report(&self) -> FileReport {
        FileReport {
            state: if self.followed.is_empty() {
                "waiting for a file"
            } else {
                "following"
            },
            error: self.trouble.clone(),
            files: Some(self.followed.len()),
        }
    }

    fn finish(&mut self, give: &mut dyn FnMut(SourceEvent)) {
        for one in &mut self.followed {
            one.finish(self.format, self.is_named, give);
        }
    }
}

impl FollowedFile {
    fn is_pending(&self) -> bool {
        self.tail.is_left() || self.tail.is_partial()
    }

    /// Gives what is unfinished.
    fn finish(&mut self, format: LineFormat, is_named: bool, give: &mut dyn FnMut(SourceEvent)) {
        let path = self.tail.path().to_owned();
        let label = &self.label;
        self.tail
            .finish(&mut |line| give(event(line, format, is_named, label, &path)));
    }
}

fn event(
    line: TextLine,
    format: LineFormat,
    is_named: bool,
    label: &Arc<str>,
    path: &Path,
) -> SourceEvent {
    let mut event = format::event(line, format);
    if is_named {
        let path = path.to_string_lossy().into_owned();
        event.fields.insert("file".into(), path.into());
    } else {
        event.label = Some(label.clone());
    }
    event
}

/// How many files one pattern follows: each takes a descriptor, a watch and up to 64 KiB of an unfinished line.
const MAX_FILES: usize = 64;

/// How many more are read on that the pattern fits no more: all that one rotation renames.
const MAX_OLD: usize = MAX_FILES;

#[cfg(test)]
mod tests;

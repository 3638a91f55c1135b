//! The folder of advisories: read file by file, so that no more than one is in memory at a time. What cannot be read is
//! told, and what was found there before still stands.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::Match;
use super::format::{AdvisoryFormat, MAX_ADVISORY};
use super::{AdvisoryError, archive, osv, rustsec};
use crate::clock::Timestamp;
use crate::device::packages::Packages;
use crate::files;

/// Something found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMatch {
    file: PathBuf,
    /// The name in the archive; empty for a file of its own.
    entry: Vec<u8>,
    /// What it is.
    pub found: Match,
}

/// One reading of all there is.
pub struct FolderReading<'a> {
    packages: &'a Packages,
    stop: &'a dyn Fn() -> bool,
    /// No advisory is younger: what says so is mistaken.
    now: Timestamp,
    /// What the last reading kept, where each is from, and whether it stands although that could not be read.
    before: &'a [StoredMatch],
    places: HashMap<(&'a Path, &'a [u8]), Vec<usize>>,
    stands: Vec<bool>,
    bytes: u64,
    entries: usize,
    size: usize,
    /// What was found.
    pub kept: Vec<StoredMatch>,
    /// How many advisories could be read.
    pub advisories: usize,
    /// How many of them are about packages of this system, and how many about crates.
    pub about: [usize; 2],
    /// When the youngest of each of the two was written or last changed.
    pub newest: [Option<Timestamp>; 2],
    /// How many files could not be read.
    pub broken: usize,
    /// What was wrong with the first few of those.
    pub problem: Option<String>,
    /// Whether there was a folder or a file at all.
    pub is_there: bool,
}

impl StoredMatch {
    /// About how much memory it takes.
    fn size(&self) -> usize {
        self.found.size() + self.file.as_os_str().len() + self.entry.len() + size_of::<Self>()
    }
}

/// Why a reading ends early. What was wrong is told in it.
struct ReadingEnded;

impl<'a> FolderReading<'a> {
    /// Reads everything in this place, a folder or an archive. `None`: `stop` said so.
    pub fn of(
        place: &Path,
        packages: &'a Packages,
        before: &'a [StoredMatch],
        now: Timestamp,
        stop: &'a dyn Fn() -> bool,
    ) -> Option<Self> {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for (index, kept) in before.iter().enumerate() {
            let place = (kept.file.as_path(), kept.entry.as_slice());
            places.entry(place).or_default().push(index);
        }
        let mut reading = Self {
            packages,
            stop,
            now,
            before,
            places,
            stands: vec![false; before.len()],
            bytes: 0,
            entries: 0,
            size: 0,
            kept: Vec::new(),
            advisories: 0,
            about: [0; 2],
            newest: [None; 2],
            broken: 0,
            problem: None,
            is_there: true,
        };
        // The place itself may be a link; what is in it may not.
        let ended = match fs::metadata(place) {
            Ok(there) if there.is_dir() => reading.folder(place, 0),
            Ok(_) => reading.archive(place, true),
            Err(error) => {
                // A link that leads nowhere, to a stick that is not in, is there.
                let is_nothing = error.kind() == io::ErrorKind::NotFound;
                reading.is_there = !is_nothing || fs::symlink_metadata(place).is_ok();
                reading.tell(place, &[], &AdvisoryError::from(error))
            }
        };
        if ended.is_err() && stop() {
            return None;
        }
        reading.finish();
        Some(reading)
    }

    /// Everything that was found before still stands.
    pub fn keep_all(&mut self) {
        self.stands.fill(true);
        self.finish();
    }

    fn finish(&mut self) {
        let before = self.before.iter().zip(&self.stands);
        let standing = before.filter(|(kept, stands)| {
            // Of what was read only in part, the one part is in both.
            **stands && self.still_applies(kept) && !self.kept.contains(kept)
        });
        let standing: Vec<_> = standing.map(|(kept, _)| kept.clone()).collect();
        self.kept.extend(standing);
        let mut size = 0;
        let fits = self.kept.iter().take(MAX_MATCHES).take_while(|kept| {
            size += kept.size();
            size <= MAX_SIZE
        });
        let fits = fits.count();
        self.kept.truncate(fits);
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), ReadingEnded> {
        if depth > MAX_DEPTH {
            return self.tell(path, &[], &AdvisoryError::TooDeep);
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.tell(path, &[], &AdvisoryError::from(error)),
        };
        for entry in entries {
            let entry = entry.and_then(|entry| Ok((entry.file_type()?, entry)));
            let (kind, entry) = match entry {
                Ok(entry) => entry,
                Err(error) => return self.tell(path, &[], &AdvisoryError::from(error)),
            };
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            // Of git, rsync and editors.
            if name.starts_with(b".") {
                continue;
            }
            let path = entry.path();
            self.count(&path)?;
            match AdvisoryFormat::of(name) {
                _ if kind.is_dir() => self.folder(&path, depth + 1)?,
                some if kind.is_symlink() && (some.is_some() || path.is_dir()) => {
                    self.tell(&path, &[], &AdvisoryError::Link)?;
                }
                None => {}
                Some(AdvisoryFormat::Zip) => self.archive(&path, false)?,
                Some(kind) => {
                    let read =
                        files::read_no_link(&path, MAX_ADVISORY).map_err(AdvisoryError::from);
                    self.advisory(&path, &[], kind, read.as_deref())?;
                }
            }
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path, may_be_link: bool) -> Result<(), ReadingEnded> {
        let opened = if may_be_link {
            files::open_regular(path)
        } else {
            files::open_no_link(path)
        };
        let mut ended = Ok(());
        let read = opened.map_err(AdvisoryError::from).and_then(|file| {
            archive::each(file, &mut |name, kind, read| {
                // What swells until it is let go has cost as much as what is whole.
                self.bytes += read.as_ref().map_or(MAX_ADVISORY, |_| 0);
                ended = self
                    .count(path)
                    .and_then(|()| self.advisory(path, name, kind, read.as_ref().copied()));
                ended.as_ref().copied().map_err(|_| AdvisoryError::TooMuch)
            })
        });
        ended?;
        match read {
            Ok(()) => Ok(()),
            Err(broken) => self.tell(path, &[], &broken),
        }
    }

    fn advisory(
        &mut self,
        file: &Path,
        entry: &[u8],
        kind: AdvisoryFormat,
        bytes: Result<&[u8], &AdvisoryError>,
    ) -> Result<(), ReadingEnded> {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(broken) => return self.tell(file, entry, broken),
        };
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BYTES {
            return self.end(file);
        }
        let (kept, size) = (&mut self.kept, &mut self.size);
        let mut found = |found| {
            let one = StoredMatch {
                file: file.to_owned(),
                entry: entry.to_owned(),
                found,
            };
            *size += one.size();
            if kept.len() >= MAX_MATCHES || *size > MAX_SIZE {
                return Err(AdvisoryError::TooMuch);
            }
            kept.push(one);
            Ok(())
        };
        let read = match kind {
            AdvisoryFormat::Osv => osv::read(bytes, self.packages, &mut found),
            // Of other Markdown only the name tells that it should be one.
            AdvisoryFormat::RustSec if !rustsec::is_one(bytes) && !is_rustsec(file, entry) => {
                return Ok(());
            }
            AdvisoryFormat::RustSec => rustsec::read(bytes, self.packages, &mut found),
            AdvisoryFormat::Zip => return Ok(()),
        };
        match read {
            Ok(about) => {
                self.advisories += 1;
                for (index, is) in [about.system, about.crates].into_iter().enumerate() {
                    if is {
                        self.about[index] += 1;
                        let changed = about.changed.filter(|changed| *changed <= self.now);
                        self.newest[index] = self.newest[index].max(changed);
                    }
                }
                Ok(())
            }
            Err(AdvisoryError::TooMuch) => self.end(file),
            Err(broken) => self.tell(file, entry, &broken),
        }
    }

    /// Counts what is looked at.
    fn count(&mut self, path: &Path) -> Result<(), ReadingEnded> {
        self.entries += 1;
        if (self.stop)() {
            return Err(ReadingEnded);
        }
        if self.entries > MAX_ENTRIES {
            return self.end(path);
        }
        Ok(())
    }

    /// Nothing more is read. What was found before still stands.
    fn end(&mut self, path: &Path) -> Result<(), ReadingEnded> {
        self.stands.fill(true);
        self.say(path, &[], &AdvisoryError::TooMuch);
        Err(ReadingEnded)
    }

    /// Something could not be read: a folder, a file, or one in an archive. What it said before still stands.
    fn tell(
        &mut self,
        path: &Path,
        entry: &[u8],
        broken: &AdvisoryError,
    ) -> Result<(), ReadingEnded> {
        if let Some(places) = self.places.get(&(path, entry)) {
            for index in places {
                self.stands[*index] = true;
            }
        }
        if entry.is_empty() {
            for (kept, stands) in self.before.iter().zip(&mut self.stands) {
                *stands |= kept.file.starts_with(path);
            }
        }
        self.say(path, entry, broken);
        if self.broken > MAX_BROKEN {
            return self.end(path);
        }
        Ok(())
    }

    fn say(&mut self, path: &Path, entry: &[u8], broken: &AdvisoryError) {
        self.broken += 1;
        if self.broken > MOST_TOLD {
            return;
        }
        let mut at = path.display().to_string();
        if !entry.is_empty() {
            at = format!("{} in {at}", String::from_utf8_lossy(entry));
        }
        // A name may hold anything.
        let at: String = at
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_TOLD)
            .collect();
        let before = self.problem.take();
        let before = before.map_or_else(String::new, |before| before + "; ");
        self.problem = Some(format!("{before}{at}: {broken}"));
    }

    /// Whether that version of the package is still here.
    fn still_applies(&self, kept: &StoredMatch) -> bool {
        let Match {
            ecosystem,
            package,
            installed,
            ..
        } = &kept.found;
        let here = self.packages.of(ecosystem);
        here.is_some_and(|here| {
            here.versions(package)
                .iter()
                .any(|one| **one == **installed)
        })
    }
}

fn is_rustsec(file: &Path, entry: &[u8]) -> bool {
    let name = match entry.rsplit(|b| *b == b'/').next() {
        Some(name) if !name.is_empty() => name,
        _ => file.file_name().unwrap_or_default().as_encoded_bytes(),
    };
    name.starts_with(b"RUSTSEC-")
}

/// Of all together. What swells that far out of a zip file is none of anybody's.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

const MAX_ENTRIES: usize = 400_000;

/// A Debian that was never updated has some thousand.
const MAX_MATCHES: usize = 10_000;

/// And of all together, in bytes of memory.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// Whoever has that many has something else.
const MAX_BROKEN: usize = 10_000;

/// `advisory-db/crates/name/` has four.
const MAX_DEPTH: usize = 8;

/// Files that are named, of those that could not be read.
const MOST_TOLD: usize = 3;

/// Characters of a path that are shown.
const MAX_TOLD: usize = 300;

#[cfg(test)]
mod tests;

//! A pattern of paths, and the files that it fits just now.
//!
//! `*`, `?` and `[…]` stand within one part of the path, `**` for any number of folders. It is walked here, not by the
//! crate that matches the names: that one has no bounds, and does not say which folders to watch.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::places::{Name, Place, places};

/// The parts of the pattern's path.
#[derive(Debug)]
pub(super) struct FilePattern {
    /// As far as nothing is left open.
    base: PathBuf,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Named(Name),
    /// `**`
    AnyDepth,
}

/// What a pattern fits.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Regular files.
    pub(super) files: Vec<(PathBuf, Metadata)>,
    /// What decides that.
    pub(super) places: Vec<Place>,
    /// The first thing that went wrong.
    pub(super) trouble: Option<String>,
    /// How many entries were looked at.
    entries: usize,
}

impl FilePattern {
    /// Reads an absolute pattern. A part that is no pattern stands for itself.
    pub(super) fn new(pattern: &str) -> Self {
        let mut base = PathBuf::from("/");
        let mut parts = Vec::new();
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let is_open = part.contains(['*', '?', '[']);
            if parts.is_empty() && !is_open {
                base.push(part);
            } else if part == "**" {
                parts.push(Part::AnyDepth);
            } else {
                parts.push(Part::Named(match Pattern::new(part) {
                    Ok(like) if is_open => Name::Like(like),
                    _ => Name::Exactly(part.into()),
                }));
            }
        }
        // `**` alone means folders.
        if matches!(parts.last(), Some(Part::AnyDepth)) {
            parts.push(Part::Named(Name::Any));
        }
        Self { base, parts }
    }

    /// Looks at the folders.
    pub(super) fn find(&self) -> Found {
        let mut found = Found {
            places: places(&self.base, true),
            ..Found::default()
        };
        found.walk(&self.base, &self.parts, 0);
        found
    }
}

impl Found {
    fn walk(&mut self, folder: &Path, parts: &[Part], depth: usize) {
        let Some((part, rest)) = parts.split_first() else {
            return;
        };
        match std::fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return self.fail(format!("{}: {error}", folder.display()));
            }
            _ => return,
        }
        let name = match part {
            Part::Named(name) => name,
            Part::AnyDepth => {
                self.walk(folder, rest, depth);
                &Name::Any
            }
        };
        let is_any_depth = matches!(part, Part::AnyDepth);
        if is_any_depth && depth == MAX_DEPTH {
            return;
        }
        if self.places.len() >= MAX_FOLDERS {
            return self.fail(format!("the pattern fits more than {MAX_FOLDERS} folders"));
        }
        self.places.push(Place {
            folder: folder.to_owned(),
            name: Some(name.clone()),
        });
        if let Name::Exactly(name) = name {
            return self.take(&folder.join(name), rest, depth);
        }
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.fail(format!("{}: {error}", folder.display())),
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return self.fail(format!(
                    "the pattern searches more than {MAX_ENTRIES} entries"
                ));
            }
            if !name.matches(&entry.file_name()) {
                continue;
            }
            if !is_any_depth {
                self.take(&entry.path(), rest, depth);
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_hidden(&entry) {
                // Links are not followed here: they may lead round in a circle.
                self.walk(&entry.path(), parts, depth + 1);
            }
        }
    }

    /// A path that fits so far: a file, or a folder in which the rest of the pattern is looked for.
    fn take(&mut self, path: &Path, rest: &[Part], depth: usize) {
        let is_packed = |extension| PACKED.iter().any(|packed| extension == *packed);
        if rest.is_empty() && path.extension().is_some_and(is_packed) {
            return;
        }
        if path.is_symlink() && self.places.len() < MAX_FOLDERS {
            self.places.extend(places(path, !rest.is_empty()));
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => self.walk(path, rest, depth),
            Ok(found) if found.is_file() && rest.is_empty() => {
                self.files.push((path.to_owned(), found));
            }
            _ => {}
        }
    }

    fn fail(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// What rotation makes of old files: there is no line to be read in them.
const PACKED: [&str; 4] = ["gz", "xz", "zst", "bz2"];

/// How deep `**` goes.
const MAX_DEPTH: usize = 8;

/// Each folder is watched, and the kernel's memory pays for it.
const MAX_FOLDERS: usize = 128;

/// A pattern is walked again whenever something that it fits comes or goes.
const MAX_ENTRIES: usize = 20_000;

#[cfg(test)]
mod tests;

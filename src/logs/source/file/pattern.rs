//! A pattern of paths, and the files that it fits just now.
//!
//! `*`, `?` and `[…]` stand within one part of the path, `**` for any number of folders. It is walked here, not by the
//! crate that matches the names: that one has no bounds, and does not say which folders to watch.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::watched::{WatchedFolder, WatchedName, watched};

/// The parts of the pattern's path.
#[derive(Debug)]
pub(super) struct FilePattern {
    /// As far as nothing is left open.
    base: PathBuf,
    parts: Vec<PatternPart>,
}

#[derive(Debug)]
enum PatternPart {
    Named(WatchedName),
    /// `**`
    AnyDepth,
}

/// What a pattern fits.
#[derive(Debug, Default)]
pub(super) struct PatternMatches {
    /// Regular files.
    pub(super) files: Vec<(PathBuf, Metadata)>,
    /// What decides that.
    pub(super) watched: Vec<WatchedFolder>,
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
                parts.push(PatternPart::AnyDepth);
            } else {
                parts.push(PatternPart::Named(match Pattern::new(part) {
                    Ok(like) if is_open => WatchedName::Like(like),
                    _ => WatchedName::Exactly(part.into()),
                }));
            }
        }
        // `**` alone means folders.
        if matches!(parts.last(), Some(PatternPart::AnyDepth)) {
            parts.push(PatternPart::Named(WatchedName::Any));
        }
        Self { base, parts }
    }

    /// Looks at the folders.
    pub(super) fn find(&self) -> PatternMatches {
        let mut found = PatternMatches {
            watched: watched(&self.base, true),
            ..PatternMatches::default()
        };
        found.walk(&self.base, &self.parts, 0);
        found
    }
}

impl PatternMatches {
    fn walk(&mut self, folder: &Path, parts: &[PatternPart], depth: usize) {
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
            PatternPart::Named(name) => name,
            PatternPart::AnyDepth => {
                self.walk(folder, rest, depth);
                &WatchedName::Any
            }
        };
        let is_any_depth = matches!(part, PatternPart::AnyDepth);
        if is_any_depth && depth == MAX_DEPTH {
            return;
        }
        if self.watched.len() >= MAX_FOLDERS {
            return self.fail(format!("the pattern fits more than {MAX_FOLDERS} folders"));
        }
        self.watched.push(WatchedFolder {
            folder: folder.to_owned(),
            name: Some(name.clone()),
        });
        if let WatchedName::Exactly(name) = name {
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
    fn take(&mut self, path: &Path, rest: &[PatternPart], depth: usize) {
        let is_compressed = |extension| {
            COMPRESSED_EXTENSIONS
                .iter()
                .any(|packed| extension == *packed)
        };
        if rest.is_empty() && path.extension().is_some_and(is_compressed) {
            return;
        }
        if path.is_symlink() && self.watched.len() < MAX_FOLDERS {
            self.watched.extend(watched(path, !rest.is_empty()));
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
const COMPRESSED_EXTENSIONS: [&str; 4] = ["gz", "xz", "zst", "bz2"];

/// How deep `**` goes.
const MAX_DEPTH: usize = 8;

/// Each folder is watched, and the kernel's memory pays for it.
const MAX_FOLDERS: usize = 128;

/// A pattern is walked again whenever something that it fits comes or goes.
const MAX_ENTRIES: usize = 20_000;

#[cfg(test)]
mod tests;

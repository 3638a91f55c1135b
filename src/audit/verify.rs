//! Whether the chain is whole: each entry's `prev` is the hash of the line before it, from the oldest file to the newest.
//!
//! What that shows: a line that was changed, taken out, put in, moved or doubled, anywhere but at the two ends. What it
//! can not: that lines at the end are gone, or that whoever may write here wrote all of it anew. At the oldest end there is
//! always something missing that was rotated away.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ring::digest;

use super::folder::{FILES, NAME, open, path};
use super::line::{ChainLink, MAX_LINE, NONE_BEFORE, hex};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainReport {
    /// How many files there are.
    pub files: usize,
    /// Lines that are entries.
    pub entries: u64,
    /// The oldest entry's number. Above 1, the earlier ones were rotated away, or taken.
    pub first: Option<u64>,
    /// The newest entry's number.
    pub last: Option<u64>,
    /// The newest line's hash: as long as that line is not rotated away it must stand in the log as a `prev`, or be the
    /// newest.
    pub head: Option<String>,
    /// Entries of files that are gone, kept because they are rare. They have a chain of their own.
    pub kept: u64,
    /// Bytes at the newest file's end that are no whole line.
    pub torn: u64,
    /// What is wrong, the oldest first; of many, the first [`MOST_SHOWN`].
    pub problems: Vec<ChainProblem>,
    /// How many there are in all.
    pub problem_count: u64,
}

/// A place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainProblem {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

impl ChainReport {
    /// Whether nothing is wrong that can be seen.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.problem_count == 0
    }
}

/// Reads all files in a folder; needs no more than a few kilobytes of memory for it.
///
/// # Errors
/// The file system's; [`ErrorKind::NotFound`] if there is none.
pub fn verify(folder: &Path) -> io::Result<ChainReport> {
    let files = all(folder)?;
    if files.iter().all(|(number, _)| *number == FILES) {
        let none = format!("there is no {NAME}");
        return Err(io::Error::new(ErrorKind::NotFound, none));
    }
    let mut walk = Walk::default();
    for (number, file) in files.into_iter().rev() {
        walk.file(number, file)?;
        if number == FILES {
            // Another chain than that of the log.
            let report = ChainReport {
                kept: walk.report.entries,
                problems: walk.report.problems,
                problem_count: walk.report.problem_count,
                ..ChainReport::default()
            };
            walk = Walk {
                report,
                ..Walk::default()
            };
        }
    }
    walk.report.head = walk.before;
    Ok(walk.report)
}

/// All files, opened, the newest first. A server that is running may rotate them meanwhile: they are looked at again then.
fn all(folder: &Path) -> io::Result<Vec<(usize, File)>> {
    let mut last = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut files = Vec::new();
        for number in 0..=FILES {
            match open(&path(folder, number)) {
                Ok((file, _)) => files.push((number, file)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let path = path(folder, number);
                    let message = format!("{}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), message));
                }
            }
        }
        let mut same = true;
        for (number, file) in &files {
            let named = std::fs::metadata(path(folder, *number));
            let ino = file.metadata()?.ino();
            same &= named.is_ok_and(|named| named.ino() == ino);
        }
        last = files;
        if same {
            break;
        }
    }
    Ok(last)
}

/// Where the walk along the lines is.
#[derive(Default)]
struct Walk {
    report: ChainReport,
    /// The hash of the line before; nothing at the beginning.
    before: Option<String>,
    /// The number that the next line should have.
    expected: Option<u64>,
    place: (usize, u64),
}

impl Walk {
    fn file(&mut self, number: usize, mut file: File) -> io::Result<()> {
        self.report.files += 1;
        self.place = (number, 0);
        let mut block = [0; 4096];
        let mut line = HashedLine::default();
        loop {
            let count = match file.read(&mut block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            };
            let mut rest = &block[..count];
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                line.add(&rest[..end]);
                rest = &rest[end + 1..];
                self.line(std::mem::take(&mut line));
            }
            if count == 0 {
                break;
            }
            line.add(rest);
        }
        if line.length > 0 {
            if number == 0 {
                self.report.torn = line.length;
            } else {
                self.place.1 += 1;
                self.problem("the file ends in the middle of a line".to_owned());
            }
        }
        Ok(())
    }

    fn line(&mut self, line: HashedLine) {
        self.place.1 += 1;
        let hash = hex(line.context.finish().as_ref());
        let before = self.before.replace(hash);
        let Some(ChainLink { seq, prev }) = ChainLink::of(&line.begin) else {
            // The server gives it the number that it would have had.
            self.expected = self.expected.map(|expected| expected.saturating_add(1));
            self.problem("this line is no entry".to_owned());
            return;
        };
        let expected = self.expected.replace(seq.saturating_add(1));
        self.report.entries += 1;
        self.report.first.get_or_insert(seq);
        self.report.last = Some(seq);
        let fits = before.as_deref().is_none_or(|before| before == prev);
        // What is kept has gaps, and a beginning that is none of the log's.
        let kept = self.place.0 == FILES;
        let what = match expected {
            _ if kept && prev == NONE_BEFORE && before.is_none() => return,
            Some(expected) if kept && seq > expected && fits => return,
            _ if prev == NONE_BEFORE && (seq != 1 || before.is_some()) => {
                format!("a new chain begins with entry {seq}: what was before could not be read")
            }
            None if seq == 1 && before.is_none() && prev != NONE_BEFORE => {
                "entry 1 should be the first of all, and names one before it".to_owned()
            }
            Some(expected) if seq > expected => {
                format!("entry {seq} follows where {expected} should stand: entries are missing")
            }
            Some(expected) if seq < expected => {
                format!("entry {seq} stands where {expected} should: it was moved or doubled")
            }
            _ if !fits => {
                format!(
                    "entry {seq} does not fit the line before it: that was changed, or this one"
                )
            }
            _ => return,
        };
        self.problem(what);
    }

    fn problem(&mut self, what: String) {
        self.report.problem_count += 1;
        if self.report.problems.len() < MOST_SHOWN {
            let (number, line) = self.place;
            let file = match number {
                0 => NAME.to_owned(),
                FILES => format!("{NAME}.kept"),
                _ => format!("{NAME}.{number}"),
            };
            self.report.problems.push(ChainProblem { file, line, what });
        }
    }
}

/// A line as far as it was read. Of a long one only the beginning is kept, and the hash goes on.
struct HashedLine {
    begin: Vec<u8>,
    length: u64,
    context: digest::Context,
}

impl Default for HashedLine {
    fn default() -> Self {
        Self {
            begin: Vec::new(),
            length: 0,
            context: digest::Context::new(&digest::SHA256),
        }
    }
}

impl HashedLine {
    fn add(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.length += bytes.len() as u64;
        // One more than a line's longest, so that it is known to be too long.
        let room = MAX_LINE + 1 - self.begin.len();
        self.begin
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// As many problems as anybody reads.
pub const MOST_SHOWN: usize = 20;

/// A rotation takes a millisecond, and comes after hundreds of entries.
const ATTEMPTS: usize = 5;

#[cfg(test)]
mod tests;

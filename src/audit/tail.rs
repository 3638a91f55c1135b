//! How a file of the log ends: what the server goes on behind, and what a crash has torn off.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::open;
use super::line::{ChainLink, MAX_LINE, hash};

/// What a file ends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileTail {
    /// There is no such file, or no whole line in it: of so many bytes that were cut off in the middle.
    Nothing(u64),
    /// Entries.
    Entries {
        /// The last line's number. A line that is no entry has the one behind its predecessor's.
        seq: u64,
        /// The last line's hash.
        hash: String,
        /// Bytes up to the last line's end.
        len: u64,
        /// Bytes behind that.
        torn: u64,
        /// How many lines at the end are no entries.
        damaged: u64,
    },
    /// It is not one of ours, or nothing of it can be made out.
    Foreign,
}

/// How a file ends.
///
/// # Errors
/// The file system's. What is not one of ours is no error.
pub fn tail(path: &Path) -> io::Result<FileTail> {
    let (mut file, len) = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(FileTail::Nothing(0)),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(FileTail::Foreign),
        other => other?,
    };
    let begin = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(len - begin).read_to_end(&mut bytes)?;
    // Perhaps not a line's beginning.
    let first = match begin {
        0 => 0,
        _ => bytes
            .iter()
            .position(|b| *b == b'\n')
            .map_or(bytes.len(), |at| at + 1),
    };
    Ok(tail_of(
        bytes.get(first..).unwrap_or_default(),
        begin + first as u64,
    ))
}

/// `bytes` stand at the file's end, behind `begin` others.
fn tail_of(bytes: &[u8], begin: u64) -> FileTail {
    let end = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let (whole, rest) = bytes.split_at(end);
    let torn = rest.len() as u64;
    if torn > MAX_BATCH {
        return FileTail::Foreign;
    }
    let Some(whole) = whole.strip_suffix(b"\n") else {
        // All that there is was broken off, or is something else.
        let begin_of_ours = rest.iter().zip(b"{\"seq\":").all(|(a, b)| a == b);
        let ours = begin_of_ours || rest.iter().all(|b| *b == 0);
        return match begin {
            0 if ours => FileTail::Nothing(torn),
            _ => FileTail::Foreign,
        };
    };
    let mut lines = whole.rsplit(|b| *b == b'\n').enumerate();
    let last = lines.clone().next().map_or(&[][..], |(_, last)| last);
    let newest = lines.find_map(|(damaged, line)| Some((damaged as u64, ChainLink::of(line)?)));
    if let Some((damaged, ChainLink { seq, .. })) = newest {
        return FileTail::Entries {
            seq: seq.saturating_add(damaged),
            hash: hash(last),
            len: begin + end as u64,
            torn,
            damaged,
        };
    }
    FileTail::Foreign
}

/// Bytes that are appended at once at most, and so torn at most.
pub const MAX_BATCH: u64 = 64 * 1024;

/// How much of a file's end is looked at for its last entry: what may be torn, and some lines before it.
const TAIL: u64 = MAX_BATCH + 16 * MAX_LINE as u64;

#[cfg(test)]
mod tests;

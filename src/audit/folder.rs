//! Which files the log has in its folder, and how one of them is opened to be read.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::files;

/// Where a file of the log is: the growing one is number 0, and behind the oldest one stands what is kept of those
/// before it.
pub fn path(folder: &Path, number: usize) -> PathBuf {
    match number {
        0 => folder.join(NAME),
        FILES => folder.join(format!("{NAME}.kept")),
        _ => folder.join(format!("{NAME}.{number}")),
    }
}

/// Opens a file of the log for reading, if it is a regular one of a possible size; and its length.
///
/// # Errors
/// The file system's; [`ErrorKind::InvalidData`] for anything else.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = match files::open_no_link(path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(not_ours()),
        other => other?,
    };
    let metadata = file.metadata()?;
    if metadata.len() > MAX_FILE {
        return Err(not_ours());
    }
    Ok((file, metadata.len()))
}

fn not_ours() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "this is not an audit log")
}

/// The growing file's name; the older ones have a number behind it.
pub const NAME: &str = "audit.log";

/// How many files there are, the growing one included: what is thrown away at a time is a quarter.
pub const FILES: usize = 4;

/// What no file of ours exceeds: a quarter of the largest `AUDIT_LOG_BYTES`.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

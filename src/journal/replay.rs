//! Bytes of a journal to its records: a pure function that no input can make panic, and that never drops a record
//! that is whole.
//!
//! What is not a valid frame is one of two things. If valid frames follow it, it is *damage*: the reader skips byte by
//! byte to the next one. If none follows, it is a *torn tail*, the rest of a batch that was never answered, and is cut.
//! A batch torn so that a later block is whole and an earlier one is not looks like damage. It is taken for that: the
//! louder of the two, and the one that throws nothing away.

use super::format::{
    FRAMES_START, Frame, HEADER_LEN, MAGIC, Record, Salt, VERSION, headers, parse_header,
};
use crate::clock::Timestamp;

/// What was found besides the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the file's checksums begin with; `None` if not even one header is whole, and hence nothing was read.
    pub salt: Option<Salt>,
    /// Bytes up to the end of the last valid frame.
    pub valid_len: usize,
    /// Bytes of the torn tail, after `valid_len`.
    pub cut_bytes: usize,
    /// Bytes before `valid_len` that no valid frame or header covers.
    pub damaged_bytes: usize,
    /// Records given out.
    pub records: u64,
    /// Valid frames of a newer version's making.
    pub unknown_records: u64,
    /// These frames, back to back, under this file's salt.
    pub unknown: Vec<u8>,
    /// The latest time that any record says had been reached.
    pub newest_mark: Option<Timestamp>,
}

/// Why a journal that is there cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Without the header's salt no record can be checked.
    #[error("both copies of its header are damaged, so no record in it can be checked")]
    Header,
    /// A newer postern wrote it and says that an older one must not touch it.
    #[error("it is of version {found} and this postern knows versions up to {VERSION}")]
    Version {
        /// The version in its header.
        found: u16,
    },
}

/// Gives every record in `bytes` to `sink`, oldest first.
///
/// A file that was cut within its header holds no record and is read as one, all of it damaged.
///
/// # Errors
/// [`Unreadable`]: nothing was given to `sink`, and nothing may be written over the file.
pub fn replay(bytes: &[u8], sink: &mut dyn FnMut(Record)) -> Result<Report, Unreadable> {
    let mut report = Report {
        salt: None,
        valid_len: bytes.len().min(FRAMES_START),
        cut_bytes: 0,
        damaged_bytes: 0,
        records: 0,
        unknown_records: 0,
        unknown: Vec::new(),
        newest_mark: None,
    };
    let first = parse_header(bytes);
    let second = bytes.get(HEADER_LEN..).and_then(parse_header);
    let Some((version, salt)) = first.or(second) else {
        // Less than one header cannot be told from a cut one further than by the magic.
        let cut_short = bytes.len() < HEADER_LEN && MAGIC.iter().zip(bytes).all(|(a, b)| a == b);
        if !cut_short {
            return Err(Unreadable::Header);
        }
        report.damaged_bytes = bytes.len();
        return Ok(report);
    };
    if version > VERSION {
        return Err(Unreadable::Version { found: version });
    }
    report.salt = Some(salt);
    // What a whole header looks like is known: whatever differs from it is damage.
    let header = headers(salt);
    report.damaged_bytes = bytes.len().abs_diff(FRAMES_START).min(HEADER_LEN)
        * usize::from(bytes.len() < FRAMES_START)
        + header.iter().zip(bytes).filter(|(a, b)| a != b).count();

    let mut at = FRAMES_START;
    while at < bytes.len() {
        let Some((skipped, frame)) = next_frame(&bytes[at..], salt) else {
            report.cut_bytes = bytes.len() - at;
            break;
        };
        report.damaged_bytes += skipped;
        at += skipped + frame.len();
        report.valid_len = at;
        if let Some(record) = frame.record() {
            report.records += 1;
            report.newest_mark = report.newest_mark.max(record.mark());
            sink(record);
        } else {
            report.unknown_records += 1;
            frame.write(salt, &mut report.unknown);
        }
    }
    Ok(report)
}

/// The next valid frame in `bytes`, and how many bytes lie before it.
pub(super) fn next_frame(bytes: &[u8], salt: Salt) -> Option<(usize, Frame<'_>)> {
    (0..bytes.len()).find_map(|at| Some((at, Frame::parse(&bytes[at..], salt)?)))
}

//! Bytes of a journal to its records: a pure function that no input can make panic, and that never drops a record
//! that is whole.
//!
//! What is not a valid frame is one of two things. A *torn tail* is the rest of a batch that was broken off and, as far
//! as can be told, never answered: none follows it, and it looks as such a rest does (`tail`). It is cut. All else is
//! *damage*: the reader skips byte by byte to the next valid frame, or to the end. A batch torn so that a later block
//! is whole and an earlier one is not looks like damage. It is taken for that: the louder of the two, and the one that
//! throws nothing away.

use super::format::{
    FRAMES_START, Frame, HEADER_LEN, MAGIC, Record, Salt, VERSION, headers, parse_header,
};
use super::tail::looks_torn;
use crate::clock::Timestamp;

/// What was found besides the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayReport {
    /// What the file's checksums begin with; `None` if not even one header is whole, and hence nothing was read.
    pub salt: Option<Salt>,
    /// Bytes up to the torn tail, or all of them.
    pub valid_len: usize,
    /// Bytes of the torn tail, after `valid_len`.
    pub cut_bytes: usize,
    /// Bytes before that which no valid frame or header covers.
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

impl ReplayReport {
    /// Whether more than a torn tail is wrong. A journal is only ever put in place with a record in it, so that one
    /// without any has lost some.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged_bytes > 0 || self.records + self.unknown_records == 0
    }
}

/// Why a journal that is there cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Without the header's salt no record can be checked.
    #[error("both copies of its header are damaged, and no record can be read without one")]
    Header,
    /// Another postern wrote it and says that this one must not touch it.
    #[error("it has version {found}, and this postern knows only version {VERSION}")]
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
pub fn replay(bytes: &[u8], sink: &mut dyn FnMut(Record)) -> Result<ReplayReport, Unreadable> {
    let header = Header::read(bytes)?;
    let mut report = ReplayReport {
        salt: header.salt,
        valid_len: bytes.len().min(header.len),
        cut_bytes: 0,
        damaged_bytes: header.damaged_bytes,
        records: 0,
        unknown_records: 0,
        unknown: Vec::new(),
        newest_mark: None,
    };
    let Some(salt) = header.salt else {
        return Ok(report);
    };
    for piece in Pieces::new(bytes, header.len, salt) {
        match piece {
            Piece::Frame { at, frame } => {
                report.valid_len = at + frame.len();
                if let Some(record) = frame.record() {
                    report.records += 1;
                    report.newest_mark = record.newest_mark(report.newest_mark);
                    sink(record);
                } else {
                    report.unknown_records += 1;
                    frame.write(salt, &mut report.unknown);
                }
            }
            Piece::Torn { len, .. } => report.cut_bytes = len,
            Piece::Gap { at, len } => {
                report.valid_len = at + len;
                report.damaged_bytes += len;
            }
        }
    }
    Ok(report)
}

/// What the beginning of a file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `None` if the file was cut before there was one.
    pub salt: Option<Salt>,
    /// Where the frames begin.
    pub len: usize,
    /// Bytes of it that are missing or not as they were written.
    pub damaged_bytes: usize,
}

impl Header {
    /// Reads whichever copy is whole.
    ///
    /// # Errors
    /// [`Unreadable`], if neither is, or a newer postern wrote them.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let first = parse_header(bytes);
        let second = bytes.get(HEADER_LEN..).and_then(parse_header);
        let Some((version, salt)) = first.or(second) else {
            // Less than one header cannot be told from a cut one further than by the magic.
            let cut_short =
                bytes.len() < HEADER_LEN && MAGIC.iter().zip(bytes).all(|(a, b)| a == b);
            return if cut_short {
                Ok(Self {
                    salt: None,
                    len: bytes.len(),
                    damaged_bytes: bytes.len(),
                })
            } else {
                Err(Unreadable::Header)
            };
        };
        if version != VERSION {
            return Err(Unreadable::Version { found: version });
        }
        // Where a copy is missing, not only damaged, the frames have moved up into its place.
        let moved_up = second.is_none()
            && next_frame(&bytes[HEADER_LEN..], salt).is_some_and(|(at, _)| at < HEADER_LEN);
        if moved_up {
            return Ok(Self {
                salt: Some(salt),
                len: HEADER_LEN,
                damaged_bytes: HEADER_LEN,
            });
        }
        // What both copies must look like is known: what differs or is missing is damage.
        let whole = headers(salt);
        let differing = whole.iter().zip(bytes).filter(|(a, b)| a != b).count();
        Ok(Self {
            salt: Some(salt),
            len: FRAMES_START,
            damaged_bytes: differing + FRAMES_START.saturating_sub(bytes.len()),
        })
    }
}

/// A part of a file behind its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A valid frame.
    Frame {
        /// Where it begins in the file: behind the piece before it, or within that if a frame that lost its last bytes
        /// looks whole with the first bytes of this one.
        at: usize,
        /// The frame.
        frame: Frame<'a>,
    },
    /// Bytes that are none, up to the next one or the end of the file: damage.
    Gap {
        /// Where they begin in the file.
        at: usize,
        /// How many.
        len: usize,
    },
    /// Bytes up to the end of the file that are the rest of a write which was broken off.
    Torn {
        /// Where they begin in the file.
        at: usize,
        /// How many.
        len: usize,
    },
}

/// A file's frames and gaps, in order. Together they are all of it, from where the frames begin.
pub struct Pieces<'a> {
    bytes: &'a [u8],
    at: usize,
    salt: Salt,
    /// A frame that was found behind a gap.
    found: Option<Frame<'a>>,
    /// Where the frame before `at` begins.
    before: Option<usize>,
}

impl<'a> Pieces<'a> {
    /// Of a file whose frames begin at `start`, under `salt`.
    #[must_use]
    pub fn new(bytes: &'a [u8], start: usize, salt: Salt) -> Self {
        Self {
            bytes,
            at: start,
            salt,
            found: None,
            before: None,
        }
    }

    /// A frame that begins within the one before, and ends behind it.
    fn overlapping(&self) -> Option<(usize, Frame<'a>)> {
        (self.before? + 1..self.at).find_map(|at| {
            let frame = Frame::parse(self.bytes.get(at..)?, self.salt)?;
            (at + frame.len() > self.at).then_some((at, frame))
        })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let (skipped, frame) = match self.found.take() {
            Some(frame) => (0, Some(frame)),
            None => match next_frame(rest, self.salt) {
                Some((skipped, frame)) => (skipped, Some(frame)),
                None => (rest.len(), None),
            },
        };
        let next = match frame {
            Some(frame) if skipped == 0 => Some((at, frame)),
            _ => self.overlapping(),
        };
        if let Some((at, frame)) = next {
            self.before = Some(at);
            self.at = at + frame.len();
            return Some(Piece::Frame { at, frame });
        }
        self.before = None;
        self.found = frame;
        self.at += skipped;
        let len = skipped;
        if frame.is_none() && looks_torn(self.bytes, at, self.salt) {
            return Some(Piece::Torn { at, len });
        }
        Some(Piece::Gap { at, len })
    }
}

/// The next valid frame in `bytes`, and how many bytes lie before it.
pub(super) fn next_frame(bytes: &[u8], salt: Salt) -> Option<(usize, Frame<'_>)> {
    (0..bytes.len()).find_map(|at| Some((at, Frame::parse(&bytes[at..], salt)?)))
}

#[cfg(test)]
mod tests;

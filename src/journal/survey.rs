//! Reads a journal's file for the commands, without owning and without changing it.
//!
//! The server may be running meanwhile. Its rewrites give the name to another file, and what it appends is either there
//! or looks like a torn tail.

use std::io;
use std::path::Path;

use super::format::{MAX_FILE, PasswordOrigin, Record};
use super::replay::{Header, Piece, Pieces, Unreadable};
use crate::clock::Timestamp;
use crate::files;

/// What a file holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its bytes.
    pub bytes: usize,
    /// Whether one copy of its header is not as it was written.
    pub damaged_header: bool,
    /// Whole records, those of a newer version among them.
    pub records: u64,
    /// Those of a newer version.
    pub unknown_records: u64,
    /// Where damage begins, and how many bytes it takes: the first [`SHOWN_GAPS`] places behind the header.
    pub gaps: Vec<(usize, usize)>,
    /// All the places behind the header.
    pub gap_count: usize,
    /// Bytes of the header and between records that are damaged.
    pub damaged_bytes: usize,
    /// Bytes of a torn tail.
    pub torn_bytes: usize,
    /// The latest time that any record says had been reached.
    pub newest_mark: Option<Timestamp>,
    /// The password that counts: its generation, whose choice it was, and when.
    pub password: Option<(u32, PasswordOrigin, Timestamp)>,
}

impl Survey {
    /// Whether more than a torn tail is wrong. A journal is only ever put in place with a record in it, so that one
    /// without any has lost some.
    #[must_use]
    pub fn damaged(&self) -> bool {
        self.damaged_bytes > 0 || self.records == 0
    }

    /// Whether nothing is wrong with it. One without a password has been cut short: every journal gets one right after
    /// it is made, before anybody can log in.
    #[must_use]
    pub fn whole(&self) -> bool {
        !self.damaged() && self.password.is_some()
    }
}

/// Reads a journal's file, of [`MAX_FILE`] bytes at most.
///
/// # Errors
/// As for any file: [`io::ErrorKind::InvalidData`] for something that is no regular one, and
/// [`io::ErrorKind::FileTooLarge`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    files::read_no_link(path, MAX_FILE as u64)
}

/// Looks through a file. Every record, every gap and a torn tail go to `sink`, in the order in which they lie.
///
/// # Errors
/// [`Unreadable`]: its header is lost, or a newer version wrote it. Nothing was given to `sink`.
pub fn survey(bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) -> Result<Survey, Unreadable> {
    let header = Header::read(bytes)?;
    let mut survey = Survey {
        bytes: bytes.len(),
        damaged_header: header.damaged_bytes > 0,
        records: 0,
        unknown_records: 0,
        gaps: Vec::new(),
        gap_count: 0,
        damaged_bytes: header.damaged_bytes,
        torn_bytes: 0,
        newest_mark: None,
        password: None,
    };
    let Some(salt) = header.salt else {
        return Ok(survey);
    };
    for piece in Pieces::new(bytes, header.len, salt) {
        match piece {
            Piece::Torn { len, .. } => survey.torn_bytes = len,
            Piece::Gap { at, len } => {
                survey.damaged_bytes += len;
                survey.gap_count += 1;
                if survey.gaps.len() < SHOWN_GAPS {
                    survey.gaps.push((at, len));
                }
            }
            Piece::Frame { frame, .. } => {
                survey.records += 1;
                match frame.record() {
                    None => survey.unknown_records += 1,
                    Some(record) => survey.note(&record),
                }
            }
        }
        sink(piece);
    }
    Ok(survey)
}

impl Survey {
    fn note(&mut self, record: &Record) {
        self.newest_mark = record.newest_mark(self.newest_mark);
        if let Record::Password {
            generation,
            origin,
            at,
            ..
        } = record
            && self
                .password
                .is_none_or(|(newest, ..)| newest <= *generation)
        {
            self.password = Some((*generation, *origin, *at));
        }
    }
}

/// The journal's name in the state folder.
pub const FILE_NAME: &str = "journal";

/// Places of damage that are told one by one: a screenful.
pub const SHOWN_GAPS: usize = 16;

//! How the journal lies on disk: the drawing first, then the code that follows it, field by field.
//!
//! A journal is one file, only ever appended to or replaced whole. It begins with a header, written twice, so that a
//! flipped bit in one copy does not lose the salt without which no record can be checked. Frames follow it, one a
//! record, back to back, with no padding and no alignment. All numbers are little-endian.
//!
//! ```text
//!  0                    20                   40          40+n
//! +--------------------+--------------------+-----------+-----------+-- - - -
//! |       header       | the same header    |  frame    |  frame    |  ...
//! +--------------------+--------------------+-----------+-----------+-- - - -
//!
//!  header, 20 bytes
//!  0               8         10         12              16            20
//! +---------------+---------+----------+---------------+-------------+
//! | magic         | version | reserved | salt          | checksum    |
//! | "posternJ"    | u16 = 1 | u16 = 0  | u32, not 0    | CRC-32 0..16|
//! +---------------+---------+----------+---------------+-------------+
//!
//!  frame, 7 + n bytes
//!  0        1        2        3                 3+n           7+n
//! +--------+--------+--------+-----------------+-------------+
//! | marker | type   | length | payload         | checksum    |
//! | 0xA7   | u8     | u8 = n | n bytes         | CRC-32 0..3+n, begun at the salt
//! +--------+--------+--------+-----------------+-------------+
//!
//!  payloads, by type                                                               bytes
//!  1 TokenRevoked    id[16]  expires:u40                                              21
//!  2 RefreshUsed     id[16]  used:u40  expires:u40                                    26
//!  3 FamilyRevoked   family[16]  expires:u40                                          21
//!  4 Password        generation:u32  origin:u8 (0 initial, 1 changed)  at:u40
//!                    spared:u8 (0 or 1)  [ id[16]  expires:u40 ]  hash, to the end    11 + 21 + 60
//!  5 LockOut         until:u40  client                                                5 + 4 to 32
//!  6 LockOutCleared  client                                                           4 to 32
//!  7 Mark            at:u40                                                           5
//!  8 Lifetime        seconds:u40                                                      5
//!  9 Proven          until:u40  n:u8  client[n]  account, to the end                  6 + 4 to 32 + 1 to 64
//! 10 SessionsEnded   generation:u32  before:u40                                       9
//!
//!  client: its length tells which                                                  bytes
//!                    an IPv4 address                                                    4
//!                    the first 64 bits of an IPv6 address: a network                    8
//!                    an IPv6 address                                                    16
//!                    the network of link-local addresses[8]  interface[16]              24
//!                    a link-local address[16]  interface[16]                            32
//! ```
//!
//! - Times are whole seconds since the Unix epoch in 40 bits; [`Record::in_whole_seconds`] says which way each is
//!   rounded. An interface is its name and zeros behind it.
//! - The first posterns counted an IPv6 address by its /64, and wrote a lock-out of it as of a network. It still means all
//!   of that /64, except whoever has been proven since. Of a link-local network they named no interface: such a one locks out
//!   nobody any more.
//! - The salt is drawn anew for every file. The CRC of given bytes is a different one for every starting value, so a
//!   frame left over from an older file in a reused block never verifies in this one. A checksum is no signature: it
//!   finds damage, not forgery. Who can write `STATE_DIR` owns the device anyway.
//! - The marker is what a reader looks for to find its feet again after damage; a frame that starts there still has
//!   to verify. It is neither 0x00 nor 0xFF, which is what lost blocks of a card read as.
//! - A frame does not depend on where it lies, so that what follows a hole of any size can still be read.
//! - A valid frame of an unknown type, or of a known type with a payload of an unknown shape, was written by a newer
//!   postern. It is not understood, but carried along verbatim into every rewritten file: a downgrade must not destroy.
//!   A change that an older postern must not touch raises the version instead.
//!
//! - A `Password` is written twice, with one sync: the one frame says which password works and that every token before it is
//!   dead, so that a lost bit or sector must not cost both. In a rewritten file one copy is at the head and one at the end.
//!   So is a `SessionsEnded`, which stands for many logouts. A postern that does not know it carries it along; the logouts
//!   that it replaced are undone for as long as that one runs.
//!
//! A logout is one `FamilyRevoked`: 28 bytes.

mod payload;

use std::fmt;

pub use super::record::{MAX_NAME, PasswordOrigin, Record};
pub(super) use payload::is_payload_len;
#[cfg(test)]
pub(super) use payload::samples;
use payload::{payload_len, take};

/// The first bytes of a journal.
pub const MAGIC: [u8; 8] = *b"posternJ";

/// The version of the format that this code writes, and the newest it reads.
pub const VERSION: u16 = 1;

/// Bytes of one copy of the header.
pub const HEADER_LEN: usize = 20;

/// Where the frames begin: after both copies.
pub const FRAMES_START: usize = 2 * HEADER_LEN;

/// The first byte of a frame.
pub const MARKER: u8 = 0xA7;

/// Bytes of a frame besides its payload.
pub const FRAME_OVERHEAD: usize = FRAME_HEAD_LEN + CHECKSUM_LEN;

/// What a `u8` can tell. Nothing is ever allocated by a length that was read: payloads are borrowed from the file.
pub const MAX_PAYLOAD: usize = u8::MAX as usize;

/// The largest file that is read or written, in bytes: two million revocations, thirty times what the tables above
/// hold, and still less memory than the smallest board has.
pub const MAX_FILE: usize = 72 * 1024 * 1024;

const FRAME_HEAD_LEN: usize = 3;
const CHECKSUM_LEN: usize = 4;

/// What the checksums of one file begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt(u32);

impl Salt {
    /// From random bytes. Zero becomes one.
    #[must_use]
    pub fn new(random: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(random).max(1))
    }
}

/// A record that no frame can hold: a password hash that is longer than bcrypt makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record does not fit into a frame")]
pub struct TooLong;

/// Both copies of the header.
#[must_use]
pub fn headers(salt: Salt) -> [u8; FRAMES_START] {
    let mut copy = [0; HEADER_LEN];
    copy[..8].copy_from_slice(&MAGIC);
    copy[8..10].copy_from_slice(&VERSION.to_le_bytes());
    copy[12..16].copy_from_slice(&salt.0.to_le_bytes());
    let checksum = crc32fast::hash(&copy[..16]);
    copy[16..].copy_from_slice(&checksum.to_le_bytes());

    let mut both = [0; FRAMES_START];
    both[..HEADER_LEN].copy_from_slice(&copy);
    both[HEADER_LEN..].copy_from_slice(&copy);
    both
}

/// The version and salt of one copy of the header, at the start of `bytes`; `None` if it is damaged or cut short.
#[must_use]
pub fn parse_header(bytes: &[u8]) -> Option<(u16, Salt)> {
    let copy = bytes.first_chunk::<HEADER_LEN>()?;
    let (fields, checksum) = copy.split_at(16);
    if fields[..8] != MAGIC || crc32fast::hash(fields).to_le_bytes() != checksum {
        return None;
    }
    let mut fields = &fields[8..];
    let version = u16::from_le_bytes(take(&mut fields)?);
    let _reserved: [u8; 2] = take(&mut fields)?;
    Some((version, Salt(u32::from_le_bytes(take(&mut fields)?))))
}

/// A frame whose checksum is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// Its kind and size: the payload may be the password's hash.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}, {} bytes)", self.kind, self.payload.len())
    }
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, if there is a valid one.
    #[must_use]
    pub fn parse(bytes: &'a [u8], salt: Salt) -> Option<Self> {
        let (checked, checksum) = split_frame(bytes)?;
        (crc(checked, salt).to_le_bytes() == *checksum).then_some(Self {
            kind: checked[1],
            payload: &checked[FRAME_HEAD_LEN..],
        })
    }

    /// The bytes it takes in the file.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no frame is empty")]
    pub fn len(&self) -> usize {
        FRAME_OVERHEAD + self.payload.len()
    }

    /// The bytes that a frame takes with a payload of this many.
    pub(super) const fn len_for(payload: usize) -> usize {
        FRAME_OVERHEAD + payload
    }

    /// The record it holds; `None` if it is of a type or shape this version does not know.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        payload::decode(self.kind, self.payload)
    }

    /// Appends the frame to `out`, for the file that `salt` belongs to.
    pub fn write(&self, salt: Salt, out: &mut Vec<u8>) {
        let start = out.len();
        // Frames are only made by `parse`, out of a one-byte length.
        let length = u8::try_from(self.payload.len()).unwrap_or(u8::MAX);
        out.extend_from_slice(&[MARKER, self.kind, length]);
        out.extend_from_slice(&self.payload[..usize::from(length)]);
        finish(out, start, salt);
    }
}

/// Appends the record's frame to `out`, for the file that `salt` belongs to. Times are rounded as
/// [`Record::in_whole_seconds`] says.
///
/// # Errors
/// If the record does not fit; `out` is as it was then.
pub fn encode(record: &Record, salt: Salt, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let record = record.clone().in_whole_seconds();
    let start = out.len();
    // Type and length are filled in once they are known.
    out.extend_from_slice(&[MARKER, 0, 0]);
    let kind = payload::encode(&record, out);
    let Ok(length) = u8::try_from(out.len() - start - FRAME_HEAD_LEN) else {
        out.truncate(start);
        return Err(TooLong);
    };
    out[start + 1] = kind;
    out[start + 2] = length;
    finish(out, start, salt);
    Ok(())
}

/// As [`encode`], as many times as the record is kept.
///
/// # Errors
/// As [`encode`].
pub(super) fn encode_copies(record: &Record, salt: Salt, out: &mut Vec<u8>) -> Result<(), TooLong> {
    (0..copies(record)).try_for_each(|_| encode(record, salt, out))
}

/// How many frames are written of a record.
pub(super) const fn copies(record: &Record) -> usize {
    match record {
        Record::Password { .. } | Record::SessionsEnded { .. } => 2,
        _ => 1,
    }
}

/// The bytes of the record's frame, without the work of making it.
#[must_use]
pub fn frame_len(record: &Record) -> usize {
    FRAME_OVERHEAD + payload_len(record)
}

/// What looks like a frame at the start of `bytes`: what its checksum covers, and the checksum.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8; CHECKSUM_LEN])> {
    let &[MARKER, _, length] = bytes.first_chunk::<FRAME_HEAD_LEN>()? else {
        return None;
    };
    let (checked, rest) = bytes.split_at_checked(FRAME_HEAD_LEN + usize::from(length))?;
    Some((checked, rest.first_chunk()?))
}

/// Adds the checksum to the frame that begins at `start`.
fn finish(out: &mut Vec<u8>, start: usize, salt: Salt) {
    let checksum = crc(&out[start..], salt);
    out.extend_from_slice(&checksum.to_le_bytes());
}

fn crc(bytes: &[u8], salt: Salt) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt.0);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests;

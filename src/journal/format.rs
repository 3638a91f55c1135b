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

use std::fmt;

use std::time::Duration;

pub use super::record::{MAX_NAME, PasswordOrigin, Record};

use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id, Interface};

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

/// Forty bits of seconds.
const TIME_LEN: usize = 5;

/// 128 bits.
const ID_LEN: usize = 16;

const TOKEN_REVOKED: u8 = 1;
const REFRESH_USED: u8 = 2;
const FAMILY_REVOKED: u8 = 3;
const PASSWORD: u8 = 4;
const LOCK_OUT: u8 = 5;
const LOCK_OUT_CLEARED: u8 = 6;
const MARK: u8 = 7;
const LIFETIME: u8 = 8;
const PROVEN: u8 = 9;
const SESSIONS_ENDED: u8 = 10;

/// Counts passwords.
const GENERATION_LEN: usize = 4;

/// An interface's name, as in the kernel's `IFNAMSIZ`.
const INTERFACE_LEN: usize = 16;

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
        let mut rest = self.payload;
        let record = match self.kind {
            TOKEN_REVOKED => Record::TokenRevoked {
                id: take_id(&mut rest)?,
                expires: take_time(&mut rest)?,
            },
            REFRESH_USED => Record::RefreshUsed {
                id: take_id(&mut rest)?,
                used: take_time(&mut rest)?,
                expires: take_time(&mut rest)?,
            },
            FAMILY_REVOKED => Record::FamilyRevoked {
                family: take_id(&mut rest)?,
                expires: take_time(&mut rest)?,
            },
            PASSWORD => Record::Password {
                generation: u32::from_le_bytes(take(&mut rest)?),
                origin: match take(&mut rest)? {
                    [0] => PasswordOrigin::Initial,
                    [1] => PasswordOrigin::Changed,
                    _ => return None,
                },
                at: take_time(&mut rest)?,
                spared: match take(&mut rest)? {
                    [0] => None,
                    [1] => Some((take_id(&mut rest)?, take_time(&mut rest)?)),
                    _ => return None,
                },
                hash: String::from_utf8(std::mem::take(&mut rest).to_vec()).ok()?,
            },
            LOCK_OUT => Record::LockOut {
                until: take_time(&mut rest)?,
                client: take_client(std::mem::take(&mut rest))?,
            },
            LOCK_OUT_CLEARED => Record::LockOutCleared {
                client: take_client(std::mem::take(&mut rest))?,
            },
            MARK => Record::Mark {
                at: take_time(&mut rest)?,
            },
            LIFETIME => Record::Lifetime {
                longest: Duration::from_secs(take_time(&mut rest)?.as_secs()),
            },
            SESSIONS_ENDED => Record::SessionsEnded {
                generation: u32::from_le_bytes(take(&mut rest)?),
                before: take_time(&mut rest)?,
            },
            PROVEN => {
                let until = take_time(&mut rest)?;
                let [length] = take(&mut rest)?;
                let (client, account) = rest.split_at_checked(length.into())?;
                rest = &[];
                Record::Proven {
                    client: take_client(client)?,
                    until,
                    account: take_name(account)?,
                }
            }
            _ => return None,
        };
        rest.is_empty().then_some(record)
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
    let kind = match &record {
        Record::TokenRevoked { id, expires } => {
            out.extend_from_slice(&id.0);
            put_time(out, *expires);
            TOKEN_REVOKED
        }
        Record::RefreshUsed { id, used, expires } => {
            out.extend_from_slice(&id.0);
            put_time(out, *used);
            put_time(out, *expires);
            REFRESH_USED
        }
        Record::FamilyRevoked { family, expires } => {
            out.extend_from_slice(&family.0);
            put_time(out, *expires);
            FAMILY_REVOKED
        }
        Record::Password {
            generation,
            origin,
            at,
            hash,
            spared,
        } => {
            out.extend_from_slice(&generation.to_le_bytes());
            out.push(match origin {
                PasswordOrigin::Initial => 0,
                PasswordOrigin::Changed => 1,
            });
            put_time(out, *at);
            out.push(u8::from(spared.is_some()));
            if let Some((id, expires)) = spared {
                out.extend_from_slice(&id.0);
                put_time(out, *expires);
            }
            out.extend_from_slice(hash.as_bytes());
            PASSWORD
        }
        Record::LockOut { client, until } => {
            put_time(out, *until);
            put_client(out, *client);
            LOCK_OUT
        }
        Record::LockOutCleared { client } => {
            put_client(out, *client);
            LOCK_OUT_CLEARED
        }
        Record::Proven {
            client,
            until,
            account,
        } => {
            put_time(out, *until);
            let length = out.len();
            out.push(0);
            put_client(out, *client);
            out[length] = u8::try_from(out.len() - length - 1).unwrap_or(u8::MAX);
            out.extend_from_slice(account.as_bytes());
            PROVEN
        }
        Record::Mark { at } => {
            put_time(out, *at);
            MARK
        }
        Record::Lifetime { longest } => {
            put_time(out, Timestamp::from_secs(longest.as_secs()));
            LIFETIME
        }
        Record::SessionsEnded { generation, before } => {
            out.extend_from_slice(&generation.to_le_bytes());
            put_time(out, *before);
            SESSIONS_ENDED
        }
    };
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
    let client = |client: &ClientKey| match client {
        ClientKey::V4(address) => address.len(),
        ClientKey::V6(address, on) => address.len() + interface_len(on),
        ClientKey::Network(prefix, on) => prefix.len() + interface_len(on),
    };
    let payload = match record {
        Record::TokenRevoked { .. } | Record::FamilyRevoked { .. } => ID_LEN + TIME_LEN,
        Record::RefreshUsed { .. } => ID_LEN + 2 * TIME_LEN,
        Record::Password { hash, spared, .. } => {
            let spared = spared.map_or(0, |_| ID_LEN + TIME_LEN);
            6 + TIME_LEN + spared + hash.len()
        }
        Record::LockOut { client: whom, .. } => TIME_LEN + client(whom),
        Record::LockOutCleared { client: whom } => client(whom),
        Record::Proven {
            client: whom,
            account,
            ..
        } => TIME_LEN + 1 + client(whom) + account.len(),
        Record::Mark { .. } | Record::Lifetime { .. } => TIME_LEN,
        Record::SessionsEnded { .. } => GENERATION_LEN + TIME_LEN,
    };
    FRAME_OVERHEAD + payload
}

/// Whether a payload of this type can be as long as this, as far as the type is known.
pub(super) fn is_payload_len(kind: u8, length: u8) -> bool {
    match kind {
        // No version has this type.
        0 => false,
        TOKEN_REVOKED | FAMILY_REVOKED => length == 16 + 5,
        REFRESH_USED => length == 16 + 5 + 5,
        // bcrypt's hash, and perhaps a token that was spared.
        PASSWORD => length == 11 + 60 || length == 11 + 21 + 60,
        LOCK_OUT => length.checked_sub(5).is_some_and(is_client_len),
        LOCK_OUT_CLEARED => is_client_len(length),
        // A client and a name.
        PROVEN => length > 5 + 1 + 4 && usize::from(length) <= 5 + 1 + 32 + MAX_NAME,
        MARK | LIFETIME => length == 5,
        SESSIONS_ENDED => length == 4 + 5,
        _ => true,
    }
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

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn take_id(rest: &mut &[u8]) -> Option<Id> {
    take(rest).map(Id)
}

fn take_time(rest: &mut &[u8]) -> Option<Timestamp> {
    let mut seconds = [0; 8];
    seconds[..TIME_LEN].copy_from_slice(&take::<TIME_LEN>(rest)?);
    Some(Timestamp::from_secs(u64::from_le_bytes(seconds)))
}

const fn is_client_len(length: u8) -> bool {
    matches!(length, 4 | 8 | 16 | 24 | 32)
}

/// The client that these bytes are.
fn take_client(bytes: &[u8]) -> Option<ClientKey> {
    let mut rest = bytes;
    let client = match bytes.len() {
        4 => ClientKey::V4(take(&mut rest)?),
        8 | 24 => ClientKey::Network(take(&mut rest)?, take_interface(rest)?),
        16 | 32 => ClientKey::V6(take(&mut rest)?, take_interface(rest)?),
        _ => return None,
    };
    Some(client)
}

/// The interface that these bytes are: none of them is none.
fn take_interface(bytes: &[u8]) -> Option<Interface> {
    if bytes.is_empty() {
        return Some(Interface::NONE);
    }
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (name, padding) = bytes.split_at(end);
    let is_padded = padding.iter().all(|byte| *byte == 0);
    let name = std::str::from_utf8(name).ok().filter(|_| is_padded)?;
    Interface::named(name)
}

/// An account's or key's name.
fn take_name(bytes: &[u8]) -> Option<String> {
    let is_name = !bytes.is_empty() && bytes.len() <= MAX_NAME;
    String::from_utf8(bytes.to_vec()).ok().filter(|_| is_name)
}

fn put_time(payload: &mut Vec<u8>, time: Timestamp) {
    // `in_whole_seconds` has capped it to what these bytes hold.
    payload.extend_from_slice(&time.as_secs().to_le_bytes()[..TIME_LEN]);
}

fn put_client(payload: &mut Vec<u8>, client: ClientKey) {
    match client {
        ClientKey::V4(address) => payload.extend_from_slice(&address),
        ClientKey::V6(address, on) => {
            payload.extend_from_slice(&address);
            put_interface(payload, &on);
        }
        ClientKey::Network(prefix, on) => {
            payload.extend_from_slice(&prefix);
            put_interface(payload, &on);
        }
    }
}

fn interface_len(interface: &Interface) -> usize {
    if *interface == Interface::NONE {
        0
    } else {
        INTERFACE_LEN
    }
}

fn put_interface(payload: &mut Vec<u8>, interface: &Interface) {
    let end = payload.len() + interface_len(interface);
    payload.extend_from_slice(interface.name().as_bytes());
    payload.resize(end, 0);
}

/// One record of each type and shape, for the tests of this floor.
#[cfg(test)]
pub(super) fn samples() -> Vec<Record> {
    let soon = Timestamp::from_secs(1_900_000_000);
    let at = Timestamp::from_secs(1_795_000_000);
    let eth0 = Interface::named("eth0").unwrap();
    let hash = "$2b$12$KIXQ4Vb3nS2m0ptS1kqv5uJ1n0Jxq0m6a0m5p3YbQe0F3n5y9eWbS".to_owned();
    vec![
        Record::TokenRevoked {
            id: Id([1; 16]),
            expires: soon,
        },
        Record::RefreshUsed {
            id: Id([2; 16]),
            used: at,
            expires: soon,
        },
        Record::FamilyRevoked {
            family: Id([0xA7; 16]),
            expires: soon,
        },
        Record::Password {
            generation: 1,
            origin: PasswordOrigin::Initial,
            at,
            hash: hash.clone(),
            spared: None,
        },
        Record::Password {
            generation: u32::MAX,
            origin: PasswordOrigin::Changed,
            at,
            hash,
            spared: Some((Id([4; 16]), soon)),
        },
        Record::LockOut {
            client: ClientKey::V4([192, 0, 2, 1]),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::Network([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2], Interface::NONE),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::V6([0x20; 16], Interface::NONE),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::V6([0xfe; 16], eth0),
            until: soon,
        },
        Record::LockOutCleared {
            client: ClientKey::V4([192, 0, 2, 1]),
        },
        Record::LockOutCleared {
            client: ClientKey::Network([0xfe; 8], eth0),
        },
        Record::Proven {
            client: ClientKey::V6([0x20; 16], Interface::NONE),
            until: soon,
            account: "admin".into(),
        },
        Record::Proven {
            client: ClientKey::V6([0xfe; 16], eth0),
            until: soon,
            account: "a".repeat(MAX_NAME),
        },
        Record::Mark { at },
        Record::Lifetime {
            longest: Duration::from_secs(604_800),
        },
        Record::SessionsEnded {
            generation: 1,
            before: at,
        },
    ]
}

#[cfg(test)]
mod tests;

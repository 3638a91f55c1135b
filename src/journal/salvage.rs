//! What is left to be done where both copies of a journal's header are lost, and with them the salt: to ask the frames.
//!
//! Any frame tells a salt ([`Salt::of_frame`]), what is no frame a random one. So the file's is the one that several
//! agree on. The server never starts from such a guess; it is for the commands, with a person beside them.

use super::format::{Frame, HEADER_LEN, MAGIC, Salt, VERSION, is_known_shape, parse_header};

/// The salt of a file whose header is lost: told by a copy of the header that lies elsewhere, by two different
/// records or more that agree on it, or by one and what is left of the header. `None` if there is nothing to go by.
///
/// Takes half a megabyte at most besides `bytes`.
#[must_use]
pub fn lost_salt(bytes: &[u8]) -> Option<Salt> {
    if let Some(salt) = moved_header(bytes) {
        return Some(salt);
    }
    let mut witnesses: Vec<(Salt, [u8; 4])> = Vec::new();
    for copy in [0, HEADER_LEN] {
        // Not by its place alone: with a flipped bit elsewhere in the copy it is still the salt.
        let field = bytes.get(copy + SALT_AT..copy + SALT_AT + 4);
        if let Some(&[a, b, c, d]) = field {
            witnesses.push((Salt::new([a, b, c, d]), HEADER));
        }
    }
    for at in 0..bytes.len() {
        if witnesses.len() >= MAX_WITNESSES {
            break;
        }
        let rest = &bytes[at..];
        // To run a checksum backwards takes two thousand steps for the longest; a file of markers would take minutes.
        if !is_known_shape(rest) {
            continue;
        }
        let Some(salt) = Salt::of_frame(rest) else {
            continue;
        };
        // What has the shape of no record is no witness: hardly any stray bytes get past this.
        let Some(frame) = Frame::parse(rest, salt).filter(|frame| frame.record().is_some()) else {
            continue;
        };
        let mut checksum = [0; 4];
        checksum.copy_from_slice(&rest[frame.len() - 4..frame.len()]);
        witnesses.push((salt, checksum));
    }
    // The same bytes twice, a block that was written twice, say, are one witness.
    witnesses.sort_unstable();
    witnesses.dedup();
    witnesses
        .chunk_by(|one, other| one.0 == other.0)
        .filter(|agreeing| agreeing.len() > 1)
        .max_by_key(|agreeing| agreeing.len())
        .map(|agreeing| agreeing[0].0)
}

fn moved_header(bytes: &[u8]) -> Option<Salt> {
    bytes.windows(HEADER_LEN).find_map(|window| {
        if window[..MAGIC.len()] != MAGIC {
            return None;
        }
        let (version, salt) = parse_header(window)?;
        (version == VERSION).then_some(salt)
    })
}

/// Where in a copy of the header the salt stands.
const SALT_AT: usize = 12;

/// Stands for the checksum of a witness that is no frame.
const HEADER: [u8; 4] = *b"head";

/// Far more than can be wrong. The first tens of thousands of records are enough to agree.
const MAX_WITNESSES: usize = 64 * 1024;

#[cfg(test)]
mod tests;

//! The bytes behind the last frame that verifies, where no other follows: the rest of a write that a power cut broke off,
//! or damage to what had been answered.
//!
//! A write is broken off where a sector ends: what lies before that is as it was written, what lies behind it has not
//! arrived, and reads as zeros or is missing. A flipped bit leaves a frame with its beginning and its end. Whatever
//! is not clearly the former is taken for the latter: a false alarm costs a second look, a lost logout a stolen login.

use super::format::{Frame, MARKER, MAX_PAYLOAD, Salt, is_payload_len};

/// Whether what lies in `bytes` from `at` on looks torn. Neither is a proof: nobody knows what was written there.
pub(super) fn looks_torn(bytes: &[u8], at: usize, salt: Salt) -> bool {
    let tail = &bytes[at..];
    let Some(last) = tail.iter().rposition(|byte| *byte != 0) else {
        // The file's length has arrived, and nothing else.
        return true;
    };
    let broken_off = (at + last + 1).next_multiple_of(SECTOR).min(bytes.len());
    is_unfinished(&bytes[at..broken_off], salt)
}

/// Whether this is the beginning of a frame that does not end within it.
fn is_unfinished(begun: &[u8], salt: Salt) -> bool {
    match *begun {
        [MARKER] => true,
        [MARKER, kind] => kind != 0,
        [MARKER, kind, length, ..] => {
            let end = Frame::len_for(length.into());
            is_payload_len(kind, length) && begun.len() < end && !is_whole_otherwise(begun, salt)
        }
        _ => false,
    }
}

/// Whether it is a frame that ends here, but for its length: then that is what was damaged.
fn is_whole_otherwise(begun: &[u8], salt: Salt) -> bool {
    let length = begun.len().checked_sub(Frame::len_for(0));
    let length = length.filter(|length| *length <= MAX_PAYLOAD);
    length
        .and_then(|length| u8::try_from(length).ok())
        .is_some_and(|length| {
            let mut frame = begun.to_vec();
            frame[2] = length;
            Frame::parse(&frame, salt).is_some()
        })
}

/// The smallest unit that a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

#[cfg(test)]
mod tests;

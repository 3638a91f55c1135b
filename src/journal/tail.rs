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
mod tests {
    use super::super::format::{encode, headers, samples};
    use super::*;

    /// A journal of so many samples, and where the last frame begins.
    fn journal(count: usize, filler: usize) -> (Vec<u8>, usize, Salt) {
        let salt = Salt::new([1, 2, 3, 4]);
        let mut bytes = headers(salt).to_vec();
        for _ in 0..filler {
            encode(&samples()[0], salt, &mut bytes).unwrap();
        }
        let mut last = bytes.len();
        for record in &samples()[..count] {
            last = bytes.len();
            encode(record, salt, &mut bytes).unwrap();
        }
        (bytes, last, salt)
    }

    #[test]
    fn a_flipped_bit_anywhere_in_the_last_record_is_damage() {
        for count in 1..=samples().len() {
            let (bytes, last, salt) = journal(count, 0);
            for bit in last * 8..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!looks_torn(&flipped, last, salt), "{count}: bit {bit}");
            }
        }
    }

    #[test]
    fn a_record_that_was_cut_short_is_torn_wherever_it_was_cut() {
        for count in 1..=samples().len() {
            let (bytes, last, salt) = journal(count, 0);
            for end in last + 1..bytes.len() {
                assert!(looks_torn(&bytes[..end], last, salt), "{count}: at {end}");
            }
        }
    }

    #[test]
    fn a_record_of_which_only_the_first_sectors_have_arrived_is_torn() {
        let mut crossing = 0;
        for filler in 0..70 {
            let (bytes, last, salt) = journal(5, filler);
            let boundary = last.next_multiple_of(SECTOR);
            if boundary <= last || boundary >= bytes.len() {
                continue;
            }
            crossing += 1;
            let mut torn = bytes.clone();
            torn[boundary..].fill(0);
            assert!(looks_torn(&torn, last, salt), "{filler}");
            // The length may have grown by more than this record.
            torn.resize(torn.len() + 300, 0);
            assert!(looks_torn(&torn, last, salt), "{filler}");
        }
        assert!(crossing > 5, "{crossing}");
    }

    #[test]
    fn a_whole_record_that_is_wrong_is_damage_whatever_lies_behind_it() {
        let (mut bytes, last, salt) = journal(3, 0);
        bytes[last + 5] ^= 1;
        for behind in [0, 1, 600] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + behind, 0);
            assert!(!looks_torn(&longer, last, salt), "{behind} zeros");
        }
    }
}

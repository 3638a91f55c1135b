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

use super::super::format::{FRAMES_START, MARKER, encode, headers, samples};
use super::*;

/// A journal of the first so many samples, and where its last frame begins.
fn journal(records: usize) -> (Vec<u8>, usize, Salt) {
    let salt = Salt::new([9, 8, 7, 6]);
    let mut bytes = headers(salt).to_vec();
    let mut last = bytes.len();
    for record in &samples()[..records] {
        last = bytes.len();
        encode(record, salt, &mut bytes).unwrap();
    }
    (bytes, last, salt)
}

#[test]
fn two_records_without_a_header_tell_the_salt() {
    let (mut bytes, _, salt) = journal(2);
    bytes[..FRAMES_START].fill(0);
    assert_eq!(lost_salt(&bytes), Some(salt));
    // Wherever they lie.
    bytes.drain(..7);
    bytes.splice(28..28, [MARKER; 300]);
    assert_eq!(lost_salt(&bytes), Some(salt));
}

#[test]
fn one_record_is_believed_only_with_what_is_left_of_a_header() {
    let (mut bytes, ..) = journal(1);
    bytes[..FRAMES_START].fill(0);
    assert_eq!(lost_salt(&bytes), None);
    let (mut bytes, _, salt) = journal(1);
    bytes[3] ^= 1;
    bytes[HEADER_LEN + 17] ^= 1;
    assert_eq!(lost_salt(&bytes), Some(salt));
    bytes.truncate(FRAMES_START);
    assert_eq!(lost_salt(&bytes), None, "nor a header without a record");
}

#[test]
fn the_same_record_twice_is_one_witness() {
    let (mut bytes, last, _) = journal(1);
    bytes[..FRAMES_START].fill(0);
    bytes.extend_from_within(last..);
    assert_eq!(lost_salt(&bytes), None);
}

#[test]
fn a_header_that_lies_elsewhere_tells_the_salt() {
    let (bytes, _, salt) = journal(0);
    let moved = [&[0; 512], bytes.as_slice()].concat();
    assert_eq!(lost_salt(&moved), Some(salt));
}

#[test]
fn only_what_has_the_shape_of_a_record_is_run_backwards() {
    let hostile = vec![MARKER; 1 << 20];
    assert!(!(0..hostile.len()).any(|at| is_known_shape(&hostile[at..])));
    for count in 1..=samples().len() {
        let (bytes, last, _) = journal(count);
        assert!(is_known_shape(&bytes[last..]), "record {count}");
    }
}

#[test]
fn what_is_no_journal_has_no_salt() {
    let mut noise = vec![0; 1 << 20];
    let mut state = 1_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    for bytes in [noise, vec![MARKER; 100_000], vec![0; 4096], Vec::new()] {
        assert_eq!(lost_salt(&bytes), None);
    }
}

use super::super::format::{FRAME_OVERHEAD, MARKER, encode, samples};
use super::*;

const SALT: [u8; 4] = [1, 2, 3, 4];

/// A journal of one record of each shape, and where each frame ends.
fn journal(salt: [u8; 4]) -> (Vec<u8>, Vec<usize>) {
    let salt = Salt::new(salt);
    let mut bytes = headers(salt).to_vec();
    let mut ends = Vec::new();
    for record in samples() {
        encode(&record, salt, &mut bytes).unwrap();
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn read(bytes: &[u8]) -> (Vec<Record>, ReplayReport) {
    let mut records = Vec::new();
    let report = replay(bytes, &mut |record| records.push(record)).unwrap();
    assert_eq!(report.valid_len + report.cut_bytes, bytes.len());
    (records, report)
}

#[test]
fn a_whole_journal_is_read_whole() {
    let (bytes, _) = journal(SALT);
    let (records, report) = read(&bytes);
    assert_eq!(records, samples());
    assert_eq!((report.cut_bytes, report.damaged_bytes), (0, 0));
    assert_eq!(
        report.newest_mark,
        Some(Timestamp::from_secs(1_795_000_000))
    );
}

#[test]
fn every_truncation_is_read_up_to_its_last_whole_record() {
    let (bytes, ends) = journal(SALT);
    for len in 0..=bytes.len() {
        let (records, report) = read(&bytes[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(records, samples()[..whole], "cut at {len}");
        assert_eq!(
            report.damaged_bytes > 0,
            0 < len && len < FRAMES_START,
            "cut at {len}"
        );
    }
}

#[test]
fn a_flipped_bit_costs_no_more_than_the_record_it_is_in_and_is_told() {
    let (bytes, ends) = journal(SALT);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (records, report) = read(&flipped);
        let mut expected = samples();
        if bit / 8 >= FRAMES_START {
            let hit = ends.iter().position(|end| bit / 8 < *end).unwrap();
            expected.remove(hit);
        }
        assert_eq!(records, expected, "bit {bit}");
        assert!(report.damaged_bytes > 0, "bit {bit}");
        assert_eq!(report.cut_bytes, 0, "bit {bit}");
    }
}

#[test]
fn whatever_is_lost_or_added_in_the_middle_the_rest_is_found_again() {
    let (bytes, ends) = journal(SALT);
    for (from, to) in [
        (ends[1], ends[3]),
        (ends[1] + 5, ends[3] + 9),
        (ends[0], ends[0] + 1),
    ] {
        let mut zeroed = bytes.clone();
        zeroed[from..to].fill(0);
        let mut gone = bytes.clone();
        gone.drain(from..to);
        let mut added = bytes.clone();
        added.splice(from..to, [[MARKER; 700].as_slice(), &[0]].concat());
        let whole: Vec<Record> = samples()
            .into_iter()
            .zip(std::iter::once(&FRAMES_START).chain(&ends).zip(&ends))
            .filter(|(_, (start, end))| **end <= from || **start >= to)
            .map(|(record, _)| record)
            .collect();
        for damaged in [zeroed, gone, added] {
            assert_eq!(read(&damaged).0, whole, "{from}..{to}");
        }
    }
}

#[test]
fn a_record_whose_first_byte_completes_a_torn_one_is_not_lost_with_it() {
    // The frame before ends in the marker's byte, and has lost just that.
    let salt = Salt::new(SALT);
    let torn = (0..100_000)
        .map(|at| {
            let at = Timestamp::from_secs(at);
            let mut frame = Vec::new();
            encode(&Record::Mark { at }, salt, &mut frame).unwrap();
            frame
        })
        .find(|frame| frame.last() == Some(&MARKER))
        .unwrap();
    let mut bytes = headers(salt).to_vec();
    bytes.extend_from_slice(&torn[..torn.len() - 1]);
    encode(&samples()[0], salt, &mut bytes).unwrap();
    let (records, report) = read(&bytes);
    assert_eq!(records.last(), Some(&samples()[0]));
    assert_eq!(report.cut_bytes, 0);
}

#[test]
fn the_stale_tail_of_an_older_file_is_not_replayed() {
    let (old, ends) = journal([9, 9, 9, 9]);
    let (new, _) = journal(SALT);
    for kept in [FRAMES_START, ends[0], ends[4]] {
        let mut bytes = new[..kept].to_vec();
        bytes.extend_from_slice(&old[kept..]);
        let (records, report) = read(&bytes);
        assert_eq!(
            records.len(),
            ends.iter().filter(|end| **end <= kept).count()
        );
        // It ends as a frame does, and could as well be one that was answered.
        assert_eq!(report.damaged_bytes, old.len() - kept);
        assert_eq!(report.cut_bytes, 0);
    }
}

#[test]
fn a_journal_without_a_whole_header_is_refused() {
    let (mut bytes, _) = journal(SALT);
    bytes[12] ^= 1;
    bytes[HEADER_LEN + 12] ^= 1;
    let refused = replay(&bytes, &mut |_| panic!("nothing can be checked"));
    assert_eq!(refused, Err(Unreadable::Header));
    let foreign = replay(b"#!/bin/sh", &mut |_| panic!("not a journal"));
    assert_eq!(foreign, Err(Unreadable::Header));
}

#[test]
fn a_journal_of_a_newer_version_is_refused() {
    let (mut bytes, _) = journal(SALT);
    for copy in [0, HEADER_LEN] {
        bytes[copy + 8] = 2;
        let checksum = crc32fast::hash(&bytes[copy..copy + 16]);
        bytes[copy + 16..copy + 20].copy_from_slice(&checksum.to_le_bytes());
    }
    let refused = replay(&bytes, &mut |_| panic!("not understood"));
    assert_eq!(refused, Err(Unreadable::Version { found: 2 }));
}

#[test]
fn records_of_a_newer_version_are_counted_and_kept_verbatim() {
    let (mut bytes, _) = journal(SALT);
    let salt = Salt::new(SALT);
    let start = bytes.len();
    // The same frame under a type that does not exist, made valid.
    encode(&samples()[0], salt, &mut bytes).unwrap();
    bytes[start + 1] = 200;
    let end = bytes.len() - (FRAME_OVERHEAD - 3);
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::from_le_bytes(SALT));
    hasher.update(&bytes[start..end]);
    let checksum = hasher.finalize().to_le_bytes();
    bytes[end..].copy_from_slice(&checksum);

    let (records, report) = read(&bytes);
    assert_eq!(records, samples());
    assert_eq!(report.unknown_records, 1);
    assert_eq!(report.unknown, bytes[start..]);
    assert_eq!((report.cut_bytes, report.damaged_bytes), (0, 0));
}

//! Every small damage there can be, one at a time, through the opening itself. Where that refuses, a repair wants consent.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern::clock::{FakeTimeSource, Timestamp};
use postern::entropy::FakeEntropy;
use postern::ids::Id;
use postern::journal::format::{Salt, encode, headers};
use postern::journal::repair::{RepairOutcome, RepairPermission, repair};
use postern::journal::replay::{Piece, Unreadable};
use postern::journal::survey::survey;
use postern::journal::{
    FileStorage, Journal, JournalState, MemoryStorage, OpenError, PasswordOrigin, Record,
};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
const SECTOR: usize = 512;
const ALL: RepairPermission = RepairPermission {
    consent: true,
    own: true,
};

/// A journal of a mark, a password and so many logouts; and where each frame lies.
struct Written {
    bytes: Vec<u8>,
    records: Vec<(Record, std::ops::Range<usize>)>,
}

impl Written {
    fn with(logouts: u32) -> Self {
        let salt = Salt::new(*b"salt");
        let mut bytes = headers(salt).to_vec();
        let password = Record::Password {
            generation: 1,
            origin: PasswordOrigin::Changed,
            at: NOW,
            hash: "$2b$12$KIXQ4Vb3nS2m0ptS1kqv5uJ1n0Jxq0m6a0m5p3YbQe0F3n5y9eWbS".to_owned(),
            spared: None,
        };
        let first = [Record::Mark { at: NOW }, password];
        let records = first
            .into_iter()
            .chain((1..=logouts).map(logout))
            .map(|record| {
                let start = bytes.len();
                encode(&record, salt, &mut bytes).unwrap();
                (record, start..bytes.len())
            })
            .collect();
        Self { bytes, records }
    }

    /// The logouts of which no byte is in any of the ranges.
    fn logouts_outside(&self, hit: &[std::ops::Range<usize>]) -> Vec<&Record> {
        let outside = self.records.iter().filter(|(_, at)| {
            hit.iter()
                .all(|hit| at.end <= hit.start || hit.end <= at.start)
        });
        let logouts = outside.filter(|(record, _)| matches!(record, Record::FamilyRevoked { .. }));
        logouts.map(|(record, _)| record).collect()
    }
}

fn logout(number: u32) -> Record {
    let mut id = [0xA7; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    Record::FamilyRevoked {
        family: Id(id),
        expires: NOW + Duration::from_secs(3600),
    }
}

/// All that was applied: once, however often.
#[derive(Default)]
struct Facts(Mutex<Vec<Record>>);

impl JournalState for Facts {
    fn apply(&self, record: &Record) {
        let mut records = self.0.lock();
        if !records.contains(record) {
            records.push(record.clone());
        }
    }

    fn live_part(&self, _: usize, _: Timestamp, sink: &mut dyn FnMut(&Record)) {
        for record in &*self.0.lock() {
            if !matches!(record, Record::Mark { .. }) {
                sink(record);
            }
        }
    }
}

fn opened(bytes: Vec<u8>) -> Result<Vec<Record>, OpenError> {
    let disk = MemoryStorage::with_bytes(bytes);
    let time = Arc::new(FakeTimeSource::new(NOW));
    let open = || {
        let facts = Arc::new(Facts::default());
        let (journal, _) = Journal::open(Box::new(disk.clone()), facts.clone(), time.clone())?;
        drop(journal);
        Ok(facts.0.lock().clone())
    };
    let records: Vec<Record> = open()?;
    // What it has put right stays right.
    let again: Vec<Record> = open()?;
    let logouts = |records: &[Record]| -> Vec<Record> {
        let all = records.iter();
        all.filter(|record| matches!(record, Record::FamilyRevoked { .. }))
            .cloned()
            .collect()
    };
    assert_eq!(logouts(&records), logouts(&again));
    Ok(records)
}

/// The records that are in force after opening.
fn in_force(bytes: &[u8]) -> Vec<Record> {
    let records = opened(bytes.to_vec()).expect("one copy of the header is whole");
    assert!(
        bytes.is_empty() || survey(bytes, &mut |_| ()).is_ok(),
        "opens, but cannot be surveyed"
    );
    records
}

/// A file of which both headers are lost: it is refused and stays, and somebody is told what to do.
fn assert_refused(bytes: &[u8], folder: &tempfile::TempDir, damage: &str) {
    let Err(error @ OpenError::Unreadable { .. }) = opened(bytes.to_vec()) else {
        panic!("{damage}: opened");
    };
    assert!(error.to_string().contains("Put back a copy"), "{error}");
    assert_eq!(survey(bytes, &mut |_| ()), Err(Unreadable::Header));
    let path = folder.path().join("copy");
    fs::write(&path, bytes).unwrap();
    let leave = RepairPermission {
        consent: false,
        ..ALL
    };
    let refused = repair(&path, &FakeEntropy::new(1), leave).unwrap();
    assert_eq!(
        refused,
        RepairOutcome::WantsConsent { found: None },
        "{damage}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

fn assert_all_in(expected: &[&Record], found: &[Record], damage: &str) {
    for record in expected {
        assert!(found.contains(record), "{damage}: {record:?} is lost");
    }
}

#[test]
fn every_flipped_bit_costs_one_record_at_most() {
    let written = Written::with(6);
    for bit in 0..written.bytes.len() * 8 {
        let mut bytes = written.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let told = survey(&bytes, &mut |_| ()).is_ok_and(|found| found.damaged());
        assert!(told, "bit {bit} passes for a torn tail");
        let found = in_force(&bytes);
        let expected = written.logouts_outside(std::slice::from_ref(&(bit / 8..bit / 8 + 1)));
        assert!(expected.len() >= 5);
        assert_all_in(&expected, &found, &format!("bit {bit}"));
    }
}

/// A journal as the server writes it, with the second password either appended or in a rewritten file.
fn with_a_changed_password(rewritten: bool) -> (Vec<u8>, Record) {
    let disk = MemoryStorage::new();
    let (facts, time) = (Arc::new(Facts::default()), FakeTimeSource::new(NOW));
    let (journal, _) =
        Journal::open(Box::new(disk.clone()), facts, Arc::new(time)).expect("a new disk opens");
    let password = |generation| Record::Password {
        generation,
        origin: PasswordOrigin::Changed,
        at: NOW,
        hash: "$2b$12$KIXQ4Vb3nS2m0ptS1kqv5uJ1n0Jxq0m6a0m5p3YbQe0F3n5y9eWbS".to_owned(),
        spared: None,
    };
    let commit = |record| journal.commit(record).expect("it is durable");
    commit(password(1));
    commit(password(2));
    (1..=60).map(logout).for_each(commit);
    if rewritten {
        journal.compact().expect("it is rewritten");
    }
    journal.close();
    (disk.bytes(), password(2))
}

#[test]
fn no_flipped_bit_costs_the_newest_password() {
    for rewritten in [false, true] {
        let (bytes, password) = with_a_changed_password(rewritten);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = in_force(&flipped);
            assert_all_in(&[&password], &found, &format!("bit {bit}"));
        }
    }
}

#[test]
fn no_lost_sector_costs_the_newest_password_unless_both_copies_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    for rewritten in [false, true] {
        let (bytes, password) = with_a_changed_password(rewritten);
        let copies: Vec<_> = places_of(&bytes, &password);
        assert_eq!(copies.len(), 2);
        let mut survived = 0;
        for (start, lost) in (0..bytes.len())
            .step_by(SECTOR)
            .flat_map(|start| [(start, 0x00), (start, 0xff)])
        {
            let hit = start..(start + SECTOR).min(bytes.len());
            let is_hit =
                |copy: &std::ops::Range<usize>| copy.start < hit.end && hit.start < copy.end;
            if copies.iter().all(is_hit) {
                assert!(!rewritten, "the copies are apart");
                continue;
            }
            let mut damaged = bytes.clone();
            damaged[hit.clone()].fill(lost);
            if start == 0 {
                assert_refused(&damaged, &folder, "both headers");
                continue;
            }
            let found = in_force(&damaged);
            assert_all_in(&[&password], &found, &format!("{hit:?}"));
            survived += 1;
        }
        assert!(survived >= 4);
    }
}

/// Where the frames of a record lie.
fn places_of(bytes: &[u8], record: &Record) -> Vec<std::ops::Range<usize>> {
    let mut places = Vec::new();
    survey(bytes, &mut |piece| {
        if let Piece::Frame { at, frame } = piece
            && frame.record().as_ref() == Some(record)
        {
            places.push(at..at + frame.len());
        }
    })
    .unwrap();
    places
}

#[test]
fn a_flipped_bit_in_each_copy_of_the_header_is_told_and_the_file_stays() {
    let written = Written::with(3);
    let folder = tempfile::tempdir().unwrap();
    for (one, other) in (0..160).zip((0..160).rev()) {
        let mut bytes = written.bytes.clone();
        bytes[one / 8] ^= 1 << (one % 8);
        bytes[20 + other / 8] ^= 1 << (other % 8);
        assert_refused(&bytes, &folder, &format!("bits {one} and {other}"));
    }
}

#[test]
fn every_truncation_keeps_all_that_is_before_it() {
    let written = Written::with(6);
    for len in 0..=written.bytes.len() {
        let first = written.records[0].1.end;
        if let Ok(found) = survey(&written.bytes[..len], &mut |_| ()) {
            assert_eq!(found.damaged(), len < first, "a tail cut at {len} is torn");
        }
        let found = in_force(&written.bytes[..len]);
        let expected = written.logouts_outside(std::slice::from_ref(&(len..usize::MAX)));
        assert_all_in(&expected, &found, &format!("cut at {len}"));
    }
}

#[test]
fn two_lost_sectors_cost_what_is_in_them() {
    let written = Written::with(285);
    assert!(written.bytes.len() > 8000);
    let folder = tempfile::tempdir().unwrap();
    for lost in [0x00, 0xff] {
        for start in (0..written.bytes.len()).step_by(SECTOR) {
            let hit = start..(start + 2 * SECTOR).min(written.bytes.len());
            let mut bytes = written.bytes.clone();
            bytes[hit.clone()].fill(lost);
            if start == 0 {
                assert_refused(&bytes, &folder, "both headers");
                continue;
            }
            let found = in_force(&bytes);
            let expected = written.logouts_outside(std::slice::from_ref(&hit));
            assert!(expected.len() > 240);
            assert_all_in(&expected, &found, &format!("{hit:?}"));
        }
    }
}

#[test]
fn sectors_that_were_swapped_or_written_over_another_cost_what_lies_across_their_edges() {
    let written = Written::with(285);
    let folder = tempfile::tempdir().unwrap();
    let sectors = written.bytes.len() / SECTOR;
    for one in 0..sectors {
        for other in (0..sectors).filter(|other| *other != one) {
            let at = |sector: usize| sector * SECTOR..(sector + 1) * SECTOR;
            let mut swapped = written.bytes.clone();
            let mut doubled = written.bytes.clone();
            swapped[at(one)].copy_from_slice(&written.bytes[at(other)]);
            swapped[at(other)].copy_from_slice(&written.bytes[at(one)]);
            doubled.copy_within(at(one), other * SECTOR);
            // In a swap, what lies wholly within a sector only moves.
            let edges: Vec<_> = [one, one + 1, other, other + 1]
                .map(|sector| (sector * SECTOR).saturating_sub(1)..sector * SECTOR + 1)
                .to_vec();
            if one.min(other) == 0 {
                assert_refused(&swapped, &folder, &format!("{one} and {other} swapped"));
            } else {
                let found = in_force(&swapped);
                let expected = written.logouts_outside(&edges);
                assert!(expected.len() >= 281);
                assert_all_in(&expected, &found, &format!("{one} and {other} swapped"));
            }
            if other == 0 {
                assert_refused(&doubled, &folder, &format!("{one} over {other}"));
                continue;
            }
            let found = in_force(&doubled);
            let expected = written.logouts_outside(&[at(other)]);
            assert_all_in(&expected, &found, &format!("{one} over {other}"));
        }
    }
}

#[test]
fn a_file_of_a_terabyte_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    // A hole takes no room on the disk; to read it would take all of the memory.
    if fs::File::create(&path).unwrap().set_len(1 << 40).is_err() {
        return;
    }
    let storage = FileStorage::open(folder.path()).unwrap();
    let time = Arc::new(FakeTimeSource::new(NOW));
    let refused = Journal::open(Box::new(storage), Arc::new(Facts::default()), time);
    let error = refused.err().expect("it is refused");
    assert!(error.to_string().contains("journal"), "{error}");
    assert!(repair(&path, &FakeEntropy::new(1), ALL).is_err());
}

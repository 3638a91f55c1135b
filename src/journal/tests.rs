//! The journal's promises, kept by writer, storage and replay together.

mod ask;

use std::sync::atomic::{AtomicBool, Ordering};

use super::format::{FRAMES_START, MAX_PAYLOAD, Salt, encode, headers, samples};
use super::storage::{Failing, Fault, StorageCall};
use super::*;
use crate::clock::{FakeTimeSource, HOLD};
use crate::ids::Id;

const NOON: Timestamp = Timestamp::from_secs(1_795_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// A memory as plain as can be: everything that was applied and has not expired.
#[derive(Default)]
struct Facts {
    records: Mutex<Vec<Record>>,
    /// If given, every apply looks whether all of it is durable.
    storage: Mutex<Option<MemoryStorage>>,
    applied_undurable: AtomicBool,
}

impl Facts {
    fn all(&self) -> Vec<Record> {
        self.records.lock().clone()
    }

    fn has(&self, record: &Record) -> bool {
        self.records.lock().contains(record)
    }

    /// As the floors above do with a revocation, before they commit it.
    fn insert(&self, record: &Record) {
        let mut records = self.records.lock();
        if !records.contains(record) {
            records.push(record.clone());
        }
    }
}

impl JournalState for Facts {
    fn apply(&self, record: &Record) {
        if let Some(storage) = &*self.storage.lock()
            && storage.bytes() != storage.durable()
        {
            self.applied_undurable.store(true, Ordering::Relaxed);
        }
        if !matches!(record, Record::Mark { .. }) {
            self.insert(record);
        }
    }

    fn live_part(&self, _: usize, now: Timestamp, sink: &mut dyn FnMut(&Record)) {
        for record in &*self.records.lock() {
            match record {
                Record::TokenRevoked { expires, .. } if *expires <= now => {}
                _ => sink(record),
            }
        }
    }
}

struct Rig {
    disk: MemoryStorage,
    facts: Arc<Facts>,
    time: Arc<FakeTimeSource>,
    clock: Arc<Clock>,
    journal: Journal,
    replayed: Replayed,
}

fn open_at(disk: &MemoryStorage, now: Timestamp) -> Result<Rig, OpenError> {
    let facts = Arc::new(Facts::default());
    let time = Arc::new(FakeTimeSource::new(now));
    let (journal, replayed) = Journal::open(Box::new(disk.clone()), facts.clone(), time.clone())?;
    Ok(Rig {
        disk: disk.clone(),
        facts,
        time,
        clock: replayed.clock.clone(),
        journal,
        replayed,
    })
}

fn fresh() -> Rig {
    open_at(&MemoryStorage::new(), NOON).unwrap()
}

/// After a power cut these records come back, and nothing of the file is torn or damaged.
#[track_caller]
fn assert_whole(disk: &MemoryStorage, records: &[Record]) {
    let again = open_at(&disk.after_power_cut(), NOON).unwrap();
    assert!(!again.replayed.first_boot);
    assert_eq!(again.facts.all(), records);
    assert_eq!(again.replayed.cut_bytes + again.replayed.damaged_bytes, 0);
}

fn revoked(number: u32, expires: Timestamp) -> Record {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    Record::TokenRevoked {
        id: Id(id),
        expires,
    }
}

fn lasting(number: u32) -> Record {
    revoked(number, NOON + HOUR * 1000)
}

const ALL_WELL: Failing = Failing {
    appends: false,
    syncs: false,
    replacements: false,
    publishing: false,
    read_only: false,
};

#[test]
fn what_was_committed_is_there_after_a_power_cut() {
    let rig = fresh();
    assert!(rig.replayed.first_boot);
    for record in samples() {
        rig.journal.commit(record).unwrap();
    }
    let mut expected = samples();
    expected.retain(|record| !matches!(record, Record::Mark { .. }));
    assert_whole(&rig.disk, &expected);
}

#[test]
fn a_record_is_durable_before_it_is_applied_and_applied_before_its_commit_returns() {
    let rig = fresh();
    *rig.facts.storage.lock() = Some(rig.disk.clone());
    let odd = revoked(1, Timestamp::from_millis(1_795_000_000_001));
    rig.journal.commit(odd).unwrap();
    // In the form that a replay will give.
    let rounded = revoked(1, Timestamp::from_secs(1_795_000_001));
    assert_eq!(rig.facts.all(), [rounded]);
    assert!(!rig.facts.applied_undurable.load(Ordering::Relaxed));
}

#[test]
fn every_truncated_journal_opens_to_a_prefix_and_can_be_written_again() {
    let rig = fresh();
    let records: Vec<Record> = (0..4).map(lasting).collect();
    rig.journal.commit_all(records.clone()).unwrap();
    let bytes = rig.disk.bytes();
    for len in 0..=bytes.len() {
        let disk = MemoryStorage::with_bytes(bytes[..len].to_vec());
        let cut = open_at(&disk, NOON).unwrap();
        let found = cut.facts.all();
        assert!(records.starts_with(&found), "cut at {len}");
        assert!(
            found.len() * 28 + 28 + 24 + FRAMES_START > len,
            "cut at {len}"
        );
        cut.journal.commit(lasting(99)).unwrap();
        assert_whole(&disk, &[found, vec![lasting(99)]].concat());
    }
}

#[test]
fn a_damaged_journal_is_kept_beside_and_the_rest_of_it_goes_on() {
    let rig = fresh();
    rig.journal
        .commit_all((0..5).map(lasting).collect())
        .unwrap();
    let mut bytes = rig.disk.bytes();
    bytes[FRAMES_START + 24 + 28 + 3] ^= 0x40; // in the second revocation, behind two marks and the first
    bytes.extend_from_slice(&[0; 50]);
    let disk = MemoryStorage::with_bytes(bytes.clone());
    let mended = open_at(&disk, NOON).unwrap();
    let left = [lasting(0), lasting(2), lasting(3), lasting(4)];
    assert_eq!(mended.facts.all(), left);
    assert_eq!(mended.replayed.damaged_bytes, 28);
    assert_eq!(mended.replayed.cut_bytes, 50);
    assert_eq!(disk.damaged(), Some(bytes));
    assert_whole(&disk, &left);
}

#[test]
fn a_damaged_journal_is_in_force_even_if_it_cannot_be_rewritten() {
    let rig = fresh();
    rig.journal
        .commit_all((0..3).map(lasting).collect())
        .unwrap();
    let mut bytes = rig.disk.bytes();
    bytes[FRAMES_START + 24 + 3] ^= 1;
    let disk = MemoryStorage::with_bytes(bytes);
    disk.fail(Failing {
        replacements: true,
        ..ALL_WELL
    });
    let mended = open_at(&disk, NOON).unwrap();
    assert_eq!(mended.facts.all(), [lasting(1), lasting(2)]);
    assert!(!mended.journal.healthy());
    disk.fail(ALL_WELL);
    mended.time.advance(MINUTE);
    mended.journal.tick();
    assert!(mended.journal.healthy());
}

#[test]
fn a_journal_that_can_only_be_read_is_in_force_and_not_called_healthy() {
    let rig = fresh();
    rig.journal.commit(lasting(1)).unwrap();
    rig.journal.close();
    let disk = rig.disk.after_power_cut();
    disk.fail(Failing {
        read_only: true,
        ..ALL_WELL
    });
    let opened = open_at(&disk, NOON).unwrap();
    assert_eq!(opened.facts.all(), [lasting(1)]);
    assert!(!opened.journal.healthy(), "before anybody commits anything");
    disk.fail(ALL_WELL);
    opened.time.advance(MINUTE);
    opened.journal.tick();
    assert!(opened.journal.healthy());
}

#[test]
fn damage_to_the_last_record_is_no_torn_tail() {
    let rig = fresh();
    rig.journal
        .commit_all((0..3).map(lasting).collect())
        .unwrap();
    let mut bytes = rig.disk.bytes();
    let last = bytes.len() - 28;
    bytes[last + 9] ^= 1;
    let disk = MemoryStorage::with_bytes(bytes.clone());
    let mended = open_at(&disk, NOON).unwrap();
    assert_eq!(mended.facts.all(), [lasting(0), lasting(1)]);
    assert!(mended.replayed.damaged);
    assert_eq!(mended.replayed.damaged_bytes, 28);
    assert!(mended.replayed.kept.is_some());
    assert_eq!(disk.damaged(), Some(bytes));
}

#[test]
fn a_journal_without_a_whole_record_is_damaged_and_kept() {
    let rig = fresh();
    let mut broken = rig.disk.bytes();
    for frame in (FRAMES_START..broken.len()).step_by(12) {
        broken[frame + 4] ^= 1;
    }
    let mut none = rig.disk.bytes();
    none.truncate(FRAMES_START);
    let cut = [3, 30].map(|len| none[..len].to_vec());
    for bytes in [broken, none].into_iter().chain(cut) {
        let disk = MemoryStorage::with_bytes(bytes.clone());
        let opened = open_at(&disk, NOON).unwrap();
        assert!(opened.replayed.damaged, "{}", bytes.len());
        assert_eq!(disk.damaged(), Some(bytes));
        assert!(opened.journal.healthy());
    }
}

#[test]
fn a_journal_whose_header_is_lost_is_refused_and_left_alone() {
    let rig = fresh();
    rig.journal.commit(lasting(1)).unwrap();
    let mut bytes = rig.disk.bytes();
    bytes[..FRAMES_START].fill(0);
    let disk = MemoryStorage::with_bytes(bytes.clone());
    let Err(error) = open_at(&disk, NOON) else {
        panic!("started empty")
    };
    let said = error.to_string();
    for part in [
        "both copies of its header",
        "Put back a copy",
        "move it away",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(disk.bytes(), bytes);
    assert_eq!(disk.counts().replacements, 0);
}

#[test]
fn records_of_a_newer_version_survive_compaction() {
    let rig = fresh();
    drop(rig.journal);
    // As a newer version might append: type 200 with the payload of a revocation.
    let salt = Salt::new([5; 4]);
    let mut bytes = headers(salt).to_vec();
    let from = bytes.len();
    encode(&lasting(1), salt, &mut bytes).unwrap();
    bytes[from + 1] = 200;
    let mut hasher = crc32fast::Hasher::new_with_initial(0x0505_0505);
    hasher.update(&bytes[from..bytes.len() - 4]);
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&hasher.finalize().to_le_bytes());
    let disk = MemoryStorage::with_bytes(bytes);
    for _ in 0..2 {
        let older = open_at(&disk, NOON).unwrap();
        assert_eq!(older.replayed.unknown_records, 1);
        disk.fail(Failing {
            syncs: true,
            ..ALL_WELL
        });
        older.journal.commit(lasting(2)).unwrap();
        assert_eq!(older.journal.stats().rewrites, 1);
        disk.fail(ALL_WELL);
    }
}

#[test]
fn many_commits_share_a_sync() {
    const THREADS: u32 = 64;
    let rig = fresh();
    let before = rig.journal.stats().syncs;
    rig.disk.hold_syncs();
    thread::scope(|scope| {
        scope.spawn(|| rig.journal.commit(lasting(0)).unwrap());
        rig.disk.wait_for_held_call();
        for number in 1..=THREADS {
            let journal = &rig.journal;
            scope.spawn(move || journal.commit(lasting(number)).unwrap());
        }
        while rig.journal.waiting() < THREADS as usize {
            thread::yield_now();
        }
        rig.disk.release();
    });
    assert_eq!(rig.journal.stats().syncs - before, 2);
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.facts.all().len(), THREADS as usize + 1);
}

/// Passes on what it hears.
struct Told(Sender<(u64, Result<(), CommitError>)>);

impl Recipient for Told {
    fn committed(&self, number: u64, committed: Result<(), CommitError>) {
        self.0.send((number, committed)).unwrap();
    }
}

#[test]
fn submitted_commits_are_answered_once_they_are_durable_and_none_is_lost() {
    let Rig { journal, disk, .. } = fresh();
    let (told, answers) = crossbeam_channel::unbounded();
    let told = Arc::new(Told(told));
    disk.hold_syncs();
    let before = disk.counts().syncs;
    for number in 0..3000 {
        let reply_to = ReplyTo::Letter(told.clone(), number.into());
        journal.submit(vec![lasting(number)], reply_to);
        if number == 0 {
            disk.wait_for_held_call();
        }
    }
    // The writer has the first; as many as its queue holds wait; the rest is refused at once.
    let refused: Vec<_> = answers.try_iter().collect();
    assert_eq!(refused.len(), 3000 - 1 - QUEUE);
    assert!(refused.iter().all(|(_, answer)| answer.is_err()));
    disk.release();
    let kept: Vec<_> = answers.iter().take(1 + QUEUE).collect();
    assert!(kept.iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(disk.counts().syncs - before, 2);
    let after = open_at(&disk.after_power_cut(), NOON).unwrap();
    for (number, _) in kept {
        let number = u32::try_from(number).unwrap();
        assert!(after.facts.has(&lasting(number)), "{number}");
    }
    journal.close();
    journal.submit(vec![lasting(0)], ReplyTo::Letter(told, 0));
    assert_eq!(answers.recv().unwrap(), (0, Err(CommitError)));
}

#[test]
fn records_committed_together_take_one_sync() {
    let rig = fresh();
    let before = rig.disk.counts();
    rig.journal.commit_all(samples()).unwrap();
    assert_eq!(rig.disk.counts().syncs - before.syncs, 1);
    assert_eq!(rig.disk.counts().appends - before.appends, 1);
    rig.journal.commit_all(Vec::new()).unwrap();
    assert_eq!(rig.disk.counts().appends - before.appends, 1);
}

#[test]
fn a_failed_write_or_sync_is_made_up_for_by_a_new_file() {
    let failures = [
        Failing {
            syncs: true,
            ..ALL_WELL
        },
        Failing {
            appends: true,
            ..ALL_WELL
        },
    ];
    for failing in failures {
        let rig = fresh();
        rig.journal.commit(lasting(1)).unwrap();
        rig.disk.fail(failing);
        let before = rig.disk.counts();
        rig.journal.commit(lasting(2)).unwrap();
        assert!(rig.journal.healthy());
        assert_eq!(rig.disk.counts().replacements, before.replacements + 1);
        assert_eq!(
            rig.disk.counts().appends,
            before.appends + 1,
            "never retried"
        );
        let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
        assert_eq!(again.facts.all(), [lasting(1), lasting(2)]);
    }
}

#[test]
fn while_nothing_can_be_written_commits_fail_and_it_heals_afterwards() {
    let failures = [
        Failing {
            syncs: true,
            replacements: true,
            ..ALL_WELL
        },
        Failing {
            appends: true,
            publishing: true,
            ..ALL_WELL
        },
    ];
    for failing in failures {
        let rig = fresh();
        rig.journal.commit(lasting(1)).unwrap();
        rig.disk.fail(failing);
        // A revocation is in force in memory first; a password is not.
        rig.facts.insert(&lasting(2));
        assert_eq!(rig.journal.commit(lasting(2)), Err(CommitError));
        let password = samples().remove(4);
        assert_eq!(rig.journal.commit(password.clone()), Err(CommitError));
        assert_eq!(rig.journal.health(), JournalHealth::Unavailable);
        assert!(!rig.facts.has(&password));

        let appends = rig.disk.counts().appends;
        rig.disk.fail(ALL_WELL);
        rig.time.advance(HEAL);
        rig.journal.commit(lasting(3)).unwrap();
        assert!(rig.journal.healthy());
        assert_eq!(rig.disk.counts().appends, appends, "not on the failed file");
        let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
        assert_eq!(again.facts.all(), [lasting(1), lasting(2), lasting(3)]);
    }
}

const HEAL: Duration = Duration::from_secs(1);

#[test]
fn a_failed_journal_is_rewritten_once_a_second_at_most_and_by_ticks_too() {
    let rig = fresh();
    rig.disk.fail(Failing {
        syncs: true,
        replacements: true,
        ..ALL_WELL
    });
    rig.facts.insert(&lasting(1));
    for _ in 0..10 {
        assert!(rig.journal.commit(lasting(1)).is_err());
        rig.journal.tick();
    }
    assert_eq!(
        rig.disk.counts().replacements,
        2,
        "the first boot's and one try"
    );
    rig.time.advance(HEAL);
    assert!(rig.journal.commit(lasting(1)).is_err());
    assert_eq!(rig.disk.counts().replacements, 3);
    rig.disk.fail(ALL_WELL);
    rig.time.advance(HEAL);
    rig.journal.tick();
    assert!(rig.journal.healthy());
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.facts.all(), [lasting(1)]);
}

#[test]
fn a_journal_that_fails_again_at_once_says_so() {
    let rig = fresh();
    rig.disk.fail(Failing {
        syncs: true,
        ..ALL_WELL
    });
    rig.journal.commit(lasting(1)).unwrap();
    assert!(rig.journal.commit(lasting(2)).is_err());
    assert!(!rig.journal.healthy());
}

#[test]
fn compaction_drops_what_has_expired_and_keeps_the_rest() {
    let rig = fresh();
    let short = (0..3000).map(|number| revoked(number, NOON + HOUR));
    rig.journal.commit_all(short.collect()).unwrap();
    rig.journal
        .commit_all((5000..5100).map(lasting).collect())
        .unwrap();
    let full = rig.journal.stats();
    rig.journal.tick();
    assert_eq!(rig.journal.stats().rewrites, full.rewrites, "no waste yet");
    rig.time.advance(HOUR);
    rig.journal.tick();
    let compacted = rig.journal.stats();
    assert_eq!(compacted.records, 102);
    assert_eq!(compacted.bytes, (FRAMES_START + 24 + 100 * 28) as u64);
    assert_eq!(compacted.bytes, rig.disk.bytes().len() as u64);
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(
        again.facts.all(),
        (5000..5100).map(lasting).collect::<Vec<_>>()
    );
    assert_eq!(again.clock.now(), NOON + HOUR, "its mark");
}

#[test]
fn commits_go_on_during_a_compaction_and_survive_it() {
    let rig = fresh();
    let short = (0..3000).map(|number| revoked(number, NOON + HOUR));
    rig.journal.commit_all(short.collect()).unwrap();
    rig.time.advance(HOUR);
    thread::scope(|scope| {
        rig.disk.hold_replacement();
        scope.spawn(|| rig.journal.tick());
        rig.disk.wait_for_held_call();
        for number in 7000..7010 {
            rig.journal.commit(lasting(number)).unwrap();
        }
        let during = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
        assert_eq!(during.facts.all().len(), 3010, "the old file goes on");
        rig.disk.release();
    });
    assert_eq!(rig.journal.stats().rewrites, 2);
    assert_eq!(rig.journal.stats().records, 2 + 10);
    assert_eq!(rig.journal.stats().bytes, rig.disk.bytes().len() as u64);
    rig.journal.commit(lasting(7010)).unwrap();
    assert_whole(&rig.disk, &(7000..7011).map(lasting).collect::<Vec<_>>());
}

#[test]
fn more_than_is_added_in_one_go_survives_a_compaction_too() {
    let rig = fresh();
    thread::scope(|scope| {
        rig.disk.hold_replacement();
        let compaction = scope.spawn(|| rig.journal.compact());
        rig.disk.wait_for_held_call();
        rig.journal
            .commit_all((0..2000).map(lasting).collect())
            .unwrap();
        rig.disk.release();
        compaction.join().unwrap().unwrap();
    });
    assert_eq!(rig.journal.stats().rewrites, 2);
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.facts.all().len(), 2000);
}

#[test]
fn a_write_that_fails_during_a_compaction_loses_nothing() {
    let rig = fresh();
    rig.journal.commit(lasting(1)).unwrap();
    thread::scope(|scope| {
        rig.disk.hold_replacement();
        let compaction = scope.spawn(|| rig.journal.compact());
        rig.disk.wait_for_held_call();
        rig.disk.fail(Failing {
            syncs: true,
            ..ALL_WELL
        });
        let journal = &rig.journal;
        let commit = scope.spawn(move || journal.commit(lasting(2)));
        while rig.disk.counts().replacements < 3 {
            thread::yield_now();
        }
        rig.disk.release();
        assert!(compaction.join().unwrap().is_err());
        commit.join().unwrap().unwrap();
    });
    assert!(rig.journal.healthy());
    rig.disk.fail(ALL_WELL);
    rig.journal.commit(lasting(3)).unwrap();
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.facts.all(), (1..4).map(lasting).collect::<Vec<_>>());
}

#[test]
fn a_compaction_under_way_does_not_keep_the_journal_from_closing() {
    let rig = fresh();
    rig.journal.commit(lasting(1)).unwrap();
    thread::scope(|scope| {
        rig.disk.hold_replacement();
        let compaction = scope.spawn(|| rig.journal.compact());
        rig.disk.wait_for_held_call();
        rig.journal.close();
        assert!(compaction.join().unwrap().is_err());
        rig.disk.release();
    });
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.facts.all(), [lasting(1)]);
}

#[test]
fn a_compaction_without_room_leaves_the_journal_good_and_is_not_tried_all_the_time() {
    let rig = fresh();
    let short = (0..3000).map(|number| revoked(number, NOON + HOUR));
    rig.journal.commit_all(short.collect()).unwrap();
    rig.time.advance(HOUR);
    rig.disk.fail(Failing {
        replacements: true,
        ..ALL_WELL
    });
    rig.journal.tick();
    rig.journal.tick();
    assert!(rig.journal.healthy());
    assert_eq!(rig.disk.counts().replacements, 2);
    rig.journal.commit(lasting(1)).unwrap();
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert!(again.facts.has(&lasting(1)));
}

#[test]
fn time_is_marked_every_ten_minutes_at_most_and_only_if_nothing_else_does() {
    let rig = fresh();
    let writes = || rig.journal.stats().writes;
    for _ in 0..9 {
        rig.time.advance(MINUTE);
        rig.journal.tick();
    }
    assert_eq!(writes(), 0);
    rig.time.advance(MINUTE);
    rig.journal.tick();
    rig.journal.tick();
    assert_eq!(writes(), 1);
    rig.time.advance(MINUTE * 9);
    let used = rig.clock.now();
    let expires = used + HOUR;
    rig.journal
        .commit(Record::RefreshUsed {
            id: Id([1; 16]),
            used,
            expires,
        })
        .unwrap();
    rig.time.advance(MINUTE * 9);
    rig.journal.tick();
    assert_eq!(writes(), 2, "the refresh was a mark");
    let again = open_at(&rig.disk.after_power_cut(), Timestamp::default()).unwrap();
    assert_eq!(again.clock.now(), used, "a boot in 1970");
}

#[test]
fn a_leap_that_is_held_never_enters_the_journal() {
    let rig = fresh();
    let stats = rig.journal.stats();
    rig.time.advance(MINUTE * 20);
    rig.time.set_system(NOON + HOUR * 10_000);
    rig.journal.tick();
    rig.journal.close();
    assert_eq!(rig.journal.stats(), stats);

    let rig = open_at(&rig.disk, NOON).unwrap();
    rig.time.set_system(NOON + HOUR * 10_000);
    rig.disk.fail(Failing {
        syncs: true,
        ..ALL_WELL
    });
    rig.journal.commit(lasting(1)).unwrap();
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert_eq!(again.clock.now(), NOON, "not by a rewrite either");

    rig.disk.fail(ALL_WELL);
    rig.time.advance(HOLD);
    rig.journal.tick();
    let again = open_at(&rig.disk.after_power_cut(), NOON).unwrap();
    assert!(again.clock.now() > NOON + HOUR * 9_999, "it has stood");
}

#[test]
fn closing_answers_what_waits_marks_the_time_and_may_be_repeated() {
    let rig = fresh();
    rig.time.advance(MINUTE);
    rig.disk.hold_syncs();
    thread::scope(|scope| {
        scope.spawn(|| rig.journal.commit(lasting(1)).unwrap());
        rig.disk.wait_for_held_call();
        scope.spawn(|| rig.journal.commit(lasting(2)).unwrap());
        while rig.journal.waiting() < 1 {
            thread::yield_now();
        }
        scope.spawn(|| rig.journal.close());
        rig.disk.release();
    });
    rig.journal.close();
    assert_eq!(rig.journal.commit(lasting(3)), Err(CommitError));
    rig.journal.tick();
    let again = open_at(&rig.disk.after_power_cut(), Timestamp::default()).unwrap();
    assert_eq!(again.facts.all(), [lasting(1), lasting(2)]);
    assert_eq!(again.clock.now(), NOON + MINUTE);
}

#[test]
fn a_quiet_restart_writes_nothing() {
    let rig = fresh();
    rig.journal.commit(lasting(1)).unwrap();
    rig.journal.close();
    let before = rig.disk.bytes();
    let again = open_at(&rig.disk, NOON).unwrap();
    again.journal.close();
    assert_eq!(rig.disk.bytes(), before);
    assert_eq!(
        again.journal.stats().writes + again.journal.stats().rewrites,
        0
    );
}

#[test]
fn what_a_killed_process_left_is_written_once_more_and_an_orderly_end_leaves_no_doubt() {
    let rig = fresh();
    rig.disk.fail(Failing {
        syncs: true,
        replacements: true,
        ..ALL_WELL
    });
    // The sync fails, the tail cannot even be cut, and the process is killed.
    rig.disk
        .plan_faults(|call| (call == StorageCall::Truncate).then_some(Fault::Io));
    assert!(rig.journal.commit(lasting(1)).is_err());
    let disk = rig.disk.after_kill();
    let again = open_at(&disk, NOON).unwrap();
    assert_eq!(again.facts.all(), [lasting(1)], "the kernel shows it");
    let after = open_at(&disk.after_power_cut(), NOON).unwrap();
    assert_eq!(after.facts.all(), [lasting(1)]);
    again.journal.close();
    let before = disk.counts();
    open_at(&disk, NOON).unwrap();
    assert_eq!(disk.counts().appends, before.appends);
}

#[test]
fn a_record_that_cannot_be_kept_harms_no_other() {
    let rig = fresh();
    let long = Record::Password {
        generation: 2,
        origin: PasswordOrigin::Changed,
        at: NOON,
        hash: "x".repeat(MAX_PAYLOAD),
        spared: None,
    };
    assert!(rig.journal.commit_all(vec![lasting(1), long]).is_err());
    rig.journal.commit(lasting(2)).unwrap();
    assert!(rig.journal.healthy());
    assert_eq!(rig.facts.all(), [lasting(2)], "all or none");
}

#[test]
fn a_journal_in_a_folder_survives_restarts_and_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let facts = Arc::new(Facts::default());
        let time = Arc::new(FakeTimeSource::new(NOON));
        let storage = FileStorage::open(folder.path())?;
        let (journal, replayed) = Journal::open(Box::new(storage), facts.clone(), time)?;
        Ok::<_, OpenError>((journal, replayed, facts))
    };
    let (journal, replayed, _) = open().unwrap();
    assert!(replayed.first_boot);
    journal.commit_all((0..3).map(lasting).collect()).unwrap();
    let Err(OpenError::Locked { .. }) = open() else {
        panic!("two owners")
    };
    journal.close();
    drop(journal);
    let (journal, replayed, facts) = open().unwrap();
    assert!(!replayed.first_boot);
    assert_eq!(facts.all(), (0..3).map(lasting).collect::<Vec<_>>());
    journal.commit(lasting(3)).unwrap();
    journal.close();
    drop(journal);

    let path = folder.path().join("journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[FRAMES_START + 24 + 3] ^= 1;
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&path, &bytes).unwrap();
    let (_journal, replayed, facts) = open().unwrap();
    assert_eq!(facts.all(), (1..4).map(lasting).collect::<Vec<_>>());
    assert_eq!((replayed.damaged_bytes, replayed.cut_bytes), (28, 11));
    assert_eq!(
        std::fs::read(folder.path().join("journal.damaged.1")).unwrap(),
        bytes
    );
}

//! The promises of `postern journal …`, on files of every state they can be in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::cli::tests::with_terminal;
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id, Interface};
use crate::journal::format::{FRAMES_START, HEADER_LEN, Salt, encode, headers};
use crate::journal::{FileStorage, PasswordOrigin, Record};

const HASH: &str = "$2b$12$KIXQ4Vb3nS2m0ptS1kqv5uJ1n0Jxq0m6a0m5p3YbQe0F3n5y9eWbS";
const AT: Timestamp = Timestamp::from_secs(1_795_000_000);
const STAT: JournalAction = JournalAction::Stat { json: false };
const REPAIR: JournalAction = JournalAction::Repair { yes: false };
const REPAIR_YES: JournalAction = JournalAction::Repair { yes: true };

/// A state folder with a journal of a mark, a password, three logouts and a lock-out.
struct Rig {
    folder: TempDir,
    /// Where each frame begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Rig {
    fn new() -> Self {
        let salt = Salt::new([4, 3, 2, 1]);
        let mut bytes = headers(salt).to_vec();
        let mut starts = Vec::new();
        for record in records() {
            starts.push(bytes.len());
            encode(&record, salt, &mut bytes).unwrap();
        }
        starts.push(bytes.len());
        let folder = tempfile::tempdir().unwrap();
        let rig = Self { folder, starts };
        fs::write(rig.path(), bytes).unwrap();
        rig
    }

    fn damaged(damage: impl FnOnce(&Self, &mut Vec<u8>)) -> Self {
        let rig = Self::new();
        let mut bytes = fs::read(rig.path()).unwrap();
        damage(&rig, &mut bytes);
        fs::write(rig.path(), bytes).unwrap();
        rig
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    fn kept(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("journal.damaged.{number}"))
    }

    fn run(&self, action: JournalAction) -> (u8, String, String) {
        run_on(action, self.path())
    }

    /// Its records as `dump` tells them, without where they lie.
    fn dumped(&self) -> Vec<String> {
        let (_, out, _) = self.run(JournalAction::Dump);
        out.lines()
            .map(|line| {
                let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
                value.as_object_mut().unwrap().remove("offset");
                value.to_string()
            })
            .collect()
    }
}

/// On the journal of the server that is configured for the rig's folder.
fn run_own(action: JournalAction, rig: &Rig) -> (u8, String, String) {
    let machine = crate::config::Machine {
        env_file: PathBuf::from("/nonexistent/postern.env"),
        ..crate::config::Machine::detect()
    };
    let load = || Config::load_on(&machine, [("STATE_DIR", rig.folder.path())], None);
    with_terminal(b"", |terminal| run(action, None, load, terminal).unwrap())
}

fn run_on(action: JournalAction, path: PathBuf) -> (u8, String, String) {
    with_terminal(b"", |terminal| {
        run(action, Some(path), || unreachable!(), terminal).unwrap()
    })
}

fn logout(number: u8) -> Record {
    Record::FamilyRevoked {
        family: Id([number; 16]),
        expires: AT + Duration::from_secs(1_000_000_000),
    }
}

fn records() -> Vec<Record> {
    vec![
        Record::Mark { at: AT },
        Record::Password {
            generation: 2,
            origin: PasswordOrigin::Changed,
            at: AT,
            hash: HASH.to_owned(),
            spared: None,
        },
        logout(1),
        logout(2),
        logout(3),
        Record::LockOut {
            client: ClientKey::Network([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2], Interface::NONE),
            until: AT,
        },
    ]
}

#[test]
fn a_whole_journal_is_0_everywhere_and_nothing_is_changed() {
    let rig = Rig::new();
    let before = fs::read(rig.path()).unwrap();
    for action in [
        STAT,
        JournalAction::Stat { json: true },
        JournalAction::Verify,
        JournalAction::Dump,
        REPAIR,
    ] {
        let (status, out, err) = rig.run(action);
        assert_eq!((status, err.as_str()), (0, ""), "{action:?}");
        assert!(!out.is_empty());
        assert_eq!(fs::read(rig.path()).unwrap(), before, "{action:?}");
    }
    let (_, out, _) = rig.run(JournalAction::Verify);
    assert!(out.contains(": whole: 6 records, "), "{out}");
    assert!(!rig.kept(1).exists());
}

#[test]
fn dump_tells_every_record_and_no_secret() {
    let (_, out, _) = Rig::new().run(JournalAction::Dump);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        lines[..3],
        [
            r#"{"type":"mark","offset":40,"at":"2026-11-18T11:06:40.000Z"}"#,
            r#"{"type":"password","offset":52,"generation":2,"origin":"changed","at":"2026-11-18T11:06:40.000Z","cost":12}"#,
            r#"{"type":"family_revoked","offset":130,"family":"01010101010101010101010101010101","expires":"2058-07-27T12:53:20.000Z"}"#,
        ]
    );
    assert!(lines[5].contains(r#""client":"2001:db8:1:2::/64""#));
    assert!(!out.contains("KIXQ"), "{out}");
}

#[test]
fn stat_counts_what_a_compaction_would_keep_and_what_not() {
    let rig = Rig::damaged(|rig, bytes| {
        let logout = bytes[rig.starts[2]..rig.starts[3]].to_vec();
        // The password, header, mark and three logouts are 214 bytes; the lock-out is over.
        for _ in 0..7 {
            bytes.extend_from_slice(&logout);
        }
    });
    let (_, out, _) = rig.run(JournalAction::Stat { json: true });
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["records"], 13);
    assert_eq!(told["records_by_kind"]["family_revoked"], 10);
    assert_eq!((&told["live"], &told["expired"]), (&5.into(), &8.into()));
    assert_eq!(told["bytes"], 214 + 20 + 7 * 28);
    assert_eq!(told["waste_percent"], 216 * 100 / 430);
    assert_eq!(told["newest_mark"], "2026-11-18T11:06:40.000Z");
    assert_eq!(told["damaged"], false);
}

#[test]
fn a_torn_tail_is_harmless_and_said_so() {
    let rig = Rig::damaged(|_, bytes| bytes.truncate(bytes.len() - 3));
    let (status, out, _) = rig.run(JournalAction::Verify);
    assert_eq!(status, 0);
    assert!(
        out.contains("5 records whole") && out.contains("torn tail of 17 bytes"),
        "{out}"
    );
    assert!(rig.run(REPAIR).1.contains("nothing to repair"));
    let last = rig.dumped().pop().unwrap();
    assert_eq!(last, r#"{"bytes":17,"type":"torn_tail"}"#);
}

#[test]
fn damage_is_1_with_its_places_and_repair_keeps_the_file_and_all_that_is_whole() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[3] + 5] ^= 1);
    let found = fs::read(rig.path()).unwrap();
    let (status, out, _) = rig.run(JournalAction::Verify);
    assert_eq!(status, 1);
    for part in [
        "5 records whole",
        "28 bytes lost",
        "at offset 158: 28 bytes",
        "postern journal repair",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(rig.run(STAT).1.contains("damaged: 5 records whole"));
    let mut whole = rig.dumped();
    assert_eq!(whole.remove(3), r#"{"bytes":28,"type":"damage"}"#);

    let (status, out, err) = rig.run(REPAIR);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(
        out.contains("5 records") && out.contains("number 2"),
        "{out}"
    );
    assert_eq!(rig.dumped(), whole);
    assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
    for path in [rig.path(), rig.kept(1)] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(rig.run(JournalAction::Verify).0, 0);
}

#[test]
fn a_kept_file_is_never_written_over() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[3] + 5] ^= 1);
    fs::write(rig.kept(1), b"earlier").unwrap();
    assert_eq!(rig.run(REPAIR).0, 0);
    assert_eq!(fs::read(rig.kept(1)).unwrap(), b"earlier");
    assert!(rig.kept(2).exists());
}

#[test]
fn either_copy_of_the_header_is_enough() {
    for copy in [0, HEADER_LEN] {
        let rig = Rig::damaged(|_, bytes| bytes[copy..copy + HEADER_LEN].fill(0xff));
        let (status, out, _) = rig.run(JournalAction::Verify);
        assert_eq!(status, 1);
        assert!(
            out.contains("6 records whole, 20 bytes lost") && out.contains("one copy is damaged"),
            "{out}"
        );
        let mut dumped = rig.dumped();
        assert_eq!(dumped.pop().unwrap(), r#"{"type":"damaged_header"}"#);
        assert_eq!(dumped, Rig::new().dumped());
        assert_eq!(rig.run(REPAIR).0, 0);
        assert_eq!(rig.dumped(), Rig::new().dumped());
    }
}

#[test]
fn without_a_header_no_command_reads_it_and_each_says_what_to_do() {
    // The least there can be: a bit in each copy.
    let rig = Rig::damaged(|_, bytes| {
        bytes[13] ^= 1;
        bytes[HEADER_LEN + 13] ^= 1;
    });
    let found = fs::read(rig.path()).unwrap();
    let told = |(status, out, err): (u8, String, String), expected| {
        assert_eq!((status, out.as_str()), (expected, ""), "{err}");
        for part in [
            "both copies of its header are damaged",
            "Put back a copy of the file",
            "repair --yes",
            "the next start is a first one",
        ] {
            assert!(err.contains(part), "{part}: {err}");
        }
    };
    for action in [STAT, JournalAction::Verify, JournalAction::Dump] {
        told(rig.run(action), 2);
        told(run_own(action, &rig), 2);
    }
    told(run_own(JournalAction::Compact, &rig), 2);
    told(rig.run(REPAIR), 1);
    told(run_own(REPAIR, &rig), 1);
    assert_eq!(fs::read(rig.path()).unwrap(), found);
    assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), 1);
    assert_eq!(rig.run(REPAIR_YES).0, 0);
    assert!(!rig.path().exists());
    assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
}

#[test]
fn a_lost_password_is_said_before_it_is_done() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[1] + 20] ^= 1);
    let found = fs::read(rig.path()).unwrap();
    let (status, out, _) = rig.run(JournalAction::Verify);
    assert!(status == 1 && out.contains("first password again"), "{out}");
    let (status, _, err) = rig.run(REPAIR);
    assert_eq!(status, 1);
    assert!(
        err.contains("first password again") && err.contains("--yes"),
        "{err}"
    );
    assert_eq!(fs::read(rig.path()).unwrap(), found);
    assert!(!rig.kept(1).exists());
    assert_eq!(rig.run(REPAIR_YES).0, 0);
    assert_eq!(rig.dumped().len(), 5);
    assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
}

#[test]
fn of_which_nothing_can_be_saved_is_set_aside_with_consent_only() {
    let rig = Rig::damaged(|_, bytes| bytes.fill(0));
    assert_eq!(run_own(JournalAction::Verify, &rig).0, 2);
    assert_eq!(run_own(REPAIR, &rig).0, 1);
    assert!(rig.path().exists());
    let (status, out, _) = run_own(REPAIR_YES, &rig);
    assert_eq!(status, 0);
    assert!(out.contains("first start"), "{out}");
    // The next start makes a new key by itself.
    assert!(!out.contains("remove `secret-key`"), "{out}");
    assert!(!rig.path().exists() && rig.kept(1).exists());
}

#[test]
fn a_file_that_is_no_journal_is_left_alone_whatever_is_agreed_to() {
    let rig = Rig::damaged(|_, bytes| *bytes = b"#!/bin/sh\nexit 0\n".to_vec());
    for action in [JournalAction::Verify, REPAIR, REPAIR_YES] {
        let (status, out, err) = rig.run(action);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains("this does not look like a journal"), "{err}");
        assert_eq!(fs::read(rig.path()).unwrap(), b"#!/bin/sh\nexit 0\n");
    }
    assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), 1);
}

#[test]
fn damage_to_the_last_record_is_told_and_the_file_kept() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[5] + 6] ^= 1);
    let found = fs::read(rig.path()).unwrap();
    let (status, out, _) = rig.run(JournalAction::Verify);
    assert_eq!(status, 1);
    assert!(out.contains("at offset 214: 20 bytes"), "{out}");
    assert_eq!(
        rig.dumped().pop().unwrap(),
        r#"{"bytes":20,"type":"damage"}"#
    );
    assert_eq!(rig.run(REPAIR).0, 0);
    assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
}

#[test]
fn without_a_whole_record_all_commands_say_the_same() {
    let broken: fn(&Rig, &mut Vec<u8>) = |rig, bytes| {
        for start in &rig.starts[..6] {
            bytes[start + 4] ^= 1;
        }
    };
    for damage in [
        broken,
        |_, bytes| bytes.truncate(FRAMES_START),
        |_, bytes| bytes.truncate(30),
        |_, bytes| bytes.truncate(3),
    ] {
        let rig = Rig::damaged(damage);
        let found = fs::read(rig.path()).unwrap();
        let (status, out, _) = rig.run(JournalAction::Verify);
        assert!(status == 1 && out.contains("not one record"), "{out}");
        let (_, out, _) = rig.run(STAT);
        assert!(out.contains("not one record"), "{out}");
        let (status, _, err) = rig.run(REPAIR);
        assert!(status == 1 && err.contains("not one record"), "{err}");
        assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), 1);
        assert_eq!(rig.run(REPAIR_YES).0, 0);
        assert!(!rig.path().exists());
        assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
    }
}

#[test]
fn a_journal_that_was_cut_before_its_password_is_1_and_says_what_it_means() {
    let rig = Rig::damaged(|rig, bytes| bytes.truncate(rig.starts[1]));
    let found = fs::read(rig.path()).unwrap();
    let (status, out, _) = rig.run(JournalAction::Verify);
    assert_eq!(status, 1);
    for part in ["no password", "first password again", "SECRET_KEY"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (status, _, err) = rig.run(REPAIR);
    assert!(status == 1 && err.contains("--yes"), "{err}");
    assert_eq!(fs::read(rig.path()).unwrap(), found);
    assert_eq!(rig.run(REPAIR_YES).0, 0);
    assert_eq!(fs::read(rig.kept(1)).unwrap(), found);
}

#[test]
fn what_is_advised_for_a_named_file_is_for_that_file() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[1] + 20] ^= 1);
    let named = format!("postern journal repair --yes {}", rig.path().display());
    assert!(rig.run(JournalAction::Verify).1.contains(&named));
    assert!(rig.run(REPAIR).2.contains(&named));
    let (_, _, err) = run_own(REPAIR, &rig);
    assert!(err.ends_with("postern journal repair --yes\n"), "{err}");
}

#[test]
fn an_empty_file_is_the_same_to_all_commands() {
    let rig = Rig::damaged(|_, bytes| bytes.clear());
    let said = rig.run(STAT);
    assert!(said.0 == 2 && said.2.contains("it is empty"), "{}", said.2);
    for action in [
        JournalAction::Verify,
        JournalAction::Dump,
        REPAIR,
        REPAIR_YES,
    ] {
        assert_eq!(rig.run(action), said, "{action:?}");
    }
}

#[test]
fn a_repair_that_fails_leaves_no_second_name_behind() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[3] + 5] ^= 1);
    let found = fs::read(rig.path()).unwrap();
    // In the way of the new file.
    fs::create_dir(rig.folder.path().join("journal.new")).unwrap();
    assert_eq!(rig.run(REPAIR).0, 1);
    assert_eq!(fs::read(rig.path()).unwrap(), found);
    assert!(!rig.kept(1).exists());
    assert!(!rig.folder.path().join("lock").exists(), "nor a lock");
}

#[test]
fn a_link_is_not_followed() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[3] + 5] ^= 1);
    let before = fs::read(rig.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join(FILE_NAME);
    std::os::unix::fs::symlink(rig.path(), &link).unwrap();
    for action in [REPAIR, JournalAction::Compact, JournalAction::Verify] {
        let (status, _, err) = run_on(action, link.clone());
        assert!(status == 2 && err.contains("this is a link"), "{err}");
    }
    assert_eq!(fs::read(rig.path()).unwrap(), before);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn repair_and_compact_leave_a_running_server_alone_and_the_others_do_not_mind_it() {
    let rig = Rig::damaged(|rig, bytes| bytes[rig.starts[3] + 5] ^= 1);
    let server = FileStorage::open(rig.folder.path()).unwrap();
    let (status, _, err) = rig.run(REPAIR);
    assert!(status == 1 && err.contains("running"), "{err}");
    assert_eq!(rig.run(JournalAction::Verify).0, 1);
    let whole = Rig::new();
    let other = FileStorage::open(whole.folder.path()).unwrap();
    let (status, _, err) = whole.run(JournalAction::Compact);
    assert!(status == 1 && err.contains("itself"), "{err}");
    drop((server, other));
    assert_eq!(rig.run(JournalAction::Compact).0, 1, "damaged");
    assert_eq!(rig.run(REPAIR).0, 0);
}

#[test]
fn compact_leaves_out_what_is_over() {
    let rig = Rig::damaged(|_, bytes| {
        let salt = Salt::new([4, 3, 2, 1]);
        for _ in 0..4000 {
            encode(&Record::Mark { at: AT }, salt, bytes).unwrap();
            encode(&logout(9), salt, bytes).unwrap();
        }
    });
    let before = fs::metadata(rig.path()).unwrap().len();
    let (status, out, err) = rig.run(JournalAction::Compact);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains(&format!("{before} bytes before")), "{out}");
    assert!(fs::metadata(rig.path()).unwrap().len() < 500);
    let left = rig.dumped();
    for number in [1, 2, 3, 9] {
        let id = format!("{number:02x}").repeat(16);
        assert!(left.iter().any(|line| line.contains(&id)), "{number}");
    }
}

#[test]
fn no_journal_or_one_beyond_reason_is_2_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge");
    let file = fs::File::create(&huge).unwrap();
    // A hole: it takes no room on the disk, and would take all of the memory.
    let terabyte = file.set_len(1 << 40).is_ok();
    let newer = folder.path().join("newer");
    let mut bytes = headers(Salt::new([1; 4]));
    for copy in [0, 20] {
        bytes[copy + 8] = 2;
        let checksum = crc32fast::hash(&bytes[copy..copy + 16]);
        bytes[copy + 16..copy + 20].copy_from_slice(&checksum.to_le_bytes());
    }
    fs::write(&newer, bytes).unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, b"").unwrap();
    for path in [folder.path().join("state/journal"), huge, newer.clone()] {
        if path.ends_with("huge") && !terabyte {
            continue;
        }
        for action in [STAT, JournalAction::Verify, JournalAction::Dump, REPAIR_YES] {
            let (status, out, err) = run_on(action, path.clone());
            assert_eq!((status, out.as_str()), (2, ""), "{action:?} {err}");
            assert!(err.starts_with("postern: "), "{err}");
        }
    }
    assert_eq!(run_on(JournalAction::Verify, empty).0, 2);
    assert_eq!(fs::read(&newer).unwrap(), bytes);
    assert!(!folder.path().join("state").exists());
}

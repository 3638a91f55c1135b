//! What becomes of the log when the file system fails, is full, or loses power, at each single step.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::audit::files::{FileCalls, RealCalls};
use crate::audit::folder::path;
use crate::audit::tests::clock;
use crate::audit::verify;

/// A file system that fails from some call on, and counts.
#[derive(Clone, Default)]
pub(in crate::audit) struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: usize,
    writes: usize,
    /// The call from which on all fail, and how many bytes a write takes before it does.
    fails: Option<(usize, usize)>,
}

impl Faulty {
    pub fn writes(&self) -> usize {
        self.0.lock().writes
    }

    fn calls(&self) -> usize {
        self.0.lock().calls
    }

    fn fail_from(&self, call: usize, taken: usize) {
        let mut state = self.0.lock();
        state.calls = 0;
        state.fails = Some((call, taken));
    }

    fn work_again(&self) {
        self.0.lock().fails = None;
    }

    fn begin(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.calls += 1;
        match state.fails {
            Some((call, _)) if state.calls > call => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl FileCalls for Faulty {
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let begun = self.begin();
        let mut state = self.0.lock();
        state.writes += 1;
        if let (Err(_), Some((_, taken))) = (&begun, state.fails) {
            file.write_all(&bytes[..taken.min(bytes.len())])?;
        }
        begun?;
        RealCalls.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.begin()?;
        RealCalls.sync(file)
    }

    fn cut(&self, file: &File, len: u64) -> io::Result<()> {
        self.begin()?;
        RealCalls.cut(file, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin()?;
        RealCalls.rename(from, to)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.begin()?;
        RealCalls.open(path)
    }
}

const LIMIT: u64 = 4096;

struct Fixture {
    folder: TempDir,
    calls: Faulty,
    writer: AuditWriter,
    now: Instant,
    recorded: u64,
}

impl Fixture {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        let calls = Faulty::default();
        let files = AuditFiles::new(folder.path(), LIMIT, Box::new(calls.clone()));
        Self {
            writer: AuditWriter::new(files, LIMIT, clock(), false),
            folder,
            calls,
            now: Instant::now(),
            recorded: 0,
        }
    }

    /// A kill, and a start on a file system that works.
    fn restarted(self) -> Self {
        Self::at(self.folder)
    }

    /// Records so many events, each with its own number in it, and writes them if that can be done.
    fn record(&mut self, count: u64) {
        let first = self.recorded;
        self.recorded += count;
        let mut entries: Vec<_> = (first..self.recorded)
            .map(|n| QueuedEntry {
                body: format!("\"event\":\"login\",\"n\":{n}"),
                delay: Duration::ZERO,
                kind: EventKind::Login,
                others: 0,
            })
            .collect();
        let mut queue = || EventBatch {
            entries: std::mem::take(&mut entries),
            omitted: 0,
            due: None,
        };
        self.writer.work(&mut queue, self.now);
    }

    fn work(&mut self) -> Option<Instant> {
        self.writer.work(&mut EventBatch::default, self.now)
    }

    fn entries(&self) -> Vec<Value> {
        let lines = self.writer.page(u64::MAX, usize::MAX).unwrap();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn numbers(&self) -> Vec<u64> {
        self.entries()
            .iter()
            .filter_map(|entry| entry["n"].as_u64())
            .collect()
    }

    fn details(&self) -> Vec<String> {
        let entries = self.entries();
        let told = entries.iter().filter_map(|entry| entry["detail"].as_str());
        told.map(str::to_owned).collect()
    }

    fn is_whole(&self) {
        let report = verify(self.folder.path()).unwrap();
        assert!(report.whole(), "{:?}", report.problems);
    }

    fn file(&self, number: usize) -> std::path::PathBuf {
        path(self.folder.path(), number)
    }
}

/// Fills the files so that the next batch rotates them all.
fn about_to_rotate() -> Fixture {
    let mut f = Fixture::new();
    for _ in 0..200 {
        if f.file(3).exists() {
            break;
        }
        f.record(1);
    }
    assert!(f.file(3).exists());
    let len = || fs::metadata(f.file(0)).unwrap().len();
    let mut before = len();
    // Up to just below the limit.
    loop {
        f.record(1);
        let len = fs::metadata(f.file(0)).unwrap().len();
        if LIMIT - len < 2 * (len - before) {
            return f;
        }
        before = len;
    }
}

#[test]
fn rotation_keeps_the_chain_and_the_size() {
    let mut f = Fixture::new();
    for _ in 0..500 {
        f.record(1);
    }
    f.is_whole();
    let mut bytes = 0;
    for number in 0..4 {
        let len = fs::metadata(f.file(number)).unwrap().len();
        assert!(len <= LIMIT, "{number}: {len}");
        bytes += len;
    }
    assert!(bytes > 3 * LIMIT * 9 / 10, "{bytes}");
    assert!(!f.file(4).exists());
    let numbers = f.numbers();
    assert_eq!(numbers.last(), Some(&499));
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    // And after a restart.
    let recorded = f.recorded;
    let mut f = f.restarted();
    f.recorded = recorded;
    f.record(30);
    f.is_whole();
    assert_eq!(f.details(), [""; 0]);
}

#[test]
fn a_kill_between_any_two_steps_loses_nothing_that_was_kept() {
    for taken in [0, 1, 100, usize::MAX] {
        for step in 0.. {
            let mut f = about_to_rotate();
            let last = f.recorded - 1;
            f.calls.fail_from(step, taken);
            f.record(2);
            let ended = f.calls.calls() <= step;
            let oldest = f.numbers()[0];
            let mut f = f.restarted();
            f.work();
            let kept = f.numbers();
            assert!(kept.contains(&last), "step {step}: {kept:?}");
            assert!(
                kept.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                "step {step}: {kept:?}"
            );
            // The oldest file alone may be gone.
            assert!(kept[0] <= oldest + LIMIT / 100, "step {step}");
            f.recorded = last + 3;
            f.record(5);
            f.now += Duration::from_secs(60);
            f.work();
            f.is_whole();
            assert!(f.numbers().contains(&(last + 7)));
            if ended {
                assert!(step >= 6, "the rotation has its steps");
                break;
            }
        }
    }
}

#[test]
fn a_failing_disk_loses_nothing_that_there_is_room_for_and_says_so() {
    for taken in [0, 1, 100, usize::MAX] {
        for step in 0..8 {
            let mut f = about_to_rotate();
            let first = f.recorded;
            f.calls.fail_from(step, taken);
            f.record(1);
            f.now += RETRY;
            f.record(1);
            if f.writer.healthy() {
                continue;
            }
            // They are shown all the same.
            assert!(f.numbers().ends_with(&[first, first + 1]), "step {step}");
            f.calls.work_again();
            let next = f.work().expect("it is tried again");
            assert!(next > f.now && next <= f.now + RETRY);
            f.now = next;
            assert_eq!(f.work(), None);
            assert!(f.writer.healthy(), "step {step}");
            assert!(f.numbers().ends_with(&[first, first + 1]), "step {step}");
            f.is_whole();
        }
    }
}

#[test]
fn what_a_full_disk_leaves_no_room_for_is_counted() {
    let mut f = Fixture::new();
    f.record(1);
    f.calls.fail_from(0, 10);
    for _ in 0..300 {
        f.record(1);
        f.now += Duration::from_secs(2);
    }
    assert!(!f.writer.healthy());
    let waits = f.writer.waiting.len() as u64;
    assert!(waits <= LIMIT && f.calls.writes() < 300, "{waits}");
    f.calls.work_again();
    f.now += OMITTED;
    while f.work().is_some_and(|next| next <= f.now + OMITTED) {
        f.now += RETRY;
    }
    assert!(f.writer.healthy());
    let omitted: u64 = f
        .entries()
        .iter()
        .filter_map(|entry| entry["omitted"].as_u64())
        .sum();
    assert_eq!(f.numbers().len() as u64 + omitted, 301);
    assert!(omitted > 200);
    f.is_whole();
}

#[test]
fn a_torn_last_line_is_cut_wherever_it_was_torn_and_that_is_told() {
    let mut f = Fixture::new();
    f.record(3);
    let bytes = fs::read(f.file(0)).unwrap();
    let last = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap()
        + 1;
    for cut in last..bytes.len() {
        for zeros in [0, 4096] {
            let folder = tempfile::tempdir().unwrap();
            let mut torn = bytes[..cut].to_vec();
            torn.resize(cut + zeros, 0);
            fs::write(path(folder.path(), 0), &torn).unwrap();
            let mut f = Fixture::at(folder);
            f.work();
            f.recorded = 3;
            f.record(1);
            f.is_whole();
            assert_eq!(f.numbers(), [0, 1, 3]);
            let torn = cut - last + zeros;
            let told = format!("a torn line of {torn} bytes was cut off");
            let expected = if torn == 0 { vec![] } else { vec![told] };
            assert_eq!(f.details(), expected);
        }
    }
}

#[test]
fn a_first_line_that_was_torn_leaves_a_first_log() {
    let mut f = Fixture::new();
    f.record(1);
    let bytes = fs::read(f.file(0)).unwrap();
    for cut in [9, 60, bytes.len() - 1] {
        fs::write(f.file(0), &bytes[..cut]).unwrap();
        f = f.restarted();
        f.work();
        f.is_whole();
        assert_eq!(f.details().len(), 1);
        fs::remove_file(f.file(0)).unwrap();
    }
}

#[test]
fn what_is_no_log_is_set_aside_and_the_new_chain_says_so() {
    type Put = fn(&Path);
    let puts: [Put; 6] = [
        |path| fs::write(path, vec![b'x'; 300_000]).unwrap(),
        |path| fs::write(path, "some text\nof somebody\n").unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap(),
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        // A gigabyte, of which none is there.
        |path| File::create(path).unwrap().set_len(1 << 30).unwrap(),
    ];
    for (index, put) in puts.into_iter().enumerate() {
        for older in [false, true] {
            let mut f = Fixture::new();
            if older {
                while !f.file(1).exists() {
                    f.record(1);
                }
                fs::remove_file(f.file(0)).unwrap();
            }
            put(&f.file(0));
            let mut f = f.restarted();
            f.record(1);
            assert!(f.writer.healthy() && !f.writer.ours(), "{index}");
            assert_eq!(f.details().len(), 1, "{index}");
            assert!(fs::symlink_metadata(f.folder.path().join("audit.log.damaged.1")).is_ok());
            let report = verify(f.folder.path()).unwrap();
            assert_eq!(report.problem_count, 1, "{index}: {:?}", report.problems);
            assert!(report.problems[0].what.contains("new chain"), "{index}");
            assert!(fs::metadata("/etc/passwd").is_ok());
        }
    }
}

#[test]
fn a_line_that_rotted_stays_where_it_is_and_the_chain_goes_on_behind_it() {
    let mut f = Fixture::new();
    f.record(3);
    let mut bytes = fs::read(f.file(0)).unwrap();
    let at = bytes.len() - 40;
    bytes[at] = 0xff;
    fs::write(f.file(0), &bytes).unwrap();
    let mut f = f.restarted();
    f.recorded = 3;
    f.record(1);
    assert_eq!(f.numbers(), [0, 1, 3]);
    assert_eq!(f.details(), ["1 lines before this cannot be read"]);
    let report = verify(f.folder.path()).unwrap();
    assert_eq!(report.problem_count, 1, "{:?}", report.problems);
    assert_eq!(report.problems[0].line, 3);
}

#[test]
fn a_log_that_is_gone_at_a_start_is_told_but_for_the_first() {
    for used_before in [false, true] {
        let mut f = Fixture::new();
        f.writer.used_before = used_before;
        f.record(1);
        f.work();
        let told = f.details().iter().any(|text| text.contains("run here"));
        assert_eq!(told, used_before);
        // A plug pulled in the first second leaves the same.
        assert!(f.writer.ours());
        f.is_whole();
    }
}

#[test]
fn a_card_that_does_not_answer_is_nobodys_hand() {
    let mut f = Fixture::new();
    f.record(1);
    let (folder, away) = (f.folder.path().to_owned(), tempfile::tempdir().unwrap());
    let away = away.path().join("folder");
    fs::rename(&folder, &away).unwrap();
    // Nothing can be asked of a name below that.
    fs::write(&folder, "").unwrap();
    f.record(1);
    assert!(!f.writer.healthy() && f.writer.ours());
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    f.now += RETRY;
    f.work();
    assert!(f.writer.healthy() && f.writer.ours());
    assert_eq!(f.numbers(), [0, 1]);
    f.is_whole();
}

#[test]
fn what_somebody_does_to_the_file_of_a_running_server_is_told_and_shows() {
    type Act = fn(&Path);
    let acts: [Act; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(100)
                .unwrap();
        },
        |path| {
            let copy = path.with_extension("copy");
            let text = fs::read_to_string(path).unwrap();
            let lines: Vec<_> = text
                .lines()
                .enumerate()
                .filter(|(at, _)| *at != 1)
                .collect();
            let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
            fs::write(&copy, lines.join("\n") + "\n").unwrap();
            fs::rename(copy, path).unwrap();
        },
        |path| {
            let mut file = File::options().append(true).open(path).unwrap();
            file.write_all(b"something else\n").unwrap();
        },
    ];
    for (index, act) in acts.into_iter().enumerate() {
        let mut f = Fixture::new();
        f.record(5);
        assert!(f.writer.ours(), "{index}");
        act(&f.file(0));
        f.record(1);
        f.work();
        assert!(f.writer.healthy() && !f.writer.ours(), "{index}");
        let details = f.details();
        assert!(
            details[0].contains("changed or removed"),
            "{index}: {details:?}"
        );
        assert!(f.numbers().contains(&5), "{index}");
        let report = verify(f.folder.path()).unwrap();
        // A log from which all is gone begins with a number that is not 1: as if the rest had been rotated away.
        assert!(
            !report.whole() || report.first == Some(6),
            "{index}: {report:?}"
        );
        f.now += RETRY;
        f.record(1);
        assert!(
            f.writer.healthy() && f.numbers().ends_with(&[5, 6]),
            "{index}"
        );
    }
}

impl Fixture {
    /// So many logins of as many users, and one rare event among them.
    fn burst(&mut self, logins: u64, rare: &str) {
        let entry = |body: String, kind| QueuedEntry {
            kind,
            body,
            others: 0,
            delay: Duration::ZERO,
        };
        let kind = EventKind::ALL.into_iter().find(|kind| kind.name() == rare);
        let mut entries: Vec<_> = (0..logins)
            .map(|n| {
                entry(
                    format!("\"event\":\"login\",\"user\":\"{n}\""),
                    EventKind::Login,
                )
            })
            .collect();
        let middle = entries.len() / 2;
        entries.insert(
            middle,
            entry(format!("\"event\":\"{rare}\""), kind.unwrap()),
        );
        let mut queue = || EventBatch {
            entries: std::mem::take(&mut entries),
            ..EventBatch::default()
        };
        self.writer.work(&mut queue, self.now);
        while self.work().is_some_and(|next| next <= self.now) {}
    }

    fn events(&self, event: &str) -> Vec<Value> {
        let mut entries = self.entries();
        entries.retain(|entry| entry["event"] == event);
        entries
    }
}

#[test]
fn neither_a_burst_nor_any_number_of_rotations_costs_what_is_rare() {
    let mut f = Fixture::new();
    f.burst(300, "password_change");
    for _ in 0..20 {
        f.burst(300, "start");
        f.is_whole();
    }
    assert_eq!(f.events("omitted").len(), 0, "a disk that works takes all");
    assert!(f.writer.ours());
    assert_eq!(f.events("password_change").len(), 1);
    let starts: u64 = f
        .events("start")
        .iter()
        .map(|start| 1 + start["repeated"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(starts, 20);
    let report = verify(f.folder.path()).unwrap();
    assert!(report.kept > 0, "{report:?}");
    // In the order of their numbers, each once, page by page.
    let (mut before, mut numbers) = (u64::MAX, Vec::new());
    loop {
        let page = f.writer.page(before, 7).unwrap();
        let seq = |line: &String| line::ChainLink::of(line.as_bytes()).unwrap().seq;
        let found: Vec<_> = page.iter().map(seq).collect();
        let Some(first) = found.first() else { break };
        before = *first;
        numbers.splice(0..0, found);
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(numbers.len(), f.entries().len());
    // Also by a restart, and by one that has lost the log itself.
    let last = *numbers.last().unwrap();
    let mut f = f.restarted();
    for number in 0..4 {
        fs::remove_file(f.file(number)).unwrap();
    }
    f.record(1);
    assert_eq!(f.events("password_change").len(), 1);
    let newest = f.entries().last().unwrap()["seq"].as_u64().unwrap();
    let kept = verify(f.folder.path()).unwrap().kept;
    assert!(newest > kept && newest <= last, "{newest}");
}

#[test]
fn what_is_rare_outlasts_a_disk_that_takes_nothing_for_long() {
    let mut f = Fixture::new();
    f.record(1);
    f.calls.fail_from(0, 0);
    f.now += RETRY;
    for _ in 0..500 {
        f.burst(1, "certificate");
    }
    f.burst(1, "password_change");
    f.calls.work_again();
    f.now += RETRY;
    while f.work().is_some_and(|next| next <= f.now) {}
    assert_eq!(f.events("password_change").len(), 1);
    let certificates: u64 = f
        .events("certificate")
        .iter()
        .map(|it| 1 + it["repeated"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(certificates, 500);
    f.is_whole();
}

#[test]
fn what_is_rare_and_was_changed_is_found_out_and_set_aside() {
    let mut f = Fixture::new();
    let count = |path: &Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    while count(&f.file(4)) < 3 {
        f.burst(40, "password_change");
    }
    let kept = f.file(4);
    let text = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, text.replacen("password_change", "certificate", 1)).unwrap();
    let report = verify(f.folder.path()).unwrap();
    assert_eq!(report.problem_count, 1, "{report:?}");
    assert_eq!(report.problems[0].file, "audit.log.kept");
    for _ in 0..20 {
        f.burst(40, "certificate");
    }
    assert!(!f.writer.ours());
    assert!(f.details().iter().any(|text| text.contains("kept.damaged")));
    assert!(f.folder.path().join("audit.log.kept.damaged").exists());
    f.is_whole();
}

#[test]
fn a_kill_between_any_two_steps_of_a_rotation_leaves_what_is_rare() {
    for step in 0..16 {
        let mut f = Fixture::new();
        f.burst(5, "password_change");
        while !f.file(3).exists() {
            f.record(1);
        }
        f.calls.fail_from(step, 0);
        f.record(60);
        let mut f = f.restarted();
        f.recorded = 1000;
        for _ in 0..100 {
            f.record(1);
        }
        assert_eq!(f.events("password_change").len(), 1, "step {step}");
        f.is_whole();
    }
}

#[test]
fn word_of_a_log_is_left_once_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    fs::write(&lock, "").unwrap();
    let mut f = Fixture::at(folder);
    f.work();
    assert_eq!(fs::metadata(&lock).unwrap().len(), 0);
    f.record(1);
    assert!(fs::metadata(&lock).unwrap().len() > 0);
}

//! What following a file promises, with real files and time turned by hand.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::super::tail::{COMPARED, LEFT_QUIET, PARTIAL_PATIENCE};
use super::super::watch::POLL;
use super::*;

struct Bench {
    folder: tempfile::TempDir,
    follower: Follower,
    now: Moment,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let follower = Follower::new(folder.path().join("app.log"));
        Self {
            folder,
            follower,
            now: Moment::default(),
        }
    }

    /// A bench whose empty file is being followed.
    fn following() -> Self {
        let mut bench = Self::new();
        bench.append("");
        assert_eq!(bench.poll(), (FileState::Following, vec![]));
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.log")
    }

    fn append(&self, text: impl AsRef<[u8]>) {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(self.path()).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn rotate(&self) -> PathBuf {
        let old = self.folder.path().join("app.log.1");
        fs::rename(self.path(), &old).unwrap();
        old
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    fn poll(&mut self) -> (FileState, Vec<String>) {
        let mut lines = Vec::new();
        loop {
            let now = self.now;
            let (state, more) = self.follower.poll(now, &mut |line| lines.push(line.text));
            if !more {
                return (state, lines);
            }
        }
    }

    fn lines(&mut self) -> Vec<String> {
        self.poll().1
    }
}

#[test]
fn a_file_that_is_there_is_followed_from_its_end() {
    let mut bench = Bench::new();
    bench.append("old\nhalf");
    assert_eq!(bench.lines(), [""; 0]);
    bench.append(" a line\nnew\r\n");
    assert_eq!(bench.lines(), [" a line", "new"]);
    assert_eq!(bench.lines(), [""; 0]);
}

#[test]
fn a_file_that_appears_later_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    assert_eq!(bench.poll(), (FileState::Waiting, vec![]));
    bench.append("first\n");
    assert_eq!(bench.poll(), (FileState::Following, vec!["first".into()]));
}

#[test]
fn rotation_loses_nothing_of_either_file_and_keeps_their_order() {
    let mut bench = Bench::following();
    bench.append("one\n");
    assert_eq!(bench.lines(), ["one"]);
    bench.append("two\n");
    let old = bench.rotate();
    assert_eq!(bench.poll(), (FileState::Waiting, vec!["two".into()]));
    bench.append("five\n");
    // The writer has not noticed yet.
    let mut late = OpenOptions::new().append(true).open(old).unwrap();
    late.write_all(b"three\n").unwrap();
    assert_eq!(bench.lines(), ["three"]);
    late.write_all(b"four, unfinished").unwrap();
    assert_eq!(bench.lines(), [""; 0]);
    bench.pass(PARTIAL_PATIENCE);
    assert_eq!(bench.lines(), ["four, unfinished", "five"]);
    bench.append("six\n");
    assert_eq!(bench.poll(), (FileState::Following, vec!["six".into()]));
}

#[test]
fn a_writer_that_never_lets_go_of_the_old_file_does_not_hide_the_new_one() {
    let mut bench = Bench::following();
    let old = bench.rotate();
    bench.append("new\n");
    let mut late = OpenOptions::new().append(true).open(old).unwrap();
    let mut seen = Vec::new();
    for _ in 0..20 {
        late.write_all(b"old\n").unwrap();
        seen.extend(bench.lines());
        bench.pass(POLL);
    }
    assert!(!seen.contains(&"new".to_string()));
    seen.extend(bench.lines());
    assert_eq!(seen.last().unwrap(), "new");
}

#[test]
fn what_a_late_writer_adds_to_the_renamed_file_is_read_beside_the_new_one() {
    let mut bench = Bench::following();
    let old = bench.rotate();
    bench.append("new\n");
    let mut late = OpenOptions::new().append(true).open(old).unwrap();
    assert_eq!(bench.lines(), [""; 0]);
    bench.pass(ROTATION_QUIET);
    assert_eq!(bench.lines(), ["new"]);
    // Each of them begins the wait anew.
    for n in 0..3 {
        bench.pass(LEFT_QUIET.saturating_sub(POLL));
        late.write_all(format!("late {n}\n").as_bytes()).unwrap();
        bench.append(format!("new {n}\n"));
        let mut seen = bench.lines();
        seen.sort();
        assert_eq!(seen, [format!("late {n}"), format!("new {n}")]);
    }
    assert_eq!(bench.follower.held().len(), 2);
    bench.pass(LEFT_QUIET);
    assert_eq!(bench.lines(), [""; 0]);
    assert_eq!(bench.follower.held().len(), 1);
    assert!(!bench.follower.is_pending());
}

#[test]
fn without_a_new_file_the_renamed_one_is_followed_until_it_is_deleted() {
    let mut bench = Bench::following();
    let old = bench.rotate();
    assert_eq!(bench.poll(), (FileState::Waiting, vec![]));
    bench.pass(Duration::from_secs(3600));
    let mut late = OpenOptions::new().append(true).open(&old).unwrap();
    late.write_all(b"late\n").unwrap();
    assert_eq!(bench.lines(), ["late"]);
    fs::remove_file(old).unwrap();
    late.write_all(b"later\n").unwrap();
    assert_eq!(bench.lines(), ["later"]);
    assert!(bench.follower.is_pending());
    bench.pass(LEFT_QUIET);
    assert_eq!(bench.poll(), (FileState::Waiting, vec![]));
    assert_eq!(bench.follower.held(), [], "its blocks are given back");
    bench.append("new\n");
    assert_eq!(bench.lines(), ["new"]);
}

#[test]
fn a_rotation_every_moment_holds_only_so_many_files_open() {
    let mut bench = Bench::following();
    let mut seen = Vec::new();
    for n in 0..50 {
        fs::rename(bench.path(), bench.folder.path().join(format!("old{n}"))).unwrap();
        bench.append(format!("{n}\n"));
        seen.extend(bench.lines());
        bench.pass(ROTATION_QUIET);
        seen.extend(bench.lines());
        assert!(bench.follower.held().len() <= MAX_OLD + 2);
    }
    let all: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_file_truncated_behind_an_unchanged_banner_is_read_from_its_beginning() {
    let banner = "B".repeat(COMPARED + 43);
    let mut bench = Bench::following();
    bench.append(format!("{banner}\nstart 1\n"));
    assert_eq!(bench.lines(), [&banner, "start 1"]);
    // As long as before, and longer, the second time after a start that finds the file.
    for n in [2, 3] {
        fs::write(bench.path(), format!("{banner}\nstart {n}\n")).unwrap();
        assert_eq!(bench.lines(), [banner.clone(), format!("start {n}")]);
    }
    fs::write(bench.path(), format!("{banner}\nstart 4\nand more\n")).unwrap();
    assert_eq!(bench.lines(), [&banner, "start 4", "and more"]);
    let mut late = Follower::new(bench.path());
    assert!(late.poll(bench.now, &mut |_| panic!("it is old")).0 == FileState::Following);
    bench.follower = late;
    bench.append("next\n");
    assert_eq!(bench.lines(), ["next"]);
    fs::write(bench.path(), format!("{banner}\nstart 5\nand more\nnext\n")).unwrap();
    assert_eq!(bench.lines().len(), 4);
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let mut bench = Bench::following();
    bench.append("one\ntwo\nhalf");
    assert_eq!(bench.lines(), ["one", "two"]);
    fs::write(bench.path(), "new\n").unwrap();
    assert_eq!(bench.lines(), ["half", "new"]);
}

#[test]
fn an_unfinished_line_waits_for_its_end_but_not_for_ever() {
    let mut bench = Bench::following();
    bench.append("be");
    assert_eq!(bench.lines(), [""; 0]);
    bench.pass(Duration::from_secs(1));
    bench.append("gun");
    assert_eq!(bench.lines(), [""; 0]);
    bench.pass(Duration::from_secs(1));
    bench.append(" and ended\n");
    assert_eq!(bench.lines(), ["begun and ended"]);
    bench.append("left");
    assert_eq!(bench.lines(), [""; 0]);
    bench.pass(PARTIAL_PATIENCE);
    assert_eq!(bench.lines(), ["left"]);
    assert_eq!(bench.lines(), [""; 0]);
}

#[test]
fn a_large_backlog_is_read_in_bounded_turns() {
    let mut bench = Bench::following();
    bench.append("0123456789\n".repeat(100_000));
    let now = bench.now;
    let mut count = 0;
    let (_, more) = bench.follower.poll(now, &mut |_| count += 1);
    assert!(more && count < 30_000);
    assert_eq!(count + bench.lines().len(), 100_000);
}

#[test]
fn what_is_no_regular_file_is_refused_without_hanging() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path()).unwrap();
    assert_eq!(bench.poll(), (FileState::NotAFile, vec![]));
    fs::remove_dir(bench.path()).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, bench.path(), fifo, 0o600.into(), 0).unwrap();
    assert_eq!(bench.poll(), (FileState::NotAFile, vec![]));
    fs::remove_file(bench.path()).unwrap();
    bench.append("a file at last\n");
    assert_eq!(
        bench.poll(),
        (FileState::Following, vec!["a file at last".into()])
    );
}

#[test]
fn a_folder_in_the_way_of_the_path_is_an_error_that_is_named() {
    let mut bench = Bench::new();
    bench.append("");
    bench.follower = Follower::new(bench.path().join("below"));
    let (FileState::Failed(error), _) = bench.poll() else {
        panic!("no error");
    };
    assert!(error.contains("Not a directory"), "{error}");
}

#[test]
fn a_file_put_back_under_its_name_is_simply_followed_on() {
    let mut bench = Bench::following();
    bench.append("one\n");
    let old = bench.rotate();
    assert_eq!(bench.lines(), ["one"]);
    fs::rename(old, bench.path()).unwrap();
    bench.append("two\n");
    assert_eq!(bench.lines(), ["two"]);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.poll(), (FileState::Following, vec![]));
}

#[test]
fn a_file_rewritten_to_the_same_size_or_more_is_read_from_its_beginning() {
    let mut bench = Bench::following();
    bench.append("one\ntwo\n");
    assert_eq!(bench.lines(), ["one", "two"]);
    fs::write(bench.path(), "1st\n2nd\n").unwrap();
    assert_eq!(bench.lines(), ["1st", "2nd"]);
    fs::write(bench.path(), "longer than it was\nbefore\n").unwrap();
    assert_eq!(bench.lines(), ["longer than it was", "before"]);
    bench.append("next\n");
    assert_eq!(bench.lines(), ["next"]);
}

#[test]
fn files_rotated_away_before_anybody_looked_are_read_in_their_order() {
    let mut bench = Bench::new();
    bench.append("old\n");
    let folder = bench.folder.path().to_owned();
    let file = |name: &str| folder.join(name);
    fs::write(file("app.log.3"), "ancient\n").unwrap();
    assert_eq!(bench.lines(), [""; 0]);
    bench.append("one\n");
    for n in ["two", "three"] {
        fs::rename(file("app.log.3"), file("app.log.4")).unwrap();
        let _ = fs::rename(file("app.log.2"), file("app.log.3"));
        let _ = fs::rename(file("app.log.1"), file("app.log.2"));
        fs::rename(file("app.log"), file("app.log.1")).unwrap();
        bench.append(format!("{n}\n"));
        fs::write(file("app.log.3"), "never this log's\n").ok();
        fs::rename(file("app.log.4"), file("app.log.3")).unwrap();
    }
    fs::write(file("app.log.swp"), "no log\n").unwrap();
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.extend(bench.lines());
        bench.pass(ROTATION_QUIET);
    }
    assert_eq!(seen, ["one", "two", "three"]);
}

#[test]
fn a_new_file_that_may_not_be_read_yet_does_not_take_the_old_one_away() {
    let mut bench = Bench::following();
    let old = bench.rotate();
    fs::create_dir(bench.path()).unwrap();
    assert_eq!(bench.poll(), (FileState::NotAFile, vec![]));
    let mut late = OpenOptions::new().append(true).open(old).unwrap();
    late.write_all(b"late\n").unwrap();
    bench.pass(ROTATION_LONGEST);
    assert_eq!(bench.poll(), (FileState::NotAFile, vec!["late".into()]));
}

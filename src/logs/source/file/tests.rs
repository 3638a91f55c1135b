//! What watching promises: news without delay, no work without news, nothing lost in between.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use super::bench::{Bench, assert_sleeps};
use super::*;
use crate::config::LineFormat;

#[test]
fn while_nothing_is_written_nothing_wakes_the_board() {
    let mut bench = Bench::one("app.log");
    bench.append("app.log", "old\n");
    let idle = bench.settle().at_most;
    let has_proc = fs::metadata("/proc/self/mountinfo").is_ok();
    assert_eq!(idle, (!has_proc).then_some(SLOW_LOOK));
    bench.append("app.log", "new\n");
    assert_eq!(bench.wake().at_most, idle);
    assert_eq!(bench.lines(), ["new"]);
    assert!(!bench.hear(Duration::ZERO));
    // Neither does a neighbour, nor a reader.
    bench.append("other.log", "x\n");
    fs::read(bench.path("app.log")).unwrap();
    assert!(!bench.hear(Duration::ZERO));

    for mut waiting in [Bench::one("no.log"), Bench::one("a/b/no.log")] {
        assert_sleeps(waiting.settle());
        assert_eq!(waiting.state().state, "waiting for the file");
    }
    let mut pattern = Bench::all("no/*/such/*.log", false);
    assert_sleeps(pattern.settle());
    assert_eq!(pattern.state().state, "waiting for a file");
}

#[test]
fn a_timer_runs_only_while_something_is_pending() {
    let mut bench = Bench::one("app.log");
    bench.append("app.log", "");
    bench.settle();
    bench.append("app.log", "half");
    assert_eq!(bench.wake().at_most, Some(POLL));
    bench.pass(tail::PARTIAL_PATIENCE);
    assert_sleeps(bench.settle());
    assert_eq!(bench.lines(), ["half"]);
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "new\n");
    assert_eq!(bench.wake().at_most, Some(POLL));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.settle().at_most, Some(POLL));
    assert_eq!(bench.lines(), ["new"]);
    bench.append("app.log.1", "late\n");
    bench.wake();
    assert_eq!(bench.lines(), ["late"]);
    bench.pass(tail::LEFT_QUIET);
    assert_sleeps(bench.settle());
}

#[test]
fn a_rotation_is_no_news_but_a_file_that_stays_away_is() {
    let mut bench = Bench::one("app.log");
    bench.append("app.log", "");
    bench.settle();
    bench.rename("app.log", "app.log.1");
    assert_eq!(bench.wake().at_most, Some(POLL));
    assert_eq!(bench.state().state, "following");
    for _ in 0..3 {
        bench.settle();
    }
    assert_sleeps(bench.settle());
    assert_eq!(bench.state().state, "waiting for the file");
    // Its writer still has it.
    bench.append("app.log.1", "late\n");
    bench.wake();
    assert_eq!(bench.lines(), ["late"]);
    bench.append("app.log", "new\n");
    bench.wake();
    bench.pass(Duration::from_secs(1));
    bench.settle();
    assert_eq!(bench.lines(), ["new"]);
    assert_eq!(bench.state().state, "following");
}

#[test]
fn a_missing_file_is_noticed_with_the_folders_it_stands_in() {
    let mut bench = Bench::one("a/b/app.log");
    bench.settle();
    for folder in ["a", "a/b"] {
        fs::create_dir(bench.path(folder)).unwrap();
        bench.wake();
        assert_eq!(bench.state().state, "waiting for the file");
    }
    bench.append("a/b/app.log", "first\n");
    bench.wake();
    assert_eq!(bench.lines(), ["first"]);
    bench.append("a/b/app.log", "second\n");
    bench.wake();
    assert_eq!(bench.lines(), ["second"]);
    // The whole folder goes, and another one takes its place.
    bench.rename("a", "old");
    bench.wake();
    fs::create_dir_all(bench.path("a/b")).unwrap();
    bench.append("a/b/app.log", "third\n");
    bench.wake();
    bench.pass(Duration::from_secs(1));
    bench.settle();
    assert_eq!(bench.lines(), ["third"]);
}

#[test]
fn a_link_that_is_switched_is_followed_to_where_it_leads() {
    let mut bench = Bench::one("current/app.log");
    for folder in ["one", "two"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    bench.append("one/real.log", "old\n");
    symlink("real.log", bench.path("one/app.log")).unwrap();
    symlink("one", bench.path("current")).unwrap();
    bench.settle();
    bench.append("one/real.log", "1\n");
    bench.wake();
    assert_eq!(bench.lines(), ["1"]);
    // The file's own link, …
    bench.append("one/other.log", "2\n");
    symlink("other.log", bench.path("one/next")).unwrap();
    bench.rename("one/next", "one/app.log");
    bench.wake();
    bench.pass(Duration::from_secs(1));
    bench.settle();
    assert_eq!(bench.lines(), ["2"]);
    // … that of a folder, …
    bench.append("two/app.log", "3\n");
    symlink("two", bench.path("next")).unwrap();
    bench.rename("next", "current");
    bench.wake();
    bench.pass(Duration::from_secs(1));
    bench.settle();
    assert_eq!(bench.lines(), ["3"]);
    // … and a rotation where it leads to.
    bench.rename("two/app.log", "two/app.log.1");
    bench.append("two/app.log", "4\n");
    bench.wake();
    bench.pass(Duration::from_secs(1));
    bench.settle();
    assert_eq!(bench.lines(), ["4"]);
}

#[test]
fn what_was_no_regular_file_is_followed_once_it_is_one() {
    let mut bench = Bench::one("app.log");
    fs::create_dir(bench.path("app.log")).unwrap();
    assert_sleeps(bench.settle());
    assert_eq!(bench.state().state, "not a regular file");
    fs::remove_dir(bench.path("app.log")).unwrap();
    bench.append("app.log", "a file\n");
    bench.wake();
    assert_eq!(bench.lines(), ["a file"]);
    assert_eq!(bench.state().state, "following");
}

#[test]
fn a_way_through_a_file_is_an_error_until_it_is_a_folder() {
    let mut bench = Bench::one("way/app.log");
    bench.append("way", "");
    // Seldom, but by itself, it is tried again: not all that is wrong is reported when it ends.
    assert_eq!(bench.settle().at_most, Some(SLOW_LOOK));
    let state = bench.state();
    assert_eq!(state.state, "error");
    assert!(state.last_error.unwrap().contains("Not a directory"));
    fs::remove_file(bench.path("way")).unwrap();
    fs::create_dir(bench.path("way")).unwrap();
    bench.append("way/app.log", "there\n");
    bench.wake();
    // It has not been said whether it is new; from now on it is.
    bench.append("way/app.log", "new\n");
    bench.wake();
    assert_eq!(bench.lines().last().unwrap(), "new");
}

/// Root reads everything: then there is nothing to be seen here.
#[test]
fn a_permission_that_comes_later_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = Bench::one("shut/app.log");
    let mode = |bench: &Bench, name: &str, mode| {
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(bench.path("shut")).unwrap();
    bench.append("shut/app.log", "old\n");
    mode(&bench, "shut/app.log", 0);
    if fs::read(bench.path("shut/app.log")).is_ok() {
        return;
    }
    mode(&bench, "shut", 0);
    assert_sleeps(bench.settle());
    assert_eq!(bench.state().state, "error");
    mode(&bench, "shut", 0o700);
    assert_sleeps(bench.wake());
    let state = bench.state();
    assert_eq!(state.state, "error");
    assert!(state.last_error.unwrap().contains("denied"));
    mode(&bench, "shut/app.log", 0o600);
    bench.wake();
    assert_eq!(bench.state().state, "following");
    bench.append("shut/app.log", "new\n");
    bench.wake();
    assert_eq!(bench.lines(), ["new"]);
    // A folder that lets through but not see: its rotations are not reported.
    mode(&bench, "shut", 0o300);
    assert!(bench.hear(Duration::from_secs(10)));
    bench.turn();
    assert_eq!(bench.state().state, "following, by polling");
    mode(&bench, "shut", 0o700);
    assert!(bench.hear(POLL));
    bench.turn();
    assert_sleeps(bench.settle());
    assert_eq!(bench.state().state, "following");
}

#[test]
fn where_inotify_is_not_there_the_file_is_polled() {
    let mut bench = Bench::new(WatchMethod::PollingAlone, |folder| {
        Box::new(NamedFile::new(folder.join("app.log"), LineFormat::Raw))
    });
    bench.append("app.log", "old\n");
    assert_eq!(bench.turn().at_most, Some(POLL));
    let state = bench.state();
    assert_eq!(
        (state.state, state.last_error),
        ("following, by polling", None)
    );
    bench.append("app.log", "new\n");
    assert!(bench.hear(Duration::ZERO));
    bench.turn();
    assert_eq!(bench.lines(), ["new"]);
}

#[test]
fn where_inotify_fails_the_file_is_polled_and_the_reason_told() {
    let mut bench = Bench::one("app.log");
    bench.append("app.log", "old\n");
    bench.settle();
    bench.source.watcher.break_inotify();
    bench.append("app.log", "new\n");
    bench.source.woken = WakeUp::everything();
    assert_eq!(bench.turn().at_most, Some(POLL));
    let state = bench.state();
    assert_eq!(state.state, "following, by polling");
    assert!(state.last_error.unwrap().starts_with("inotify: "));
    assert_eq!(bench.lines(), ["new"]);
}

#[test]
fn a_file_system_that_does_not_report_is_polled() {
    if fs::metadata("/proc/self/status").is_err() {
        return; // Not here.
    }
    let mut bench = Bench::new(WatchMethod::Inotify, |_| {
        Box::new(NamedFile::new("/proc/self/status".into(), LineFormat::Raw))
    });
    bench.turn();
    assert_eq!(bench.turn().at_most, Some(POLL));
    let state = bench.state();
    assert_eq!(
        (state.state, state.last_error),
        ("following, by polling", None)
    );
}

#[test]
fn after_an_overflow_of_the_queue_everything_is_looked_at() {
    let mut bench = Bench::one("app.log");
    bench.append("app.log", "");
    bench.append("a", "");
    bench.settle();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let limit = limit.map_or(16_384, |text| text.trim().parse().unwrap());
    // Each is two events that mean nothing here; no two neighbours are alike.
    for _ in 0..=limit / 4 {
        bench.rename("a", "b");
        bench.rename("b", "a");
    }
    bench.append("app.log", "lost by the kernel\n");
    assert!((0..1000).any(|_| bench.hear(Duration::ZERO)));
    assert!(bench.source.woken.everything);
    bench.settle();
    assert_eq!(bench.lines(), ["lost by the kernel"]);
}

/// Something is written just between a look and the watch that follows it.
struct Between(NamedFile, PathBuf);

impl Followed for Between {
    fn look(
        &mut self,
        woken: &WakeUp,
        now: Moment,
        give: &mut dyn FnMut(SourceEvent),
    ) -> LookResult {
        self.0.look(woken, now, give)
    }

    fn watched(&self) -> Vec<WatchedFolder> {
        if let Ok(text) = fs::read_to_string(&self.1)
            && !text.contains("between")
        {
            fs::write(&self.1, text + "between\n").unwrap();
        }
        self.0.watched()
    }

    fn tails(&mut self) -> Box<dyn Iterator<Item = &mut Tail> + '_> {
        self.0.tails()
    }

    fn is_pending(&self) -> bool {
        self.0.is_pending()
    }

    fn report(&self) -> FileReport {
        self.0.report()
    }

    fn finish(&mut self, give: &mut dyn FnMut(SourceEvent)) {
        self.0.finish(give);
    }
}

#[test]
fn what_is_written_between_the_look_and_the_watch_is_not_lost() {
    let mut bench = Bench::new(WatchMethod::Inotify, |folder| {
        let path = folder.join("app.log");
        fs::write(&path, "old\n").unwrap();
        Box::new(Between(NamedFile::new(path.clone(), LineFormat::Raw), path))
    });
    bench.settle();
    assert_eq!(bench.lines(), ["between"]);
}

#[test]
fn nothing_is_lost_however_closely_a_file_is_made_filled_and_rotated() {
    for round in 0..20 {
        let mut bench = Bench::one("new/app.log");
        bench.settle();
        let (folder, log) = (bench.path("new"), bench.path("new/app.log"));
        let writer = thread::spawn(move || {
            fs::create_dir(&folder).unwrap();
            for n in 0..3 {
                fs::write(&log, format!("{n} of {round}\n")).unwrap();
                if n < 2 {
                    fs::rename(&log, log.with_extension(format!("log.{n}"))).unwrap();
                }
            }
        });
        while !writer.is_finished() {
            bench.settle();
        }
        writer.join().unwrap();
        let mut lines = Vec::new();
        for _ in 0..20 {
            bench.hear(Duration::ZERO);
            bench.settle();
            bench.pass(Duration::from_secs(1));
            lines.extend(bench.lines());
        }
        // Within one tick of the file system's clock nothing tells which was first.
        lines.sort();
        // Those which were rotated away before anything was opened were never this file.
        let expected: Vec<_> = (0..3).map(|n| format!("{n} of {round}")).collect();
        assert!(expected.ends_with(&lines) && !lines.is_empty(), "{lines:?}");
    }
}

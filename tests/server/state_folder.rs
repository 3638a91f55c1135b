//! The state folder as somebody hostile, or by mistake, leaves it: the real program, as root and as a user without
//! rights. What needs root is left out where the tester has none.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::client::PASSWORD;
use crate::program::Program;

/// Nobody's numbers on any sane machine.
const USER: u32 = 54_321;

struct Board(Program);

impl Board {
    fn new() -> Self {
        Self(Program::new(&[("BASIC_AUTH_PASSWORD", PASSWORD)]))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.0.state(name)
    }

    fn command(&self, words: &str) -> Command {
        let words: Vec<_> = words.split_whitespace().collect();
        let mut command = self.0.command(&words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &str) -> (Option<i32>, String) {
        let child = self.command(words).spawn().expect("the program");
        finished(child, "another-password-7\n")
    }

    /// Starts it, waits until it is up, looks at it, and ends it; standard error.
    fn serve(&self, words: &str, look: impl FnOnce(&Child)) -> String {
        let mut child = self.command(words).spawn().expect("the program");
        let out = child.stdout.take().expect("standard output");
        let banner = BufReader::new(out).lines().map_while(Result::ok);
        let up = banner.into_iter().any(|line| line.contains("/health"));
        if up {
            look(&child);
            kill_process(Pid::from_child(&child), Signal::TERM).expect("a signal");
        }
        let (status, said) = finished(child, "");
        assert_eq!((up, status), (true, Some(0)), "{said}");
        said
    }

    /// A board that has run.
    fn used() -> Self {
        let board = Self::new();
        board.serve("serve", |_| ());
        board
    }
}

fn finished(mut child: Child, input: &str) -> (Option<i32>, String) {
    let mut stdin = child.stdin.take().expect("standard input");
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let Output { status, stderr, .. } = child.wait_with_output().expect("an end");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn give(folder: &Path, user: u32) {
    chown(folder, Some(user), Some(user)).expect("given");
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        std::os::unix::fs::lchown(entry.path(), Some(user), Some(user)).expect("given");
    }
}

#[test]
fn what_a_link_in_the_state_folder_points_to_stays_as_it_is() {
    let board = Board::used();
    for name in [
        "lock",
        "journal",
        "initial-password",
        "secret-key",
        "audit.log",
        "tls-key.pem",
        "tls-cert.pem",
    ] {
        let place = board.state(name);
        let kept = fs::read(&place).ok();
        let target = board.path("target");
        for there in [true, false] {
            let _ = fs::remove_file(&place);
            let _ = fs::remove_file(&target);
            if there {
                fs::write(&target, "theirs\n").expect("written");
                fs::set_permissions(&target, Permissions::from_mode(0o644)).expect("opened");
            }
            symlink(&target, &place).expect("linked");
            for words in ["passwd", "journal compact", "journal repair", "cert renew"] {
                let (status, said) = board.run(words);
                // Where nothing is to be repaired the lock is not needed.
                let untouched =
                    words.starts_with("cert") || (name, words) == ("lock", "journal repair");
                if ["lock", "journal"].contains(&name) && !untouched {
                    assert_ne!(status, Some(0), "{name}, {words}");
                    assert!(said.contains("this is a link"), "{name}, {words}: {said}");
                }
                assert_eq!(target.exists(), there, "{name}, {words}");
                if there {
                    let text = fs::read_to_string(&target).expect("read");
                    assert_eq!(
                        (text.as_str(), mode(&target)),
                        ("theirs\n", 0o644),
                        "{name}, {words}"
                    );
                }
                // Who replaces the link, as the audit log and a renewal may, has not followed it.
                let _ = fs::remove_file(&place);
                symlink(&target, &place).expect("linked");
            }
        }
        fs::remove_file(&place).expect("removed");
        if let Some(bytes) = kept {
            fs::write(&place, bytes).expect("put back");
            fs::set_permissions(&place, Permissions::from_mode(0o600)).expect("closed");
        }
    }
    board.serve("serve", |_| ());
}

#[test]
fn a_start_refuses_links_and_pipes_in_the_place_of_its_secrets() {
    let board = Board::used();
    for name in ["lock", "journal", "secret-key"] {
        let place = board.state(name);
        let kept = fs::read(&place).expect("read");
        fs::remove_file(&place).expect("removed");
        symlink(board.path("target"), &place).expect("linked");
        let (status, said) = board.run("serve");
        assert_eq!(status, Some(1), "{name}");
        assert!(
            said.contains("link") && said.contains(name),
            "{name}: {said}"
        );
        fs::remove_file(&place).expect("removed");
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &place, pipe, 0o600.into(), 0).expect("made");
        let (status, said) = board.run("serve");
        assert_eq!(status, Some(1), "{name}");
        assert!(said.contains("not a regular file"), "{name}: {said}");
        fs::remove_file(&place).expect("removed");
        fs::write(&place, kept).expect("put back");
        fs::set_permissions(&place, Permissions::from_mode(0o600)).expect("closed");
        assert!(!board.path("target").exists());
    }
    board.serve("serve", |_| ());
}

#[test]
fn root_works_in_a_services_folder_as_the_service() {
    if !geteuid().is_root() {
        return;
    }
    let board = Board::used();
    give(&board.path("state"), USER);
    let said = board.serve("serve", |child| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("read");
        let ids = format!("{USER}\t{USER}\t{USER}\t{USER}");
        for line in [
            format!("Uid:\t{ids}"),
            format!("Gid:\t{ids}"),
            "Groups:\t ".to_owned(),
        ] {
            assert!(status.contains(&line), "{line}: {status}");
        }
    });
    assert!(said.contains(&format!("belongs to user {USER}")), "{said}");
    for words in [
        "passwd",
        "journal compact",
        "journal repair",
        "cert renew",
        "audit verify",
    ] {
        let (status, said) = board.run(words);
        assert_eq!(status, Some(0), "{words}: {said}");
    }
    for entry in fs::read_dir(board.path("state")).expect("listed").flatten() {
        let owner = entry.metadata().expect("there").uid();
        assert_eq!(owner, USER, "{:?}", entry.file_name());
    }
    // What it cannot do as the service it does not do as root.
    fs::remove_file(board.state("lock")).expect("removed");
    fs::set_permissions(board.path("state"), Permissions::from_mode(0o500)).expect("closed");
    let (status, said) = board.run("journal compact");
    assert_ne!(status, Some(0), "{said}");
    assert!(!board.state("lock").exists());
}

#[test]
fn root_follows_no_link_of_another_users_to_a_state_folder() {
    let board = Board::used();
    fs::create_dir(board.path("between")).expect("made");
    let link = board.path("between").join("link");
    symlink("..", &link).expect("linked");
    if !geteuid().is_root() || std::os::unix::fs::lchown(&link, Some(USER), None).is_err() {
        return;
    }
    let before = fs::read(board.state("journal")).expect("read");
    for words in ["passwd", "journal compact", "cert renew", "serve"] {
        let mut command = board.command(words);
        command.env("STATE_DIR", link.join("state"));
        let child = command.spawn().expect("the program");
        let (status, said) = finished(child, "another-password-7\n");
        assert_ne!(status, Some(0), "{words}");
        assert!(
            said.contains(&format!("a link that user {USER} made")),
            "{words}: {said}"
        );
    }
    assert_eq!(fs::read(board.state("journal")).expect("read"), before);
}

#[test]
fn a_user_is_named_before_the_command_and_has_no_rights_besides() {
    let board = Board::new();
    if !geteuid().is_root() {
        let (status, said) = board.run("--user 0:0 check");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("only root can become"), "{said}");
        return;
    }
    fs::create_dir(board.path("state")).expect("made");
    give(&board.path("state"), USER);
    let words = format!("--user {USER}:{USER} serve");
    board.serve(&words, |child| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("read");
        assert!(
            status.contains(&format!("Uid:\t{USER}\t{USER}")),
            "{status}"
        );
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    });
    let (status, said) = board.run("--user nobody-of-that-name check");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no such user"), "{said}");
}

#[test]
fn a_folder_that_is_not_posterns_stays_as_it_is() {
    let board = Board::new();
    fs::create_dir(board.path("state")).expect("made");
    fs::set_permissions(board.path("state"), Permissions::from_mode(0o755)).expect("opened");
    fs::write(board.state("letter.txt"), "dear").expect("written");
    for words in ["serve", "passwd", "journal compact", "cert renew"] {
        let (status, said) = board.run(words);
        assert_ne!(status, Some(0), "{words}: {said}");
        if words == "serve" {
            assert!(
                said.contains("STATE_DIR") && said.contains("letter.txt"),
                "{said}"
            );
        }
        assert_eq!(mode(&board.path("state")), 0o755, "{words}");
        let count = fs::read_dir(board.path("state")).expect("listed").count();
        assert_eq!(count, 1, "{words}");
    }
    // What a person puts there for postern beforehand is no obstacle.
    fs::remove_file(board.state("letter.txt")).expect("removed");
    fs::create_dir(board.state("advisories")).expect("made");
    fs::create_dir(board.state("lost+found")).expect("made");
    board.serve("serve", |_| ());
    assert_eq!(mode(&board.path("state")), 0o700);
}

#[test]
fn a_first_start_that_fails_raises_no_alarm_at_the_next() {
    let board = Board::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    for _ in 0..2 {
        let mut command = board.command("serve");
        command.env("LISTEN", address.to_string());
        let (status, _) = finished(command.spawn().expect("the program"), "");
        assert_eq!(status, Some(1));
    }
    drop(taken);
    let said = board.serve("serve", |_| ());
    assert!(!said.contains("has run here before"), "{said}");
    // One that did not fail does raise it.
    fs::remove_file(board.state("audit.log")).expect("removed");
    let said = board.serve("serve", |_| ());
    assert!(said.contains("has run here before"), "{said}");
}

#[test]
fn no_core_is_dumped_and_nobody_may_look_into_the_process() {
    let board = Board::new();
    let words = if geteuid().is_root() {
        fs::create_dir(board.path("state")).expect("made");
        give(&board.path("state"), USER);
        format!("--user {USER}:{USER} serve")
    } else {
        "serve".to_owned()
    };
    board.serve(&words, |child| {
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let limits = fs::read_to_string(process.join("limits")).expect("read");
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let numbers: Vec<_> = core.expect("a limit").split_whitespace().skip(4).collect();
        assert_eq!(numbers[..2], ["0", "0"]);
        // Of a process that may be dumped its own user is the owner (`proc(5)`).
        assert_eq!(fs::metadata(process.join("mem")).expect("there").uid(), 0);
    });
}

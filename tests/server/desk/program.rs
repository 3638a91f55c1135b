//! The program itself: its environment, its exit statuses, signals, and a reader that goes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::fingerprint;
use crate::device::{Device, PASSWORD};

fn program(home: &TempDir, device: &Device, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command
        .arg("logs")
        .arg(device.address().to_string())
        .args(["--fingerprint", &fingerprint(device)])
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .env("POSTERN_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The status it leaves with, and what it said.
fn end(mut child: Child) -> (Option<i32>, String) {
    crate::eventually("the end", || child.try_wait().expect("a child").is_some());
    let mut said = String::new();
    let err = child
        .stderr
        .take()
        .map(|mut err| err.read_to_string(&mut said));
    err.expect("standard error").expect("UTF-8");
    (child.wait().expect("an end").code(), said)
}

#[test]
fn it_finds_its_folder_by_home_and_leaves_with_0() {
    let (device, home) = (Device::start(), tempfile::tempdir().expect("a folder"));
    device.log("from the board");
    let output = program(&home, &device, &[]).output().expect("run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said, "");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        out.contains("from the board") && !out.contains('\u{1b}'),
        "{out}"
    );
    let folder = home.path().join(".local/state/postern-client");
    assert!(folder.join("known_boards").exists());
    assert!(!folder.join("logins").exists());
    // XDG_STATE_HOME goes before.
    let state = home.path().join("state");
    let mut elsewhere = program(&home, &device, &[]);
    elsewhere.env("XDG_STATE_HOME", &state);
    assert!(elsewhere.output().expect("run").status.success());
    assert!(state.join("postern-client/known_boards").exists());
}

#[test]
fn an_interruption_is_quiet_and_0_while_it_follows() {
    let (device, home) = (Device::start(), tempfile::tempdir().expect("a folder"));
    for signal in [Signal::INT, Signal::TERM] {
        device.log("before");
        let mut child = program(&home, &device, &["-f"]).spawn().expect("started");
        let out = child.stdout.take().expect("standard output");
        let mut lines = BufReader::new(out).lines();
        while !lines
            .next()
            .expect("a line")
            .expect("UTF-8")
            .contains("before")
        {}
        device.wait_for_subscribers(1);
        kill_process(Pid::from_child(&child), signal).expect("signalled");
        let (status, said) = end(child);
        assert_eq!(status, Some(0));
        assert!(
            !said.contains("postern:") && !said.contains("connection lost"),
            "{said}"
        );
        device.wait_for_subscribers(0);
    }
}

#[test]
fn a_reader_that_goes_ends_it_quietly_even_while_no_line_comes() {
    let (device, home) = (Device::start(), tempfile::tempdir().expect("a folder"));
    device.log("before");
    let mut child = program(&home, &device, &["--follow"])
        .spawn()
        .expect("started");
    // All that there is has been read: from here on only waiting can find out that the reader goes.
    let out = child.stdout.take().expect("standard output");
    let mut lines = BufReader::new(out).lines();
    while !lines
        .next()
        .expect("a line")
        .expect("UTF-8")
        .contains("before")
    {}
    drop(lines);
    let (status, said) = end(child);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        !said.contains("postern:") && !said.contains("lost"),
        "{said}"
    );
    device.wait_for_subscribers(0);
}

#[test]
fn without_a_password_and_without_a_terminal_it_says_what_to_do() {
    let (device, home) = (Device::start(), tempfile::tempdir().expect("a folder"));
    let mut command = program(&home, &device, &[]);
    let output = command.env("POSTERN_PASSWORD", "").output().expect("run");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("set POSTERN_PASSWORD"), "{said}");
    assert!(!home.path().join(".local").exists(), "nothing is kept");
}

//! The program itself, as a process: signals, exit statuses, and what it says to who starts it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::{Client, tls_config};

const PASSWORD: &str = "correct horse battery";

/// A folder with everything the program may touch.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // So that no configuration of this very machine leaks in.
        std::fs::write(folder.path().join("empty.env"), "").expect("written");
        Self { folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command
            .args(words)
            .arg("--env-file")
            .arg(self.folder.path().join("empty.env"))
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("STATE_DIR", self.state())
            .env("BASIC_AUTH_PASSWORD", PASSWORD)
            .env("BCRYPT_COST", "4")
            .env("RATE_LIMIT_BURST", "10000")
            .env("MAX_CONNECTIONS", "256")
            .env("MAX_CONNECTIONS_PER_IP", "256")
            .env(
                "LOG_SOURCES",
                format!("file:{}", self.folder.path().join("app.log").display()),
            )
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(words);
        command.envs(variables.iter().copied());
        command.output().expect("run")
    }

    fn start(&self) -> Running {
        let child = self
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("started");
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let address = loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).expect("read") > 0, "no banner");
            if let Some((_, address)) = line.split_once(" https://") {
                break address.trim().parse().expect("an address");
            }
        };
        Running {
            child,
            _out: out,
            address,
            cert: self.state().join("tls-cert.pem"),
        }
    }
}

struct Running {
    child: Child,
    _out: BufReader<ChildStdout>,
    address: SocketAddr,
    cert: PathBuf,
}

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    /// A connection that has had an answer and waits.
    fn idle(&self) -> Client {
        let mut client = Client::connect_with(self.address, tls_config(&self.cert)).expect("TLS");
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
        client
    }

    fn is_served(&self) {
        self.idle();
    }

    fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.child.id());
        std::fs::read_dir(tasks).expect("threads").count()
    }

    /// The niceness of the threads whose names begin so (proc(5), /proc/pid/stat).
    fn niceness(&self, name: &str) -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("threads");
        let stats = tasks.map(|task| {
            let stat = task.expect("a thread").path().join("stat");
            std::fs::read_to_string(stat).expect("its figures")
        });
        let of_name = stats.filter_map(|stat| {
            let (before, figures) = stat.rsplit_once(") ")?;
            let (_, its_name) = before.split_once('(')?;
            its_name.starts_with(name).then(|| figures.to_owned())
        });
        of_name
            .map(|figures| {
                let niceness = figures.split(' ').nth(16).expect("the 19th figure");
                niceness.parse().expect("a number")
            })
            .collect()
    }

    fn end(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.child.wait().expect("waited")
    }
}

impl Drop for Running {
    /// Nothing is left behind by a test that fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn sigterm_and_sigint_end_it_with_0_and_sighup_does_not() {
    let bench = Bench::new();
    for signal in [Signal::TERM, Signal::INT] {
        let running = bench.start();
        running.is_served();
        running.signal(Signal::HUP);
        running.is_served();
        running.is_served();
        let status = running.end(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(!bench.state().join("postern.sock").exists());
    }
}

#[test]
fn bcrypts_threads_come_after_those_that_answer() {
    let bench = Bench::new();
    let running = bench.start();
    running.is_served();
    let workers = running.niceness("worker-");
    let passwords = running.niceness("password-");
    assert!(!workers.is_empty() && !passwords.is_empty());
    // However nice the tests themselves are: a niceness goes no further than 19.
    let last = *workers.iter().max().expect("a worker");
    let later = (last + 5).min(19);
    assert!(
        passwords.iter().all(|&niceness| niceness >= later),
        "workers have {workers:?}, bcrypt's threads {passwords:?}"
    );
}

#[test]
fn an_idle_connection_holds_no_thread() {
    let bench = Bench::new();
    let running = bench.start();
    running.is_served();
    let before = running.threads();
    let mut clients: Vec<Client> = (0..200).map(|_| running.idle()).collect();
    // Not exactly as many: threads that end while the kernel lists them can hide others.
    let after = running.threads();
    assert!(after < before + 10, "{before} threads, then {after}");
    running.is_served();
    for client in clients.iter_mut().rev() {
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }
}

#[test]
fn a_second_one_on_the_same_state_says_so_and_leaves() {
    let bench = Bench::new();
    let first = bench.start();
    let second = bench.run(&["serve"], &[]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    let last = said.lines().last().expect("a line");
    assert!(
        last.contains("another postern") && last.contains("state"),
        "{said}"
    );
    assert_eq!(text(&second.stdout), "");
    // The first is none the worse for it, its local socket included.
    first.is_served();
    assert_eq!(bench.run(&["health"], &[]).status.code(), Some(0));
}

#[test]
fn health_is_0_while_it_runs_and_2_when_it_does_not() {
    let bench = Bench::new();
    let running = bench.start();
    let healthy = bench.run(&["health"], &[]);
    assert_eq!(healthy.status.code(), Some(0));
    assert_eq!(text(&healthy.stdout), "healthy\n");
    running.end(Signal::TERM);
    let gone = bench.run(&["health"], &[]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(text(&gone.stderr).contains("postern.sock"));
}

#[test]
fn after_a_kill_it_starts_again_as_if_nothing_had_happened() {
    let bench = Bench::new();
    let running = bench.start();
    running.is_served();
    assert_eq!(running.end(Signal::KILL).code(), None);
    assert_eq!(bench.run(&["health"], &[]).status.code(), Some(2));
    let again = bench.start();
    again.is_served();
    assert_eq!(bench.run(&["health"], &[]).status.code(), Some(0));
}

#[test]
fn check_lists_every_problem_and_starts_nothing() {
    let bench = Bench::new();
    let good = bench.run(&["check"], &[]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    let bad = [
        ("LISTEN", "nowhere"),
        ("JWT_EXPIRE_DURATION", "soon"),
        ("MAX_LOGIN_ATTEMPTS", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("SECRET_KEY", "a-short-secret"),
    ];
    let refused = bench.run(&["check"], &bad);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    for (name, _) in bad {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("a-short-secret"), "{said}");
    assert!(!bench.state().exists());
}

#[test]
fn a_bad_first_password_refuses_the_start_by_the_variables_name() {
    let bench = Bench::new();
    for (password, why) in [
        ("short", "8"),
        ("password", "guess"),
        (&"x".repeat(73), "72"),
    ] {
        let refused = bench.run(&["serve"], &[("BASIC_AUTH_PASSWORD", password)]);
        assert_eq!(refused.status.code(), Some(1), "{why}");
        let said = text(&refused.stderr);
        assert!(said.contains("BASIC_AUTH_PASSWORD"), "{said}");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(text(&refused.stdout), "");
    }
    bench.start().is_served();
}

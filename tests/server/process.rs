//! The program itself, as a process: signals, exit statuses, and what it says to who starts it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::json;

use crate::client::{Client, PASSWORD, USER, tcp};
use crate::device::{Tokens, basic, bearer};
use crate::eventually;
use crate::program::Program;

/// Not running yet; its password is known.
fn prepared() -> Program {
    Program::new(&[("BASIC_AUTH_PASSWORD", PASSWORD)])
}

fn started() -> Program {
    let mut program = prepared();
    program.boot();
    program
}

impl Program {
    /// A connection that has had an answer and waits.
    fn idle(&self) -> Client {
        let mut client = self.connect();
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
        client
    }

    fn is_served(&self) {
        self.idle();
    }

    /// Processor time so far, in ticks of 10 ms (proc(5), /proc/pid/stat).
    fn processor_ticks(&self) -> u64 {
        let stat = fs::read_to_string(self.proc("stat")).expect("its figures");
        let (_, figures) = stat.rsplit_once(") ").expect("a name");
        let used = figures.split(' ').skip(11).take(2);
        used.map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum()
    }

    fn sockets(&self) -> usize {
        let descriptors = fs::read_dir(self.proc("fd")).expect("descriptors");
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// The niceness of the threads whose names begin so (proc(5), /proc/pid/stat).
    fn niceness(&self, name: &str) -> Vec<i32> {
        let tasks = fs::read_dir(self.proc("task")).expect("threads");
        let stats = tasks.map(|task| {
            let stat = task.expect("a thread").path().join("stat");
            fs::read_to_string(stat).expect("its figures")
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
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn sigterm_and_sigint_end_it_with_0_and_sighup_does_not() {
    let mut program = prepared();
    for signal in [Signal::TERM, Signal::INT] {
        program.boot();
        program.is_served();
        program.signal(Signal::HUP);
        program.is_served();
        program.is_served();
        let status = program.end(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(!program.state("postern.sock").exists());
    }
}

#[test]
fn bcrypts_threads_come_after_those_that_answer() {
    let program = started();
    program.is_served();
    let workers = program.niceness("worker-");
    // However nice the tests themselves are: a niceness goes no further than 19.
    let last = *workers.iter().max().expect("a worker");
    let later = (last + 5).min(19);
    // Each of them lowers its own, once it runs.
    eventually("bcrypt's threads come after the workers", || {
        let passwords = program.niceness("password-");
        !passwords.is_empty() && passwords.iter().all(|&niceness| niceness >= later)
    });
}

#[test]
fn whoever_does_not_hang_up_after_the_last_answer_costs_no_processor_time() {
    let program = started();
    program.is_served();
    let mut client = program.connect();
    let before = program.processor_ticks();
    let last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(client.raw(last).status, 200);
    // postern hangs up, two seconds later. The client is still there then.
    let sockets = program.sockets();
    eventually("the connection is closed", || program.sockets() < sockets);
    let spent = program.processor_ticks() - before;
    assert!(spent < 30, "{spent} ticks of 10 ms");
    drop(client);
}

#[test]
fn an_idle_connection_holds_no_thread() {
    let program = Program::start(&[
        ("BASIC_AUTH_PASSWORD", PASSWORD),
        ("MAX_CONNECTIONS", "256"),
        ("MAX_CONNECTIONS_PER_IP", "256"),
    ]);
    program.is_served();
    let before = program.threads();
    let mut clients: Vec<Client> = (0..200).map(|_| program.idle()).collect();
    // Not exactly as many: threads that end while the kernel lists them can hide others.
    let after = program.threads();
    assert!(after < before + 10, "{before} threads, then {after}");
    program.is_served();
    for client in clients.iter_mut().rev() {
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }
}

#[test]
fn a_second_one_on_the_same_state_says_so_and_leaves() {
    let first = started();
    let second = first.run(&["serve"], &[]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    let last = said.lines().last().expect("a line");
    assert!(
        last.contains("another running postern") && last.contains("state"),
        "{said}"
    );
    assert_eq!(text(&second.stdout), "");
    // The first is none the worse for it, its local socket included.
    first.is_served();
    assert_eq!(first.run(&["health"], &[]).status.code(), Some(0));
}

#[test]
fn health_is_0_while_it_runs_and_2_when_it_does_not() {
    let mut program = started();
    let healthy = program.run(&["health"], &[]);
    assert_eq!(healthy.status.code(), Some(0));
    assert_eq!(text(&healthy.stdout), "healthy\n");
    program.end(Signal::TERM);
    let gone = program.run(&["health"], &[]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(text(&gone.stderr).contains("postern.sock"));
}

#[test]
fn after_a_kill_it_starts_again_as_if_nothing_had_happened() {
    let mut program = started();
    program.is_served();
    assert_eq!(program.end(Signal::KILL).code(), None);
    assert_eq!(program.run(&["health"], &[]).status.code(), Some(2));
    program.boot();
    program.is_served();
    assert_eq!(program.run(&["health"], &[]).status.code(), Some(0));
}

#[test]
fn check_lists_every_problem_and_starts_nothing() {
    let program = prepared();
    let good = program.run(&["check"], &[]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    let bad = [
        ("LISTEN", "nowhere"),
        ("JWT_EXPIRE_DURATION", "soon"),
        ("MAX_LOGIN_ATTEMPTS", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("SECRET_KEY", "a-short-secret"),
    ];
    let refused = program.run(&["check"], &bad);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    for (name, _) in bad {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("a-short-secret"), "{said}");
    assert!(!program.path("state").exists());
}

#[test]
fn a_bad_first_password_refuses_the_start_by_the_variables_name() {
    let mut program = prepared();
    for (password, why) in [
        ("short", "8"),
        ("password", "guess"),
        (&"x".repeat(73), "72"),
    ] {
        let refused = program.run(&["serve"], &[("BASIC_AUTH_PASSWORD", password)]);
        assert_eq!(refused.status.code(), Some(1), "{why}");
        let said = text(&refused.stderr);
        assert!(said.contains("BASIC_AUTH_PASSWORD"), "{said}");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(text(&refused.stdout), "");
    }
    program.boot();
    program.is_served();
}

#[test]
fn a_killed_program_remembers_what_it_answered() {
    let mut program = Program::start(&[("BASIC_AUTH_PASSWORD", "correct horse battery")]);
    let mut password = "correct horse battery".to_owned();
    let accepts = |program: &Program, token: &str| {
        program
            .request("GET", "/api/ws-token", Some(&bearer(token)), None)
            .status
            == 200
    };
    for round in 0..3 {
        let ended = Tokens::of(&program.login(USER, &password));
        let living = Tokens::of(&program.login(USER, &password));
        let out = program.request("POST", "/api/logout", Some(&ended.bearer()), None);
        assert_eq!(out.status, 200);
        program.kill_and_restart();
        assert!(!accepts(&program, &ended.access));
        assert_eq!(program.refresh(&ended.refresh).status, 401);
        assert!(accepts(&program, &living.access));

        let next = format!("password of round {round}");
        let body = json!({"current_password": password, "new_password": next});
        let changed = program.request(
            "POST",
            "/api/change-password",
            Some(&living.bearer()),
            Some(&body),
        );
        assert_eq!(changed.status, 200, "{}", changed.text());
        program.kill_and_restart();
        let old = basic(USER, &password);
        assert_eq!(
            program
                .request("GET", "/api/status", Some(&old), None)
                .status,
            401
        );
        assert!(accepts(&program, &living.access));
        password = next;
    }
    for _ in 0..5 {
        program.login(USER, "wrong");
    }
    assert_eq!(program.login(USER, "wrong").status, 429);
    program.kill_and_restart();
    assert_eq!(program.login(USER, &password).status, 429);
    assert!(program.terminate());
}

#[test]
fn whatever_the_umask_the_local_socket_is_the_administrators() {
    let program = Program::start_after("umask 0", &[]);
    let socket = fs::metadata(program.state("postern.sock")).expect("a socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

#[test]
fn clients_that_take_all_descriptors_end_neither_the_server_nor_its_doors() {
    for limit in [
        "ulimit -n 64",
        "ulimit -n 65",
        "ulimit -n 128",
        "ulimit -n 256",
    ] {
        let password = "correct horse battery";
        let mut program = Program::start_after(limit, &[("BASIC_AUTH_PASSWORD", password)]);
        let ask = |program: &Program, method, path, body| {
            let mut client = Client::local(&program.state("postern.sock"));
            client.request(method, path, None, body)
        };
        let threads = program.threads();
        // The backlogs hold what the server does not take.
        let local: Vec<_> = (0..150)
            .map(|_| UnixStream::connect(program.state("postern.sock")).expect("connected"))
            .collect();
        let network: Vec<_> = (0..150).map(|_| tcp(program.address())).collect();
        // All are in, and the door is open to who asks.
        let health = ask(&program, "GET", "/health", None).text();
        assert!(health.contains("\"healthy\""), "{limit}: {health}");
        assert!(program.threads() <= threads, "{limit}");
        // Nor do they keep the server from its files.
        let body = json!({"new_password": "staple battery horse"});
        let changed = ask(&program, "POST", "/api/change-password", Some(&body));
        assert_eq!(changed.status, 200, "{limit}: {}", changed.text());
        drop((local, network));
        crate::eventually("the clients to be gone", || {
            ask(&program, "GET", "/api/status", None).json()["connections"] == 0
        });
        let login = program.login(USER, "staple battery horse");
        assert_eq!(login.status, 200, "{limit}: {}", login.text());
        assert!(program.terminate());
    }
}

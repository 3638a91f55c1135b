//! The real program as a child, in a folder of its own: for what only a process has, its standard error and its death.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Response, tcp};
use crate::device::{Tokens, USER, basic, bearer};

/// A running `postern serve`.
pub struct Program {
    folder: TempDir,
    variables: Vec<(String, String)>,
    /// What a shell does before.
    prelude: &'static str,
    child: Child,
    address: SocketAddr,
    /// What it printed when it was up.
    pub banner: String,
}

impl Program {
    /// Starts it with these variables and nothing of the tester's own surroundings.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_after(":", variables)
    }

    /// The same, from a shell that does this first.
    pub fn start_after(prelude: &'static str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("empty.env"), "").expect("a file");
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(own).collect();
        let (child, address, banner) = spawn(&folder, prelude, &variables);
        Self {
            folder,
            variables,
            prelude,
            child,
            address,
            banner,
        }
    }

    /// Kills it as a power cut would, and starts it again on what it left behind.
    pub fn kill_and_restart(&mut self) {
        self.kill_and_restart_after(|_| ());
    }

    /// The same; meanwhile this happens to its state folder.
    pub fn kill_and_restart_after(&mut self, happens: impl FnOnce(&Self)) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
        happens(self);
        let (child, address, banner) = spawn(&self.folder, self.prelude, &self.variables);
        (self.child, self.address, self.banner) = (child, address, banner);
    }

    /// Ends it in good order; whether it left with 0.
    pub fn terminate(&mut self) -> bool {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("a signal");
        self.child.wait().expect("an end").success()
    }

    /// Everything it has written to standard error so far, over all its lives.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).expect("standard error")
    }

    /// The threads it has.
    pub fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.child.id());
        fs::read_dir(tasks).expect("its threads").count()
    }

    /// Where it serves TLS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file in its state folder.
    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address, &self.state("tls-cert.pem"))
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&Value>,
    ) -> Response {
        self.connect().request(method, path, authorization, body)
    }

    pub fn login(&self, user: &str, password: &str) -> Response {
        let body = json!({"username": user, "password": password});
        self.request("POST", "/api/auth/login", None, Some(&body))
    }

    pub fn refresh(&self, token: &str) -> Response {
        let body = json!({"refresh_token": token});
        self.request("POST", "/api/auth/refresh", None, Some(&body))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    folder: &TempDir,
    prelude: &str,
    variables: &[(String, String)],
) -> (Child, SocketAddr, String) {
    let stderr = folder.path().join("stderr");
    let stderr = File::options().create(true).append(true).open(stderr);
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{prelude}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_postern"))
        .arg("serve")
        .arg("--env-file")
        .arg(folder.path().join("empty.env"))
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .env("STATE_DIR", folder.path().join("state"))
        .env("BCRYPT_COST", "4")
        .env("LOG_SOURCES", "")
        .env("RATE_LIMIT_RPS", "1000")
        .env("RATE_LIMIT_BURST", "100000")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.expect("standard error"))
        .spawn()
        .expect("the program");
    // Its banner ends when its examples name the health path a first time; all before that is of interest.
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    let mut banner = String::new();
    while !banner.contains("/health") {
        let line = lines.next().expect("a banner").expect("UTF-8");
        banner.push_str(&line);
        banner.push('\n');
    }
    let address = banner
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("address")?
                .trim()
                .strip_prefix("https://")
        })
        .expect("an address");
    let address = address.parse().expect("an address");
    (child, address, banner)
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

//! The program as a child process, in a folder of its own, on a port that the kernel chooses, and with nothing of the tester's
//! own surroundings.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Response};
use crate::config;

/// A folder with everything that the program may touch, and the program in it while it runs.
pub struct Program {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    /// What a shell does before.
    prelude: &'static str,
    running: Option<(Child, SocketAddr)>,
    /// What it printed when it was up.
    pub banner: String,
}

impl Program {
    /// A folder for it, and the variables of all that is run there.
    pub fn new(variables: &[(&str, &str)]) -> Self {
        Self::after(":", variables)
    }

    /// The same, from a shell that does this first.
    pub fn after(prelude: &'static str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Also for a user who does not own it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("opened");
        fs::write(folder.path().join("empty.env"), "").expect("a file");
        Self {
            variables: config::variables(folder.path(), variables),
            folder,
            prelude,
            running: None,
            banner: String::new(),
        }
    }

    /// Starts it with these variables.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let mut program = Self::new(variables);
        program.boot();
        program
    }

    /// The same, from a shell that does this first.
    pub fn start_after(prelude: &'static str, variables: &[(&str, &str)]) -> Self {
        let mut program = Self::after(prelude, variables);
        program.boot();
        program
    }

    /// The program with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("{}; exec \"$0\" \"$@\"", self.prelude))
            .arg(env!("CARGO_BIN_EXE_postern"))
            .args(words)
            .arg("--env-file")
            .arg(self.path("empty.env"))
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(words);
        command.envs(variables.iter().copied());
        command.output().expect("run")
    }

    /// Starts it on what is in its folder.
    pub fn boot(&mut self) {
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(self.path("stderr"));
        let child = self
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(stderr.expect("standard error"))
            .spawn();
        self.adopt(child.expect("the program"));
    }

    /// Waits until this one is up.
    pub fn adopt(&mut self, mut child: Child) {
        // Its banner ends when its examples name the health path a first time; all before that is of interest.
        let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        self.banner.clear();
        while !self.banner.contains("/health") {
            let line = lines.next().expect("a banner").expect("UTF-8");
            self.banner.push_str(&line);
            self.banner.push('\n');
        }
        let url = self.banner.split_once(" https://").expect("an address").1;
        let address = url.lines().next().map(str::parse);
        let address = address.expect("a line").expect("an address");
        self.running = Some((child, address));
    }

    /// Kills it as a power cut would, and starts it again on what it left behind.
    pub fn kill_and_restart(&mut self) {
        self.kill_and_restart_after(|_| ());
    }

    /// The same; meanwhile this happens to its state folder.
    pub fn kill_and_restart_after(&mut self, happens: impl FnOnce(&Self)) {
        self.end(Signal::KILL);
        happens(self);
        self.boot();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child()), signal).expect("a signal");
    }

    /// Ends it by this signal.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let (mut child, _) = self.running.take().expect("a running program");
        child.wait().expect("an end")
    }

    /// Ends it in good order; whether it left with 0.
    pub fn terminate(&mut self) -> bool {
        self.end(Signal::TERM).success()
    }

    fn child(&self) -> &Child {
        &self.running.as_ref().expect("a running program").0
    }

    /// Where the kernel tells about it.
    pub fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.child().id().to_string())
            .join(name)
    }

    /// The threads it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(self.proc("task"))
            .expect("its threads")
            .count()
    }

    /// Everything it has written to standard error so far, over all its lives.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).expect("standard error")
    }

    /// Where it serves TLS.
    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("a running program").1
    }

    /// Something in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in its state folder.
    pub fn state(&self, name: &str) -> PathBuf {
        self.path("state").join(name)
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address(), &self.state("tls-cert.pem"))
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
        self.connect().login(user, password)
    }

    pub fn refresh(&self, token: &str) -> Response {
        let body = json!({"refresh_token": token});
        self.request("POST", "/api/auth/refresh", None, Some(&body))
    }
}

impl Drop for Program {
    /// Nothing is left behind by a test that fails.
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

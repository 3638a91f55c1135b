//! `postern logs` against the real server, through real TLS, and against servers that are not what they should be.

mod board;
mod fake;
mod following;
mod hostile;
mod program;
mod relay;
mod signing_in;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use postern::cli::{logs, parse};
use postern::config::SecretString;
use postern::desk::{Desk, DeskFolder, LogsOptions, StopSignal, Timing};
use postern::terminal::Terminal;
use serde_json::Value;
use tempfile::TempDir;

use crate::device::{Device, PASSWORD};

/// A user's desk: what is kept lasts as long as it does.
pub struct Place {
    folder: TempDir,
    /// `POSTERN_PASSWORD`.
    pub variable: Option<&'static str>,
    /// What is typed, at a terminal; nothing: there is no terminal.
    pub typed: Option<&'static str>,
}

/// What came of it.
#[derive(Debug)]
pub struct Seen {
    pub status: u8,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variable: None,
            typed: None,
        }
    }

    /// With the right password in the variable, and somebody at the terminal who trusts the board.
    pub fn with_variable() -> Self {
        Self {
            variable: Some(PASSWORD),
            typed: Some("yes\n"),
            ..Self::new()
        }
    }

    /// At a terminal, where the board is trusted and the right password typed.
    pub fn with_terminal() -> Self {
        Self {
            typed: Some("yes\ncorrect horse battery\n"),
            ..Self::new()
        }
    }

    pub fn kept(&self, name: &str) -> PathBuf {
        self.folder.path().join("client").join(name)
    }

    /// The file of the login of `admin` there.
    pub fn login(&self, address: SocketAddr) -> PathBuf {
        self.kept(&format!("logins/admin@{address}"))
    }

    /// Has this certificate stand for the board.
    pub fn trust(&self, address: SocketAddr, fingerprint: &str) {
        std::fs::create_dir_all(self.kept("")).expect("a folder");
        let line = format!("{address} {fingerprint}\n");
        std::fs::write(self.kept("known_boards"), line).expect("written");
    }

    fn desk(&self, stop: StopSignal) -> Desk {
        let moment = Duration::from_millis(1);
        Desk {
            folder: Some(DeskFolder::at(self.kept(""))),
            password: self.variable.map(|word| SecretString::new(word.to_owned())),
            colors: [false; 2],
            stop,
            timing: Timing {
                first_pause: moment,
                longest_pause: 20 * moment,
                ..Timing::default()
            },
        }
    }

    /// Runs the command to its end.
    pub fn logs(&self, address: SocketAddr, words: &[&str]) -> Seen {
        self.logs_within(Timing::default(), address, words)
    }

    /// The same, with its own idea of how long things may take.
    pub fn logs_within(&self, timing: Timing, address: SocketAddr, words: &[&str]) -> Seen {
        let (out, err) = (Screen::default(), Screen::default());
        let mut desk = self.desk(StopSignal::default());
        desk.timing = timing;
        let status = shown(&options(address, words), &desk, self.typed, &out, &err);
        Seen {
            status,
            out: out.text(),
            err: err.text(),
        }
    }

    /// Starts the command on a thread, to go on until it is told to end.
    pub fn follow(&self, address: SocketAddr, words: &[&str]) -> Following {
        let (stop, tell) = StopSignal::by_hand().expect("sockets");
        let (out, err) = (Screen::default(), Screen::default());
        let (desk, typed) = (self.desk(stop), self.typed);
        let options = options(address, &[&["--follow"], words].concat());
        let (to, beside) = (out.clone(), err.clone());
        let thread = thread::spawn(move || shown(&options, &desk, typed, &to, &beside));
        Following {
            thread,
            tell,
            out,
            err,
        }
    }
}

fn options(address: SocketAddr, words: &[&str]) -> LogsOptions {
    let url = format!("https://{address}");
    let words = ["logs", &url].into_iter().chain(words.iter().copied());
    let invocation = parse(words).expect("understood");
    logs::options(&invocation.arguments).expect("options")
}

fn shown(
    options: &LogsOptions,
    desk: &Desk,
    typed: Option<&str>,
    out: &Screen,
    err: &Screen,
) -> u8 {
    let mut terminal = Terminal {
        input: &mut typed.unwrap_or_default().as_bytes(),
        input_is_terminal: typed.is_some(),
        out: &mut out.clone(),
        err: &mut err.clone(),
    };
    logs::run(options, desk, &mut terminal).expect("a terminal that takes everything")
}

/// What is written, for all to read.
#[derive(Clone, Default)]
pub struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("UTF-8")
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A command that follows.
pub struct Following {
    thread: JoinHandle<u8>,
    tell: UnixStream,
    pub out: Screen,
    pub err: Screen,
}

impl Following {
    /// Waits until that stands in its output.
    pub fn shows(&self, text: &str) {
        crate::eventually(text, || {
            self.out.text().contains(text) || self.is_over(text)
        });
    }

    /// Waits until it has said that.
    pub fn says(&self, text: &str) {
        crate::eventually(text, || {
            self.err.text().contains(text) || self.is_over(text)
        });
    }

    fn is_over(&self, wanted: &str) -> bool {
        assert!(
            !self.thread.is_finished(),
            "over before {wanted:?}: {}",
            self.err.text()
        );
        false
    }

    /// Ctrl-C.
    pub fn interrupt(self) -> Seen {
        drop(self.tell);
        Self::seen(self.thread, &self.out, &self.err)
    }

    /// Waits for the end that it comes to by itself.
    pub fn end(self) -> Seen {
        crate::eventually("the end", || self.thread.is_finished());
        Self::seen(self.thread, &self.out, &self.err)
    }

    fn seen(thread: JoinHandle<u8>, out: &Screen, err: &Screen) -> Seen {
        Seen {
            status: thread.join().expect("a status"),
            out: out.text(),
            err: err.text(),
        }
    }
}

/// The certificate's, as the board prints it.
pub fn fingerprint(device: &Device) -> String {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let pem = std::fs::read(device.state("tls-cert.pem")).expect("the certificate");
    let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    let hash = ring::digest::digest(&ring::digest::SHA256, &der);
    let pairs = hash.as_ref().iter().map(|byte| format!("{byte:02X}"));
    pairs.collect::<Vec<_>>().join(":")
}

/// What is in lines of JSON.
pub fn objects(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

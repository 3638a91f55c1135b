//! Logouts a second, end to end: the whole server in this process, real TLS over loopback, kept-alive connections, and a
//! journal in a file.
//!
//! `cargo bench --bench logouts`. With one client every logout waits for a sync of its own; of many, half share one:
//! whoever is answered by a sync comes just too late for the next. The clients share this machine's cores with the server,
//! so the figure for many of them is a lower bound. What this disk takes for a sync an SD card takes many times over: the
//! second and third tables have each sync sleep a while besides.

use std::io;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use postern::journal::storage::StorageFile;
use postern::journal::{FileStorage, Room, Storage};
use postern::logs::own;
use postern::server::{Dependencies, Server};
use ring::hmac;
use serde_json::Value;

use client::{Client, PASSWORD, USER};

#[expect(dead_code, reason = "what tests need")]
#[path = "../tests/support/client.rs"]
mod client;
#[path = "../tests/support/config.rs"]
mod config;

fn main() {
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    // As in the product: each logout is also an entry in the ring. Nothing goes to stderr.
    own::install(log::LevelFilter::Off);
    let mut within = true;
    for extra in SYNC_EXTRAS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        within &= measure(folder.path(), extra);
    }
    if !within {
        eprintln!("64 clients come to less than {LEAST_GAIN} times one");
        std::process::exit(1);
    }
}

/// Whether many clients gain by sharing syncs what they should.
fn measure(folder: &Path, extra: Duration) -> bool {
    let state = folder.join("state");
    let server = start(folder, extra);
    let mint = Mint::new(&server, &state);
    let mut runs: [Vec<Run>; CLIENTS.len()] = Default::default();
    // In turns, so that whatever else this machine does meanwhile hits them alike.
    for _ in 0..ROUNDS {
        for (clients, runs) in CLIENTS.iter().zip(&mut runs) {
            runs.push(run(&server, &state, &mint, *clients));
        }
    }
    server.stop();

    match extra.as_millis() {
        0 => println!("journal in {}", folder.display()),
        extra => println!("the same, each sync SLOWED by a sleep of {extra} ms"),
    }
    println!("clients  logouts/s  syncs/s  logouts a sync   (medians of {ROUNDS} runs of {RUN:?})");
    let median = |runs: &[Run], figure: fn(&Run) -> f64| {
        let mut figures: Vec<_> = runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    for (clients, runs) in CLIENTS.iter().zip(&runs) {
        println!(
            "{clients:7}  {:9.0}  {:7.0}  {:14.1}",
            median(runs, |run| run.logouts),
            median(runs, |run| run.syncs),
            median(runs, |run| run.logouts / run.syncs),
        );
    }
    let [one, .., many] = runs.each_ref().map(|runs| median(runs, |run| run.logouts));
    println!("64 clients to 1: {:.1} times\n", many / one);
    many >= LEAST_GAIN * one
}

/// What one run came to, a second.
struct Run {
    logouts: f64,
    syncs: f64,
}

fn start(folder: &Path, extra: Duration) -> Server {
    let settings = [
        ("LOCAL_SOCKET", ""),
        ("SECRET_KEY", KEY),
        ("BASIC_AUTH_PASSWORD", PASSWORD),
        ("RATE_LIMIT_RPS", "100000"),
        ("RATE_LIMIT_BURST", "1000000"),
        ("MAX_CONNECTIONS", "256"),
        ("MAX_CONNECTIONS_PER_IP", "256"),
    ];
    let config = config::config(folder, &config::variables(folder, &settings));
    let dependencies = Dependencies {
        storage: Box::new(move |folder| {
            let real = FileStorage::open(folder)?;
            Ok(Box::new(Slowed { real, extra }))
        }),
        ..Dependencies::real()
    };
    Server::start(config, &dependencies).expect("a started server")
}

/// Logs out for [`RUN`] over this many connections.
fn run(server: &Server, state: &Path, mint: &Mint, clients: usize) -> Run {
    let address = server.addresses()[0];
    let threads = clients.min(THREADS);
    let start = Barrier::new(threads + 1);
    let syncs = || server.api().journal.stats().syncs;
    thread::scope(|scope| {
        let driving: Vec<_> = (0..threads)
            .map(|_| {
                let start = &start;
                scope.spawn(move || {
                    let mut clients: Vec<_> = (0..clients / threads)
                        .map(|_| Client::connect(address, &state.join("tls-cert.pem")))
                        .collect();
                    start.wait();
                    drive(&mut clients, mint)
                })
            })
            .collect();
        start.wait();
        let (begun, before) = (Instant::now(), syncs());
        let logouts: u32 = driving
            .into_iter()
            .map(|thread| thread.join().expect("a client"))
            .sum();
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let syncs = (syncs() - before) as f64;
        Run {
            logouts: f64::from(logouts) / seconds,
            syncs: syncs / seconds,
        }
    })
}

/// Keeps every client at it: whoever was answered logs the next one out at once. Returns how many were answered.
fn drive(clients: &mut [Client], mint: &Mint) -> u32 {
    let until = Instant::now() + RUN;
    let mut answered = 0;
    for client in &mut *clients {
        ask(client, mint);
    }
    while Instant::now() < until {
        for client in &mut *clients {
            answered_well(client);
            ask(client, mint);
            answered += 1;
        }
    }
    for client in clients {
        answered_well(client);
        answered += 1;
    }
    answered
}

fn ask(client: &mut Client, mint: &Mint) {
    client.send(format!(
        "POST /api/logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        mint.token()
    ));
}

fn answered_well(client: &mut Client) {
    let answer = client.response_to("POST");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Makes access tokens of ever new logins, in the shape of those that the server issues.
struct Mint {
    key: hmac::Key,
    claims: Value,
}

impl Mint {
    fn new(server: &Server, state: &Path) -> Self {
        let mut client = Client::connect(server.addresses()[0], &state.join("tls-cert.pem"));
        let answer = client.login(USER, PASSWORD).json();
        let token = answer["access_token"].as_str().expect("a token");
        let claims = token.split('.').nth(1).expect("claims");
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()),
            claims: serde_json::from_slice(&claims).expect("JSON"),
        }
    }

    fn token(&self) -> String {
        let mut claims = self.claims.clone();
        for name in ["jti", "sid"] {
            let mut random = [0; 16];
            getrandom::fill(&mut random).expect("random bytes");
            claims[name] = format!("{:032x}", u128::from_ne_bytes(random)).into();
        }
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let text = format!("{header}.{}", encode(claims.to_string().as_bytes()));
        let signature = hmac::sign(&self.key, text.as_bytes());
        format!("{text}.{}", encode(signature.as_ref()))
    }
}

/// Real files whose syncs take a while longer.
struct Slowed<T> {
    real: T,
    extra: Duration,
}

impl<T> Slowed<T> {
    fn file(&self, real: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        let extra = self.extra;
        Box::new(Slowed { real, extra })
    }
}

impl Storage for Slowed<FileStorage> {
    fn location(&self, name: &str) -> String {
        self.real.location(name)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn StorageFile>>> {
        Ok(self.real.open(name)?.map(|file| self.file(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.real.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.link(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.real.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        thread::sleep(self.extra);
        self.real.sync_folder()
    }

    fn room(&self) -> io::Result<Room> {
        self.real.room()
    }
}

impl StorageFile for Slowed<Box<dyn StorageFile>> {
    fn read(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        self.real.read(limit)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.real.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        thread::sleep(self.extra);
        self.real.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        thread::sleep(self.extra);
        self.real.sync_all()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.real.truncate(len)
    }

    fn writable(&self) -> io::Result<()> {
        self.real.writable()
    }

    fn has_name(&self) -> io::Result<bool> {
        self.real.has_name()
    }
}

/// How many times the logouts of one client 64 must come to.
const LEAST_GAIN: f64 = 10.0;

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 64];

/// They are driven by few threads, so that the server gets its share of a small machine.
const THREADS: usize = 2;

/// How long one run takes.
const RUN: Duration = Duration::from_secs(1);

/// Runs of each kind.
const ROUNDS: usize = 5;

/// By how much syncs are slowed, a table each: not at all, to a quick SD card's pace, and to a slow one's.
const SYNC_EXTRAS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(2),
    Duration::from_millis(20),
];

const KEY: &str = "qX7vB2mK9tR4wY6zA1cE3fG5hJ8nP0sD";

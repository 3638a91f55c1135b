//! systemd's watchdog: fed while every part of the server answers, and while no part hangs only.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use postern::entropy::{Entropy, SystemEntropy};
use postern::journal::storage::Failing;
use postern::journal::{MemoryStorage, Record};
use postern::logs::Filter;
use postern::server::{Dependencies, Server, Watchdog};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::config;
use crate::device::{PASSWORD, USER, basic, install_own_events};
use crate::program::Program;

/// Randomness that a thread may hang at.
#[derive(Default)]
struct Randomness {
    dry: Mutex<bool>,
    changed: Condvar,
    hanging: AtomicUsize,
}

impl Entropy for Randomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut dry = self.dry.lock();
        if *dry {
            self.hanging.fetch_add(1, Ordering::SeqCst);
            self.changed.wait_while(&mut dry, |dry| *dry);
        }
        SystemEntropy.fill(bytes);
    }
}

/// A server with one worker and a watchdog that counts.
struct Bench {
    folder: TempDir,
    randomness: Arc<Randomness>,
    memory: MemoryStorage,
    fed: Arc<AtomicUsize>,
    server: Option<Server>,
}

impl Bench {
    fn start() -> Self {
        install_own_events();
        let folder = tempfile::tempdir().expect("a folder");
        let own = [("BASIC_AUTH_PASSWORD", PASSWORD), ("WORKERS", "1")];
        let config = config::config(folder.path(), &config::variables(folder.path(), &own));
        let randomness = Arc::new(Randomness::default());
        let memory = MemoryStorage::new();
        let fed = Arc::new(AtomicUsize::new(0));
        let (disk, count) = (memory.clone(), fed.clone());
        let dependencies = Dependencies {
            entropy: randomness.clone(),
            storage: Box::new(move |_| Ok(Box::new(disk.clone()))),
            watchdog: Some(Watchdog {
                limit: LIMIT,
                feed: Arc::new(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                }),
            }),
            ..Dependencies::real()
        };
        let server = Server::start(config, &dependencies).expect("a server");
        Self {
            folder,
            randomness,
            memory,
            fed,
            server: Some(server),
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a server")
    }

    fn fed(&self) -> usize {
        self.fed.load(Ordering::SeqCst)
    }

    fn goes_on_being_fed(&self) {
        let before = self.fed();
        crate::eventually("food", || self.fed() > before + 3);
    }

    /// Whether it was said that this part is silent.
    fn names(&self, part: &str) -> bool {
        let ring = &self.server().api().ring;
        let entries = ring.recent(usize::MAX, None, &Filter::default());
        entries.iter().any(|json| {
            let entry: Value = serde_json::from_str(json).expect("JSON");
            entry["fields"]["silent"]
                .as_str()
                .is_some_and(|silent| silent.split(", ").any(|name| name == part))
        })
    }

    /// This part hangs now. One question may have been answered before, so one meal may follow, however slow this machine
    /// is; more must not. Then `release` ends it.
    fn starves_while_it_hangs(&self, part: &str, release: impl FnOnce()) {
        let before = self.fed();
        crate::eventually("its name in the log", || self.names(part));
        thread::sleep(4 * LIMIT);
        let meals = self.fed() - before;
        assert!(meals <= 1, "{meals} meals while {part} hung");
        release();
        self.goes_on_being_fed();
    }

    fn connect(&self) -> Client {
        let cert = self.folder.path().join("state/tls-cert.pem");
        Client::connect(self.server().addresses()[0], &cert)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = self.server.take()
            && !thread::panicking()
        {
            server.stop();
        }
    }
}

fn send(client: &mut Client, path: &str) {
    let login = basic(USER, PASSWORD);
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {login}\r\n\r\n"
    ));
}

#[test]
fn a_worker_that_hangs_starves_it() {
    let bench = Bench::start();
    let mut client = bench.connect();
    // From now on the password is known, and no other thread needed for it.
    send(&mut client, "/api/status");
    assert_eq!(client.response_to("GET").status, 200);
    bench.goes_on_being_fed();
    let randomness = &bench.randomness;
    *randomness.dry.lock() = true;
    send(&mut client, "/api/ws-token");
    let hangs = || randomness.hanging.load(Ordering::SeqCst) > 0;
    crate::eventually("it to hang", hangs);
    bench.starves_while_it_hangs("worker-0", || {
        *randomness.dry.lock() = false;
        randomness.changed.notify_all();
    });
    assert_eq!(client.response_to("GET").status, 200);
}

#[test]
fn a_hub_that_hangs_starves_it() {
    let bench = Bench::start();
    bench.goes_on_being_fed();
    let (hangs, hanging) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    bench.server().api().hub.ask(Box::new(move || {
        let _ = hangs.send(());
        let _ = released.recv();
    }));
    hanging.recv().expect("it hangs");
    bench.starves_while_it_hangs("hub", || drop(release));
}

#[test]
fn a_journal_whose_sync_does_not_come_back_starves_it() {
    let bench = Bench::start();
    bench.goes_on_being_fed();
    bench.memory.hold_syncs();
    let journal = bench.server().api().journal.clone();
    let commit = thread::spawn(move || {
        let client = std::net::IpAddr::from([192, 0, 2, 1]).into();
        journal.commit(Record::LockOutCleared { client })
    });
    bench.memory.wait_for_held_call();
    bench.starves_while_it_hangs("journal", || bench.memory.release());
    assert_eq!(commit.join().expect("an end"), Ok(()));
}

#[test]
fn a_pool_in_which_nothing_moves_starves_it() {
    let bench = Bench::start();
    bench.goes_on_being_fed();
    // From now on the password is known, and no longer that lane's.
    let mut client = bench.connect();
    send(&mut client, "/api/status");
    assert_eq!(client.response_to("GET").status, 200);
    let mut clients: Vec<_> = (0..20).map(|_| bench.connect()).collect();
    let stuck = bench.server().api().sources.lock();
    for client in &mut clients {
        send(client, "/api/status");
    }
    crate::eventually("its name in the log", || bench.names("pool"));
    bench.starves_while_it_hangs("pool", || drop(stuck));
    for client in &mut clients {
        assert_eq!(client.response_to("GET").status, 200);
    }
}

#[test]
fn a_disk_that_fails_is_no_reason_to_restart() {
    let bench = Bench::start();
    bench.memory.fail(Failing {
        appends: true,
        replacements: true,
        ..Failing::default()
    });
    let journal = &bench.server().api().journal;
    let client = std::net::IpAddr::from([192, 0, 2, 1]).into();
    let lost = journal.commit(Record::LockOutCleared { client });
    assert!(lost.is_err() && !journal.healthy());
    bench.goes_on_being_fed();
    assert!(!journal.healthy());
    bench.memory.fail(Failing::default());
}

#[test]
fn the_program_tells_systemd_when_it_is_ready_that_it_lives_and_when_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).expect("a timeout");
    // Others are read over: systemd takes them in any order, and it must not be kept waiting.
    let hear = |wanted: &str| loop {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).expect("a message");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.lines().any(|line| line == wanted) {
            return text;
        }
    };
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            Program::start(&[
                ("BASIC_AUTH_PASSWORD", PASSWORD),
                ("NOTIFY_SOCKET", path.to_str().expect("UTF-8")),
                ("WATCHDOG_USEC", "200000"),
            ])
        });
        let ready = hear("READY=1");
        assert!(
            ready.contains("STATUS=serving TLS on 127.0.0.1:"),
            "{ready}"
        );
        for _ in 0..5 {
            hear("WATCHDOG=1");
        }
        let mut program = starting.join().expect("a program");
        let ending = scope.spawn(move || program.terminate());
        hear("STOPPING=1");
        assert!(ending.join().expect("an end"));
    });
}

/// Of the watchdogs here: it is fed some times a second.
const LIMIT: Duration = Duration::from_millis(400);

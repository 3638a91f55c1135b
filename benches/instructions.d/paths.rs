//! Runs one hot path so often that `benches/instructions` can count what an operation takes. With another count it does the
//! same preparations, so the difference is the path's alone.
//!
//!     paths PART COUNT
//!     paths parts
//!     paths processor
//!
//! It is an example and no bench: cargo builds those with unwinding, and they would not be the code of the program.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use postern::api::Api;
use postern::clock::{FakeTimeSource, SystemTimeSource, TimeSource};
use postern::config::{Config, Machine};
use postern::entropy::FakeEntropy;
use postern::ids::ClientKey;
use postern::logs::{Encoding, Filter, Level, NewEntry, Subscription, Transport, own};
use postern::server::Dependencies;
use postern::server::hot_paths::{self, CLIENT, Served};
use postern::server::tls::Certificate;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite};
use tempfile::TempDir;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["parts"] => PARTS.iter().for_each(|(name, _)| println!("{name}")),
        ["processor"] => println!("{}", processor()),
        [part, count] => {
            let part = PARTS.iter().find(|(name, _)| name == part);
            let (Some((_, run)), Ok(count)) = (part, count.parse()) else {
                return usage();
            };
            run(count);
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: paths PART COUNT | paths parts | paths processor");
    ExitCode::from(2)
}

/// Runs a part so many times.
type Run = fn(u64);

const PARTS: &[(&str, Run)] = &[
    ("parse-curl", |count| hot_paths::parse(&curl(), count)),
    ("parse-browser", |count| hot_paths::parse(&browser(), count)),
    ("limit-ipv4", |count| {
        limit(count, |number| ClientKey::V4([192, 0, 2, number]));
    }),
    ("limit-ipv6", |count| {
        limit(count, |number| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, number.into(), 0, 0, 0, 1);
            SocketAddr::from((address, 0)).ip().into()
        });
    }),
    ("verify", |count| verify(count, "1024")),
    ("verify-miss", |count| verify(count, "0")),
    ("basic", basic),
    ("admit-health", |count| {
        let board = Board::new();
        hot_paths::admit(&board.api, &curl(), count);
    }),
    ("admit-bearer", |count| {
        let board = Board::new();
        hot_paths::admit(&board.api, &board.bearer(), count);
    }),
    ("respond-health", |count| {
        let board = Board::new();
        hot_paths::respond(&board.api, &curl(), count);
    }),
    ("respond-bearer", |count| {
        let board = Board::new();
        hot_paths::respond(&board.api, &board.bearer(), count);
    }),
    ("request-health", |count| request(count, |_| curl())),
    ("request-bearer", |count| request(count, Board::bearer)),
    ("request-basic", |count| request(count, by_password)),
    ("fan-out-websocket", |count| {
        fan_out(count, Encoding::WebSocket);
    }),
    ("fan-out-lines", |count| {
        fan_out(count, Encoding::JsonLines { chunked: true });
    }),
    ("tls-aes", |count| {
        over_tls(count, cipher_suite::TLS13_AES_128_GCM_SHA256);
    }),
    ("tls-chacha", |count| {
        over_tls(count, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256);
    }),
    ("handshake", handshakes),
];

/// What libraries choose their code by at run time, as far as a program can see.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("sha", is_x86_feature_detected!("sha")),
        ("aes", is_x86_feature_detected!("aes")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("adx", is_x86_feature_detected!("adx")),
    ];
    #[cfg(target_arch = "aarch64")]
    let found = [
        ("sha2", std::arch::is_aarch64_feature_detected!("sha2")),
        ("aes", std::arch::is_aarch64_feature_detected!("aes")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found: [(&str, bool); 0] = [];
    let names = found.into_iter().filter(|(_, has)| *has);
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    format!("{} {}", std::env::consts::ARCH, names.join(" "))
        .trim_end()
        .to_owned()
}

/// Everything below the sockets, on a clock that stands still.
struct Board {
    api: Arc<Api>,
    time: Arc<FakeTimeSource>,
    folder: TempDir,
}

impl Board {
    fn new() -> Self {
        Self::keeping("1024")
    }

    /// One that keeps so many verified tokens.
    fn keeping(tokens: &str) -> Self {
        own::install(log::LevelFilter::Off);
        let folder = tempfile::tempdir().expect("a folder");
        let settings = [
            ("STATE_DIR", folder.path().to_str().expect("UTF-8")),
            ("LOCAL_SOCKET", ""),
            ("SECRET_KEY", KEY),
            ("BASIC_AUTH_PASSWORD", PASSWORD),
            ("BCRYPT_COST", "4"),
            ("RATE_LIMIT_RPS", "100000"),
            ("RATE_LIMIT_BURST", "1000000"),
            ("MAX_CACHED_TOKENS", tokens),
            ("LOG_SOURCES", ""),
        ];
        // The same on every machine.
        let machine = Machine {
            cores: 1,
            memory: 512 << 20,
            env_file: folder.path().join("no-such.env"),
            ..Machine::detect()
        };
        let config = Config::load_on(&machine, settings, None).expect("a good configuration");
        let time = Arc::new(FakeTimeSource::new(SystemTimeSource::new().system()));
        let dependencies = Dependencies {
            time: time.clone(),
            entropy: Arc::new(FakeEntropy::new(1)),
            root: folder.path().join("no-such-root"),
            ..Dependencies::real()
        };
        let api = hot_paths::api(&config, &dependencies).expect("an API");
        // From here on the credential is known, and the client no stranger.
        let confirmed = api.auth.basic(CLIENT, "admin", PASSWORD);
        assert!(confirmed.is_ok(), "the password is not accepted");
        Self { api, time, folder }
    }

    fn token(&self) -> String {
        let pair = self.api.auth.login(CLIENT, "admin", PASSWORD);
        pair.expect("a login").access_token
    }

    fn bearer(&self) -> Vec<u8> {
        protected(&format!("Bearer {}", self.token()))
    }
}

/// What curl sends.
fn curl() -> Vec<u8> {
    b"GET /health HTTP/1.1\r\nHost: board.local:8443\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
        .to_vec()
}

fn protected(authorization: &str) -> Vec<u8> {
    format!(
        "GET /api/security/rate-limits HTTP/1.1\r\nHost: board.local:8443\r\nAuthorization: {authorization}\r\n\
         User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
    )
    .into_bytes()
}

fn by_password(_: &Board) -> Vec<u8> {
    let credential = BASE64_STANDARD.encode(format!("admin:{PASSWORD}"));
    protected(&format!("Basic {credential}"))
}

/// What Chromium sends from the console.
fn browser() -> Vec<u8> {
    let token = "e".repeat(300);
    format!(
        "GET /api/status HTTP/1.1\r\nHost: board.local:8443\r\nConnection: keep-alive\r\n\
         sec-ch-ua-platform: \"Linux\"\r\nAuthorization: Bearer {token}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
         sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\n\
         Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
         Referer: https://board.local:8443/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Accept-Language: en-GB,en;q=0.9\r\n\r\n"
    )
    .into_bytes()
}

/// Requests of clients that have a bucket already.
fn limit(count: u64, client: fn(u8) -> ClientKey) {
    let board = Board::new();
    let clients: Vec<_> = (1..=CLIENTS).map(client).collect();
    let now = board.api.clock.monotonic();
    let take = |client: &ClientKey| {
        let taken = board.api.buckets.take(black_box(*client), now);
        assert!(black_box(taken).is_ok(), "a client must wait");
    };
    clients.iter().for_each(take);
    let often = usize::try_from(count).expect("few");
    clients.iter().cycle().take(often).for_each(take);
}

fn verify(count: u64, kept: &str) {
    let board = Board::keeping(kept);
    let token = board.token();
    for _ in 0..=count {
        let session = board.api.auth.bearer(black_box(&token));
        assert!(black_box(session).is_ok(), "the token is not accepted");
    }
}

fn basic(count: u64) {
    let board = Board::new();
    for _ in 0..=count {
        let quick = (board.api.auth).basic_quick(CLIENT, "admin", black_box(PASSWORD));
        let known = matches!(black_box(quick), postern::auth::Quick::Known(_));
        assert!(known, "the credential is not known");
    }
}

/// The whole way of a request through a connection that is kept, but for TLS.
fn request(count: u64, head: fn(&Board) -> Vec<u8>) {
    let board = Board::new();
    let head = head(&board);
    let (mut client, socket) = UnixStream::pair().expect("two sockets");
    let mut served = Served::plain(&board.api, socket).expect("a connection");
    let mut answer = [0; 4096];
    for _ in 0..=count {
        client.write_all(&head).expect("sent");
        served.serve();
        let length = client.read(&mut answer).expect("an answer");
        let answer = &answer[..length];
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
    }
}

/// One entry to all subscribers. The hub sleeps before each, or the count would depend on which thread is faster.
fn fan_out(count: u64, encoding: Encoding) {
    let board = Board::new();
    let written = Arc::new(AtomicUsize::new(0));
    let mut peers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let (peer, socket) = UnixStream::pair().expect("two sockets");
        peers.push(peer);
        board.api.hub.subscribe(Subscription {
            transport: Box::new(Sink(socket, written.clone())),
            encoding,
            leftover: Vec::new(),
            filter: Filter::default(),
            since: None,
            boot: None,
            alive: Box::new(|| Some(Duration::MAX)),
            keep: Box::new(()),
        });
    }
    let wait_for = |writes: usize| {
        while written.load(Ordering::Relaxed) < writes {
            thread::sleep(Duration::from_millis(1));
        }
        // The last of the writes is not the last that it does.
        thread::sleep(Duration::from_millis(1));
    };
    // Each takes at least one write. How many in all is seen once the hub has come to rest.
    let rest = |writes: usize| {
        wait_for(writes);
        thread::sleep(Duration::from_millis(300));
        written.load(Ordering::Relaxed)
    };
    let hellos = rest(SUBSCRIBERS);
    let source: Arc<str> = "app".into();
    let now = board.time.system();
    let push = || {
        let line = "GET /index.html from 192.168.1.20 took 12 ms, kept alive".to_owned();
        let entry = NewEntry::new(source.clone(), Level::Info, now, line);
        board.api.ring.push(entry);
    };
    push();
    let writes = rest(hellos + SUBSCRIBERS) - hellos;
    for _ in 0..count {
        let before = written.load(Ordering::Relaxed);
        push();
        wait_for(before + writes);
    }
}

/// Takes all that is written, and counts how often. Its socket is always writable, and nothing ever comes.
struct Sink(UnixStream, Arc<AtomicUsize>);

impl Transport for Sink {}

impl AsFd for Sink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `/health` over TLS 1.3, the client's work included.
fn over_tls(count: u64, suite: SupportedCipherSuite) {
    let mut pair = TlsPair::new(vec![suite]);
    let mut session = pair.connect();
    for _ in 0..=count {
        session.ask(&curl());
    }
}

/// Full handshakes of TLS 1.3, the client's work included.
fn handshakes(count: u64) {
    let mut pair = TlsPair::new(default_provider().cipher_suites);
    for _ in 0..=count {
        black_box(pair.connect());
    }
}

struct TlsPair {
    board: Board,
    certificate: Certificate,
    client: Arc<ClientConfig>,
    listener: TcpListener,
}

impl TlsPair {
    fn new(cipher_suites: Vec<SupportedCipherSuite>) -> Self {
        let board = Board::new();
        let certificate = Certificate::own(board.folder.path(), board.time.system());
        let pem = std::fs::read(board.folder.path().join("tls-cert.pem")).expect("its file");
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&pem).expect("a certificate"))
            .expect("a usable root");
        let provider = rustls::crypto::CryptoProvider {
            cipher_suites,
            ..default_provider()
        };
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = rustls::client::Resumption::disabled();
        Self {
            board,
            certificate: certificate.expect("a certificate"),
            client: Arc::new(client),
            listener: TcpListener::bind(("127.0.0.1", 0)).expect("a port"),
        }
    }

    fn connect(&mut self) -> TlsSession {
        let address = self.listener.local_addr().expect("its address");
        let socket = TcpStream::connect(address).expect("connected");
        let (accepted, _) = self.listener.accept().expect("accepted");
        for socket in [&socket, &accepted] {
            socket.set_nodelay(true).expect("a socket");
        }
        let served = Served::tls(&self.board.api, accepted, self.certificate.config());
        let name = ServerName::from(address.ip());
        let mut session = TlsSession {
            tls: ClientConnection::new(self.client.clone(), name).expect("a client"),
            socket,
            served: served.expect("a connection"),
        };
        // Finished, too, is to reach the server, which has tickets for it.
        while session.tls.is_handshaking() || session.tls.wants_write() {
            session.turn();
        }
        session
    }
}

struct TlsSession {
    tls: ClientConnection,
    socket: TcpStream,
    served: Served,
}

impl TlsSession {
    /// Sends what there is, has the server do its part, and takes in what it sends.
    fn turn(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).expect("sent");
        }
        self.served.serve();
        self.tls.read_tls(&mut self.socket).expect("received");
        self.tls.process_new_packets().expect("TLS");
    }

    fn ask(&mut self, head: &[u8]) {
        self.tls.writer().write_all(head).expect("encrypted");
        let mut answer = [0; 4096];
        loop {
            self.turn();
            match self.tls.reader().read(&mut answer) {
                // What came was a ticket.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    let answer = &answer[..read.expect("an answer")];
                    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
                    return;
                }
            }
        }
    }
}

const PASSWORD: &str = "correct horse battery";

/// Clients that take turns.
const CLIENTS: u8 = 64;

/// Log streams.
const SUBSCRIBERS: usize = 16;

const KEY: &str = "qX7vB2mK9tR4wY6zA1cE3fG5hJ8nP0sD
correct horse battery";

//! Sockets that systemd opened for it (`sd_listen_fds(3)`): the program, started as a socket unit would start it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::ServerName;
use tempfile::TempDir;

use crate::client::{Client, tcp, tls_config};

/// The first socket comes as standard input and the second as standard error; a shell puts them where systemd would, and
/// becomes the program, so that its own number is the program's.
const PASS: &str = r#"exec 3<&0 4<&2 </dev/null 2>"$0"; LISTEN_PID=${LISTEN_PID:-$$} exec "$@""#;

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("empty.env"), "").expect("written");
        Self(folder)
    }

    /// Starts it with these sockets and variables.
    fn spawn(&self, first: OwnedFd, second: Option<OwnedFd>, variables: &[(&str, &str)]) -> Child {
        let folder = self.0.path();
        let count = 1 + usize::from(second.is_some());
        Command::new("sh")
            .args(["-c", PASS])
            .arg(folder.join("stderr"))
            .arg(env!("CARGO_BIN_EXE_postern"))
            .args(["serve", "--env-file"])
            .arg(folder.join("empty.env"))
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("STATE_DIR", folder.join("state"))
            .env("BASIC_AUTH_PASSWORD", "correct horse battery")
            .env("BCRYPT_COST", "4")
            .env("LOG_SOURCES", "")
            .env("WORKERS", "2")
            .env("LISTEN_FDS", count.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::from(first))
            .stdout(Stdio::piped())
            .stderr(second.map_or_else(Stdio::null, Stdio::from))
            .spawn()
            .expect("a shell")
    }

    fn start(&self, first: OwnedFd, second: Option<OwnedFd>, variables: &[(&str, &str)]) -> Served {
        let mut child = self.spawn(first, second, variables);
        let mut banner = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        while !banner.contains("/health") {
            let read = out.read_line(&mut banner).expect("read");
            assert!(read > 0, "no banner: {}", self.stderr());
        }
        Served { child, banner }
    }

    /// Starts it with this as descriptor 3; it must not. What it says.
    fn refusal(&self, first: impl Into<OwnedFd>, variables: &[(&str, &str)]) -> String {
        let mut child = self.spawn(first.into(), None, variables);
        let mut out = child.stdout.take().expect("its output");
        if out.read(&mut [0]).expect("read") > 0 {
            let _ = child.kill();
            panic!("it has started: {}", self.stderr());
        }
        assert_eq!(child.wait().expect("an end").code(), Some(1));
        assert!(!self.0.path().join("state").exists(), "nothing is begun");
        self.stderr()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.0.path().join("stderr")).expect("standard error")
    }

    /// Whether it answers on a connection that is there already.
    fn answers(&self, socket: TcpStream) {
        let config = tls_config(&self.0.path().join("state/tls-cert.pem"));
        let name = ServerName::from(socket.peer_addr().expect("connected").ip());
        let mut client = Client::over(socket, config, name).expect("TLS");
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }
}

struct Served {
    child: Child,
    banner: String,
}

impl Served {
    fn says(&self, address: SocketAddr) -> bool {
        self.banner.contains(&format!("https://{address}\n"))
    }

    fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a signal");
        self.child.wait().expect("an end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listener(addresses: &[SocketAddr]) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(addresses).expect("a listener");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

fn ipv4() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

#[test]
fn it_serves_on_the_sockets_that_were_handed_over_and_nowhere_else() {
    let bench = Bench::new();
    let (first, at_first) = listener(&[ipv4()]);
    // On a kernel without IPv6 another one for IPv4.
    let (second, at_second) = listener(&[(Ipv6Addr::LOCALHOST, 0).into(), ipv4()]);
    // Somebody else's: if it were heeded, the start would fail.
    let (_taken, elsewhere) = listener(&[ipv4()]);
    let variables = [("LISTEN", &*elsewhere.to_string())];
    let mut served = bench.start(first.into(), Some(second.into()), &variables);
    for address in [at_first, at_second] {
        assert!(served.says(address), "{}", served.banner);
        // These sockets block. Were they left so, a worker would wait on one for ever after its first client.
        for _ in 0..4 {
            bench.answers(tcp(address));
        }
    }
    assert!(!served.says(elsewhere), "{}", served.banner);
    let log = bench.stderr();
    let line = log.lines().find(|line| line.contains("handed over"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&at_first.to_string()) && line.contains(&at_second.to_string()));
    // A child must not hold them: the socket unit could not be stopped.
    for descriptor in [3, 4] {
        let path = format!("/proc/{}/fdinfo/{descriptor}", served.child.id());
        let about = fs::read_to_string(path).expect("a descriptor");
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.expect("flags").trim(), 8).expect("octal");
        assert_ne!(flags & CLOEXEC, 0, "{about}");
    }
    assert_eq!(served.terminate().code(), Some(0));
}

#[test]
fn whoever_comes_while_it_is_stopped_is_served_when_it_is_up() {
    let bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let copy = || OwnedFd::from(socket.try_clone().expect("a copy"));
    let early = tcp(address);
    let mut served = bench.start(copy(), None, &[]);
    bench.answers(early);
    assert_eq!(served.terminate().code(), Some(0));
    let between = tcp(address);
    let _served = bench.start(copy(), None, &[]);
    bench.answers(between);
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let served = bench.start(socket.into(), None, &[("LISTEN_PID", "1")]);
    assert!(!served.says(address), "{}", served.banner);
    assert!(!bench.stderr().contains("handed over"));
}

#[test]
fn with_no_socket_at_all_it_opens_its_own() {
    let bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let served = bench.start(socket.into(), None, &[("LISTEN_FDS", "0")]);
    assert!(!served.says(address), "{}", served.banner);
}

#[test]
fn what_is_no_listening_tcp_socket_refuses_the_start_by_its_number() {
    let bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let unix = UnixListener::bind(bench.0.path().join("unix")).expect("a socket");
    let udp = UdpSocket::bind(ipv4()).expect("a socket");
    let connection = TcpStream::connect(address).expect("a connection");
    let file = File::open("/dev/null").expect("a file");
    let sockets: [OwnedFd; 4] = [unix.into(), udp.into(), connection.into(), file.into()];
    for socket in sockets {
        let said = bench.refusal(socket, &[]);
        assert!(said.contains("LISTEN_FDS: descriptor 3 is no"), "{said}");
    }
    // Descriptor 4 is `/dev/null` here.
    let copy = socket.try_clone().expect("a copy");
    let said = bench.refusal(copy, &[("LISTEN_FDS", "2")]);
    assert!(said.contains("LISTEN_FDS: descriptor 4 is no"), "{said}");
    for count in ["", "x", "-1", "4000000000"] {
        let copy = socket.try_clone().expect("a copy");
        let said = bench.refusal(copy, &[("LISTEN_FDS", count)]);
        assert!(said.contains("LISTEN_FDS: \""), "{said}");
    }
}

/// `O_CLOEXEC`, the same on every Linux that postern is built for.
const CLOEXEC: u32 = 0o2_000_000;

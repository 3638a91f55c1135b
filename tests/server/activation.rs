//! Sockets that systemd opened for it (`sd_listen_fds(3)`): the program, started as a socket unit would start it.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustls::pki_types::ServerName;

use crate::client::{Client, PASSWORD, tcp, tls_config};
use crate::program::Program;

/// The first socket comes as standard input and the second as standard error; a shell puts them where systemd would, and
/// becomes the program, so that its own number is the program's.
const PASS: &str = "exec 3<&0 4<&2 </dev/null 2>stderr; export LISTEN_PID=${LISTEN_PID:-$$}";

struct Bench(Program);

impl Bench {
    fn new() -> Self {
        Self(Program::after(
            PASS,
            &[("BASIC_AUTH_PASSWORD", PASSWORD), ("WORKERS", "2")],
        ))
    }

    /// Starts it with these sockets and variables.
    fn spawn(&self, first: OwnedFd, second: Option<OwnedFd>, variables: &[(&str, &str)]) -> Child {
        let count = 1 + usize::from(second.is_some());
        self.0
            .command(&["serve"])
            .current_dir(self.0.path(""))
            .env("LISTEN_FDS", count.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::from(first))
            .stdout(Stdio::piped())
            .stderr(second.map_or_else(Stdio::null, Stdio::from))
            .spawn()
            .expect("a shell")
    }

    fn start(&mut self, first: OwnedFd, second: Option<OwnedFd>, variables: &[(&str, &str)]) {
        let child = self.spawn(first, second, variables);
        self.0.adopt(child);
    }

    /// Starts it with this as descriptor 3; it must not. What it says.
    fn refusal(&self, first: impl Into<OwnedFd>, variables: &[(&str, &str)]) -> String {
        let mut child = self.spawn(first.into(), None, variables);
        let mut out = child.stdout.take().expect("its output");
        if out.read(&mut [0]).expect("read") > 0 {
            let _ = child.kill();
            panic!("it has started: {}", self.0.stderr());
        }
        assert_eq!(child.wait().expect("an end").code(), Some(1));
        assert!(!self.0.path("state").exists(), "nothing is begun");
        self.0.stderr()
    }

    /// Whether it answers on a connection that is there already.
    fn answers(&self, socket: TcpStream) {
        let config = tls_config(&self.0.state("tls-cert.pem"));
        let name = ServerName::from(socket.peer_addr().expect("connected").ip());
        let mut client = Client::over(socket, config, name).expect("TLS");
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }

    fn says(&self, address: SocketAddr) -> bool {
        self.0.banner.contains(&format!("https://{address}\n"))
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
    let mut bench = Bench::new();
    let (first, at_first) = listener(&[ipv4()]);
    // On a kernel without IPv6 another one for IPv4.
    let (second, at_second) = listener(&[(Ipv6Addr::LOCALHOST, 0).into(), ipv4()]);
    // Somebody else's: if it were heeded, the start would fail.
    let (_taken, elsewhere) = listener(&[ipv4()]);
    let variables = [("LISTEN", &*elsewhere.to_string())];
    bench.start(first.into(), Some(second.into()), &variables);
    for address in [at_first, at_second] {
        assert!(bench.says(address), "{}", bench.0.banner);
        // These sockets block. Were they left so, a worker would wait on one for ever after its first client.
        for _ in 0..4 {
            bench.answers(tcp(address));
        }
    }
    assert!(!bench.says(elsewhere), "{}", bench.0.banner);
    let log = bench.0.stderr();
    let line = log.lines().find(|line| line.contains("handed over"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&at_first.to_string()) && line.contains(&at_second.to_string()));
    // A child must not hold them: the socket unit could not be stopped.
    for descriptor in [3, 4] {
        let path = bench.0.proc(&format!("fdinfo/{descriptor}"));
        let about = fs::read_to_string(path).expect("a descriptor");
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.expect("flags").trim(), 8).expect("octal");
        assert_ne!(flags & CLOEXEC, 0, "{about}");
    }
    assert!(bench.0.terminate());
}

#[test]
fn whoever_comes_while_it_is_stopped_is_served_when_it_is_up() {
    let mut bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let copy = || OwnedFd::from(socket.try_clone().expect("a copy"));
    let early = tcp(address);
    bench.start(copy(), None, &[]);
    bench.answers(early);
    assert!(bench.0.terminate());
    let between = tcp(address);
    bench.start(copy(), None, &[]);
    bench.answers(between);
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let mut bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    bench.start(socket.into(), None, &[("LISTEN_PID", "1")]);
    assert!(!bench.says(address), "{}", bench.0.banner);
    assert!(!bench.0.stderr().contains("handed over"));
}

#[test]
fn with_no_socket_at_all_it_opens_its_own() {
    let mut bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    bench.start(socket.into(), None, &[("LISTEN_FDS", "0")]);
    assert!(!bench.says(address), "{}", bench.0.banner);
}

#[test]
fn what_is_no_listening_tcp_socket_refuses_the_start_by_its_number() {
    let bench = Bench::new();
    let (socket, address) = listener(&[ipv4()]);
    let unix = UnixListener::bind(bench.0.path("unix")).expect("a socket");
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

//! A client that does just what it is told: raw bytes over real TLS, with the device's certificate as its only root, or
//! over the local socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

pub const USER: &str = "admin";
pub const PASSWORD: &str = "correct horse battery";

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

pub struct Client<S = TlsStream> {
    pub stream: S,
    buffered: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// This certificate alone.
pub fn roots(cert_file: &Path) -> RootCertStore {
    let pem = std::fs::read(cert_file).expect("the certificate");
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(&pem) {
        roots
            .add(der.expect("a certificate"))
            .expect("a usable root");
    }
    roots
}

/// TLS settings that trust this certificate alone.
pub fn tls_config(cert_file: &Path) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots(cert_file))
        .with_no_client_auth()
}

pub fn tcp(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).expect("connected"))
}

/// A connection from another address of this machine's loopback, 127.0.0.0/8: another client to the limits.
pub fn tcp_from(from: Ipv4Addr, address: SocketAddr) -> TcpStream {
    tcp_with(from, None, address)
}

/// The same, with a receive buffer of this many bytes.
pub fn tcp_with(from: Ipv4Addr, buffer: Option<usize>, address: SocketAddr) -> TcpStream {
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None);
    let socket = socket.expect("a socket");
    if let Some(bytes) = buffer {
        net::sockopt::set_socket_recv_buffer_size(&socket, bytes).expect("a buffer");
    }
    net::bind(&socket, &SocketAddr::from((from, 0))).expect("bound");
    net::connect(&socket, &address).expect("connected");
    patient(TcpStream::from(socket))
}

fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    socket.set_nodelay(true).expect("no delay");
    socket
}

impl Client {
    pub fn connect(address: SocketAddr, cert_file: &Path) -> Self {
        Self::connect_with(address, tls_config(cert_file)).expect("a TLS connection")
    }

    /// To an address that the certificate does not name.
    pub fn connect_named(address: SocketAddr, cert_file: &Path, name: &'static str) -> Self {
        let name = ServerName::try_from(name).expect("a name");
        Self::over(tcp(address), tls_config(cert_file), name).expect("a TLS connection")
    }

    pub fn connect_with(address: SocketAddr, config: ClientConfig) -> io::Result<Self> {
        Self::over(tcp(address), config, ServerName::from(address.ip()))
    }

    /// TLS over a connection that is there already; the certificate must be this name's.
    pub fn over(
        mut socket: TcpStream,
        config: ClientConfig,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self {
            stream: StreamOwned::new(tls, socket),
            buffered: Vec::new(),
        })
    }
}

impl Client<UnixStream> {
    /// Through the administrator's door.
    pub fn local(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream,
            buffered: Vec::new(),
        }
    }
}

impl<S: Read + Write> Client<S> {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have refused and closed already; what it said is still to be read.
        let _ = self
            .stream
            .write_all(bytes.as_ref())
            .and_then(|()| self.stream.flush());
    }

    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&Value>,
    ) -> Response {
        let authorization = authorization.map(|value| ("Authorization", value));
        let body = body.map(Value::to_string).unwrap_or_default();
        self.ask(method, path, authorization.as_slice(), &body)
    }

    /// A request with these header fields besides `Host`, and whatever body.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        self.send(request_text(method, path, headers, body));
        self.response_to(method)
    }

    pub fn login(&mut self, user: &str, password: &str) -> Response {
        let body = json!({"username": user, "password": password});
        self.request("POST", "/api/auth/login", None, Some(&body))
    }

    /// Sends bytes as they are and reads the answer.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.send(bytes);
        self.response_to("GET")
    }

    /// Reads one response.
    pub fn response_to(&mut self, method: &str) -> Response {
        let end = loop {
            if let Some(end) = find(&self.buffered, b"\r\n\r\n") {
                break end;
            }
            assert!(
                self.fill() > 0,
                "closed before the head ended: {:?}",
                String::from_utf8_lossy(&self.buffered)
            );
        };
        let head: Vec<u8> = self.buffered.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("an ASCII head");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().expect("a status line");
        assert!(status_line.starts_with("HTTP/1.1 "), "{status_line}");
        let status = status_line[9..12].parse().expect("a status");
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length: usize = match response.header("content-length") {
            Some(length) if method != "HEAD" && status != 304 => length.parse().expect("a length"),
            _ => 0,
        };
        while self.buffered.len() < length {
            assert!(self.fill() > 0, "closed inside the body");
        }
        response.body = self.buffered.drain(..length).collect();
        response
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 4096];
        let count = match self.stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if is_end(&error) => 0,
            Err(error) => panic!("reading: {error}"),
        };
        self.buffered.extend_from_slice(&chunk[..count]);
        count
    }

    /// Whether the server closes now, without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.buffered.is_empty() && self.fill() == 0
    }

    /// What has come and was not read.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffered)
    }

    /// The next line of a body without end, decoded if it is chunked; nothing once the body has ended.
    pub fn line(&mut self, body: &mut Body) -> Option<String> {
        loop {
            if let Some(end) = body.text.find('\n') {
                let line: String = body.text.drain(..=end).collect();
                return Some(line.trim_end_matches('\n').to_owned());
            }
            let Some(piece) = self.piece(body.chunked) else {
                assert_eq!(body.text, "", "an unfinished line");
                return None;
            };
            body.text.push_str(&piece);
        }
    }

    fn piece(&mut self, chunked: bool) -> Option<String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        if !chunked {
            if self.buffered.is_empty() && self.fill() == 0 {
                return None;
            }
            return Some(text(std::mem::take(&mut self.buffered)));
        }
        let end = self.until(|buffered| find(buffered, b"\r\n"));
        let size = text(self.buffered.drain(..end + 2).collect());
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        self.until(|buffered| (buffered.len() >= size + 2).then_some(()));
        let piece: Vec<u8> = self.buffered.drain(..size).collect();
        assert!(self.buffered.starts_with(b"\r\n"), "a chunk's end");
        self.buffered.drain(..2);
        (size > 0).then(|| text(piece))
    }

    fn until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(&self.buffered) {
                return found;
            }
            assert!(self.fill() > 0, "closed too early");
        }
    }
}

/// A body that is read line by line.
pub struct Body {
    chunked: bool,
    text: String,
}

impl Body {
    pub fn of(response: &Response) -> Self {
        Self {
            chunked: response.header("transfer-encoding") == Some("chunked"),
            text: String::new(),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The plain sentence of an error, after checking the shape every error has.
    pub fn detail(&self) -> String {
        let json = self.json();
        assert_eq!(json["status"], "error", "{json}");
        assert_eq!(
            self.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        json["detail"].as_str().expect("a detail").to_owned()
    }
}

/// A request to `localhost` as text.
pub fn request_text(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut lines = vec![
        format!("{method} {path} HTTP/1.1"),
        "Host: localhost".into(),
    ];
    lines.extend(
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    if !body.is_empty() {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

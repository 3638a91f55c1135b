//! A feed on loopback, over TLS with a certificate of its own making: each connection gets what a test wrote for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// What a connection is answered with: the head of its request comes in, and the answer is written out.
type Serve = dyn Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// A running feed. Its threads end with the test's process.
pub struct Feed {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Feed {
    /// Answers every request with `serve`.
    pub fn serving(
        serve: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::valid_in(1975..4096, serve)
    }

    /// The same, with a certificate for these years.
    pub fn valid_in(
        years: Range<i32>,
        serve: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = ["localhost".into()];
        let mut params = rcgen::CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let cert = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).expect("written");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a usable certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (config, seen) = (Arc::new(config), heads.clone());
        let serve: Arc<Serve> = Arc::new(serve);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, seen, serve) = (config.clone(), seen.clone(), serve.clone());
                // What a client does not like it breaks off; that is its business.
                thread::spawn(move || drop(answer(socket, config, &seen, &*serve)));
            }
        });
        Self {
            address,
            heads,
            folder,
        }
    }

    /// Answers each path with a status line and fields, and a body.
    pub fn with(answers: Vec<(&'static str, &'static str, Vec<u8>)>) -> Self {
        Self::serving(move |head, out| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let missing = ("", "404 Not Found", Vec::new());
            let found = answers.iter().find(|(of, _, _)| *of == path);
            let (_, status, body) = found.unwrap_or(&missing);
            let length = body.len();
            write!(out, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n")?;
            out.write_all(body)
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// The certificate to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no test has failed").clone()
    }
}

fn answer(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    seen: &Mutex<Vec<String>>,
    serve: &Serve,
) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, socket);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().expect("no test has failed").push(head.clone());
    serve(&head, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

//! A board that is none: real TLS under a certificate of its own, and whatever a test wants behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use postern::server::tls::Certificate;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::device::TODAY;

pub type Peer = StreamOwned<ServerConnection, TcpStream>;

/// What is done with one connection after its request has been read.
pub type Script = Box<dyn FnOnce(&mut Peer) + Send>;

pub struct Fake {
    pub address: SocketAddr,
    pub fingerprint: String,
    thread: JoinHandle<Vec<String>>,
}

type Version = &'static rustls::SupportedProtocolVersion;

/// One certificate for all.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl Fake {
    /// Takes as many connections as there are scripts, one after the other.
    pub fn start(scripts: Vec<Script>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::own(folder.path(), TODAY).expect("made");
        let (shown, fingerprint) = (certificate.config(), certificate.fingerprint());
        Self::with(
            shown.cert_resolver.clone(),
            fingerprint,
            rustls::ALL_VERSIONS,
            scripts,
        )
    }

    /// Shows the certificate of somebody else, whose key it does not have.
    pub fn impostor(cert_file: &Path, version: Version, scripts: Vec<Script>) -> Self {
        let pem = std::fs::read(cert_file).expect("the certificate");
        let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        let key = rcgen::KeyPair::generate().expect("a key").serialize_der();
        let key = PrivateKeyDer::try_from(key).expect("a key");
        let key = any_ecdsa_type(&key).expect("a key to sign with");
        let certificate = Arc::new(Shown(Arc::new(CertifiedKey::new(vec![der], key))));
        Self::with(certificate, String::new(), &[version], scripts)
    }

    fn with(
        certificate: Arc<dyn ResolvesServerCert>,
        fingerprint: String,
        versions: &[Version],
        scripts: Vec<Script>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let thread = thread::spawn(move || {
            let serve = |script: Script| {
                let (socket, _) = listener.accept().expect("a client");
                socket
                    .set_read_timeout(Some(Duration::from_secs(20)))
                    .expect("set");
                let tls = ServerConnection::new(config.clone()).expect("a server");
                let mut peer = StreamOwned::new(tls, socket);
                let request = request(&mut peer);
                script(&mut peer);
                peer.conn.send_close_notify();
                let _ = peer.flush();
                request
            };
            scripts.into_iter().map(serve).collect()
        });
        Self {
            address,
            fingerprint,
            thread,
        }
    }

    /// The requests that came, each whole, after all scripts have run.
    pub fn requests(self) -> Vec<String> {
        self.thread.join().expect("no panic")
    }
}

/// All that comes until a request is whole, or the client goes.
fn request(peer: &mut Peer) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return whole;
            }
        }
        match peer.read(&mut piece) {
            Ok(length @ 1..) => text.extend_from_slice(&piece[..length]),
            _ => return whole,
        }
    }
}

/// Says these bytes and no more.
pub fn say(bytes: impl AsRef<[u8]> + Send + 'static) -> Script {
    Box::new(move |peer| {
        let _ = peer.write_all(bytes.as_ref());
    })
}

/// Says nothing.
pub fn nothing() -> Script {
    say("")
}

/// An answer with a body.
pub fn answer(status: u16, fields: &str, body: &str) -> Script {
    let length = body.len();
    say(format!(
        "HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// The answer to a login.
pub fn tokens() -> Script {
    answer(
        200,
        "",
        r#"{"access_token":"access.1","refresh_token":"refresh.1"}"#,
    )
}

/// Says the beginning, and then the same again for as long as anybody listens; the bytes that it got rid of are counted
/// in `most`.
pub fn endless(begin: &'static str, again: Vec<u8>, most: usize) -> Script {
    Box::new(move |peer| {
        let mut sent = 0;
        let mut said = peer.write_all(begin.as_bytes());
        while said.is_ok() {
            assert!(sent <= most, "somebody listens for ever");
            sent += again.len();
            said = peer.write_all(&again).and_then(|()| peer.flush());
        }
    })
}

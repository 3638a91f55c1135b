//! A client for benchmarks: one kept-alive TLS connection that trusts the server's own certificate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// TLS that trusts the one certificate in the server's state folder.
pub fn config(state: &Path) -> Arc<ClientConfig> {
    let pem = std::fs::read(state.join("tls-cert.pem")).expect("the certificate");
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    roots.add(certificate).expect("a usable root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A kept-alive connection.
pub struct Client(pub BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    pub fn connect(address: SocketAddr, state: &Path) -> Self {
        let config = config(state);
        let name = ServerName::from(address.ip());
        let mut tls = ClientConnection::new(config, name).expect("a client");
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.set_nodelay(true).expect("no delay");
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).expect("a handshake");
        }
        Self(BufReader::new(StreamOwned::new(tls, socket)))
    }

    pub fn send(&mut self, request: &str) {
        let stream = self.0.get_mut();
        stream.write_all(request.as_bytes()).expect("sent");
        stream.flush().expect("sent");
    }

    /// An access token.
    pub fn login(&mut self, password: &str) -> String {
        let body = json!({"username": "admin", "password": password}).to_string();
        self.send(&format!(
            "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer: Value = serde_json::from_slice(&self.answer()).expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// The body of an answer, which must be a success.
    pub fn answer(&mut self) -> Vec<u8> {
        let mut length = 0;
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a status line");
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("a header");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        body
    }
}

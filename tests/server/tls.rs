//! TLS as clients see it: versions, names, resumption, and certificates that change under a running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern::clock::Timestamp;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Client, tcp, tls_config};
use crate::device::{Device, install_own_events};

/// TLS settings that speak this version alone.
fn only(version: &'static SupportedProtocolVersion, device: &Device) -> ClientConfig {
    let trusting = tls_config(&device.state("tls-cert.pem"));
    let roots = crate::client::roots(&device.state("tls-cert.pem"));
    ClientConfig::builder_with_provider(trusting.crypto_provider().clone())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn is_served(client: &mut Client) {
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

#[test]
fn tls_1_3_and_1_2_are_spoken_and_sessions_resumed_by_ticket() {
    let device = Device::start();
    for (version, expected) in [
        (&TLS13, ProtocolVersion::TLSv1_3),
        (&TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let config = only(version, &device);
        let mut first = Client::connect_with(device.address(), config.clone()).expect("TLS");
        is_served(&mut first);
        assert_eq!(first.stream.conn.protocol_version(), Some(expected));
        assert_eq!(
            first.stream.conn.handshake_kind(),
            Some(HandshakeKind::Full)
        );
        // On whichever worker: the key of the tickets is the server's.
        for _ in 0..4 {
            let mut next = Client::connect_with(device.address(), config.clone()).expect("TLS");
            is_served(&mut next);
            assert_eq!(
                next.stream.conn.handshake_kind(),
                Some(HandshakeKind::Resumed)
            );
        }
    }
}

#[test]
fn the_cipher_suite_is_the_servers_choice() {
    let device = Device::start();
    for version in [&TLS13, &TLS12] {
        let chosen = [false, true].map(|is_reversed| {
            let mut provider = rustls::crypto::ring::default_provider();
            if is_reversed {
                provider.cipher_suites.reverse();
            }
            let config = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[version])
                .expect("a version")
                .with_root_certificates(crate::client::roots(&device.state("tls-cert.pem")))
                .with_no_client_auth();
            let mut client = Client::connect_with(device.address(), config).expect("TLS");
            is_served(&mut client);
            let suite = client.stream.conn.negotiated_cipher_suite();
            suite.expect("a cipher suite").suite()
        });
        assert_eq!(chosen[0], chosen[1], "{version:?}");
    }
}

#[test]
fn a_ticket_of_an_earlier_run_only_costs_a_full_handshake() {
    let mut device = Device::start();
    let config = only(&TLS13, &device);
    is_served(&mut Client::connect_with(device.address(), config.clone()).expect("TLS"));
    device.restart();
    let mut client = Client::connect_with(device.address(), config).expect("TLS");
    is_served(&mut client);
    assert_eq!(
        client.stream.conn.handshake_kind(),
        Some(HandshakeKind::Full)
    );
}

#[test]
fn no_session_outlives_the_certificate_it_was_made_under() {
    let device = Device::start();
    let kind = |config: &ClientConfig| {
        let mut client = Client::connect_with(device.address(), config.clone()).ok()?;
        is_served(&mut client);
        client.stream.conn.handshake_kind()
    };
    let configs = [only(&TLS13, &device), only(&TLS12, &device)];
    for config in &configs {
        assert_eq!(kind(config), Some(HandshakeKind::Full));
        // Whoever asks for the same files to be read again ends nothing.
        device.server().reload();
        assert_eq!(kind(config), Some(HandshakeKind::Resumed));
    }
    postern::server::tls::renew(&device.state(""), crate::device::TODAY).expect("renewed");
    device.server().reload();
    let renewed = only(&TLS13, &device);
    crate::eventually("the new certificate", || kind(&renewed).is_some());
    for config in &configs {
        // A session would be resumed without another look at the certificate, which they do not know.
        assert_eq!(kind(config), None);
    }
    assert_eq!(kind(&renewed), Some(HandshakeKind::Resumed));
}

#[test]
fn alpn_is_http_1_1_and_nothing_else() {
    let device = Device::start();
    let offering = |protocols: &[&[u8]]| {
        let mut config = tls_config(&device.state("tls-cert.pem"));
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        Client::connect_with(device.address(), config)
    };
    let mut both = offering(&[b"h2", b"http/1.1"]).expect("TLS");
    assert_eq!(both.stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    is_served(&mut both);
    is_served(&mut offering(&[]).expect("TLS"));
    let refused = offering(&[b"h2"]).err().expect("a refusal").to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    device.wait_for_connections(1);
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn the_own_certificate_is_good_for_every_name_of_the_host() {
    let device = Device::start();
    let config = tls_config(&device.state("tls-cert.pem"));
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
    // Only a name that DNS could hold is in it.
    if let Some(host) = postern::device::board::hostname()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        names.push(format!("{host}.local"));
        names.push(host);
    }
    for name in names {
        let server = ServerName::try_from(name.clone()).expect("a name");
        let client = Client::over(tcp(device.address()), config.clone(), server);
        is_served(&mut client.unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    let other = ServerName::try_from("elsewhere.example").expect("a name");
    assert!(Client::over(tcp(device.address()), config, other).is_err());
}

/// An integrator's files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        files.put(&Pair::new());
        files
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn put(&self, pair: &Pair) {
        replace(&self.cert(), &pair.cert);
        replace(&self.key(), &pair.key);
    }

    fn device(&self) -> Device {
        Device::with(&[
            ("TLS_CERT_FILE", self.cert().to_str().expect("UTF-8")),
            ("TLS_KEY_FILE", self.key().to_str().expect("UTF-8")),
        ])
    }
}

fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).expect("written");
    fs::rename(&fresh, path).expect("renamed");
}

struct Pair {
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a pair");
        Self {
            cert: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// Good until then.
    fn until(end: Timestamp) -> Self {
        let end = time::OffsetDateTime::from_unix_timestamp(end.as_secs().cast_signed());
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        params.not_after = end.expect("a time");
        let key = rcgen::KeyPair::generate().expect("a key");
        Self {
            cert: params.self_signed(&key).expect("made").pem(),
            key: key.serialize_pem(),
        }
    }

    /// What the device says of itself to a newcomer who trusts this certificate.
    fn health(&self, device: &Device) -> serde_json::Value {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cert.pem");
        fs::write(&path, &self.cert).expect("written");
        let mut client = Client::connect(device.address(), &path);
        client.request("GET", "/health", None, None).json()
    }

    /// Whether the device shows this certificate to a newcomer.
    fn is_served_by(&self, device: &Device) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cert.pem");
        fs::write(&path, &self.cert).expect("written");
        match Client::connect_with(device.address(), tls_config(&path)) {
            Ok(mut client) => {
                is_served(&mut client);
                true
            }
            Err(_) => false,
        }
    }
}

#[test]
fn a_reload_takes_the_new_pair_and_spares_connections() {
    install_own_events();
    let files = Files::new();
    let (first, second) = (Pair::new(), Pair::new());
    files.put(&first);
    let device = files.device();
    assert!(first.is_served_by(&device));
    let mut living = Client::connect(device.address(), &files.cert());
    is_served(&mut living);

    files.put(&second);
    device.server().reload();
    crate::eventually("the new certificate", || second.is_served_by(&device));
    assert!(!first.is_served_by(&device));
    is_served(&mut living);

    // A certificate without its key is refused, and says so; the pair before it serves on.
    replace(&files.cert(), &Pair::new().cert);
    device.server().reload();
    let path = files.key().display().to_string();
    crate::eventually("the refusal", || {
        device.entries().iter().any(|entry| {
            entry["message"]
                .as_str()
                .is_some_and(|m| m.contains("is refused"))
                && entry["fields"]["problem"]
                    .as_str()
                    .is_some_and(|p| p.contains(&path))
        })
    });
    assert!(second.is_served_by(&device));
    fs::remove_file(files.cert()).expect("removed");
    device.server().reload();
    assert!(second.is_served_by(&device));
    is_served(&mut living);
}

#[test]
fn a_pair_that_cannot_be_used_degrades_at_once_and_no_reboot_loses_the_board() {
    install_own_events();
    let files = Files::new();
    let first = Pair::new();
    files.put(&first);
    let mut device = files.device();
    assert_eq!(first.health(&device)["status"], "healthy");

    replace(&files.cert(), &first.cert[..first.cert.len() / 2]);
    device.server().reload();
    crate::eventually("it is told", || {
        first.health(&device)["status"] == "degraded"
    });
    let serves_on = "the certificate in TLS_CERT_FILE cannot be used with its key, and is refused; the one before it serves on";
    assert_eq!(first.health(&device)["reasons"], json!([serves_on]));
    let (_, status) = device.ask_locally("GET", "/api/status");
    assert!(
        status.contains(files.cert().to_str().expect("UTF-8")),
        "{status}"
    );
    let (_, metrics) = device.ask_locally("GET", "/metrics");
    assert!(
        metrics.contains("\npostern_certificate_usable 0\n"),
        "{metrics}"
    );

    device.restart();
    let kept = "the certificate in TLS_CERT_FILE cannot be used with its key, and is refused; the last good one serves in its place";
    assert_eq!(first.health(&device)["reasons"], json!([kept]));
    let loud = |entry: &serde_json::Value| entry["message"] == kept && entry["level"] == "error";
    assert!(device.entries().iter().any(loud));

    let second = Pair::new();
    files.put(&second);
    crate::eventually("the new certificate", || second.is_served_by(&device));
    assert_eq!(second.health(&device)["status"], "healthy");

    // Nothing is kept of a pair that was never good; the board's own serves, and says so.
    fs::remove_file(files.cert()).expect("removed");
    let device = files.device();
    let own = Pair {
        cert: fs::read_to_string(device.state("tls-cert.pem")).expect("made"),
        key: String::new(),
    };
    let reasons = own.health(&device)["reasons"].to_string();
    assert!(
        reasons.contains("cannot be read, and is refused; the board's own serves"),
        "{reasons}"
    );
}

#[test]
fn a_certificate_that_expires_under_a_running_server_degrades_it() {
    let files = Files::new();
    // Clients go by the real clock, and must not find it expired.
    let life = Duration::from_secs(20 * 365 * 24 * 3600);
    let pair = Pair::until(crate::device::TODAY + life);
    files.put(&pair);
    let mut device = files.device();
    assert_eq!(pair.health(&device)["status"], "healthy");
    device.advance(life.as_secs() + 1);
    let expired = json!(["the certificate in TLS_CERT_FILE has expired"]);
    crate::eventually("it is told", || pair.health(&device)["reasons"] == expired);
    // Who knows it still comes in, after a reboot too.
    device.restart();
    let reasons = pair.health(&device)["reasons"].to_string();
    assert!(
        reasons.contains("has expired, and is refused; the last good one serves"),
        "{reasons}"
    );
}

#[test]
fn changed_files_are_noticed_without_a_signal() {
    let files = Files::new();
    let device = files.device();
    let fresh = Pair::new();
    files.put(&fresh);
    // The housekeeper looks every 5 s.
    crate::eventually("the new certificate", || fresh.is_served_by(&device));
}

#[test]
fn the_own_certificate_is_renewed_under_a_running_server_and_spares_connections() {
    let device = Device::start();
    let before = fs::read(device.state("tls-cert.pem")).expect("the old one");
    let mut living = device.connect();
    is_served(&mut living);
    let folder = device.state("");
    postern::server::tls::renew(&folder, crate::device::TODAY).expect("renewed");
    crate::eventually("the new certificate", || {
        let trusting = tls_config(&device.state("tls-cert.pem"));
        Client::connect_with(device.address(), trusting).is_ok_and(|mut client| {
            is_served(&mut client);
            true
        })
    });
    is_served(&mut living);
    let old = folder.join("old.pem");
    fs::write(&old, before).expect("kept");
    let refused = Client::connect_with(device.address(), tls_config(&old));
    assert!(refused.is_err(), "the old certificate is still shown");
    let facts = postern::server::tls::Facts::read(&device.state("tls-cert.pem")).expect("facts");
    let banner = device.server().banner();
    assert!(banner.contains(&facts.fingerprint), "{banner}");
}

#[test]
fn the_fingerprint_in_the_banner_is_that_of_the_certificate_served() {
    let device = Device::start();
    let client = device.connect();
    let certificates = client
        .stream
        .conn
        .peer_certificates()
        .expect("certificates");
    let hash = ring::digest::digest(&ring::digest::SHA256, &certificates[0]);
    let pairs: Vec<_> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let banner = device.server().banner();
    assert!(banner.contains(&pairs.join(":")), "{banner}");
}

#[test]
fn nobody_is_told_how_to_come_from_outside_to_where_nobody_can() {
    let banner = Device::start().server().banner();
    assert!(!banner.contains("From another machine"), "{banner}");
    let open = Device::with(&[("LISTEN", "127.0.0.1:0,0.0.0.0:0")])
        .server()
        .banner();
    let addresses = if_addrs::get_if_addrs().unwrap_or_default();
    let reached = addresses
        .iter()
        .any(|a| !a.is_loopback() && a.ip().is_ipv4());
    assert_eq!(open.contains("From another machine"), reached, "{open}");
}

#[test]
fn the_banner_has_the_line_for_a_browser_and_trusts_no_certificate_unseen() {
    let device = Device::start();
    let banner = device.server().banner();
    let browser = format!("\nIn a browser:\n\n  https://{}/\n", device.address());
    assert!(banner.contains(&browser), "{banner}");
    let own = device.state("tls-cert.pem").display().to_string();
    let curls = |banner: &str| -> Vec<String> {
        let lines = banner.lines().filter(|line| line.starts_with("  curl "));
        lines.map(str::to_owned).collect()
    };
    let by_file = |line: &String| line.contains(&format!("curl --cacert {own} "));
    assert!(curls(&banner).iter().all(by_file), "{banner}");
    // The names in a given one are its owner's: its key is known under any.
    let banner = Files::new().device().server().banner();
    let by_key = |line: &String| line.contains("curl -k --pinnedpubkey 'sha256//");
    let lines = curls(&banner);
    assert!(lines.len() >= 4 && lines.iter().all(by_key), "{banner}");
}

//! The server's certificate and TLS settings.
//!
//! Without files of its own the device makes itself a self-signed ECDSA P-256 certificate, once. Files given by the
//! integrator are taken in again on SIGHUP and when they change; a pair that does not fit is refused and the old one
//! serves on.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::{Mutex, RwLock};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use ring::digest::{SHA256, digest};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;

use crate::clock::{RELEASE_EPOCH, Timestamp};
use crate::{device, files};

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The certificate could not be made.
    #[error("no certificate could be generated: {0}")]
    Generate(#[from] rcgen::Error),
    /// The TLS library refuses the settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

impl TlsError {
    /// The file that it is about, if it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::File { path, .. } | Self::Content { path, .. } => Some(path),
            Self::Generate(_) | Self::Library(_) => None,
        }
    }
}

/// The certificate in use, replaceable while connections come in.
#[derive(Debug)]
pub struct Certificate {
    current: RwLock<Arc<CertifiedKey>>,
    cert_file: PathBuf,
    key_file: PathBuf,
    /// What the files looked like when they were last read.
    seen: Mutex<Option<[FileMark; 2]>>,
}

/// Enough of a file's metadata to notice that it was replaced or rewritten.
type FileMark = (u64, u64, i64, i64);

impl Certificate {
    /// Takes the integrator's files.
    ///
    /// # Errors
    /// When they cannot be read or do not fit each other.
    pub fn from_files(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let seen = marks(cert_file, key_file);
        Ok(Self {
            current: RwLock::new(Arc::new(load(cert_file, key_file)?)),
            cert_file: cert_file.to_owned(),
            key_file: key_file.to_owned(),
            seen: Mutex::new(seen),
        })
    }

    /// Takes the device's own certificate out of the state folder, or makes it: at the first boot, and again when what is
    /// there cannot be used (a crash between the two files, say).
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn own(state_dir: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let (cert_file, key_file) = (state_dir.join(OWN_CERT), state_dir.join(OWN_KEY));
        match Self::from_files(&cert_file, &key_file) {
            Ok(own) => Ok(own),
            Err(problem) => {
                if cert_file.exists() || key_file.exists() {
                    log::warn!(problem:% = problem; "the device's own certificate cannot be used; a new one is made");
                }
                generate(&cert_file, &key_file, now)?;
                Self::from_files(&cert_file, &key_file)
            }
        }
    }

    /// Reads the files again. A pair that is no good is refused; the old one serves on.
    ///
    /// # Errors
    /// What is wrong with the new pair.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Before reading: a file that changes meanwhile is noticed the next time.
        *self.seen.lock() = marks(&self.cert_file, &self.key_file);
        let fresh = Arc::new(load(&self.cert_file, &self.key_file)?);
        *self.current.write() = fresh;
        Ok(())
    }

    /// Whether the files changed since they were last read.
    #[must_use]
    pub fn files_changed(&self) -> bool {
        let now = marks(&self.cert_file, &self.key_file);
        now.is_some() && now != *self.seen.lock()
    }

    /// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let current = self.current.read();
        let hash = digest(
            &SHA256,
            current.cert.first().map_or(&[][..], |der| der.as_ref()),
        );
        let pairs: Vec<_> = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        pairs.join(":")
    }

    /// The public key's SHA-256 as `curl --pinnedpubkey` takes it, if the key's kind tells it.
    #[must_use]
    pub fn public_key_pin(&self) -> Option<String> {
        let current = self.current.read();
        let key = current.key.public_key()?;
        Some(format!(
            "sha256//{}",
            STANDARD.encode(digest(&SHA256, &key))
        ))
    }

    /// Where the certificate is.
    #[must_use]
    pub fn cert_file(&self) -> &Path {
        &self.cert_file
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

/// TLS 1.3 and 1.2, ALPN `http/1.1`, resumption by tickets alone.
///
/// Tickets keep the session with the client, encrypted under a key that rotates every six hours and dies with the
/// process: nothing here grows with the number of clients, and a stolen card opens no recorded connection.
///
/// # Errors
/// [`TlsError::Library`] if the provider lacks what TLS needs, which ring does not.
pub fn server_config(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = provider::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

fn marks(cert: &Path, key: &Path) -> Option<[FileMark; 2]> {
    let mark = |path: &Path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    Some([mark(cert)?, mark(key)?])
}

fn load(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let read = |path: &Path| {
        files::read(path).map_err(|error| TlsError::File {
            path: path.to_owned(),
            error,
        })
    };
    let content = |path: &Path, problem: String| TlsError::Content {
        path: path.to_owned(),
        problem,
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(cert_file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| content(cert_file, format!("not a PEM certificate: {error}")))?;
    if chain.is_empty() {
        return Err(content(
            cert_file,
            "there is no PEM certificate in it".into(),
        ));
    }
    let key = zeroize::Zeroizing::new(read(key_file)?);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| content(key_file, "there is no PEM private key in it".into()))?;
    CertifiedKey::from_der(chain, key, &crypto()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => content(
            key_file,
            format!("this is not the key of {}", cert_file.display()),
        ),
        other => content(
            cert_file,
            format!("certificate or key is not usable: {other}"),
        ),
    })
}

/// Makes key and certificate. The key is written first: a crash in between leaves a pair that does not fit, which the
/// next start notices and replaces.
fn generate(cert_file: &Path, key_file: &Path, now: Timestamp) -> Result<(), TlsError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let host = device::hostname().and_then(|name| dns_label(&name));
    let mut params = CertificateParams::new(subject_names(host.as_deref()))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, host.as_deref().unwrap_or("postern"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A device that has never been told the time, or a time that is far ahead, takes this release's, so that the
    // certificate outlives the mistake.
    let base = now.max(RELEASE_EPOCH);
    let date = |time: Timestamp| {
        i64::try_from(time.as_secs())
            .ok()
            .and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    params.not_before = date(RELEASE_EPOCH.saturating_sub(BACKDATED));
    params.not_after = date(base + LIFETIME);
    let certificate = params.self_signed(&key)?;
    let write = |path: &Path, contents: &[u8]| {
        files::replace(path, contents).map_err(|error| TlsError::File {
            path: path.to_owned(),
            error,
        })
    };
    write(
        key_file,
        zeroize::Zeroizing::new(key.serialize_pem()).as_bytes(),
    )?;
    write(cert_file, certificate.pem().as_bytes())
}

/// Every name a client on the LAN may use: host name, mDNS name, `localhost`, loopback and interface addresses.
fn subject_names(host: Option<&str>) -> Vec<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    if let Some(host) = host {
        names.insert(host.to_owned());
        names.insert(format!("{host}.local"));
    }
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        match interface.ip() {
            // A link-local address is meaningless without a scope, which a certificate cannot hold.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {}
            ip => {
                names.insert(ip.to_string());
            }
        }
    }
    names.into_iter().take(MAX_NAMES).collect()
}

/// The host's name in lower case, if it is one that DNS could hold.
fn dns_label(name: &str) -> Option<String> {
    let fits = (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    fits.then(|| name.to_ascii_lowercase())
}

const OWN_CERT: &str = "tls-cert.pem";
const OWN_KEY: &str = "tls-key.pem";

/// Clients without a good clock of their own must not find the certificate "not yet valid".
const BACKDATED: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

/// Ten years.
const LIFETIME: Duration = Duration::from_secs(3652 * 24 * 60 * 60);

/// A router can have hundreds of addresses; a certificate is sent in each full handshake.
const MAX_NAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn own(dir: &Path, now: Timestamp) -> Certificate {
        Certificate::own(dir, now).expect("a certificate")
    }

    #[test]
    fn the_own_certificate_is_made_once_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = own(dir.path(), RELEASE_EPOCH).fingerprint();
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(own(dir.path(), RELEASE_EPOCH).fingerprint(), first);
    }

    #[test]
    fn half_a_pair_after_a_crash_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = own(dir.path(), RELEASE_EPOCH).fingerprint();
        let other = tempfile::tempdir().expect("a directory");
        own(other.path(), RELEASE_EPOCH);
        fs::copy(other.path().join(OWN_KEY), dir.path().join(OWN_KEY)).expect("copied");
        assert_ne!(own(dir.path(), RELEASE_EPOCH).fingerprint(), first);
    }

    #[test]
    fn a_broken_pair_is_refused_and_the_old_one_serves_on() {
        let dir = tempfile::tempdir().expect("a directory");
        own(dir.path(), RELEASE_EPOCH);
        let (cert, key) = (dir.path().join(OWN_CERT), dir.path().join(OWN_KEY));
        let certificate = Certificate::from_files(&cert, &key).expect("good");
        let before = certificate.fingerprint();
        assert!(!certificate.files_changed());

        let other = tempfile::tempdir().expect("a directory");
        let fresh = own(other.path(), RELEASE_EPOCH);
        fs::copy(other.path().join(OWN_CERT), &cert).expect("copied");
        assert!(certificate.files_changed());
        assert!(certificate.reload().is_err());
        assert_eq!(certificate.fingerprint(), before);
        // What was refused is not tried again until it changes.
        assert!(!certificate.files_changed());

        fs::copy(other.path().join(OWN_KEY), &key).expect("copied");
        assert!(certificate.files_changed());
        certificate.reload().expect("a good pair");
        assert_eq!(certificate.fingerprint(), fresh.fingerprint());
    }

    #[test]
    fn a_clock_in_1970_makes_no_expired_certificate() {
        let dir = tempfile::tempdir().expect("a directory");
        own(dir.path(), Timestamp::default());
        let pem = fs::read(dir.path().join(OWN_CERT)).expect("read");
        let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        // UTCTime holds two digits of the year: from 2021 to 2036.
        let text: Vec<_> = der
            .windows(15)
            .filter(|w| w[0] == 0x17 && w[1] == 13)
            .collect();
        assert_eq!(&text[0][2..4], b"21");
        assert_eq!(&text[1][2..4], b"36");
    }

    #[test]
    fn only_dns_names_become_names() {
        assert_eq!(dns_label("Board-7").as_deref(), Some("board-7"));
        assert_eq!(dns_label("two words"), None);
        assert_eq!(dns_label(""), None);
        let names = subject_names(Some("board"));
        for name in ["board", "board.local", "localhost", "127.0.0.1", "::1"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
    }
}

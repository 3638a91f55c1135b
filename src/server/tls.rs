//! The server's certificate and TLS settings.
//!
//! Without files of the integrator's the device makes itself a self-signed ECDSA P-256 certificate, once (`own`). Either
//! kind is taken in again on SIGHUP and when its files change; a pair that does not fit is refused and the old one
//! serves on.

mod facts;
mod own;

pub use facts::Facts;
pub use own::{RenewError, own_files, renew};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;

use crate::clock::Timestamp;
use crate::files::{self, Mark};

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
    files: Files,
    /// What the files looked like when they were last read.
    seen: Mutex<Option<[Mark; 2]>>,
}

/// Where a certificate is and where its key, all PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Where the key is while it is about to take the old one's place.
    next_key: Option<PathBuf>,
}

impl Certificate {
    /// Takes the integrator's files.
    ///
    /// # Errors
    /// When they cannot be read or do not fit each other.
    pub fn from_files(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        Self::read(Files {
            cert: cert_file.to_owned(),
            key: key_file.to_owned(),
            next_key: None,
        })
    }

    /// Takes the device's own certificate out of the state folder, or makes it: at the first boot, and again when what is
    /// there cannot be used.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn own(state_dir: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let files = own_files(state_dir);
        own::settle(&files);
        match Self::read(files.clone()) {
            Ok(own) => Ok(own),
            Err(problem) => {
                if files.cert.exists() || files.key.exists() {
                    log::warn!(problem:% = problem; "the device's own certificate cannot be used; a new one is made");
                }
                own::make_first(&files, now)?;
                Self::read(files)
            }
        }
    }

    fn read(files: Files) -> Result<Self, TlsError> {
        let seen = marks(&files);
        Ok(Self {
            current: RwLock::new(Arc::new(load(&files)?)),
            files,
            seen: Mutex::new(seen),
        })
    }

    /// Reads the files again. A pair that is no good is refused; the old one serves on.
    ///
    /// # Errors
    /// What is wrong with the new pair.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Before reading: a file that changes meanwhile is noticed the next time.
        *self.seen.lock() = marks(&self.files);
        let fresh = Arc::new(load(&self.files)?);
        *self.current.write() = fresh;
        Ok(())
    }

    /// Whether the files changed since they were last read.
    #[must_use]
    pub fn files_changed(&self) -> bool {
        let now = marks(&self.files);
        now.is_some() && now != *self.seen.lock()
    }

    /// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let current = self.current.read();
        facts::fingerprint(current.cert.first().map_or(&[][..], |der| der.as_ref()))
    }

    /// The public key's SHA-256 as `curl --pinnedpubkey` takes it, if the key's kind tells it.
    #[must_use]
    pub fn public_key_pin(&self) -> Option<String> {
        let current = self.current.read();
        Some(facts::public_key_pin(&current.key.public_key()?))
    }

    /// Until when it is good, if that can be read out of it.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        let current = self.current.read();
        let facts = facts::Facts::of(current.cert.first()?).ok()?;
        Some(facts.not_after)
    }

    /// Where the certificate is.
    #[must_use]
    pub fn cert_file(&self) -> &Path {
        &self.files.cert
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

fn marks(files: &Files) -> Option<[Mark; 2]> {
    let mark = |path: &Path| Some(Mark::from(&fs::metadata(path).ok()?));
    Some([mark(&files.cert)?, mark(&files.key)?])
}

fn load(files: &Files) -> Result<CertifiedKey, TlsError> {
    let chain = chain(&files.cert)?;
    fitting(chain.clone(), files, &files.key).or_else(|problem| {
        // While a new pair is put in place, or after a crash in its midst.
        let next = files.next_key.as_deref();
        let next = next.and_then(|next| fitting(chain, files, next).ok());
        next.ok_or(problem)
    })
}

/// The certificates in a file, one at least.
fn chain(cert_file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(cert_file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| content(cert_file, format!("not a PEM certificate: {error}")))?;
    if chain.is_empty() {
        let problem = "there is no PEM certificate in it".to_owned();
        return Err(content(cert_file, problem));
    }
    Ok(chain)
}

fn fitting(
    chain: Vec<CertificateDer<'static>>,
    files: &Files,
    key_file: &Path,
) -> Result<CertifiedKey, TlsError> {
    let key = zeroize::Zeroizing::new(read(key_file)?);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| content(key_file, "there is no PEM private key in it".into()))?;
    CertifiedKey::from_der(chain, key, &crypto()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => content(
            key_file,
            format!("this is not the key of {}", files.cert.display()),
        ),
        other => content(
            &files.cert,
            format!("certificate or key is not usable: {other}"),
        ),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    files::read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

fn content(path: &Path, problem: String) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RELEASE_EPOCH;

    /// The names of the device's own files.
    const OWN_CERT: &str = "tls-cert.pem";
    const OWN_KEY: &str = "tls-key.pem";

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
}

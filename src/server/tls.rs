//! The server's certificate and TLS settings.
//!
//! If the configuration names no certificate, the device makes a self-signed ECDSA P-256 one, once (`own`). Either
//! kind is read again on SIGHUP and when its files change. A pair that cannot be used, or has expired, is refused: the
//! old one goes on serving, and at a start the last good one (`pair`) or the device's own.

mod facts;
mod own;
mod pair;
mod pem;

pub use facts::Facts;
pub use own::{RenewError, own_files, renew};
pub use pair::{CertificateFiles, check_pair};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, SupportedCipherSuite};

use crate::api::CertificateTrouble;
use crate::clock::Timestamp;
use crate::files::{self, FileStamp};
use pair::CertificatePair;

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
    /// The certificate's time is over.
    #[error("{}: the certificate expired on {}", path.display(), date(*at))]
    Expired {
        /// The file.
        path: PathBuf,
        /// Until when it was good.
        at: Timestamp,
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
            Self::File { path, .. } | Self::Content { path, .. } | Self::Expired { path, .. } => {
                Some(path)
            }
            Self::Generate(_) | Self::Library(_) => None,
        }
    }
}

/// The certificate in use, replaceable while connections come in.
pub struct Certificate {
    served: RwLock<ServedCertificate>,
    files: CertificateFiles,
    /// Where the last good pair of the files is kept; `None` where they are the device's own.
    last_good: Option<PathBuf>,
    /// What the files looked like when they were last read.
    seen: Mutex<PairStamps>,
    /// Why the pair in the files is not the one that is served.
    refused: Mutex<Option<TlsError>>,
}

/// What newcomers are shown.
struct ServedCertificate {
    key: Arc<CertifiedKey>,
    /// The settings that serve it. With each certificate go tickets of its own, so that no session made under the one
    /// before is resumed; a handshake has its settings from its first byte on, and cannot end under the next
    /// certificate's.
    config: Arc<ServerConfig>,
    not_after: Option<Timestamp>,
    origin: ServedFrom,
}

/// Which files the served pair is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServedFrom {
    /// Those that are looked at.
    Files,
    /// The copy of the integrator's last good pair.
    LastGood,
    /// The device's own, in place of the integrator's.
    Own,
}

impl Certificate {
    /// Takes the integrator's files. If they cannot be used at `now`, the last good pair that `state_dir` keeps of
    /// them, or else the device's own: a board that a broken file took off the network could not be mended over it.
    ///
    /// # Errors
    /// When not even the device's own can be had.
    pub fn given(
        cert_file: &Path,
        key_file: &Path,
        state_dir: &Path,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let files = CertificateFiles::given(cert_file, key_file);
        let last_good = state_dir.join(pair::LAST_GOOD);
        let seen = marks(&files);
        let (served, refused) = match pair::load_valid_pair(&files, now) {
            Ok(good) => {
                good.keep(&last_good);
                (good.served(ServedFrom::Files, None)?, None)
            }
            Err(problem) => {
                let served =
                    if let Ok(kept) = pair::load(&CertificateFiles::kept(&last_good, &last_good)) {
                        kept.served(ServedFrom::LastGood, None)?
                    } else {
                        own_pair(&own_files(state_dir), now)?.served(ServedFrom::Own, None)?
                    };
                (served, Some(problem))
            }
        };
        Ok(Self {
            served: RwLock::new(served),
            files,
            last_good: Some(last_good),
            seen: Mutex::new(seen),
            refused: Mutex::new(refused),
        })
    }

    /// Takes the device's own certificate out of the state folder, or makes it: at the first boot, and again when what
    /// is there cannot be used. A copy of the integrator's is removed: he has taken his away.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn own(state_dir: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let last_good = state_dir.join(pair::LAST_GOOD);
        if let Err(error) = files::remove(&last_good) {
            log::warn!(path:% = last_good.display(), error:% = error; "the copy of a certificate that is not used any more cannot be removed");
        }
        let files = own_files(state_dir);
        let own = own_pair(&files, now)?;
        Ok(Self {
            served: RwLock::new(own.served(ServedFrom::Files, None)?),
            seen: Mutex::new(marks(&files)),
            files,
            last_good: None,
            refused: Mutex::new(None),
        })
    }

    /// Reads the files again. A pair that cannot be used is refused; the one that is served stays.
    ///
    /// # Errors
    /// When it is refused. Why, [`Certificate::trouble`] tells.
    pub fn reload(&self, now: Timestamp) -> Result<(), PairRefused> {
        // Before reading: a file that changes meanwhile is noticed the next time.
        *self.seen.lock() = marks(&self.files);
        let read = pair::load_valid_pair(&self.files, now).and_then(|good| {
            if let Some(last_good) = &self.last_good {
                good.keep(last_good);
            }
            let mut served = self.served.write();
            *served = good.served(ServedFrom::Files, Some(&served))?;
            Ok(())
        });
        let refused = read.err();
        let result = refused.as_ref().map_or(Ok(()), |_| Err(PairRefused));
        *self.refused.lock() = refused;
        result
    }

    /// Whether to read the files: they have changed, or were refused as expired by a clock that is right by now.
    #[must_use]
    pub fn wants_reading(&self, now: Timestamp) -> bool {
        let revived = match &*self.refused.lock() {
            Some(TlsError::Expired { at, .. }) => now <= *at,
            _ => false,
        };
        revived || marks(&self.files) != *self.seen.lock()
    }

    /// What is wrong at `now`: with the files, or with what is served.
    #[must_use]
    pub fn trouble(&self, now: Timestamp) -> Option<CertificateTrouble> {
        let served = self.served.read();
        let refused = self.refused.lock();
        let expired = pair::expired(&self.files, served.not_after, now);
        let problem = refused.as_ref().or(expired.as_ref())?;
        let own = self.last_good.is_none();
        let whose = if own {
            "the board's own certificate"
        } else {
            "the certificate in TLS_CERT_FILE"
        };
        let what = match problem {
            TlsError::Expired { .. } => "has expired",
            TlsError::File { .. } => "cannot be read",
            _ => "cannot be used with its key",
        };
        let instead = match (served.origin, refused.is_some()) {
            (_, false) => "",
            (ServedFrom::Files, true) => ", and is refused; the one before it serves on",
            (ServedFrom::LastGood, true) => {
                ", and is refused; the last good one serves in its place"
            }
            (ServedFrom::Own, true) => ", and is refused; the board's own serves in its place",
        };
        let remedy = match problem {
            _ if !own => {
                "put a good pair where TLS_CERT_FILE and TLS_KEY_FILE say; postern takes it within 5 seconds"
            }
            TlsError::Expired { .. } => RENEW,
            _ => {
                "put it back; otherwise a restart makes another one, and you have to give it to all clients"
            }
        };
        Some(CertificateTrouble {
            reason: format!("{whose} {what}{instead}"),
            detail: format!("{problem}; {remedy}"),
        })
    }

    /// The settings to serve the next connection with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.served.read().config.clone()
    }

    /// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let served = self.served.read();
        facts::fingerprint(served.key.cert.first().map_or(&[][..], |der| der.as_ref()))
    }

    /// The public key's SHA-256 as `curl --pinnedpubkey` takes it, if the key's kind tells it.
    #[must_use]
    pub fn public_key_pin(&self) -> Option<String> {
        let served = self.served.read();
        Some(facts::public_key_pin(&served.key.key.public_key()?))
    }

    /// Until when it is good, if that can be read out of it.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.served.read().not_after
    }

    /// The file that a client on this machine can trust: the device's own certificate, which has all local names in it.
    /// `None` while another one is served.
    #[must_use]
    pub fn own_file(&self) -> Option<&Path> {
        self.last_good.is_none().then_some(&*self.files.cert)
    }
}

/// How the device gets another certificate of its own.
#[cfg(feature = "cert")]
pub const RENEW: &str = "postern cert renew makes a new one";

/// How the device gets another certificate of its own.
#[cfg(not(feature = "cert"))]
pub const RENEW: &str = "remove it and its key, and start postern again: it makes a new one";

/// The pair in the files was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairRefused;

/// The device's own pair: read, or made where there is none that can be used.
fn own_pair(files: &CertificateFiles, now: Timestamp) -> Result<CertificatePair, TlsError> {
    own::settle(files);
    pair::load(files).or_else(|problem| {
        if files.cert.exists() || files.key.exists() {
            log::warn!(problem:% = problem; "the device's own certificate cannot be used; a new one is made");
        }
        own::make_first(files, now)?;
        pair::load(files)
    })
}

/// The day, for messages.
fn date(time: Timestamp) -> String {
    time.to_string()
        .split('T')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// TLS 1.3 and 1.2, ALPN `http/1.1`, resumption by tickets alone.
///
/// Tickets keep the session with the client, encrypted under a key that rotates every six hours and dies with the
/// process: nothing here grows with the number of clients, and a stolen card opens no recorded connection.
fn server_config(key: &Arc<CertifiedKey>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone())));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = provider::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    // An attacker who meddles with the client's list must not choose.
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

fn crypto() -> Arc<CryptoProvider> {
    let mut provider = provider::default_provider();
    prefer(&mut provider.cipher_suites, has_aes());
    Arc::new(provider)
}

/// Puts first what is cheap on this processor. Without instructions for AES that is `ChaCha20`: on an `ARMv6` AES
/// costs more than twice as much a request (docs/speed.md). Both are as strong.
fn prefer(suites: &mut [SupportedCipherSuite], has_aes: bool) {
    let is_chacha = |suite: &SupportedCipherSuite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        )
    };
    suites.sort_by_key(|suite| is_chacha(suite) == has_aes);
}

/// Whether the processor has instructions for AES that ring uses. A Raspberry Pi has them from the fifth on.
#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

/// Whether the processor has instructions for AES that ring uses.
#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

/// ring uses none on the other processors that postern is built for.
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
const fn has_aes() -> bool {
    false
}

/// What the two files look like; `None`: missing, or not to be looked at.
type PairStamps = [Option<FileStamp>; 2];

fn marks(files: &CertificateFiles) -> PairStamps {
    [&files.cert, &files.key].map(|path| Some(FileStamp::from(&fs::metadata(path).ok()?)))
}

#[cfg(test)]
mod tests;

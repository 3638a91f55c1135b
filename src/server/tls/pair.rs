//! A certificate and its key: files to what TLS serves, judged, and kept where they might be lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::{Facts, Origin, Served, TlsError, crypto, server_config};
use crate::clock::Timestamp;
use crate::files;

/// Where a certificate is and where its key, all PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Where the key is while it is about to take the old one's place.
    pub(super) next_key: Option<PathBuf>,
    /// Whether they are in the state folder, where no link is followed.
    pub(super) own: bool,
}

impl Files {
    /// The integrator's.
    #[must_use]
    pub fn given(cert: &Path, key: &Path) -> Self {
        Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            next_key: None,
            own: false,
        }
    }

    /// Of the state folder.
    pub(super) fn kept(cert: &Path, key: &Path) -> Self {
        Self {
            own: true,
            ..Self::given(cert, key)
        }
    }
}

/// A certificate with the key that it is for.
pub(super) struct Pair {
    key: Arc<CertifiedKey>,
    not_after: Option<Timestamp>,
    /// Both, as they are kept.
    pem: Zeroizing<String>,
}

impl Pair {
    /// Ready for newcomers, in the place of what was served before.
    ///
    /// # Errors
    /// [`TlsError::Library`] if the provider lacks what TLS needs, which ring does not.
    pub fn served(self, origin: Origin, before: Option<&Served>) -> Result<Served, TlsError> {
        let config = match before {
            // The same certificate has the same key: its sessions go on.
            Some(before) if before.key.cert == self.key.cert => before.config.clone(),
            _ => server_config(&self.key)?,
        };
        Ok(Served {
            key: self.key,
            config,
            not_after: self.not_after,
            origin,
        })
    }

    /// Keeps it in one file, so that key and certificate can never be torn apart. A file that already holds it is left
    /// alone: flash wears.
    pub fn keep(&self, file: &Path) {
        if files::read_own(file)
            .is_ok_and(|kept| Zeroizing::new(kept).as_slice() == self.pem.as_bytes())
        {
            return;
        }
        if let Err(error) = files::replace(file, self.pem.as_bytes()) {
            log::warn!(path:% = file.display(), error:% = error; "the certificate cannot be kept for the case that its files are lost");
        }
    }
}

/// Reads a pair, and refuses one whose time is over. One that is not valid *yet* is taken: a board that has not been told the
/// time thinks that of any.
///
/// # Errors
/// What is wrong with it.
pub(super) fn usable_pair(files: &Files, now: Timestamp) -> Result<Pair, TlsError> {
    let pair = load(files)?;
    expired(files, pair.not_after, now).map_or(Ok(pair), Err)
}

/// Whether a pair can be used.
///
/// # Errors
/// What is wrong with it.
pub fn usable(files: &Files, now: Timestamp) -> Result<(), TlsError> {
    usable_pair(files, now).map(|_| ())
}

/// That a certificate's time is over, if it is.
pub(super) fn expired(
    files: &Files,
    not_after: Option<Timestamp>,
    now: Timestamp,
) -> Option<TlsError> {
    let at = not_after.filter(|not_after| now > *not_after)?;
    let path = files.cert.clone();
    Some(TlsError::Expired { path, at })
}

/// Reads a pair, expired or not.
pub(super) fn load(files: &Files) -> Result<Pair, TlsError> {
    let chain = chain(&files.cert, files.own)?;
    fitting(chain.clone(), files, &files.key).or_else(|problem| {
        // While a new pair is put in place, or after a crash in its midst.
        let next = files.next_key.as_deref();
        let next = next.and_then(|next| fitting(chain, files, next).ok());
        next.ok_or(problem)
    })
}

/// The certificates in a file, one at least.
pub(super) fn chain(cert_file: &Path, own: bool) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(cert_file, own)?)
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
) -> Result<Pair, TlsError> {
    let key = Zeroizing::new(read(key_file, files.own)?);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| content(key_file, "there is no PEM private key in it".into()))?;
    let not_after = chain
        .first()
        .and_then(|first| Facts::of(first).ok())
        .map(|facts| facts.not_after);
    let pem = pem(&chain, &key);
    let certified = CertifiedKey::from_der(chain, key, &crypto()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => content(
            key_file,
            format!("this is not the key of {}", files.cert.display()),
        ),
        other => content(
            &files.cert,
            format!("certificate or key is not usable: {other}"),
        ),
    })?;
    Ok(Pair {
        key: Arc::new(certified),
        not_after,
        pem,
    })
}

/// Key and chain as PEM (RFC 7468). Made anew, not copied: the files may hold other things, or each other's.
fn pem(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let blocks = || {
        let chain = chain.iter().map(|der| ("CERTIFICATE", der.as_ref()));
        std::iter::once((label, key.secret_der())).chain(chain)
    };
    // So much that it never moves, and leaves no key behind.
    let size = blocks().map(|(_, der)| der.len() * 3 / 2 + 100).sum();
    let mut text = Zeroizing::new(String::with_capacity(size));
    for (label, der) in blocks() {
        text.extend(["-----BEGIN ", label, "-----\n"]);
        for line in der.chunks(48) {
            STANDARD.encode_string(line, &mut text);
            text.push('\n');
        }
        text.extend(["-----END ", label, "-----\n"]);
    }
    text
}

fn read(path: &Path, own: bool) -> Result<Vec<u8>, TlsError> {
    let read = if own { files::read_own } else { files::read };
    read(path).map_err(|error| TlsError::File {
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

/// The last pair of the integrator's that could be used, in the state folder.
pub(super) const LAST_GOOD: &str = "tls-last-good.pem";

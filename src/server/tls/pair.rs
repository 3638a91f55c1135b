//! A certificate and its key: reads them from files, checks them, and keeps a copy of the last good pair.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::pem::{chain, content, pem, read};
use super::{Facts, ServedCertificate, ServedFrom, TlsError, crypto, server_config};
use crate::clock::Timestamp;
use crate::files;

/// Where a certificate is and where its key, all PEM.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Where the key is while it is about to take the old one's place.
    pub(super) next_key: Option<PathBuf>,
    /// Whether they are in the state folder, where no link is followed.
    pub(super) own: bool,
}

impl CertificateFiles {
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
pub(super) struct CertificatePair {
    key: Arc<CertifiedKey>,
    not_after: Option<Timestamp>,
    /// Both, as they are kept.
    pem: Zeroizing<String>,
}

impl CertificatePair {
    /// Ready for newcomers, in the place of what was served before.
    ///
    /// # Errors
    /// [`TlsError::Library`] if the provider lacks what TLS needs, which ring does not.
    pub fn served(
        self,
        origin: ServedFrom,
        before: Option<&ServedCertificate>,
    ) -> Result<ServedCertificate, TlsError> {
        let config = match before {
            // The same certificate has the same key: its sessions go on.
            Some(before) if before.key.cert == self.key.cert => before.config.clone(),
            _ => server_config(&self.key)?,
        };
        Ok(ServedCertificate {
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
            log::warn!(path:% = file.display(), error:% = error; "postern cannot keep a copy of the certificate in case its files are lost");
        }
    }
}

/// Reads a pair, and refuses one whose time is over. One that is not valid *yet* is taken: a board that has not been
/// told the time thinks that of any.
///
/// # Errors
/// What is wrong with it.
pub(super) fn load_valid_pair(
    files: &CertificateFiles,
    now: Timestamp,
) -> Result<CertificatePair, TlsError> {
    let pair = load(files)?;
    expired(files, pair.not_after, now).map_or(Ok(pair), Err)
}

/// Whether a pair can be used.
///
/// # Errors
/// What is wrong with it.
pub fn check_pair(files: &CertificateFiles, now: Timestamp) -> Result<(), TlsError> {
    load_valid_pair(files, now).map(|_| ())
}

/// That a certificate's time is over, if it is.
pub(super) fn expired(
    files: &CertificateFiles,
    not_after: Option<Timestamp>,
    now: Timestamp,
) -> Option<TlsError> {
    let at = not_after.filter(|not_after| now > *not_after)?;
    let path = files.cert.clone();
    Some(TlsError::Expired { path, at })
}

/// Reads a pair, expired or not.
pub(super) fn load(files: &CertificateFiles) -> Result<CertificatePair, TlsError> {
    let chain = chain(&files.cert, files.own)?;
    fitting(chain.clone(), files, &files.key).or_else(|problem| {
        // While a new pair is put in place, or after a crash in its midst.
        let next = files.next_key.as_deref();
        let next = next.and_then(|next| fitting(chain, files, next).ok());
        next.ok_or(problem)
    })
}

fn fitting(
    chain: Vec<CertificateDer<'static>>,
    files: &CertificateFiles,
    key_file: &Path,
) -> Result<CertificatePair, TlsError> {
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
    Ok(CertificatePair {
        key: Arc::new(certified),
        not_after,
        pem,
    })
}

/// The last pair of the integrator's that could be used, in the state folder.
pub(super) const LAST_GOOD: &str = "tls-last-good.pem";

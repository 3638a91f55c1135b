//! Certificates and keys in PEM files (RFC 7468): read out of them, and made.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::TlsError;
use crate::files;

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

/// Key and chain as PEM (RFC 7468). Made anew, not copied: the files may hold other things, or each other's.
pub(super) fn pem(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
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

pub(super) fn read(path: &Path, own: bool) -> Result<Vec<u8>, TlsError> {
    let read = if own { files::read_own } else { files::read };
    read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

pub(super) fn content(path: &Path, problem: String) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        problem,
    }
}

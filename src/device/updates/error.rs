//! Why there is no news of an update.

use std::io;

use super::manifest::{MAX_MANIFEST, ManifestError};
use super::signature::SignatureError;

/// Why there is no news. Never shows the URL's query, or what the other end wrote.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Nobody knows what time it is: a certificate could be neither good nor bad.
    #[error("the clock has not been set since the board started; certificates cannot be judged")]
    Clock,
    /// Nothing to hold a certificate against.
    #[error("{0}: no trusted certificates: {1}; UPDATE_CA_FILE can name others")]
    Roots(String, io::Error),
    /// DNS, routes, connections.
    #[error("the connection failed: {0}")]
    Network(io::Error),
    /// The name is not known, or the resolver cannot be reached.
    #[error("the host's name could not be resolved: {0}")]
    Name(io::Error),
    /// TLS, the certificate above all.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// Too slow.
    #[error("the answer did not come in time")]
    Time,
    /// Another place.
    #[error("a redirect led away from HTTPS, or to one redirect too many")]
    Redirect,
    /// Not 200.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// Too much.
    #[error("the answer is larger than {MAX_MANIFEST} bytes")]
    Size,
    /// Broken off, or no HTTP.
    #[error("the answer is broken off, or no HTTP")]
    Http,
    /// What came is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// What came is not from whom it should be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The file that was dropped cannot be read.
    #[error("it cannot be read: {0}")]
    File(io::Error),
}

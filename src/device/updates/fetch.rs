//! One question to the feed: HTTPS all the way, within a known time and a known size, held against the trusted
//! certificates by the guarded clock.
//!
//! A board's system clock may stand in 1970, so certificates are judged by the guarded one. Everything is made for the one
//! question and dropped after it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

use super::link;
use super::manifest::ManifestError;
use super::signature::{self, SignatureError};
use crate::clock::Clock;
use crate::config::{HttpsUrl, UpdateSettings};
use crate::files;

/// Why there is no news. Never shows the URL's query, or what the other end wrote.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
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
    #[error("the answer is larger than {MAX_BODY} bytes")]
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

/// How long a question may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the connection is up, TLS included.
    pub connect: Duration,
    /// Until the body is there, redirects included.
    pub whole: Duration,
}

/// What the feed answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The same as under the tag that was shown.
    Unchanged,
    /// A manifest, signed by the right key if there is one.
    Manifest {
        /// Its bytes, at most [`MAX_BODY`].
        bytes: Vec<u8>,
        /// Its entity tag, for the next time.
        tag: Option<String>,
    },
}

/// Asks the feed at `url`, and for the signature if there is a key. `tag`: that of the last answer that was believed.
///
/// # Errors
/// [`Failure`].
pub fn ask(
    url: &HttpsUrl,
    settings: &UpdateSettings,
    clock: &Arc<Clock>,
    patience: Patience,
    tag: Option<&str>,
) -> Result<Answer, Failure> {
    let asker = Asker {
        tls: Arc::new(tls_config(settings.ca_file.as_deref(), clock)?),
        patience,
    };
    let Some((bytes, tag)) = get(&asker, url, tag, MAX_BODY)? else {
        return Ok(Answer::Unchanged);
    };
    if let Some(key) = &settings.public_key {
        let beside = url.with_suffix(".minisig");
        let signature = match get(&asker, &beside, None, signature::MAX_SIGNATURE) {
            Err(Failure::Status(404 | 410)) => None,
            other => other?.map(|(signature, _)| signature),
        };
        signature::verify(&bytes, signature.as_deref(), key)?;
    }
    Ok(Answer::Manifest { bytes, tag })
}

type Body = (Vec<u8>, Option<String>);

/// One question, redirects followed. `None`: nothing has changed since `tag`.
fn get(
    asker: &Asker,
    url: &HttpsUrl,
    tag: Option<&str>,
    limit: u64,
) -> Result<Option<Body>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let deadline = Instant::now() + asker.patience.whole;
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let reply = link::ask(&url, &asker.tls, asker.patience, deadline, tag, limit)?;
        match (reply.status, reply.location) {
            (200, _) => {
                let tag = reply.tag.filter(|tag| tag.len() <= MAX_TAG);
                return Ok(Some((reply.body, tag)));
            }
            (304, _) if tag.is_some() => return Ok(None),
            (301 | 302 | 303 | 307 | 308, Some(to)) => {
                url = url.redirected(&to).ok_or(Failure::Redirect)?;
            }
            (status, _) => return Err(Failure::Status(status)),
        }
    }
    Err(Failure::Redirect)
}

struct Asker {
    tls: Arc<ClientConfig>,
    patience: Patience,
}

fn tls_config(ca_file: Option<&Path>, clock: &Arc<Clock>) -> Result<ClientConfig, Failure> {
    let roots = roots(ca_file)?;
    let time = Arc::new(Guarded(clock.clone()));
    let mut config = ClientConfig::builder_with_details(provider::default_provider().into(), time)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Failure::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates of a bundle. What cannot be read of it is left out, as long as something can.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let usual = || BUNDLES.iter().map(Path::new).find(|path| path.exists());
    let path = ca_file.or_else(usual).unwrap_or(Path::new(BUNDLES[0]));
    let no_roots = |error| Failure::Roots(path.display().to_string(), error);
    let pem = files::read(path).map_err(no_roots)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(no_roots(io::Error::other("there is none in it")));
    }
    Ok(roots)
}

/// Certificates are judged by the guarded clock.
#[derive(Debug)]
struct Guarded(Arc<Clock>);

impl TimeProvider for Guarded {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(self.0.wall().as_millis());
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// GitHub's answer for a release with a hundred files has about 200 KiB.
pub const MAX_BODY: u64 = 256 * 1024;

/// From a project's page to its store there are one or two.
const MAX_REDIRECTS: u32 = 3;

/// A tag is a hash; it is kept for hours and sent back.
const MAX_TAG: usize = 256;

/// Where systems keep their bundle of certificates: Debian and Alpine, OpenBSD and musl's, Fedora.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

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

use super::error::UpdateError;
use super::http_client;
pub use super::http_client::Patience;
use super::manifest::MAX_MANIFEST;
use super::signature;
use crate::clock::Clock;
use crate::config::{HttpsUrl, UpdateSettings};
use crate::files;

/// What the feed answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The same as under the tag that was shown.
    Unchanged,
    /// A manifest, signed by the right key if there is one.
    Manifest {
        /// Its bytes, at most [`MAX_MANIFEST`].
        bytes: Vec<u8>,
        /// Its entity tag, for the next time.
        tag: Option<String>,
    },
}

/// Asks the feed at `url`, and for the signature if there is a key. `tag`: that of the last answer that was believed.
///
/// # Errors
/// [`UpdateError`].
pub fn ask(
    url: &HttpsUrl,
    settings: &UpdateSettings,
    clock: &Arc<Clock>,
    patience: Patience,
    tag: Option<&str>,
) -> Result<Fetched, UpdateError> {
    let client = FeedClient {
        tls: Arc::new(tls_config(settings.ca_file.as_deref(), clock)?),
        patience,
    };
    let Some((bytes, tag)) = get(&client, url, tag, MAX_MANIFEST)? else {
        return Ok(Fetched::Unchanged);
    };
    if let Some(key) = &settings.public_key {
        let beside = url.with_suffix(".minisig");
        let signature = match get(&client, &beside, None, signature::MAX_SIGNATURE) {
            Err(UpdateError::Status(404 | 410)) => None,
            other => other?.map(|(signature, _)| signature),
        };
        signature::verify(&bytes, signature.as_deref(), key)?;
    }
    Ok(Fetched::Manifest { bytes, tag })
}

type FetchedBody = (Vec<u8>, Option<String>);

/// One question, redirects followed. `None`: nothing has changed since `tag`.
fn get(
    client: &FeedClient,
    url: &HttpsUrl,
    tag: Option<&str>,
    limit: u64,
) -> Result<Option<FetchedBody>, UpdateError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let deadline = Instant::now() + client.patience.whole;
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let reply = http_client::ask(&url, &client.tls, client.patience, deadline, tag, limit)?;
        match (reply.status, reply.location) {
            (200, _) => {
                let tag = reply.tag.filter(|tag| tag.len() <= MAX_TAG);
                return Ok(Some((reply.body, tag)));
            }
            (304, _) if tag.is_some() => return Ok(None),
            (301 | 302 | 303 | 307 | 308, Some(to)) => {
                url = url.redirected(&to).ok_or(UpdateError::Redirect)?;
            }
            (status, _) => return Err(UpdateError::Status(status)),
        }
    }
    Err(UpdateError::Redirect)
}

struct FeedClient {
    tls: Arc<ClientConfig>,
    patience: Patience,
}

fn tls_config(ca_file: Option<&Path>, clock: &Arc<Clock>) -> Result<ClientConfig, UpdateError> {
    let roots = roots(ca_file)?;
    let time = Arc::new(GuardedClock(clock.clone()));
    let mut config = ClientConfig::builder_with_details(provider::default_provider().into(), time)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(UpdateError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates of a bundle. What cannot be read of it is left out, as long as something can.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, UpdateError> {
    let usual = || BUNDLES.iter().map(Path::new).find(|path| path.exists());
    let path = ca_file.or_else(usual).unwrap_or(Path::new(BUNDLES[0]));
    let no_roots = |error| UpdateError::Roots(path.display().to_string(), error);
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
struct GuardedClock(Arc<Clock>);

impl TimeProvider for GuardedClock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(self.0.wall().as_millis());
        Some(UnixTime::since_unix_epoch(now))
    }
}

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

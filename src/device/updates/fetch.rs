//! One question to the feed: HTTPS all the way, within a known time and a known size, held against the trusted
//! certificates by the guarded clock.
//!
//! ureq speaks HTTP, follows redirects and keeps the time. TLS is ours, below it: a board's system clock may stand in
//! 1970, and certificates are judged by the guarded one. Everything is made for the one question and dropped after it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::config::Config as AgentConfig;
use ureq::http::{StatusCode, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
};
use ureq::{Agent, Error};

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
    let agent = agent(settings, clock, patience)?;
    let Some((bytes, tag)) = get(&agent, url.as_str(), tag, MAX_BODY)? else {
        return Ok(Answer::Unchanged);
    };
    if let Some(key) = &settings.public_key {
        let beside = url.with_suffix(".minisig");
        let signature = match get(&agent, beside.as_str(), None, signature::MAX_SIGNATURE) {
            Err(Failure::Status(404 | 410)) => None,
            other => other?.map(|(signature, _)| signature),
        };
        signature::verify(&bytes, signature.as_deref(), key)?;
    }
    Ok(Answer::Manifest { bytes, tag })
}

type Body = (Vec<u8>, Option<String>);

/// One request, redirects followed. `None`: nothing has changed since `tag`.
fn get(agent: &Agent, url: &str, tag: Option<&str>, limit: u64) -> Result<Option<Body>, Failure> {
    let mut request = agent.get(url);
    if let Some(tag) = tag {
        request = request.header("If-None-Match", tag);
    }
    let mut response = request.call().map_err(failure)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if tag.is_some() => return Ok(None),
        other => return Err(Failure::Status(other.as_u16())),
    }
    let tag = response
        .headers()
        .get("etag")
        .and_then(|tag| tag.to_str().ok());
    let tag = tag.filter(|tag| tag.len() <= MAX_TAG).map(str::to_owned);
    let body = response.body_mut().with_config().limit(limit);
    Ok(Some((body.read_to_vec().map_err(failure)?, tag)))
}

fn agent(
    settings: &UpdateSettings,
    clock: &Arc<Clock>,
    patience: Patience,
) -> Result<Agent, Failure> {
    let tls = Tls(Arc::new(tls_config(settings.ca_file.as_deref(), clock)?));
    let config = Agent::config_builder()
        .https_only(true)
        // Whoever needs one of the environment's has not said so here.
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("identity")
        .max_response_header_size(BUFFER)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .timeout_connect(Some(patience.connect))
        .timeout_global(Some(patience.whole))
        .build();
    Ok(Agent::with_parts(
        config,
        TcpConnector::default().chain(tls),
        Names,
    ))
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

/// What ureq says, as far as it is fit to be shown: its own words hold URLs.
fn failure(error: Error) -> Failure {
    match error {
        Error::Timeout(_) => Failure::Time,
        Error::RequireHttpsOnly(_) | Error::TooManyRedirects => Failure::Redirect,
        Error::BodyExceedsLimit(_) => Failure::Size,
        Error::Io(error) => io_failure(error),
        _ => Failure::Http,
    }
}

fn io_failure(error: io::Error) -> Failure {
    if let Some(unknown) = downcast::<Unresolved>(&error) {
        return Failure::Name(io::Error::new(unknown.0.kind(), unknown.0.to_string()));
    }
    if let Some(tls) = downcast::<rustls::Error>(&error) {
        return Failure::Tls(tls.clone());
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Time,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Failure::Http,
        _ => Failure::Network(error),
    }
}

fn downcast<T: std::error::Error + 'static>(error: &io::Error) -> Option<&T> {
    error.get_ref()?.downcast_ref()
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

/// The system's resolver, on this thread: ureq's own would start another one, and panic where none is to be had. It
/// gives up by itself (resolv.conf(5): 5 s and two attempts for each server).
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &AgentConfig,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HostNotFound);
        };
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let found = name
            .to_socket_addrs()
            .map_err(|error| io::Error::other(Unresolved(error)))?;
        let mut addresses = self.empty();
        for address in found.take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// Tells an error of the resolver from one of the connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(io::Error);

/// Puts TLS on a connection of ureq's.
#[derive(Debug)]
struct Tls(Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Tls {
    type Out = TlsTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<TlsTransport>, Error> {
        // Nothing is sent in the clear, whatever ureq was told.
        let (Some(transport), true) = (chained, details.needs_tls()) else {
            return Err(Error::ConnectionFailed);
        };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(self.0.clone(), name).map_err(io::Error::other)?;
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        tls.complete_io(&mut socket)?;
        Ok(Some(TlsTransport {
            buffers: LazyBuffers::new(BUFFER, BUFFER),
            stream: StreamOwned::new(tls, socket),
        }))
    }
}

struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

/// GitHub's answer for a release with a hundred files has about 200 KiB.
pub const MAX_BODY: u64 = 256 * 1024;

/// A head has to fit into it. GitHub's has 3 KiB.
const BUFFER: usize = 16 * 1024;

/// From a project's page to its store there are one or two.
const MAX_REDIRECTS: u32 = 3;

/// As many as ureq takes.
const MAX_ADDRESSES: usize = 16;

/// A tag is a hash; it is kept for hours and sent back.
const MAX_TAG: usize = 256;

/// Where systems keep their bundle of certificates: Debian and Alpine, OpenBSD and musl's, Fedora.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

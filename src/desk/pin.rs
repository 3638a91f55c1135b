//! TLS that trusts one certificate, whoever signed it and whatever names and dates are in it. That the server holds its
//! key is proven in the handshake as everywhere.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring as provider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::known_boards::CertificateFingerprint;

/// The certificate that is trusted, and the one that was shown.
#[derive(Debug)]
pub(super) struct Pin {
    /// `None`: accepts any, to see which it is. Nothing secret may be sent then.
    expected: Option<CertificateFingerprint>,
    shown: Mutex<Option<CertificateFingerprint>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pin {
    pub(super) fn new(expected: Option<CertificateFingerprint>) -> Arc<Self> {
        Arc::new(Self {
            expected,
            shown: Mutex::new(None),
            algorithms: provider::default_provider().signature_verification_algorithms,
        })
    }

    /// The certificate that was shown last.
    pub(super) fn shown(&self) -> Option<CertificateFingerprint> {
        *self.shown.lock()
    }

    /// One that was shown and is not the one that is trusted.
    pub(super) fn stranger(&self) -> Option<CertificateFingerprint> {
        let expected = self.expected?;
        self.shown().filter(|shown| *shown != expected)
    }

    /// TLS settings with this pin. Sessions are not resumed: each connection shows its certificate.
    pub(super) fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, Error> {
        let mut config = ClientConfig::builder_with_provider(provider::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(self.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = CertificateFingerprint::of(end_entity);
        *self.shown.lock() = Some(shown);
        match self.expected {
            Some(expected) if expected != shown => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

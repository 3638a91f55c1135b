//! The certificate that a configuration means: where it is, whether it can be used, and what to do if not.

use std::sync::Arc;

use crate::clock::{Clock, RELEASE_EPOCH, SystemTimeSource, Timestamp};
use crate::config::Config;
use crate::journal::survey::{self, FILE_NAME};
use crate::server::tls::{self, CertificateFiles, RENEW, TlsError, own_files};

/// The files of the certificate and its key, by the configuration.
pub(super) fn files(config: &Config) -> CertificateFiles {
    config.tls_files.as_ref().map_or_else(
        || own_files(&config.state_dir),
        |files| CertificateFiles::given(&files.cert, &files.key),
    )
}

/// Whether a server with this configuration could use its certificate now.
pub(super) fn check_certificate(config: &Config) -> Result<(), TlsError> {
    tls::check_pair(&files(config), now(config))
}

/// What to do about it.
pub(super) fn remedy(config: &Config, error: &TlsError) -> &'static str {
    match (&config.tls_files, error) {
        (Some(_), _) => {
            "name a PEM certificate and its key that postern's user can read, or replace the files by a good pair. \
             Until then postern serves the last good pair, or its own certificate"
        }
        (None, TlsError::Expired { .. }) => RENEW,
        (None, _) => {
            "put it back; otherwise the next start makes a new one, and you have to give it to all clients"
        }
    }
}

/// The time as the server's guarded clock has it: not before the newest mark in the journal, if that can be read. A board
/// that was never told the time takes this release's, as it does when it makes a certificate.
pub(super) fn now(config: &Config) -> Timestamp {
    let journal = survey::read(&config.state_dir.join(FILE_NAME)).ok();
    let survey = journal.and_then(|bytes| survey::survey(&bytes, &mut |_| ()).ok());
    let mark = survey.and_then(|survey| survey.newest_mark);
    let clock = Clock::new(Arc::new(SystemTimeSource::new()), mark);
    clock.wall().max(RELEASE_EPOCH)
}

//! The device's own certificate: made at the first start, made anew on demand, and never torn.
//!
//! ```text
//! STATE_DIR/tls-cert.pem       the certificate
//! STATE_DIR/tls-key.pem        its key
//! STATE_DIR/tls-key.pem.next   the key of a certificate that is being put in place
//! ```
//!
//! Each file is replaced whole. A pair is: (1) the new key becomes `.next`, (2) the new certificate takes the old one's
//! place, (3) `.next` becomes the key. A crash before (2) leaves the old pair and a key that nobody needs, one after it
//! a certificate whose key is `.next`, where whoever reads the pair looks too. [`settle`] tidies up both.
//!
//! A lock on the folder itself keeps two of these apart. It needs no file, so root makes none in another user's folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::pair::{CertificateFiles, load};
use super::{Facts, TlsError};
use crate::clock::{RELEASE_EPOCH, Timestamp};
use crate::device::board;
use crate::files;

/// Where the device's own certificate is, in its state folder.
#[must_use]
pub fn own_files(state_dir: &Path) -> CertificateFiles {
    CertificateFiles {
        cert: state_dir.join(CERT),
        key: state_dir.join(KEY),
        next_key: Some(state_dir.join(NEXT_KEY)),
        own: true,
    }
}

/// Makes a new key and a new certificate in the place of those that are there. A running server takes them in by
/// itself.
///
/// A new key, since whoever pinned the certificate has to be told of the new one anyway, and a key that may be known to
/// others is the reason to ask for it.
///
/// # Errors
/// [`RenewError`]; the old pair is in force then, or, if only the last step failed, the new one.
pub fn renew(state_dir: &Path, now: Timestamp) -> Result<(), RenewError> {
    let own = own_files(state_dir);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| RenewError::File { path, error }
    };
    match files::stat(&own.cert) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(RenewError::NeverMade(own.cert));
        }
        there => there.map_err(at(&own.cert))?,
    };
    // One that cannot be read is no loss.
    if Facts::read(&own.cert).is_ok_and(|facts| !facts.self_issued) {
        return Err(RenewError::NotOurs(own.cert));
    }
    let _turn = turn(state_dir).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => RenewError::Busy(state_dir.to_owned()),
        _ => at(state_dir)(error),
    })?;
    settle_in_turn(&own).map_err(at(state_dir))?;
    Ok(make(&own, now)?)
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// There is nothing to renew.
    #[error("{}: there is no certificate yet; the first start of postern makes one", .0.display())]
    NeverMade(PathBuf),
    /// Somebody put his own there.
    #[error("{}: another issuer signed this certificate, not postern. Renew it there. Or remove it and its key and \
    start postern, which then makes its own", .0.display())]
    NotOurs(PathBuf),
    /// Another one is at it.
    #[error("{}: another process is renewing the certificate", .0.display())]
    Busy(PathBuf),
    /// A file, or the folder.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Finishes, or clears away, what a crash left of a new pair. Whether it can or not, the pair is whole.
pub(super) fn settle(own: &CertificateFiles) {
    let next = own.next_key.as_ref();
    if next.is_none_or(|next| files::stat(next).is_err()) {
        return;
    }
    let settled = turn(files::parent(&own.cert)).and_then(|_turn| settle_in_turn(own));
    if let Err(error) = settled {
        log::warn!(error:% = error; "an interrupted renewal of the certificate left files that cannot be put in order yet");
    }
}

fn settle_in_turn(own: &CertificateFiles) -> io::Result<()> {
    let next = own.next_key.as_ref();
    let Some(next) = next.filter(|next| files::stat(next).is_ok()) else {
        return Ok(());
    };
    let with = |key: &Path| load(&CertificateFiles::kept(&own.cert, key));
    if with(&own.key).is_ok() {
        files::remove(next)
    } else if with(next).is_ok() {
        files::rename(next, &own.key)?;
        files::sync_parent(&own.key)
    } else {
        // Neither can be used, perhaps only not read just now.
        Ok(())
    }
}

/// The pair for a folder without one that can be used.
pub(super) fn make_first(own: &CertificateFiles, now: Timestamp) -> Result<(), TlsError> {
    // A board without its door is worse than two who make the pair at once.
    let _turn = turn(files::parent(&own.cert));
    make(own, now)
}

/// Makes key and certificate.
fn make(own: &CertificateFiles, now: Timestamp) -> Result<(), TlsError> {
    let (key, certificate) = generate(now).map_err(TlsError::Generate)?;
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File { path, error }
    };
    let next = own.next_key.as_ref().unwrap_or(&own.key);
    files::replace(next, key.as_bytes()).map_err(at(next))?;
    // A crash here, or a refusal, leaves the old pair.
    if let Err(error) = files::replace(&own.cert, certificate.as_bytes()) {
        // Unless the new certificate is there all the same, and only its folder could not be synced.
        let _ = settle_in_turn(own);
        return Err(at(&own.cert)(error));
    }
    // A crash here leaves the new certificate, and its key in `next`.
    files::rename(next, &own.key)
        .and_then(|()| files::sync_parent(&own.key))
        .map_err(at(&own.key))
}

/// The lock on making and moving these files, for as long as the result is kept.
fn turn(folder: &Path) -> io::Result<File> {
    let folder = files::open_folder(folder)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(RETRY),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A key and a certificate, both PEM.
fn generate(now: Timestamp) -> Result<(Zeroizing<String>, String), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let whole = board::whole_hostname();
    let host = board::hostname().and_then(|name| dns_label(&name));
    let mut params = CertificateParams::new(subject_names(whole.as_deref()))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, host.as_deref().unwrap_or("postern"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A device that has never been told the time, or a time that is far ahead, takes this release's, so that the
    // certificate outlives the mistake.
    let base = now.max(RELEASE_EPOCH);
    let date = |time: Timestamp| {
        i64::try_from(time.as_secs())
            .ok()
            .and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    params.not_before = date(RELEASE_EPOCH.saturating_sub(BACKDATED));
    params.not_after = date(base + LIFETIME);
    let certificate = params.self_signed(&key)?;
    Ok((Zeroizing::new(key.serialize_pem()), certificate.pem()))
}

/// Every name a client on the LAN may use: host name, with its domain and without, mDNS name, `localhost`, loopback and
/// interface addresses.
fn subject_names(host: Option<&str>) -> Vec<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    let labels: Vec<_> = host.map_or(vec![], |host| host.split('.').map(dns_label).collect());
    if let Some(Some(short)) = labels.first() {
        names.insert(short.clone());
        names.insert(format!("{short}.local"));
    }
    // A domain with something in it that DNS could not hold is left out.
    if let Some(whole) = labels.into_iter().collect::<Option<Vec<_>>>()
        && !whole.is_empty()
    {
        names.insert(whole.join("."));
    }
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        match interface.ip() {
            // A link-local address is meaningless without a scope, which a certificate cannot hold.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {}
            ip => {
                names.insert(ip.to_string());
            }
        }
    }
    names.into_iter().take(MAX_NAMES).collect()
}

/// The host's name in lower case, if it is one that DNS could hold.
fn dns_label(name: &str) -> Option<String> {
    let fits = (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    fits.then(|| name.to_ascii_lowercase())
}

const CERT: &str = "tls-cert.pem";
const KEY: &str = "tls-key.pem";
const NEXT_KEY: &str = "tls-key.pem.next";

/// A pair takes a few writes; on a worn card that can be seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a lock that is held is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// Clients without a good clock of their own must not find the certificate "not yet valid".
const BACKDATED: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

/// Ten years.
const LIFETIME: Duration = Duration::from_secs(3652 * 24 * 60 * 60);

/// A router can have hundreds of addresses; a certificate is sent in each full handshake.
const MAX_NAMES: usize = 64;

#[cfg(test)]
mod tests;

//! A saved login: the refresh token of a user at a board, in a file of its own, with the board's certificate at that
//! time.

use std::io;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::board::BoardAddress;
use super::folder::{DeskFolder, Lock};
use super::known_boards::CertificateFingerprint;
use super::stop::StopSignal;
use crate::config::SecretString;
use crate::files;

/// Where a login is saved, or would be.
#[derive(Debug, Clone)]
pub(super) struct SavedLogin {
    folder: DeskFolder,
    name: String,
}

impl SavedLogin {
    pub(super) fn of(folder: &DeskFolder, user: &str, board: &BoardAddress) -> Self {
        let user = utf8_percent_encode(user, IN_NAME);
        Self {
            folder: folder.clone(),
            name: format!("logins/{user}@{board}"),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path(&self.name)
    }

    pub(super) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// From reading a token to having its successor on the disk: a token is good once.
    pub(super) fn lock(&self, stop: &StopSignal) -> io::Result<Lock> {
        self.folder.lock(&self.name, stop)
    }

    /// The certificate and the token, if they are there and make sense.
    pub(super) fn read(&self) -> Option<(CertificateFingerprint, SecretString)> {
        let bytes = Zeroizing::new(files::read_own(&self.path()).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        let (fingerprint, token) = text.split_once('\n')?;
        let fingerprint = fingerprint.parse().ok()?;
        let token = token.trim_end();
        (!token.is_empty()).then(|| (fingerprint, SecretString::new(token.to_owned())))
    }

    /// When this comes back the token is on the disk.
    pub(super) fn write(
        &self,
        fingerprint: CertificateFingerprint,
        token: &SecretString,
    ) -> io::Result<()> {
        let path = self.folder.prepare(&self.name)?;
        let first = fingerprint.to_string();
        let token = token.expose();
        let mut text = Zeroizing::new(String::with_capacity(first.len() + token.len() + 2));
        for part in [&first, "\n", token, "\n"] {
            text.push_str(part);
        }
        files::replace(&path, text.as_bytes())
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        files::remove(&self.path())
    }
}

/// What a user's name may have that a file's had better not.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

#[cfg(test)]
mod tests;

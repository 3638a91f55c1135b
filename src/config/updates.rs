//! Where news of a newer postern comes from.

use std::path::PathBuf;

use minisign_verify::PublicKey;

use super::settings::RawSettings;
use super::variables::{UPDATE_CA_FILE, UPDATE_PUBLIC_KEY, UPDATE_URL};
use super::{HttpsUrl, values};

/// Where news of a newer postern comes from, besides a file in the state folder.
#[derive(Debug, Clone, Default)]
pub struct UpdateSettings {
    /// The feed that is asked now and then (`UPDATE_URL`). `None`: the network is never used.
    pub url: Option<HttpsUrl>,
    /// Whose signature all news must carry (`UPDATE_PUBLIC_KEY`).
    pub public_key: Option<PublicKey>,
    /// The certificates that the feed's is held against (`UPDATE_CA_FILE`). `None`: the system's.
    pub ca_file: Option<PathBuf>,
}

impl UpdateSettings {
    pub(super) fn read(settings: &mut RawSettings) -> Self {
        if settings.is_given(&UPDATE_CA_FILE) && !settings.is_given(&UPDATE_URL) {
            settings.warn(&UPDATE_CA_FILE, "has no effect without UPDATE_URL");
        }
        Self {
            url: settings.read(&UPDATE_URL, update_url),
            public_key: settings.read(&UPDATE_PUBLIC_KEY, minisign_key),
            ca_file: settings.read(&UPDATE_CA_FILE, values::path),
        }
    }
}

/// A URL that updates are asked for at. The message never shows it: a token may stand in it.
fn update_url(value: &str) -> Result<HttpsUrl, String> {
    HttpsUrl::parse(value).map_err(|problem| {
        format!("{problem}; write https://host/path, as https://example.org/update.json")
    })
}

/// A minisign public key: the second line of its file.
fn minisign_key(value: &str) -> Result<PublicKey, String> {
    PublicKey::from_base64(value).map_err(|_| {
        "is not a minisign public key; write the second line of minisign.pub, 56 characters that begin with RW".into()
    })
}

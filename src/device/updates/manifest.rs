//! What is offered: bytes to a valid release, whatever else they may hold. No I/O.
//!
//! Two shapes are understood: GitHub's answer for a release (`tag_name`, `html_url`), and postern's own,
//! `{"version":"1.2.3","url":"https://…"}`. All other members are passed over without being kept.

use semver::Version;
use serde::Deserialize;

use crate::config::HttpsUrl;

/// A release that somebody offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedRelease {
    /// Its version.
    pub version: Version,
    /// Where to read about it or get it.
    pub url: Option<HttpsUrl>,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The text; only the place is named, since what stands there is not to be trusted.
    #[error("the manifest is not the JSON it should be: line {0}, column {1}")]
    Json(usize, usize),
    /// Neither shape.
    #[error("the manifest has neither a tag_name nor a version")]
    NoVersion,
    /// Its version.
    #[error("the manifest's version is not a semantic version such as 1.2.3")]
    Version,
}

/// Understands a manifest. `None`: a draft or a pre-release of GitHub's, which is not for everybody yet. A URL that is not
/// fit to be shown is left out, and a log line says so.
///
/// # Errors
/// [`ManifestError`].
pub fn parse(bytes: &[u8]) -> Result<Option<OfferedRelease>, ManifestError> {
    // serde would take an array for the members in their order.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ManifestError::Json(1, 1));
    }
    let members: ManifestMembers = serde_json::from_slice(bytes)
        .map_err(|error| ManifestError::Json(error.line(), error.column()))?;
    let (version, url) = match (members.tag_name, members.version) {
        (Some(tag), _) => (tag, members.html_url),
        (None, Some(version)) => (version, members.url),
        (None, None) => return Err(ManifestError::NoVersion),
    };
    if members.draft || members.prerelease {
        return Ok(None);
    }
    let version = version.strip_prefix('v').unwrap_or(&version);
    let version = Some(version)
        .filter(|version| version.len() <= MAX_VERSION)
        .and_then(|version| Version::parse(version).ok())
        .ok_or(ManifestError::Version)?;
    let url = url.and_then(|url| {
        HttpsUrl::parse(&url)
            .inspect_err(|problem| {
                log::warn!(problem = *problem; "the address in the news of an update is left out");
            })
            .ok()
    });
    Ok(Some(OfferedRelease { version, url }))
}

/// Whether a running `current` is told of `offered`: a later one (`SemVer` 2.0, section 11: build metadata does not count),
/// and no pre-release unless it is one itself.
#[must_use]
pub fn is_update(current: &Version, offered: &Version) -> bool {
    offered.cmp_precedence(current).is_gt() && (offered.pre.is_empty() || !current.pre.is_empty())
}

#[derive(Deserialize)]
struct ManifestMembers {
    tag_name: Option<String>,
    html_url: Option<String>,
    version: Option<String>,
    url: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
}

/// GitHub's answer for a release with a hundred files has about 200 KiB.
pub const MAX_MANIFEST: u64 = 256 * 1024;

/// It is shown on a page and in a line of a terminal.
const MAX_VERSION: usize = 64;

#[cfg(test)]
mod tests;

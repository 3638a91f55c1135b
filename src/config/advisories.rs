//! Reads `ADVISORY_DIR` and `ADVISORY_IGNORE`.

use std::path::PathBuf;

use super::settings::RawSettings;
use super::values::{self, list, quoted};
use super::variables::{ADVISORY_DIR, ADVISORY_IGNORE};

/// The folder or zip file that was named.
pub(super) fn dir(settings: &mut RawSettings) -> Option<PathBuf> {
    settings.read(&ADVISORY_DIR, values::path)
}

/// Names of vulnerabilities, as `CVE-2024-1` or `RUSTSEC-2023-0071`.
pub(super) fn ignored(settings: &mut RawSettings) -> Vec<String> {
    let names = |value: &str| {
        list(value, MAX_IGNORED, |name| {
            if is_advisory(name) {
                return Ok(name.to_owned());
            }
            Err(format!(
                "{} is not the name of a vulnerability; write CVE-2024-1234 or RUSTSEC-2023-0071",
                quoted(name)
            ))
        })
    };
    settings.read(&ADVISORY_IGNORE, names).unwrap_or_default()
}

/// Whether a text can be the name of a vulnerability: whatever it is written into may trust it.
#[must_use]
pub fn is_advisory(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:+".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// Each is held against each finding.
const MAX_IGNORED: usize = 256;

//! The key that signs tokens, when the configuration gives none: made once and kept in the state folder.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::files;

/// The kept key, or a new one. Replaces a file that does not hold a key, with a loud message: only the logins are lost.
/// Also replaces a key if the journal may have forgotten ended logins (`forgotten`), which must not work again.
///
/// # Errors
/// The file, and what the system said of it.
pub fn load_or_generate(
    state_dir: &Path,
    entropy: &dyn Entropy,
    forgotten: bool,
) -> Result<Zeroizing<Vec<u8>>, (PathBuf, io::Error)> {
    let path = state_dir.join(FILE);
    match files::read_own(&path).map(Zeroizing::new) {
        Ok(text) => match URL_SAFE_NO_PAD
            .decode(text.trim_ascii())
            .map(Zeroizing::new)
        {
            Ok(key) if key.len() == LENGTH && !forgotten => return Ok(key),
            Ok(key) if key.len() == LENGTH => {
                log::warn!(file:% = path.display(); "the journal is gone, so ended logins could work again; postern makes a new key, and all logins end");
            }
            _ => {
                log::error!(file:% = path.display(); "this file holds no key; postern makes a new one, and all logins end");
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !forgotten {
                log::warn!(file:% = path.display(); "the key is gone; postern makes a new one, and all logins end");
            }
        }
        Err(error) => return Err((path, error)),
    }
    let mut key = Zeroizing::new(vec![0; LENGTH]);
    entropy.fill(&mut key);
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*key) + "\n");
    files::replace(&path, text.as_bytes()).map_err(|error| (path, error))?;
    Ok(key)
}

const FILE: &str = "secret-key";

/// As long as HMAC-SHA-256's output (RFC 7518, section 3.2).
const LENGTH: usize = 32;

#[cfg(test)]
mod tests;

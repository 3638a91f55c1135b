//! The first boot's password: generated, and kept in a file until it is changed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::files;

/// A password that was generated. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedPassword(Zeroizing<String>);

impl GeneratedPassword {
    /// Four groups of six characters that are not easily taken for one another: 118 bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
        for group in 0..GROUPS {
            if group > 0 {
                text.push('-');
            }
            for _ in 0..GROUP {
                text.push(random_character(entropy));
            }
        }
        Self(text)
    }

    /// The password itself, to be printed once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GeneratedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

fn random_character(entropy: &dyn Entropy) -> char {
    loop {
        let mut byte = [0];
        entropy.fill(&mut byte);
        // A 32nd character would have to be an ambiguous one; to draw again keeps the others equally likely.
        if let Some(character) = ALPHABET.get(usize::from(byte[0] & 31)) {
            return char::from(*character);
        }
    }
}

/// `STATE_DIR/initial-password`.
pub(super) struct InitialFile {
    directory: PathBuf,
}

impl InitialFile {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// The password in it, if there is one.
    pub fn read(&self) -> io::Result<Option<GeneratedPassword>> {
        let bytes = match files::read_own(&self.path()) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Not what was written here.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = std::str::from_utf8(&bytes).ok();
        Ok(text
            .map(|text| GeneratedPassword(Zeroizing::new(text.trim_end_matches('\n').to_owned()))))
    }

    /// Writes the file so that after a power cut it is whole or not there at all. Only its owner can read it.
    pub fn write(&self, password: &GeneratedPassword) -> io::Result<()> {
        let line = Zeroizing::new(format!("{}\n", password.expose()));
        files::replace(&self.path(), line.as_bytes())
    }

    /// Removes it, if it is there.
    pub fn remove(&self) -> io::Result<()> {
        files::remove(&self.path())
    }
}

/// The file's name in the state folder.
pub const NAME: &str = "initial-password";

const GROUPS: usize = 4;
const GROUP: usize = 6;

/// Without `0`, `1`, `i`, `l` and `o`.
const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests;

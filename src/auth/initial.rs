//! The first boot's password: generated, and kept in a file until it is changed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::entropy::Entropy;

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
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Zeroizing::new(String::new());
        match file.take(MAX_FILE).read_to_string(&mut text) {
            Ok(_) => {
                let password = Zeroizing::new(text.trim_end_matches('\n').to_owned());
                Ok(Some(GeneratedPassword(password)))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it so that after a power cut it is there whole or not at all, and readable by its owner only.
    pub fn write(&self, password: &GeneratedPassword) -> io::Result<()> {
        let new = self.directory.join(NEW_NAME);
        // What a crash left behind may have any mode.
        remove(&new)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(password.expose().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        // A crash before this leaves only the new name, which the next first boot clears away.
        fs::rename(&new, self.path())?;
        self.sync_directory()
    }

    /// Removes it, if it is there.
    pub fn remove(&self) -> io::Result<()> {
        if remove(&self.path())? {
            self.sync_directory()?;
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

const NAME: &str = "initial-password";
const NEW_NAME: &str = "initial-password.new";

/// A password has 72 bytes at most; a longer file is none of ours.
const MAX_FILE: u64 = 128;

const GROUPS: usize = 4;
const GROUP: usize = 6;

/// Without `0`, `1`, `i`, `l` and `o`.
const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::FakeEntropy;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn generated_passwords_differ_and_keep_the_rules() {
        let entropy = FakeEntropy::new(7);
        let one = GeneratedPassword::generate(&entropy);
        let other = GeneratedPassword::generate(&entropy);
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 27);
        assert!(super::super::password::check_rules("admin", one.expose()).is_ok());
        assert_eq!(format!("{one:?}"), "[secret]");
    }

    #[test]
    fn the_file_is_private_and_survives_a_crash_while_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = InitialFile::new(directory.path().to_owned());
        assert_eq!(file.read().unwrap(), None);
        fs::write(directory.path().join(NEW_NAME), "half of i").unwrap();
        let password = GeneratedPassword::generate(&FakeEntropy::new(7));
        file.write(&password).unwrap();
        assert_eq!(file.read().unwrap(), Some(password));
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.read().unwrap(), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

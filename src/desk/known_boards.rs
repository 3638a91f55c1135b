//! `known_boards`: the certificate that each board had at the first contact. One line a board: its address, a blank,
//! the certificate's SHA-256. Other lines are left alone.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::board::BoardAddress;
use super::folder::DeskFolder;
use super::stop::StopSignal;
use crate::files;

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFingerprint([u8; 32]);

impl CertificateFingerprint {
    pub(super) fn of(certificate: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(hash)
    }
}

/// As the server prints it: pairs of hexadecimal digits, between colons.
impl fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(':')?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

/// This is no SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidFingerprint;

/// Upper or lower case, colons or none, `SHA-256` before it or not.
impl FromStr for CertificateFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let text = text.trim();
        let text = ["SHA-256", "SHA256"]
            .iter()
            .find_map(|name| text.strip_prefix(name))
            .map_or(text, |rest| rest.trim_start_matches([' ', ':', '=']));
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(InvalidFingerprint);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(InvalidFingerprint);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| InvalidFingerprint)?;
        }
        Ok(Self(hash))
    }
}

/// A line about a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownBoard {
    pub fingerprint: CertificateFingerprint,
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// What is known of the board.
///
/// # Errors
/// The file cannot be read, or its line about this board cannot be understood: then nothing is trusted instead.
pub(super) fn look_up(
    folder: &DeskFolder,
    board: &BoardAddress,
) -> Result<Option<KnownBoard>, String> {
    let file = folder.path(FILE);
    let failed = |error: &dyn fmt::Display| format!("{}: {error}", file.display());
    let text = match files::read_own(&file) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| failed(&"this is no text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let name = board.to_string();
    let Some((index, line)) = lines_about(&text, &name).next() else {
        return Ok(None);
    };
    let fingerprint = line.trim_start()[name.len()..].parse().map_err(|_| {
        let line = index + 1;
        failed(&format!(
            "line {line} holds no SHA-256 of a certificate; remove the line, and postern asks again at the next contact"
        ))
    })?;
    Ok(Some(KnownBoard {
        fingerprint,
        file,
        line: index + 1,
    }))
}

/// Keeps what a board's certificate is, in place of what was known of it.
pub(super) fn remember(
    folder: &DeskFolder,
    board: &BoardAddress,
    fingerprint: CertificateFingerprint,
    stop: &StopSignal,
) -> io::Result<()> {
    let _lock = folder.lock(FILE, stop)?;
    let file = folder.prepare(FILE)?;
    let before = match files::read_own(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let before = String::from_utf8(before).map_err(|_| io::ErrorKind::InvalidData)?;
    let name = board.to_string();
    let replaced: Vec<usize> = lines_about(&before, &name)
        .map(|(index, _)| index)
        .collect();
    let mut text = String::new();
    for (_, line) in before
        .lines()
        .enumerate()
        .filter(|(index, _)| !replaced.contains(index))
    {
        text.push_str(line);
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} {fingerprint}");
    files::replace(&file, text.as_bytes())
}

fn lines_about<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = text.lines().enumerate();
    lines.filter(move |(_, line)| line.split_whitespace().next() == Some(name))
}

/// The file's name in the folder.
const FILE: &str = "known_boards";

#[cfg(test)]
mod tests;

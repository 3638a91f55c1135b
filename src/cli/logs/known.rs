//! `known_boards`: which certificate each board had at the first contact. A line a board: where it is, a blank, the
//! certificate's SHA-256. Lines that are none of these are left alone.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::board::Board;
use super::keep::Keep;
use super::stop::Stop;
use crate::files;

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(certificate: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(hash)
    }
}

/// As the server prints it: pairs of hexadecimal digits, between colons.
impl fmt::Display for Fingerprint {
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
pub struct NoFingerprint;

/// Upper or lower case, colons or none, `SHA-256` before it or not.
impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let text = text.trim();
        let text = ["SHA-256", "SHA256"]
            .iter()
            .find_map(|name| text.strip_prefix(name))
            .map_or(text, |rest| rest.trim_start_matches([' ', ':', '=']));
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(NoFingerprint);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NoFingerprint);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| NoFingerprint)?;
        }
        Ok(Self(hash))
    }
}

/// A line about a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub fingerprint: Fingerprint,
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// What is known of the board.
///
/// # Errors
/// The file cannot be read, or its line about this board cannot be understood: then nothing is trusted instead.
pub(super) fn look_up(keep: &Keep, board: &Board) -> Result<Option<Known>, String> {
    let file = keep.path(FILE);
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
            "line {line} holds no certificate's SHA-256; remove it, and the next contact is a first one"
        ))
    })?;
    Ok(Some(Known {
        fingerprint,
        file,
        line: index + 1,
    }))
}

/// Keeps what a board's certificate is, in place of what was known of it.
pub(super) fn keep(
    keep: &Keep,
    board: &Board,
    fingerprint: Fingerprint,
    stop: &Stop,
) -> io::Result<()> {
    let _lock = keep.lock(FILE, stop)?;
    let file = keep.prepare(FILE)?;
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
mod tests {
    use super::*;
    use std::thread;

    const SHOWN: &str = "55:B6:5A:F3:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:4F";

    fn board(name: &str) -> Board {
        Board::parse(name).unwrap()
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_printed_and_without_colons() {
        let fingerprint: Fingerprint = SHOWN.parse().unwrap();
        assert_eq!(fingerprint.to_string(), SHOWN);
        for text in [
            SHOWN.replace(':', ""),
            SHOWN.to_lowercase(),
            format!("SHA-256 {SHOWN}"),
            format!("SHA256:{SHOWN}"),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        for text in [
            "",
            "55:B6",
            &SHOWN[1..],
            &SHOWN.replace('F', "G"),
            &format!("{SHOWN}:00"),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NoFingerprint), "{text}");
        }
    }

    #[test]
    fn what_is_kept_of_a_board_is_found_again_and_other_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Keep::at(folder.path().to_owned());
        let stop = Stop::default();
        assert_eq!(look_up(&folder, &board("a")), Ok(None));
        std::fs::write(folder.path(FILE), "# by hand\nb:8443 nonsense\n").unwrap();
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        keep(&folder, &board("a"), one, &stop).unwrap();
        let known = look_up(&folder, &board("a")).unwrap().unwrap();
        assert_eq!((known.fingerprint, known.line), (one, 3));
        keep(&folder, &board("a"), two, &stop).unwrap();
        let known = look_up(&folder, &board("a")).unwrap().unwrap();
        assert_eq!((known.fingerprint, known.line), (two, 3));
        let text = std::fs::read_to_string(folder.path(FILE)).unwrap();
        assert!(text.starts_with("# by hand\nb:8443 nonsense\n"), "{text}");
        // Neither a longer name nor another port is this board.
        assert_eq!(look_up(&folder, &board("aa")), Ok(None));
        assert_eq!(look_up(&folder, &board("a:1")), Ok(None));
        // A line that cannot be understood is no first contact.
        let error = look_up(&folder, &board("b")).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Keep::at(folder.path().to_owned());
        thread::scope(|scope| {
            for index in 0..16_u8 {
                let folder = &folder;
                scope.spawn(move || {
                    let board = board(&format!("board-{index}"));
                    keep(folder, &board, Fingerprint::of(&[index]), &Stop::default()).unwrap();
                });
            }
        });
        for index in 0..16_u8 {
            let known = look_up(&folder, &board(&format!("board-{index}"))).unwrap();
            assert_eq!(known.unwrap().fingerprint, Fingerprint::of(&[index]));
        }
    }
}

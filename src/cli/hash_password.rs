//! `postern hash-password`: one line from standard input to a bcrypt hash. The password never stands in an argument,
//! where `ps` and the shell's history would show it.

use std::io::{self, IsTerminal, Read};
use std::ops::RangeInclusive;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{Console, FAILURE, SUCCESS};
use crate::entropy::{Entropy, SystemEntropy};

pub(super) fn run(cost: u32, console: &mut Console<'_>) -> io::Result<u8> {
    if cost < LOWEST_SOUND_COST {
        writeln!(
            console.err,
            "warning: --cost {cost} is under {LOWEST_SOUND_COST}: whoever gets hold of the hash guesses quickly"
        )?;
    }
    let hidden = if console.input_is_terminal {
        write!(console.err, "Password: ")?;
        console.err.flush()?;
        HiddenInput::begin()
    } else {
        None
    };
    let password = read_password(&mut *console.input);
    if hidden.is_some() {
        // The newline that was typed was not shown either.
        writeln!(console.err)?;
    }
    drop(hidden);
    match password.and_then(|password| hash(&password, cost, &SystemEntropy)) {
        Ok(hash) => {
            writeln!(console.out, "{hash}")?;
            Ok(SUCCESS)
        }
        Err(error) => {
            writeln!(console.err, "postern: {error}")?;
            Ok(FAILURE)
        }
    }
}

/// Why there is no hash. Never shows the password.
#[derive(Debug, thiserror::Error)]
enum HashError {
    #[error(
        "there is no password on standard input; give one line, as: postern hash-password < FILE"
    )]
    Missing,
    #[error("the password is too short: 8 characters or more")]
    TooShort,
    #[error("the password is too long: at most 72 bytes, for bcrypt reads no further")]
    TooLong,
    #[error("the password is not UTF-8 text")]
    NotText,
    #[error("the password contains a NUL byte, behind which bcrypt would read nothing")]
    Nul,
    #[error("standard input cannot be read: {0}")]
    Input(#[from] io::Error),
    #[error("bcrypt failed: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
}

/// The first line, without its end. Byte by byte, so that a line without end is given up at [`MAX_LINE`].
fn read_password(input: &mut dyn Read) -> Result<Zeroizing<String>, HashError> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(&mut *byte) {
            Ok(0) if line.is_empty() => return Err(HashError::Missing),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == MAX_LINE => return Err(HashError::TooLong),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = std::str::from_utf8(&line).map_err(|_| HashError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn hash(password: &str, cost: u32, entropy: &dyn Entropy) -> Result<String, HashError> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(HashError::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(HashError::TooLong);
    }
    if password.contains('\0') {
        return Err(HashError::Nul);
    }
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let parts = bcrypt::hash_with_salt(password, cost, salt)?;
    Ok(parts.format_for_version(bcrypt::Version::TwoB))
}

/// Standard input, a terminal, not showing what is typed, until this is dropped.
struct HiddenInput(Termios);

impl HiddenInput {
    /// `None` if the terminal won't: better shown than not asked.
    fn begin() -> Option<Self> {
        let stdin = io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin).ok())??;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).ok()?;
        Some(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // If the terminal is gone there is nobody to show anything to.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// What `--cost` takes: what bcrypt allows.
pub(super) const COSTS: RangeInclusive<u32> = 4..=31;

/// About a quarter of a second on a Raspberry Pi 4, and the middle of what the server measures itself.
pub(super) const DEFAULT_COST: u32 = 12;

/// OWASP's minimum for bcrypt.
const LOWEST_SOUND_COST: u32 = 10;

/// api.md, Passwords.
const MIN_CHARACTERS: usize = 8;

/// bcrypt reads no further.
const MAX_BYTES: usize = 72;

/// The longest password with the carriage return of a file from Windows.
const MAX_LINE: usize = MAX_BYTES + 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::FakeEntropy;

    const CHEAPEST: u32 = 4;

    fn hash_of(mut input: &[u8]) -> Result<String, HashError> {
        let password = read_password(&mut input)?;
        hash(&password, CHEAPEST, &FakeEntropy::new(1))
    }

    #[test]
    fn the_hash_is_2b_of_the_first_line_without_its_end() {
        for input in ["pa$$word", "pa$$word\n", "pa$$word\r\n", "pa$$word\nmore\n"] {
            let hash = hash_of(input.as_bytes()).unwrap();
            assert!(hash.starts_with("$2b$04$"), "{hash}");
            assert!(bcrypt::verify("pa$$word", &hash).unwrap(), "{input:?}");
        }
    }

    #[test]
    fn a_password_outside_the_rules_is_refused_with_the_rule() {
        let long = "é".repeat(37);
        for (input, rule) in [
            ("", "no password"),
            ("\n", "8 characters"),
            ("hunter2\n", "8 characters"),
            (&long, "72 bytes"),
            ("hunter22\0x\n", "NUL"),
        ] {
            let error = hash_of(input.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(rule), "{input:?}: {error}");
            assert!(!error.contains("hunter"), "{error}");
        }
        assert!(hash_of(b"hunter22\xff\n").is_err());
        assert!(hash_of("x".repeat(72).as_bytes()).is_ok());
        assert!(hash_of("пароль12".as_bytes()).is_ok(), "8 characters");
    }

    #[test]
    fn a_line_without_end_is_not_read_to_it() {
        let error = read_password(&mut io::repeat(b'x')).unwrap_err();
        assert!(matches!(error, HashError::TooLong));
    }
}

//! `postern hash-password`: one line from standard input to a bcrypt hash. The password never stands in an argument,
//! where `ps` and the shell's history would show it.

use std::io;
use std::ops::RangeInclusive;

use super::prompt::{PromptError, secret_line};
use super::{Console, FAILURE, SUCCESS};
use crate::entropy::{Entropy, SystemEntropy};

pub(super) fn run(cost: u32, console: &mut Console<'_>) -> io::Result<u8> {
    if cost < LOWEST_SOUND_COST {
        writeln!(
            console.err,
            "warning: --cost {cost} is under {LOWEST_SOUND_COST}: whoever gets hold of the hash guesses quickly"
        )?;
    }
    let password = secret_line(console, "Password: ", || Ok(())).map_err(HashError::from);
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
    #[error("the password contains a NUL byte, behind which bcrypt would read nothing")]
    Nul,
    #[error(transparent)]
    Input(PromptError),
    #[error("bcrypt failed: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
}

impl From<PromptError> for HashError {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::Missing => Self::Missing,
            other => Self::Input(other),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::super::prompt::read_line;
    use super::*;
    use crate::entropy::FakeEntropy;

    const CHEAPEST: u32 = 4;

    fn hash_of(mut input: &[u8]) -> Result<String, HashError> {
        let password = read_line(&mut input)?;
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
}

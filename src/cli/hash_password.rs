//! `postern hash-password`: one line from standard input to a bcrypt hash. The password never stands in an argument,
//! where `ps` and the shell's history would show it.

use std::io;

use super::command::{
    CommandRow, FAILURE, FlagArgument, FlagRow, NO_PASSWORD_HERE, SUCCESS, WRONG_USAGE, WorksOn,
};
use crate::auth::{WeakPassword, check_length};
use crate::entropy::{Entropy, SystemEntropy};
use crate::terminal::Terminal;
use crate::terminal::prompt::{PromptError, secret_line};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "hash-password",
    summary: "read a password from standard input and print its bcrypt hash",
    details: "\
The password is one line, 8 characters or more and at most 72 bytes. At a terminal postern asks for it and does not \
show it. It never takes it from the command line, where `ps` and the shell's history would show it.",
    flags: &[FlagRow::new(
        "cost",
        "bcrypt's cost, 4 to 31; each step doubles the work (default: 12)",
    )
    .takes(FlagArgument::Number("N", LEAST_COST, MOST_COST))],
    operand: NO_PASSWORD_HERE,
    statuses: &[
        (0, "the hash is printed"),
        (1, "the password is refused"),
        WRONG_USAGE,
    ],
    works_on: WorksOn::Nothing,
    run: |arguments, mut context| {
        let cost = arguments.number("cost").unwrap_or(DEFAULT_COST);
        Ok(run(cost, &mut context.terminal)?)
    },
};

fn run(cost: u32, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if cost < LOWEST_SOUND_COST {
        writeln!(
            terminal.err,
            "warning: --cost {cost} is under {LOWEST_SOUND_COST}: whoever gets the hash can guess the password quickly"
        )?;
    }
    let password = secret_line(terminal, "Password: ", || Ok(())).map_err(HashError::from);
    match password.and_then(|password| hash(&password, cost, &SystemEntropy)) {
        Ok(hash) => {
            writeln!(terminal.out, "{hash}")?;
            Ok(SUCCESS)
        }
        Err(error) => {
            writeln!(terminal.err, "postern: {error}")?;
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
    #[error(transparent)]
    Weak(#[from] WeakPassword),
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
    check_length(password)?;
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let parts = bcrypt::hash_with_salt(password, cost, salt)?;
    Ok(parts.format_for_version(bcrypt::Version::TwoB))
}

/// What `--cost` takes: what bcrypt allows.
const LEAST_COST: u32 = 4;
const MOST_COST: u32 = 31;

/// About a quarter of a second on a Raspberry Pi 4, and the middle of what the server measures itself.
const DEFAULT_COST: u32 = 12;

/// OWASP's minimum for bcrypt.
const LOWEST_SOUND_COST: u32 = 10;

#[cfg(test)]
mod tests;

//! The table of commands. Parsing, `--help`, the man page and the completions read it.
//!
//! A new command: its file with a `ROW`, `mod` in cli.rs, its line here, and a row in docs/operations.md.

use super::command::CommandRow;
use super::{
    audit, check, hash_password, health, help, journal, lockouts, logs, passwd, serve, status,
    version,
};

/// All commands, in the order they are explained in.
pub const COMMANDS: &[CommandRow] = &[
    serve::ROW,
    check::ROW,
    hash_password::ROW,
    health::ROW,
    status::ROW,
    #[cfg(feature = "advisories")]
    super::cve::ROW,
    lockouts::ROW,
    lockouts::CLEAR_ROW,
    passwd::ROW,
    #[cfg(feature = "cert")]
    super::cert::ROW,
    #[cfg(feature = "cert")]
    super::cert::RENEW_ROW,
    logs::ROW,
    audit::ROW,
    audit::VERIFY_ROW,
    journal::stat::ROW,
    journal::verify::ROW,
    journal::dump::ROW,
    journal::compact::ROW,
    journal::repair::ROW,
    #[cfg(feature = "sbom")]
    super::sbom::ROW,
    version::ROW,
    help::ROW,
];

/// The commands that this program does not know, each with the feature that it was built without.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    #[cfg(not(feature = "advisories"))]
    ("cve", "advisories"),
    #[cfg(not(feature = "cert"))]
    ("cert", "cert"),
    #[cfg(not(feature = "sbom"))]
    ("sbom", "sbom"),
];

/// The command of that name.
#[must_use]
pub fn command(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|command| command.name == name)
}

#[cfg(test)]
mod tests;

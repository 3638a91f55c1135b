//! The table of commands. Parsing, `--help`, the man page and the completions read it. A command more is a file with its row,
//! and its line here.

use super::command::CommandRow;
use super::{
    audit, cert, check, cve, hash_password, health, help, journal, lockouts, logs, passwd, sbom,
    serve, status, version,
};

/// All commands, in the order they are explained in.
pub const COMMANDS: &[CommandRow] = &[
    serve::ROW,
    check::ROW,
    hash_password::ROW,
    health::ROW,
    status::ROW,
    cve::ROW,
    lockouts::ROW,
    lockouts::CLEAR_ROW,
    passwd::ROW,
    cert::ROW,
    cert::RENEW_ROW,
    logs::ROW,
    audit::ROW,
    audit::VERIFY_ROW,
    journal::stat::ROW,
    journal::verify::ROW,
    journal::dump::ROW,
    journal::compact::ROW,
    journal::repair::ROW,
    sbom::ROW,
    version::ROW,
    help::ROW,
];

/// The command of that name.
#[must_use]
pub fn command(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|command| command.name == name)
}

#[cfg(test)]
mod tests;

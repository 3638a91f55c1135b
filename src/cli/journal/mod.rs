//! `postern journal …`: what the journal holds, whether it is whole, and what to do if it is not.

mod compact;
mod dump;
mod repair;
mod stat;
#[cfg(test)]
mod tests;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use super::{Console, JournalAction, USELESS};
use crate::config::{Config, ConfigError};
use crate::journal::survey::{self, FILE_NAME};

/// Does it to `file`, or to the journal of the server that the configuration is for.
pub(super) fn run(
    action: JournalAction,
    file: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    let found = file.map_or_else(
        || config().map(|config| config.state_dir.join(FILE_NAME)),
        Ok,
    );
    let path = match found {
        Ok(path) => path,
        Err(error) => {
            console.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    if let JournalAction::Repair { yes } = action {
        return repair::run(&path, yes, console);
    }
    let bytes = match survey::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(&path, &error, console),
    };
    if bytes.is_empty() {
        return unreadable(
            &path,
            &"it is empty; the server takes that for a first start",
            console,
        );
    }
    match action {
        JournalAction::Stat { json } => stat::run(&path, &bytes, json, console),
        JournalAction::Verify => verify::run(&path, &bytes, console),
        JournalAction::Dump => dump::run(&path, &bytes, console),
        JournalAction::Compact => compact::run(&path, &bytes, console),
        JournalAction::Repair { .. } => Ok(USELESS),
    }
}

fn unreadable(
    path: &Path,
    reason: &dyn std::fmt::Display,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    writeln!(console.err, "postern: {}: {reason}", path.display())?;
    Ok(USELESS)
}

/// `1 record`, `2 records`.
fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

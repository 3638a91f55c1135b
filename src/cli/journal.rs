//! `postern journal …`: shows what the journal holds, says whether it is damaged, and repairs it.

pub(super) mod compact;
pub(super) mod dump;
pub(super) mod repair;
pub(super) mod stat;
#[cfg(test)]
mod tests;
pub(super) mod verify;

use std::io;
use std::path::{Path, PathBuf};

use super::arguments::{Arguments, CommandError};
use super::command::{CommandContext, USELESS};
use crate::config::{Config, ConfigError};
use crate::journal::repair::has_header;
use crate::journal::replay::Unreadable;
use crate::journal::survey::{self, FILE_NAME, Survey};
use crate::server::shell_word;
use crate::terminal::Terminal;

/// What can be done with a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JournalAction {
    /// Tell it in numbers.
    Stat {
        /// As JSON.
        json: bool,
    },
    /// Say whether it is whole.
    Verify,
    /// Print its records.
    Dump,
    /// Leave out what nobody needs any more.
    Compact,
    /// Save what is whole in it.
    Repair {
        /// Even if the password is lost.
        yes: bool,
    },
}

/// What the rows of these commands run.
fn from_row(
    action: JournalAction,
    arguments: &Arguments,
    mut context: CommandContext<'_>,
) -> Result<u8, CommandError> {
    let file = arguments.operand().map(PathBuf::from);
    Ok(run(action, file, context.load, &mut context.terminal)?)
}

/// The journal to work on.
struct JournalTarget {
    path: PathBuf,
    /// Whether the command line names it; otherwise it is the configured one.
    named: bool,
}

impl JournalTarget {
    /// The line that does something else to the same journal.
    fn command(&self, words: &str) -> String {
        let mut line = format!("postern journal {words}");
        if self.named {
            line = format!("{line} {}", shell_word(&self.path.display().to_string()));
        }
        line
    }
}

/// Works on `file`, or else on the journal in the configured state folder.
fn run(
    action: JournalAction,
    file: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let named = file.is_some();
    let found = file.map_or_else(
        || {
            let config = config().or_else(|error| error.beside(&["STATE_DIR"]));
            config.map(|config| config.state_dir.join(FILE_NAME))
        },
        Ok,
    );
    let target = match found {
        Ok(path) => JournalTarget { path, named },
        Err(error) => {
            terminal.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    let path = &target.path;
    let bytes = match survey::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::NotFound if !named => NEVER_STARTED,
                io::ErrorKind::FileTooLarge => TOO_LARGE,
                _ => "",
            };
            return unreadable(path, &format!("{error}{hint}"), terminal);
        }
    };
    if bytes.is_empty() {
        return unreadable(path, &EMPTY, terminal);
    }
    match action {
        JournalAction::Stat { json } => stat::run(&target, &bytes, json, terminal),
        JournalAction::Verify => verify::run(&target, &bytes, terminal),
        JournalAction::Dump => dump::run(&target, &bytes, terminal),
        JournalAction::Compact => compact::run(&target, &bytes, terminal),
        JournalAction::Repair { yes } => repair::run(&target, yes, terminal),
    }
}

/// Says why no record in it can be read, and what to do.
fn no_record(
    target: &JournalTarget,
    bytes: &[u8],
    reason: Unreadable,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    match reason {
        Unreadable::Header if target.named && !has_header(bytes) => {
            unreadable(&target.path, &FOREIGN, terminal)
        }
        Unreadable::Header => unreadable(&target.path, &nothing_left(None, target), terminal),
        Unreadable::Version { .. } => unreadable(&target.path, &reason, terminal),
    }
}

/// The message for a file without one whole record. `found`: what was read behind its header, if that was whole.
fn nothing_left(found: Option<&Survey>, target: &JournalTarget) -> String {
    let why = match found {
        Some(_) => NO_RECORD.to_owned(),
        None => Unreadable::Header.to_string(),
    };
    format!(
        "{why}: nothing can be saved. Put back a copy of the file. Or stop the server: `{}` sets the file aside, and \
         the next start is a first one",
        target.command("repair --yes")
    )
}

fn unreadable(
    path: &Path,
    reason: &dyn std::fmt::Display,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    writeln!(terminal.err, "postern: {}: {reason}", path.display())?;
    Ok(USELESS)
}

/// `1 record`, `2 records`.
fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

const NO_RECORD: &str = "not one record in it is whole";

const EMPTY: &str = "it is empty; the server takes that for a first start";

const FOREIGN: &str = "this does not look like a journal of postern's";

const NEVER_STARTED: &str = "; perhaps the server was never started with this STATE_DIR";

const TOO_LARGE: &str = "; a journal is never that large. If this is another file, move it away. If not, put back a copy \
of the journal";

/// Where the password comes from, if none is left.
const FIRST_PASSWORD: &str = "\
the account has its first password again: BASIC_AUTH_PASSWORD, else what is in initial-password, else a new one";

/// What happens to the logins if no password is left.
const LOGINS_END: &str = "\
All logins end at the next start. If you gave a SECRET_KEY, give another one; otherwise logins that had ended may work \
again";

const NO_JOURNAL: (u8, &str) = (2, "there is no journal, or no readable one; wrong usage");

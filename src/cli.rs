//! The command line: words to a command, and a command to an exit status. `table` lists the commands; each has a file.

mod arguments;
mod audit;
#[cfg(feature = "cert")]
mod cert;
mod certificate;
mod check;
mod command;
mod config_check;
#[cfg(feature = "advisories")]
mod cve;
mod flags;
#[cfg(feature = "generate")]
mod generate;
mod hash_password;
mod health;
mod help;
mod journal;
mod local;
mod lockouts;
pub mod logs;
mod parse;
mod passwd;
mod run_as;
#[cfg(feature = "sbom")]
mod sbom;
mod serve;
mod status;
mod sudo_advice;
pub mod table;
#[cfg(test)]
mod tests;
mod version;

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::process::geteuid;

pub use arguments::{Arguments, CommandError, UsageError};
pub use command::{CommandContext, CommandRow, FlagArgument, FlagRow, Operand, WorksOn};
pub use parse::{Invocation, parse};
pub use run_as::RootRights;

use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;
use command::{FAILURE, SUCCESS, USELESS};
use sudo_advice::{SeenConfig, root_state_dir};
use table::COMMANDS;

/// Does what the words behind the program's name say, and returns the exit status.
///
/// `load` reads the configuration with the env file that was named, if one was. `serve` runs the server and comes back
/// when it has stopped; it is an argument so that whoever starts the program can be tested without one.
pub fn run<W: Into<OsString>>(
    words: impl IntoIterator<Item = W>,
    terminal: &mut Terminal<'_>,
    rights: RootRights,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> u8 {
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let done = match parse(words.clone()) {
        Ok(invocation) => {
            let looked = SeenConfig::default();
            let load = |env_file: Option<&Path>| looked.note(env_file, load(env_file));
            let done = dispatch(&invocation, &words, terminal, rights, load, serve);
            match done {
                Ok(status) if status != SUCCESS && !geteuid().is_root() => looked
                    .advice(&invocation, &words, root_state_dir())
                    .map_or(Ok(()), |advice| writeln!(terminal.err, "postern: {advice}"))
                    .map(|()| status)
                    .map_err(CommandError::from),
                done => done,
            }
        }
        Err(error) => Err(error.into()),
    };
    let error = match done {
        Ok(status) => return status,
        Err(CommandError::Io(error)) => error,
        Err(CommandError::Usage(error)) => {
            match writeln!(terminal.err, "postern: {error}\nTry: postern --help") {
                Ok(()) => return USELESS,
                Err(error) => error,
            }
        }
    };
    // Whoever read the answer has seen enough.
    if error.kind() == io::ErrorKind::BrokenPipe {
        return SUCCESS;
    }
    // If this cannot be written either, the status alone must tell.
    let _ = writeln!(terminal.err, "postern: {error}");
    FAILURE
}

fn dispatch(
    invocation: &Invocation,
    words: &[OsString],
    terminal: &mut Terminal<'_>,
    rights: RootRights,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> Result<u8, CommandError> {
    run_as::to_user(invocation, words, rights)?;
    let load = || load(invocation.env_file.as_deref());
    let load = run_as::to_owner(invocation, words, terminal, rights, load)?;
    let context = CommandContext {
        terminal: terminal.reborrow(),
        commands: COMMANDS,
        load,
        serve: Box::new(serve),
    };
    (invocation.command.run)(&invocation.arguments, context)
}

impl Terminal<'_> {
    /// Says what is wrong with the configuration.
    fn config_error(&mut self, error: &ConfigError) -> io::Result<u8> {
        self.warnings(&error.warnings)?;
        writeln!(self.err, "postern: {error}")?;
        Ok(FAILURE)
    }

    fn warnings(&mut self, warnings: &[String]) -> io::Result<()> {
        for warning in warnings {
            writeln!(self.err, "warning: {warning}")?;
        }
        Ok(())
    }
}

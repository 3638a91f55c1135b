//! The command line: words to a command, a file a command, and each command to an exit status.

mod audit;
mod cert;
mod check;
mod cve;
mod generate;
mod hand_over;
mod hash_password;
mod health;
pub mod help;
mod journal;
mod local;
mod lockouts;
pub mod logs;
mod passwd;
mod privilege;
mod sbom;
mod serve;
mod status;
pub mod table;
#[cfg(test)]
mod tests;
mod usable;
mod usage;

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::process::geteuid;

pub use cert::CertAction;
pub use generate::Document;
pub use usage::{Command, Invocation, JournalAction, UsageError, parse};

use crate::config::{Config, ConfigError};
use crate::desk::Desk;
use crate::terminal::Terminal;
use privilege::{Looked, root_state_dir};

/// Does what the words behind the program's name say, and returns the exit status.
///
/// `load` reads the configuration with the env file that was named, if one was. `serve` runs the server and comes back
/// when it has stopped; it is an argument so that whoever starts the program can be tested without one.
pub fn run<W: Into<OsString>>(
    words: impl IntoIterator<Item = W>,
    terminal: &mut Terminal<'_>,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> u8 {
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let done = match parse(words.clone()) {
        Ok(invocation) => {
            let (looked, command) = (Looked::default(), invocation.command.clone());
            let load = |env_file: Option<&Path>| looked.note(env_file, load(env_file));
            let done = dispatch(invocation, &words, terminal, load, serve);
            match done {
                Ok(status) if status != SUCCESS && !geteuid().is_root() => looked
                    .advice(&command, &words, root_state_dir())
                    .map_or(Ok(()), |advice| writeln!(terminal.err, "postern: {advice}"))
                    .map(|()| status),
                done => done,
            }
        }
        Err(error) => {
            writeln!(terminal.err, "postern: {error}\nTry: postern --help").map(|()| USELESS)
        }
    };
    match done {
        Ok(status) => status,
        // Whoever read the answer has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => SUCCESS,
        Err(error) => {
            // If this cannot be written either, the status alone must tell.
            let _ = writeln!(terminal.err, "postern: {error}");
            FAILURE
        }
    }
}

fn dispatch(
    invocation: Invocation,
    words: &[OsString],
    terminal: &mut Terminal<'_>,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> io::Result<u8> {
    hand_over::to_user(&invocation, words, terminal)?;
    let load = || load(invocation.env_file.as_deref());
    let load = hand_over::to_owner(&invocation, words, terminal, load)?;
    let text = match invocation.command {
        Command::Serve => return serve::run(load(), terminal, serve),
        Command::Check { certificate } => return check::run(load(), certificate, terminal),
        Command::HashPassword { cost } => return hash_password::run(cost, terminal),
        Command::Health { socket } => return health::run(socket, load, terminal),
        Command::Status { socket, json } => return status::run(socket, json, load, terminal),
        Command::Cve { socket, json } => return cve::run(socket, json, load, terminal),
        Command::Lockouts { socket, clear } => return lockouts::run(socket, clear, load, terminal),
        Command::Passwd { socket } => return passwd::run(socket, load, terminal),
        Command::Cert { action, json } => return cert::run(action, json, load, terminal),
        Command::Logs(options) => return logs::run(&options, &Desk::of_user()?, terminal),
        Command::Audit {
            lines,
            json,
            folder,
        } => return audit::run(lines, json, folder, load, terminal),
        Command::Journal { action, file } => return journal::run(action, file, load, terminal),
        Command::Sbom => sbom::text(),
        Command::Help(None) => help::program(),
        Command::HelpJournal => help::journal(),
        Command::Help(Some(command)) => help::command(command),
        Command::Generate(document) => document.text(),
        Command::Version => format!("{}\n", help::VERSION),
    };
    terminal.out.write_all(text.as_bytes())?;
    Ok(SUCCESS)
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

/// Done as asked; for `health`: healthy; for `cve`: nothing applies; for `journal verify` and `audit verify`: whole.
const SUCCESS: u8 = 0;

/// Not done: a bad configuration, a server that could not start; for `health`: degraded; for `cve`: something applies, or who
/// knows; for `journal verify` and `audit verify`: damaged.
const FAILURE: u8 = 1;

/// Wrong usage; for `health`: no answer; for `journal` and `audit`: none that can be read.
const USELESS: u8 = 2;

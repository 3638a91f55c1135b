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
mod prompt;
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
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::process::geteuid;

pub use cert::CertAction;
pub use generate::Document;
pub use usage::{Command, Invocation, JournalAction, UsageError, parse};

use crate::config::{Config, ConfigError};
use privilege::{Looked, root_state_dir};

/// Where a command reads and writes. Tests hold the other ends.
pub struct Console<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Whether somebody types there.
    pub input_is_terminal: bool,
    /// Standard output: answers.
    pub out: &'a mut dyn Write,
    /// Standard error: questions, warnings and what went wrong.
    pub err: &'a mut dyn Write,
    /// Whether root's rights are given up where they should be: by starting the program anew, with the same words.
    pub hands_over: bool,
}

/// Does what the words behind the program's name say, and returns the exit status.
///
/// `load` reads the configuration with the env file that was named, if one was. `serve` runs the server and comes back
/// when it has stopped; it is an argument so that whoever starts the program can be tested without one.
pub fn run<W: Into<OsString>>(
    words: impl IntoIterator<Item = W>,
    console: &mut Console<'_>,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> u8 {
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let done = match parse(words.clone()) {
        Ok(invocation) => {
            let (looked, command) = (Looked::default(), invocation.command.clone());
            let load = |env_file: Option<&Path>| looked.note(env_file, load(env_file));
            let done = dispatch(invocation, &words, console, load, serve);
            match done {
                Ok(status) if status != SUCCESS && !geteuid().is_root() => looked
                    .advice(&command, &words, root_state_dir())
                    .map_or(Ok(()), |advice| writeln!(console.err, "postern: {advice}"))
                    .map(|()| status),
                done => done,
            }
        }
        Err(error) => {
            writeln!(console.err, "postern: {error}\nTry: postern --help").map(|()| USELESS)
        }
    };
    match done {
        Ok(status) => status,
        // Whoever read the answer has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => SUCCESS,
        Err(error) => {
            // If this cannot be written either, the status alone must tell.
            let _ = writeln!(console.err, "postern: {error}");
            FAILURE
        }
    }
}

fn dispatch(
    invocation: Invocation,
    words: &[OsString],
    console: &mut Console<'_>,
    load: impl FnOnce(Option<&Path>) -> Result<Config, ConfigError>,
    serve: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> io::Result<u8> {
    hand_over::to_user(&invocation, words, console)?;
    let load = || load(invocation.env_file.as_deref());
    let load = hand_over::to_owner(&invocation, words, console, load)?;
    let text = match invocation.command {
        Command::Serve => return serve::run(load(), console, serve),
        Command::Check { certificate } => return check::run(load(), certificate, console),
        Command::HashPassword { cost } => return hash_password::run(cost, console),
        Command::Health { socket } => return health::run(socket, load, console),
        Command::Status { socket, json } => return status::run(socket, json, load, console),
        Command::Cve { socket, json } => return cve::run(socket, json, load, console),
        Command::Lockouts { socket, clear } => return lockouts::run(socket, clear, load, console),
        Command::Passwd { socket } => return passwd::run(socket, load, console),
        Command::Cert { action, json } => return cert::run(action, json, load, console),
        Command::Logs(options) => return logs::run(&options, &logs::Desk::of_user()?, console),
        Command::Audit {
            lines,
            json,
            folder,
        } => return audit::run(lines, json, folder, load, console),
        Command::Journal { action, file } => return journal::run(action, file, load, console),
        Command::Sbom => sbom::text(),
        Command::Help(None) => help::program(),
        Command::HelpJournal => help::journal(),
        Command::Help(Some(command)) => help::command(command),
        Command::Generate(document) => document.text(),
        Command::Version => format!("{}\n", help::VERSION),
    };
    console.out.write_all(text.as_bytes())?;
    Ok(SUCCESS)
}

impl Console<'_> {
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

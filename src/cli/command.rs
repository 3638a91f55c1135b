//! What a command is: its row in the table, and what it is run with. Each command's file has its row; `table` lists
//! them.

use std::error::Error;
use std::io;

use super::arguments::{Arguments, CommandError};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// A command of the program.
#[derive(Debug)]
pub struct CommandRow {
    /// What is typed.
    pub name: &'static str,
    /// What it does, on one line.
    pub summary: &'static str,
    /// What else there is to know, in paragraphs of plain text.
    pub details: &'static str,
    /// Its own flags, beside those that go with every command.
    pub flags: &'static [FlagRow],
    /// What an argument without a flag is.
    pub operand: Operand,
    /// Exit statuses and what they mean.
    pub statuses: &'static [(u8, &'static str)],
    /// What it works on.
    pub works_on: WorksOn,
    /// Does it, and returns the exit status.
    pub run: fn(&Arguments, CommandContext<'_>) -> Result<u8, CommandError>,
}

/// What a command makes of an argument without a flag. The names are for the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// It has none.
    None,
    /// It is a command, and may be left out.
    Command(&'static str),
    /// It is a file, and may be left out.
    File(&'static str),
    /// It is a folder, and may be left out.
    Folder(&'static str),
    /// It must be given: its name, and what it is, as in `an address`.
    Required(&'static str, &'static str),
    /// The same, but messages never show further words: they may be secrets.
    Private(&'static str, &'static str),
    /// It is refused with this reason, and never shown: it may be a secret.
    Refused(&'static str),
}

/// What a command works on. Root runs the command as the owner of that. If another user owns it and the command fails,
/// an ordinary user is told to run it as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorksOn {
    /// On nothing of the server's.
    Nothing,
    /// It is the server.
    Server,
    /// On the configuration.
    Configuration,
    /// It asks the running server over its socket.
    Socket,
    /// The same, or on the state folder if the server is stopped.
    SocketOrStateDir,
    /// On files in the state folder.
    StateDir,
}

/// A flag.
#[derive(Debug, Clone, Copy)]
pub struct FlagRow {
    /// Its name behind `--`.
    pub long: &'static str,
    /// Its letter behind `-`, if it has one.
    pub short: Option<char>,
    /// Its argument.
    pub argument: FlagArgument,
    /// What it does, on one line.
    pub help: &'static str,
}

/// What a flag takes. The names are for the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagArgument {
    /// Nothing.
    None,
    /// A path.
    Path(&'static str),
    /// A whole number, no less than the first and no greater than the second.
    Number(&'static str, u32, u32),
    /// One of these words. The command itself refuses others.
    Word(&'static str, &'static [&'static str]),
    /// Anything.
    Text(&'static str),
}

impl FlagArgument {
    /// What the argument is called, if there is one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Path(name) | Self::Number(name, ..) | Self::Word(name, _) | Self::Text(name) => {
                Some(name)
            }
        }
    }
}

impl FlagRow {
    /// A flag without a letter and without an argument.
    #[must_use]
    pub const fn new(long: &'static str, help: &'static str) -> Self {
        Self {
            long,
            short: None,
            argument: FlagArgument::None,
            help,
        }
    }

    /// The same with a letter.
    #[must_use]
    pub const fn short(self, letter: char) -> Self {
        Self {
            short: Some(letter),
            ..self
        }
    }

    /// The same with an argument.
    #[must_use]
    pub const fn takes(self, argument: FlagArgument) -> Self {
        Self { argument, ..self }
    }
}

/// What a command is run with, beside its arguments.
pub struct CommandContext<'a> {
    /// Where it reads and writes.
    pub terminal: Terminal<'a>,
    /// All commands.
    pub commands: &'static [CommandRow],
    /// Reads the configuration.
    pub load: LoadConfig<'a>,
    /// Runs the server, and comes back when it has stopped.
    pub serve: RunServer<'a>,
}

impl CommandContext<'_> {
    /// Prints the text, and is done.
    pub(super) fn print(self, text: &str) -> io::Result<u8> {
        self.terminal.out.write_all(text.as_bytes())?;
        Ok(SUCCESS)
    }
}

/// Reads the configuration.
pub type LoadConfig<'a> = Box<dyn FnOnce() -> Result<Config, ConfigError> + 'a>;

/// Runs the server with this configuration.
pub type RunServer<'a> = Box<dyn FnOnce(Config) -> Result<(), Box<dyn Error>> + 'a>;

/// Done. `health`: healthy. `cve`: nothing applies. `journal verify` and `audit verify`: whole.
pub(super) const SUCCESS: u8 = 0;

/// Not done, for example because of a bad configuration. `health`: degraded. `cve`: something applies, or nobody knows.
/// `journal verify` and `audit verify`: damaged.
pub(super) const FAILURE: u8 = 1;

/// Wrong usage. `health`: no answer. `journal` and `audit`: no file that can be read.
pub(super) const USELESS: u8 = 2;

/// A first word that is no command by itself: only with a second one.
pub(super) const GROUP: &str = "journal";

pub(super) const NO_PASSWORD_HERE: Operand = Operand::Refused(
    "the password is read from standard input; on the command line `ps` and the shell's history would show it",
);

pub(super) const REFUSED: (u8, &str) = (1, "refused; the message says why");

pub(super) const NO_SERVER: (u8, &str) = (2, "no answer from the server, or wrong usage");

pub(super) const WRONG_USAGE: (u8, &str) = (2, "wrong usage");

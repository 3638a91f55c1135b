//! From words to an invocation, by the table. Whatever is not understood is named, with what was probably meant.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use lexopt::Arg;

use super::audit;
use super::cert::CertAction;
use super::generate::{DOCUMENTS, Document};
use super::hash_password::{COSTS, DEFAULT_COST};
use super::help::usage_of;
use super::logs;
use super::table::{
    COMMANDS, COMMON_FLAGS, CommandId, CommandRow, FlagId, FlagRow, GROUP, Operand, PROGRAM_FLAGS,
    command, journal_commands,
};
use crate::config::nearest::nearest;
use crate::desk::Options;
use crate::ids::ClientKey;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The env file named, if one is.
    pub env_file: Option<PathBuf>,
    /// Whose rights to have, if that is said.
    pub user: Option<String>,
    /// The command, with its arguments.
    pub command: Command,
}

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start the server.
    Serve,
    /// Read the configuration only.
    Check {
        /// And look whether its certificate can be used.
        certificate: bool,
    },
    /// Hash the password on standard input.
    HashPassword {
        /// bcrypt's cost, 4 to 31.
        cost: u32,
    },
    /// Ask the running server how it is.
    Health {
        /// The socket to ask at; `None`: the configuration's.
        socket: Option<PathBuf>,
    },
    /// Tell what the running server says of itself and its board.
    Status {
        /// As [`Command::Health`]'s.
        socket: Option<PathBuf>,
        /// As the server said it.
        json: bool,
    },
    /// List the known vulnerabilities that apply.
    Cve {
        /// As [`Command::Health`]'s.
        socket: Option<PathBuf>,
        /// As the server said it.
        json: bool,
    },
    /// List the addresses with failed logins, or clear one.
    Lockouts {
        /// As [`Command::Health`]'s.
        socket: Option<PathBuf>,
        /// The one to clear.
        clear: Option<ClientKey>,
    },
    /// Set another password.
    Passwd {
        /// As [`Command::Health`]'s.
        socket: Option<PathBuf>,
    },
    /// Show the certificate, or make a new one.
    Cert {
        /// Which of them.
        action: CertAction,
        /// As JSON.
        json: bool,
    },
    /// Show a board's log.
    Logs(Box<Options>),
    /// Look at the audit log.
    Audit {
        /// How many of the last entries; `None`: whether its chain is whole, rather than what is in it.
        lines: Option<u32>,
        /// As JSON.
        json: bool,
        /// Where it is; `None`: in the configuration's state folder.
        folder: Option<PathBuf>,
    },
    /// Look at the journal, or put it right.
    Journal {
        /// What to do.
        action: JournalAction,
        /// The journal's file; `None`: the one in the configuration's state folder.
        file: Option<PathBuf>,
    },
    /// Tell what the program is made of.
    Sbom,
    /// Explain a command, or the program.
    Help(Option<CommandId>),
    /// Explain the commands that have to do with the journal.
    HelpJournal,
    /// Tell the version.
    Version,
    /// Print the man page, or a completion.
    Generate(Document),
}

/// What can be done with a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalAction {
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

/// Words that make no invocation. The message says what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Understands the words behind the program's name.
///
/// # Errors
/// At the first word that is not understood.
pub fn parse<W: Into<OsString>>(
    words: impl IntoIterator<Item = W>,
) -> Result<Invocation, UsageError> {
    let mut parser = lexopt::Parser::from_args(words.into_iter().map(Into::into));
    let mut words = Words::default();
    while let Some(arg) = parser.next().map_err(|error| unexpected(&error))? {
        let (shown, flag) = match arg {
            Arg::Long(name) => (format!("--{name}"), words.flag(|flag| flag.long == name)),
            Arg::Short(letter) => (
                format!("-{letter}"),
                words.flag(|flag| flag.short == Some(letter)),
            ),
            Arg::Value(word) => {
                words.operand(&word)?;
                continue;
            }
        };
        let flag = flag.ok_or_else(|| words.unknown_flag(&shown))?;
        let argument = match flag.argument {
            Some(name) => parser
                .value()
                .map_err(|_| UsageError(format!("{shown} needs an argument: {shown} {name}")))?,
            None => OsString::new(),
        };
        words.take(flag, argument)?;
    }
    words.invocation()
}

/// What has been understood so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a flag")]
struct Words {
    command: Option<&'static CommandRow>,
    /// The first of a command's two words, until the second comes.
    group: Option<&'static str>,
    file: Option<PathBuf>,
    address: Option<ClientKey>,
    json: bool,
    skip_certificate: bool,
    yes: bool,
    help_with: Option<CommandId>,
    env_file: Option<PathBuf>,
    user: Option<String>,
    socket: Option<PathBuf>,
    cost: Option<u32>,
    lines: Option<u32>,
    logs: logs::Words,
    help: bool,
    version: bool,
    generate: Option<Document>,
}

impl Words {
    fn row(&self) -> &'static CommandRow {
        self.command.unwrap_or_else(|| CommandId::Serve.row())
    }

    /// A flag that goes with the command.
    fn flag(&self, is: impl Fn(&FlagRow) -> bool) -> Option<&'static FlagRow> {
        self.flags().find(|flag| is(flag))
    }

    fn flags(&self) -> impl Iterator<Item = &'static FlagRow> + use<> {
        let alone = if self.command.is_none() {
            PROGRAM_FLAGS
        } else {
            &[]
        };
        COMMON_FLAGS.iter().chain(self.row().flags).chain(alone)
    }

    /// The command's name, or what stands behind it.
    fn operand(&mut self, word: &OsStr) -> Result<(), UsageError> {
        if self.group.is_none() && word == GROUP && self.wants_command() {
            self.group = Some(GROUP);
            return Ok(());
        }
        let name = match self.group.take() {
            Some(group) => format!("{group} {}", word.to_string_lossy()),
            None => word.to_string_lossy().into_owned(),
        };
        let Some(current) = self.command else {
            self.command = Some(known_command(&name)?);
            return Ok(());
        };
        // A command that goes on where another one ends.
        if let Some(longer) = command(&format!("{} {name}", current.name)) {
            self.command = Some(longer);
            return Ok(());
        }
        match current.operand {
            Operand::Path(_) if self.file.is_none() => {
                self.file = Some(PathBuf::from(word));
                Ok(())
            }
            Operand::Address(_) if self.address.is_none() => {
                let wrong = |_| UsageError(format!("{name:?} is not an IP address"));
                self.address = Some(name.parse().map_err(wrong)?);
                Ok(())
            }
            Operand::Board(_) => self.logs.board(word).map_err(UsageError),
            Operand::Refused(reason) => Err(UsageError(reason.to_owned())),
            Operand::Optional(_) => {
                self.help_with = Some(match self.help_with {
                    None => known_command(&name)?.id,
                    Some(id) => {
                        let longer = format!("{} {name}", id.row().name);
                        let refusal = || UsageError(format!("help takes no argument {name:?}"));
                        command(&longer).ok_or_else(refusal)?.id
                    }
                });
                Ok(())
            }
            Operand::Path(_) | Operand::Address(_) | Operand::None => {
                let begins = format!("{} ", current.name);
                let is_longer = |command: &&CommandRow| command.name.starts_with(&begins);
                let longer = || COMMANDS.iter().filter(is_longer);
                let words = longer().map(|command| &command.name[begins.len()..]);
                let hint = match (nearest(&name, words), longer().next()) {
                    (Some(meant), _) => format!("; did you mean {begins}{meant}?"),
                    (None, Some(longer)) => format!("; there is postern {}", usage_of(longer)),
                    (None, None) => String::new(),
                };
                Err(UsageError(format!(
                    "{begins}takes no argument {name:?}{hint}"
                )))
            }
        }
    }

    /// Whether the next word without a flag is a command's name.
    fn wants_command(&self) -> bool {
        let operand = self.command.map(|command| command.operand);
        matches!(operand, None | Some(Operand::Optional(_))) && self.help_with.is_none()
    }

    fn take(&mut self, flag: &FlagRow, argument: OsString) -> Result<(), UsageError> {
        match flag.id {
            FlagId::Help => self.help = true,
            FlagId::Version => self.version = true,
            FlagId::EnvFile => self.env_file = Some(PathBuf::from(argument)),
            FlagId::User => self.user = Some(argument.to_string_lossy().into_owned()),
            FlagId::Socket => self.socket = Some(PathBuf::from(argument)),
            FlagId::Json => self.json = true,
            FlagId::SkipCertificate => self.skip_certificate = true,
            FlagId::Yes => self.yes = true,
            FlagId::Lines => self.lines = Some(number("--lines", &argument, &audit::LINES)?),
            FlagId::Generate => {
                let document = argument.to_str().and_then(Document::find);
                let names = DOCUMENTS.map(|(name, _)| name).join(", ");
                let wrong = || UsageError(format!("--generate takes one of: {names}"));
                self.generate = Some(document.ok_or_else(wrong)?);
            }
            FlagId::Logs(flag) => self.logs.take(flag, &argument).map_err(UsageError)?,
            FlagId::Cost => self.cost = Some(number("--cost", &argument, &COSTS)?),
        }
        Ok(())
    }

    fn unknown_flag(&self, shown: &str) -> UsageError {
        let name = shown.trim_start_matches('-');
        let user = |flag: &FlagRow| flag.id == FlagId::User && flag.long == name;
        if PROGRAM_FLAGS.iter().any(user) {
            return UsageError(format!(
                "{shown} stands before the command, as in postern {shown} …"
            ));
        }
        let owner = COMMANDS
            .iter()
            .find(|command| command.flags.iter().any(|flag| flag.long == name));
        if let Some(owner) = owner {
            let owner = owner.name;
            return UsageError(format!(
                "{shown} goes with {owner}: postern {owner} {shown}"
            ));
        }
        let hint = nearest(name, self.flags().map(|flag| flag.long))
            .map(|name| format!("; did you mean --{name}?"))
            .unwrap_or_default();
        UsageError(format!("there is no flag {shown}{hint}"))
    }

    fn invocation(self) -> Result<Invocation, UsageError> {
        let id = self.row().id;
        let explains = self.help || id == CommandId::Help;
        let command = if explains && self.group.is_some() {
            Command::HelpJournal
        } else if self.help {
            Command::Help(self.command.map(|command| command.id))
        } else if self.version {
            Command::Version
        } else if let Some(document) = self.generate {
            if self.command.is_some() || self.group.is_some() {
                let message = "--generate stands alone, without a command";
                return Err(UsageError(message.to_owned()));
            }
            Command::Generate(document)
        } else if self.group.is_some() {
            return Err(incomplete());
        } else {
            let (json, yes) = (self.json, self.yes);
            let journal = |action| Command::Journal {
                action,
                file: self.file.clone(),
            };
            match id {
                CommandId::Serve => Command::Serve,
                CommandId::Check => Command::Check {
                    certificate: !self.skip_certificate,
                },
                CommandId::HashPassword => Command::HashPassword {
                    cost: self.cost.unwrap_or(DEFAULT_COST),
                },
                CommandId::Health => Command::Health {
                    socket: self.socket,
                },
                CommandId::Status => Command::Status {
                    socket: self.socket,
                    json,
                },
                CommandId::Cve => Command::Cve {
                    socket: self.socket,
                    json,
                },
                CommandId::Lockouts => Command::Lockouts {
                    socket: self.socket,
                    clear: None,
                },
                CommandId::LockoutsClear => {
                    let missing = "lockouts clear wants an address: postern lockouts clear IP";
                    let address = self.address.ok_or_else(|| UsageError(missing.to_owned()))?;
                    Command::Lockouts {
                        socket: self.socket,
                        clear: Some(address),
                    }
                }
                CommandId::Passwd => Command::Passwd {
                    socket: self.socket,
                },
                CommandId::Cert | CommandId::CertRenew => Command::Cert {
                    action: match id {
                        CommandId::CertRenew => CertAction::Renew,
                        _ => CertAction::Show,
                    },
                    json,
                },
                CommandId::Logs => {
                    Command::Logs(Box::new(self.logs.options().map_err(UsageError)?))
                }
                CommandId::Audit | CommandId::AuditVerify => Command::Audit {
                    lines: (id == CommandId::Audit)
                        .then_some(self.lines.unwrap_or(audit::DEFAULT_LINES)),
                    json,
                    folder: self.file,
                },
                CommandId::JournalStat => journal(JournalAction::Stat { json }),
                CommandId::JournalVerify => journal(JournalAction::Verify),
                CommandId::JournalDump => journal(JournalAction::Dump),
                CommandId::JournalCompact => journal(JournalAction::Compact),
                CommandId::JournalRepair => journal(JournalAction::Repair { yes }),
                CommandId::Sbom => Command::Sbom,
                CommandId::Version => Command::Version,
                CommandId::Help => Command::Help(self.help_with),
            }
        };
        Ok(Invocation {
            env_file: self.env_file,
            user: self.user,
            command,
        })
    }
}

fn number(flag: &str, argument: &OsStr, range: &RangeInclusive<u32>) -> Result<u32, UsageError> {
    let number = argument.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            UsageError(format!("{flag} takes a whole number from {low} to {high}"))
        })
}

fn known_command(name: &str) -> Result<&'static CommandRow, UsageError> {
    command(name).ok_or_else(|| {
        let hint = meant(name)
            .map(|name| format!("; did you mean {name}?"))
            .unwrap_or_default();
        UsageError(format!("there is no command {name:?}{hint}"))
    })
}

/// The command that somebody probably meant, or the commands, be it that he left the first of two words out.
fn meant(name: &str) -> Option<String> {
    let names = COMMANDS.iter().map(|command| command.name);
    if let Some(name) = nearest(name, names.chain([GROUP])) {
        return Some(name.to_owned());
    }
    let seconds = COMMANDS
        .iter()
        .filter_map(|command| command.name.split_once(' '));
    let second = nearest(name, seconds.map(|(_, second)| second))?;
    let meant = COMMANDS.iter().map(|command| command.name);
    let ends = |name: &&str| name.split_once(' ').is_some_and(|(_, end)| end == second);
    Some(meant.filter(ends).collect::<Vec<_>>().join(" or "))
}

fn incomplete() -> UsageError {
    let names = journal_commands().filter_map(|command| command.name.split_once(' '));
    let verbs: Vec<&str> = names.map(|(_, verb)| verb).collect();
    UsageError(format!(
        "{GROUP} wants one more word: {}; postern help {GROUP} explains them",
        verbs.join(", ")
    ))
}

/// What lexopt itself finds wrong: an argument to a flag that takes none. It is not shown, for it may be a secret.
fn unexpected(error: &lexopt::Error) -> UsageError {
    UsageError(match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no argument"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests;

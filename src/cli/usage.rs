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
use super::logs::{self, Options};
use super::table::{
    COMMANDS, COMMON_FLAGS, CommandId, CommandRow, FlagId, FlagRow, GROUP, Operand, PROGRAM_FLAGS,
    command, journal_commands,
};
use crate::config::nearest::nearest;
use crate::limits::ClientKey;

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
mod tests {
    use super::*;

    fn journal(action: JournalAction, file: Option<&str>) -> Command {
        Command::Journal {
            action,
            file: file.map(PathBuf::from),
        }
    }

    fn cert(action: CertAction, json: bool) -> Command {
        Command::Cert { action, json }
    }

    fn command_of(words: &str) -> Command {
        parse(words.split_whitespace())
            .unwrap_or_else(|error| panic!("{words}: {error}"))
            .command
    }

    #[expect(clippy::too_many_lines, reason = "one table")]
    #[test]
    fn the_documented_lines_mean_what_they_say() {
        let socket = Some(PathBuf::from("/s"));
        for (words, command) in [
            ("", Command::Serve),
            ("serve", Command::Serve),
            ("check", Command::Check { certificate: true }),
            (
                "check --skip-certificate",
                Command::Check { certificate: false },
            ),
            ("hash-password", Command::HashPassword { cost: 12 }),
            ("hash-password --cost 5", Command::HashPassword { cost: 5 }),
            (
                "hash-password --cost=31",
                Command::HashPassword { cost: 31 },
            ),
            ("health", Command::Health { socket: None }),
            ("health --socket /s", Command::Health { socket }),
            (
                "status --json",
                Command::Status {
                    socket: None,
                    json: true,
                },
            ),
            (
                "cve --json --socket /s",
                Command::Cve {
                    socket: Some("/s".into()),
                    json: true,
                },
            ),
            ("passwd", Command::Passwd { socket: None }),
            ("cert", cert(CertAction::Show, false)),
            ("cert --json", cert(CertAction::Show, true)),
            ("cert renew", cert(CertAction::Renew, false)),
            ("cert --json renew", cert(CertAction::Renew, true)),
            ("help cert", Command::Help(Some(CommandId::Cert))),
            ("help cert renew", Command::Help(Some(CommandId::CertRenew))),
            ("cert renew -h", Command::Help(Some(CommandId::CertRenew))),
            (
                "lockouts",
                Command::Lockouts {
                    socket: None,
                    clear: None,
                },
            ),
            (
                "lockouts clear ::1",
                Command::Lockouts {
                    socket: None,
                    clear: "::1".parse().ok(),
                },
            ),
            (
                "journal stat",
                journal(JournalAction::Stat { json: false }, None),
            ),
            (
                "journal stat --json /j",
                journal(JournalAction::Stat { json: true }, Some("/j")),
            ),
            (
                "audit --json",
                Command::Audit {
                    lines: Some(100),
                    json: true,
                    folder: None,
                },
            ),
            (
                "audit -n 7 /state",
                Command::Audit {
                    lines: Some(7),
                    json: false,
                    folder: Some(PathBuf::from("/state")),
                },
            ),
            (
                "audit verify /mnt/state",
                Command::Audit {
                    lines: None,
                    json: false,
                    folder: Some(PathBuf::from("/mnt/state")),
                },
            ),
            ("journal verify", journal(JournalAction::Verify, None)),
            (
                "journal verify journal",
                journal(JournalAction::Verify, Some("journal")),
            ),
            ("journal dump /j", journal(JournalAction::Dump, Some("/j"))),
            ("journal compact", journal(JournalAction::Compact, None)),
            (
                "journal repair --yes",
                journal(JournalAction::Repair { yes: true }, None),
            ),
            (
                "help journal dump",
                Command::Help(Some(CommandId::JournalDump)),
            ),
            (
                "journal verify -h",
                Command::Help(Some(CommandId::JournalVerify)),
            ),
            ("journal --help", Command::HelpJournal),
            ("--help journal", Command::HelpJournal),
            ("help journal", Command::HelpJournal),
            ("sbom", Command::Sbom),
            ("--version", Command::Version),
            ("-V", Command::Version),
            ("version", Command::Version),
            ("serve -V", Command::Version),
            ("--generate man", Command::Generate(Document::Man)),
            (
                "--generate=complete-zsh",
                Command::Generate(Document::CompleteZsh),
            ),
            ("--help", Command::Help(None)),
            ("-h", Command::Help(None)),
            ("help", Command::Help(None)),
            ("help check", Command::Help(Some(CommandId::Check))),
            ("check --help", Command::Help(Some(CommandId::Check))),
            ("health -h", Command::Help(Some(CommandId::Health))),
        ] {
            assert_eq!(command_of(words), command, "postern {words}");
        }
    }

    #[test]
    fn the_env_file_may_stand_before_the_command_or_behind() {
        for words in [
            "--env-file /f check",
            "check --env-file /f",
            "check --env-file=/f",
        ] {
            let invocation = parse(words.split_whitespace()).unwrap();
            assert_eq!(invocation.env_file, Some(PathBuf::from("/f")), "{words}");
            let expected = Command::Check { certificate: true };
            assert_eq!(invocation.command, expected, "{words}");
        }
    }

    #[test]
    fn a_user_before_the_command_is_whose_rights_to_have_and_behind_logs_whose_login() {
        let words = "--user postern logs board --user admin";
        let invocation = parse(words.split_whitespace()).unwrap();
        assert_eq!(invocation.user.as_deref(), Some("postern"));
        let refused = parse(["status", "--user", "postern"]).unwrap_err();
        assert!(refused.to_string().contains("before the command"));
    }

    #[test]
    fn what_is_not_understood_is_named_with_what_was_meant() {
        for (words, message) in [
            ("chek", "there is no command \"chek\"; did you mean check?"),
            ("frobnicate", "there is no command \"frobnicate\""),
            (
                "lockouts 10.0.0.7",
                "lockouts takes no argument \"10.0.0.7\"; there is postern lockouts clear IP",
            ),
            (
                "lockouts clear",
                "lockouts clear wants an address: postern lockouts clear IP",
            ),
            ("lockouts clear board", "\"board\" is not an IP address"),
            (
                "passwd hunter22",
                "the password is read from standard input, never from the command line, where `ps` and the shell's history would show it",
            ),
            (
                "help halth",
                "there is no command \"halth\"; did you mean health?",
            ),
            (
                "--envfile /f",
                "there is no flag --envfile; did you mean --env-file?",
            ),
            ("--nonsense", "there is no flag --nonsense"),
            ("-x", "there is no flag -x"),
            (
                "health --sockt /s",
                "there is no flag --sockt; did you mean --socket?",
            ),
            (
                "check --cost 5",
                "--cost goes with hash-password: postern hash-password --cost",
            ),
            (
                "--env-file",
                "--env-file needs an argument: --env-file FILE",
            ),
            (
                "journal",
                "journal wants one more word: stat, verify, dump, compact, repair; postern help journal explains them",
            ),
            (
                "journl verify",
                "there is no command \"journl\"; did you mean journal?",
            ),
            (
                "jounral",
                "there is no command \"jounral\"; did you mean journal?",
            ),
            (
                "journals",
                "there is no command \"journals\"; did you mean journal?",
            ),
            (
                "verify",
                "there is no command \"verify\"; did you mean audit verify or journal verify?",
            ),
            ("stat", "there is no command \"stat\"; did you mean status?"),
            (
                "reapir /j",
                "there is no command \"reapir\"; did you mean journal repair?",
            ),
            (
                "journal verfy",
                "there is no command \"journal verfy\"; did you mean journal verify?",
            ),
            (
                "journal verify --yes",
                "--yes goes with journal repair: postern journal repair --yes",
            ),
            (
                "journal verify a b",
                "journal verify takes no argument \"b\"",
            ),
            (
                "journal compact a",
                "journal compact takes no argument \"a\"",
            ),
            ("sbom all", "sbom takes no argument \"all\""),
            ("check twice", "check takes no argument \"twice\""),
            ("help check serve", "help takes no argument \"serve\""),
            (
                "hash-password --cost 3",
                "--cost takes a whole number from 4 to 31",
            ),
            (
                "hash-password --cost many",
                "--cost takes a whole number from 4 to 31",
            ),
            ("--version=1", "--version takes no argument"),
        ] {
            let error = parse(words.split_whitespace()).unwrap_err();
            assert_eq!(error.to_string(), message, "postern {words}");
        }
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_named_too() {
        for (words, message) in [
            (
                "--generate html",
                "--generate takes one of: man, complete-bash, complete-zsh, complete-fish",
            ),
            (
                "--generate man check",
                "--generate stands alone, without a command",
            ),
            ("check --generate man", "there is no flag --generate"),
            (
                "renew",
                "there is no command \"renew\"; did you mean cert renew?",
            ),
            ("cert renew now", "cert renew takes no argument \"now\""),
            (
                "cert renw",
                "cert takes no argument \"renw\"; did you mean cert renew?",
            ),
            ("help cert twice", "help takes no argument \"twice\""),
        ] {
            let error = parse(words.split_whitespace()).unwrap_err();
            assert_eq!(error.to_string(), message, "postern {words}");
        }
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_with_the_reason_and_not_repeated() {
        for words in [
            "hash-password hunter22",
            "hash-password --cost 12 hunter22",
            "hash-password -- hunter22",
            "hash-password --password=hunter22",
            "hash-password --help=hunter22",
        ] {
            let error = parse(words.split_whitespace()).unwrap_err().to_string();
            assert!(!error.contains("hunter22"), "{error}");
        }
        let error = parse(["hash-password", "hunter22"]).unwrap_err();
        assert!(error.to_string().contains("standard input") && error.to_string().contains("ps"));
    }
}

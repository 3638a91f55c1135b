//! From words to an invocation, by the table. Whatever is not understood is named, with what was probably meant.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::Arg;

use super::arguments::{Arguments, UsageError};
use super::command::{CommandRow, FlagArgument, FlagRow, GROUP, Operand};
use super::flags::{COMMON_FLAGS, PROGRAM_FLAGS};
use super::help::usage_of;
use super::table::{COMMANDS, LEFT_OUT, command};
use super::{help, serve, version};
use crate::config::nearest::nearest;

/// What is to be done.
#[derive(Debug)]
pub struct Invocation {
    /// The env file named, if one is.
    pub env_file: Option<PathBuf>,
    /// Whose rights to have, if that is said.
    pub user: Option<String>,
    /// The command.
    pub command: &'static CommandRow,
    /// What stands behind it.
    pub arguments: Arguments,
}

/// Understands the words behind the program's name.
///
/// # Errors
/// At the first word that is not understood.
pub fn parse<W: Into<OsString>>(
    words: impl IntoIterator<Item = W>,
) -> Result<Invocation, UsageError> {
    let mut parser = lexopt::Parser::from_args(words.into_iter().map(Into::into));
    let mut words = ParsedWords::default();
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
        let argument = match flag.argument.name() {
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
struct ParsedWords {
    command: Option<&'static CommandRow>,
    /// The first of a command's two words, until the second comes.
    group: Option<&'static str>,
    /// The command's flags and operand.
    arguments: Arguments,
    help: bool,
    version: bool,
    env_file: Option<PathBuf>,
    user: Option<String>,
    /// The row of `--generate`, and what it is to print.
    generate: Option<(&'static CommandRow, OsString)>,
}

impl ParsedWords {
    fn row(&self) -> &'static CommandRow {
        self.command.unwrap_or(&serve::ROW)
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
        let before = self.arguments.operand().map(OsStr::to_string_lossy);
        match (current.operand, before) {
            (Operand::Refused(reason), _) => Err(UsageError(reason.to_owned())),
            (Operand::Command(_), None) => {
                let topic = known_command(&name)?.name;
                self.arguments.set_operand(topic.into());
                Ok(())
            }
            (Operand::Command(_), Some(topic)) => {
                let refusal = || UsageError(format!("help takes no argument {name:?}"));
                let longer = command(&format!("{topic} {name}")).ok_or_else(refusal)?;
                self.arguments.set_operand(longer.name.into());
                Ok(())
            }
            (Operand::Private(what, _), Some(_)) => {
                let (name, what) = (current.name, what.to_lowercase());
                Err(UsageError(format!(
                    "{name} takes one {what}; a password is never given on the command line"
                )))
            }
            (Operand::None, _) | (_, Some(_)) => Err(no_argument(current, &name)),
            (_, None) => {
                self.arguments.set_operand(word.to_owned());
                Ok(())
            }
        }
    }

    /// Whether the next word without a flag is a command's name.
    fn wants_command(&self) -> bool {
        let operand = self.command.map(|command| command.operand);
        matches!(operand, None | Some(Operand::Command(_))) && self.arguments.operand().is_none()
    }

    fn take(&mut self, flag: &'static FlagRow, argument: OsString) -> Result<(), UsageError> {
        if let FlagArgument::Number(_, least, most) = flag.argument {
            let number: Option<u32> = argument.to_str().and_then(|text| text.parse().ok());
            if number.is_none_or(|number| number < least || number > most) {
                let long = flag.long;
                return Err(UsageError(format!(
                    "--{long} takes a whole number from {least} to {most}"
                )));
            }
        }
        let is_own = self.row().flags.iter().any(|own| own.long == flag.long);
        match flag.long {
            own if is_own => self.arguments.add(own, argument),
            "help" => self.help = true,
            "version" => self.version = true,
            "env-file" => self.env_file = Some(PathBuf::from(argument)),
            "user" => self.user = Some(argument.to_string_lossy().into_owned()),
            #[cfg(feature = "generate")]
            "generate" => self.generate = Some((&super::generate::ROW, argument)),
            // No other flag goes with the program.
            _ => {}
        }
        Ok(())
    }

    fn unknown_flag(&self, shown: &str) -> UsageError {
        let name = shown.trim_start_matches('-');
        if name == "user" {
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
        let (row, arguments) = self.command_with_arguments()?;
        Ok(Invocation {
            env_file: self.env_file,
            user: self.user,
            command: row,
            arguments,
        })
    }

    fn command_with_arguments(&self) -> Result<(&'static CommandRow, Arguments), UsageError> {
        let row = self.row();
        let mut arguments = Arguments::default();
        if self.help || row.name == help::ROW.name {
            let typed = match self.group {
                Some(group) => Some(OsStr::new(group)),
                None if self.help => self.command.map(|command| OsStr::new(command.name)),
                None => self.arguments.operand(),
            };
            if let Some(topic) = typed {
                arguments.set_operand(topic.to_owned());
            }
            return Ok((&help::ROW, arguments));
        }
        if self.version {
            return Ok((&version::ROW, arguments));
        }
        if let Some((row, document)) = &self.generate {
            if self.command.is_some() || self.group.is_some() {
                let message = "--generate stands alone, without a command";
                return Err(UsageError(message.to_owned()));
            }
            arguments.add("generate", document.clone());
            return Ok((row, arguments));
        }
        if self.group.is_some() {
            return Err(incomplete());
        }
        if let Operand::Required(_, what) | Operand::Private(_, what) = row.operand
            && self.arguments.operand().is_none()
        {
            let (name, usage) = (row.name, usage_of(row));
            return Err(UsageError(format!("{name} wants {what}: postern {usage}")));
        }
        Ok((row, self.arguments.clone()))
    }
}

/// Nothing may stand there; perhaps a longer command was meant.
fn no_argument(current: &CommandRow, name: &str) -> UsageError {
    let begins = format!("{} ", current.name);
    let is_longer = |command: &&CommandRow| command.name.starts_with(&begins);
    let longer = || COMMANDS.iter().filter(is_longer);
    let words = longer().map(|command| &command.name[begins.len()..]);
    let hint = match (nearest(name, words), longer().next()) {
        (Some(meant), _) => format!("; did you mean {begins}{meant}?"),
        (None, Some(longer)) => format!("; there is postern {}", usage_of(longer)),
        (None, None) => String::new(),
    };
    UsageError(format!("{begins}takes no argument {name:?}{hint}"))
}

fn known_command(name: &str) -> Result<&'static CommandRow, UsageError> {
    command(name).ok_or_else(|| {
        if let Some((_, feature)) = LEFT_OUT.iter().find(|(known, _)| *known == name) {
            return UsageError(format!(
                "there is no command {name:?}: this postern was built without {feature}"
            ));
        }
        let hint = meant(name)
            .map(|name| format!("; did you mean {name}?"))
            .unwrap_or_default();
        UsageError(format!("there is no command {name:?}{hint}"))
    })
}

/// The command that somebody probably meant, also if the first of two words is missing; or the list of commands.
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
    let names = COMMANDS
        .iter()
        .filter_map(|command| command.name.split_once(' '));
    let verbs = names.filter(|(first, _)| *first == GROUP);
    let verbs: Vec<&str> = verbs.map(|(_, verb)| verb).collect();
    UsageError(format!(
        "{GROUP} wants one more word: {}; postern help {GROUP} explains them",
        verbs.join(", ")
    ))
}

/// An error that lexopt finds: an argument to a flag that takes none. The message does not show it: it may be a secret.
fn unexpected(error: &lexopt::Error) -> UsageError {
    UsageError(match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no argument"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests;

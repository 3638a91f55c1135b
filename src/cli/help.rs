//! The help texts, made from the table of commands and the table of variables.

use std::ffi::OsStr;
use std::fmt::Write;

use super::command::{CommandRow, FlagRow, GROUP, Operand, WorksOn};
use super::flags::{COMMON_FLAGS, PROGRAM_FLAGS};
use super::version::VERSION;
use crate::config::VARIABLES;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "help",
    summary: "explain the program or a command",
    details: "",
    flags: &[],
    operand: Operand::Command("COMMAND"),
    statuses: &[],
    works_on: WorksOn::Nothing,
    run: |arguments, context| {
        let text = text(arguments.operand(), context.commands);
        Ok(context.print(&text)?)
    },
};

/// The text about that command, or that group of commands; about the program if there is none.
fn text(topic: Option<&OsStr>, commands: &[CommandRow]) -> String {
    let topic = topic.map(OsStr::to_string_lossy).unwrap_or_default();
    match commands.iter().find(|command| command.name == topic) {
        Some(row) => command(row),
        None if topic == GROUP => journal(commands),
        None => program(commands),
    }
}

/// The text for `postern --help`: enough to get going.
fn program(commands: &[CommandRow]) -> String {
    let commands = commands.iter().map(command_row);
    let settings = VARIABLES
        .iter()
        .filter(|variable| FIRST_SETTINGS.contains(&variable.name))
        .map(|variable| (variable.name.to_owned(), explained(variable)));
    let steps = (1..)
        .zip(FIRST_STEPS)
        .fold(String::new(), |steps, (number, step)| {
            steps + &format!("  {number}. {}\n", step.join("\n     "))
        });
    format!(
        "{VERSION}\n{ABOUT}\n\n\
         Usage: postern [--env-file FILE] [COMMAND]\n\n\
         Commands:\n{}\nFlags:\n{}\nFirst steps:\n{steps}\n\
         Settings (environment variables, or lines KEY=value in the env file), the first ones:\n{}\n\
         All of them: postern help serve\n",
        rows(commands),
        rows(COMMON_FLAGS.iter().chain(PROGRAM_FLAGS).map(flag_row)),
        rows(settings),
    )
}

/// The text for `postern help journal`.
fn journal(commands: &[CommandRow]) -> String {
    let begin = format!("{GROUP} ");
    let commands = commands.iter().filter(|row| row.name.starts_with(&begin));
    let mut text = format!(
        "postern {GROUP}: examine and repair the journal\n\nUsage: postern [--env-file FILE] {GROUP} \
         COMMAND\n\n"
    );
    wrap(&mut text, ABOUT_JOURNAL, "");
    section(&mut text, "Commands", commands.map(command_row));
    let _ = writeln!(text, "\nMore about each: postern help {GROUP} COMMAND");
    text
}

/// The text for `postern help COMMAND`.
fn command(row: &CommandRow) -> String {
    let CommandRow {
        name,
        summary,
        details,
        flags,
        operand,
        statuses,
        ..
    } = row;
    let operand = self::operand(*operand);
    let mut own_flags = flags.iter().fold(String::new(), |flags, flag| {
        flags + " [" + &flag_name(flag) + "]"
    });
    if own_flags.len() > WIDTH / 2 {
        " [FLAGS]".clone_into(&mut own_flags);
    }
    let mut text = format!(
        "postern {name}: {summary}\n\nUsage: postern [--env-file FILE] {name}{own_flags}{operand}\n"
    );
    for paragraph in details.split("\n\n").filter(|text| !text.is_empty()) {
        text.push('\n');
        wrap(&mut text, paragraph, "");
    }
    section(
        &mut text,
        "Flags",
        flags.iter().chain(COMMON_FLAGS).map(flag_row),
    );
    if row.works_on == WorksOn::Server {
        let settings = VARIABLES
            .iter()
            .map(|variable| (variable.name.to_owned(), explained(variable)));
        section(&mut text, "Settings", settings);
    }
    let statuses = statuses
        .iter()
        .map(|(status, meaning)| (status.to_string(), (*meaning).to_owned()));
    if statuses.len() > 0 {
        section(&mut text, "Exit status", statuses);
    }
    text
}

fn command_row(command: &CommandRow) -> (String, String) {
    (usage_of(command), command.summary.to_owned())
}

/// The command and what it works on, without flags: `journal stat [FILE]`.
pub(super) fn usage_of(command: &CommandRow) -> String {
    format!("{}{}", command.name, operand(command.operand))
}

fn operand(operand: Operand) -> String {
    match operand {
        Operand::Command(name) | Operand::File(name) | Operand::Folder(name) => {
            format!(" [{name}]")
        }
        Operand::Required(name, _) | Operand::Private(name, _) => format!(" {name}"),
        Operand::None | Operand::Refused(_) => String::new(),
    }
}

const ABOUT_JOURNAL: &str = "\
The journal is the file in STATE_DIR that keeps ended logins, lock-outs and the password across power cuts. The server \
repairs it at a start; verify says what it would do.";

fn section(text: &mut String, title: &str, entries: impl Iterator<Item = (String, String)>) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{title}:\n{}", rows(entries));
}

fn explained(variable: &crate::config::Variable) -> String {
    format!("{} (default: {})", variable.help, variable.default.text())
}

fn flag_row(flag: &FlagRow) -> (String, String) {
    let short = flag
        .short
        .map(|letter| format!("-{letter}, "))
        .unwrap_or_default();
    (format!("{short}{}", flag_name(flag)), flag.help.to_owned())
}

fn flag_name(flag: &FlagRow) -> String {
    let argument = flag
        .argument
        .name()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    format!("--{}{argument}", flag.long)
}

/// Names in one column, explanations in the next, wrapped.
fn rows(entries: impl Iterator<Item = (String, String)>) -> String {
    let entries: Vec<_> = entries.collect();
    let longest = entries
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let column = longest.min(WIDEST_NAME) + 4;
    let mut text = String::new();
    for (name, explanation) in entries {
        let indent = " ".repeat(column);
        let mut wrapped = String::new();
        wrap(&mut wrapped, &explanation, &indent);
        let head = format!("  {name}");
        if head.len() + 2 <= column {
            text.push_str(&head);
            text.push_str(&wrapped[head.len()..]);
        } else {
            text.push_str(&head);
            text.push('\n');
            text.push_str(&wrapped);
        }
    }
    text
}

/// Adds the words to `text`, each line behind `indent` and no wider than [`WIDTH`] where the words allow it.
fn wrap(text: &mut String, words: &str, indent: &str) {
    let mut width = 0;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length <= WIDTH {
            text.push(' ');
            width += 1 + length;
        } else {
            if width > 0 {
                text.push('\n');
            }
            text.push_str(indent);
            width = indent.len() + length;
        }
        text.push_str(word);
    }
    text.push('\n');
}

/// What the program is.
pub(super) const ABOUT: &str = "\
The guarded back door of a small Linux device: administer it over the network with curl or a browser,
through TLS, with passwords, tokens and live logs, from one program that needs nothing else.";

/// Each step's lines.
const FIRST_STEPS: &[&[&str]] = &[
    &[
        "Start it: postern",
        "It prints its address, the certificate's fingerprint, the user and the first password.",
    ],
    #[cfg(feature = "console")]
    &[
        "Open https://ADDRESS:8443/ in a browser. It warns of the certificate. Compare the fingerprint, then go on.",
    ],
    &[
        "See the password again: cat STATE_DIR/initial-password",
        "STATE_DIR is /var/lib/postern for root, else ~/.local/state/postern. A new password removes the file.",
    ],
    &[
        "Get the status, on the device itself. curl asks for the password:",
        "curl --cacert STATE_DIR/tls-cert.pem -u admin https://localhost:8443/api/status",
        #[cfg(feature = "cert")]
        "From another machine, with the key line of `postern cert` in place of KEY (-k alone would trust anybody):\n     \
         curl -k --pinnedpubkey KEY -u admin https://ADDRESS:8443/api/status",
    ],
    &["Choose your own password, as root or as the user that postern runs as: postern passwd"],
];

/// The settings that a newcomer looks for.
const FIRST_SETTINGS: &[&str] = &[
    "LISTEN",
    "STATE_DIR",
    "BASIC_AUTH_USERNAME",
    "BASIC_AUTH_PASSWORD",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "LOG_SOURCES",
];

/// Fits half of a wide terminal.
const WIDTH: usize = 100;

/// A longer name stands on a line of its own.
const WIDEST_NAME: usize = 28;

#[cfg(test)]
mod tests;

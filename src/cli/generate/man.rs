//! The man page postern(8), in roff's man macros (`groff_man(7)`).

use std::fmt::Write;

use super::{COMMANDS, COMMON_FLAGS, CommandRow, FlagRow, PROGRAM_FLAGS};
use crate::cli::command::WorksOn;
use crate::cli::help::{ABOUT, usage_of};
use crate::clock::RELEASE_EPOCH;
use crate::config::VARIABLES;

pub(super) fn page() -> String {
    let date = RELEASE_EPOCH.to_string();
    let date = date.split('T').next().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut page = ManPage::default();
    page.line(".\\\" Made by: postern --generate man");
    page.line(&format!(
        ".TH POSTERN 8 {date} \"postern {version}\" \"System Administration\""
    ));
    page.section("NAME");
    page.line("postern \\- the guarded back door of a small Linux device");
    page.section("SYNOPSIS");
    for (index, usage) in SYNOPSIS.iter().enumerate() {
        if index > 0 {
            page.line(".br");
        }
        page.words(usage);
    }
    page.section("DESCRIPTION");
    page.text(ABOUT);
    page.text(DESCRIPTION);
    page.section("OPTIONS");
    page.flags(COMMON_FLAGS.iter().chain(PROGRAM_FLAGS));
    page.section("COMMANDS");
    for command in COMMANDS {
        page.command(command);
    }
    page.section("ENVIRONMENT");
    page.text(ENVIRONMENT);
    for variable in VARIABLES {
        let text = format!("{} (default: {})", variable.help, variable.default.text());
        page.entry(variable.name, &text);
    }
    page.text("Other variables:");
    page.entries(SURROUNDINGS);
    page.section("FILES");
    page.entries(FILES);
    page.section("EXIT STATUS");
    page.text("Each command lists its own. For all of them:");
    page.entries(STATUSES);
    page.section("SIGNALS");
    page.entries(SIGNALS);
    page.section("SEE ALSO");
    page.line(".BR curl (1),");
    page.line(".BR journalctl (1),");
    page.line(".BR systemd.service (5)");
    page.0
}

#[derive(Default)]
struct ManPage(String);

impl ManPage {
    /// As it is.
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    /// Paragraphs of plain text, between which there is an empty line.
    fn text(&mut self, text: &str) {
        for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            // Behind a title a paragraph begins by itself.
            if self
                .0
                .lines()
                .last()
                .is_none_or(|line| !line.starts_with(".S"))
            {
                self.line(".PP");
            }
            self.words(paragraph);
        }
    }

    /// Plain text in lines of a moderate length. What stands between backticks is bold.
    fn words(&mut self, text: &str) {
        let (mut line, mut bold) = (String::new(), false);
        for word in text.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.line(&line);
                line.clear();
            }
            line.push_str(if line.is_empty() { "" } else { " " });
            // Roff takes a line that begins with one of these for a request.
            if line.is_empty() && word.starts_with(['.', '\'']) {
                line += "\\&";
            }
            for character in word.chars() {
                if character == '`' {
                    bold = !bold;
                    line += if bold { "\\fB" } else { "\\fR" };
                } else {
                    line += &escaped(character);
                }
            }
        }
        self.line(&line);
    }

    fn entry(&mut self, name: &str, text: &str) {
        self.line(".TP");
        self.words(&format!("`{name}`"));
        self.words(text);
    }

    fn entries(&mut self, entries: &[(&str, &str)]) {
        for (name, text) in entries {
            self.entry(name, text);
        }
    }

    fn flags(&mut self, flags: impl Iterator<Item = &'static FlagRow>) {
        for flag in flags {
            let names: Vec<String> = super::spellings(flag);
            let names = names.iter().map(|name| format!("`{name}`"));
            let argument = flag.argument.name().map(|name| format!(" {name}"));
            self.line(".TP");
            self.words(&(names.collect::<Vec<_>>().join(", ") + &argument.unwrap_or_default()));
            self.words(flag.help);
        }
    }

    fn command(&mut self, command: &CommandRow) {
        self.line(&format!(
            ".SS \"{}\"",
            usage_of(command).chars().map(escaped).collect::<String>()
        ));
        let summary = command.summary;
        self.words(&format!("{}.", capitalised(summary)));
        self.text(command.details);
        if command.works_on == WorksOn::Server {
            self.text("The settings are listed under ENVIRONMENT.");
        }
        self.flags(command.flags.iter());
        if !command.statuses.is_empty() {
            self.text("Exit status:");
        }
        for (status, meaning) in command.statuses {
            self.entry(&status.to_string(), meaning);
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// A character that roff would take for something else, or that is not in ASCII, in roff's own words.
pub(super) fn escaped(character: char) -> String {
    match character {
        '\\' => "\\e".to_owned(),
        '-' => "\\-".to_owned(),
        '\'' => "\\(aq".to_owned(),
        '"' => "\\(dq".to_owned(),
        '`' => "\\(ga".to_owned(),
        '^' => "\\(ha".to_owned(),
        '~' => "\\(ti".to_owned(),
        character if character.is_ascii() => character.to_string(),
        other => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write!(text, "\\[u{:04X}]", u32::from(other));
            text
        }
    }
}

const SYNOPSIS: [&str; 2] = [
    "`postern` [`--env-file` FILE] [COMMAND [ARGUMENTS]]",
    "`postern` `--generate` WHAT",
];

const DESCRIPTION: &str = "\
Without a command, postern starts its server. It needs no configuration: the first start makes a signing key, a \
certificate and a password, keeps them in STATE_DIR, and prints how to reach it. The commands below do the rest. Some \
of them ask the running server over its Unix socket, which only root and the server's user may open.";

const ENVIRONMENT: &str = "\
Settings of the server, as environment variables or as lines KEY=value in the env file. Environment variables win. \
`postern check` prints their problems, or the settings in force.";

const SURROUNDINGS: &[(&str, &str)] = &[
    (
        "POSTERN_PASSWORD",
        "the password for `postern logs`; no login is kept then",
    ),
    ("NO_COLOR", "if it is set, `postern logs` uses no colours"),
    (
        "STATE_DIRECTORY",
        "set by systemd; the state folder if STATE_DIR is not set",
    ),
    (
        "XDG_STATE_HOME",
        "in place of ~/.local/state: for STATE_DIR without root, and for what `postern logs` keeps",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "/etc/postern/postern.env",
        "the env file, if none is named by `--env-file`",
    ),
    (
        "STATE_DIR/journal",
        "ended logins, lock-outs, the password's hash; `postern journal` shows it",
    ),
    (
        "STATE_DIR/journal.damaged.1",
        "and so on up to 8: a damaged journal, as it was found",
    ),
    (
        "STATE_DIR/audit.log, STATE_DIR/audit.log.1",
        "and so on up to 3: logins, failures, changes; `postern audit` shows it",
    ),
    (
        "STATE_DIR/audit.log.kept",
        "rare entries of files that were rotated away: password changes, starts and the like",
    ),
    ("STATE_DIR/secret-key", "signs the tokens"),
    (
        "STATE_DIR/tls-cert.pem, STATE_DIR/tls-key.pem",
        "the certificate that postern made, and its key",
    ),
    (
        "STATE_DIR/initial-password",
        "the generated password, until it is changed",
    ),
    ("STATE_DIR/postern.sock", "the local socket"),
    (
        "~/.local/state/postern-client/known_boards",
        "which certificate each board has, for `postern logs`",
    ),
    (
        "~/.local/state/postern-client/logins/",
        "logins that `postern logs` keeps",
    ),
];

const STATUSES: &[(&str, &str)] = &[
    ("0", "done as asked"),
    ("1", "not done; standard error says why"),
    ("2", "wrong usage, or there is nothing to ask or read"),
];

const SIGNALS: &[(&str, &str)] = &[
    (
        "SIGTERM, SIGINT",
        "end the server in good order; it finishes what is under way, within 10 seconds",
    ),
    ("SIGHUP", "read the certificate again"),
];

/// Of a line in the source. The words grow by their escapes.
const WIDTH: usize = 76;

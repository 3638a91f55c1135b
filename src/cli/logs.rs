//! `postern logs`: reads its words and calls the client in `desk`, which shows a board's log.

use std::io;

use super::arguments::{Arguments, UsageError};
use super::command::{
    CommandRow, FAILURE, FlagArgument, FlagRow, Operand, SUCCESS, WRONG_USAGE, WorksOn,
};
use crate::config::values;
use crate::desk::{self, BoardAddress, ColorChoice, Desk, LogsEnding, LogsOptions, MOST_ENTRIES};
use crate::logs::Filter;
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "logs",
    summary: "show a board's log at your desk, and follow it",
    details: "\
BOARD is https://board:8443. A bare name or address means port 8443. Times are the board's, in UTC. Characters that \
could drive the terminal are shown as escapes.

postern asks for the password and keeps the login, so that it need not ask the next time. --sign-out ends that login. \
Scripts set POSTERN_PASSWORD: then postern keeps no login, and logs out at the end.

At the first contact postern shows the fingerprint of the board's certificate. Answer yes if the board printed the \
same. From then on the board must have that certificate. postern sends nothing to another one. Without a terminal it \
refuses an unknown board; scripts give --fingerprint.

postern keeps known_boards and logins/ in $XDG_STATE_HOME/postern-client, or else in ~/.local/state/postern-client.

With --json the lines are as the board sends them: logs and gaps, and a hello where the board has started again.",
    flags: FLAGS,
    operand: Operand::Private("BOARD", "a board"),
    statuses: &[
        (0, "shown; with --follow: ended by Ctrl-C, or the output was closed"),
        (1, "not shown, or not to the end; the message says why"),
        WRONG_USAGE,
        (130, "ended by Ctrl-C before there was anything to show"),
    ],
    works_on: WorksOn::Nothing,
    run: |arguments, mut context| {
        let options = options(arguments)?;
        Ok(run(&options, &Desk::of_user()?, &mut context.terminal)?)
    },
};

/// Shows the board's log; returns the exit status.
///
/// # Errors
/// The terminal's.
pub fn run(options: &LogsOptions, desk: &Desk, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    Ok(match desk::run(options, desk, terminal)? {
        LogsEnding::Shown => SUCCESS,
        LogsEnding::Failed => FAILURE,
        LogsEnding::Interrupted => INTERRUPTED,
    })
}

/// Reads the command's words. A message shows none that may be a password.
///
/// # Errors
/// At the first argument that makes no sense.
pub fn options(arguments: &Arguments) -> Result<LogsOptions, UsageError> {
    let board = arguments.operand().unwrap_or_default().to_str();
    let board = BoardAddress::parse(board.unwrap_or_default()).map_err(UsageError)?;
    let wrong = |flag: &str, why: String| UsageError(format!("--{flag} {why}"));
    let user = arguments.text("user")?.unwrap_or(DEFAULT_USER);
    let user = values::username(user).map_err(|why| wrong("user", why))?;
    let since = arguments.text("since")?.map(values::duration).transpose();
    let since = since.map_err(|why| wrong("since", why))?;
    let lines = arguments.number("lines");
    if since.is_some() && lines.is_some() {
        let both = "--since and --lines both say where to begin; give one of them";
        return Err(UsageError(both.to_owned()));
    }
    let fingerprint = arguments.text("fingerprint")?.map(str::parse).transpose();
    let fingerprint = fingerprint.map_err(|_| UsageError(NO_FINGERPRINT.to_owned()))?;
    let color = match arguments.text("color")?.unwrap_or("auto") {
        "auto" => ColorChoice::Auto,
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => return Err(wrong("color", "takes auto, always or never".to_owned())),
    };
    let [source, level, text] = ["source", "level", "grep"].map(|flag| arguments.text(flag));
    let [source, level, text] = [source?, level?, text?];
    Filter::new(source, level, text).map_err(|error| {
        // The server's name for it is not the flag's.
        UsageError(format!(
            "--{}",
            error.to_string().replacen("q is", "grep is", 1)
        ))
    })?;
    Ok(LogsOptions {
        board,
        user,
        follow: arguments.has("follow"),
        since,
        lines: lines.unwrap_or(DEFAULT_LINES),
        source: source.map(str::to_owned),
        level: level.map(str::to_owned),
        text: text.map(str::to_owned),
        json: arguments.has("json"),
        fingerprint,
        save: !arguments.has("no-save"),
        sign_out: arguments.has("sign-out"),
        color,
    })
}

const FLAGS: &[FlagRow] = &[
    FlagRow::new("user", "sign in as NAME (default: admin)").takes(FlagArgument::Text("NAME")),
    FlagRow::new(
        "follow",
        "keep showing new entries, and connect again after a lost connection",
    )
    .short('f'),
    FlagRow::new(
        "since",
        "begin that long ago by the board's clock: 90s, 30m, 1h30m, 7d",
    )
    .takes(FlagArgument::Text("TIME")),
    FlagRow::new(
        "lines",
        "begin with the last N entries, 10000 at most (default: 100)",
    )
    .short('n')
    .takes(FlagArgument::Number("N", 0, MOST_ENTRIES)),
    FlagRow::new("source", "show only this source").takes(FlagArgument::Text("NAME")),
    FlagRow::new(
        "level",
        "show this level and worse: debug, info, notice, warn, error, crit, …",
    )
    .takes(FlagArgument::Word("LEVEL", LEVELS)),
    FlagRow::new(
        "grep",
        "show only messages with this text, in upper or lower case",
    )
    .takes(FlagArgument::Text("TEXT")),
    FlagRow::new(
        "json",
        "print one JSON object a line, as the board sends it",
    ),
    FlagRow::new(
        "fingerprint",
        "trust only the certificate with this fingerprint, as the board prints it",
    )
    .takes(FlagArgument::Text("SHA256")),
    FlagRow::new("no-save", "keep no login, and use no kept one"),
    FlagRow::new(
        "sign-out",
        "end the kept login, at the board and here, and show nothing",
    ),
    FlagRow::new(
        "color",
        "auto (at a terminal, unless NO_COLOR is set), always or never",
    )
    .takes(FlagArgument::Word("WHEN", &["auto", "always", "never"])),
];

/// The levels that shells complete. The board knows more names for them.
const LEVELS: &[&str] = &[
    "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg",
];

const NO_FINGERPRINT: &str =
    "--fingerprint takes a certificate's SHA-256 as the board prints it: 64 hexadecimal digits";

/// The account that a board has at first.
const DEFAULT_USER: &str = "admin";

/// What the board gives when nobody says how many.
const DEFAULT_LINES: u32 = 100;

/// Ended by Ctrl-C before there was anything to see, as a shell has it: 128 and SIGINT's number.
const INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests;

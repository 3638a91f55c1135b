//! `postern logs`: its words, and the call to the desk's client (`desk`), which shows a board's log.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use super::table::{FlagId, FlagRow};
use super::{FAILURE, SUCCESS};
use crate::config::values;
use crate::desk::{self, Board, Color, Desk, Ending, Fingerprint, MOST, Options};
use crate::logs::Filter;
use crate::terminal::Terminal;

/// Shows the board's log; returns the exit status.
///
/// # Errors
/// The terminal's.
pub fn run(options: &Options, desk: &Desk, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    Ok(match desk::run(options, desk, terminal)? {
        Ending::Shown => SUCCESS,
        Ending::Failed => FAILURE,
        Ending::Interrupted => INTERRUPTED,
    })
}

/// The flags, without their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Who signs in.
    User,
    /// Go on with what comes.
    Follow,
    /// How far back.
    Since,
    /// How many.
    Lines,
    /// Of which source.
    Source,
    /// How severe at least.
    Level,
    /// With which text.
    Grep,
    /// As JSON.
    Json,
    /// Which certificate.
    Fingerprint,
    /// Keep no login.
    NoSave,
    /// End the login that is kept.
    SignOut,
    /// When to use colours.
    Color,
}

/// The flags as the table has them.
pub const FLAGS: &[FlagRow] = &[
    flag(
        Flag::User,
        "user",
        None,
        Some("NAME"),
        "who signs in (default: admin)",
    ),
    flag(
        Flag::Follow,
        "follow",
        Some('f'),
        None,
        "go on with what comes, across lost connections too",
    ),
    flag(
        Flag::Since,
        "since",
        None,
        Some("TIME"),
        "begin so long ago by the board's clock: 90s, 30m, 1h30m, 7d",
    ),
    flag(
        Flag::Lines,
        "lines",
        Some('n'),
        Some("N"),
        "begin with the last N entries, 10000 at most (default: 100)",
    ),
    flag(
        Flag::Source,
        "source",
        None,
        Some("NAME"),
        "only of this source",
    ),
    flag(
        Flag::Level,
        "level",
        None,
        Some("LEVEL"),
        "only this level and worse: debug, info, notice, warn, error, crit, …",
    ),
    flag(
        Flag::Grep,
        "grep",
        None,
        Some("TEXT"),
        "only with this text in the message, in upper or lower case",
    ),
    flag(
        Flag::Json,
        "json",
        None,
        None,
        "one JSON object a line, as the board sends it",
    ),
    flag(
        Flag::Fingerprint,
        "fingerprint",
        None,
        Some("SHA256"),
        "what the certificate must be, as the board prints it",
    ),
    flag(
        Flag::NoSave,
        "no-save",
        None,
        None,
        "keep no login, and use none that is kept",
    ),
    flag(
        Flag::SignOut,
        "sign-out",
        None,
        None,
        "end the login that is kept, at the board and here, and show nothing",
    ),
    flag(
        Flag::Color,
        "color",
        None,
        Some("WHEN"),
        "auto (at a terminal, unless NO_COLOR is set), always or never",
    ),
];

const fn flag(
    id: Flag,
    long: &'static str,
    short: Option<char>,
    argument: Option<&'static str>,
    help: &'static str,
) -> FlagRow {
    FlagRow {
        id: FlagId::Logs(id),
        long,
        short,
        argument,
        help,
    }
}

/// What has been understood so far.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a flag")]
pub(super) struct Words {
    board: Option<Board>,
    user: Option<String>,
    follow: bool,
    since: Option<Duration>,
    lines: Option<usize>,
    source: Option<String>,
    level: Option<String>,
    text: Option<String>,
    json: bool,
    fingerprint: Option<Fingerprint>,
    no_save: bool,
    sign_out: bool,
    color: Color,
}

impl Words {
    /// Takes the board. A second word is refused and not shown: it may be a password.
    pub(super) fn board(&mut self, word: &OsStr) -> Result<(), String> {
        if self.board.is_some() {
            return Err(
                "logs takes one board; a password is never given on the command line".to_owned(),
            );
        }
        self.board = Some(Board::parse(&text(word)?)?);
        Ok(())
    }

    /// Takes a flag with its argument. The message names the flag, and shows no more of the argument than is safe.
    pub(super) fn take(&mut self, flag: Flag, argument: &OsString) -> Result<(), String> {
        let word = text(argument)?;
        match flag {
            Flag::User => {
                let user = values::username(&word).map_err(|why| format!("--user {why}"))?;
                self.user = Some(user);
            }
            Flag::Follow => self.follow = true,
            Flag::Since => {
                let since = values::duration(&word).map_err(|why| format!("--since {why}"))?;
                self.since = Some(since);
            }
            Flag::Lines => {
                let lines = word.parse().ok().filter(|lines| *lines <= MOST);
                let wrong = || format!("--lines takes a whole number from 0 to {MOST}");
                self.lines = Some(lines.ok_or_else(wrong)?);
            }
            Flag::Source => self.source = Some(word),
            Flag::Level => self.level = Some(word),
            Flag::Grep => self.text = Some(word),
            Flag::Json => self.json = true,
            Flag::Fingerprint => {
                let wrong = "--fingerprint takes a certificate's SHA-256 as the board prints it: 64 hexadecimal digits";
                self.fingerprint = Some(word.parse().map_err(|_| wrong)?);
            }
            Flag::NoSave => self.no_save = true,
            Flag::SignOut => self.sign_out = true,
            Flag::Color => {
                self.color = match word.as_str() {
                    "auto" => Color::Auto,
                    "always" => Color::Always,
                    "never" => Color::Never,
                    _ => return Err("--color takes auto, always or never".to_owned()),
                };
            }
        }
        Ok(())
    }

    pub(super) fn options(self) -> Result<Options, String> {
        let board = self
            .board
            .ok_or("logs wants a board: postern logs https://board:8443")?;
        if self.since.is_some() && self.lines.is_some() {
            return Err("--since and --lines both say where to begin; give one of them".to_owned());
        }
        let (source, level, q) = (&self.source, &self.level, &self.text);
        Filter::new(source.as_deref(), level.as_deref(), q.as_deref()).map_err(|error| {
            // The server's name for it is not the flag's.
            format!("--{}", error.to_string().replacen("q is", "grep is", 1))
        })?;
        Ok(Options {
            board,
            user: self.user.unwrap_or_else(|| "admin".to_owned()),
            follow: self.follow,
            since: self.since,
            lines: self.lines.unwrap_or(DEFAULT_LINES),
            source: self.source,
            level: self.level,
            text: self.text,
            json: self.json,
            fingerprint: self.fingerprint,
            save: !self.no_save,
            sign_out: self.sign_out,
            color: self.color,
        })
    }
}

fn text(word: &OsStr) -> Result<String, String> {
    let text = word.to_str().map(str::to_owned);
    text.ok_or_else(|| "an argument of logs is no UTF-8 text".to_owned())
}

/// Ended by Ctrl-C before there was anything to see, as a shell has it: 128 and SIGINT's number.
const INTERRUPTED: u8 = 130;

/// What the board gives when nobody says how many.
const DEFAULT_LINES: usize = 100;

#[cfg(test)]
mod tests;

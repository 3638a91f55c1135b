//! What runs on the owner's desk: a client that signs in at a board, knows it by its certificate, and shows its log.

mod board;
mod client;
mod failure;
mod follow;
mod keep;
mod known;
mod options;
mod pin;
mod place;
mod recent;
mod saved;
mod session;
mod show;
mod stop;
#[cfg(test)]
mod tests;
mod wire;

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

pub use board::Board;
pub use keep::Keep;
pub use known::Fingerprint;
pub use options::{Color, Options};
pub use recent::MOST_ENTRIES;
pub use stop::Stop;

use crate::config::SecretString;
use crate::entropy::SystemEntropy;
use crate::terminal::{Terminal, prompt};
use client::{Client, Trust, first_look};
use failure::Failure;
use follow::Follow;
use saved::Saved;
use session::Session;
use show::Show;
use stop::End;

/// What is around the command. Tests bring their own.
#[derive(Debug)]
pub struct Desk {
    /// Where things are kept, if there is a place.
    pub keep: Option<Keep>,
    /// `POSTERN_PASSWORD`.
    pub password: Option<SecretString>,
    /// Whether standard output and standard error are terminals that want colours.
    pub colors: [bool; 2],
    /// What ends the command.
    pub stop: Stop,
    /// How long things may take.
    pub timing: Timing,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// To find the board's address and connect.
    pub connect: Duration,
    /// For the TLS handshake and the head of an answer; a small answer's body again.
    pub answer: Duration,
    /// For the body of a large answer.
    pub body: Duration,
    /// The first pause between attempts to connect again; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest of them.
    pub longest_pause: Duration,
}

/// For networks as they are.
impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            body: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl Desk {
    /// The user's own.
    ///
    /// # Errors
    /// No signal handler can be set, or `POSTERN_PASSWORD` is no text.
    pub fn of_user() -> io::Result<Self> {
        let password = match env::var("POSTERN_PASSWORD") {
            Ok(password) => Some(password).filter(|password| !password.is_empty()),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => {
                let wrong = "POSTERN_PASSWORD is not UTF-8 text";
                return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
            }
        };
        // https://no-color.org: any value but none.
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && env::var_os("TERM").is_none_or(|term| term != "dumb");
        Ok(Self {
            keep: Keep::of_user(),
            password: password.map(SecretString::new),
            colors: [io::stdout().is_terminal(), io::stderr().is_terminal()]
                .map(|terminal| terminal && wanted),
            stop: Stop::on_signals()?,
            timing: Timing::default(),
        })
    }
}

/// How showing a log has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All was shown; or following ended by Ctrl-C, or nobody reads on.
    Shown,
    /// Not shown, or no further; the message says why.
    Failed,
    /// Ctrl-C before there was anything to show.
    Interrupted,
}

/// Shows the board's log.
///
/// # Errors
/// The terminal's.
pub fn run(options: &Options, desk: &Desk, terminal: &mut Terminal<'_>) -> io::Result<Ending> {
    let failure = match shown(options, desk, terminal) {
        Ok(()) => return Ok(Ending::Shown),
        Err(failure) => failure,
    };
    match (failure, desk.stop.ended()) {
        (_, Some(End::Told)) => Ok(Ending::Interrupted),
        (_, Some(End::ReaderGone)) => Ok(Ending::Shown),
        (Failure::Terminal(error), None) => Err(error),
        (failure, None) => {
            writeln!(terminal.err, "postern: {failure}")?;
            Ok(Ending::Failed)
        }
    }
}

fn shown(options: &Options, desk: &Desk, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (board, stop) = (&options.board, &desk.stop);
    let keep = desk.keep.as_ref();
    if options.sign_out {
        return signed_out(options, desk, terminal);
    }
    let trust = match known(options, desk)? {
        Some(trust) => trust,
        None => asked(board, desk, terminal)?,
    };
    let client = Client::new(board, trust, stop, desk.timing)?;
    let mut session = Session::sign_in(&client, options, desk, terminal)?;
    let done = remember(&client, keep, terminal).and_then(|()| {
        let [out, err] = desk.colors.map(|terminal| Show {
            json: options.json,
            color: !options.json
                && match options.color {
                    Color::Auto => terminal,
                    Color::Always => true,
                    Color::Never => false,
                },
        });
        if options.follow {
            let follow = Follow {
                client: &client,
                session: &mut session,
                options,
                out,
                err,
                entropy: &SystemEntropy,
            };
            follow.run(terminal)
        } else {
            recent::run(&client, &session, options, out, terminal)
        }
    });
    session.end(&client);
    done
}

/// Which certificate the board must have, if that is known.
fn known(options: &Options, desk: &Desk) -> Result<Option<Trust>, Failure> {
    if let Some(fingerprint) = options.fingerprint {
        return Ok(Some(Trust::given(fingerprint)));
    }
    let Some(keep) = &desk.keep else {
        return Ok(None);
    };
    let known = known::look_up(keep, &options.board).map_err(Failure::Final)?;
    Ok(known.as_ref().map(Trust::known))
}

/// At the first contact a person says whether the certificate is the board's. Nobody else may, so without a terminal the answer
/// is no.
fn asked(board: &Board, desk: &Desk, terminal: &mut Terminal<'_>) -> Result<Trust, Failure> {
    if !terminal.input_is_terminal {
        return Err(Failure::Final(format!(
            "{board} is not known here, and there is no terminal to ask whether its certificate is the right one. Nothing was \
             sent to it.\nGive --fingerprint with the SHA-256 that the board printed at its start; `sudo postern cert` on the \
             board shows it too."
        )));
    }
    let shown = first_look(board, &desk.stop, desk.timing)?;
    writeln!(
        terminal.err,
        "first contact with {board}: certificate SHA-256 {shown}"
    )?;
    let question = "Did the board print the same at its start (yes/no)? ";
    if !prompt::yes(terminal, question, || session::typed(&desk.stop))? {
        return Err(Failure::Final(format!(
            "{board} is not trusted. Neither password nor token was sent to it."
        )));
    }
    Ok(Trust::earlier(shown, "shown a moment ago"))
}

/// Keeps which certificate the board has. Only after a login: whoever leaves before it leaves nothing behind.
fn remember(
    client: &Client<'_>,
    keep: Option<&Keep>,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let (board, fingerprint) = (client.board, client.trust.fingerprint);
    let kept = match keep {
        None => Err("neither XDG_STATE_HOME nor HOME is set".to_owned()),
        Some(keep) => match known::look_up(keep, board) {
            Ok(Some(known)) if known.fingerprint == fingerprint => Ok(()),
            _ => known::keep(keep, board, fingerprint, client.stop).map_err(|e| e.to_string()),
        },
    };
    if let Err(error) = kept {
        writeln!(
            terminal.err,
            "warning: the board's certificate cannot be kept: {error}; the next contact is a first one again"
        )?;
    }
    Ok(())
}

fn signed_out(options: &Options, desk: &Desk, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Options { board, user, .. } = options;
    let keep = desk.keep.as_ref();
    let saved = keep.map(|keep| Saved::of(keep, user, board));
    let Some((saved, (fingerprint, _))) =
        saved.and_then(|saved| Some((saved.clone(), saved.read()?)))
    else {
        writeln!(terminal.err, "no login of {user} at {board} is kept here")?;
        return Ok(());
    };
    let trust = known(options, desk)?;
    let trust = trust.unwrap_or_else(|| Trust::earlier(fingerprint, "at the time of the login"));
    let client = Client::new(board, trust, &desk.stop, desk.timing)?;
    session::sign_out(&client, &saved, terminal)
}

//! What runs on the owner's desk: a client that signs in at a board, knows it by its certificate, and shows its log.

mod board;
mod client;
mod environment;
mod error;
mod folder;
mod follow;
mod format;
mod known_boards;
mod options;
mod pin;
mod recent;
mod response;
mod saved_login;
mod session;
mod socket;
mod stop;
mod stream_cursor;
#[cfg(test)]
mod tests;

use std::io;

pub use board::BoardAddress;
pub use environment::{Desk, Timing};
pub use folder::DeskFolder;
pub use known_boards::CertificateFingerprint;
pub use options::{ColorChoice, LogsOptions};
pub use recent::MOST_ENTRIES;
pub use stop::StopSignal;

use crate::entropy::SystemEntropy;
use crate::terminal::{Terminal, prompt};
use client::{BoardClient, Trust, first_look};
use error::DeskError;
use follow::Follow;
use format::EntryFormat;
use saved_login::SavedLogin;
use session::BoardSession;
use stop::StopReason;

/// How showing a log has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogsEnding {
    /// All was shown; or Ctrl-C ended the following, or the reader has gone.
    Shown,
    /// Not shown, or not to the end; the message says why.
    Failed,
    /// Ctrl-C before there was anything to show.
    Interrupted,
}

/// Shows the board's log.
///
/// # Errors
/// The terminal's.
pub fn run(
    options: &LogsOptions,
    desk: &Desk,
    terminal: &mut Terminal<'_>,
) -> io::Result<LogsEnding> {
    let failure = match shown(options, desk, terminal) {
        Ok(()) => return Ok(LogsEnding::Shown),
        Err(failure) => failure,
    };
    match (failure, desk.stop.ended()) {
        (_, Some(StopReason::Told)) => Ok(LogsEnding::Interrupted),
        (_, Some(StopReason::ReaderGone)) => Ok(LogsEnding::Shown),
        (DeskError::Output(error), None) => Err(error),
        (failure, None) => {
            writeln!(terminal.err, "postern: {failure}")?;
            Ok(LogsEnding::Failed)
        }
    }
}

fn shown(options: &LogsOptions, desk: &Desk, terminal: &mut Terminal<'_>) -> Result<(), DeskError> {
    let (board, stop) = (&options.board, &desk.stop);
    let folder = desk.folder.as_ref();
    if options.sign_out {
        return signed_out(options, desk, terminal);
    }
    let trust = match known(options, desk)? {
        Some(trust) => trust,
        None => asked(board, desk, terminal)?,
    };
    let client = BoardClient::new(board, trust, stop, desk.timing)?;
    let mut session = BoardSession::sign_in(&client, options, desk, terminal)?;
    let done = remember(&client, folder, terminal).and_then(|()| {
        let [out, err] = desk.colors.map(|terminal| EntryFormat {
            json: options.json,
            color: !options.json
                && match options.color {
                    ColorChoice::Auto => terminal,
                    ColorChoice::Always => true,
                    ColorChoice::Never => false,
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
fn known(options: &LogsOptions, desk: &Desk) -> Result<Option<Trust>, DeskError> {
    if let Some(fingerprint) = options.fingerprint {
        return Ok(Some(Trust::given(fingerprint)));
    }
    let Some(folder) = &desk.folder else {
        return Ok(None);
    };
    let known = known_boards::look_up(folder, &options.board).map_err(DeskError::Permanent)?;
    Ok(known.as_ref().map(Trust::known))
}

/// At the first contact a person confirms that the certificate is the board's. Nobody else may, so without a terminal
/// postern refuses the board.
fn asked(
    board: &BoardAddress,
    desk: &Desk,
    terminal: &mut Terminal<'_>,
) -> Result<Trust, DeskError> {
    if !terminal.input_is_terminal {
        return Err(DeskError::Permanent(format!(
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
        return Err(DeskError::Permanent(format!(
            "{board} is not trusted. Neither password nor token was sent to it."
        )));
    }
    Ok(Trust::earlier(shown, "shown a moment ago"))
}

/// Keeps the board's certificate, but only after a login: an attempt that ended before it leaves nothing behind.
fn remember(
    client: &BoardClient<'_>,
    folder: Option<&DeskFolder>,
    terminal: &mut Terminal<'_>,
) -> Result<(), DeskError> {
    let (board, fingerprint) = (client.board, client.trust.fingerprint);
    let kept = match folder {
        None => Err("neither XDG_STATE_HOME nor HOME is set".to_owned()),
        Some(folder) => match known_boards::look_up(folder, board) {
            Ok(Some(known)) if known.fingerprint == fingerprint => Ok(()),
            _ => known_boards::remember(folder, board, fingerprint, client.stop)
                .map_err(|e| e.to_string()),
        },
    };
    if let Err(error) = kept {
        writeln!(
            terminal.err,
            "warning: the board's certificate cannot be kept: {error}; postern will ask again at the next contact"
        )?;
    }
    Ok(())
}

fn signed_out(
    options: &LogsOptions,
    desk: &Desk,
    terminal: &mut Terminal<'_>,
) -> Result<(), DeskError> {
    let LogsOptions { board, user, .. } = options;
    let folder = desk.folder.as_ref();
    let saved = folder.map(|folder| SavedLogin::of(folder, user, board));
    let Some((saved, (fingerprint, _))) =
        saved.and_then(|saved| Some((saved.clone(), saved.read()?)))
    else {
        writeln!(terminal.err, "no login of {user} at {board} is kept here")?;
        return Ok(());
    };
    let trust = known(options, desk)?;
    let trust = trust.unwrap_or_else(|| Trust::earlier(fingerprint, "at the time of the login"));
    let client = BoardClient::new(board, trust, &desk.stop, desk.timing)?;
    session::sign_out(&client, &saved, terminal)
}

//! `postern passwd` sets another password. It asks the server over its local socket or, if that is stopped, works in
//! its state folder. It does not ask for the old password: this is the way back in when that is forgotten.

use std::io;
use std::path::PathBuf;

use serde_json::json;
use zeroize::Zeroizing;

use super::command::{
    CommandRow, FAILURE, NO_PASSWORD_HERE, NO_SERVER, REFUSED, SUCCESS, USELESS, WorksOn,
};
use super::flags::SOCKET;
use super::local::{self, NoAnswer};
use crate::config::{Config, ConfigError};
use crate::http::client_request::ClientRequest;
use crate::journal::OpenError;
use crate::server::{Dependencies, ResetError, can_reset, reset_password};
use crate::terminal::Terminal;
use crate::terminal::prompt::{PromptError, secret_line};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "passwd",
    summary: "set a new password without the old one",
    details: "\
Asks the running server over its Unix socket, or works in STATE_DIR if the server is stopped. Whoever may open the \
socket or the folder needs no old password. All logins end. The new password is one line of standard input, 8 \
characters or more and at most 72 bytes. At a terminal postern asks for it twice and does not show it.",
    flags: &[SOCKET],
    operand: NO_PASSWORD_HERE,
    statuses: &[(0, "it is set, and on the disk"), REFUSED, NO_SERVER],
    works_on: WorksOn::SocketOrStateDir,
    run: |arguments, mut context| {
        Ok(run(
            arguments.path("socket"),
            context.load,
            &mut context.terminal,
        )?)
    },
};

/// Asks for the new password, twice at a terminal, and sets it.
fn run(
    socket: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let (socket, config) = match socket {
        Some(socket) => (Some(socket), None),
        None => match config().or_else(|error| error.beside(NEEDED)) {
            Ok(config) => (config.local_socket.clone(), Some(config)),
            Err(error) => {
                terminal.config_error(&error)?;
                return Ok(USELESS);
            }
        },
    };
    // Before anybody thinks of a password.
    if let Some(config) = &config
        && !socket.as_deref().is_some_and(local::is_reachable)
        && let Err(error) = can_reset(config)
    {
        writeln!(terminal.err, "postern: {error}")?;
        return Ok(FAILURE);
    }
    let new = match new_password(terminal) {
        Ok(new) => new,
        Err(problem) => {
            writeln!(terminal.err, "postern: {problem}")?;
            return Ok(FAILURE);
        }
    };
    if let Some(socket) = socket {
        let body = Zeroizing::new(json!({"new_password": new.as_str()}).to_string());
        let request = ClientRequest {
            body: body.as_bytes(),
            ..local::request("POST", "/api/change-password")
        };
        let answer = local::ask(&socket, &request, local::PATIENCE);
        // Nobody listens at the configured socket: the server may be stopped, and its folder free.
        if config.is_none() || !matches!(answer, Err(NoAnswer::Connect(_))) {
            return Ok(match local::body_or_explain(answer, &socket, terminal)? {
                Ok(_) => {
                    writeln!(terminal.out, "{DONE}")?;
                    SUCCESS
                }
                Err(status) => status,
            });
        }
    }
    let Some(config) = config else {
        return Ok(USELESS);
    };
    let (problem, status) = match reset_password(&config, &Dependencies::real(), &new) {
        Ok(()) => {
            writeln!(terminal.out, "{DONE}; the server is stopped")?;
            return Ok(SUCCESS);
        }
        Err(ResetError::Journal(OpenError::Locked { path })) => {
            let path = path.display();
            let message =
                format!("postern is running ({path}), and this user may not use its socket");
            (message, USELESS)
        }
        Err(error) => (error.to_string(), FAILURE),
    };
    writeln!(terminal.err, "postern: {problem}")?;
    Ok(status)
}

fn new_password(terminal: &mut Terminal<'_>) -> Result<Zeroizing<String>, PasswordError> {
    let new = secret_line(terminal, "New password: ", || Ok(()))?;
    if terminal.input_is_terminal && *secret_line(terminal, "Once more: ", || Ok(()))? != *new {
        return Err(PasswordError::Differs);
    }
    Ok(new)
}

/// Why there is no new password. Never shows what was typed.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error("the two passwords differ; nothing is changed")]
    Differs,
}

/// These settings say which account it is, and where it is kept.
const NEEDED: &[&str] = &[
    "LOCAL_SOCKET",
    "STATE_DIR",
    "BASIC_AUTH_USERNAME",
    "SECRET_KEY",
    "BCRYPT_COST",
];

const DONE: &str = "the password is set; all logins have ended";

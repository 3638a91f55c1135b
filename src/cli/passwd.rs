//! `postern passwd`: another password, by whoever may open the local socket. The old one is not asked for: this is the way
//! back in when it is forgotten.

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::prompt::{PromptError, secret_line};
use super::{Console, FAILURE, SUCCESS, USELESS, local};
use crate::config::{Config, ConfigError};

/// Asks for the new password, twice at a terminal, and sets it.
pub(super) fn run(
    socket: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, console)? else {
        return Ok(USELESS);
    };
    let new = match new_password(console) {
        Ok(new) => new,
        Err(problem) => {
            writeln!(console.err, "postern: {problem}")?;
            return Ok(FAILURE);
        }
    };
    let body = Zeroizing::new(json!({"new_password": new.as_str()}).to_string());
    let request = local::request_with("POST", "/api/change-password", &body);
    match local::asked(&socket, &request, console)? {
        Ok(body) => {
            let message = body.get("message").and_then(Value::as_str);
            writeln!(
                console.out,
                "{}",
                local::shown(message.unwrap_or("password changed"))
            )?;
            Ok(SUCCESS)
        }
        Err(status) => Ok(status),
    }
}

fn new_password(console: &mut Console<'_>) -> Result<Zeroizing<String>, PasswordError> {
    let new = secret_line(console, "New password: ", || Ok(()))?;
    if console.input_is_terminal && *secret_line(console, "Once more: ", || Ok(()))? != *new {
        return Err(PasswordError::Differs);
    }
    Ok(new)
}

/// Why there is no new password. Never shows what was typed.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error("that was not the same twice; nothing is changed")]
    Differs,
}

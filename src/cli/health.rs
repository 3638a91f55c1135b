//! `postern health`: asks the running server how it is, over its Unix socket. For watchdogs: one line, and an exit status
//! within a known time whatever stands at the other end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::local::{self, NoAnswer, Reply};
use super::{FAILURE, SUCCESS, USELESS};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// Asks at `socket`, or at the one that the configuration names.
pub(super) fn run(
    socket: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, terminal)? else {
        return Ok(USELESS);
    };
    match local::ask(&socket, &local::request("GET", "/health"), TIMEOUT)
        .and_then(|reply| understand(&reply))
    {
        Ok(Health::Healthy) => {
            writeln!(terminal.out, "healthy")?;
            Ok(SUCCESS)
        }
        Ok(Health::Degraded(reasons)) => {
            writeln!(terminal.out, "degraded: {reasons}")?;
            Ok(FAILURE)
        }
        Err(error) => {
            writeln!(terminal.err, "no answer: {}: {error}", socket.display())?;
            Ok(USELESS)
        }
    }
}

/// What a server says of itself.
#[derive(Debug, PartialEq, Eq)]
enum Health {
    Healthy,
    /// With its reasons, on one line.
    Degraded(String),
}

fn understand(reply: &Reply) -> Result<Health, NoAnswer> {
    match reply.body.get("status").and_then(Value::as_str) {
        Some("healthy") if reply.status == 200 => Ok(Health::Healthy),
        Some("degraded") => Ok(Health::Degraded(reasons(&reply.body))),
        _ => Err(NoAnswer::NotOurs),
    }
}

pub(super) fn reasons(body: &Value) -> String {
    let reasons = body.get("reasons").and_then(Value::as_array);
    let reasons: Vec<&str> = reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if reasons.is_empty() {
        return "no reason given".to_owned();
    }
    local::shown(&reasons.join("; "))
}

/// A watchdog's patience; a healthy server answers in a millisecond.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;

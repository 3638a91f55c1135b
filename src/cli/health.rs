//! `postern health` asks the running server over its Unix socket whether it is healthy. It is for watchdogs: it prints
//! one line and ends within a known time, whatever the other end does.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::command::{CommandRow, FAILURE, Operand, SUCCESS, USELESS, WorksOn};
use super::flags::SOCKET;
use super::local::{self, LocalResponse, NoAnswer};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "health",
    summary: "ask the running server how it is, over its Unix socket (for watchdogs)",
    details: "\
Finds the socket as the server does (LOCAL_SOCKET, STATE_DIR), waits 5 seconds at most and prints one line.",
    flags: &[SOCKET],
    operand: Operand::None,
    statuses: &[
        (0, "healthy"),
        (1, "degraded; the line says why"),
        (2, "no answer from the server"),
    ],
    works_on: WorksOn::Socket,
    run: |arguments, mut context| {
        Ok(run(
            arguments.path("socket"),
            context.load,
            &mut context.terminal,
        )?)
    },
};

/// Asks at `socket`, or at the one that the configuration names.
fn run(
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
        Ok(ServerHealth::Healthy) => {
            writeln!(terminal.out, "healthy")?;
            Ok(SUCCESS)
        }
        Ok(ServerHealth::Degraded(reasons)) => {
            writeln!(terminal.out, "degraded: {reasons}")?;
            Ok(FAILURE)
        }
        Err(error) => {
            writeln!(terminal.err, "no answer: {}: {error}", socket.display())?;
            Ok(USELESS)
        }
    }
}

/// The state that the server reports.
#[derive(Debug, PartialEq, Eq)]
enum ServerHealth {
    Healthy,
    /// With its reasons, on one line.
    Degraded(String),
}

fn understand(reply: &LocalResponse) -> Result<ServerHealth, NoAnswer> {
    match reply.body.get("status").and_then(Value::as_str) {
        Some("healthy") if reply.status == 200 => Ok(ServerHealth::Healthy),
        Some("degraded") => Ok(ServerHealth::Degraded(reasons(&reply.body))),
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

//! `postern serve`: from a configuration to a running server, and from its end to an exit status.

use std::error::Error;
use std::io;

use super::command::{CommandRow, FAILURE, Operand, SUCCESS, WRONG_USAGE, WorksOn};
use super::config_check::{CheckDepth, checked};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "serve",
    summary: "start the server (what postern does without a command)",
    details: "\
postern needs no configuration. The first start makes a key, a certificate and a password, and keeps them in \
STATE_DIR. Each setting is an environment variable, or a line KEY=value in the env file. Environment variables win.

SIGTERM and SIGINT stop the server in good order. On SIGHUP it reads the certificate again.",
    flags: &[],
    operand: Operand::None,
    statuses: &[(0, "stopped in good order"), (1, "could not start"), WRONG_USAGE],
    works_on: WorksOn::Server,
    run: |_, mut context| Ok(run((context.load)(), &mut context.terminal, context.serve)?),
};

/// Hands a good configuration to `run`, which comes back when the server has stopped. Warnings and problems go to
/// standard error.
fn run(
    config: Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
    run: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> io::Result<u8> {
    let config = match checked(config, CheckDepth::AtStart) {
        Ok(config) => config,
        Err(error) => return terminal.config_error(&error),
    };
    terminal.warnings(&config.warnings)?;
    match run(config) {
        Ok(()) => Ok(SUCCESS),
        Err(error) => {
            writeln!(terminal.err, "postern: {}", with_causes(error.as_ref()))?;
            Ok(FAILURE)
        }
    }
}

/// The error and its causes, behind colons. A cause that the error's own text ends with is not repeated.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

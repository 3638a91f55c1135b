//! `postern serve`: from a configuration to a running server, and from its end to an exit status.

use std::error::Error;
use std::io;

use super::usable::{Asked, usable};
use super::{FAILURE, SUCCESS};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// Hands a good configuration to `run`, which comes back when the server has stopped. Warnings and problems go to
/// standard error.
pub(super) fn run(
    config: Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
    run: impl FnOnce(Config) -> Result<(), Box<dyn Error>>,
) -> io::Result<u8> {
    let config = match usable(config, Asked::ByStart) {
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

/// The error and, behind colons, what it comes from; a cause that its error already tells is not told twice.
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

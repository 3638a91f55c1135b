//! Reads a secret line from standard input. At a terminal it asks for it and does not show it.

use std::io::{self, IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Terminal;

/// Why there is no line. Never shows what was typed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error("there is no password on standard input; give one line")]
    Missing,
    #[error("the password is too long: bcrypt reads at most 72 bytes")]
    TooLong,
    #[error("the password is not UTF-8 text")]
    NotText,
    #[error("standard input cannot be read: {0}")]
    Input(#[from] io::Error),
}

/// One line, after the question if a terminal is there to answer it.
///
/// `wait` is called before anything is read, with the terminal silent already. What it fails with ends the question;
/// the terminal is then as it was.
pub(crate) fn secret_line(
    terminal: &mut Terminal<'_>,
    question: &str,
    wait: impl FnOnce() -> io::Result<()>,
) -> Result<Zeroizing<String>, PromptError> {
    let hidden = if terminal.input_is_terminal {
        write!(terminal.err, "{question}")?;
        terminal.err.flush()?;
        HiddenInput::begin()
    } else {
        None
    };
    let line = wait()
        .map_err(PromptError::from)
        .and_then(|()| read_line(&mut *terminal.input));
    if hidden.is_some() {
        // The newline that was typed was not shown either.
        writeln!(terminal.err)?;
    }
    line
}

/// Whether a person at the terminal answers `yes`. Anything else is no, as is no answer.
///
/// `wait` is called before anything is read; what it fails with is no, too.
pub(crate) fn yes(
    terminal: &mut Terminal<'_>,
    question: &str,
    wait: impl FnOnce() -> io::Result<()>,
) -> io::Result<bool> {
    write!(terminal.err, "{question}")?;
    terminal.err.flush()?;
    let line = wait()
        .map_err(PromptError::from)
        .and_then(|()| read_line(&mut *terminal.input));
    Ok(line.is_ok_and(|line| line.trim() == "yes"))
}

/// The first line, without its end. Byte by byte, so that a line without end is given up at [`MAX_LINE`].
pub(crate) fn read_line(input: &mut dyn Read) -> Result<Zeroizing<String>, PromptError> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(&mut *byte) {
            Ok(0) if line.is_empty() => return Err(PromptError::Missing),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == MAX_LINE => return Err(PromptError::TooLong),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = std::str::from_utf8(&line).map_err(|_| PromptError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Standard input, a terminal, not showing what is typed, until this is dropped.
struct HiddenInput(Termios);

impl HiddenInput {
    /// `None` if the terminal won't: better shown than not asked.
    fn begin() -> Option<Self> {
        let stdin = io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin).ok())??;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).ok()?;
        Some(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // If the terminal is gone there is nobody to show anything to.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// The longest password, 72 bytes, with the carriage return of a file from Windows.
const MAX_LINE: usize = 73;

#[cfg(test)]
mod tests;

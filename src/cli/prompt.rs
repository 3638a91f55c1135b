//! A secret line from standard input: at a terminal it is asked for and not shown.

use std::io::{self, IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Console;

/// Why there is no line. Never shows what was typed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PromptError {
    #[error("there is no password on standard input; give one line")]
    Missing,
    #[error("the password is too long: at most 72 bytes, for bcrypt reads no further")]
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
pub(super) fn secret_line(
    console: &mut Console<'_>,
    question: &str,
    wait: impl FnOnce() -> io::Result<()>,
) -> Result<Zeroizing<String>, PromptError> {
    let hidden = if console.input_is_terminal {
        write!(console.err, "{question}")?;
        console.err.flush()?;
        HiddenInput::begin()
    } else {
        None
    };
    let line = wait()
        .map_err(PromptError::from)
        .and_then(|()| read_line(&mut *console.input));
    if hidden.is_some() {
        // The newline that was typed was not shown either.
        writeln!(console.err)?;
    }
    line
}

/// Whether a person at the terminal answers `yes`. Anything else is no, as is no answer.
///
/// `wait` is called before anything is read; what it fails with is no, too.
pub(super) fn yes(
    console: &mut Console<'_>,
    question: &str,
    wait: impl FnOnce() -> io::Result<()>,
) -> io::Result<bool> {
    write!(console.err, "{question}")?;
    console.err.flush()?;
    let line = wait()
        .map_err(PromptError::from)
        .and_then(|()| read_line(&mut *console.input));
    Ok(line.is_ok_and(|line| line.trim() == "yes"))
}

/// The first line, without its end. Byte by byte, so that a line without end is given up at [`MAX_LINE`].
pub(super) fn read_line(input: &mut dyn Read) -> Result<Zeroizing<String>, PromptError> {
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
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_not_read_to_it() {
        let error = read_line(&mut io::repeat(b'x')).unwrap_err();
        assert!(matches!(error, PromptError::TooLong));
    }

    #[test]
    fn only_yes_is_yes() {
        for (typed, expected) in [
            ("yes\n", true),
            ("yes", true),
            (" yes \r\n", true),
            ("", false),
            ("\n", false),
            ("y\n", false),
            ("Yes\n", false),
            ("no\nyes\n", false),
            ("yes, of course\n", false),
            ("correct horse battery\n", false),
        ] {
            let mut console = Console {
                input: &mut typed.as_bytes(),
                input_is_terminal: true,
                out: &mut io::sink(),
                err: &mut io::sink(),
                hands_over: false,
            };
            let answer = yes(&mut console, "?", || Ok(())).unwrap();
            assert_eq!(answer, expected, "{typed:?}");
        }
        let mut console = Console {
            input: &mut "yes\n".as_bytes(),
            input_is_terminal: true,
            out: &mut io::sink(),
            err: &mut io::sink(),
            hands_over: false,
        };
        let stopped = || Err(io::ErrorKind::ConnectionAborted.into());
        assert!(!yes(&mut console, "?", stopped).unwrap());
    }

    #[test]
    fn whoever_ends_the_waiting_ends_the_question() {
        let mut err = Vec::new();
        let mut console = Console {
            input: &mut io::repeat(b'x'),
            input_is_terminal: true,
            out: &mut io::sink(),
            err: &mut err,
            hands_over: false,
        };
        let stopped = || Err(io::ErrorKind::ConnectionAborted.into());
        let line = secret_line(&mut console, "Password: ", stopped);
        assert!(matches!(line, Err(PromptError::Input(_))));
        assert_eq!(err, b"Password: ");
    }
}

//! What the client gets from outside: its folder, the password, colours, a signal to stop, and its time limits.

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

use super::folder::DeskFolder;
use super::stop::StopSignal;
use crate::config::SecretString;

/// What is around the command. Tests bring their own.
#[derive(Debug)]
pub struct Desk {
    /// Where things are kept, if there is a place.
    pub folder: Option<DeskFolder>,
    /// `POSTERN_PASSWORD`.
    pub password: Option<SecretString>,
    /// Whether standard output and standard error are terminals that want colours.
    pub colors: [bool; 2],
    /// What ends the command.
    pub stop: StopSignal,
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
            folder: DeskFolder::of_user(),
            password: password.map(SecretString::new),
            colors: [io::stdout().is_terminal(), io::stderr().is_terminal()]
                .map(|terminal| terminal && wanted),
            stop: StopSignal::on_signals()?,
            timing: Timing::default(),
        })
    }
}

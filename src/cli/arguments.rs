//! A command's flags and operand, checked against its row in the table.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

/// A command's flags and what stands without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    flags: Vec<(&'static str, OsString)>,
    operand: Option<OsString>,
}

impl Arguments {
    pub(super) fn add(&mut self, flag: &'static str, argument: OsString) {
        self.flags.push((flag, argument));
    }

    pub(super) fn set_operand(&mut self, word: OsString) {
        self.operand = Some(word);
    }

    /// Whether the flag is given.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.value(flag).is_some()
    }

    /// The flag's argument. The last one counts.
    fn value(&self, flag: &str) -> Option<&OsStr> {
        let mut given = self.flags.iter().rev();
        let last = given.find(|(name, _)| *name == flag);
        last.map(|(_, argument)| argument.as_os_str())
    }

    /// The flag's path.
    #[must_use]
    pub fn path(&self, flag: &str) -> Option<PathBuf> {
        self.value(flag).map(PathBuf::from)
    }

    /// The flag's number. The parser has checked its bounds.
    #[must_use]
    pub fn number(&self, flag: &str) -> Option<u32> {
        self.value(flag)?.to_str()?.parse().ok()
    }

    /// The flag's text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self, flag: &str) -> Result<Option<&str>, UsageError> {
        let Some(word) = self.value(flag) else {
            return Ok(None);
        };
        let text = word.to_str();
        text.map(Some)
            .ok_or_else(|| UsageError(format!("--{flag} takes UTF-8 text")))
    }

    /// What stands without a flag.
    #[must_use]
    pub fn operand(&self) -> Option<&OsStr> {
        self.operand.as_deref()
    }
}

/// Words that make no command. The message says what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub(super) String);

/// Why a command was not done, if it has not said so itself.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Its words make no sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The output cannot be written, or root's rights cannot be given up.
    #[error(transparent)]
    Io(#[from] io::Error),
}

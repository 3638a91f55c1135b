//! The flags that more than one command has, or that stand without any.

use super::command::{FlagArgument, FlagRow};

/// Flags that go with every command, before it or behind.
pub const COMMON_FLAGS: &[FlagRow] = &[
    FlagRow::new(
        "env-file",
        "read settings from FILE (default, if it exists: /etc/postern/postern.env)",
    )
    .takes(FlagArgument::Path("FILE")),
    FlagRow::new("help", "explain the program, or the command").short('h'),
    FlagRow::new("version", "print the version").short('V'),
];

/// Flags that stand before a command, or alone. A command may have a flag of the same name with another meaning.
pub const PROGRAM_FLAGS: &[FlagRow] = &[
    FlagRow::new("user", "before the command, as root: run it with NAME's rights alone")
        .takes(FlagArgument::Text("NAME")),
    #[cfg(feature = "generate")]
    FlagRow::new(
        "generate",
        "print the man page (man), or the completion for a shell (complete-bash, complete-zsh, complete-fish)",
    )
    .takes(FlagArgument::Word("WHAT", DOCUMENT_NAMES)),
];

pub(super) const SOCKET: FlagRow =
    FlagRow::new("socket", "use this socket, and read no configuration")
        .takes(FlagArgument::Path("PATH"));

pub(super) const JSON: FlagRow = FlagRow::new("json", "answer with one JSON object");

/// What `--generate` prints.
#[cfg(feature = "generate")]
pub(super) const DOCUMENT_NAMES: &[&str] =
    &["man", "complete-bash", "complete-zsh", "complete-fish"];

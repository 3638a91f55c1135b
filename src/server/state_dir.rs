//! Decides whether a folder may be the state folder. postern closes it to everybody else (0700), which would harm a
//! home or a folder of data that `STATE_DIR` names by mistake.

use crate::audit;
use crate::auth::INITIAL_PASSWORD_FILE;
use crate::journal::damaged_copies::MOST_KEPT;
use crate::journal::storage::LOCK;
use crate::journal::survey::FILE_NAME;

/// Whether a folder is postern's. `names`: what is in it, folders with `/` at the end. It is if it is empty; or if it
/// holds nothing but what postern makes or a person puts there for it; or if it has postern's lock and journal,
/// whatever else is there. The journal's content does not count, since its beginning may be damaged. A folder that was
/// closed to everybody else before is accepted too, since postern would change nothing about it. But a home, recognised
/// by its dot files, is no place for postern's files.
#[must_use]
pub fn is_ours(names: &[String], is_private: bool) -> bool {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    names.iter().all(|name| is_known(name))
        || (has(LOCK) && has(FILE_NAME))
        || (is_private && !names.iter().any(|name| name.starts_with('.')))
}

fn is_known(name: &str) -> bool {
    // What `files::replace` writes on, and a pulled plug leaves.
    let name = name.strip_suffix(".new").unwrap_or(name);
    let numbered = |(stem, most): &(&str, usize)| {
        let number = name.strip_prefix(stem);
        number.is_some_and(|number| (1..=*most).any(|known| known.to_string() == number))
    };
    FOLDERS.contains(&name)
        || FILES.contains(&name)
        || NUMBERED.iter().any(numbered)
        || name
            .strip_prefix(audit::NAME)
            .is_some_and(|rest| [".kept", ".kept.damaged"].contains(&rest))
}

const FILES: &[&str] = &[
    LOCK,
    FILE_NAME,
    audit::NAME,
    INITIAL_PASSWORD_FILE,
    "secret-key",
    // 0.1.0's.
    "log-sequence",
    "tls-cert.pem",
    "tls-key.pem",
    "tls-key.pem.next",
    "tls-last-good.pem",
    "postern.sock",
    "update.json",
    "update.json.minisig",
];

/// With a number behind them, from 1 on.
const NUMBERED: &[(&str, usize)] = &[
    ("journal.damaged.", MOST_KEPT),
    ("audit.log.", audit::FILES - 1),
    ("audit.log.damaged.", audit::MOST_ASIDE),
];

/// A fresh file system has a `lost+found`.
const FOLDERS: &[&str] = &["advisories/", "lost+found/"];

#[cfg(test)]
mod tests;

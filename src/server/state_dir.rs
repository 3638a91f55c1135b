//! Which folders may be the state folder. It is closed to everybody else (0700), which would be a nasty surprise for a home or
//! a folder of data that `STATE_DIR` names by mistake.

use crate::audit;
use crate::auth::INITIAL_PASSWORD_FILE;
use crate::journal::storage::LOCK;
use crate::journal::survey::FILE_NAME;

/// Whether a folder is postern's, by the names in it, of which those of folders end in `/`: an empty one; one in which there is
/// nothing but what postern makes or a person puts there for it; or one with two such files, the lock and a journal say,
/// whatever else is there.
pub fn is_ours(names: &[String]) -> bool {
    let known = |name: &&String| {
        let name = name.as_str();
        FOLDERS.contains(&name)
            || FILES.iter().any(|file| {
                let rest = name.strip_prefix(file);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    };
    let files = names
        .iter()
        .filter(known)
        .filter(|name| !name.ends_with('/'));
    names.iter().all(|name| known(&name)) || files.count() >= ENOUGH
}

/// With or without something behind a dot.
const FILES: &[&str] = &[
    LOCK,
    FILE_NAME,
    audit::NAME,
    INITIAL_PASSWORD_FILE,
    "secret-key",
    "log-sequence",
    "tls-cert.pem",
    "tls-key.pem",
    "tls-last-good.pem",
    "postern.sock",
    "update.json",
];

/// A fresh file system has a `lost+found`.
const FOLDERS: &[&str] = &["advisories/", "lost+found/"];

/// One name may be a coincidence.
const ENOUGH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_ours_if_nothing_else_is_in_it_or_two_of_our_files_are() {
        let ours = |names: &str| {
            let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
            is_ours(&names)
        };
        for names in [
            "",
            "lost+found/",
            "advisories/ update.json update.json.minisig",
            "initial-password",
            "tls-cert.pem tls-key.pem",
            "journal journal.damaged.1 audit.log.3 secret-key.new postern.sock",
            "lock journal notes.txt old/",
        ] {
            assert!(ours(names), "{names}");
        }
        for names in [
            ".bashrc",
            "x/",
            "journal/",
            "lock x",
            "journal/ lock/ x",
            "advisories/ lost+found/ x",
            "journalist lockouts x",
        ] {
            assert!(!ours(names), "{names}");
        }
    }
}

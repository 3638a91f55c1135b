//! Which folders decide what a path names: those in which a link on its way stands, and the one in which its last part
//! stands, or the first part that is missing.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// A folder to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WatchedFolder {
    pub(super) folder: PathBuf,
    /// What matters in it; if nothing, only what becomes of the folder itself.
    pub(super) name: Option<WatchedName>,
}

/// Which of a folder's entries matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchedName {
    Exactly(OsString),
    Like(Pattern),
    Any,
}

impl WatchedName {
    pub(super) fn matches(&self, name: &OsStr) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == name,
            // What is not UTF-8 is matched as it will be shown.
            Self::Like(pattern) => pattern.matches_with(&name.to_string_lossy(), AS_SHELLS_DO),
            Self::Any => true,
        }
    }
}

/// The folders that decide what `path` names. If it is a folder that is to be looked into, its own is not among them.
pub(super) fn watched(path: &Path, into_folder: bool) -> Vec<WatchedFolder> {
    let mut watched = Vec::new();
    let mut todo: VecDeque<OsString> = VecDeque::new();
    push_front(&mut todo, path);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let found = std::fs::symlink_metadata(&next).map(|found| found.file_type());
        let named = |at: &Path, name| WatchedFolder {
            folder: at.to_owned(),
            name: Some(WatchedName::Exactly(name)),
        };
        match found {
            Ok(kind) if kind.is_symlink() && links < MAX_LINKS => {
                links += 1;
                watched.push(named(&at, name));
                if let Ok(target) = std::fs::read_link(&next) {
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    push_front(&mut todo, &target);
                }
            }
            Ok(kind) if kind.is_dir() && (into_folder || !todo.is_empty()) => {
                watched.push(WatchedFolder {
                    folder: next.clone(),
                    name: None,
                });
                at = next;
            }
            _ => {
                watched.push(named(&at, name));
                break;
            }
        }
    }
    watched
}

fn push_front(todo: &mut VecDeque<OsString>, path: &Path) {
    for part in path.components().rev() {
        match part {
            Component::Normal(name) => todo.push_front(name.to_owned()),
            Component::ParentDir => todo.push_front("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

/// `*` and `?` match neither a `/` nor a leading dot: what editors and copiers call `.app.log.x` is not a log yet.
pub(super) const AS_SHELLS_DO: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// As many as the kernel follows.
const MAX_LINKS: u32 = 40;

#[cfg(test)]
mod tests;

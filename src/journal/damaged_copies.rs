//! Keeps damaged journals beside the new one: `journal.damaged.1`, `.2` and so on, for the server and the
//! commands.

use std::io;

use super::storage::{Storage, write_all};

/// What to do where as many are kept as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Refuse: somebody is there who can make room.
    Refuse,
    /// Let this one take the place of the last. Those that came first tell the most of how it began.
    ReplaceLast,
}

/// Where a file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptFile {
    pub(super) name: String,
    /// It was not there before.
    pub(super) is_new: bool,
}

/// Gives the file a second name that nothing has; `bytes` are the file's. One that is kept already, since it was found
/// at the last start too and could not be put right, is not kept twice.
///
/// A crash in here leaves the file in its place, under one name or two.
///
/// # Errors
/// The file system's; or none may be replaced, and [`MOST_KEPT`] lie there.
pub(super) fn keep_copy(
    storage: &dyn Storage,
    name: &str,
    bytes: &[u8],
    when_full: WhenFull,
) -> io::Result<KeptFile> {
    for number in 1..=MOST_KEPT {
        let kept = kept_name(name, number);
        match second_name(storage, name, &kept, bytes) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if holds(storage, &kept, bytes) {
                    return Ok(KeptFile::at(kept, false));
                }
            }
            done => return done.map(|()| KeptFile::at(kept, true)),
        }
    }
    let last = kept_name(name, MOST_KEPT);
    if when_full == WhenFull::Refuse {
        let full = format!("{MOST_KEPT} damaged journals are kept beside it already; remove some");
        return Err(io::Error::other(full));
    }
    log::warn!(file = storage.location(&last).as_str(); "no more damaged journals can be kept, so this one replaces the last of them; look into them, then remove them");
    storage.remove(&last)?;
    second_name(storage, name, &last, bytes).map(|()| KeptFile::at(last, true))
}

impl KeptFile {
    const fn at(name: String, is_new: bool) -> Self {
        Self { name, is_new }
    }
}

fn holds(storage: &dyn Storage, name: &str, bytes: &[u8]) -> bool {
    let file = storage.open(name).ok().flatten();
    file.and_then(|mut file| file.read(bytes.len()).ok())
        .is_some_and(|there| there == bytes)
}

fn kept_name(name: &str, number: usize) -> String {
    format!("{name}.damaged.{number}")
}

/// A second name takes no room on a full card. Where the file system knows no such thing it is a copy.
fn second_name(storage: &dyn Storage, name: &str, kept: &str, bytes: &[u8]) -> io::Result<()> {
    match storage.link(name, kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
        linked => return linked,
    }
    let mut copy = storage.create(kept)?;
    let copied = write_all(copy.as_mut(), bytes).and_then(|()| copy.sync_all());
    if copied.is_err() {
        // Half a copy is none.
        let _ = storage.remove(kept);
    }
    copied
}

/// Damaged journals to keep. A card that makes more of them wants to be replaced.
pub const MOST_KEPT: usize = 8;

#[cfg(test)]
mod tests;

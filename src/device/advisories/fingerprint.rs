//! Whether the advisories or the packages changed since they were read, without reading them again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::files::FileStamp;

/// What the files look like, as far as a quick look tells: what is changed further down, or beyond the first few thousand
/// names, does not show.
#[must_use]
pub fn fingerprint(place: &Path, others: impl Iterator<Item = PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = MAX_FILES;
    add(place, 2, &mut left, &mut hasher);
    for path in others {
        add(&path, 0, &mut left, &mut hasher);
    }
    hasher.finish()
}

fn add(path: &Path, levels: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    *left = left.saturating_sub(1);
    path.hash(hasher);
    let there = match levels {
        2 => fs::metadata(path),
        _ => fs::symlink_metadata(path),
    };
    let Ok(there) = there.inspect_err(|error| error.kind().hash(hasher)) else {
        return;
    };
    FileStamp::from(&there).hash(hasher);
    if levels == 0 || !there.is_dir() {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        add(&entry.path(), levels - 1, left, hasher);
    }
}

const MAX_FILES: usize = 2048;

#[cfg(test)]
mod tests;

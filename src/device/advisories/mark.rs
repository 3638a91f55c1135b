//! Whether the advisories or the packages changed since they were read, without reading them again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::files::Mark;

/// What the files look like, as far as a quick look tells: what is changed further down, or beyond the first few thousand
/// names, does not show.
#[must_use]
pub fn mark(place: &Path, others: impl Iterator<Item = PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = MAX_MARKS;
    mark_one(place, 2, &mut left, &mut hasher);
    for path in others {
        mark_one(&path, 0, &mut left, &mut hasher);
    }
    hasher.finish()
}

fn mark_one(path: &Path, levels: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    *left = left.saturating_sub(1);
    path.hash(hasher);
    let there = match levels {
        2 => fs::metadata(path),
        _ => fs::symlink_metadata(path),
    };
    let Ok(there) = there.inspect_err(|error| error.kind().hash(hasher)) else {
        return;
    };
    Mark::from(&there).hash(hasher);
    if levels == 0 || !there.is_dir() {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        mark_one(&entry.path(), levels - 1, left, hasher);
    }
}

const MAX_MARKS: usize = 2048;

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn a_mark_changes_with_what_it_is_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let put = |name: &str, contents: &str| {
            let path = path(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, contents).expect("written");
        };
        put("list", "a");
        let marks = || mark(&path("advisories"), iter::once(path("list")));
        let mut seen = vec![marks()];
        let mut changed = |what: &str| {
            let now = marks();
            assert_eq!(now, marks(), "{what}");
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::create_dir(path("advisories")).expect("made");
        changed("a folder");
        put("advisories/db/crates/A-1.json", "one");
        changed("a folder in it");
        put("advisories/A-1.json", "one");
        changed("a file");
        put("advisories/A-1.json", "other");
        changed("its size");
        put("advisories/db/A-2.json", "one");
        changed("a file in a folder in it");
        put("list", "ab");
        changed("the list of packages");
    }
}

//! Whether a file is still the one that was looked at before.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Enough of a file's metadata to notice that it was replaced or rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileStamp([u64; 3], [i64; 4]);

impl From<&Metadata> for FileStamp {
    fn from(there: &Metadata) -> Self {
        let times = [
            there.mtime(),
            there.mtime_nsec(),
            there.ctime(),
            there.ctime_nsec(),
        ];
        Self([there.dev(), there.ino(), there.len()], times)
    }
}

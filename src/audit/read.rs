//! The entries read backwards, newest first, a block at a time, through all files.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::{FILES, open, path};
use super::line::{ChainLink, MAX_LINE};

/// Collects entries until there are enough.
pub struct EntryPage {
    before: u64,
    limit: usize,
    lines: Vec<String>,
    /// The smallest number that was seen: what is kept of older files may still stand in them.
    smallest: u64,
}

impl EntryPage {
    /// At most `limit` entries with numbers below `before`.
    pub fn new(before: u64, limit: usize) -> Self {
        Self {
            before,
            limit,
            lines: Vec::new(),
            smallest: u64::MAX,
        }
    }

    /// What was collected, the newest last.
    pub fn into_lines(mut self) -> Vec<String> {
        self.lines.reverse();
        self.lines
    }

    /// Takes lines from a text's end.
    pub fn take_text(&mut self, text: &[u8]) {
        for line in text.rsplit(|b| *b == b'\n') {
            self.take(line);
        }
    }

    /// Takes lines from the files' ends, the newest file first, of which only so many bytes count.
    ///
    /// # Errors
    /// The file system's.
    pub fn take_files(&mut self, folder: &Path, newest: u64) -> io::Result<()> {
        for number in 0..=FILES {
            if number == FILES {
                self.before = self.before.min(self.smallest);
            }
            let (file, len) = match open(&path(folder, number)) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) =>
                {
                    continue;
                }
                other => other?,
            };
            let len = if number == 0 { len.min(newest) } else { len };
            self.take_file(file, len)?;
        }
        Ok(())
    }

    fn take_file(&mut self, mut file: File, len: u64) -> io::Result<()> {
        let mut at = len;
        // The end of the block that was read is the beginning of a line; what of it has been read stands here.
        let mut rest = Vec::new();
        while at > 0 && !self.is_full() {
            let size = at.min(BLOCK);
            at -= size;
            file.seek(SeekFrom::Start(at))?;
            let mut block = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + rest.len());
            (&file).take(size).read_to_end(&mut block)?;
            block.append(&mut rest);
            let first = block.iter().position(|b| *b == b'\n');
            match first {
                _ if at == 0 => self.take_text(&block),
                Some(first) => {
                    self.take_text(&block[first + 1..]);
                    block.truncate(first);
                    rest = block;
                }
                None => rest = block,
            }
            // Longer than any line: its beginning makes no difference any more, but that it is too long does.
            if rest.len() > MAX_LINE {
                rest.drain(..rest.len() - MAX_LINE - 1);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= self.limit
    }

    /// What is no entry is passed over: `postern audit verify` tells of it.
    fn take(&mut self, line: &[u8]) {
        if self.is_full() {
            return;
        }
        let Some(ChainLink { seq, .. }) = ChainLink::of(line) else {
            return;
        };
        self.smallest = self.smallest.min(seq);
        if seq >= self.before {
            return;
        }
        // It stands in other JSON as it is.
        if serde_json::from_slice::<serde_json::Value>(line).is_ok() {
            self.lines.push(String::from_utf8_lossy(line).into_owned());
        }
    }
}

/// Bytes that are read at a time: some eighty entries.
const BLOCK: u64 = 16 * 1024;

//! Bytes to lines, apart from any file: long lines are cut, bad UTF-8 is replaced, nothing is buffered without bound.

use crate::logs::entry::MAX_MESSAGE_BYTES;

/// One line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextLine {
    /// Without its line ending. What was not UTF-8 has become U+FFFD.
    pub(super) text: String,
    /// If it was cut: how long it was, in bytes.
    pub(super) cut_from: Option<u64>,
}

/// Cuts a stream of bytes into lines. `\n` ends one; a `\r` before it goes too.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of the line under way: as much as will be kept, and one byte for its `\r`.
    kept: Vec<u8>,
    /// How long that line is so far.
    length: u64,
    last: u8,
}

impl Splitter {
    /// Takes the next bytes and gives every line they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], mut give: impl FnMut(TextLine)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.take(&rest[..end]);
            rest = &rest[end + 1..];
            give(self.line());
        }
        self.take(rest);
    }

    /// Gives the unfinished line, if there is one, as it is.
    pub(super) fn finish(&mut self, mut give: impl FnMut(TextLine)) {
        if self.is_partial() {
            give(self.line());
        }
    }

    /// Whether a line has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.length > 0
    }

    fn take(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else {
            return;
        };
        self.last = last;
        self.length += bytes.len() as u64;
        let room = MAX_MESSAGE_BYTES + 1 - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self) -> TextLine {
        if self.length > 0 && self.last == b'\r' {
            self.length -= 1;
        }
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let cut = length > MAX_MESSAGE_BYTES;
        self.kept.truncate(length.min(MAX_MESSAGE_BYTES));
        if cut {
            // The cut may have gone through a character; half of one is not the writer's mistake.
            if let Err(error) = std::str::from_utf8(last_bytes(&self.kept))
                && error.error_len().is_none()
            {
                let half = last_bytes(&self.kept).len() - error.valid_up_to();
                self.kept.truncate(self.kept.len() - half);
            }
        }
        let line = TextLine {
            text: String::from_utf8_lossy(&self.kept).into_owned(),
            cut_from: cut.then_some(self.length),
        };
        self.kept.clear();
        if self.kept.capacity() > KEPT_CAPACITY {
            self.kept = Vec::new();
        }
        self.length = 0;
        self.last = 0;
        line
    }
}

/// From the last byte that begins a character: a character has four bytes at most.
fn last_bytes(bytes: &[u8]) -> &[u8] {
    let from = bytes
        .iter()
        .rposition(|byte| byte & 0b1100_0000 != 0b1000_0000)
        .unwrap_or(0);
    &bytes[from..]
}

/// The buffer is given back above this: one long line must not be paid for ever after.
const KEPT_CAPACITY: usize = 4096;

#[cfg(test)]
mod tests;

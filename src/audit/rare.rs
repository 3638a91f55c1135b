//! `audit.log.kept`: what rarely happens and matters for long, kept when the rest of its file is thrown away. No flood of
//! logins pushes a password change out.
//!
//! Before the oldest file makes room, its rare entries ([`EventKind::is_rare`]) are put here, each with the number it has; a crash
//! in between leaves some in both, and whoever reads takes the numbers that are smaller than the log's. The file is replaced
//! whole, and its lines are chained anew. It has a bound, too: when it is full, the oldest entry of the kind that has most
//! goes, and is counted (`"repeated"`) in the next one of that kind. So a server that starts over and over only ever takes
//! the place of its own starts.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::event::EventKind;
use super::folder::{FILES, path};
use super::line::{ChainLink, MAX_LINE, NONE_BEFORE, hash, line, raw_member};
use crate::files;

/// The entries, the oldest first.
#[derive(Default)]
pub struct RareEntries {
    entries: Vec<RareEntry>,
    /// Whether their chain was as it had been written.
    pub whole: bool,
}

struct RareEntry {
    seq: u64,
    /// The members between number and hash, without [`REPEATED`].
    body: String,
    /// How many before it have no line any more.
    repeated: u64,
}

impl RareEntries {
    /// Those of a folder.
    ///
    /// # Errors
    /// The file system's, but for what is not there; [`ErrorKind::InvalidData`] and [`ErrorKind::FileTooLarge`] for what
    /// cannot be ours.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let text = match files::read_own_up_to(&path(folder, FILES), 2 * MOST_BYTES) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut kept = Self {
            entries: Vec::new(),
            whole: text.is_empty() || text.ends_with(b"\n"),
        };
        let mut before: Option<String> = None;
        for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let prev = before.replace(hash(line));
            match (ChainLink::of(line), RareEntry::of(line)) {
                (Some(link), Some(entry)) => {
                    kept.whole &= entry.seq > kept.newest() || kept.entries.is_empty();
                    kept.whole &= link.prev == prev.as_deref().unwrap_or(NONE_BEFORE);
                    kept.entries.push(entry);
                }
                _ => kept.whole = false,
            }
        }
        Ok(kept)
    }

    /// The newest entry's number; 0: there is none.
    pub fn newest(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq)
    }

    /// Adds what is rare in a file of the log, and says whether there was any that is not here yet.
    pub fn add(&mut self, text: &[u8]) -> bool {
        let newest = self.newest();
        let before = self.entries.len();
        let lines = text.split(|b| *b == b'\n');
        let rare = lines
            .filter(|line| ChainLink::of(line).is_some())
            .filter_map(RareEntry::of);
        self.entries
            .extend(rare.filter(|entry| entry.seq > newest && EventKind::is_rare(entry.event())));
        self.entries.len() > before
    }

    /// The file, of at most so many bytes, if each kind has but a few.
    pub fn text(mut self, limit: u64) -> String {
        let limit = usize::try_from(limit.min(MOST_BYTES)).unwrap_or(0);
        let mut bytes: usize = self.entries.iter().map(RareEntry::bytes).sum();
        while bytes > limit && self.fold() {
            bytes = self.entries.iter().map(RareEntry::bytes).sum();
        }
        let mut text = String::with_capacity(bytes);
        let mut prev = NONE_BEFORE.to_owned();
        for entry in &self.entries {
            let line = line(entry.seq, &entry.whole_body(), &prev);
            prev = hash(line.as_bytes());
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Counts the oldest entry of the kind that has most in the next one of it. Says whether there was any.
    fn fold(&mut self) -> bool {
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        for (at, entry) in self.entries.iter().enumerate().rev() {
            let (count, oldest) = counts.entry(entry.event()).or_default();
            *count += 1;
            *oldest = at;
        }
        let most = counts.into_values().max();
        let Some((2.., oldest)) = most else {
            return false;
        };
        let gone = self.entries.remove(oldest);
        let next = self.entries[oldest..].iter_mut();
        if let Some(next) = next.into_iter().find(|next| next.event() == gone.event()) {
            next.repeated = next
                .repeated
                .saturating_add(gone.repeated)
                .saturating_add(1);
        }
        true
    }
}

impl RareEntry {
    fn of(line: &[u8]) -> Option<Self> {
        let ChainLink { seq, .. } = ChainLink::of(line)?;
        let text = std::str::from_utf8(line).ok()?;
        let (_, body) = text.split_once(',')?;
        // Quotes within a text are escaped: these stand nowhere but between members.
        let (body, _) = body.rsplit_once(",\"prev\":\"")?;
        let (body, repeated) = match body.rsplit_once(REPEATED_BEGIN) {
            Some((body, count)) => (body, count.parse().ok()?),
            None => (body, 0),
        };
        Some(Self {
            seq,
            body: body.to_owned(),
            repeated,
        })
    }

    fn event(&self) -> &str {
        let begins = self.body.split_once("\"event\":\"");
        let name = begins.and_then(|(_, rest)| rest.split('"').next());
        name.unwrap_or_default()
    }

    fn whole_body(&self) -> String {
        let mut body = self.body.clone();
        if self.repeated > 0 {
            raw_member(&mut body, REPEATED, &self.repeated.to_string());
        }
        body
    }

    /// As many as its line may have.
    fn bytes(&self) -> usize {
        (self.body.len() + OVERHEAD).min(MAX_LINE)
    }
}

/// The last member of a body, where there is one: how many events like it, since the one before, have no entry of their own.
pub const REPEATED: &str = "repeated";

const REPEATED_BEGIN: &str = ",\"repeated\":";

/// Number, hash, count, and the names of these.
const OVERHEAD: usize = 150;

/// A thousand entries, however large the log is: it is written anew each time.
const MOST_BYTES: u64 = 256 * 1024;

#[cfg(test)]
mod tests;

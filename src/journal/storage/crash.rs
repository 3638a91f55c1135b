//! A disk in memory, and what a power cut may leave of it: of the bytes that were not synced, any part may be missing,
//! by sectors; names are as they were at some instant since the last sync of their folder; a file may be longer than
//! what was written of it.

use std::collections::BTreeMap;

/// What is on the disk, certainly or not.
#[derive(Clone, Default)]
pub(super) struct Disk {
    /// Every file there ever was, with or without a name.
    pub(super) files: Vec<Inode>,
    pub(super) names: Names,
    /// What the names were after the last sync of the folder and after every change since.
    pub(super) history: Vec<Names>,
}

pub(super) type Names = BTreeMap<&'static str, usize>;

/// One file.
#[derive(Clone, Default)]
pub(super) struct Inode {
    /// As the running system sees it.
    pub(super) content: Vec<u8>,
    /// What a crash may make of it.
    pub(super) changes: Changes,
}

/// How a file came to be what it is.
#[derive(Clone, Default)]
pub(super) struct Changes {
    /// What is certainly on the disk.
    base: Vec<u8>,
    /// What happened to that since, the oldest first.
    since: Vec<(FileChange, Fate)>,
}

#[derive(Clone)]
enum FileChange {
    Write { at: usize, bytes: Vec<u8> },
    Cut { len: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not synced yet.
    Open,
    /// A sync failed: it may be there or not, whatever is synced from now on.
    Doubtful,
    /// Synced, but lying over doubtful changes.
    Certain,
}

impl Inode {
    /// A file that is on the disk.
    pub(super) fn certain(content: Vec<u8>) -> Self {
        let changes = Changes {
            base: content.clone(),
            since: Vec::new(),
        };
        Self { content, changes }
    }

    /// Adds bytes at the end.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let at = self.content.len();
        self.content.extend_from_slice(bytes);
        let bytes = bytes.to_vec();
        self.changes.note(FileChange::Write { at, bytes });
    }

    /// Cuts the file.
    pub(super) fn cut(&mut self, len: usize) {
        self.content.truncate(len);
        self.changes.note(FileChange::Cut { len });
    }
}

impl Changes {
    fn note(&mut self, change: FileChange) {
        self.since.push((change, Fate::Open));
    }

    /// A sync has succeeded.
    pub(super) fn make_certain(&mut self) {
        for (_, fate) in &mut self.since {
            if *fate == Fate::Open {
                *fate = Fate::Certain;
            }
        }
        // What lies under the first doubtful change is settled.
        let settled = self.since.iter().position(|(_, f)| *f != Fate::Certain);
        let settled = settled.unwrap_or(self.since.len());
        for (change, _) in self.since.drain(..settled) {
            change.apply(&mut self.base);
        }
    }

    /// A sync has failed.
    pub(super) fn make_doubtful(&mut self) {
        for (_, fate) in &mut self.since {
            if *fate == Fate::Open {
                *fate = Fate::Doubtful;
            }
        }
    }

    /// What is found of a file whose latest length was `len`, if `stale` lay on the disk before.
    fn crashed(self, len: usize, stale: &[u8], choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let mut found = self.base;
        let mut lost_any = false;
        for (change, fate) in self.since {
            if fate == Fate::Certain {
                change.apply(&mut found);
                continue;
            }
            match change {
                FileChange::Cut { .. } => {
                    if choose(2) == 1 {
                        change.apply(&mut found);
                    }
                }
                FileChange::Write { at, bytes } => {
                    for (at, sector) in sectors(at, &bytes) {
                        if choose(2) == 1 {
                            if found.len() < at {
                                // The hole before it may hold anything.
                                let from = found.len();
                                match choose(3) {
                                    1 => found.resize(at, 0xFF),
                                    2 => {
                                        let old = stale.get(from..).unwrap_or_default();
                                        found.extend(old.iter().take(at - from));
                                    }
                                    _ => {}
                                }
                            }
                            put(&mut found, at, sector);
                        } else {
                            lost_any = true;
                        }
                    }
                }
            }
        }
        // The length may have reached the disk ahead of the data: then zeros are there, or what was there before.
        if lost_any && found.len() < len {
            let from = found.len();
            let len = len - choose(len - from);
            match choose(4) {
                1 => found.resize(len, 0),
                2 => found.resize(len, 0xFF),
                3 => {
                    let old = stale.get(from..).unwrap_or_default();
                    found.extend(old.iter().take(len - from));
                    found.resize(len, 0);
                }
                _ => {}
            }
        }
        found
    }
}

impl FileChange {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => put(content, *at, bytes),
            Self::Cut { len } => content.truncate(*len),
        }
    }
}

impl Disk {
    /// The running system sees these names from now on.
    pub(super) fn change_names(&mut self, names: Names) {
        if self.history.is_empty() {
            self.history.push(self.names.clone());
        }
        if names != self.names {
            self.history.push(names.clone());
            self.names = names;
        }
    }

    /// The disk after a power cut.
    pub(super) fn crashed(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let names = match self.history.len() {
            0 => self.names.clone(),
            states => self.history[choose(states)].clone(),
        };
        // Freed blocks hold what some file held before.
        let stale = match self.files.len() {
            0 => &[][..],
            files => &self.files[choose(files)].content,
        };
        // Files keep their places in the list, so that two names of one file stay that.
        let files = self.files.iter().enumerate().map(|(place, file)| {
            if !names.values().any(|named| *named == place) {
                return Inode::default();
            }
            let changes = file.changes.clone();
            Inode::certain(changes.crashed(file.content.len(), stale, choose))
        });
        Self {
            files: files.collect(),
            history: vec![names.clone()],
            names,
        }
    }
}

/// Writes over and beyond what is there; a hole is zeros.
fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// The parts of a write that lie in one sector each: a disk writes a sector whole or not at all.
fn sectors(mut at: usize, mut bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let room = SECTOR - at % SECTOR;
        let (part, rest) = bytes.split_at(room.min(bytes.len()));
        parts.push((at, part));
        at += part.len();
        bytes = rest;
    }
    parts
}

/// The smallest unit that is written whole or not at all.
const SECTOR: usize = 512;

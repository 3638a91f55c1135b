//! Whole new journals: what a rewritten file holds, and the thread that writes one while commits go on.
//!
//! A compaction on the side: the thread weighs what is in force; if that is less than half of the file, it writes it into
//! a replacement while the writer goes on appending to the old file, and the writer keeps what it appends for the new
//! one too (the *delta*). When the thread is through, the writer adds the delta and publishes. A crash finds the old
//! file until then, with everything in it.
//!
//! What is in force is asked for in parts, and changes meanwhile. That is no harm: what was committed before the
//! compaction began is in the state, what is committed later is in the delta, behind it, and every record may be applied
//! twice.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};

use super::JournalState;
use super::files::Replacement;
use super::format::{FRAMES_START, MAX_FILE, Record, Salt, copies, encode, frame_len, headers};
use super::replay::next_frame;
use crate::clock::Timestamp;

/// Fails if whoever is at work is to give up.
pub(super) type GoOn<'a> = &'a dyn Fn() -> io::Result<()>;

/// What a new file is made from.
#[derive(Clone)]
pub(super) struct Contents {
    pub(super) state: Arc<dyn JournalState>,
    /// Frames of a newer version, back to back, and the salt they are under.
    pub(super) unknown: Arc<[u8]>,
    pub(super) unknown_salt: Salt,
    /// What has expired by then is left out.
    pub(super) now: Timestamp,
    /// The new file's mark.
    pub(super) mark: Timestamp,
}

/// A new file as far as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub(super) salt: Salt,
    pub(super) bytes: usize,
    pub(super) records: u64,
    /// Whether a mark is the last of them.
    pub(super) ends_marked: bool,
}

impl Contents {
    /// The size of the file that [`write`](Self::write) would make. After each part it is asked whether to go on.
    fn weigh(&self, go_on: GoOn<'_>) -> io::Result<usize> {
        let mut bytes = FRAMES_START + 2 * frame_len(&self.mark()) + self.unknown.len();
        for part in 0..self.state.parts() {
            let mut add = |record: &Record| bytes += copies(record) * frame_len(record);
            self.state.live_part(part, self.now, &mut add);
            go_on()?;
        }
        Ok(bytes)
    }

    /// Writes a whole file, under a new salt, with `extra` behind everything that is in force. It is durable then, but
    /// has to be published. After each part it is asked whether to go on.
    pub(super) fn write(
        &self,
        replacement: &mut Replacement,
        salt: Salt,
        extra: &[&Record],
        go_on: GoOn<'_>,
    ) -> io::Result<Image> {
        let mut image = Image {
            salt,
            bytes: 0,
            records: 0,
            ends_marked: true,
        };
        let mut chunk = headers(salt).to_vec();
        // At the head, so that other records' times are measured by it; and at the end, where a start looks for it.
        image.add(&self.mark(), &mut chunk)?;
        // What is kept twice comes once more at the end, as far from the first as it can be.
        let mut again: Vec<Record> = Vec::new();
        for part in 0..self.state.parts() {
            // Only into memory: the state's lock must not be held while a card takes its time.
            let mut result = Ok(());
            self.state.live_part(part, self.now, &mut |record| {
                if result.is_ok() {
                    result = image.add(record, &mut chunk);
                    if copies(record) > 1 {
                        again.push(record.clone());
                    }
                }
            });
            result?;
            if chunk.len() >= CHUNK {
                image.write(replacement, &mut chunk)?;
                // A file system that orders data before its log makes everybody's sync wait for what is not on the disk
                // yet. In small helpings nobody waits for long.
                replacement.sync()?;
            }
            go_on()?;
        }
        // Before what is newer than the state.
        for record in &again {
            image.add(record, &mut chunk)?;
        }
        for record in extra {
            for _ in 0..copies(record) {
                image.add(record, &mut chunk)?;
            }
        }
        let mut unknown = &self.unknown[..];
        while let Some((skipped, frame)) = next_frame(unknown, self.unknown_salt) {
            frame.write(salt, &mut chunk);
            image.records += 1;
            unknown = &unknown[skipped + frame.len()..];
        }
        image.add(&self.mark(), &mut chunk)?;
        image.write(replacement, &mut chunk)?;
        replacement.seal()?;
        Ok(image)
    }

    fn mark(&self) -> Record {
        Record::Mark { at: self.mark }
    }
}

impl Image {
    fn add(&mut self, record: &Record, chunk: &mut Vec<u8>) -> io::Result<()> {
        self.records += 1;
        encode(record, self.salt, chunk).map_err(io::Error::other)
    }

    /// Adds frames behind the mark.
    pub(super) fn follow(
        &mut self,
        replacement: &mut Replacement,
        delta: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.write(replacement, delta)?;
        self.ends_marked = false;
        replacement.seal()
    }

    /// Writes out a chunk, and empties it.
    fn write(&mut self, replacement: &mut Replacement, chunk: &mut Vec<u8>) -> io::Result<()> {
        self.bytes += chunk.len();
        if self.bytes > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        replacement.write(chunk)?;
        chunk.clear();
        Ok(())
    }
}

/// What the thread has done.
pub(super) enum Progress {
    /// So many bytes are in force.
    Weighed(usize),
    /// The replacement is written and durable, as far as it goes.
    Written(Replacement, Image),
}

/// A thread at work on the side. Dropped, it gives up as soon as it can.
pub(super) struct Work {
    progress: Receiver<io::Result<Progress>>,
    cancelled: Arc<AtomicBool>,
}

impl Work {
    /// Weighs what is in force.
    pub(super) fn weigh(contents: Contents) -> io::Result<Self> {
        Self::start(move |cancelled| Ok(Progress::Weighed(contents.weigh(&|| go_on(cancelled))?)))
    }

    /// Writes what is in force.
    pub(super) fn write(
        contents: Contents,
        mut replacement: Replacement,
        salt: Salt,
    ) -> io::Result<Self> {
        Self::start(move |cancelled| {
            let image = contents.write(&mut replacement, salt, &[], &|| go_on(cancelled))?;
            Ok(Progress::Written(replacement, image))
        })
    }

    /// Adds frames that came meanwhile.
    pub(super) fn follow(
        mut replacement: Replacement,
        mut image: Image,
        mut delta: Vec<u8>,
    ) -> io::Result<Self> {
        Self::start(move |_| {
            image.follow(&mut replacement, &mut delta)?;
            Ok(Progress::Written(replacement, image))
        })
    }

    /// Where it says that it is through; disconnected without a word if it was cancelled or has panicked.
    pub(super) fn progress(&self) -> &Receiver<io::Result<Progress>> {
        &self.progress
    }

    fn start(
        work: impl FnOnce(&AtomicBool) -> io::Result<Progress> + Send + 'static,
    ) -> io::Result<Self> {
        let (told, progress) = bounded(1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = cancelled.clone();
        thread::Builder::new()
            .name("compaction".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let _ = told.send(work(&flag));
            })?;
        Ok(Self {
            progress,
            cancelled,
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

fn go_on(cancelled: &AtomicBool) -> io::Result<()> {
    if cancelled.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(())
}

/// Bytes written, and synced, at a time: a slow card takes 30 ms for them.
const CHUNK: usize = 256 * 1024;

/// The thread's stack, in bytes. Its buffers are on the heap, and `JournalState::live_part` is a loop.
const STACK: usize = 256 * 1024;

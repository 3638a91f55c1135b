//! The writer's side of a compaction: when one is due, which appends it adds meanwhile, and how it ends.

use std::io;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::compaction::{COMPACT_FROM, Compaction, Schedule, Stage};
use super::files::Replacement;
use super::format::{Record, copies, encode_copies};
use super::rewrite::{Image, Progress, Work};
use super::writer::{RewriteError, Writer};
use crate::clock::Timestamp;

impl Writer {
    /// Whether the file should be weighed: it is worth the trouble, and has grown since the last time, or an hour has
    /// passed.
    pub(super) fn compaction_is_due(&self) -> bool {
        let now = self.clock.monotonic();
        self.compaction.is_none()
            && self.bytes >= COMPACT_FROM
            && now >= self.schedule.from
            && (self.bytes >= self.schedule.size || now >= self.schedule.in_any_case)
    }

    /// Begins with finding out whether at least half of the file is records that nobody needs any more.
    pub(super) fn weigh(&mut self, done: Sender<()>) {
        match Work::weigh(self.contents()) {
            Ok(work) => {
                self.compaction = Some(Compaction {
                    work,
                    stage: Stage::Weighing,
                    waiting: vec![done],
                });
            }
            Err(error) => self.give_up(&error, vec![done]),
        }
    }

    /// Compacts, whatever it weighs.
    pub(super) fn compact_now(&mut self, done: Sender<()>) {
        match &mut self.compaction {
            Some(compaction) if matches!(compaction.stage, Stage::Writing { .. }) => {
                compaction.waiting.push(done);
            }
            _ => {
                let waiting = self.compaction.take().map(|weighing| weighing.waiting);
                let mut waiting = waiting.unwrap_or_default();
                waiting.push(done);
                self.begin_writing(waiting);
            }
        }
    }

    /// Takes in what the thread has done. `None` if it has nothing to say.
    pub(super) fn compact_further(&mut self, progress: Option<io::Result<Progress>>) {
        let Some(Compaction { stage, waiting, .. }) = self.compaction.take() else {
            return;
        };
        let progress = progress.unwrap_or_else(|| Err(io::Error::other("its thread has ended")));
        match (progress, stage) {
            (Err(error), _) => self.give_up(&error, waiting),
            (Ok(Progress::Weighed(live)), _) => {
                if live * 2 <= self.bytes {
                    self.begin_writing(waiting);
                } else {
                    let now = self.clock.monotonic();
                    self.schedule = Schedule {
                        from: now,
                        size: self.bytes + self.bytes / 8,
                        in_any_case: now + WEIGH_AGAIN,
                    };
                }
            }
            (Ok(Progress::Written(..)), Stage::Weighing) => {}
            (
                Ok(Progress::Written(replacement, image)),
                Stage::Writing {
                    mark,
                    delta,
                    delta_records,
                    ..
                },
            ) => {
                let mut image = image;
                image.records += delta_records;
                if delta.len() > SHORT {
                    self.follow(replacement, image, mark, delta, waiting);
                } else {
                    self.publish(replacement, image, mark, delta, waiting);
                }
            }
        }
    }

    /// Takes along what was appended to the old file.
    pub(super) fn take_along(&mut self, records: &[&Record]) {
        let Some(Stage::Writing {
            salt,
            delta,
            delta_records,
            ..
        }) = self.compaction.as_mut().map(|c| &mut c.stage)
        else {
            return;
        };
        let kept = records
            .iter()
            .try_for_each(|record| encode_copies(record, *salt, delta).map_err(io::Error::other));
        let frames: usize = records.iter().map(|record| copies(record)).sum();
        *delta_records += frames as u64;
        let kept = kept.and_then(|()| {
            let too_long = || io::Error::other("too much was committed meanwhile");
            (delta.len() <= LONGEST).then_some(()).ok_or_else(too_long)
        });
        if let Err(error) = kept {
            self.compaction = None;
            self.give_up(&error, Vec::new());
        }
    }

    pub(super) fn begin_writing(&mut self, waiting: Vec<Sender<()>>) {
        let salt = self.fresh_salt();
        let contents = self.contents();
        let mark = contents.mark;
        let work = self
            .files
            .replacement()
            .and_then(|replacement| Work::write(contents, replacement, salt));
        match work {
            Ok(work) => {
                self.compaction = Some(Compaction {
                    work,
                    stage: Stage::writing(salt, mark),
                    waiting,
                });
            }
            Err(error) => self.give_up(&error, waiting),
        }
    }

    /// Much was appended meanwhile: the thread adds it, so that nobody waits for that either.
    fn follow(
        &mut self,
        replacement: Replacement,
        image: Image,
        mark: Timestamp,
        delta: Vec<u8>,
        waiting: Vec<Sender<()>>,
    ) {
        match Work::follow(replacement, image, delta) {
            Ok(work) => {
                self.compaction = Some(Compaction {
                    work,
                    stage: Stage::writing(image.salt, mark),
                    waiting,
                });
            }
            Err(error) => self.give_up(&error, waiting),
        }
    }

    /// Puts the new file in place, with the last that was appended to the old one.
    fn publish(
        &mut self,
        mut replacement: Replacement,
        mut image: Image,
        mark: Timestamp,
        mut delta: Vec<u8>,
        waiting: Vec<Sender<()>>,
    ) {
        let before = self.bytes;
        if !delta.is_empty()
            && let Err(error) = image.follow(&mut replacement, &mut delta)
        {
            return self.give_up(&error, waiting);
        }
        match self.files.publish(replacement) {
            Ok(()) => {
                self.adopt(&image, mark);
                log::info!(before = before, after = self.bytes; "the journal is compacted");
                for waiting in waiting {
                    let _ = waiting.send(());
                }
            }
            Err(error) => {
                self.fail(&RewriteError::Uncertain(error).to_string());
                self.heal(&[]);
            }
        }
    }

    /// Appending may go on as long as the card has room for it.
    fn give_up(&mut self, error: &io::Error, waiting: Vec<Sender<()>>) {
        self.files.discard_replacement();
        let again = self.clock.monotonic() + COMPACT_AGAIN;
        self.schedule = Schedule {
            from: again,
            size: 0,
            in_any_case: again,
        };
        log::warn!(error:% = error; "the journal could not be compacted");
        drop(waiting);
    }
}

/// A compaction that failed (the card is full) is tried again no sooner than this.
const COMPACT_AGAIN: Duration = Duration::from_secs(10 * 60);

/// A file that does not grow is weighed this often.
const WEIGH_AGAIN: Duration = Duration::from_secs(60 * 60);

/// The most that is held in memory to be taken along: 150,000 logouts.
const LONGEST: usize = 4 * 1024 * 1024;

/// So much is appended to the new file while commits wait: a few sectors.
const SHORT: usize = 16 * 1024;

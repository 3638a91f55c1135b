//! The kernel's messages, from `/dev/kmsg`: one record a read, from the oldest that the kernel still has, since what went
//! wrong at boot is what one wants to see. A record (Documentation/ABI/testing/dev-kmsg of the kernel):
//!
//! ```text
//! 6,1234,5140900,-[,…];the message
//!  SUBSYSTEM=acpi
//! ```
//!
//! That is its priority, number, age in µs and flags; a `\xNN` stands for a byte that does not print.
//!
//! The time counts from the kernel's start, on a clock that stands still while the machine sleeps and that nobody else can
//! read. It is close to the monotonic clock, so that is what the first records are dated by: those from before a suspend
//! seem younger by its length. A record that is waited for has just been made, and shows how far the clocks are apart.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use super::{Source, SourceContext, SourceEvent, missed, priority};
use crate::clock::Timestamp;

pub(super) struct KmsgSource {
    pub(super) path: PathBuf,
}

impl Source for KmsgSource {
    fn run(self: Box<Self>, context: &SourceContext) {
        let mut reader = KmsgReader::default();
        loop {
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
                .open(&self.path);
            let error = match file {
                Ok(file) => {
                    context.report("following", None);
                    let ended = reader.follow(
                        |buffer| rustix::io::read(&file, buffer),
                        || context.stop.until_readable(file.as_fd(), None),
                        || context.stop.stopped(),
                        || KmsgTime {
                            wall: context.clock.wall(),
                            monotonic: monotonic(),
                        },
                        &mut |event| context.push(event),
                    );
                    match ended {
                        Ok(()) => return context.report("stopped", None),
                        Err(errno) => io::Error::from(errno),
                    }
                }
                Err(error) => error,
            };
            context.report("error", Some(self.explain(&error)));
            if context.stop.sleep(AGAIN) {
                return context.report("stopped", None);
            }
        }
    }
}

impl KmsgSource {
    fn explain(&self, error: &io::Error) -> String {
        let path = self.path.display();
        match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "{path} may not be read: that takes root, CAP_SYSLOG, or kernel.dmesg_restrict=0"
            ),
            io::ErrorKind::NotFound => format!("{path} is not there"),
            _ => format!("{path}: {error}"),
        }
    }
}

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
struct KmsgTime {
    wall: Timestamp,
    monotonic: Duration,
}

/// What has been read, apart from any device.
#[derive(Default)]
struct KmsgReader {
    /// The number of the record expected next.
    next: Option<u64>,
    /// Whether the kernel has told that records were overwritten before they could be read.
    lost: bool,
    /// How far the monotonic clock is ahead of the kernel's, in µs, as the last record that was waited for showed.
    ahead: i128,
}

impl KmsgReader {
    /// Reads records until `wait`, which sleeps until there are more, or `stopped` says that it is time. `read` gives one record, or `AGAIN`.
    fn follow(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
        mut wait: impl FnMut() -> bool,
        stopped: impl Fn() -> bool,
        now: impl Fn() -> KmsgTime,
        give: &mut dyn FnMut(SourceEvent),
    ) -> Result<(), Errno> {
        let mut buffer = vec![0; BUFFER];
        // Whether there was nothing left to read, so that the next record is a new one.
        let mut live = false;
        loop {
            match read(&mut buffer) {
                // Whatever this is, it is not the kernel's log: /dev/null in a container.
                Ok(0) => return Err(Errno::NODATA),
                Ok(length) => {
                    self.take(&buffer[..length], live, now(), give);
                    live = false;
                }
                Err(Errno::AGAIN) => {
                    if wait() {
                        return Ok(());
                    }
                    live = true;
                    continue;
                }
                // The next read goes on with the oldest record there is, or behind one that does not fit the buffer.
                Err(Errno::PIPE) => self.lost = true,
                Err(Errno::INVAL) if !self.lost => self.lost = true,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            if stopped() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, bytes: &[u8], live: bool, now: KmsgTime, give: &mut dyn FnMut(SourceEvent)) {
        let Some(record) = KmsgRecord::parse(bytes) else {
            return give(SourceEvent {
                message: String::from_utf8_lossy(bytes).trim_end().to_owned(),
                ..SourceEvent::default()
            });
        };
        if let Some(next) = self.next {
            // Read before, when the device was opened the last time.
            if record.number < next {
                return;
            }
            if self.lost && record.number > next {
                give(missed(
                    record.number - next,
                    "of the kernel's messages were overwritten before they could be read",
                ));
            }
        }
        self.lost = false;
        self.next = Some(record.number.saturating_add(1));
        let monotonic = now.monotonic.as_micros().cast_signed();
        let made = i128::from(record.micros);
        if live {
            self.ahead = monotonic - made;
        }
        let age = u64::try_from(monotonic - self.ahead - made).unwrap_or(0);
        give(SourceEvent {
            message: record.message,
            level: Some(priority::level(record.priority)),
            timestamp: Some(now.wall.saturating_sub(Duration::from_micros(age))),
            fields: record.fields,
            label: None,
        });
    }
}

struct KmsgRecord {
    priority: u64,
    number: u64,
    micros: u64,
    message: String,
    fields: Map<String, Value>,
}

impl KmsgRecord {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&byte| byte == b';')?;
        let mut header = std::str::from_utf8(&bytes[..end]).ok()?.split(',');
        let mut number = || header.next()?.parse::<u64>().ok();
        let (priority, number, micros) = (number()?, number()?, number()?);
        let mut lines = bytes[end + 1..].split(|&byte| byte == b'\n');
        let message = unescape(lines.next()?);
        let mut fields = Map::new();
        fields.insert("facility".to_owned(), priority::facility(priority));
        for line in lines {
            let Some(line) = line.strip_prefix(b" ") else {
                continue;
            };
            if let Some((name, value)) = unescape(line).split_once('=') {
                fields.insert(name.to_ascii_lowercase(), value.into());
            }
        }
        Some(Self {
            priority,
            number,
            micros,
            message,
            fields,
        })
    }
}

/// Makes each `\xNN` a byte again. What is not UTF-8 then becomes U+FFFD.
fn unescape(text: &[u8]) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escaped = after
            .strip_prefix(b"x")
            .filter(|_| *first == b'\\')
            .and_then(|digits| digits.get(..2))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &after[3..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn monotonic() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// The kernel makes no longer record (`PRINTKRB_RECORD_MAX`), dictionary and all.
const BUFFER: usize = 16 * 1024;

/// Permissions and devices seldom change while the board runs.
const AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;

//! What postern itself has to say: one line an event on stderr, and on the stream as entries of the source `postern`.
//!
//! There is one `log` backend in a process, so there is one list of rings behind it. Where several servers run in one
//! process (tests), each of their rings gets every event.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use log::kv::{self, Key, Value as KvValue, VisitSource, VisitValue};
use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SendFlags;
use serde_json::{Map, Value};

use super::entry::{Level, NewEntry};
use super::ring::Ring;
use crate::clock::{Clock, SystemTimeSource, TimeSource, Timestamp};

/// Makes this the process's `log` backend, or changes its level if it is already. `level` is for stderr; events of
/// postern at `info` and above reach the rings whatever it is. Events of other crates are shown from `warn` on, on
/// stderr only.
pub fn install(level: LevelFilter) {
    OWN.level.store(level as usize, Ordering::Relaxed);
    let journald = std::env::var_os("JOURNAL_STREAM").is_some();
    OWN.journald.store(journald, Ordering::Relaxed);
    // Refused when it is set already: by us, or by a program that uses the library and has a backend of its own.
    let _ = log::set_logger(&OWN);
    log::set_max_level(level.max(LevelFilter::Info));
}

/// From now on postern's events also go into this ring, for as long as it exists; their time is the clock's.
pub fn attach(ring: &Arc<Ring>, clock: Arc<Clock>) {
    let mut sinks = OWN.sinks.lock();
    sinks.retain(|(ring, _)| ring.strong_count() > 0);
    sinks.push((Arc::downgrade(ring), clock));
}

/// The source's name on the stream.
pub const SOURCE: &str = "postern";

static OWN: OwnLog = OwnLog::new(LevelFilter::Info);

struct OwnLog {
    /// A [`LevelFilter`], for stderr.
    level: AtomicUsize,
    /// Whether stderr is read by journald, which knows the time and wants the severity.
    journald: AtomicBool,
    sinks: Mutex<Vec<(Weak<Ring>, Arc<Clock>)>>,
    stderr: Stderr,
}

impl Log for OwnLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = metadata.level();
        if is_ours(metadata.target()) {
            return level <= log::Level::Info || self.shows(level);
        }
        level <= log::Level::Warn && self.shows(level)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if self.shows(record.level()) {
            let prefix = if self.journald.load(Ordering::Relaxed) {
                LinePrefix::Priority
            } else {
                LinePrefix::Time(SystemTimeSource::new().system())
            };
            self.stderr.write(&mut line(record, prefix));
        }
        if is_ours(record.target()) && record.level() <= log::Level::Info {
            self.push(record);
        }
    }

    fn flush(&self) {}
}

impl OwnLog {
    const fn new(level: LevelFilter) -> Self {
        Self {
            level: AtomicUsize::new(level as usize),
            journald: AtomicBool::new(false),
            sinks: Mutex::new(Vec::new()),
            stderr: Stderr {
                turn: Mutex::new(()),
                stuck: AtomicBool::new(false),
                lost: AtomicU64::new(0),
            },
        }
    }

    fn shows(&self, level: log::Level) -> bool {
        level as usize <= self.level.load(Ordering::Relaxed)
    }

    fn push(&self, record: &Record<'_>) {
        // A copy, so that the lock is free again: reading the clock may log.
        let sinks: Vec<_> = self.sinks.lock().clone();
        for (ring, clock) in sinks {
            if let Some(ring) = ring.upgrade() {
                ring.push(entry(record, clock.wall()));
            }
        }
    }
}

fn is_ours(target: &str) -> bool {
    target == SOURCE || target.starts_with("postern::")
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warn,
        log::Level::Info => Level::Info,
        log::Level::Debug | log::Level::Trace => Level::Debug,
    }
}

/// The event as it goes into a ring.
fn entry(record: &Record<'_>, timestamp: Timestamp) -> NewEntry {
    let mut fields = EventFields(Map::new());
    let _ = record.key_values().visit(&mut fields);
    NewEntry {
        source: SOURCE.into(),
        level: level_of(record.level()),
        timestamp,
        arrived: None,
        message: record.args().to_string(),
        fields: fields.0,
    }
}

/// What stands before the line.
#[derive(Debug, Clone, Copy)]
enum LinePrefix {
    /// `<N>`, as journald and syslog understand it (sd-daemon(3)).
    Priority,
    /// When it happened, RFC 3339.
    Time(Timestamp),
}

/// The event as one line, its newline included: nothing that came from outside can begin another.
fn line(record: &Record<'_>, prefix: LinePrefix) -> String {
    let level = level_of(record.level());
    let mut line = String::new();
    let _ = match prefix {
        LinePrefix::Priority => write!(line, "<{}>", level.severity()),
        LinePrefix::Time(time) => write!(line, "{time} "),
    };
    let _ = write!(line, "{level} ");
    let _ = write!(Escaped(&mut line), "{}", record.args());
    let mut pairs = KeyValuePairs(line);
    let _ = record.key_values().visit(&mut pairs);
    let mut line = pairs.0;
    if line.len() >= LINE_MAX {
        let mut end = LINE_MAX - CUT.len() - 1;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push_str(CUT);
    }
    line.push('\n');
    line
}

/// Writes text with everything escaped that could move a cursor, end a line or turn its direction.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                '\u{2028}'
                | '\u{2029}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => self.0.extend(character.escape_unicode()),
                other if other.is_control() => self.0.extend(other.escape_unicode()),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Appends ` key=value` for each pair.
struct KeyValuePairs(String);

impl<'kvs> VisitSource<'kvs> for KeyValuePairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: KvValue<'kvs>) -> Result<(), kv::Error> {
        let value = value.to_string();
        self.0.push(' ');
        let _ = Escaped(&mut self.0).write_str(key.as_str());
        self.0.push('=');
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
        if !value.is_empty() && value.chars().all(plain) {
            self.0.push_str(&value);
            return Ok(());
        }
        self.0.push('"');
        for part in value.split_inclusive(['"', '\\']) {
            let text = part.trim_end_matches(['"', '\\']);
            let _ = Escaped(&mut self.0).write_str(text);
            if text.len() < part.len() {
                self.0.push('\\');
                self.0.push_str(&part[text.len()..]);
            }
        }
        self.0.push('"');
        Ok(())
    }
}

/// Collects the pairs as JSON.
struct EventFields(Map<String, Value>);

impl<'kvs> VisitSource<'kvs> for EventFields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: KvValue<'kvs>) -> Result<(), kv::Error> {
        let mut json = FieldValue(Value::Null);
        value.visit(&mut json)?;
        self.0.insert(key.as_str().to_owned(), json.0);
        Ok(())
    }
}

struct FieldValue(Value);

impl VisitValue<'_> for FieldValue {
    fn visit_any(&mut self, value: KvValue<'_>) -> Result<(), kv::Error> {
        self.0 = Value::from(value.to_string());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.0 = Value::Null;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }
}

/// Standard error, which may be a pipe that nobody reads: logging must never stop the server.
struct Stderr {
    /// One line at a time.
    turn: Mutex<()>,
    /// Whether the last line found no room; then the next ones don't wait for any.
    stuck: AtomicBool,
    lost: AtomicU64,
}

impl Stderr {
    fn write(&self, line: &mut String) {
        let _turn = self.turn.lock();
        let patience = if self.stuck.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        if !is_writable(patience) {
            self.stuck.store(true, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.stuck.store(false, Ordering::Relaxed);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && line.len() + 80 < LINE_MAX {
            line.pop();
            let _ = writeln!(line, " lines_lost_before={lost}");
        }
        write_once(line.as_bytes());
    }
}

fn is_writable(patience: Duration) -> bool {
    let stderr = io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let timeout = Timespec::try_from(patience).unwrap_or_default();
    // An error, such as a closed stderr, cannot block: the write will see it.
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// Writes what there is room for, and never waits: a pipe that is writable takes [`LINE_MAX`] bytes whole (POSIX's
/// `PIPE_BUF`), a socket is told not to block. An error, a closed pipe above all, is nobody's to hear.
fn write_once(line: &[u8]) {
    let stderr = io::stderr();
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    if let Err(rustix::io::Errno::NOTSOCK) = rustix::net::send(&stderr, line, flags) {
        let _ = rustix::io::write(&stderr, line);
    }
}

/// `PIPE_BUF` on Linux, in bytes: a line up to this is written whole or not at all.
const LINE_MAX: usize = 4096;

/// Ends a line that was cut to that.
const CUT: &str = "…";

/// How long a line waits for room before it is given up.
const PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

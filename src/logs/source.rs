//! Where entries come from: a thread for each source, all into one ring, and what each is doing just now.
//!
//! A new source: a variant of `config::LogSource`, its word in config/sources.rs, an arm in `Sources::start`, a file here,
//! and a row in docs/logs.md.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use serde::Serialize;

use serde_json::{Map, Value};

use super::entry::{Level, NewEntry};
use super::ring::Ring;
use crate::clock::{Clock, Moment, Timestamp};
use crate::config::{KMSG, LogSource};
use file::FileSource;
use line::TextLine;

mod file;
mod format;
mod journald;
mod kmsg;
mod line;
mod priority;
mod stdin;
mod syslog;

/// What a source is doing, for `/api/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceState {
    /// The name its entries carry, or the pattern of files with names of their own.
    pub name: String,
    /// The word that `LOG_SOURCES` begins it with; `unknown` for an entry there that means nothing.
    pub kind: &'static str,
    /// What it reads: the entry of `LOG_SOURCES` without its options, so the path, pattern or address too.
    pub place: String,
    /// `starting`, `following`, `following, by polling`, `listening`, `waiting for the file`, `waiting for a file`,
    /// `waiting to start journalctl again`,
    /// `not a regular file`, `ended`, `stopped` or `error`.
    pub state: &'static str,
    /// Of a pattern: how many files are followed.
    pub files: Option<usize>,
    /// Entries made since the start.
    pub entries: u64,
    /// The last thing that went wrong, even if it is over.
    pub last_error: Option<String>,
}

/// The state of a source that has not said yet what it does.
pub const STARTING: &str = "starting";

/// What is said where there is none.
pub const NO_SOURCES: &str =
    "No log is followed. LOG_SOURCES says which, as LOG_SOURCES=file:/var/log/messages.";

/// All sources that run.
pub struct Sources {
    stop: Arc<SourceStop>,
    running: Vec<(Arc<SourceShared>, Option<JoinHandle<()>>)>,
}

impl Sources {
    /// Starts a thread for each source.
    ///
    /// # Errors
    /// The kernel gives no event counter or thread.
    pub fn start(specs: &[LogSource], ring: &Arc<Ring>, clock: &Arc<Clock>) -> io::Result<Self> {
        if specs.is_empty() {
            log::warn!("{NO_SOURCES}");
        }
        let mut sources = Self {
            stop: Arc::new(SourceStop::new()?),
            running: Vec::new(),
        };
        for spec in specs {
            let (kind, source): (_, Option<Box<dyn Source>>) = match spec.clone() {
                LogSource::File { path, format, .. } => {
                    ("file", Some(Box::new(FileSource::one(path, format))))
                }
                LogSource::Files {
                    pattern,
                    name,
                    format,
                } => {
                    let source = FileSource::all(&pattern, name.is_some(), format);
                    ("file", Some(Box::new(source)))
                }
                LogSource::Journald => {
                    let source = journald::JournaldSource::new();
                    ("journald", Some(Box::new(source)))
                }
                LogSource::Kmsg => {
                    let path = KMSG.into();
                    ("kmsg", Some(Box::new(kmsg::KmsgSource { path })))
                }
                LogSource::Syslog { at, .. } => {
                    ("syslog", Some(Box::new(syslog::SyslogSource { at })))
                }
                LogSource::Stdin => {
                    let source = stdin::StdinSource::new(io::stdin());
                    ("stdin", Some(Box::new(source)))
                }
                LogSource::Unusable { .. } => ("unknown", None),
            };
            let shared = Arc::new(SourceShared::new(kind, spec.name(), spec.to_string()));
            let context = SourceContext {
                shared: shared.clone(),
                ring: ring.clone(),
                clock: clock.clone(),
                stop: sources.stop.clone(),
            };
            if let LogSource::Unusable { problem, .. } = spec {
                context.report("error", Some(problem.clone()));
            }
            let thread = match source {
                Some(source) => Some(
                    thread::Builder::new()
                        .name(format!("{kind} source"))
                        .stack_size(STACK)
                        .spawn(move || source.run(&context))?,
                ),
                None => None,
            };
            sources.running.push((shared, thread));
        }
        Ok(sources)
    }

    /// What each source is doing.
    #[must_use]
    pub fn states(&self) -> Vec<SourceState> {
        self.running
            .iter()
            .map(|(shared, _)| shared.state())
            .collect()
    }

    /// Ends the threads and waits for them; they are prompt.
    pub fn stop(&mut self) {
        self.stop.stop();
        for (_, thread) in &mut self.running {
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                log::error!("a log source's thread had panicked");
            }
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One source of entries. It cannot fail: what goes wrong it reports, and tries again where that makes sense.
trait Source: Send {
    /// Reads until the source ends or is told to stop.
    fn run(self: Box<Self>, context: &SourceContext);
}

/// What a source found: an entry, as far as the source can tell. What it leaves out is filled in.
#[derive(Debug, Clone, PartialEq, Default)]
struct SourceEvent {
    message: String,
    /// [`Level::Info`] if nobody said.
    level: Option<Level>,
    /// When it happened; else it is when it was read.
    timestamp: Option<Timestamp>,
    fields: Map<String, Value>,
    /// The label, where it is not the source's name.
    label: Option<Arc<str>>,
}

impl From<TextLine> for SourceEvent {
    fn from(line: TextLine) -> Self {
        let mut event = Self {
            message: line.text,
            ..Self::default()
        };
        if let Some(bytes) = line.cut_from {
            event.fields.insert("truncated".into(), true.into());
            event.fields.insert("bytes".into(), bytes.into());
        }
        event
    }
}

/// What stands in for so many messages that are lost.
fn missed(count: u64, what: &str) -> SourceEvent {
    SourceEvent {
        message: format!("{count} {what}"),
        level: Some(Level::Warn),
        fields: Map::from_iter([("missed".to_owned(), Value::from(count))]),
        ..SourceEvent::default()
    }
}

/// What a running source may use.
struct SourceContext {
    shared: Arc<SourceShared>,
    ring: Arc<Ring>,
    clock: Arc<Clock>,
    stop: Arc<SourceStop>,
}

impl SourceContext {
    fn push(&self, event: impl Into<SourceEvent>) {
        let event = event.into();
        let now = self.clock.wall();
        let entry = NewEntry {
            fields: event.fields,
            ..NewEntry::new(
                event.label.unwrap_or_else(|| self.shared.name.clone()),
                event.level.unwrap_or(Level::Info),
                event.timestamp.unwrap_or(now),
                event.message,
            )
        };
        self.ring.push(entry.read_at(now));
        self.shared.entries.fetch_add(1, Ordering::Release);
    }

    fn now(&self) -> Moment {
        self.clock.monotonic()
    }

    /// Says how many files the source follows.
    fn report_files(&self, files: usize) {
        self.shared.status.lock().files = Some(files);
    }

    /// Says what the source is doing; logs it when that is news.
    fn report(&self, state: &'static str, error: Option<String>) {
        let before = self.shared.state();
        if before.state == state && (error.is_none() || before.last_error == error) {
            return;
        }
        let (name, place) = (&*self.shared.name, self.shared.place.as_str());
        match &error {
            Some(error) => {
                log::warn!(source = name, place = place, state = state, error = error.as_str(); "a log source has a problem");
            }
            None => {
                log::info!(source = name, place = place, state = state; "a log source changed its state");
            }
        }
        // Behind the line, so that whoever waits for the state finds the line there. Nobody else changes it.
        let mut status = self.shared.status.lock();
        status.state = state;
        status.last_error = error.or(status.last_error.take());
    }
}

#[cfg(test)]
impl SourceContext {
    /// For a source that a test runs by itself, on a clock that stands still.
    fn rigged(kind: &'static str) -> Self {
        let now = Timestamp::from_secs(1_800_000_000);
        let time = Arc::new(crate::clock::FakeTimeSource::new(now));
        Self {
            shared: Arc::new(SourceShared::new(kind, kind, kind.to_owned())),
            ring: Arc::new(Ring::new(1 << 20, "b".into(), Box::new(|| ()))),
            clock: Arc::new(Clock::new(time, None)),
            stop: Arc::new(SourceStop::new().expect("an event counter")),
        }
    }

    /// What has been pushed so far.
    fn entries(&self) -> Vec<Value> {
        let all = super::Filter::default();
        let entries = self.ring.recent(1000, None, &all);
        let parsed = entries.iter().map(|entry| serde_json::from_str(entry));
        parsed.collect::<Result<_, _>>().expect("JSON")
    }
}

/// What a source's thread and its watchers share.
struct SourceShared {
    name: Arc<str>,
    kind: &'static str,
    place: String,
    status: Mutex<SourceStatus>,
    entries: AtomicU64,
}

struct SourceStatus {
    state: &'static str,
    files: Option<usize>,
    last_error: Option<String>,
}

impl SourceShared {
    fn new(kind: &'static str, name: &str, place: String) -> Self {
        Self {
            name: name.into(),
            kind,
            place,
            status: Mutex::new(SourceStatus {
                state: STARTING,
                files: None,
                last_error: None,
            }),
            entries: AtomicU64::new(0),
        }
    }

    fn state(&self) -> SourceState {
        let status = self.status.lock();
        SourceState {
            name: self.name.to_string(),
            kind: self.kind,
            place: self.place.clone(),
            state: status.state,
            files: status.files,
            entries: self.entries.load(Ordering::Acquire),
            last_error: status.last_error.clone(),
        }
    }
}

/// Ends all sources: a flag, and a descriptor that wakes whoever sleeps.
struct SourceStop {
    stopped: AtomicBool,
    event: OwnedFd,
}

impl SourceStop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            stopped: AtomicBool::new(false),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Never read again: it stays readable for all who wait.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Sleeps; true if it is time to stop.
    fn sleep(&self, duration: Duration) -> bool {
        self.wait(
            &mut [PollFd::new(&self.event, PollFlags::IN)],
            Some(duration),
        );
        self.stopped()
    }

    /// Sleeps until there is something to read; true if it is time to stop.
    fn until_readable(&self, fd: BorrowedFd<'_>, timeout: Option<Duration>) -> bool {
        let event = self.event.as_fd();
        let mut fds = [
            PollFd::new(&event, PollFlags::IN),
            PollFd::new(&fd, PollFlags::IN),
        ];
        self.wait(&mut fds, timeout);
        self.stopped()
    }

    fn wait(&self, fds: &mut [PollFd<'_>], timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap_or_default());
        match poll(fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Without poll there must be no busy loop either.
            Err(_) if !self.stopped() => thread::sleep(Duration::from_millis(250)),
            Err(_) => {}
        }
    }
}

/// A source reads and splits; the deepest it gets is the log backend, and 128 levels of JSON.
const STACK: usize = 128 * 1024;

#[cfg(test)]
mod tests;

//! systemd's journal, as `journalctl` tells it.
//!
//! `journalctl --follow --output=json` is a child; its lines are entries. The cursor of the last one is kept, and handed to
//! the next child when this one dies, so that nothing comes twice and nothing is missing.
//!
//! The child gets an empty environment: none of our secrets. It is killed, not asked, and reaped when we stop. If
//! we die first, journalctl sees the end of its pipe: it watches for that while it waits, and ends.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Source, SourceContext};
use crate::config::journalctl_places;
use record::JournalReader;

mod record;

pub(super) struct JournaldSource {
    /// Where journalctl may be.
    places: Vec<PathBuf>,
    first_pause: Duration,
}

impl JournaldSource {
    pub(super) fn new() -> Self {
        Self {
            places: journalctl_places().collect(),
            first_pause: FIRST_PAUSE,
        }
    }
}

impl Source for JournaldSource {
    fn run(self: Box<Self>, context: &SourceContext) {
        let mut journal = JournalReader::new();
        let mut backoff = RestartBackoff::new(self.first_pause);
        loop {
            let program = self.places.iter().find(|place| place.is_file());
            let pause = if let Some(program) = program {
                let begun = context.now();
                let problem = match Journalctl::start(program, journal.cursor()) {
                    Ok(child) => match child.follow(context, &mut journal) {
                        Some(problem) => problem,
                        None => return context.report("stopped", None),
                    },
                    Err(error) => format!("{}: {error}", program.display()),
                };
                // It refuses the cursor: better something twice than nothing for ever.
                if problem.contains("cursor") {
                    journal.forget_cursor();
                }
                context.report("waiting to start journalctl again", Some(problem));
                backoff.after(context.now().saturating_since(begun))
            } else {
                context.report("error", Some(MISSING.to_owned()));
                LOOK_AGAIN
            };
            if context.stop.sleep(pause) {
                return context.report("stopped", None);
            }
        }
    }
}

/// How long to wait before the next start.
struct RestartBackoff {
    first: Duration,
    next: Duration,
}

impl RestartBackoff {
    fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// … after one that ran so long.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= RAN_WELL {
            self.next = self.first;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// The running child.
struct Journalctl {
    child: Child,
    output: OwnedFd,
    complaints: Option<OwnedFd>,
    complaint: Complaint,
}

impl Journalctl {
    fn start(program: &PathBuf, cursor: Option<&str>) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["--follow", "--output=json", "--no-pager"])
            // Otherwise a message over 4 KiB would be left out; it is cut here.
            .arg("--all")
            .arg(format!("--output-fields={}", record::FIELDS.join(",")));
        match cursor {
            Some(cursor) => command
                .arg(format!("--after-cursor={cursor}"))
                .arg("--no-tail"),
            None => command.arg(format!("--lines={LINES_BEFORE}")),
        };
        let mut child = command
            // An empty one is the C locale, and needs no PATH.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C at our terminal is not for it.
            .process_group(0)
            .spawn()?;
        let output = child.stdout.take().map(OwnedFd::from);
        let complaints = child.stderr.take().map(OwnedFd::from);
        Ok(Self {
            output: output.ok_or(io::ErrorKind::BrokenPipe)?,
            child,
            complaints,
            complaint: Complaint::default(),
        })
    }

    /// Reads until the child ends, and says why it has; `None` if it is time to stop.
    fn follow(mut self, context: &SourceContext, journal: &mut JournalReader) -> Option<String> {
        let mut buffer = vec![0; BUFFER];
        let mut settled = false;
        loop {
            let mut fds = vec![
                PollFd::new(&context.stop.event, PollFlags::IN),
                PollFd::new(&self.output, PollFlags::IN),
            ];
            if let Some(complaints) = &self.complaints {
                fds.push(PollFd::new(complaints, PollFlags::IN));
            }
            let patience = (!settled || self.complaint.is_news()).then_some(SETTLED);
            context.stop.wait(&mut fds, patience);
            if context.stop.stopped() {
                return None;
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready.get(2) == Some(&true) {
                self.listen(&mut buffer);
            }
            if ready[1] {
                match rustix::io::read(&self.output, &mut buffer[..]) {
                    Ok(0) => return Some(self.ended(&mut buffer)),
                    Ok(read) => journal.feed(&buffer[..read], |event| context.push(event)),
                    Err(Errno::INTR) => continue,
                    Err(error) => return Some(io::Error::from(error).to_string()),
                }
            }
            // It has said something, or nothing for a moment, and lives.
            if ready[1] && !settled || !ready.contains(&true) {
                settled = true;
                context.report("following", self.complaint.news());
            }
        }
    }

    /// Reads what it says on standard error.
    fn listen(&mut self, buffer: &mut [u8]) {
        let Some(complaints) = &self.complaints else {
            return;
        };
        match rustix::io::read(complaints, &mut *buffer) {
            Ok(read @ 1..) => self.complaint.add(&buffer[..read]),
            Err(Errno::INTR) => {}
            Ok(0) | Err(_) => self.complaints = None,
        }
    }

    fn ended(mut self, buffer: &mut [u8]) -> String {
        let now = rustix::event::Timespec::default();
        while let Some(complaints) = &self.complaints {
            let mut fds = [PollFd::new(complaints, PollFlags::IN)];
            if !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1)) {
                break;
            }
            self.listen(buffer);
        }
        let status = self.end().map_or_else(
            |error| error.to_string(),
            |status| format!("journalctl ended with {status}"),
        );
        match self.complaint.text() {
            said if said.is_empty() => status,
            said => format!("{status}: {said}"),
        }
    }

    /// Ends it, unless it has ended by itself, and all that it may have started.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // Once it is reaped its number may be somebody else's.
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.child.wait()
    }
}

impl Drop for Journalctl {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// What the child said on standard error, the beginning of it.
#[derive(Default)]
struct Complaint {
    bytes: Vec<u8>,
    /// How much of it has been told.
    told: usize,
}

impl Complaint {
    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_COMPLAINT - self.bytes.len();
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
    }

    fn is_news(&self) -> bool {
        self.bytes.len() > self.told
    }

    fn news(&mut self) -> Option<String> {
        let news = self.is_news().then(|| self.text());
        self.told = self.bytes.len();
        news.filter(|text| !text.is_empty())
    }

    /// On one line, without advice about a program that the reader does not see.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.replace("Pass -q to turn off this notice.", "");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

const MISSING: &str =
    "journalctl is not there; it comes with systemd, and without it the journal cannot be read";

/// So many of the entries from before the start are shown.
const LINES_BEFORE: u32 = 200;

const BUFFER: usize = 16 * 1024;

/// A child that has lived this long has begun well.
const SETTLED: Duration = Duration::from_millis(250);

/// The pause after a child that died: …
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// … twice as long each time, up to this, …
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// … until one has run for so long.
const RAN_WELL: Duration = Duration::from_secs(30);

/// How often a journalctl that is not there is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// In bytes: some lines.
const MAX_COMPLAINT: usize = 1024;

#[cfg(test)]
mod tests;

//! `--follow`: shows the live stream, and resumes it after a lost connection, until somebody ends it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::client::BoardClient;
use super::environment::Timing;
use super::error::DeskError;
use super::format::EntryFormat;
use super::options::LogsOptions;
use super::recent;
use super::response::BoardResponse;
use super::session::BoardSession;
use super::stream_cursor::{Greeting, StreamCursor, StreamLine};
use crate::entropy::Entropy;
use crate::terminal::Terminal;
use crate::terminal::escape::json_line;

/// What following needs to know.
pub(super) struct Follow<'a, 's> {
    pub client: &'a BoardClient<'a>,
    pub session: &'a mut BoardSession<'s>,
    pub options: &'a LogsOptions,
    /// How entries look, and how what is said beside them.
    pub out: EntryFormat,
    pub err: EntryFormat,
    pub entropy: &'a dyn Entropy,
}

/// What it has come to.
struct FollowState {
    cursor: StreamCursor,
    /// Entries of the first replay before this time, and up to that number, are not wanted.
    unwanted: Option<(SystemTime, u64)>,
    /// Whether a stream has stood: from then on it is taken up again, before it is a failure.
    stood: bool,
    /// Whether it was said that the connection is lost.
    told_lost: bool,
    delay: ReconnectDelay,
}

impl<'a> Follow<'a, '_> {
    /// Shows entries as they come. Returns without an error when the user ended it.
    pub(super) fn run(mut self, terminal: &mut Terminal<'_>) -> Result<(), DeskError> {
        let mut state = FollowState {
            cursor: StreamCursor::new(self.options.since.is_some()),
            unwanted: None,
            stood: false,
            told_lost: false,
            delay: ReconnectDelay::new(self.client.timing),
        };
        if let Some(age) = self.options.since {
            let since = recent::begin(self.client, self.session, age)?;
            state.unwanted = Some((since, u64::MAX));
        }
        loop {
            let failure = match self.stream(&mut state, terminal) {
                Ok(()) => {
                    DeskError::temporary(format!("{}: the stream has ended", self.client.board))
                }
                Err(failure) => failure,
            };
            if !state.stood {
                return Err(failure);
            }
            if self.client.stop.ended().is_some() {
                return Ok(());
            }
            let DeskError::Temporary { reason, after } = failure else {
                return Err(failure);
            };
            let pause = state.delay.next(self.entropy);
            let pause = pause.max(after.unwrap_or_default().min(LONGEST_OBEYED));
            let when = match pause.as_secs_f64().round() {
                0.0 => "now".to_owned(),
                seconds => format!("in {seconds} s"),
            };
            let lost = format!("connection lost: {reason}; trying again {when}");
            terminal.err.write_all(self.err.notice(&lost).as_bytes())?;
            state.told_lost = true;
            if self.client.stop.pause(pause).is_err() {
                return Ok(());
            }
        }
    }

    /// One connection, until it ends.
    fn stream(
        &mut self,
        state: &mut FollowState,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), DeskError> {
        let mut answer = self.open(&state.cursor, terminal)?;
        // The first line comes at once, or this is no stream.
        let Some(hello) = answer.line()? else {
            return Ok(());
        };
        let (value, raw) = self.parsed(&hello)?;
        let Some(StreamLine::Hello {
            boot,
            oldest,
            newest,
        }) = StreamLine::of(&value)
        else {
            return Err(self.nonsense());
        };
        match state.cursor.hello(boot, oldest, newest) {
            Greeting::First { newest } if self.options.since.is_none() => {
                recent::newest(
                    self.client,
                    self.session,
                    self.options,
                    Some((&state.cursor, newest)),
                    self.out,
                    terminal,
                )?;
            }
            Greeting::First { newest } => {
                if let Some((_, until)) = &mut state.unwanted {
                    *until = newest;
                }
            }
            Greeting::Again => {}
            Greeting::Restarted => {
                state.unwanted = None;
                let text = if self.out.json {
                    json_line(raw)
                } else {
                    self.out.notice("… the board has started again …")
                };
                terminal.out.write_all(text.as_bytes())?;
            }
        }
        if state.told_lost {
            state.told_lost = false;
            terminal
                .err
                .write_all(self.err.notice("connected again").as_bytes())?;
        }
        state.stood = true;
        answer.wait_for_ever();
        while let Some(line) = answer.line()? {
            let (value, raw) = self.parsed(&line)?;
            let text = self.understood(&value, raw, state)?;
            if !text.is_empty() {
                terminal.out.write_all(text.as_bytes())?;
                // Something came of it, so the next attempt may be made at once.
                state.delay.reset();
            }
        }
        Ok(())
    }

    /// Opens the stream, with another access token if this one is over.
    fn open(
        &mut self,
        cursor: &StreamCursor,
        terminal: &mut Terminal<'_>,
    ) -> Result<BoardResponse<'a>, DeskError> {
        let target = format!(
            "/api/logs?follow=true{}{}",
            cursor.query(),
            self.options.filters()
        );
        match self.client.get(&target, self.session.token()) {
            Err(DeskError::Denied(_)) => {}
            other => return other,
        }
        let over = || {
            DeskError::Permanent(format!(
                "the login at {} has ended: it was signed out, or the password was changed",
                self.client.board
            ))
        };
        self.session
            .renew(self.client, terminal)
            .and_then(|()| self.client.get(&target, self.session.token()))
            .map_err(|failure| match failure {
                DeskError::Denied(_) => over(),
                other => other,
            })
    }

    /// The line to show; empty if there is none.
    fn understood(
        &self,
        value: &Value,
        raw: &str,
        state: &mut FollowState,
    ) -> Result<String, DeskError> {
        let line = StreamLine::of(value).ok_or_else(|| self.nonsense())?;
        Ok(match line {
            StreamLine::Log { seq } if !state.cursor.log(seq) => String::new(),
            StreamLine::Log { seq } => match state.unwanted {
                Some((since, until)) if seq <= until && !recent::is_since(value, since) => {
                    String::new()
                }
                _ => self.out.entry(value, raw),
            },
            StreamLine::Gap { from, to } => match state.cursor.gap(from, to) {
                None => String::new(),
                Some((first, _)) if self.out.json && first == from => json_line(raw),
                Some((from, to)) => self.gap(from, to),
            },
            StreamLine::Hello { .. } | StreamLine::Other => String::new(),
        })
    }

    fn gap(&self, from: u64, to: u64) -> String {
        let missed = to - from + 1;
        if self.out.json {
            let gap = json!({"type": "gap", "from": from, "to": to, "missed": missed});
            return json_line(&gap.to_string());
        }
        let entries = if missed == 1 { "entry" } else { "entries" };
        self.out.notice(&format!("… {missed} {entries} missed …"))
    }

    fn parsed<'l>(&self, line: &'l [u8]) -> Result<(Value, &'l str), DeskError> {
        let raw = std::str::from_utf8(line).map_err(|_| self.nonsense())?;
        let value = crate::json::parse(line).map_err(|_| self.nonsense())?;
        Ok((value, raw))
    }

    fn nonsense(&self) -> DeskError {
        let board = self.client.board;
        DeskError::Permanent(format!("{board} sends something that is not a log"))
    }
}

/// How long to wait before the next attempt: not at all at first, then twice as long each time.
struct ReconnectDelay {
    timing: Timing,
    next: Option<Duration>,
}

impl ReconnectDelay {
    fn new(timing: Timing) -> Self {
        Self { timing, next: None }
    }

    fn reset(&mut self) {
        self.next = None;
    }

    /// With up to a quarter more or less, so that many desks do not return to a board at the same moment.
    fn next(&mut self, entropy: &dyn Entropy) -> Duration {
        let Some(pause) = self.next else {
            self.next = Some(self.timing.first_pause);
            return Duration::ZERO;
        };
        self.next = Some((pause * 2).min(self.timing.longest_pause));
        let mut byte = [0];
        entropy.fill(&mut byte);
        pause * (768 + 2 * u32::from(byte[0])) / 1024
    }
}

/// Even if a board asks for a longer pause, it is asked again after this.
const LONGEST_OBEYED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;

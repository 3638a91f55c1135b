//! Following: the live stream, taken up again where it broke off, until somebody wants the end.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::failure::Failure;
use super::place::{Greeting, Line, Place};
use super::recent;
use super::session::Session;
use super::show::Show;
use super::{Options, Timing};
use crate::entropy::Entropy;
use crate::terminal::Terminal;
use crate::terminal::escape::json_line;

/// What following needs to know.
pub(super) struct Follow<'a, 's> {
    pub client: &'a Client<'a>,
    pub session: &'a mut Session<'s>,
    pub options: &'a Options,
    /// How entries look, and how what is said beside them.
    pub out: Show,
    pub err: Show,
    pub entropy: &'a dyn Entropy,
}

/// What it has come to.
struct State {
    place: Place,
    /// Entries of the first replay before this time, and up to that number, are not wanted.
    unwanted: Option<(SystemTime, u64)>,
    /// Whether a stream has stood: from then on it is taken up again, before it is a failure.
    stood: bool,
    /// Whether it was said that the connection is lost.
    told_lost: bool,
    backoff: Backoff,
}

impl<'a> Follow<'a, '_> {
    /// Shows entries as they come. Comes back without a failure when the end was wanted.
    pub(super) fn run(mut self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mut state = State {
            place: Place::new(self.options.since.is_some()),
            unwanted: None,
            stood: false,
            told_lost: false,
            backoff: Backoff::new(self.client.timing),
        };
        if let Some(age) = self.options.since {
            let since = recent::begin(self.client, self.session, age)?;
            state.unwanted = Some((since, u64::MAX));
        }
        loop {
            let failure = match self.stream(&mut state, terminal) {
                Ok(()) => Failure::passing(format!("{}: the stream has ended", self.client.board)),
                Err(failure) => failure,
            };
            if !state.stood {
                return Err(failure);
            }
            if self.client.stop.ended().is_some() {
                return Ok(());
            }
            let Failure::Passing { reason, after } = failure else {
                return Err(failure);
            };
            let pause = state.backoff.next(self.entropy);
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
    fn stream(&mut self, state: &mut State, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mut answer = self.open(&state.place, terminal)?;
        // The first line comes at once, or this is no stream.
        let Some(hello) = answer.line()? else {
            return Ok(());
        };
        let (value, raw) = self.parsed(&hello)?;
        let Some(Line::Hello {
            boot,
            oldest,
            newest,
        }) = Line::of(&value)
        else {
            return Err(self.nonsense());
        };
        match state.place.hello(boot, oldest, newest) {
            Greeting::First { newest } if self.options.since.is_none() => {
                recent::newest(
                    self.client,
                    self.session,
                    self.options,
                    Some((state.place.boot(), newest)),
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
                state.backoff.reset();
            }
        }
        Ok(())
    }

    /// Opens the stream, with another access token if this one is over.
    fn open(&mut self, place: &Place, terminal: &mut Terminal<'_>) -> Result<Answer<'a>, Failure> {
        let target = format!(
            "/api/logs?follow=true{}{}",
            place.query(),
            self.options.filters()
        );
        match self.client.get(&target, self.session.token()) {
            Err(Failure::Denied(_)) => {}
            other => return other,
        }
        let over = || {
            Failure::Final(format!(
                "the login at {} has ended: it was signed out, or the password was changed",
                self.client.board
            ))
        };
        self.session
            .renew(self.client, terminal)
            .and_then(|()| self.client.get(&target, self.session.token()))
            .map_err(|failure| match failure {
                Failure::Denied(_) => over(),
                other => other,
            })
    }

    /// The line to show; empty if there is none.
    fn understood(&self, value: &Value, raw: &str, state: &mut State) -> Result<String, Failure> {
        let line = Line::of(value).ok_or_else(|| self.nonsense())?;
        Ok(match line {
            Line::Log { seq } if !state.place.log(seq) => String::new(),
            Line::Log { seq } => match state.unwanted {
                Some((since, until)) if seq <= until && !recent::is_since(value, since) => {
                    String::new()
                }
                _ => self.out.entry(value, raw),
            },
            Line::Gap { from, to } => match state.place.gap(from, to) {
                None => String::new(),
                Some((first, _)) if self.out.json && first == from => json_line(raw),
                Some((from, to)) => self.gap(from, to),
            },
            Line::Hello { .. } | Line::Other => String::new(),
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

    fn parsed<'l>(&self, line: &'l [u8]) -> Result<(Value, &'l str), Failure> {
        let raw = std::str::from_utf8(line).map_err(|_| self.nonsense())?;
        let value = crate::json::parse(line).map_err(|_| self.nonsense())?;
        Ok((value, raw))
    }

    fn nonsense(&self) -> Failure {
        let board = self.client.board;
        Failure::Final(format!("{board} sends something else than a log"))
    }
}

/// How long to wait before the next attempt: not at all at first, then twice as long each time.
struct Backoff {
    timing: Timing,
    next: Option<Duration>,
}

impl Backoff {
    fn new(timing: Timing) -> Self {
        Self { timing, next: None }
    }

    fn reset(&mut self) {
        self.next = None;
    }

    /// With up to a quarter more or less, so that many desks do not come back to a board in step.
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

/// A board that wants to be left alone for longer is asked all the same.
const LONGEST_OBEYED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;

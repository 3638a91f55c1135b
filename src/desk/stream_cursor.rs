//! The position in the board's numbered entries: which were shown, which are new, which are missing. No I/O.

use serde_json::Value;

/// How far the stream was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StreamCursor {
    /// The board's run; empty before the first `hello`.
    boot: String,
    /// Everything up to this number was shown, counted as missing, or not wanted.
    last: u64,
    /// Whether the first connection replays all that there is.
    from_start: bool,
}

/// What a `hello` says to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// The first one; the newest entry then was this.
    First { newest: u64 },
    /// The same run as before.
    Again,
    /// The board has been started again. A gap counts what is lost of its new run already.
    Restarted,
}

/// A line of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamLine {
    Hello {
        boot: String,
        oldest: u64,
        newest: u64,
    },
    Log {
        seq: u64,
    },
    Gap {
        from: u64,
        to: u64,
    },
    /// Something newer than we are.
    Other,
}

impl StreamLine {
    /// `None`: no line of this stream.
    pub(super) fn of(line: &Value) -> Option<Self> {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        Some(match line.get("type")?.as_str()? {
            "hello" => Self::Hello {
                boot: line.get("boot")?.as_str()?.to_owned(),
                oldest: number("oldest")?,
                newest: number("newest")?,
            },
            "log" => Self::Log {
                seq: number("seq")?,
            },
            "gap" => Self::Gap {
                from: number("from")?,
                to: number("to")?,
            },
            _ => Self::Other,
        })
    }
}

impl StreamCursor {
    /// Before the first connection; `from_start`: it is to replay all that the board still has.
    pub(super) fn new(from_start: bool) -> Self {
        Self {
            from_start,
            ..Self::default()
        }
    }

    /// What to ask for up to this entry of the run that has said `hello`. If the board has started again, that is
    /// nothing: its new entries come with the next `hello`.
    pub(super) fn until(&self, last: u64) -> String {
        format!("&until={last}{}", self.run())
    }

    fn run(&self) -> String {
        let boot: String = form_urlencoded::byte_serialize(self.boot.as_bytes()).collect();
        format!("&boot={boot}")
    }

    /// What to ask for: everything behind this place.
    pub(super) fn query(&self) -> String {
        if !self.boot.is_empty() {
            return format!("&since={}{}", self.last, self.run());
        }
        let all = if self.from_start { "&since=0" } else { "" };
        all.to_owned()
    }

    pub(super) fn hello(&mut self, boot: String, oldest: u64, newest: u64) -> Greeting {
        let before = oldest.saturating_sub(1);
        if self.boot.is_empty() {
            self.boot = boot;
            // What the board had forgotten before we came is nothing that we have missed.
            self.last = if self.from_start { before } else { newest };
            Greeting::First { newest }
        } else if self.boot == boot {
            Greeting::Again
        } else {
            self.boot = boot;
            // Each run begins at 1.
            self.last = 0;
            Greeting::Restarted
        }
    }

    /// Whether an entry is new.
    pub(super) fn log(&mut self, seq: u64) -> bool {
        let is_new = seq > self.last;
        self.last = self.last.max(seq);
        is_new
    }

    /// What of a gap is news: its first number and its last.
    pub(super) fn gap(&mut self, from: u64, to: u64) -> Option<(u64, u64)> {
        let from = from.max(self.last + 1);
        let news = (from <= to).then_some((from, to));
        self.last = self.last.max(to);
        news
    }
}

#[cfg(test)]
mod tests;

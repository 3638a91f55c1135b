//! Reads a board's answer over TLS: its head, and its body whole or line by line, each with a limit.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use memchr::memchr;
use zeroize::Zeroizing;

use super::board::BoardAddress;
use super::environment::Timing;
use super::error::DeskError;
use super::socket::TlsStream;
use crate::http::body::Decoder;
use crate::http::response_head::ResponseHead;
use crate::json;
use crate::terminal::escape::plain;

/// An answer, its body still to be read.
pub(super) struct BoardResponse<'a> {
    board: String,
    status: u16,
    retry_after: Option<u64>,
    stream: TlsStream<'a>,
    body: Decoder,
    /// Off the wire, not yet decoded. Like `text` it may hold tokens.
    raw: Zeroizing<Vec<u8>>,
    /// Of the body, not yet taken.
    text: Zeroizing<Vec<u8>>,
}

impl<'a> BoardResponse<'a> {
    /// Reads the head.
    pub(super) fn read(board: &BoardAddress, stream: TlsStream<'a>) -> Result<Self, DeskError> {
        let mut answer = Self {
            board: board.to_string(),
            status: 0,
            retry_after: None,
            stream,
            body: Decoder::over(),
            raw: Zeroizing::new(Vec::with_capacity(MAX_HEAD + READ)),
            text: Zeroizing::new(Vec::with_capacity(MAX_HEAD + READ)),
        };
        let head = loop {
            match ResponseHead::read(&answer.raw) {
                Ok(Some(head)) => break head,
                Ok(None) if answer.raw.len() <= MAX_HEAD => {}
                _ => return Err(answer.nonsense("this is not an answer of postern")),
            }
            if !answer.fill()? {
                return Err(answer.broken());
            }
        };
        answer.status = head.status;
        answer.retry_after = head.retry_after();
        let body = Decoder::new(head.framing, u64::MAX);
        answer.body = body.map_err(|_| answer.nonsense("the body of its answer is malformed"))?;
        answer.raw.drain(..head.length);
        Ok(answer)
    }

    /// Itself if it is a 200; else what the board says.
    pub(super) fn accepted(self, timing: Timing) -> Result<Self, DeskError> {
        if self.status == 200 {
            return Ok(self);
        }
        let (board, status, retry_after) = (self.board.clone(), self.status, self.retry_after);
        let body = self.whole(MAX_SMALL, timing.answer);
        let body = body.ok().and_then(|body| json::parse(&body).ok());
        let detail = body.as_ref().and_then(|body| body.get("detail")?.as_str());
        let mut reason = match detail {
            Some(detail) => format!("{board}: {}", plain(detail)),
            None => format!("{board} answers with status {status}"),
        };
        // Postern says it in words, too; any other number (a port, say) is not it.
        if let Some(seconds) = retry_after
            && !detail.is_some_and(|detail| detail.contains(&format!(" {seconds} s")))
        {
            reason = format!("{reason}; try again in {seconds} s");
        }
        Err(match status {
            401 => DeskError::Denied(reason),
            429 | 500.. => DeskError::Temporary {
                reason,
                after: retry_after.map(Duration::from_secs),
            },
            _ => DeskError::Permanent(reason),
        })
    }

    /// The body, which has at most `limit` bytes and is here within that time.
    pub(super) fn whole(
        mut self,
        limit: usize,
        within: Duration,
    ) -> Result<Zeroizing<Vec<u8>>, DeskError> {
        self.stream.sock.deadline = Some(Instant::now() + within);
        loop {
            self.decode()?;
            if self.text.len() > limit {
                return Err(self.nonsense(&format!("its answer is longer than {limit} bytes")));
            }
            if self.body.is_done() {
                return Ok(self.text);
            }
            if !self.fill()? {
                return if self.body.may_end() {
                    Ok(self.text)
                } else {
                    Err(self.broken())
                };
            }
        }
    }

    /// The body's next line; nothing at its end. An incomplete last line is dropped: the board will send it again.
    pub(super) fn line(&mut self) -> Result<Option<Vec<u8>>, DeskError> {
        loop {
            self.decode()?;
            if let Some(line) = take_line(&mut self.text) {
                return Ok(Some(line));
            }
            if self.text.len() > MAX_LINE {
                let longer = format!("it sends a line longer than {MAX_LINE} bytes");
                return Err(self.nonsense(&longer));
            }
            if self.body.is_done() || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// From now on lines may come when they come.
    pub(super) fn wait_for_ever(&mut self) {
        self.stream.sock.deadline = None;
    }

    fn decode(&mut self) -> Result<(), DeskError> {
        let text = &mut self.text;
        let decoded = (self.body).decode(&self.raw, &mut |part| text.extend_from_slice(part));
        let used = decoded.map_err(|_| self.nonsense("the body of its answer is malformed"))?;
        self.raw.drain(..used);
        Ok(())
    }

    /// Reads a piece; false at the end of the connection.
    fn fill(&mut self) -> Result<bool, DeskError> {
        let mut piece = Zeroizing::new([0; READ]);
        match self.stream.read(&mut *piece) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.raw.extend_from_slice(&piece[..length]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(DeskError::temporary(format!("{}: {error}", self.board))),
        }
    }

    fn broken(&self) -> DeskError {
        DeskError::temporary(format!(
            "{}: the connection ended in the middle of it",
            self.board
        ))
    }

    fn nonsense(&self, what: &str) -> DeskError {
        DeskError::Permanent(format!("{}: {what}", self.board))
    }
}

/// Takes the first line out of `text`, without its end, if there is a whole one.
fn take_line(text: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = memchr(b'\n', text)?;
    let mut line: Vec<u8> = text.drain(..=end).collect();
    line.pop();
    Some(line)
}

/// What is read at once.
const READ: usize = 8 * 1024;

/// The board's heads have some 300 bytes.
const MAX_HEAD: usize = 16 * 1024;

/// A pair of tokens, an error, a status with its log sources: a few KiB at most.
pub(super) const MAX_SMALL: usize = 256 * 1024;

/// The longest entry: its message and fields at their bounds (`logs::entry`), and its source's name.
const MAX_LINE: usize = 256 * 1024;

#[cfg(test)]
mod tests;

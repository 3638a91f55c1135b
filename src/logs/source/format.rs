//! A line to an [`SourceEvent`], by the format that `LOG_SOURCES` names for it.
//!
//! A line that is not in its format is a message as it stands: no line is lost for its form.

use std::str::FromStr;

use super::SourceEvent;
use super::line::TextLine;
use crate::clock::Timestamp;
use crate::config::LineFormat;

mod json;
mod squid;

/// What the line says. A line that was cut is not looked into: its end is missing.
pub(super) fn event(line: TextLine, format: LineFormat) -> SourceEvent {
    if line.cut_from.is_some() {
        return line.into();
    }
    let found = match format {
        LineFormat::Raw => None,
        LineFormat::Json => json::event(&line.text),
        LineFormat::Squid => squid::event(&line.text),
        // The first byte tells most lines from both.
        LineFormat::Auto => match line.text.as_bytes().first() {
            Some(b'{') => json::event(&line.text),
            Some(b'0'..=b'9') => squid::event(&line.text),
            _ => None,
        },
    };
    match found {
        Some(mut event) => {
            if event.message.is_empty() {
                event.message = line.text;
            }
            event
        }
        None => line.into(),
    }
}

/// A time that a line may be believed: from 2000 to 9999. An earlier one comes from a clock that was never set, or
/// is no time of day but one since a start; when the line was read is nearer the truth then.
fn believable(millis: i128) -> Option<Timestamp> {
    let millis = u64::try_from(millis).ok()?;
    (EARLIEST..=LATEST)
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

/// A whole number written in decimal digits and nothing else; `FromStr` alone would let a sign pass.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

/// 2000-01-01, in milliseconds since the epoch.
const EARLIEST: u64 = 946_684_800_000;

/// The last millisecond of the year 9999: RFC 3339 has no later one.
const LATEST: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests;

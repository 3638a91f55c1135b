//! A JSON object on a line, as most loggers of programs write it: its members become fields, and of those that are named as
//! loggers name them, one each is taken for the level, the message and the time.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{SourceEvent, believable};
use crate::clock::Timestamp;
use crate::logs::Level;

/// The event, or nothing if the line is no JSON object. It has no message if the object has none.
///
/// A member is taken out of the fields only if it could be used: a `level` that says nothing stays.
pub(super) fn event(text: &str) -> Option<SourceEvent> {
    let text = text.trim_ascii();
    // Spares a cut or unfinished object, of whatever length, the way to its missing end.
    if !text.starts_with('{') || !text.ends_with('}') {
        return None;
    }
    // serde_json goes 128 levels deep and no further.
    let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    Some(SourceEvent {
        level: take(&mut fields, &LEVEL, |value| level(value)),
        timestamp: take(&mut fields, &TIME, |value| timestamp(value)),
        message: take(&mut fields, &MESSAGE, message).unwrap_or_default(),
        fields,
        label: None,
    })
}

/// Takes the first of these members that means something out of the fields.
fn take<T>(
    fields: &mut Map<String, Value>,
    names: &[&str],
    read: impl Fn(&mut Value) -> Option<T>,
) -> Option<T> {
    names.iter().find_map(|name| {
        let meaning = read(fields.get_mut(*name)?)?;
        fields.remove(*name);
        Some(meaning)
    })
}

fn message(value: &mut Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(std::mem::take(text)),
        _ => None,
    }
}

/// A name; or a number: a syslog severity from 0 to 7, or pino's and bunyan's tens, where 30 is `info`.
fn level(value: &Value) -> Option<Level> {
    match value {
        Value::String(name) if name.len() <= 16 => {
            let name = name.trim();
            Level::parse(name).or_else(|| name.parse().ok().and_then(numbered))
        }
        Value::Number(number) => number.as_u64().and_then(numbered),
        _ => None,
    }
}

fn numbered(number: u64) -> Option<Level> {
    Some(match number {
        severity @ 0..=7 => Level::from_severity(u8::try_from(severity).ok()?),
        10..30 => Level::Debug,
        30..40 => Level::Info,
        40..50 => Level::Warn,
        50..60 => Level::Error,
        60..=100 => Level::Crit,
        _ => return None,
    })
}

/// RFC 3339, or a number of seconds or milliseconds since the epoch; which, its size tells.
fn timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        // The longest that is still one: date, time, nanoseconds and an offset.
        Value::String(text) if text.len() <= 64 => {
            let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
            believable(time.unix_timestamp_nanos().div_euclid(1_000_000))
        }
        Value::Number(number) => {
            let number = number.as_f64()?;
            let millis = if number.abs() < SECONDS_BELOW {
                (number * 1000.0).round()
            } else {
                number
            };
            // A float too large for the type becomes its largest value, which is not believed.
            #[allow(clippy::cast_possible_truncation)]
            let millis = millis as i128;
            believable(millis)
        }
        _ => None,
    }
}

const LEVEL: [&str; 4] = ["level", "severity", "lvl", "log.level"];
const MESSAGE: [&str; 2] = ["msg", "message"];
const TIME: [&str; 4] = ["time", "timestamp", "ts", "@timestamp"];

/// As seconds this is the year 5138, as milliseconds 1973.
const SECONDS_BELOW: f64 = 1e11;

#[cfg(test)]
mod tests;

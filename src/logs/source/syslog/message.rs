//! One syslog message: bytes to an event, without any socket. RFC 5424 where it says that it is that; else as RFC 3164
//! describes what programs have always sent, which is less a format than a habit.
//!
//! ```text
//! <34>1 2026-10-11T22:14:15.003Z host app 123 ID47 [id name="value"] the message
//! <34>Oct 11 22:14:15 host app[123]: the message
//! ```
//!
//! Nothing is refused: what cannot be told apart is the message.

use std::time::Duration;

use serde_json::{Map, Value};
use time::{Date, Month, OffsetDateTime};

use super::super::{SourceEvent, priority};
use crate::clock::Timestamp;

/// What the message itself does not say.
pub(super) struct Reception<'a> {
    /// When it was received.
    pub(super) at: Timestamp,
    /// Whether it came over the network, where a host's name stands behind the time.
    pub(super) remote: bool,
    /// The name of this machine, which need not be told.
    pub(super) own_name: &'a str,
}

/// Reads one datagram.
pub(super) fn parse(datagram: &[u8], reception: &Reception<'_>) -> SourceEvent {
    let text = String::from_utf8_lossy(datagram);
    // Senders end it as a line, or as C ends a string.
    let text = text.trim_end_matches(['\n', '\r', '\0']);
    let mut event = SourceEvent::default();
    let Some((number, rest)) = prefix(text) else {
        text.clone_into(&mut event.message);
        return event;
    };
    event.level = Some(priority::level(number));
    event
        .fields
        .insert("facility".to_owned(), priority::facility(number));
    if let Some(rest) = rest.strip_prefix("1 ")
        && rfc5424(rest, reception, &mut event).is_some()
    {
        return event;
    }
    rfc3164(rest, reception, &mut event);
    event
}

/// `<PRI>`, 0 to 191, and what follows it.
fn prefix(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let valid = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|&n| valid && n <= 191)?;
    Some((number, rest))
}

/// Section 6 of RFC 5424, behind the version. `None`, and nothing changed, if it is not that.
fn rfc5424(text: &str, reception: &Reception<'_>, event: &mut SourceEvent) -> Option<()> {
    let mut parts = text.splitn(6, ' ');
    let mut part = || parts.next();
    let time = part()?;
    let (host, app, pid, id) = (part()?, part()?, part()?, part()?);
    let timestamp = match time {
        NIL => None,
        time => Some(rfc3339(time)?),
    };
    let rest = part().unwrap_or_default();
    event.timestamp = timestamp;
    let fields = &mut event.fields;
    name_host(host, reception, fields);
    name(fields, "app", app);
    name_process(fields, pid);
    name(fields, "msgid", id);
    let message = match structured_data(rest) {
        Some((data, message)) => {
            if !data.is_empty() {
                fields.insert("structured_data".to_owned(), Value::Object(data));
            }
            message
        }
        None => rest,
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    // A mark that it is UTF-8, which it is here in any case.
    message
        .strip_prefix('\u{feff}')
        .unwrap_or(message)
        .clone_into(&mut event.message);
    Some(())
}

/// `-`, or elements `[id name="value" …]` one behind the other, by id and name; and what follows them. `None` if it is
/// not that.
fn structured_data(text: &str) -> Option<(Map<String, Value>, &str)> {
    let mut data = Map::new();
    if let Some(rest) = text.strip_prefix(NIL) {
        return (rest.is_empty() || rest.starts_with(' ')).then_some((data, rest));
    }
    let mut rest = text.strip_prefix('[')?;
    // How much has been taken; what is over the bound is read, and left out.
    let mut taken = 0;
    loop {
        let end = rest.find([' ', ']'])?;
        let id = &rest[..end];
        rest = &rest[end..];
        let mut element = Map::new();
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, after) = parameter.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            taken += name.len() + value.len();
            if taken <= MAX_DATA {
                element.insert(name.to_owned(), value.into());
            }
            rest = after;
        }
        rest = rest.strip_prefix(']')?;
        taken += id.len();
        if taken <= MAX_DATA {
            data.insert(id.to_owned(), Value::Object(element));
        }
        match rest.strip_prefix('[') {
            Some(next) => rest = next,
            None => break,
        }
    }
    if taken > MAX_DATA {
        data.insert("truncated".to_owned(), Value::from(true));
    }
    Some((data, rest))
}

/// A value up to its closing quote, in which `\"`, `\\` and `\]` stand for the second character; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                escaped @ ('"' | '\\' | ']') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// Section 4 of RFC 3164, and what is made of it: a time of either kind or none, a host only from the network or where a
/// tag follows, a tag or none.
fn rfc3164(text: &str, reception: &Reception<'_>, event: &mut SourceEvent) {
    let mut rest = text;
    if let Some((timestamp, after)) = timestamp(text, reception) {
        event.timestamp = Some(timestamp);
        rest = after.trim_start_matches(' ');
        if tag(rest).is_none()
            && let Some((host, after)) = rest.split_once(' ')
            && (reception.remote || tag(after).is_some())
        {
            name_host(host, reception, &mut event.fields);
            rest = after;
        }
    }
    if let Some((app, pid, after)) = tag(rest) {
        name(&mut event.fields, "app", app);
        name_process(&mut event.fields, pid);
        rest = after;
    }
    rest.clone_into(&mut event.message);
}

/// Whether a tag stands here, or behind one word.
fn is_tagged(text: &str) -> bool {
    let behind = text.split_once(' ').map(|(_, rest)| rest);
    [Some(text), behind]
        .into_iter()
        .flatten()
        .any(|text| tag(text).is_some())
}

/// `app:` or `app[pid]:`, and the message behind it.
fn tag(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find([' ', ':', '['])?;
    let app = &text[..end];
    if app.is_empty() || app.len() > MAX_TAG {
        return None;
    }
    let (pid, rest) = match text[end..].strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => (NIL, &text[end..]),
    };
    let message = rest.strip_prefix(':')?;
    let is_tag = message.is_empty() || message.starts_with(' ') || pid != NIL;
    let message = message.strip_prefix(' ').unwrap_or(message);
    (is_tag && pid.len() <= MAX_TAG && !pid.contains(' ')).then_some((app, pid, message))
}

/// `Oct 11 22:14:15`, with fractions of a second, with a year before or behind the time of day, or a time as in RFC 5424; and
/// what follows it.
fn timestamp<'a>(text: &'a str, reception: &Reception<'_>) -> Option<(Timestamp, &'a str)> {
    let received = reception.at;
    let (first, rest) = text.split_once(' ')?;
    if let Some(timestamp) = rfc3339(first) {
        return Some((timestamp, rest));
    }
    let month = MONTHS.iter().position(|&month| month == first)?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    // The day is filled up with a space, or with a zero.
    let (day, rest) = rest.trim_start_matches(' ').split_once(' ')?;
    let day = number(day, 1..=2)?;
    let (word, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
    // Cisco's devices name the year before the time, …
    let (mut year, time) = match number(word, 4..=4) {
        Some(year) => {
            let (time, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = after;
            (Some(year), time)
        }
        None => (None, word),
    };
    let of_day = time_of_day(time.strip_suffix(':').unwrap_or(time))?;
    // … others behind it. In a local message without a host and a tag it may be a number of the text.
    if year.is_none()
        && let Some((word, after)) = rest.split_once(' ')
        && let Some(behind) = number(word.strip_suffix(':').unwrap_or(word), 4..=4)
        && YEARS.contains(&behind)
        && (reception.remote || is_tagged(after))
    {
        (year, rest) = (Some(behind), after);
    }
    let at = |year| instant(i32::try_from(year).ok()?, month, day, of_day);
    let timestamp = if let Some(year) = year {
        at(year)?
    } else {
        // Whichever year brings it closest to now: at the turn of the year that may be another one than ours.
        let now = i64::try_from(received.as_secs()).ok()?;
        let year = OffsetDateTime::from_unix_timestamp(now).ok()?.year();
        (year - 1..=year + 1)
            .filter_map(|year| at(u32::try_from(year).ok()?))
            .min_by_key(|at| received.as_millis().abs_diff(at.as_millis()))?
    };
    Some((without_zone(timestamp, received), rest))
}

/// It is the sender's local time, and does not say what that is. If it is off by a whole number of quarters of an hour, to
/// within a minute, as time zones are, then that is taken for the zone; else it is taken as it stands, for UTC.
fn without_zone(sent: Timestamp, received: Timestamp) -> Timestamp {
    let off = i128::from(sent.as_millis()) - i128::from(received.as_millis());
    let zone = (off + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
    if off.abs() <= MAX_ZONE && (off - zone).abs() <= TOLERANCE {
        let utc = i128::from(sent.as_millis()) - zone;
        return Timestamp::from_millis(u64::try_from(utc).unwrap_or(0));
    }
    sent
}

/// `2026-10-11T22:14:15.003Z`, with a zone.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-');
    let year = number(parts.next()?, 4..=4)?;
    let month = Month::try_from(u8::try_from(number(parts.next()?, 2..=2)?).ok()?).ok()?;
    let day = number(parts.next()?, 2..=2)?;
    let zone = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let at = instant(i32::try_from(year).ok()?, month, day, time_of_day(time)?)?;
    if zone == "Z" {
        return Some(at);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = number(hours, 2..=2)? * 60 + number(minutes, 2..=2)?;
    let offset = Duration::from_secs(u64::from(minutes) * 60);
    Some(if zone.starts_with('+') {
        at.saturating_sub(offset)
    } else {
        at + offset
    })
}

/// `22:14:15`, with a fraction if there is one.
fn time_of_day(text: &str) -> Option<Duration> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = text.splitn(3, ':');
    let mut part = |most| number(parts.next()?, 2..=2).filter(|&number| number <= most);
    // A leap second is the next minute's first.
    let seconds = part(23)? * 3600 + part(59)? * 60 + part(60)?;
    number(fraction, 1..=9)?;
    let millis = format!("{fraction:0<3.3}").parse().ok()?;
    Some(Duration::from_secs(seconds.into()) + Duration::from_millis(millis))
}

fn instant(year: i32, month: Month, day: u32, of_day: Duration) -> Option<Timestamp> {
    let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    let seconds = u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok()?;
    Some(Timestamp::from_secs(seconds) + of_day)
}

/// A number without a sign, of so many digits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let valid = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| valid)
}

fn name_host(host: &str, reception: &Reception<'_>, fields: &mut Map<String, Value>) {
    if host != reception.own_name {
        name(fields, "hostname", host);
    }
}

/// A process is a number, as everywhere; some say more.
fn name_process(fields: &mut Map<String, Value>, pid: &str) {
    match number(pid, 1..=9) {
        Some(number) => drop(fields.insert("pid".to_owned(), number.into())),
        None => name(fields, "pid", pid),
    }
}

fn name(fields: &mut Map<String, Value>, name: &str, value: &str) {
    if value != NIL && !value.is_empty() {
        let value: String = value.chars().take(MAX_NAME).collect();
        fields.insert(name.to_owned(), value.into());
    }
}

/// RFC 5424's word for nothing.
const NIL: &str = "-";

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// RFC 5424 allows a host's name that many characters, and everything else fewer.
const MAX_NAME: usize = 255;

/// What may be a year behind a time: no more than clocks know, so that fewer numbers are taken for one.
const YEARS: std::ops::RangeInclusive<u32> = 1970..=2099;

/// RFC 3164 allows 32 characters; programs have longer names. What is longer is text.
const MAX_TAG: usize = 64;

/// Structured data is kept up to so many bytes, so that it never costs an entry its other fields.
const MAX_DATA: usize = 8 * 1024;

/// In milliseconds, as are the next two. All zones are whole quarters of an hour, …
const QUARTER: i128 = 15 * 60 * 1000;

/// … fourteen hours off at most.
const MAX_ZONE: i128 = 14 * 60 * 60 * 1000;

/// Longer than a message is under way, and much shorter than a quarter.
const TOLERANCE: i128 = 60 * 1000;

#[cfg(test)]
mod tests;

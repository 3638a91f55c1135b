//! A JSON object on a line, as most loggers of programs write it: its members become fields, and of those that are named as
//! loggers name them, one each is taken for the level, the message and the time.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Event, believable};
use crate::clock::Timestamp;
use crate::logs::Level;

/// The event, or nothing if the line is no JSON object. It has no message if the object has none.
///
/// A member is taken out of the fields only if it could be used: a `level` that says nothing stays.
pub(super) fn event(text: &str) -> Option<Event> {
    let text = text.trim_ascii();
    // Spares a cut or unfinished object, of whatever length, the way to its missing end.
    if !text.starts_with('{') || !text.ends_with('}') {
        return None;
    }
    // serde_json goes 128 levels deep and no further.
    let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    Some(Event {
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
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Event {
        event(text).unwrap_or_else(|| panic!("no object: {text}"))
    }

    fn millis(time: &str) -> Option<u64> {
        let event = read(&format!(r#"{{"time":{time}}}"#));
        // What is not used is not lost either.
        assert_eq!(event.timestamp.is_none(), event.fields.contains_key("time"));
        event.timestamp.map(Timestamp::as_millis)
    }

    #[test]
    fn the_members_become_fields_but_for_level_message_and_time() {
        let event = read(
            r#"{"level":"warn","msg":"hot","time":"2026-11-24T14:32:10.123456Z","cpu":{"t":81.5},"ok":null}"#,
        );
        assert_eq!(event.message, "hot");
        assert_eq!(event.level, Some(Level::Warn));
        assert_eq!(event.timestamp.unwrap().as_millis(), 1_795_530_730_123);
        assert_eq!(
            Value::Object(event.fields),
            json!({"cpu": {"t": 81.5}, "ok": null})
        );
    }

    #[test]
    fn levels_are_read_as_loggers_write_them() {
        for (level, expected) in [
            (r#""INFO""#, Some(Level::Info)),
            (r#""Warning""#, Some(Level::Warn)),
            (r#""fatal""#, Some(Level::Crit)),
            (r#""trace""#, Some(Level::Debug)),
            (r#""3""#, Some(Level::Error)),
            (r#""50""#, Some(Level::Error)),
            ("0", Some(Level::Emerg)),
            ("6", Some(Level::Info)),
            ("7", Some(Level::Debug)),
            ("10", Some(Level::Debug)),
            ("20", Some(Level::Debug)),
            ("30", Some(Level::Info)),
            ("40", Some(Level::Warn)),
            ("50", Some(Level::Error)),
            ("60", Some(Level::Crit)),
            ("8", None),
            ("-1", None),
            ("1e9", None),
            (r#""loud""#, None),
            ("[]", None),
        ] {
            for name in LEVEL {
                let event = read(&format!(r#"{{"{name}":{level}}}"#));
                assert_eq!(event.level, expected, "{name} {level}");
                assert_eq!(event.fields.contains_key(name), expected.is_none());
            }
        }
    }

    #[test]
    fn times_are_read_as_loggers_write_them() {
        for (time, expected) in [
            (r#""2026-11-24T16:32:10+02:00""#, 1_795_530_730_000),
            (r#""2026-11-24T14:32:10.1239999Z""#, 1_795_530_730_123),
            ("1795530730", 1_795_530_730_000),
            ("1795530730.123", 1_795_530_730_123),
            ("1795530730123", 1_795_530_730_123),
        ] {
            assert_eq!(millis(time), Some(expected), "{time}");
        }
        for name in TIME {
            assert!(
                read(&format!(r#"{{"{name}":1795530730}}"#))
                    .timestamp
                    .is_some()
            );
        }
    }

    #[test]
    fn a_time_out_of_all_reason_is_not_used() {
        for time in [
            "-1",
            "0",
            "12.5",
            "-1795530730",
            "1e300",
            "-1e300",
            "999999999999999999",
            "null",
            r#""1970-01-01T00:00:00Z""#,
            r#""yesterday""#,
            r#""10000-01-01T00:00:00Z""#,
            r#""-0001-01-01T00:00:00Z""#,
            r#""2026-13-24T14:32:10Z""#,
        ] {
            assert_eq!(millis(time), None, "{time}");
        }
    }

    #[test]
    fn without_a_message_of_its_own_there_is_none() {
        for text in [
            "{}",
            r#"{"msg":""}"#,
            r#"{"msg":5,"message":null}"#,
            r#"{"other":"x"}"#,
        ] {
            assert_eq!(read(text).message, "", "{text}");
        }
        assert_eq!(read(r#"{"msg":7,"message":"b"}"#).message, "b");
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let event = read(r#" {"a":1,"msg":"x","a":2,"msg":"y"} "#);
        assert_eq!(
            (event.message.as_str(), &event.fields["a"]),
            ("y", &2.into())
        );
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "{", "{}}", "[{}]", "\"{}\"", "{\"a\":1} x", "null"] {
            assert!(event(text).is_none(), "{text}");
        }
    }
}

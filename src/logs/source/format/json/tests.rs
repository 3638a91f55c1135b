use serde_json::json;

use super::*;

fn read(text: &str) -> SourceEvent {
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

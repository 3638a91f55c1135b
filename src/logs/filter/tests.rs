use std::time::Duration;

use super::*;
use crate::logs::{NewEntry, Ring};

fn entry(source: &str, level: Level, message: &str) -> RingEntry {
    let ring = Ring::new(1 << 20, "b".into(), Box::new(|| ()));
    ring.push(NewEntry::new(
        source.into(),
        level,
        Timestamp::default(),
        message.into(),
    ));
    let mut entries = Vec::new();
    ring.read_from(1, 1, usize::MAX, &mut entries);
    entries.remove(0)
}

fn shows(filter: (Option<&str>, Option<&str>, Option<&str>), entry: &RingEntry) -> bool {
    Filter::new(filter.0, filter.1, filter.2)
        .unwrap()
        .matches(entry)
}

#[test]
fn a_source_is_known_by_its_name_and_its_file() {
    let app = entry("app", Level::Info, "x");
    for given in ["app", "app.log", "/x/app.log", "file:/x/app.log", ""] {
        assert!(shows((Some(given), None, None), &app), "{given}");
    }
    for given in ["ap", "app.txt", "/x/app/other.log", "APP", "/"] {
        assert!(!shows((Some(given), None, None), &app), "{given}");
    }
    // A file that a pattern fits is called by what its name becomes.
    let label = entry("my_log", Level::Info, "x");
    assert!(shows((Some("/x/my log.txt"), None, None), &label));
    let own = entry("postern", Level::Info, "x");
    assert!(!shows((Some("/x/postern.log"), None, None), &own));
    assert!(shows((Some("postern"), None, None), &own));
    let messages = entry("messages", Level::Info, "x");
    assert!(shows((Some("/var/log/messages"), None, None), &messages));
}

#[test]
fn a_level_lets_the_more_severe_through() {
    let warn = entry("app", Level::Warn, "x");
    assert!(shows((None, Some("info"), None), &warn));
    assert!(shows((None, Some("warning"), None), &warn));
    assert!(!shows((None, Some("error"), None), &warn));
}

#[test]
fn text_is_found_in_any_case_and_only_in_the_message_itself() {
    let line = entry("app", Level::Info, "Línea \"UNO\"\tend");
    for text in ["uno\"\t", "LÍNEA", "END", ""] {
        assert!(shows((None, None, Some(text)), &line), "{text}");
    }
    // Neither the escapes of its JSON text nor the other members.
    for text in ["\\t", "tend", "app", "message"] {
        assert!(!shows((None, None, Some(text)), &line), "{text}");
    }
}

#[test]
fn of_several_sources_each_will_do() {
    let app = entry("app", Level::Info, "x");
    for given in ["squid,app", "app , squid", "/x/app.log,kernel", ",app,"] {
        assert!(shows((Some(given), None, None), &app), "{given}");
    }
    for given in ["squid,kernel", "ap,p", "a,pp"] {
        assert!(!shows((Some(given), None, None), &app), "{given}");
    }
    let comma = entry("a,b", Level::Info, "x");
    assert!(shows((Some("a,b"), None, None), &comma));
}

#[test]
fn a_field_must_be_there_with_just_that_value() {
    let ring = Ring::new(1 << 20, "b".into(), Box::new(|| ()));
    let fields = serde_json::json!({"unit": "ssh.service", "pid": 7, "ok": true, "a\"b": "c,\"fields\":{", "o": {"unit": "x"}});
    let mut new = NewEntry::new(
        "app".into(),
        Level::Info,
        Timestamp::default(),
        "m\",\"fields\":{\"unit\":\"fake\"}".into(),
    );
    new.fields = fields.as_object().unwrap().clone();
    ring.push(new);
    let mut entries = Vec::new();
    ring.read_from(1, 1, usize::MAX, &mut entries);
    let shows = |wanted: &[(&str, &str)]| {
        let filter = wanted
            .iter()
            .try_fold(Filter::default(), |filter, (name, value)| {
                filter.with_field(name, value)
            });
        filter.unwrap().matches(&entries[0])
    };
    for held in [
        &[("unit", "ssh.service")][..],
        &[("pid", "7"), ("ok", "true")],
        &[("a\"b", "c,\"fields\":{")],
        &[("o", "{\"unit\":\"x\"}")],
    ] {
        assert!(shows(held), "{held:?}");
    }
    for other in [
        &[("unit", "ssh.servic")][..],
        &[("unit", "SSH.service")],
        &[("unit", "fake")],
        &[("unit", "")],
        &[("Unit", "ssh.service")],
        &[("pid", "7"), ("ok", "false")],
        &[("pid", "7.0")],
        &[("message", "m")],
    ] {
        assert!(!shows(other), "{other:?}");
    }
    let many =
        (0..=MAX_FIELDS).try_fold(Filter::default(), |filter, _| filter.with_field("a", "b"));
    assert_eq!(many, Err(FilterError::TooManyFields));
}

/// A remote clock that says 2099.
#[test]
fn a_time_over_a_day_ahead_is_marked_and_the_arrival_counts() {
    let now = Timestamp::from_secs(1_795_530_730);
    let stamped = |ahead: Duration| {
        let ring = Ring::new(1 << 20, "b".into(), Box::new(|| ()));
        let new = NewEntry::new("far".into(), Level::Info, now + ahead, "x".into());
        ring.push(new.read_at(now));
        let mut entries = Vec::new();
        ring.read_from(1, 1, usize::MAX, &mut entries);
        entries.remove(0)
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let near = stamped(day);
    assert_eq!(near.when, now + day);
    assert!(!near.json.contains("arrived"));
    let far = stamped(day * 365 * 73);
    assert!(
        far.json.contains(r#""timestamp":"2099-11-"#),
        "{}",
        far.json
    );
    assert!(
        far.json
            .contains(r#","arrived":"2026-11-24T14:32:10.000Z","source":"far""#)
    );
    let shows = |from: Option<Timestamp>, to: Option<Timestamp>| {
        Filter {
            from,
            to,
            ..Filter::default()
        }
        .matches(&far)
    };
    let second = Duration::from_secs(1);
    assert!(shows(Some(now), None) && shows(None, Some(now)) && shows(Some(now), Some(now)));
    assert!(!shows(Some(now + second), None) && !shows(None, Some(now.saturating_sub(second))));
}

#[test]
fn what_is_too_long_or_unknown_is_refused() {
    let long = "x".repeat(2000);
    assert_eq!(
        Filter::new(Some(&long), None, None),
        Err(FilterError::SourceTooLong)
    );
    assert_eq!(
        Filter::new(None, None, Some(&long)),
        Err(FilterError::TextTooLong)
    );
    assert_eq!(
        Filter::new(None, Some("loud"), None),
        Err(FilterError::UnknownLevel)
    );
}

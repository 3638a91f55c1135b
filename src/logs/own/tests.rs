//! What postern's own lines promise.

use super::*;
use crate::clock::FakeTimeSource;
use crate::logs::Filter;

const NOW: Timestamp = Timestamp::from_millis(1_795_530_730_123);

fn shown(message: &str, pairs: &[(&str, KvValue<'_>)], prefix: LinePrefix) -> String {
    line(
        &Record::builder()
            .args(format_args!("{message}"))
            .level(log::Level::Warn)
            .target("postern::auth")
            .key_values(&pairs)
            .build(),
        prefix,
    )
}

#[test]
fn an_event_is_one_line_with_its_pairs() {
    let pairs = [
        ("client", KvValue::from("192.0.2.1")),
        ("user", KvValue::from("a \"b\\\" c")),
        ("tries", KvValue::from(5)),
        ("none", KvValue::from("")),
    ];
    assert_eq!(
        shown("login failed", &pairs, LinePrefix::Time(NOW)),
        "2026-11-24T14:32:10.123Z warn login failed client=192.0.2.1 user=\"a \\\"b\\\\\\\" c\" tries=5 none=\"\"\n"
    );
    assert_eq!(
        shown("login failed", &[], LinePrefix::Priority),
        "<4>warn login failed\n"
    );
}

#[test]
fn nothing_from_outside_can_forge_a_line_or_move_the_cursor() {
    let evil = "x\n<0>emerg forged\r\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{7f}\0";
    let text = shown(evil, &[(evil, KvValue::from(evil))], LinePrefix::Priority);
    assert_eq!(text.matches('\n').count(), 1);
    assert!(text.ends_with("\"\n"));
    let body = text.trim_end_matches('\n');
    assert!(!body.chars().any(char::is_control), "{body}");
    assert!(!body.contains(['\u{202e}', '\u{2028}']));
    assert!(body.starts_with("<4>warn x\\n<0>emerg forged\\r\\u{1b}[2J"));
}

#[test]
fn a_line_never_exceeds_what_a_pipe_takes_whole() {
    let text = shown(&"ä\n".repeat(9000), &[], LinePrefix::Time(NOW));
    assert!(text.len() <= LINE_MAX);
    assert!(text.ends_with("…\n"));
}

#[test]
fn postern_at_info_and_above_is_on_the_stream_whatever_the_level_on_stderr() {
    let ring = Arc::new(Ring::new(1 << 16, "b".into(), Box::new(|| ())));
    let clock = Arc::new(Clock::new(Arc::new(FakeTimeSource::new(NOW)), None));
    let own = OwnLog::new(LevelFilter::Off);
    own.sinks.lock().push((Arc::downgrade(&ring), clock));
    let say = |level, target: &str| {
        let pairs = [("n", KvValue::from(7)), ("ok", KvValue::from(true))];
        let pairs = &pairs[..];
        own.log(
            &Record::builder()
                .args(format_args!("said"))
                .level(level)
                .target(target)
                .key_values(&pairs)
                .build(),
        );
    };
    say(log::Level::Debug, "postern::auth");
    say(log::Level::Error, "rustls::server");
    say(log::Level::Error, "posternish");
    say(log::Level::Info, "postern");
    say(log::Level::Error, "postern::auth");
    let texts = ring.recent(10, None, &Filter::default());
    assert_eq!(texts.len(), 2);
    assert_eq!(
        texts[0].as_str(),
        r#"{"type":"log","seq":1,"timestamp":"2026-11-24T14:32:10.123Z","source":"postern","level":"info","message":"said","fields":{"n":7,"ok":true}}"#
    );
    assert!(texts[1].contains(r#""level":"error""#));
}

#[test]
fn other_crates_are_heard_from_warn_on_and_never_above_the_level_asked_for() {
    let enabled = |level: LevelFilter, record: log::Level, target: &str| {
        let metadata = Metadata::builder().level(record).target(target).build();
        OwnLog::new(level).enabled(&metadata)
    };
    assert!(!enabled(LevelFilter::Trace, log::Level::Info, "rustls"));
    assert!(enabled(LevelFilter::Info, log::Level::Warn, "rustls"));
    assert!(!enabled(LevelFilter::Error, log::Level::Warn, "rustls"));
    assert!(enabled(LevelFilter::Trace, log::Level::Trace, "postern::x"));
    assert!(!enabled(LevelFilter::Info, log::Level::Debug, "postern::x"));
}

#[test]
fn installing_twice_and_rings_that_are_gone_do_no_harm() {
    let clock = Arc::new(Clock::new(Arc::new(FakeTimeSource::new(NOW)), None));
    install(LevelFilter::Error);
    install(LevelFilter::Error);
    let gone = Arc::new(Ring::new(1 << 16, "b".into(), Box::new(|| ())));
    attach(&gone, clock.clone());
    drop(gone);
    let ring = Arc::new(Ring::new(1 << 16, "b".into(), Box::new(|| ())));
    attach(&ring, clock);
    assert!(
        OWN.sinks
            .lock()
            .iter()
            .all(|(ring, _)| ring.strong_count() > 0)
    );
    log::info!(target: "postern::test", n = 1; "an event");
    // Other tests may log at the same time.
    let filter = Filter::new(Some("postern"), None, Some("an event")).unwrap();
    assert_eq!(ring.recent(1, None, &filter).len(), 1);
}

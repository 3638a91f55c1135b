//! Messages as programs, routers and enemies send them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::logs::Level;

/// 2026-11-24T11:36:40.500Z
const NOW: u64 = 1_795_520_200_500;

fn received(text: &[u8], at: u64, remote: bool) -> SourceEvent {
    let reception = Reception {
        at: Timestamp::from_millis(at),
        remote,
        own_name: "board",
    };
    parse(text, &reception)
}

fn local(text: &str) -> SourceEvent {
    received(text.as_bytes(), NOW, false)
}

fn remote(text: &str) -> SourceEvent {
    received(text.as_bytes(), NOW, true)
}

fn time_of(event: &SourceEvent) -> String {
    event.timestamp.map_or("none".to_owned(), |t| t.to_string())
}

#[test]
fn the_examples_of_rfc_5424_are_read() {
    // Section 6.5.
    let event = remote(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
    );
    assert_eq!(event.message, "'su root' failed for lonvick on /dev/pts/8");
    assert_eq!(event.level, Some(Level::Crit));
    assert_eq!(time_of(&event), "2003-10-11T22:14:15.003Z");
    assert_eq!(
        json!(event.fields),
        json!({"facility": "auth", "hostname": "mymachine.example.com", "app": "su", "msgid": "ID47"})
    );

    let event = remote(
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    );
    assert_eq!(event.message, "%% It's time to make the do-nuts.");
    assert_eq!(time_of(&event), "2003-08-24T12:14:15.000Z");
    assert_eq!(event.fields["pid"], 8710);

    let event = remote(
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\"][examplePriority@32473 class=\"high\"]",
    );
    assert_eq!(event.message, "");
    assert_eq!(
        event.fields["structured_data"],
        json!({
            "exampleSDID@32473": {"iut": "3", "eventSource": "Application"},
            "examplePriority@32473": {"class": "high"},
        })
    );
}

#[test]
fn structured_data_may_hold_quotes_and_brackets_and_what_is_none_is_text() {
    let event = remote(r#"<13>1 - - - - - [a b="x\"y\\z\] [n" c=""][d] text ] ["#);
    assert_eq!(event.message, "text ] [");
    assert_eq!(
        event.fields["structured_data"],
        json!({"a": {"b": r#"x"y\z] [n"#, "c": ""}, "d": {}})
    );
    assert_eq!(event.timestamp, None);
    for broken in [
        r#"[a b="never closed"#,
        r#"[a b="c" text"#,
        "[a b=c] text",
        "-text",
        "[",
    ] {
        let event = remote(&format!("<13>1 - - app - - {broken}"));
        assert_eq!(event.message, broken);
        assert_eq!(
            json!(event.fields),
            json!({"facility": "user", "app": "app"})
        );
    }
}

#[test]
fn structured_data_is_bounded_and_costs_no_other_field() {
    let element = |n| format!(r#"[e{n} k="{}"]"#, "v".repeat(20));
    let many = (0..2000).map(element).collect::<Vec<_>>().concat();
    let event = remote(&format!("<13>1 - - app - - {many} text"));
    let data = &event.fields["structured_data"];
    assert!(data.to_string().len() < 2 * MAX_DATA);
    assert_eq!(data["truncated"], true);
    assert_eq!(data["e0"]["k"], "v".repeat(20));
    assert_eq!(
        (event.message.as_str(), &event.fields["app"]),
        ("text", &json!("app"))
    );
}

#[test]
fn what_programs_send_to_dev_log_has_a_tag_and_no_host() {
    for (text, fields, message) in [
        (
            "<13>Nov 24 11:36:33 root: hello",
            json!({"facility": "user", "app": "root"}),
            "hello",
        ),
        (
            "<86>Nov  4 01:36:33 sshd[812]: Accepted: yes\n\0",
            json!({"facility": "authpriv", "app": "sshd", "pid": 812}),
            "Accepted: yes",
        ),
        (
            "<22>postfix/smtpd[9]: no time",
            json!({"facility": "mail", "app": "postfix/smtpd", "pid": 9}),
            "no time",
        ),
        (
            "<13>Nov 24 11:36:33 text without a tag",
            json!({"facility": "user"}),
            "text without a tag",
        ),
        (
            "<13>Nov 24 11:36:33 relayed cron[1]: by another",
            json!({"facility": "user", "hostname": "relayed", "app": "cron", "pid": 1}),
            "by another",
        ),
        (
            "<13>Nov 24 11:36:33 2026 app[7]: hi",
            json!({"facility": "user", "app": "app", "pid": 7}),
            "hi",
        ),
        (
            "<13>Nov 24 11:36:33 2026 items are left",
            json!({"facility": "user"}),
            "2026 items are left",
        ),
        (
            "<13>http://x/ is gone",
            json!({"facility": "user"}),
            "http://x/ is gone",
        ),
        (
            "<13>see http://x/ at 12:30",
            json!({"facility": "user"}),
            "see http://x/ at 12:30",
        ),
        ("<0>", json!({"facility": "kern"}), ""),
    ] {
        let event = local(text);
        assert_eq!(
            (json!(event.fields), event.message.as_str()),
            (fields, message),
            "{text}"
        );
    }
}

#[test]
fn what_comes_over_the_network_has_a_host_unless_it_is_this_one() {
    let event = remote("<189>Nov 24 11:36:33 router link down");
    assert_eq!(event.fields["hostname"], "router");
    assert_eq!(event.message, "link down");
    let event = remote("<13>Nov 24 11:36:33 board app: hi");
    assert_eq!(
        json!(event.fields),
        json!({"facility": "user", "app": "app"})
    );
    let event = remote("<166>Nov 24 2025 11:36:33: %ASA-6-302013: Built");
    assert_eq!(event.fields["app"], "%ASA-6-302013");
    assert_eq!(time_of(&event), "2025-11-24T11:36:33.000Z");
    for (text, hostname, message, time) in [
        (
            "<13>Nov 24 11:36:33 2025 router app: hi",
            "router",
            "hi",
            "2025-11-24T11:36:33.000Z",
        ),
        (
            "<13>Nov  4 11:36:33.5 2025 router app[1]: hi",
            "router",
            "hi",
            "2025-11-04T11:36:33.500Z",
        ),
        (
            "<13>Nov 24 11:36:33 2025: router app: hi",
            "router",
            "hi",
            "2025-11-24T11:36:33.000Z",
        ),
        (
            "<13>Nov 24 2025 11:36:33 router app: hi",
            "router",
            "hi",
            "2025-11-24T11:36:33.000Z",
        ),
        (
            "<189>Nov 24 11:36:33 2025 router link down",
            "router",
            "link down",
            "2025-11-24T11:36:33.000Z",
        ),
        // A host may be called so.
        (
            "<13>Nov 24 11:36:33 4711 app: hi",
            "4711",
            "hi",
            "2026-11-24T11:36:33.000Z",
        ),
    ] {
        let event = remote(text);
        assert_eq!(event.fields["hostname"], hostname, "{text}");
        assert_eq!(
            (event.message.as_str(), time_of(&event).as_str()),
            (message, time),
            "{text}"
        );
    }
    let event = remote("<13>2026-11-24T12:36:33.25+01:00 router app: hi");
    assert_eq!(event.fields["hostname"], "router");
    assert_eq!(time_of(&event), "2026-11-24T11:36:33.250Z");
}

#[test]
fn a_time_without_a_year_is_of_the_nearest_one_through_new_year_too() {
    // 2027-01-01T00:00:05Z and 2026-12-31T23:59:55Z; 2028-02-29T12:00:00Z
    let (new_year, old_year, leap) = (1_798_761_605_000, 1_798_761_595_000, 1_835_438_400_000);
    for (text, at, time) in [
        ("<13>Nov 24 11:36:33 a: b", NOW, "2026-11-24T11:36:33.000Z"),
        (
            "<13>Nov 24 11:36:33.25 a: b",
            NOW,
            "2026-11-24T11:36:33.250Z",
        ),
        (
            "<13>Dec 31 23:59:50 a: b",
            new_year,
            "2026-12-31T23:59:50.000Z",
        ),
        (
            "<13>Jan  1 00:00:01 a: b",
            old_year,
            "2027-01-01T00:00:01.000Z",
        ),
        ("<13>Feb 29 11:59:59 a: b", leap, "2028-02-29T11:59:59.000Z"),
        ("<13>Feb 29 11:59:59 a: b", NOW, "none"),
        ("<13>Jan  1 00:00:00 a: b", 0, "1970-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(
            time_of(&received(text.as_bytes(), at, false)),
            time,
            "{text}"
        );
    }
}

#[test]
fn a_local_time_is_recognised_by_its_whole_quarters_of_an_hour() {
    for (text, time) in [
        // UTC+1, UTC-5, and Nepal's UTC+5:45.
        ("<13>Nov 24 12:36:39 a: b", "2026-11-24T11:36:39.000Z"),
        ("<13>Nov 24 06:36:39 a: b", "2026-11-24T11:36:39.000Z"),
        ("<13>Nov 24 17:21:41 a: b", "2026-11-24T11:36:41.000Z"),
        // Late, or a wrong clock.
        ("<13>Nov 24 11:30:00 a: b", "2026-11-24T11:30:00.000Z"),
        ("<13>Nov 24 10:30:00 a: b", "2026-11-24T10:30:00.000Z"),
        ("<13>Nov 23 11:36:39 a: b", "2026-11-23T11:36:39.000Z"),
    ] {
        assert_eq!(time_of(&local(text)), time, "{text}");
    }
}

#[test]
fn what_is_no_syslog_message_is_shown_as_it_is() {
    for text in [
        "",
        "plain text",
        "<",
        "<>x",
        "<192>x",
        "<1000>x",
        "<-1>x",
        "< 13>x",
        "<13x",
        "<13",
    ] {
        let event = local(text);
        assert_eq!((event.message.as_str(), event.level), (text, None));
        assert!(event.fields.is_empty());
    }
    assert_eq!(
        received(b"<13>a\xffb\x1b[31m\ntwo", NOW, true).message,
        "a\u{fffd}b\u{1b}[31m\ntwo"
    );
}

#[test]
fn what_claims_to_be_rfc_5424_and_is_not_loses_nothing() {
    for text in [
        "1 yesterday host app - - - hi",
        "1 ",
        "1 2026-13-01T00:00:00Z h a p i - m",
    ] {
        let event = remote(&format!("<13>{text}"));
        assert_eq!(event.message, text);
        assert_eq!(event.timestamp, None);
    }
}

/// Bytes that have a chance to get far into the parser.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("<13>".to_owned()),
        Just("<165>1 ".to_owned()),
        Just("2026-11-24T11:36:33.1Z ".to_owned()),
        Just("Nov 24 11:36:33 ".to_owned()),
        Just("Feb 29 2027 ".to_owned()),
        Just("23:59:60.123456789 ".to_owned()),
        Just("[id a=\"b\\\"\"]".to_owned()),
        Just("app[12]: ".to_owned()),
        Just("- ".to_owned()),
        Just("\u{feff}".to_owned()),
        "\\PC{0,8}",
        "[\\[\\]<>:\"\\\\ =-]{0,6}",
    ];
    let pieces = prop::collection::vec(piece, 0..12);
    prop_oneof![
        pieces.prop_map(|pieces| pieces.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
    ]
}

proptest! {
    #[test]
    fn no_datagram_breaks_anything_and_nothing_grows(
        datagram in datagrams(), at in any::<u64>(), from_network in any::<bool>(),
    ) {
        let event = received(&datagram, at, from_network);
        // A byte that is no UTF-8 becomes three.
        prop_assert!(event.message.len() <= 3 * datagram.len());
        prop_assert!(json!(event.fields).to_string().len() <= 200 + 12 * datagram.len());
    }
}

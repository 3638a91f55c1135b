//! Lines as journalctl writes them, and worse ones.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::logs::Level;
use crate::logs::entry::MAX_MESSAGE_BYTES;

fn journal() -> JournalReader {
    JournalReader::of("77".to_owned(), "b007".to_owned())
}

fn fed(journal: &mut JournalReader, bytes: &[u8]) -> Vec<SourceEvent> {
    let mut events = Vec::new();
    journal.feed(bytes, |event| events.push(event));
    events
}

fn one(line: &Value) -> SourceEvent {
    let mut events = fed(&mut journal(), format!("{line}\n").as_bytes());
    assert_eq!(events.len(), 1, "{line}");
    events.remove(0)
}

#[test]
fn an_entry_has_its_level_time_unit_pid_and_identifier() {
    let event = one(&json!({
        "PRIORITY": "4", "MESSAGE": "disk is hot", "__REALTIME_TIMESTAMP": "1795520193146611",
        "_SYSTEMD_UNIT": "smartd.service", "_PID": "612", "SYSLOG_IDENTIFIER": "smartd",
        "_COMM": "smartd-main", "__CURSOR": "s=1", "_BOOT_ID": "b007",
    }));
    assert_eq!(event.message, "disk is hot");
    assert_eq!(event.level, Some(Level::Warn));
    assert_eq!(
        event.timestamp.unwrap().to_string(),
        "2026-11-24T11:36:33.146Z"
    );
    assert_eq!(
        json!(event.fields),
        json!({"unit": "smartd.service", "pid": 612, "identifier": "smartd"})
    );
    let bare = one(&json!({"MESSAGE": "x", "_COMM": "sh", "SYSLOG_PID": "5"}));
    assert_eq!((bare.level, bare.timestamp), (None, None));
    assert_eq!(json!(bare.fields), json!({"identifier": "sh", "pid": 5}));
}

#[test]
fn what_systemd_says_is_told_of_the_unit_that_it_is_about() {
    let said = json!({"MESSAGE": "Started.", "_PID": "1", "_SYSTEMD_UNIT": "init.scope", "UNIT": "a.service"});
    assert_eq!(one(&said).fields["unit"], "a.service");
    let pretended =
        json!({"MESSAGE": "x", "_PID": "9", "_SYSTEMD_UNIT": "b.service", "UNIT": "a.service"});
    assert_eq!(one(&pretended).fields["unit"], "b.service");
}

#[test]
fn a_message_may_be_text_bytes_several_or_none() {
    for (message, text) in [
        (json!("a \"quote\"\n\n"), "a \"quote\""),
        (json!([104, 105, 255, 10]), "hi\u{fffd}"),
        (json!(["one", "two"]), "one\ntwo"),
        (json!([[104, 105], "two"]), "hi\ntwo"),
        (json!([]), ""),
        (json!(null), ""),
        (json!({"odd": 1}), ""),
    ] {
        assert_eq!(one(&json!({"MESSAGE": message})).message, text, "{message}");
    }
}

#[test]
fn our_own_lines_are_left_out_but_for_those_of_another_boot() {
    let mut journal = journal();
    let line = |pid, boot, cursor| {
        format!(
            "{}\n",
            json!({"MESSAGE": "x", "_PID": pid, "_BOOT_ID": boot, "__CURSOR": cursor})
        )
    };
    assert_eq!(fed(&mut journal, line("77", "b007", "c1").as_bytes()), []);
    assert_eq!(journal.cursor(), Some("c1"), "they need not be read again");
    assert_eq!(
        fed(&mut journal, line("77", "b006", "c2").as_bytes()).len(),
        1
    );
    assert_eq!(
        fed(&mut journal, line("78", "b007", "c3").as_bytes()).len(),
        1
    );
}

#[test]
fn the_cursor_is_that_of_the_last_whole_line() {
    let mut journal = journal();
    let bytes = b"{\"__CURSOR\":\"c1\",\"MESSAGE\":\"one\"}\n{\"__CURSOR\":\"c2\",\"MESS";
    assert_eq!(fed(&mut journal, bytes).len(), 1);
    assert_eq!(journal.cursor(), Some("c1"));
    // The next child begins a line of its own.
    let events = fed(&mut journal, b"{\"__CURSOR\":\"c2\",\"MESSAGE\":\"two\"}\n");
    assert_eq!(events[0].message, "two");
    assert_eq!(journal.cursor(), Some("c2"));
}

#[test]
fn a_line_that_is_no_object_is_shown_as_it_is() {
    for garbage in ["-- Boot 1 --", "{\"MESSAGE\":\"cut", "[1,2]", "\u{1}"] {
        let mut journal = journal();
        let events = fed(&mut journal, format!("{garbage}\n\n").as_bytes());
        assert_eq!(events.len(), 1, "an empty line is nothing");
        assert_eq!(events[0].message, garbage);
        assert_eq!(journal.cursor(), None);
    }
}

#[test]
fn of_a_huge_message_the_beginning_is_kept_and_all_fields() {
    let text = "\"MESSAGE\":\"not this\",\"__CURSOR\":\"nor this\" ü\u{1f600} ".repeat(40_000);
    let numbers: Vec<u8> = b"bytes ".repeat(100_000);
    for (message, begins) in [(json!(text), &text[..]), (json!(numbers), "bytes bytes")] {
        let (before, after) = (
            r#"{"__CURSOR":"c5","PRIORITY":"3","#,
            r#""_PID":"8","_BOOT_ID":"b007","__REALTIME_TIMESTAMP":"1000000","SYSLOG_IDENTIFIER":"dump"}"#,
        );
        for line in [
            format!("{before}\"MESSAGE\":{message},{after}\n"),
            format!("{{\"MESSAGE\":{message},{}{}\n", &before[1..], after),
        ] {
            let mut journal = journal();
            let mut events = Vec::new();
            for piece in line.as_bytes().chunks(16 * 1024) {
                events.extend(fed(&mut journal, piece));
                assert!(
                    journal.head.len() + journal.tail.len() <= MAX_HEAD + 3 * MAX_TAIL + 16 * 1024
                );
            }
            assert_eq!(events.len(), 1);
            let event = &events[0];
            let kept = &event.message[..MAX_MESSAGE_BYTES];
            assert!(begins.starts_with(kept) || kept.starts_with(begins));
            assert_eq!(event.level, Some(Level::Error));
            assert_eq!(event.timestamp, Some(Timestamp::from_secs(1)));
            assert_eq!(event.fields["pid"], 8);
            assert_eq!(event.fields["identifier"], "dump");
            assert_eq!(event.fields["truncated"], true);
            assert_eq!(event.fields["bytes"], line.len() - 1);
            assert_eq!(journal.cursor(), Some("c5"));
            assert!(journal.head.capacity() <= KEPT_CAPACITY);
        }
    }
}

#[test]
fn a_huge_line_may_be_cut_anywhere() {
    for less in 0..40 {
        let padding = "x".repeat(MAX_HEAD - less);
        let line =
            format!("{{\"MESSAGE\":\"{padding}ü\\u001b\\ud83d\\ude00\\\\\\\"{padding}\"}}\n");
        let events = fed(&mut journal(), line.as_bytes());
        assert!(
            events[0].message.starts_with(&padding[..MAX_HEAD - 40]),
            "{less}"
        );
    }
}

proptest! {
    #[test]
    fn no_output_breaks_anything_however_it_arrives(
        lines in prop::collection::vec("\\PC{0,40}|\\{\"MESSAGE\":[\\[\\]{}\"0-9a-z:,\\\\]{0,20}\\}", 0..8),
        size in 1_usize..64,
    ) {
        let bytes = lines.join("\n").into_bytes();
        let whole = fed(&mut journal(), &bytes);
        let mut journal = journal();
        let pieces: Vec<_> = bytes.chunks(size).flat_map(|piece| fed(&mut journal, piece)).collect();
        prop_assert_eq!(whole, pieces);
    }
}

use super::*;
use serde_json::json;

fn shown(entry: &Value, color: bool) -> String {
    let format = EntryFormat { json: false, color };
    format.entry(entry, &entry.to_string())
}

#[test]
fn an_entry_is_a_line_with_its_fields_behind() {
    let mut entry = json!({
        "type": "log", "seq": 7, "timestamp": "2026-11-24T14:32:10.123Z", "source": "squid", "level": "warn",
        "message": "cache is full", "fields": {"a": 1, "b": "two words", "c": "plain", "d": [true]},
    });
    assert_eq!(
        shown(&entry, false),
        "2026-11-24 14:32:10.123Z warn   squid  cache is full  a=1  b=\"two words\"  c=plain  d=[true]\n"
    );
    entry["fields"] = json!({});
    assert_eq!(
        shown(&entry, true),
        "\x1b[2m2026-11-24 14:32:10.123Z\x1b[0m \x1b[33mwarn  \x1b[0m squid  cache is full\n"
    );
    assert_eq!(shown(&json!({}), false), "? ?      ?  ?\n");
}

#[test]
fn no_entry_can_drive_the_terminal() {
    let hostile = "\x1b]0;x\x07\x1b[2J\r\n\t\x08\x7f\u{9b}31m\u{202e}\u{2066}\u{200f}\u{2028}\u{feff}\u{e0041}é";
    let mut fields = serde_json::Map::new();
    fields.insert(hostile.into(), hostile.into());
    fields.insert("word\u{202e}".into(), "w\u{9b}".into());
    let entry = json!({
        "timestamp": hostile, "source": hostile, "level": hostile, "message": hostile, "fields": fields,
    });
    let line = shown(&entry, false);
    let body = line.strip_suffix('\n').unwrap();
    assert!(!body.contains(is_unsafe), "{line:?}");
    assert!(body.contains("\\u{1b}]0;x") && body.contains("\\u{9b}31m") && body.contains('é'));
    // With colours the only escapes are ours.
    let painted = shown(&entry, true);
    let ours = ["\x1b[2m", "\x1b[0m"];
    let rest = ours
        .iter()
        .fold(painted, |text, paint| text.replace(paint, ""));
    assert_eq!(rest, line);
}

#[test]
fn severe_levels_stand_out() {
    let levels = ["emerg", "error", "warn", "notice", "info", "debug", "other"];
    let colors = levels.map(color);
    assert_eq!(colors, ["1;31", "31", "33", "36", "", "2", ""]);
}

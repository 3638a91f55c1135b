use serde_json::{Value, json};

use super::*;

#[test]
fn json_stays_the_same_value_on_one_line_and_drives_no_terminal_either() {
    let value = json!({"b": "\x1b[2J\n", "a": "\u{9b}\u{202e}\u{e0041}\u{7f}é😀"});
    let raw = value.to_string().replace(',', ",\r\n\t");
    let line = json_line(&raw);
    let body = line.strip_suffix('\n').unwrap();
    assert!(!body.contains(is_unsafe), "{body:?}");
    assert!(body.contains("é😀"));
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), value);
    let harmless = r#"{"type":"log","seq":1,"message":"x"}"#;
    assert_eq!(json_line(harmless), format!("{harmless}\n"));
}

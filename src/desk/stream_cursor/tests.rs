use super::*;
use serde_json::json;

#[test]
fn it_asks_for_what_comes_next_and_takes_each_entry_once() {
    let mut cursor = StreamCursor::new(false);
    assert_eq!(cursor.query(), "");
    assert_eq!(
        cursor.hello("b&1".into(), 3, 9),
        Greeting::First { newest: 9 }
    );
    assert_eq!(cursor.query(), "&since=9&boot=b%261");
    assert!(!cursor.log(9));
    assert!(cursor.log(10));
    assert!(cursor.log(12), "a filter leaves some out");
    assert!(!cursor.log(11));
    assert_eq!(cursor.gap(13, 20), Some((13, 20)));
    assert!(!cursor.log(20));
    assert_eq!(cursor.hello("b&1".into(), 3, 9), Greeting::Again);
    assert_eq!(cursor.query(), "&since=20&boot=b%261");
}

#[test]
fn what_was_forgotten_before_we_came_is_no_gap() {
    let mut cursor = StreamCursor::new(true);
    assert_eq!(cursor.query(), "&since=0");
    assert_eq!(
        cursor.hello("a".into(), 100, 200),
        Greeting::First { newest: 200 }
    );
    assert_eq!(cursor.gap(1, 99), None);
    assert!(cursor.log(100));
    // Overtaken while it was on its way: that is a loss.
    let mut cursor = StreamCursor::new(true);
    cursor.hello("a".into(), 100, 200);
    assert_eq!(cursor.gap(1, 120), Some((100, 120)));
}

#[test]
fn a_board_that_was_started_again_begins_anew() {
    let mut cursor = StreamCursor::new(false);
    cursor.hello("a".into(), 1, 500);
    assert_eq!(cursor.hello("b".into(), 1, 3), Greeting::Restarted);
    assert!(cursor.log(1) && cursor.log(2));
    assert_eq!(cursor.query(), "&since=2&boot=b");
    assert_eq!(cursor.hello("c".into(), 41, 60), Greeting::Restarted);
    assert_eq!(cursor.gap(3, 40), Some((3, 40)));
    assert!(cursor.log(41));
}

#[test]
fn only_lines_of_the_stream_are_lines() {
    let line = |value: Value| StreamLine::of(&value);
    assert_eq!(
        line(json!({"type": "log", "seq": 7})),
        Some(StreamLine::Log { seq: 7 })
    );
    assert_eq!(line(json!({"type": "later"})), Some(StreamLine::Other));
    for wrong in [
        json!({"type": "log"}),
        json!({"type": "log", "seq": -1}),
        json!({"type": "hello", "boot": 1, "oldest": 1, "newest": 1}),
        json!({"seq": 7}),
        json!([]),
    ] {
        assert_eq!(StreamLine::of(&wrong), None, "{wrong}");
    }
}

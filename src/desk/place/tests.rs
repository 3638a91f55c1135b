use super::*;
use serde_json::json;

#[test]
fn it_asks_for_what_comes_next_and_takes_each_entry_once() {
    let mut place = Place::new(false);
    assert_eq!(place.query(), "");
    assert_eq!(
        place.hello("b&1".into(), 3, 9),
        Greeting::First { newest: 9 }
    );
    assert_eq!(place.query(), "&since=9&boot=b%261");
    assert!(!place.log(9));
    assert!(place.log(10));
    assert!(place.log(12), "a filter leaves some out");
    assert!(!place.log(11));
    assert_eq!(place.gap(13, 20), Some((13, 20)));
    assert!(!place.log(20));
    assert_eq!(place.hello("b&1".into(), 3, 9), Greeting::Again);
    assert_eq!(place.query(), "&since=20&boot=b%261");
}

#[test]
fn what_was_forgotten_before_we_came_is_no_gap() {
    let mut place = Place::new(true);
    assert_eq!(place.query(), "&since=0");
    assert_eq!(
        place.hello("a".into(), 100, 200),
        Greeting::First { newest: 200 }
    );
    assert_eq!(place.gap(1, 99), None);
    assert!(place.log(100));
    // Overtaken while it was on its way: that is a loss.
    let mut place = Place::new(true);
    place.hello("a".into(), 100, 200);
    assert_eq!(place.gap(1, 120), Some((100, 120)));
}

#[test]
fn a_board_that_was_started_again_begins_anew() {
    let mut place = Place::new(false);
    place.hello("a".into(), 1, 500);
    assert_eq!(place.hello("b".into(), 1, 3), Greeting::Restarted);
    assert!(place.log(1) && place.log(2));
    assert_eq!(place.query(), "&since=2&boot=b");
    assert_eq!(place.hello("c".into(), 41, 60), Greeting::Restarted);
    assert_eq!(place.gap(3, 40), Some((3, 40)));
    assert!(place.log(41));
}

#[test]
fn only_lines_of_the_stream_are_lines() {
    let line = |value: Value| Line::of(&value);
    assert_eq!(
        line(json!({"type": "log", "seq": 7})),
        Some(Line::Log { seq: 7 })
    );
    assert_eq!(line(json!({"type": "later"})), Some(Line::Other));
    for wrong in [
        json!({"type": "log"}),
        json!({"type": "log", "seq": -1}),
        json!({"type": "hello", "boot": 1, "oldest": 1, "newest": 1}),
        json!({"seq": 7}),
        json!([]),
    ] {
        assert_eq!(Line::of(&wrong), None, "{wrong}");
    }
}

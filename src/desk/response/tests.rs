use super::*;

#[test]
fn lines_are_taken_only_when_they_are_whole() {
    let mut text = b"one\n\ntw".to_vec();
    assert_eq!(take_line(&mut text).as_deref(), Some(&b"one"[..]));
    assert_eq!(take_line(&mut text).as_deref(), Some(&b""[..]));
    assert_eq!(take_line(&mut text), None);
    assert_eq!(text, b"tw");
}

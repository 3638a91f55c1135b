use super::*;

#[test]
fn a_line_is_read_as_it_was_written() {
    let mut body = String::new();
    member(&mut body, "user", "admin");
    raw_member(&mut body, "n", "7");
    let prev = hash(b"the line before");
    let line = line(u64::MAX, &body, &prev);
    let seq = u64::MAX;
    assert_eq!(
        ChainLink::of(line.as_bytes()),
        Some(ChainLink { seq, prev: &prev })
    );
    for cut in 0..line.len() {
        assert_eq!(ChainLink::of(&line.as_bytes()[..cut]), None, "{cut}");
    }
}

#[test]
fn the_hash_is_what_sha256sum_prints() {
    // printf abc | sha256sum
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash(b"abc"), abc);
}

#[test]
fn no_text_breaks_a_line_or_its_json_or_its_bound() {
    let hostile = [
        "a\nb\r\n\0\u{7f}\"\\",
        "\u{202e}\u{2028}\u{9b}é😀",
        "\",\"prev\":\"",
        "",
    ];
    for text in hostile {
        let mut body = String::new();
        member(&mut body, "user", text);
        let line = line(1, &body, NONE_BEFORE);
        assert!(ChainLink::of(line.as_bytes()).is_some(), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["user"], text);
    }
    for text in ["\u{202e}", "x", "\"", "😀"] {
        let mut body = String::new();
        for name in ["user", "target", "detail"] {
            member(&mut body, name, &text.repeat(1 << 20));
        }
        let line = line(u64::MAX, &body, NONE_BEFORE);
        assert!(ChainLink::of(line.as_bytes()).is_some(), "{line}");
    }
}

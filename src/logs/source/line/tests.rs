use super::*;

fn lines(pieces: &[&[u8]]) -> Vec<TextLine> {
    let mut splitter = Splitter::default();
    let mut lines = Vec::new();
    for piece in pieces {
        splitter.feed(piece, |line| lines.push(line));
    }
    splitter.finish(|line| lines.push(line));
    assert!(!splitter.is_partial());
    lines
}

fn texts(pieces: &[&[u8]]) -> Vec<String> {
    lines(pieces).into_iter().map(|line| line.text).collect()
}

#[test]
fn lines_are_the_same_however_the_bytes_arrive() {
    let bytes = "one\r\ntwo\n\nd\u{e4}\rx\r\r\nlast".as_bytes();
    let whole = texts(&[bytes]);
    assert_eq!(whole, ["one", "two", "", "d\u{e4}\rx\r", "last"]);
    for size in 1..bytes.len() {
        assert_eq!(texts(&bytes.chunks(size).collect::<Vec<_>>()), whole);
    }
}

#[test]
fn bad_utf_8_is_replaced_and_the_rest_kept() {
    assert_eq!(
        texts(&[b"a\xff\xfeb\nc\xe2\x82\n"]),
        ["a\u{fffd}\u{fffd}b", "c\u{fffd}"]
    );
}

#[test]
fn a_line_of_64_kib_is_whole_and_a_longer_one_is_cut_marked_and_not_buffered() {
    let full = vec![b'x'; MAX_MESSAGE_BYTES];
    for ending in [&b"\n"[..], b"\r\n", b""] {
        let line = lines(&[&full, ending]).remove(0);
        assert_eq!((line.text.len(), line.cut_from), (MAX_MESSAGE_BYTES, None));
    }

    let mut splitter = Splitter::default();
    for _ in 0..100 {
        splitter.feed(&full, |_| panic!("no line yet"));
        assert!(splitter.kept.len() <= MAX_MESSAGE_BYTES + 1);
    }
    let mut given = Vec::new();
    splitter.feed(b"\r\nnext\n", |line| given.push(line));
    assert_eq!(given[0].text.len(), MAX_MESSAGE_BYTES);
    assert_eq!(given[0].cut_from, Some(100 * MAX_MESSAGE_BYTES as u64));
    assert_eq!(given[1].text, "next");
    assert!(splitter.kept.capacity() <= KEPT_CAPACITY);
}

#[test]
fn a_cut_never_goes_through_a_character() {
    let line = lines(&["€".repeat(30_000).as_bytes()]).remove(0);
    assert_eq!(line.text, "€".repeat(MAX_MESSAGE_BYTES / 3));
    assert_eq!(line.cut_from, Some(90_000));
}

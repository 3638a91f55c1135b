use super::*;

const ALL: BodyWanted = BodyWanted::UpTo(MAX_BODY);

fn chunked(input: &[u8]) -> Result<(BodyReader, usize), BodyError> {
    let mut body = BodyReader::new(Framing::Chunked, ALL)?;
    let used = body.feed(input)?;
    Ok((body, used))
}

#[test]
fn a_body_never_shows_what_has_come() {
    let mut body = BodyReader::new(Framing::Length(100), ALL).unwrap();
    body.feed(b"{\"password\":\"hunter22\"}").unwrap();
    let shown = format!("{body:?}");
    assert!(
        !shown.contains("hunter22") && !shown.contains("104, 117"),
        "{shown}"
    );
}

#[test]
fn a_body_by_length_ends_where_it_says() {
    let mut body = BodyReader::new(Framing::Length(5), ALL).unwrap();
    assert_eq!(body.feed(b"abc"), Ok(3));
    assert!(!body.is_done());
    assert_eq!(body.feed(b"deGET /"), Ok(2));
    assert!(body.is_done());
    assert_eq!(body.into_bytes(), b"abcde");
}

#[test]
fn chunks_are_put_together_however_they_arrive() {
    let text = b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\nNEXT";
    let (body, used) = chunked(text).unwrap();
    assert!(body.is_done());
    assert_eq!(used, text.len() - 4);
    assert_eq!(body.into_bytes(), b"hello world");

    let mut body = BodyReader::new(Framing::Chunked, ALL).unwrap();
    let mut pending = Vec::new();
    for &byte in text {
        pending.push(byte);
        let used = body.feed(&pending).unwrap();
        pending.drain(..used);
    }
    assert_eq!(pending, b"NEXT");
    assert_eq!(body.into_bytes(), b"hello world");
}

#[test]
fn too_large_a_body_is_refused_before_it_is_read() {
    assert_eq!(
        BodyReader::new(Framing::Length(65_537), ALL).unwrap_err(),
        BodyError::TooLarge(MAX_BODY as u64)
    );
    assert_eq!(
        BodyReader::new(Framing::Length(u64::MAX), ALL).unwrap_err(),
        BodyError::TooLarge(MAX_BODY as u64)
    );
    assert_eq!(
        chunked(b"10001\r\n").unwrap_err(),
        BodyError::TooLarge(MAX_BODY as u64)
    );
    assert_eq!(
        chunked(b"ffffffffffffffffff\r\n").unwrap_err(),
        BodyError::TooLarge(MAX_BODY as u64)
    );
    let mut body = BodyReader::new(Framing::Chunked, ALL).unwrap();
    let mut chunk = b"8000\r\n".to_vec();
    chunk.extend(vec![b'x'; 0x8000]);
    chunk.extend(b"\r\n");
    body.feed(&chunk).unwrap();
    body.feed(&chunk).unwrap();
    assert_eq!(
        body.feed(b"1\r\n"),
        Err(BodyError::TooLarge(MAX_BODY as u64))
    );
}

#[test]
fn a_strangers_body_is_bounded_to_4_kib_and_one_that_nobody_wants_is_not_kept() {
    let strangers = BodyWanted::UpTo(MAX_STRANGERS_BODY);
    assert!(BodyReader::new(Framing::Length(4096), strangers).is_ok());
    let error = BodyReader::new(Framing::Length(4097), strangers).unwrap_err();
    assert_eq!(error.to_string(), "the request body is larger than 4 KiB");
    let mut body = BodyReader::new(Framing::Chunked, strangers).unwrap();
    assert_eq!(body.feed(b"1000\r\n"), Ok(6));
    body.feed(&[b'x'; 4096]).unwrap();
    assert_eq!(body.feed(b"\r\n1\r\n"), Err(error));

    for length in [Framing::Length(65_536), Framing::Chunked] {
        let mut body = BodyReader::new(length, BodyWanted::Nothing).unwrap();
        if length == Framing::Chunked {
            body.feed(b"10000\r\n").unwrap();
        }
        for _ in 0..16 {
            assert_eq!(body.feed(&[b'x'; 4096]), Ok(4096));
            assert_eq!(body.held(), 0);
        }
        if length == Framing::Chunked {
            let mut more = BodyReader::new(length, BodyWanted::Nothing).unwrap();
            assert!(more.feed(b"10001\r\n").is_err());
            assert_eq!(body.feed(b"\r\n0\r\n\r\nGET"), Ok(7));
        }
        assert!(body.is_done());
    }
}

/// What comes out of these bytes, given in pieces of `piece` bytes, and whether the body is over.
fn decoded(framing: Framing, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool), BodyError> {
    let mut body = Decoder::new(framing, u64::MAX)?;
    let (mut raw, mut out) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        raw.extend_from_slice(piece);
        let used = body.decode(&raw, &mut |part| out.extend_from_slice(part))?;
        raw.drain(..used);
    }
    Ok((out, body.is_done()))
}

#[test]
fn a_body_comes_out_whole_however_it_is_cut() {
    for (framing, bytes, text, is_over) in [
        (Framing::Length(5), &b"12345behind"[..], "12345", true),
        (Framing::Length(9), b"12345", "12345", false),
        (Framing::Length(0), b"", "", true),
        (Framing::UntilClose, b"12345", "12345", false),
        (
            Framing::Chunked,
            b"3\r\n123\r\nA;x=y\r\n4567890123\r\n0\r\n\r\n",
            "1234567890123",
            true,
        ),
        (
            Framing::Chunked,
            b"3\r\n123\r\n0\r\nA: b\r\nC: d\r\n\r\nbehind",
            "123",
            true,
        ),
        (Framing::Chunked, b"5\r\n123", "123", false),
    ] {
        for piece in 1..=bytes.len().max(1) {
            let (out, over) = decoded(framing, bytes, piece).unwrap();
            assert_eq!((&*out, over), (text.as_bytes(), is_over), "{piece}");
        }
    }
    assert!(Decoder::new(Framing::UntilClose, 1).unwrap().may_end());
    assert!(!Decoder::new(Framing::Chunked, 1).unwrap().may_end());
    let mut body = Decoder::new(Framing::UntilClose, 2).unwrap();
    assert_eq!(body.decode(b"12", &mut |_| ()), Ok(2));
    assert_eq!(body.decode(b"3", &mut |_| ()), Err(BodyError::TooLarge(2)));
}

#[test]
fn what_never_ends_is_not_gathered() {
    let endless = [
        [b"1;".to_vec(), vec![b'x'; 1000]].concat(),
        [b"0\r\n".to_vec(), b"A: b\r\n".repeat(1000)].concat(),
        [b"0\r\n".to_vec(), vec![b'x'; 5000]].concat(),
    ];
    for bytes in endless {
        let ended = decoded(Framing::Chunked, &bytes, 10);
        assert_eq!(ended, Err(BodyError::Malformed));
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for text in [
        &b"\r\n"[..],
        b"x\r\n",
        b"-1\r\n",
        b"5 5\r\n",
        b"5\nhello",
        b"5\rx\r\n",
        b"2\r\nabc\r\n",
        b"1\r\na\n0\r\n",
    ] {
        assert_eq!(chunked(text).unwrap_err(), BodyError::Malformed, "{text:?}");
    }
    assert_eq!(chunked(&[b'1'; 300]).unwrap_err(), BodyError::Malformed);
    let trailers = [&b"0\r\n"[..], &b"T: y\r\n".repeat(400)].concat();
    assert_eq!(chunked(&trailers).unwrap_err(), BodyError::Malformed);
}

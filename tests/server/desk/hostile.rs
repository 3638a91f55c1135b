//! A board that wants the desk's memory or its time gets neither.

use std::io::Write;
use std::time::{Duration, Instant};

use postern::desk::Timing;

use super::fake::{Fake, Script, answer, endless, say, tokens};
use super::{Place, Seen};

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const HELLO: &str =
    "HTTP/1.1 200 OK\r\n\r\n{\"type\":\"hello\",\"boot\":\"b\",\"oldest\":1,\"newest\":0}\n";

/// What comes of it when a board answers the login with this.
fn at_the_login(script: Script, timing: Timing) -> Seen {
    let fake = Fake::start(vec![script]);
    let place = Place::with_variable();
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.logs_within(timing, fake.address, &[]);
    fake.requests();
    seen
}

/// … and when it answers the stream with this.
fn on_the_stream(script: Script) -> Seen {
    let fake = Fake::start(vec![tokens(), script, answer(200, "", "{}")]);
    let place = Place::with_variable();
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.follow(fake.address, &["-n", "0"]).end();
    fake.requests();
    seen
}

#[test]
fn an_answer_without_end_is_given_up_soon() {
    // What the kernel's buffers swallow is not what the desk has taken.
    let most = 64 << 20;
    for (begin, again) in [
        ("HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 1024]),
        ("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 1024]),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            vec![b'x'; 1024],
        ),
        (HEAD, b"1;".repeat(512)),
        (HEAD, b"1\r\nx\r\n".repeat(200)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"A: b\r\n".repeat(100),
        ),
    ] {
        let seen = at_the_login(endless(begin, again, most), Timing::default());
        assert_eq!((seen.status, seen.out.as_str()), (1, ""), "{begin}");
        assert!(!seen.err.is_empty() && seen.err.len() < 400, "{}", seen.err);
    }
}

#[test]
fn a_line_without_end_is_given_up_soon() {
    let gigabyte = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n";
    for begin in [HELLO, gigabyte] {
        let seen = on_the_stream(endless(begin, vec![b' '; 4096], 64 << 20));
        assert_eq!(seen.status, 1, "{begin}");
        assert!(seen.err.contains("line longer than"), "{}", seen.err);
    }
}

#[test]
fn what_is_no_stream_of_a_boards_ends_it_in_words() {
    let chunked = |body: &str| format!("{HELLO}{body}");
    for bytes in [
        "SSH-2.0-x\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\r\n<html>\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\r\n{\"type\":\"log\",\"seq\":1}\n".to_owned(),
        chunked("{\"type\":\"log\"}\n"),
        chunked("nonsense\n"),
        chunked("[]\n"),
        "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 X\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ] {
        let seen = on_the_stream(say(bytes.clone()));
        assert_eq!((seen.status, seen.out.as_str()), (1, ""), "{bytes}");
        assert_eq!(seen.err.lines().count(), 1, "{}", seen.err);
    }
}

#[test]
fn a_login_that_gives_no_tokens_is_no_login() {
    for body in [
        "{}",
        "[]",
        "nonsense",
        r#"{"access_token":1,"refresh_token":"x"}"#,
        r#"{"access_token":"a\r\nX: y","refresh_token":"x"}"#,
    ] {
        let seen = at_the_login(answer(200, "", body), Timing::default());
        assert_eq!(seen.status, 1, "{body}");
        assert!(seen.err.contains("has no access_token"), "{}", seen.err);
    }
}

#[test]
fn a_board_that_dawdles_is_not_waited_for() {
    let timing = Timing {
        answer: Duration::from_millis(100),
        ..Timing::default()
    };
    let begun = Instant::now();
    // A byte now and then: each comes in time, all of them do not.
    let drip: Script = Box::new(|peer| {
        let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while peer.write_all(b"x").and_then(|()| peer.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let seen = at_the_login(drip, timing);
    assert_eq!(seen.status, 1);
    assert!(seen.err.contains("in time"), "{}", seen.err);
    // One that takes the connection and says nothing at all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let place = Place::with_variable();
    let seen = place.logs_within(timing, silent.local_addr().expect("an address"), &[]);
    assert!(
        seen.status == 1 && seen.err.contains("in time"),
        "{}",
        seen.err
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

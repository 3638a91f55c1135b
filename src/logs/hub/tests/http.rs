//! The promises of JSON lines and server-sent events, to the byte.

use super::*;

const HELLO: &str = r#"{"type":"hello","boot":"b00t","oldest":1,"newest":0}"#;
const ENTRY: &str = r#"{"type":"log","seq":1,"timestamp":"1970-01-01T00:00:00.000Z","source":"app","level":"info","message":"a","fields":{}}"#;

#[test]
fn json_lines_are_one_object_a_line_and_one_chunk_each() {
    let bench = Bench::new(1 << 20);
    let mut raw = bench.subscribe(Encoding::JsonLines { chunked: false }, |_| {});
    let mut chunked = bench.subscribe(Encoding::JsonLines { chunked: true }, |_| {});
    read_exactly(&mut raw, &format!("{HELLO}\n"));
    read_exactly(
        &mut chunked,
        &format!("{:x}\r\n{HELLO}\n\r\n", HELLO.len() + 1),
    );
    bench.push("a");
    read_exactly(&mut raw, &format!("{ENTRY}\n"));
    read_exactly(
        &mut chunked,
        &format!("{:x}\r\n{ENTRY}\n\r\n", ENTRY.len() + 1),
    );
    bench.hub.shutdown(Duration::from_secs(1));
    let mut rest = String::new();
    chunked.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "0\r\n\r\n");
    raw.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "0\r\n\r\n", "a raw body ends with its connection");
}

#[test]
fn server_sent_events_carry_their_number_and_comments_keep_them_alive() {
    let bench = Bench::new(1 << 20);
    let mut raw = bench.subscribe(Encoding::ServerSentEvents { chunked: false }, |_| {});
    let mut chunked = bench.subscribe(Encoding::ServerSentEvents { chunked: true }, |_| {});
    let hello = format!("event: hello\nid: b00t:0\ndata: {HELLO}\n\n");
    read_exactly(&mut raw, &hello);
    read_exactly(&mut chunked, &format!("{:x}\r\n{hello}\r\n", hello.len()));
    bench.push("a");
    let entry = format!("id: b00t:1\ndata: {ENTRY}\n\n");
    read_exactly(&mut raw, &entry);
    read_exactly(&mut chunked, &format!("{:x}\r\n{entry}\r\n", entry.len()));
    bench.pass(KEEP_ALIVE);
    read_exactly(&mut raw, ": keep-alive\n\n");
    read_exactly(&mut chunked, "e\r\n: keep-alive\n\n\r\n");
}

#[test]
fn a_gap_is_an_event_of_its_own() {
    let bench = Bench::new(1500);
    for _ in 0..50 {
        bench.push("line");
    }
    let (oldest, _) = bench.ring.bounds();
    let mut raw = bench.subscribe(Encoding::ServerSentEvents { chunked: false }, |s| {
        s.since = Some(1);
    });
    let hello = bench.ring.hello().0;
    let (to, missed) = (oldest - 1, oldest - 2);
    read_exactly(
        &mut raw,
        &format!(
            "event: hello\ndata: {hello}\n\nevent: gap\nid: b00t:{to}\ndata: {{\"type\":\"gap\",\"from\":2,\"to\":{to},\"missed\":{missed}}}\n\nid: b00t:{oldest}\n"
        ),
    );
}

#[test]
fn an_http_peer_into_which_nothing_can_be_written_for_90_seconds_is_dropped() {
    let bench = Bench::new(1 << 22);
    let kept = Arc::new(());
    let _stuck = bench.subscribe(Encoding::JsonLines { chunked: true }, |s| {
        s.keep = guard(&kept);
    });
    let mut idle = bench.subscribe(Encoding::JsonLines { chunked: false }, |s| {
        s.filter = Filter::new(Some("nothing"), None, None).unwrap();
    });
    let mut witness = bench.greeted(|_| {});
    let line = "x".repeat(60_000);
    for seq in 1..=40 {
        bench.push(&line);
        assert_eq!(next(&mut witness)["seq"], seq);
    }
    bench.pass(SILENCE.checked_sub(Duration::from_secs(1)).unwrap());
    assert!(matches!(witness.read().unwrap(), Message::Ping(_)));
    witness.flush().unwrap();
    assert_eq!(Arc::strong_count(&kept), 2);
    bench.pass(Duration::from_secs(1));
    wait_for(|| Arc::strong_count(&kept) == 1);
    // One that has merely nothing to read stays.
    read_exactly(&mut idle, HELLO);
    bench.push_as("nothing", Level::Info, "a");
    let mut rest = [0; 64];
    assert!(idle.read(&mut rest).unwrap() > 0);
}

#[test]
fn an_http_peer_that_talks_into_its_response_is_dropped() {
    let bench = Bench::new(1 << 20);
    let mut stream = bench.subscribe(Encoding::JsonLines { chunked: true }, |_| {});
    stream.write_all(&[b'x'; 1000]).unwrap();
    read_exactly(&mut stream, &format!("{:x}", HELLO.len() + 1));
    assert_eq!(bench.hub.subscribers(), 1);
    stream.write_all(&[b'x'; 100]).unwrap();
    bench.until_subscribers(0);
}

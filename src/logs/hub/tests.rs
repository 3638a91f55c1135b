//! What a subscriber may rely on, over socket pairs, with tungstenite as the peer and time turned by hand.

use std::io::{self, BufRead, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

mod http;

use super::subscriber::{CLOSE_WAIT, KEEP_ALIVE, SILENCE};
use super::{Alive, Encoding, Hub, Subscription, Transport, Waker};
use crate::clock::{FakeTimeSource, SystemTimeSource, Timestamp};
use crate::logs::tests::wait_for;
use crate::logs::{Filter, Level, NewEntry, Ring};

type Client = WebSocket<UnixStream>;

struct Bench {
    ring: Arc<Ring>,
    time: Arc<FakeTimeSource>,
    hub: Hub,
}

impl Bench {
    fn new(ring_bytes: usize) -> Self {
        let waker = Arc::new(Waker::new().unwrap());
        let ring = Arc::new(Ring::new(ring_bytes, "b00t".into(), waker.call()));
        let time = Arc::new(FakeTimeSource::new(Timestamp::from_secs(1_795_000_000)));
        let hub = Hub::start(ring.clone(), waker, time.clone()).unwrap();
        Self { ring, time, hub }
    }

    fn push(&self, message: &str) -> u64 {
        self.push_as("app", Level::Info, message)
    }

    fn push_as(&self, source: &str, level: Level, message: &str) -> u64 {
        let entry = NewEntry::new(source.into(), level, Timestamp::default(), message.into());
        self.ring.push(entry)
    }

    /// Lets time pass and the hub notice.
    fn pass(&self, duration: Duration) {
        self.time.advance(duration);
        self.hub.recheck();
    }

    fn subscribe(&self, encoding: Encoding, change: impl FnOnce(&mut Subscription)) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut subscription = Subscription {
            transport: Box::new(ours),
            encoding,
            leftover: Vec::new(),
            filter: Filter::default(),
            since: None,
            boot: None,
            alive: Box::new(|| Some(Duration::MAX)),
            keep: Box::new(()),
        };
        change(&mut subscription);
        self.hub.subscribe(subscription);
        theirs
    }

    fn connect(&self, change: impl FnOnce(&mut Subscription)) -> Client {
        let stream = self.subscribe(Encoding::WebSocket, change);
        WebSocket::from_raw_socket(stream, Role::Client, None)
    }

    /// A client that has had its hello.
    fn greeted(&self, change: impl FnOnce(&mut Subscription)) -> Client {
        let mut client = self.connect(change);
        assert_eq!(next(&mut client)["type"], "hello");
        client
    }

    fn until_subscribers(&self, count: usize) {
        wait_for(|| self.hub.subscribers() == count);
    }
}

fn next(client: &mut Client) -> Value {
    loop {
        match client.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Reads on until the close, and answers it.
fn close_code(client: &mut Client) -> CloseCode {
    loop {
        if let Message::Close(frame) = client.read().unwrap() {
            let _ = client.flush();
            return frame.unwrap().code;
        }
    }
}

fn seqs(client: &mut Client, count: usize) -> Vec<u64> {
    (0..count)
        .map(|_| next(client)["seq"].as_u64().unwrap())
        .collect()
}

fn read_exactly(stream: &mut UnixStream, expected: &str) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), expected);
}

/// A guard whose drop can be seen.
fn guard(kept: &Arc<()>) -> Box<dyn std::any::Any + Send> {
    Box::new(kept.clone())
}

#[test]
fn the_first_message_is_the_hello_and_then_it_is_live() {
    let bench = Bench::new(1 << 20);
    bench.push("before");
    let mut client = bench.connect(|_| {});
    assert_eq!(
        next(&mut client),
        json!({"type":"hello","boot":"b00t","oldest":1,"newest":1})
    );
    bench.push("after");
    let entry = next(&mut client);
    assert_eq!(
        (&entry["seq"], &entry["message"]),
        (&json!(2), &json!("after"))
    );
}

#[test]
fn replay_goes_live_without_a_seam() {
    let bench = Bench::new(1 << 22);
    let ring = bench.ring.clone();
    let writer = thread::spawn(move || {
        for n in 0..3000 {
            let message = format!("line {n}");
            ring.push(NewEntry::new(
                "app".into(),
                Level::Info,
                Timestamp::default(),
                message,
            ));
        }
    });
    wait_for(|| bench.ring.bounds().1 > 100);
    let mut client = bench.greeted(|s| s.since = Some(10));
    assert_eq!(seqs(&mut client, 2990), (11..=3000).collect::<Vec<_>>());
    writer.join().unwrap();
}

#[test]
fn since_is_a_number_of_this_run_and_of_what_the_ring_still_holds() {
    let bench = Bench::new(3000);
    for _ in 0..100 {
        bench.push("line");
    }
    let (oldest, _) = bench.ring.bounds();
    assert!(oldest > 20);

    let mut overrun = bench.greeted(|s| s.since = Some(10));
    assert_eq!(
        next(&mut overrun),
        json!({"type":"gap","from":11,"to":oldest - 1,"missed":oldest - 11})
    );
    assert_eq!(next(&mut overrun)["seq"], oldest);

    let mut same = bench.greeted(|s| {
        s.since = Some(98);
        s.boot = Some("b00t".into());
    });
    assert_eq!(seqs(&mut same, 2), [99, 100]);

    let mut earlier_run = bench.greeted(|s| {
        s.since = Some(5000);
        s.boot = Some("other".into());
    });
    let gap = json!({"type":"gap","from":1,"to":oldest - 1,"missed":oldest - 1});
    assert_eq!(next(&mut earlier_run), gap, "what is lost of this run");
    assert_eq!(next(&mut earlier_run)["seq"], oldest, "all of the rest");

    let mut ahead = bench.greeted(|s| s.since = Some(u64::MAX));
    let mut live = bench.greeted(|s| s.boot = Some("other".into()));
    bench.push("now");
    assert_eq!(next(&mut ahead)["seq"], 101);
    assert_eq!(next(&mut live)["seq"], 101);
}

#[test]
fn a_filter_hides_entries_without_calling_them_a_gap() {
    let bench = Bench::new(1 << 20);
    let filter = Filter::new(Some("squid"), Some("warn"), Some("DISK")).unwrap();
    let mut client = bench.greeted(|s| s.filter = filter);
    bench.push_as("squid", Level::Info, "disk ok");
    bench.push_as("other", Level::Error, "disk failed");
    bench.push_as("squid", Level::Error, "net failed");
    bench.push_as("squid", Level::Error, "Disk failed");
    assert_eq!(next(&mut client)["seq"], 4);
}

#[test]
fn a_slow_subscriber_gets_a_gap_and_a_fast_one_everything() {
    let bench = Bench::new(64 * 1024);
    let mut slow = bench.greeted(|_| {});
    let mut fast = bench.greeted(|_| {});
    let line = "x".repeat(1000);
    // Far more than the ring and the slow one's socket buffer hold.
    for seq in 1..=2000 {
        bench.push(&line);
        assert_eq!(next(&mut fast)["seq"], seq);
    }
    let mut expected = 1;
    let mut missed = 0;
    while expected <= 2000 {
        let message = next(&mut slow);
        if message["type"] == "gap" {
            assert_eq!(message["from"], expected);
            let to = message["to"].as_u64().unwrap();
            assert_eq!(message["missed"], to - expected + 1);
            missed += to - expected + 1;
            expected = to + 1;
        } else {
            assert_eq!(message["seq"], expected);
            expected += 1;
        }
    }
    assert!(missed > 0);
    assert_eq!(bench.hub.subscribers(), 2);
}

#[test]
fn a_ping_comes_every_30_seconds_and_whoever_answers_stays() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.greeted(|_| {});
    for _ in 0..5 {
        bench.pass(KEEP_ALIVE);
        assert!(matches!(client.read().unwrap(), Message::Ping(_)));
        // tungstenite answers with this flush; the entry behind it shows that the pong was taken in first.
        client.flush().unwrap();
        client.send(Message::Ping(vec![7].into())).unwrap();
        assert!(matches!(client.read().unwrap(), Message::Pong(_)));
    }
    assert_eq!(bench.hub.subscribers(), 1);
}

#[test]
fn a_peer_silent_for_90_seconds_is_dropped_and_leaves_nothing() {
    let bench = Bench::new(1 << 20);
    let kept = Arc::new(());
    let mut client = bench.greeted(|s| s.keep = guard(&kept));
    bench.pass(SILENCE.checked_sub(Duration::from_secs(1)).unwrap());
    assert!(matches!(client.read().unwrap(), Message::Ping(_)));
    assert_eq!(Arc::strong_count(&kept), 2);
    // The client never flushes its pong.
    bench.pass(Duration::from_secs(1));
    bench.until_subscribers(0);
    wait_for(|| Arc::strong_count(&kept) == 1);
}

#[test]
fn a_message_of_1_kib_is_ignored_and_a_larger_one_closes_with_1009() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.greeted(|_| {});
    client.send(Message::Text("x".repeat(1024).into())).unwrap();
    client.send(Message::Binary(vec![0; 1024].into())).unwrap();
    bench.push("still there");
    assert_eq!(next(&mut client)["seq"], 1);
    client.send(Message::Binary(vec![0; 1025].into())).unwrap();
    assert_eq!(close_code(&mut client), CloseCode::Size);
    drop(client);
    bench.until_subscribers(0);
}

#[test]
fn many_small_fragments_do_not_add_up_beyond_1_kib() {
    let bench = Bench::new(1 << 20);
    let mut stream = bench.subscribe(Encoding::WebSocket, |_| {});
    // The first fragment of a text, and then continuations, 100 bytes each, masked with zeros.
    let mut frame = vec![0x01, 0x80 | 0x64, 0, 0, 0, 0];
    frame.extend([b'x'; 100]);
    for _ in 0..11 {
        stream.write_all(&frame).unwrap();
        frame[0] = 0x00;
    }
    let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
    assert_eq!(next(&mut client)["type"], "hello");
    assert_eq!(close_code(&mut client), CloseCode::Size);
}

#[test]
fn who_breaks_the_protocol_is_told_so() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.greeted(|_| {});
    // An unmasked frame (RFC 6455, section 5.1).
    client.get_mut().write_all(&[0x81, 1, b'x']).unwrap();
    assert_eq!(close_code(&mut client), CloseCode::Protocol);
    let mut client = bench.greeted(|_| {});
    client
        .get_mut()
        .write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .unwrap();
    assert_eq!(close_code(&mut client), CloseCode::Invalid);
}

#[test]
fn a_peers_close_is_answered() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.greeted(|_| {});
    client.close(None).unwrap();
    loop {
        match client.read() {
            Ok(_) => {}
            Err(Error::ConnectionClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    bench.until_subscribers(0);
}

#[test]
fn what_came_behind_the_handshake_is_not_lost() {
    let bench = Bench::new(1 << 20);
    // A masked ping of one byte.
    let mut client = bench.greeted(|s| s.leftover = vec![0x89, 0x81, 0, 0, 0, 0, 9]);
    assert_eq!(client.read().unwrap(), Message::Pong(vec![9].into()));
}

#[test]
fn the_end_of_a_login_closes_its_streams_alone_with_1008() {
    let bench = Bench::new(1 << 20);
    let alive = Arc::new(AtomicBool::new(true));
    let asked = alive.clone();
    let mut ended = bench.greeted(|s| {
        s.alive = Box::new(move || asked.load(Ordering::SeqCst).then_some(Duration::MAX));
    });
    let mut other = bench.greeted(|_| {});
    let asked = alive.clone();
    let mut lines = bench.subscribe(Encoding::JsonLines { chunked: true }, |s| {
        s.alive = Box::new(move || asked.load(Ordering::SeqCst).then_some(Duration::MAX));
    });
    bench.hub.recheck();
    bench.push("still open");
    assert_eq!(next(&mut ended)["seq"], 1);
    alive.store(false, Ordering::SeqCst);
    bench.hub.recheck();
    assert_eq!(close_code(&mut ended), CloseCode::Policy);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("}\n\r\n0\r\n\r\n"), "{rest}");
    bench.until_subscribers(1);
    bench.push("for the other");
    assert_eq!(seqs(&mut other, 2), [1, 2]);
    let mut late = bench.connect(|s| s.alive = Box::new(|| None));
    assert_eq!(next(&mut late)["type"], "hello");
    assert_eq!(close_code(&mut late), CloseCode::Policy);
}

/// Nobody asks the hub here: it sleeps until the login's own end.
#[test]
fn a_login_that_runs_out_ends_its_streams_unless_the_clock_was_set_back() {
    let waker = Arc::new(Waker::new().unwrap());
    let ring = Arc::new(Ring::new(1 << 20, "b00t".into(), waker.call()));
    let hub = Hub::start(ring.clone(), waker, Arc::new(SystemTimeSource::new())).unwrap();
    let time = Arc::new(FakeTimeSource::new(Timestamp::default()));
    let bench = Bench { ring, time, hub };
    let runs_out = || -> Alive {
        let asked = AtomicBool::new(false);
        Box::new(move || {
            let first = !asked.swap(true, Ordering::SeqCst);
            first.then_some(Duration::from_millis(20))
        })
    };
    let mut socket = bench.connect(|s| s.alive = runs_out());
    assert_eq!(next(&mut socket)["type"], "hello");
    assert_eq!(close_code(&mut socket), CloseCode::Policy);
    for encoding in [
        Encoding::JsonLines { chunked: true },
        Encoding::ServerSentEvents { chunked: true },
    ] {
        let mut body = bench.subscribe(encoding, |s| s.alive = runs_out());
        let mut rest = String::new();
        body.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest}");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let mut longer = bench.greeted(|s| {
        s.alive = Box::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Some(Duration::from_millis(20)),
            _ => Some(Duration::MAX),
        });
    });
    wait_for(|| asked.load(Ordering::SeqCst) == 2);
    bench.push("still open");
    assert_eq!(next(&mut longer)["seq"], 1);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "asked without a reason");
}

#[test]
fn a_peer_that_never_answers_our_close_is_dropped_after_a_few_seconds() {
    let bench = Bench::new(1 << 20);
    let kept = Arc::new(());
    let mut client = bench.connect(|s| {
        s.alive = Box::new(|| None);
        s.keep = guard(&kept);
    });
    assert_eq!(next(&mut client)["type"], "hello");
    bench.pass(CLOSE_WAIT);
    wait_for(|| Arc::strong_count(&kept) == 1);
}

#[test]
fn shut_down_closes_all_with_1001_and_what_was_pushed_before_arrives() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.greeted(|_| {});
    let mut lines = bench.subscribe(Encoding::JsonLines { chunked: false }, |_| {});
    bench.push("last words");
    let peer = thread::spawn(move || {
        assert_eq!(next(&mut client)["message"], "last words");
        close_code(&mut client)
    });
    bench.hub.shutdown(Duration::from_secs(3));
    assert_eq!(peer.join().unwrap(), CloseCode::Away);
    assert_eq!(bench.hub.subscribers(), 0);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("{\"type\":\"hello\""));

    let mut late = bench.subscribe(Encoding::WebSocket, |_| {});
    assert_eq!(late.read(&mut [0]).unwrap(), 0, "closed, not forgotten");
}

#[test]
fn shut_down_waits_for_nobody_beyond_its_deadline() {
    let bench = Bench::new(1 << 20);
    let _mute = bench.greeted(|_| {});
    bench.hub.shutdown(Duration::ZERO);
    assert_eq!(bench.hub.subscribers(), 0);
}

#[test]
fn a_client_that_vanishes_leaves_nothing_behind() {
    let bench = Bench::new(1 << 20);
    let kept = Arc::new(());
    for encoding in [
        Encoding::WebSocket,
        Encoding::JsonLines { chunked: true },
        Encoding::ServerSentEvents { chunked: false },
    ] {
        let stream = bench.subscribe(encoding, |s| s.keep = guard(&kept));
        drop(stream);
    }
    let half_closed = bench.subscribe(Encoding::JsonLines { chunked: true }, |s| {
        s.keep = guard(&kept);
    });
    half_closed.shutdown(Shutdown::Write).unwrap();
    bench.until_subscribers(0);
    wait_for(|| Arc::strong_count(&kept) == 1);
}

/// A peer that always has more to say: a text in empty fragments, without end (but for a bound, should it starve us).
struct Endless {
    socket: UnixStream,
    position: usize,
    begun: Instant,
    ended: Arc<AtomicBool>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.begun.elapsed() > Duration::from_secs(3) {
            self.ended.store(true, Ordering::SeqCst);
            return Ok(0);
        }
        for byte in &mut *buffer {
            *byte = match (self.position, self.position % 6) {
                (0, _) => 0x01,
                (_, 1) => 0x80,
                _ => 0,
            };
            self.position += 1;
        }
        Ok(buffer.len())
    }
}

impl Write for Endless {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Endless {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport for Endless {}

#[test]
fn one_who_sends_without_end_does_not_hold_up_the_others() {
    let bench = Bench::new(1 << 20);
    let ended = Arc::new(AtomicBool::new(false));
    let (socket, _peer) = UnixStream::pair().unwrap();
    let endless = Endless {
        socket,
        position: 0,
        begun: Instant::now(),
        ended: ended.clone(),
    };
    let _unused = bench.subscribe(Encoding::WebSocket, |s| s.transport = Box::new(endless));
    let mut client = bench.greeted(|_| {});
    for seq in 1..=10 {
        bench.push("line");
        assert_eq!(next(&mut client)["seq"], seq);
    }
    assert!(!ended.load(Ordering::SeqCst));
}

#[test]
fn a_lagging_subscriber_that_goes_on_reading_is_pinged_too() {
    let bench = Bench::new(1 << 22);
    let mut client = bench.greeted(|_| {});
    let line = "x".repeat(60_000);
    for _ in 0..20 {
        bench.push(&line);
    }
    bench.pass(KEEP_ALIVE);
    let mut pinged = false;
    for _ in 0..21 {
        match client.read().unwrap() {
            Message::Text(_) => {}
            Message::Ping(_) => pinged = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(pinged);
}

#[test]
fn a_tcp_connection_is_a_transport_too() {
    let bench = Bench::new(1 << 20);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    let _unused = bench.subscribe(Encoding::JsonLines { chunked: false }, |s| {
        s.transport = Box::new(ours);
    });
    let mut hello = String::new();
    std::io::BufReader::new(peer).read_line(&mut hello).unwrap();
    assert!(hello.starts_with("{\"type\":\"hello\""));
}

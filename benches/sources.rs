//! What a storm costs: lines through one followed file into the ring, by format. The time is the processor's, of the
//! whole process while it reads what a file has grown by.
//!
//!     cargo bench --bench sources

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use postern::clock::{Clock, SystemTimeSource};
use postern::config::{LineFormat, LogSource};
use postern::logs::{Ring, Sources};

const LINES: u64 = 500_000;

fn main() {
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let raw =
        "Nov 24 14:32:10 board app[812]: GET /index.html from 192.168.1.20 took 12 ms, kept alive";
    let squid = "1066036250.129    465 192.168.0.4 TCP_MISS/200 1234 GET http://example.com/ - HIER_DIRECT/1.2.3.4 text/html";
    let json = r#"{"level":"info","time":"2026-11-24T14:32:10.123Z","msg":"served","path":"/index.html","ms":12}"#;
    for (name, line) in [("raw", raw), ("squid", squid), ("json", json)] {
        let (wall, processor) = storm(line);
        let a_second = u128::from(LINES) * 1000 / wall.as_millis().max(1);
        let percent = processor.as_millis() * 50_000 / u128::from(LINES) / 10;
        println!(
            "{name:6} {a_second:>8} lines a second; 50,000 a second take {percent} % of a core"
        );
    }
}

/// How long it takes to read so many lines that are there at once.
fn storm(line: &str) -> (Duration, Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    let mut file = File::create(&path).expect("a file");
    let ring = Arc::new(Ring::new(4 << 20, "bench".into(), Box::new(|| ())));
    let clock = Arc::new(Clock::new(Arc::new(SystemTimeSource::new()), None));
    let spec = LogSource::File {
        path,
        name: "app".into(),
        format: LineFormat::Auto,
    };
    let sources = Sources::start(&[spec], &ring, &clock).expect("a thread");
    let wait = |holds: &dyn Fn() -> bool| {
        while !holds() {
            thread::sleep(Duration::from_millis(1));
        }
    };
    wait(&|| sources.states()[0].state == "following");
    let text = format!("{line}\n").repeat(usize::try_from(LINES).expect("few"));
    let (begun, used) = (Instant::now(), processor());
    file.write_all(text.as_bytes()).expect("written");
    wait(&|| sources.states()[0].entries == LINES);
    (begun.elapsed(), processor().saturating_sub(used))
}

/// What the process has used: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<u64>);
    Duration::from_millis(10 * ticks.sum::<Result<u64, _>>().expect("numbers"))
}

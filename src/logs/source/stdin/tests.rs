use std::io::Write;
use std::sync::Arc;

use super::super::{SourceShared, SourceStop};
use super::*;
use crate::clock::{Clock, FakeTimeSource, Timestamp};
use crate::logs::{Filter, Ring};

fn context() -> SourceContext {
    let time = Arc::new(FakeTimeSource::new(Timestamp::default()));
    SourceContext {
        shared: Arc::new(SourceShared::new("stdin", "stdin", "stdin".to_owned())),
        ring: Arc::new(Ring::new(1 << 20, "b".into(), Box::new(|| ()))),
        clock: Arc::new(Clock::new(time, None)),
        stop: Arc::new(SourceStop::new().unwrap()),
    }
}

#[test]
fn every_line_is_read_until_the_input_ends() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"one\ntwo\r\nlast").unwrap();
    drop(writer);
    let context = context();
    Box::new(StdinSource::new(reader)).run(&context);
    let state = context.shared.state();
    assert_eq!((state.state, state.entries), ("ended", 3));
    let texts = context.ring.recent(10, None, &Filter::default());
    assert!(texts[2].contains(r#""source":"stdin","level":"info","message":"last""#));
}

#[test]
fn a_silent_input_does_not_hold_up_a_stop() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let context = context();
    let stop = context.stop.clone();
    let shared = context.shared.clone();
    let thread = std::thread::spawn(move || Box::new(StdinSource::new(reader)).run(&context));
    stop.stop();
    thread.join().unwrap();
    assert_eq!(shared.state().state, "stopped");
}

//! Lines from standard input, until it ends.

use std::os::fd::AsFd;
use std::time::Duration;

use super::line::Splitter;
use super::{Context, Source};

/// Reads any descriptor; it is standard input except in tests.
pub(super) struct StdinSource<F> {
    input: F,
}

impl<F: AsFd + Send> StdinSource<F> {
    pub(super) fn new(input: F) -> Self {
        Self { input }
    }
}

impl<F: AsFd + Send> Source for StdinSource<F> {
    fn run(self: Box<Self>, context: &Context) {
        let mut splitter = Splitter::default();
        let mut buffer = vec![0; BUFFER];
        context.report("following", None);
        loop {
            // A prompt without a newline is shown after a while too.
            let patience = splitter.is_partial().then_some(PARTIAL_PATIENCE);
            let before = context.now();
            if context.stop.until_readable(self.input.as_fd(), patience) {
                splitter.finish(|line| context.push(line));
                return context.report("stopped", None);
            }
            if !self.is_readable() {
                if context.now().saturating_since(before) >= PARTIAL_PATIENCE {
                    splitter.finish(|line| context.push(line));
                }
                continue;
            }
            match rustix::io::read(&self.input, &mut buffer[..]) {
                Ok(0) => {
                    splitter.finish(|line| context.push(line));
                    return context.report("ended", None);
                }
                Ok(read) => splitter.feed(&buffer[..read], |line| context.push(line)),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => {
                    splitter.finish(|line| context.push(line));
                    return context.report("error", Some(error.to_string()));
                }
            }
        }
    }
}

impl<F: AsFd> StdinSource<F> {
    /// Whether a read would not block: after a time-out it would.
    fn is_readable(&self) -> bool {
        let mut fds = [rustix::event::PollFd::new(
            &self.input,
            rustix::event::PollFlags::IN,
        )];
        let none = rustix::event::Timespec::default();
        rustix::event::poll(&mut fds, Some(&none)).is_ok_and(|ready| ready > 0)
    }
}

const BUFFER: usize = 8 * 1024;

/// An unfinished line is shown as it is after this long without more of it.
const PARTIAL_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::super::{Shared, Stop};
    use super::*;
    use crate::clock::{Clock, FakeTimeSource, Timestamp};
    use crate::logs::{Filter, Ring};

    fn context() -> Context {
        let time = Arc::new(FakeTimeSource::new(Timestamp::default()));
        Context {
            shared: Arc::new(Shared::new("stdin", "stdin", "stdin".to_owned())),
            ring: Arc::new(Ring::new(1 << 20, "b".into())),
            clock: Arc::new(Clock::new(time, None)),
            stop: Arc::new(Stop::new().unwrap()),
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
}

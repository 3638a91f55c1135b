//! Lines from standard input, until it ends.

use std::os::fd::AsFd;
use std::time::Duration;

use super::line::Splitter;
use super::{Source, SourceContext};

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
    fn run(self: Box<Self>, context: &SourceContext) {
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
mod tests;

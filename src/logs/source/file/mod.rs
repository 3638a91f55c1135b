//! Files that are followed, as a source of entries.

use std::path::PathBuf;
use std::time::Duration;

use super::{Context, Source};
use follower::{Follower, POLL, State};

mod follower;

pub(super) struct FileSource {
    pub(super) path: PathBuf,
}

impl Source for FileSource {
    fn run(self: Box<Self>, context: &Context) {
        let mut follower = Follower::new(self.path);
        loop {
            let (state, more) = follower.poll(context.now(), &mut |line| context.push(line));
            match state {
                State::Following => context.report("following", None),
                State::Waiting => context.report("waiting for the file", None),
                State::NotAFile => context.report("not a regular file", None),
                State::Failed(error) => context.report("error", Some(error)),
            }
            let pause = if more { Duration::ZERO } else { POLL };
            if context.stop.sleep(pause) {
                follower.splitter.finish(|line| context.push(line));
                return context.report("stopped", None);
            }
        }
    }
}

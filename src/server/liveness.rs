//! Whether the parts of the server still run: each is asked now and then, and has to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// To be called by the part that was asked, on its own thread.
pub type LivenessReply = Box<dyn FnOnce() + Send>;

/// Something that may hang.
pub struct WatchedPart {
    name: String,
    sign: LifeSign,
    /// The last question that it answered.
    answered: Arc<AtomicU64>,
}

/// How a part shows that it turns.
enum LifeSign {
    /// It is asked, and woken by that if it sleeps.
    Answer(Box<dyn Fn(LivenessReply) + Send>),
    /// It need not be woken: it is seen how far it has come.
    Progress {
        now: Box<dyn Fn() -> Option<u64> + Send>,
        /// When the last question was put.
        then: Option<u64>,
    },
}

impl WatchedPart {
    /// A part that calls the answer functions it is given, soon and in order.
    pub fn answering(name: String, ask: impl Fn(LivenessReply) + Send + 'static) -> Self {
        Self::new(name, LifeSign::Answer(Box::new(ask)))
    }

    /// A part that shows how far it has come, or `None` while it waits for nobody.
    pub fn progressing(name: String, now: impl Fn() -> Option<u64> + Send + 'static) -> Self {
        let now = Box::new(now);
        Self::new(name, LifeSign::Progress { now, then: None })
    }

    fn new(name: String, sign: LifeSign) -> Self {
        Self {
            name,
            sign,
            answered: Arc::default(),
        }
    }

    fn ask(&mut self, question: u64) {
        match &mut self.sign {
            LifeSign::Answer(ask) => {
                let answered = self.answered.clone();
                ask(Box::new(move || {
                    answered.fetch_max(question, Ordering::Relaxed);
                }));
            }
            LifeSign::Progress { now, then } => *then = now(),
        }
    }

    fn has_answered(&self, question: u64) -> bool {
        if let LifeSign::Progress { now, then } = &self.sign {
            let now = now();
            if now.is_none() || now != *then {
                // Also if it stands still from here on: that is for the next question.
                self.answered.store(question, Ordering::Relaxed);
            }
        }
        self.answered.load(Ordering::Relaxed) == question
    }
}

/// All parts, and the question that they were asked last.
pub struct Liveness {
    parts: Vec<WatchedPart>,
    question: u64,
}

impl Liveness {
    /// Nobody has been asked yet.
    pub fn new(parts: Vec<WatchedPart>) -> Self {
        Self { parts, question: 0 }
    }

    /// Asks every part. Answers to earlier questions do not count for this one.
    pub fn ask(&mut self) {
        self.question += 1;
        for part in &mut self.parts {
            part.ask(self.question);
        }
    }

    /// Who has not answered the last question, by name.
    pub fn silent(&self) -> Vec<&str> {
        let silent = self
            .parts
            .iter()
            .filter(|part| !part.has_answered(self.question));
        silent.map(|part| part.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;

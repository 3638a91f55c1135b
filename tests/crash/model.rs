//! What must be found after a power cut, as plainly as it can be said: for every fact the values that it may have.

use std::collections::{BTreeMap, BTreeSet};

use postern::ids::{ClientKey, Id};

/// Something that the journal keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// A login has ended.
    Ended(Id),
    /// A refresh token was used.
    Used(Id),
    /// An address is locked out.
    LockedOut(ClientKey),
    /// Which password works.
    Password,
}

/// `None` where there is nothing of the kind; the password's text; a word otherwise.
pub type Value = Option<String>;

/// What was answered, and what was asked for and may have happened.
#[derive(Default)]
pub struct Model {
    answered: BTreeMap<Fact, Value>,
    open: BTreeMap<Fact, Open>,
    /// All that was ever asked for: a disk that lies may bring back what a power cut seemed to have taken.
    asked_for: BTreeSet<Fact>,
    /// The password that worked when it was asked for. Under a newer one all tokens of before are dead anyway, and the end
    /// of their logins may be forgotten.
    under: BTreeMap<Fact, Value>,
}

/// A change of which no answer has said that it is durable.
struct Open {
    /// What a crash may leave.
    possible: Vec<Value>,
    /// What it is once the journal says that everything is durable again: what is in force in memory.
    settles_as: Value,
}

/// It is so.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a value may be absent; this one is not"
)]
pub fn yes() -> Value {
    Some("yes".to_owned())
}

impl Model {
    /// Somebody asks for `fact` to become `value`. If he gets no answer, it will be `in_force`.
    pub fn ask(&mut self, fact: &Fact, value: &Value, in_force: Value) {
        self.asked_for.insert(fact.clone());
        let password = self.answered.get(&Fact::Password).cloned().flatten();
        self.under.insert(fact.clone(), password);
        let mut possible = self.possible(fact);
        possible.push(value.clone());
        let settles_as = in_force;
        self.open.insert(
            fact.clone(),
            Open {
                possible,
                settles_as,
            },
        );
    }

    /// It was answered that it is.
    pub fn answer(&mut self, fact: &Fact, value: Value) {
        self.open.remove(fact);
        self.answered.insert(fact.clone(), value);
    }

    /// Everything in force is durable.
    pub fn settle(&mut self) {
        for (fact, open) in std::mem::take(&mut self.open) {
            self.answered.insert(fact, open.settles_as);
        }
    }

    /// What was found is what there is from now on.
    pub fn found(&mut self, found: &BTreeMap<Fact, String>) {
        self.open.clear();
        self.answered = found
            .iter()
            .map(|(fact, value)| (fact.clone(), Some(value.clone())))
            .collect();
    }

    /// Whether it was asked for and not answered yet.
    pub fn is_open(&self, fact: &Fact) -> bool {
        self.open.contains_key(fact)
    }

    /// What must be, as far as it is certain.
    pub fn certain(&self, fact: &Fact) -> Option<&Value> {
        self.answered.get(fact).filter(|_| !self.is_open(fact))
    }

    fn possible(&self, fact: &Fact) -> Vec<Value> {
        match self.open.get(fact) {
            Some(open) => open.possible.clone(),
            None => vec![self.answered.get(fact).cloned().flatten()],
        }
    }

    /// Whether this may be found after a crash right now. `is_over` says what may have been forgotten for its age.
    ///
    /// # Panics
    /// If it may not.
    pub fn check(&self, found: &BTreeMap<Fact, String>, is_over: impl Fn(&Fact) -> bool) {
        let facts = self.answered.keys().chain(self.open.keys());
        for fact in facts.chain(found.keys()) {
            let value = found.get(fact).cloned();
            let possible = self.possible(fact);
            let may_be_gone = || is_over(fact) || self.is_superseded(fact, found);
            assert!(
                possible.contains(&value) || (value.is_none() && may_be_gone()),
                "{fact:?} is {value:?} and must be one of {possible:?}"
            );
        }
    }

    fn is_superseded(&self, fact: &Fact, found: &BTreeMap<Fact, String>) -> bool {
        let under = self.under.get(fact).and_then(Option::as_ref);
        matches!(fact, Fact::Ended(_) | Fact::Used(_)) && found.get(&Fact::Password) != under
    }

    /// Whether this is nothing that was never asked for.
    ///
    /// # Panics
    /// If it is.
    pub fn check_nothing_invented(&self, found: &BTreeMap<Fact, String>) {
        for fact in found.keys() {
            assert!(
                self.asked_for.contains(fact),
                "{fact:?} was never asked for"
            );
        }
    }
}

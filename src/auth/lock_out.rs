//! How lock-outs outlive a restart. In force they are by the monotonic clock, in [`Attempts`]; the journal can only keep
//! until what time of day. So whenever the clock leaps, what it keeps is put right.
//!
//! [`Attempts`]: crate::limits::Attempts

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Auth, AuthError, Event, Happened, Outcome, User};
use crate::journal::{ClientKey, Record};
use crate::limits::{Attempt, LockOut, whole_seconds};

impl Auth {
    /// Counts a failure. A lock-out that begins with it is in the journal before the failure is answered, or a guesser
    /// could pull the plug on it. Blocks then.
    pub(super) fn failed(&self, attempt: Option<Attempt<'_>>, address: Option<IpAddr>) {
        let Some(attempt) = attempt else {
            return;
        };
        let _locking_out = self.locking_out.lock();
        let begun = attempt.failed(self.clock.monotonic());
        let Some(LockOut { client, remaining }) = begun else {
            return;
        };
        let until = self.clock.now() + remaining;
        self.durable.lock_out(client, until);
        // A failed commit leaves it in force, and to be written when the journal is.
        let committed = self.commit(vec![Record::LockOut { client, until }]);
        let (seconds, durable) = (whole_seconds(remaining), committed.is_ok());
        log::warn!(
            client:% = client,
            seconds,
            durable;
            "locked out after too many failed attempts"
        );
        let event = Event {
            user: User::Nobody,
            more: Some(("seconds", &seconds.to_string())),
            ..self.event(address, Outcome::of_commit(durable))
        };
        self.audit(Happened::LockOut, &event);
    }

    /// Forgives an address its failed attempts. Says whether there were any. Blocks if there was a lock-out to lift.
    ///
    /// # Errors
    /// [`AuthError::NotDurable`]: it is lifted, but a restart would bring it back.
    pub fn clear_lockout(&self, client: ClientKey) -> Result<bool, AuthError> {
        let _locking_out = self.locking_out.lock();
        let now = self.clock.monotonic();
        let in_force = self.attempts.check(client, now).is_err();
        let had_attempts = self.attempts.clear(client, now);
        let was_kept = self.durable.clear_lock_out(client);
        if in_force || was_kept {
            log::info!(client:% = client; "lock-out cleared");
            self.commit(vec![Record::LockOutCleared { client }])?;
        }
        Ok(had_attempts || was_kept)
    }

    /// Sees to it that the journal keeps each lock-out for as long as it is in force: a clock that was set since has made
    /// its end wrong. Writes nothing otherwise. Does not wait for the journal.
    pub(super) fn reconcile_lock_outs(&self) {
        // Whoever holds it is about to write; there is a next time.
        let Some(_locking_out) = self.locking_out.try_lock() else {
            return;
        };
        let in_force = self.attempts.lock_outs(self.clock.monotonic());
        let mut kept: HashMap<_, _> = self.durable.lock_outs().into_iter().collect();
        let now = self.clock.now();
        let mut records = Vec::new();
        for (client, remaining) in in_force {
            let until = now + remaining;
            let right = kept.remove(&client).is_some_and(|kept| {
                kept.saturating_since(until)
                    .max(until.saturating_since(kept))
                    <= TOLERATED
            });
            if !right {
                records.push(Record::LockOut { client, until });
            }
        }
        // Those that are over, but would begin again with the next start.
        let over = kept
            .into_iter()
            .filter(|(_, until)| *until > now + TOLERATED);
        records.extend(over.map(|(client, _)| Record::LockOutCleared { client }));
        if records.is_empty() {
            return;
        }
        // What fails is still different the next time.
        self.journal.submit(records, Box::new(|_| ()));
    }
}

/// How far the end of a lock-out as it is kept may be off: whole seconds are kept, and flash is spared.
const TOLERATED: Duration = Duration::from_secs(5);

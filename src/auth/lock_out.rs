//! Keeps lock-outs, and proofs of who is no stranger, across a restart. In memory they run by the monotonic clock, in
//! [`Attempts`] and [`Proven`]; the journal can only keep a time of day. So whenever the clock leaps, what it keeps
//! is put right.
//!
//! [`Attempts`]: crate::limits::Attempts
//! [`Proven`]: crate::limits::Proven

use std::collections::HashMap;
use std::time::Duration;

use super::change::{Change, Changed, NewLockOut};
use super::{Auth, AuthError, Event, EventKind, EventOutcome, User};
use crate::clock::Timestamp;
use crate::ids::ClientKey;
use crate::journal::{CommitError, Record};
use crate::limits::{Attempt, LockOut, whole_seconds};

impl Auth {
    /// Counts a failure. If a lock-out begins with it, that is in the journal before the failure is answered, so that a
    /// guesser cannot undo it by pulling the plug. Blocks then.
    pub(super) fn failed(&self, attempt: Option<Attempt<'_>>, address: Option<ClientKey>) {
        let (Some(attempt), Some(address)) = (attempt, address) else {
            return;
        };
        let _locking_out = self.locking_out.lock();
        for LockOut { client, remaining } in attempt.failed(self.clock.monotonic()) {
            let until = self.clock.now() + remaining;
            self.durable.lock_out(client, until);
            let lock_out = NewLockOut {
                address,
                client,
                remaining,
                until,
            };
            // A failed commit leaves it in force, and to be written when the journal is.
            let _ = self.carry_out(Change::LockOut(lock_out));
        }
    }

    /// Tells of a lock-out.
    pub(super) fn locked_out(
        &self,
        lock_out: &NewLockOut,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        let NewLockOut {
            address,
            client,
            remaining,
            ..
        } = *lock_out;
        let (seconds, durable) = (whole_seconds(remaining), committed.is_ok());
        let network = client.to_string();
        let more = if client == address {
            log::warn!(
                client:% = address,
                seconds,
                durable;
                "locked out after too many failed attempts"
            );
            ("seconds", seconds.to_string())
        } else {
            log::warn!(
                client:% = address,
                network:% = network,
                seconds,
                durable;
                "the strangers of a network are locked out after too many failed attempts"
            );
            ("network", network)
        };
        let event = Event {
            user: User::Nobody,
            more: Some((more.0, &more.1)),
            ..self.event(Some(address), EventOutcome::of_commit(durable))
        };
        self.audit(EventKind::LockOut, &event);
        Ok(committed.map(|()| Changed::Unasked)?)
    }

    /// Forgives an address, or the strangers of a network, its failed attempts. Says whether there were any. Blocks if
    /// there was a lock-out to lift.
    ///
    /// # Errors
    /// [`AuthError::NotDurable`]: it is lifted, but a restart would bring it back.
    pub fn clear_lockout(&self, client: ClientKey) -> Result<bool, AuthError> {
        let _locking_out = self.locking_out.lock();
        let now = self.clock.monotonic();
        let in_force = self.attempts.is_locked_out(client, now);
        let had_attempts = self.attempts.clear(client, now);
        let was_kept = self.durable.clear_lock_out(client);
        if in_force || was_kept {
            log::info!(client:% = client; "lock-out cleared");
            self.carry_out(Change::LockOutCleared(client))?;
        }
        Ok(had_attempts || was_kept)
    }

    /// Sees to it that the journal keeps each lock-out for as long as it is in force: a clock that was set since has
    /// made its end wrong. Writes nothing otherwise. Does not wait for the journal.
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
            let kept = kept.remove(&client);
            let right = kept.is_some_and(|kept| is_within(kept, until, TOLERATED));
            if !right {
                records.push(Record::LockOut { client, until });
            }
        }
        // Those that are over, but would begin again with the next start.
        let over = kept
            .into_iter()
            .filter(|(_, until)| *until > now + TOLERATED);
        records.extend(over.map(|(client, _)| Record::LockOutCleared { client }));
        if !records.is_empty() {
            // What fails is still different the next time.
            self.keep_up(records);
        }
    }
}

impl Auth {
    /// Sees to it that the journal keeps each proof, and about when it ends: each use moves that on, and not each is
    /// worth a write. Does not wait for the journal.
    pub(super) fn reconcile_proofs(&self) {
        let kept = self.durable.proofs();
        let kept: HashMap<_, _> = kept
            .iter()
            .map(|(client, account, until)| ((*client, account), *until))
            .collect();
        let now = self.clock.now();
        let mut records = Vec::new();
        for (client, account, remaining) in self.proven.list(self.clock.monotonic()) {
            let until = now + remaining;
            let kept = kept.get(&(client, &account));
            if !kept.is_some_and(|kept| is_within(*kept, until, PROOF_TOLERATED)) {
                let account = account.as_ref().to_owned();
                records.push(Record::Proven {
                    client,
                    until,
                    account,
                });
            }
        }
        if !records.is_empty() {
            self.keep_up(records);
        }
    }
}

fn is_within(a: Timestamp, b: Timestamp, tolerated: Duration) -> bool {
    a.saturating_since(b).max(b.saturating_since(a)) <= tolerated
}

/// How far the end of a proof as it is kept may be off: so an address in use costs the flash a small write an hour.
const PROOF_TOLERATED: Duration = Duration::from_secs(60 * 60);

/// How far the end of a lock-out as it is kept may be off: whole seconds are kept, and flash is spared.
const TOLERATED: Duration = Duration::from_secs(5);

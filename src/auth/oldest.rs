//! A logout that finds the table of revocations full ends the oldest sessions: one mark takes the place of many
//! entries.
//!
//! The removed entries were about tokens issued before the mark. The mark ends all such tokens, also those still good:
//! the price, paid by the sessions that were not refreshed for longest. A refresh does not do this: it must end nobody
//! else's session.

use super::{Auth, AuthError, Event, EventKind, EventOutcome};
use crate::audit::Origin;
use crate::journal::Record;

impl Auth {
    /// Revokes by `revoke`, which gives the records to commit. If the table is full, ends the oldest sessions and tries
    /// once more; then their record is among the records too. Cheap, except for a rare walk over the table.
    ///
    /// # Errors
    /// [`AuthError::Full`], if there is nothing old enough.
    pub(super) fn with_oldest_ended(
        &self,
        revoke: impl Fn() -> Result<Vec<Record>, AuthError>,
    ) -> Result<(Option<Record>, Vec<Record>), AuthError> {
        let revoke = || revoke().map(|records| (None, records));
        let revoked = revoke();
        if !matches!(revoked, Err(AuthError::Full)) {
            return revoked;
        }
        let mut tried = self.ending_oldest.lock();
        // Another one may have made room meanwhile.
        let revoked = revoke();
        if !matches!(revoked, Err(AuthError::Full)) {
            return revoked;
        }
        let second = self.clock.now().as_secs();
        if *tried == Some(second) {
            return revoked;
        }
        let Some(ended) = self.end_oldest() else {
            *tried = Some(second);
            return revoked;
        };
        match revoke() {
            Ok((_, records)) => Ok((Some(ended), records)),
            Err(error) => {
                // It is in force all the same. Should this fail, the entries that went are in the journal as before.
                self.keep_up(vec![ended]);
                Err(error)
            }
        }
    }

    /// Records in the audit log that the oldest sessions have ended, if they have, once it is known whether that is
    /// durable.
    pub(super) fn tell_of_oldest(&self, ended: Option<&Record>, outcome: EventOutcome) {
        if let Some(Record::SessionsEnded { before, .. }) = ended {
            let event = Event {
                origin: Origin::Server,
                by: Some("full table"),
                more: Some(("issued_before", &before.to_string())),
                ..self.event(None, outcome)
            };
            self.audit(EventKind::Logout, &event);
        }
    }

    fn end_oldest(&self) -> Option<Record> {
        // A change of the password spares a session by what the revocations say of it now. None may go until the new
        // password is in force.
        let _unchanged = self.changing.try_lock()?;
        let generation = self.durable.generation();
        // By the guarded time, which no token will be issued before: a leap that is taken back cannot leave the mark in
        // the future.
        let before = self.durable.revocations.oldest_eighth(self.clock.now())?;
        self.durable.end_sessions(generation, before);
        log::warn!(
            user:% = self.user, issued_before:% = before, entries = self.durable.revocations();
            "the table of revocations was full at a logout; postern ended the oldest sessions to make room"
        );
        Some(Record::SessionsEnded { generation, before })
    }
}

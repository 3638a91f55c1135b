//! How a user ends a session.

use super::change::{Change, Changed, EndedSession, Logout};
use super::revocation::Full;
use super::{Auth, AuthError, Event, EventKind, EventOutcome, Principal, Proof, Token};
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id};
use crate::journal::{CommitError, Record};

impl Auth {
    /// Ends the session of the token that was shown: every token of it is dead from now on, and for good once that is
    /// durable. Does nothing for the local socket and for Basic, which have none. If the table of revocations is full, the
    /// oldest sessions end too. `client` asks. Cheap.
    ///
    /// # Errors
    /// [`AuthError::Full`]: not in force, and no session is old enough. When finished, [`AuthError::NotDurable`]: in
    /// force, but a power cut would undo it.
    pub fn begin_logout(
        &self,
        client: Option<ClientKey>,
        principal: &Principal,
    ) -> Result<Change, AuthError> {
        let Proof::Token {
            id,
            jti,
            family,
            generation,
            issued,
            expires,
        } = principal.proof
        else {
            let ended = None;
            return Ok(Change::Logout(Logout { client, ended }));
        };
        let (oldest, revoked) = self.with_oldest_ended(|| {
            let mut records = Vec::with_capacity(2);
            if generation.is_none() {
                // A foreign token. The end of its login may be forgotten with the next password, its own may not.
                let revocations = &self.durable.revocations;
                let revoked = revocations.revoke_token(id, expires, self.clock.now());
                revoked.map_err(|Full| AuthError::Full)?;
                records.push(Record::TokenRevoked { id, expires });
            }
            records.push(self.revoke_family(family, issued, expires)?);
            Ok(records)
        })?;
        self.logins_ended();
        let ended = Some(EndedSession {
            id,
            token: Token { jti, login: family },
            oldest,
            revoked,
        });
        Ok(Change::Logout(Logout { client, ended }))
    }

    /// Records a logout in the audit log. One that could not be written is in force all the same.
    pub(super) fn logged_out(
        &self,
        logout: &Logout,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        if let Some(ended) = &logout.ended {
            let durable = committed.is_ok();
            self.tell_of_oldest(ended.oldest.as_ref(), EventOutcome::of_commit(durable));
            log::info!(user:% = self.user, token:? = ended.id, durable; "logged out");
            let event = Event {
                token: Some(ended.token),
                ..self.event(logout.client, EventOutcome::of_commit(durable))
            };
            self.audit(EventKind::Logout, &event);
        }
        Ok(committed.map(|()| Changed::LoggedOut)?)
    }

    /// As [`Auth::begin_logout`] on the local socket, and waits for the journal. Blocks.
    ///
    /// # Errors
    /// As [`Auth::begin_logout`].
    pub fn logout(&self, principal: &Principal) -> Result<(), AuthError> {
        let logout = self.begin_logout(None, principal)?;
        self.carry_out(logout).map(drop)
    }

    /// Revokes a login in memory; gives the record to commit.
    pub(super) fn revoke_family(
        &self,
        family: Id,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Record, AuthError> {
        // No token of the login issued until now lives longer than this.
        let latest = self.clock.wall().max(issued);
        let expires = expires.max(latest + self.settings.longest);
        let revocations = &self.durable.revocations;
        let revoked = revocations.revoke_family(family, expires, self.clock.now());
        revoked.map_err(|Full| AuthError::Full)?;
        Ok(Record::FamilyRevoked { family, expires })
    }
}
